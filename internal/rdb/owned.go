package rdb

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
)

// What a strict scan checks in values whose parts have to agree with each other: hashes whose fields expire, and the pending entries of streams. A
// server that loads them trusts them, and crashes when somebody uses the key.

// maxFieldTTL is the last millisecond at which a field can expire in Redis (EB_EXPIRE_TIME_MAX in ebuckets.h). One more means that no field does.
const maxFieldTTL = 1<<48 - 1

// earliestTTL reads when the first field of a hash expires. In a hash that is not packed, the other expiries are relative to it.
func (s *Scanner) earliestTTL() error {
	p, err := s.need(sizeTime)
	if err != nil {
		return err
	}
	s.earliest = binary.LittleEndian.Uint64(p)
	if s.strict && s.earliest > maxFieldTTL+1 {
		return s.corrupt("a hash whose fields expire at %d", s.earliest)
	}
	return nil
}

// fieldTTL reads when a field expires; 0 means never.
func (s *Scanner) fieldTTL(objectType byte) (at uint64, err error) {
	at, err = s.count()
	if err != nil || !s.strict || at == 0 {
		return at, err
	}
	if objectType == typeHashTTL && at <= maxFieldTTL {
		at += s.earliest - 1
	}
	if at > maxFieldTTL {
		return at, s.corrupt("a field that expires at %d", at)
	}
	return at, nil
}

// valkeyTTL reads when a field expires in Valkey; -1 means never.
func (s *Scanner) valkeyTTL() (at int64, err error) {
	p, err := s.need(sizeTime)
	if err != nil {
		return 0, err
	}
	if at = int64(binary.LittleEndian.Uint64(p)); s.strict && at < -1 {
		err = s.corrupt("a field that expires at %d", at)
	}
	return at, err
}

// fieldWalk follows the elements of a packed hash whose fields expire: field, value, time. They are sorted by expiry, with fields that never expire
// last. A server that finds them in another order crashes when the first of them expires.
type fieldWalk struct {
	s      *Scanner
	at     int
	before uint64
}

func (w *fieldWalk) element(e element) error {
	if w.at = (w.at + 1) % 3; w.at != 0 {
		return nil
	}
	when := uint64(e.value)
	if e.value == 0 {
		when = math.MaxUint64
	}
	switch {
	case !e.integer:
		return w.s.corrupt("a field that expires at no number")
	case e.value < 0 || e.value > maxFieldTTL:
		return w.s.corrupt("a field that expires at %d", e.value)
	case when < w.before:
		return w.s.corrupt("fields that do not stand in the order in which they expire")
	}
	w.before = when
	return nil
}

// pel sums up any number of pending entries of a stream without keeping them. Each entry of a group belongs to exactly one consumer, so the group's
// entries have to be those of its consumers together. Both are counted, and hashed with a seed that no file can know.
type pel struct {
	s      *Scanner
	n, sum uint64
	before [sizeStreamID]byte
	some   bool
}

var pelSeed = maphash.MakeSeed()

// begin starts another list that is added to the sum.
func (p *pel) begin() { p.some = false }

// entry reads the ID of an entry. A server writes them in order, so that no two are the same.
func (p *pel) entry() error {
	id, err := p.s.need(sizeStreamID)
	if err != nil || !p.s.strict {
		return err
	}
	if p.some && bytes.Compare(id, p.before[:]) <= 0 {
		return p.s.corrupt("pending entries of a stream that are not in order")
	}
	p.some = true
	copy(p.before[:], id)
	p.n++
	p.sum += maphash.Bytes(pelSeed, id)
	return nil
}

// same checks that two lists have the same entries.
func (p *pel) same(other pel) error {
	if p.n != other.n || p.sum != other.sum {
		return p.s.corrupt("a group with %d pending entries whose consumers have %d, or others", p.n, other.n)
	}
	return nil
}
