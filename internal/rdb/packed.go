package rdb

import "math"

// Small collections are stored as one string each, packed as in the server's memory. A server walks them by the lengths inside them, and trusts
// those: a wrong length makes it read and write outside of the collection. So a strict scan walks them first. The layouts are those of listpack.c,
// ziplist.c, intset.c and zipmap.c in redis.

const (
	packedEnd     = 0xFF
	packedUnknown = math.MaxUint16 // as the number of elements: too many to be stored
	zipmapMany    = 0xFE           // the same in a zipmap
)

// element is one element of a listpack.
type element struct {
	integer bool
	value   int64 // of an integer
}

// listpack walks over a listpack and returns how many elements it has. each may be nil.
func (c *content) listpack(each func(element) error) (uint64, error) {
	total, err := c.number(4)
	if err != nil {
		return 0, err
	}
	said, err := c.number(2)
	if err != nil {
		return 0, err
	}
	if total != c.size {
		return 0, c.s.corrupt("a listpack of %d bytes that says it has %d", c.size, total)
	}
	n := uint64(0)
	for {
		first, err := c.byte()
		if err != nil {
			return n, err
		}
		if first == packedEnd {
			break
		}
		e, err := c.listpackElement(first)
		if err == nil && each != nil {
			err = each(e)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	if said != packedUnknown && said != n {
		return n, c.s.corrupt("a listpack of %d elements that says it has %d", n, said)
	}
	return n, c.end()
}

// listpackElement walks over the rest of an element after its first byte, and the element's length after it.
func (c *content) listpackElement(first byte) (element, error) {
	begin := c.at - 1
	e, err := element{}, error(nil)
	switch {
	case first < 0x80:
		e = element{true, int64(first)}
	case first < 0xC0:
		err = c.text(uint64(first & 0x3F))
	case first < 0xE0:
		e, err = c.integer(1)
		e.value = int64(uint64(first&0x1F)<<8 | uint64(e.value)&0xFF)
		if e.value >= 1<<12 {
			e.value -= 1 << 13
		}
	case first < 0xF0:
		low, failed := c.byte()
		if err = failed; err == nil {
			err = c.text(uint64(first&0x0F)<<8 | uint64(low))
		}
	case first == 0xF0:
		n, failed := c.number(4)
		if err = failed; err == nil {
			err = c.text(n)
		}
	case first == 0xF1:
		e, err = c.integer(2)
	case first == 0xF2:
		e, err = c.integer(3)
	case first == 0xF3:
		e, err = c.integer(4)
	case first == 0xF4:
		e, err = c.integer(8)
	default:
		err = c.s.corrupt("a listpack's element of kind 0x%02X", first)
	}
	if err != nil {
		return e, err
	}
	return e, c.backLength(c.at - begin)
}

// text walks over the text of an element, and gives it to whoever wants it.
func (c *content) text(n uint64) (err error) {
	if c.texts == nil {
		return c.skip(n)
	}
	if c.held, err = c.texts(n); err == nil {
		err = c.skip(n)
	}
	c.held = nil
	return err
}

func (c *content) integer(bytes int) (element, error) {
	n, err := c.number(bytes)
	shift := 64 - 8*bytes
	return element{true, int64(n<<shift) >> shift}, err
}

// backLength reads the length by which a listpack is walked backwards: 7 bits per byte, the highest first.
func (c *content) backLength(n uint64) error {
	size := 1
	for _, limit := range []uint64{127, 16382, 2097150, 268435454} { // as in lpEncodeBacklen
		if n > limit {
			size++
		}
	}
	for i := size - 1; i >= 0; i-- {
		want := byte(n>>(7*i)) & 0x7F
		if i < size-1 {
			want |= 0x80
		}
		got, err := c.byte()
		if err != nil {
			return err
		}
		if got != want {
			return c.s.corrupt("a listpack's element with a wrong length after it")
		}
	}
	return nil
}

// ziplist walks over a ziplist and returns how many elements it has.
func (c *content) ziplist() (uint64, error) {
	total, err := c.number(4)
	if err != nil {
		return 0, err
	}
	tail, err := c.number(4)
	if err != nil {
		return 0, err
	}
	said, err := c.number(2)
	if err != nil {
		return 0, err
	}
	if total != c.size {
		return 0, c.s.corrupt("a ziplist of %d bytes that says it has %d", c.size, total)
	}
	n, before, last := uint64(0), uint64(0), c.at // elements, the length of the previous one, where the last begins
	for {
		first, err := c.byte()
		if err != nil {
			return n, err
		}
		if first == packedEnd {
			break
		}
		begin := c.at - 1
		back := uint64(first)
		if first == 0xFE {
			if back, err = c.number(4); err != nil {
				return n, err
			}
		}
		if back != before {
			return n, c.s.corrupt("a ziplist's element with a wrong length before it")
		}
		if err := c.ziplistElement(); err != nil {
			return n, err
		}
		before, last = c.at-begin, begin
		n++
	}
	switch {
	case said != packedUnknown && said != n:
		return n, c.s.corrupt("a ziplist of %d elements that says it has %d", n, said)
	case tail != last:
		return n, c.s.corrupt("a ziplist whose last element is at %d and not at %d", last, tail)
	}
	return n, c.end()
}

// ziplistElement walks over the rest of an element after the length of the previous one.
func (c *content) ziplistElement() error {
	first, err := c.byte()
	if err != nil {
		return err
	}
	switch {
	case first < 0x40:
		return c.skip(uint64(first))
	case first < 0x80:
		low, err := c.byte()
		if err != nil {
			return err
		}
		return c.skip(uint64(first&0x3F)<<8 | uint64(low))
	case first < 0xC0:
		n := uint64(0)
		for range 4 { // the highest first
			b, err := c.byte()
			if err != nil {
				return err
			}
			n = n<<8 | uint64(b)
		}
		return c.skip(n)
	case first == 0xC0:
		return c.skip(2)
	case first == 0xD0:
		return c.skip(4)
	case first == 0xE0:
		return c.skip(8)
	case first == 0xF0:
		return c.skip(3)
	case first == 0xFE:
		return c.skip(1)
	case first >= 0xF1 && first <= 0xFD: // a number within the byte
		return nil
	}
	return c.s.corrupt("a ziplist's element of kind 0x%02X", first)
}

// intset walks over numbers of one size, each of which has to be larger than the one before.
func (c *content) intset() (uint64, error) {
	size, err := c.number(4)
	if err != nil {
		return 0, err
	}
	n, err := c.number(4)
	if err != nil {
		return 0, err
	}
	if size != 2 && size != 4 && size != 8 || c.size-c.at != n*size {
		return 0, c.s.corrupt("an intset of %d numbers of %d bytes in %d", n, size, c.size)
	}
	before := int64(math.MinInt64)
	for i := range n {
		e, err := c.integer(int(size))
		if err != nil {
			return 0, err
		}
		if i > 0 && e.value <= before {
			return 0, c.s.corrupt("an intset that is not in order")
		}
		before = e.value
	}
	return n, c.end()
}

// zipmap walks over a hash of Redis 2.4 and before.
func (c *content) zipmap() (uint64, error) {
	said, err := c.byte()
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for {
		length, done, err := c.zipmapLength()
		if err != nil {
			return n, err
		}
		if done {
			break
		}
		if err := c.skip(length); err != nil { // the field
			return n, err
		}
		if length, done, err = c.zipmapLength(); err != nil {
			return n, err
		}
		if done {
			return n, c.s.corrupt("a zipmap's field without a value")
		}
		free, err := c.byte()
		if err != nil {
			return n, err
		}
		if err := c.skip(length + uint64(free)); err != nil {
			return n, err
		}
		n++
	}
	if said != zipmapMany && uint64(said) != n {
		return n, c.s.corrupt("a zipmap of %d fields that says it has %d", n, said)
	}
	return n, c.end()
}

func (c *content) zipmapLength() (n uint64, done bool, err error) {
	first, err := c.byte()
	if err != nil || first < 0xFE {
		return uint64(first), false, err
	}
	if first == packedEnd {
		return 0, true, nil
	}
	n, err = c.number(4)
	return n, false, err
}
