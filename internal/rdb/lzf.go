package rdb

// LZF is the compression of liblzf: a control byte below 32 is followed by that many literals plus one, any other is a reference (3 bits of length,
// 13 bits of distance) into what was already written.

const (
	// maxLZF is the longest text that a strict scan allows to be compressed: the longest string of a server with the default configuration.
	maxLZF = 512 << 20
	// maxGrowth is what one byte can become: 3 bytes refer to at most 264.
	maxGrowth = 88
	// reach is how far back a reference can go.
	reach = 8 << 10
)

// expandLZF undoes the compression of a text of at most maxShort bytes.
func expandLZF(in []byte, size int) (out []byte, ok bool) {
	out = make([]byte, 0, size)
	for i := 0; i < len(in); {
		control := int(in[i])
		i++
		if control < 32 {
			n := control + 1
			if i+n > len(in) || len(out)+n > size {
				return nil, false
			}
			out = append(out, in[i:i+n]...)
			i += n
			continue
		}
		n := control >> 5
		if n == 7 {
			if i >= len(in) {
				return nil, false
			}
			n += int(in[i])
			i++
		}
		n += 2
		if i >= len(in) {
			return nil, false
		}
		from := len(out) - (control&0x1F)<<8 - int(in[i]) - 1
		i++
		if from < 0 || len(out)+n > size {
			return nil, false
		}
		for range n { // byte by byte: the reference may overlap what it writes
			out = append(out, out[from])
			from++
		}
	}
	return out, len(out) == size
}

// lzf walks over compressed bytes in the source, step by step. It keeps counts only.
type lzf struct {
	s    *source
	left uint64 // compressed bytes still to come
	size uint64 // of the text
	out  uint64 // bytes of the text so far
}

// newLZF checks the lengths; no memory is set aside for what they claim.
func (s *source) newLZF(compressed, size uint64) (lzf, error) {
	if size == 0 || size > maxLZF || size/maxGrowth > compressed || compressed == 0 {
		return lzf{}, s.corrupt("%d bytes that are to be %d when decompressed", compressed, size)
	}
	return lzf{s: s, left: compressed, size: size}, nil
}

func (z *lzf) byte() (byte, error) {
	if z.left == 0 {
		return 0, z.s.corrupt("compressed bytes that end too early")
	}
	z.left--
	return z.s.byte()
}

// step reads what comes next: n literals, which are still to be read, or n bytes that are already there, distance bytes back.
func (z *lzf) step() (n, distance uint64, err error) {
	control, err := z.byte()
	if err != nil {
		return 0, 0, err
	}
	if n = uint64(control) + 1; control < 32 {
		if n > z.left {
			return 0, 0, z.s.corrupt("compressed bytes that end too early")
		}
		z.left -= n
	} else {
		if n = uint64(control>>5) + 2; control>>5 == 7 {
			more, err := z.byte()
			if err != nil {
				return 0, 0, err
			}
			n += uint64(more)
		}
		low, err := z.byte()
		if err != nil {
			return 0, 0, err
		}
		if distance = uint64(control&0x1F)<<8 + uint64(low) + 1; distance > z.out {
			return 0, 0, z.s.corrupt("a reference to before the beginning of a compressed string")
		}
	}
	if z.out += n; z.out > z.size || z.left == 0 && z.out != z.size {
		return 0, 0, z.s.corrupt("a compressed string that is not of its %d bytes", z.size)
	}
	return n, distance, nil
}

// check walks over all of it. Its time depends on the compressed bytes, whatever they would become.
func (z *lzf) check() error {
	for z.left > 0 {
		n, distance, err := z.step()
		if err == nil && distance == 0 {
			err = z.s.discard(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// window is the end of a text that is being decompressed: what can still be referred to, and the last step.
type window [2 * reach]byte

// content is what a string object holds, read from beginning to end. Nothing of it is kept.
type content struct {
	s    *source
	size uint64 // bytes
	at   uint64 // bytes read
	lzf  lzf
	past *window // nil: it is not compressed
	held *held   // gets all that is read; nil: nobody does

	texts func(n uint64) (*held, error) // says who gets the text of a listpack's element of n bytes; nil: nobody does
}

// open begins to read a string object that holds structured bytes.
func (s *source) open(what string) (content, error) {
	n, encoded, err := s.length()
	if err != nil || !encoded {
		return content{s: s, size: n}, err
	}
	if n != encLZF {
		return content{}, s.corrupt("string encoding %d where a %s should be", n, what)
	}
	compressed, err := s.count()
	if err != nil {
		return content{}, err
	}
	size, err := s.count()
	if err != nil {
		return content{}, err
	}
	z, err := s.newLZF(compressed, size)
	if s.past == nil {
		s.past = new(window)
	}
	return content{s: s, size: size, lzf: z, past: s.past}, err
}

// have makes at least one byte available, and says how many are.
func (c *content) have() (uint64, error) {
	if c.at == c.size {
		return 0, c.s.corrupt("something longer than the %d bytes that it is in", c.size)
	}
	if c.past == nil {
		if c.s.pos == c.s.end {
			if err := c.s.fill(); err != nil {
				return 0, err
			}
		}
		return min(c.size-c.at, uint64(c.s.end-c.s.pos)), nil
	}
	if c.at < c.lzf.out {
		return c.lzf.out - c.at, nil
	}
	n, distance, err := c.lzf.step()
	if err != nil {
		return 0, err
	}
	for i := c.at; i < c.at+n; i++ {
		if distance > 0 {
			c.past[i%uint64(len(c.past))] = c.past[(i-distance)%uint64(len(c.past))]
		} else if c.past[i%uint64(len(c.past))], err = c.s.byte(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (c *content) byte() (byte, error) {
	if _, err := c.have(); err != nil {
		return 0, err
	}
	var b byte
	if c.past == nil {
		b = c.s.buf[c.s.pos]
		c.s.pos++
	} else {
		b = c.past[c.at%uint64(len(c.past))]
	}
	c.at++
	if c.held != nil {
		c.held.p = append(c.held.p, b)
	}
	return b, nil
}

// ready returns the next n bytes, or as many as stand together, which are there already.
func (c *content) ready(n uint64) []byte {
	if c.past == nil {
		return c.s.buf[c.s.pos : c.s.pos+int(n)]
	}
	from := c.at % uint64(len(c.past))
	return c.past[from:min(from+n, uint64(len(c.past)))]
}

// skip walks over n bytes.
func (c *content) skip(n uint64) error {
	if n > c.size-c.at {
		return c.s.corrupt("something of %d bytes where %d are left", n, c.size-c.at)
	}
	for n > 0 {
		ready, err := c.have()
		if err != nil {
			return err
		}
		ready = min(ready, n)
		if c.held != nil {
			p := c.ready(ready)
			ready = uint64(len(p))
			if err := c.held.add(p); err != nil {
				return err
			}
		}
		if c.past == nil {
			c.s.pos += int(ready)
		}
		c.at += ready
		n -= ready
	}
	return nil
}

// end says whether all of it was read.
func (c *content) end() error {
	if c.at < c.size || c.lzf.left > 0 {
		return c.s.corrupt("%d bytes behind the end of what they are in", max(c.size-c.at, c.lzf.left))
	}
	return nil
}

// number reads n bytes, the lowest first.
func (c *content) number(n int) (uint64, error) {
	var out uint64
	for i := range n {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		out |= uint64(b) << (8 * i)
	}
	return out, nil
}
