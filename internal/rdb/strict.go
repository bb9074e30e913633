package rdb

import (
	"encoding/binary"
	"math"
	"strconv"
)

// A Scanner trusts a node that has just sent an RDB: what it does not understand costs the statistics, never the backup. A file from elsewhere may
// have been made to harm whoever loads it, and have a right checksum. Strict is for those.

// Option changes what NewScanner makes.
type Option func(*Scanner)

// Strict lets a scan look into what is compressed or packed, and refuse what a server would choke on although the lengths around it are right:
// compressed strings that do not have the length they claim, packed collections whose inner lengths do not fit, collections without elements, scores
// that are not numbers, expiries without a key or for fields that no server sets, a stream's pending entries on which group and consumers do not
// agree, sizes beyond reason, and unknown things in a version of which everything is known here. It still needs one buffer, and time in proportion to
// the bytes that are there. It does not find two keys of one name, or two equal elements in a collection: that would take memory for all of them. Nor
// does it judge what the code of a function does.
//
// What is refused is reported as Summary.Nonsense if the checksum is right, otherwise as ErrCorrupt.
func Strict(s *Scanner) { s.strict = true }

// roomAlways is for how many keys a server may be asked to make room, whatever follows: 8 bytes each. A server that has deleted most of its keys also
// asks for too much.
const roomAlways = 1 << 22

// fullyKnown reports whether all types and opcodes of the RDB's version are known here.
func (s *Scanner) fullyKnown() bool {
	return s.summary.Version <= 12 || s.summary.Version == valkeyFirst
}

// inOrder checks that an opcode or a type is in a valid place: what belongs to a key has to be followed by one.
func (s *Scanner) inOrder(op byte) error {
	if !s.strict {
		return nil
	}
	switch op {
	case opExpireMs:
		op = opExpire // one of the two
		fallthrough
	case opExpire, opIdle, opFreq:
		bit := uint16(1) << (op - opKeyMeta)
		if s.attached&bit != 0 {
			return s.corrupt("the same twice for one key (opcode %d)", op)
		}
		s.attached |= bit
		return nil
	case opKeyMeta:
		if !s.valkey {
			s.attached |= 1
			return nil
		}
	}
	if op < typeCount && typeNames[op] != "" {
		s.attached = 0
	} else if s.attached != 0 && op != opAux { // KeyDB puts fields of the next key there
		return s.corrupt("an expiry or the like without a key after it, but %d", op)
	}
	if op == opEOF {
		return s.fits()
	}
	return nil
}

// claim notes for how many keys or expiries the server will make room at once.
func (s *Scanner) claim(n uint64) {
	if s.claimed += n; s.claimed < n {
		s.claimed = math.MaxUint64
	}
}

// fits checks at the end of a database that its claimed size is plausible for what it held.
func (s *Scanner) fits() error {
	if s.strict && s.claimed > roomAlways && s.claimed/8 > uint64(s.here) { // a sum of keys and expiries, of the database and of its slots
		return s.corrupt("room for %d keys in a database of %d", s.claimed, s.here)
	}
	s.claimed = 0
	return nil
}

// sizes reads the claimed numbers of keys and expiries.
func (s *Scanner) sizes() error {
	for range 2 {
		n, err := s.count()
		if err != nil {
			return err
		}
		s.claim(n)
	}
	return nil
}

// slot reads a slot's number and its sizes.
func (s *Scanner) slot() error {
	n, err := s.count()
	if err == nil && s.strict && n >= slots {
		err = s.corrupt("slot %d", n)
	}
	if err != nil {
		return err
	}
	return s.sizes()
}

// slots is how many there are in cluster mode.
const slots = 16384

// checkPacked walks over a packed value and all that is in it. done is false when the value is of another type.
func (s *Scanner) checkPacked(objectType byte) (done bool, err error) {
	list, each := (*content).ziplist, uint64(1) // how it is packed, and how many elements belong together
	switch objectType {
	case typeHashZipmap:
		list = (*content).zipmap
	case typeSetIntset:
		list = (*content).intset
	case typeListZiplist:
	case typeZSetZiplist, typeHashZiplist:
		each = 2
	case typeSetListpack:
		list = (*content).plainListpack
	case typeHashListpack, typeZSetListpack:
		list, each = (*content).plainListpack, 2
	case typeHashListpackTTL, typeHashListpackTTLPreGA:
		walk := fieldWalk{s: s}
		list, each = func(c *content) (uint64, error) { return c.listpack(walk.element) }, 3
		if objectType == typeHashListpackTTL {
			if err := s.earliestTTL(); err != nil {
				return true, err
			}
		}
	case typeListQuicklist, typeListQuicklist2:
		return true, s.checkQuicklist(objectType)
	default:
		return false, nil
	}
	n, err := s.packed(list)
	if err == nil && (n == 0 || n%each != 0) {
		err = s.corrupt("a %s of %d elements", typeNames[objectType], n)
	}
	return true, err
}

// packed walks over one packed string.
func (s *Scanner) packed(list func(*content) (uint64, error)) (uint64, error) {
	c, err := s.open("packed collection")
	if err != nil {
		return 0, err
	}
	return list(&c)
}

func (c *content) plainListpack() (uint64, error) { return c.listpack(nil) }

// Containers of a quicklist's node: one long element, or many packed ones.
const (
	nodePlain  = 1
	nodePacked = 2
)

// checkQuicklist walks over a list's nodes. Single nodes may be empty, because some servers have written such lists; not all of them.
func (s *Scanner) checkQuicklist(objectType byte) error {
	nodes, err := s.count()
	if err != nil {
		return err
	}
	some := false
	for ; nodes > 0; nodes-- {
		list := (*content).ziplist
		if objectType == typeListQuicklist2 {
			container, err := s.count()
			if err != nil {
				return err
			}
			if container == nodePlain {
				some = true
				size, err := s.skipText()
				if err == nil && size == 0 {
					err = s.corrupt("a list's node of one element that is empty")
				}
				if err != nil {
					return err
				}
				continue
			}
			if container != nodePacked {
				return s.corrupt("a list's node of kind %d", container)
			}
			list = (*content).plainListpack
		}
		n, err := s.packed(list)
		if err != nil {
			return err
		}
		some = some || n > 0
	}
	if !some {
		return s.corrupt("a list of 0 elements")
	}
	return nil
}

// binaryScore reads a score that is stored in binary.
func (s *Scanner) binaryScore() error {
	p, err := s.need(sizeDouble)
	if err == nil && s.strict && math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(p))) {
		err = s.corrupt("a score that is not a number")
	}
	return err
}

// textScore reads a score as text: one length byte, three values of which stand for nan, +inf and -inf.
func (s *Scanner) textScore() error {
	n, err := s.byte()
	if err == nil && s.strict && n == 253 {
		err = s.corrupt("a score that is not a number")
	}
	if err != nil || n >= 253 {
		return err
	}
	if !s.strict {
		return s.discard(uint64(n))
	}
	for i := range n {
		if s.scratch[i], err = s.byte(); err != nil {
			return err
		}
	}
	if score, err := strconv.ParseFloat(string(s.scratch[:n]), 64); err != nil || math.IsNaN(score) {
		return s.corrupt("a score that is not a number")
	}
	return nil
}

// streamNode walks over a node of a stream: the ID that its entries' IDs are relative to, and a listpack of the entries.
func (s *Scanner) streamNode() error {
	id, err := s.open("stream's id")
	if err == nil && id.size != sizeStreamID {
		err = s.corrupt("a stream's id of %d bytes", id.size)
	}
	if err == nil {
		err = id.skip(sizeStreamID)
	}
	if err == nil {
		err = id.end()
	}
	if err != nil {
		return err
	}
	walk := streamWalk{s: s}
	_, err = s.packed(func(c *content) (uint64, error) { return c.listpack(walk.element) })
	if err == nil && (walk.at != beginEntry || walk.entries != 0) {
		err = s.corrupt("entries of a stream that end too early")
	}
	return err
}

// streamWalk follows the entries in a stream's listpack: a first one with the fields that most entries have, then the others.
type streamWalk struct {
	s              *Scanner
	at             int   // what comes next
	entries        int64 // still to come, deleted ones included
	common, fields int64 // how many fields the first entry names; how many this one has, -1: not read yet
	left           int64 // elements until the names or values end
	elements       int64 // of this entry so far
}

// The next element in a stream's listpack.
const (
	masterCount = iota
	masterDeleted
	masterFields
	masterNames
	masterEnd
	beginEntry // flags
	entryMs
	entrySeq
	entryFields
	entryData
	entryEnd
)

// sameFields is the flag of an entry that has the fields of the first one.
const sameFields = 2

func (w *streamWalk) element(e element) error {
	bad := func() error { return w.s.corrupt("entries of a stream that make no sense") }
	if w.at == masterNames || w.at == entryData {
		w.elements++
		if w.left--; w.left == 0 {
			w.at++
		}
		return nil
	}
	// Everything else is a number and, except for the ID, counts something that fits into a listpack.
	if id := w.at == entryMs || w.at == entrySeq; !e.integer || !id && (e.value < 0 || e.value > math.MaxInt32) {
		return bad()
	}
	w.elements++
	switch w.at {
	case masterCount:
		w.entries = e.value
	case masterDeleted:
		w.entries += e.value
	case masterFields:
		w.common, w.left = e.value, e.value
		if w.left == 0 {
			w.at++ // it has no names
		}
	case masterEnd:
		if e.value != 0 {
			return bad()
		}
	case beginEntry:
		if w.entries--; w.entries < 0 {
			return bad()
		}
		w.elements, w.fields = 1, -1
		if e.value&sameFields != 0 {
			w.fields = w.common
		}
	case entrySeq:
		if w.fields >= 0 {
			w.at++ // their number is known
			w.left = w.fields
			if w.left == 0 {
				w.at++
			}
		}
	case entryFields:
		w.left = 2 * e.value
		if w.left == 0 {
			w.at++
		}
	case entryEnd:
		if e.value != w.elements-1 {
			return bad()
		}
		w.at = beginEntry
		return nil
	}
	w.at++
	return nil
}
