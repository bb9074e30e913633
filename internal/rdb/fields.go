package rdb

import (
	"encoding/binary"
	"math"
	"time"
)

// Fields of a hash have deadlines of their own since Redis 7.4 and Valkey 9. They are inside the value, so that whoever changes them writes another
// value. This is done in one pass and without knowing the value as a whole: a packed hash begins with its length, so each time in it keeps the room
// that it had. Without deadlines it becomes an ordinary hash.

// FieldDeadlines says what becomes of the deadlines of a hash's fields. The zero value leaves them as they are.
type FieldDeadlines struct {
	Drop  bool          // there are none
	Later time.Duration // each comes so much later, or earlier if it is negative
}

const (
	// longAgo is a time in January 1970. Times before it need less room than those after it, and are left alone.
	longAgo = 1 << 31
	// maxValkeyTTL is the last millisecond at which a field can expire in Valkey.
	maxValkeyTTL = math.MaxInt64 - 1
)

// moved is the new deadline of a field, if at most latest. Deadlines stay in the same order, because a packed hash is sorted by them.
func (d FieldDeadlines) moved(at, latest uint64) uint64 {
	if at < longAgo {
		return at
	}
	by := d.Later.Milliseconds()
	switch {
	case by < 0:
		return max(longAgo, at-min(at, uint64(-by)))
	case at > latest-min(latest, uint64(by)):
		return max(at, latest)
	}
	return at + uint64(by)
}

// shift writes a packed hash with other deadlines of its fields, in their places. It is no longer compressed then.
func (r *rewriter) shift() error {
	if err := r.earliest(); err != nil {
		return err
	}
	c, err := r.s.open("packed collection")
	if err != nil {
		return err
	}
	if err := r.out.add(appendLength(nil, c.size)); err != nil {
		return err
	}
	c.held = &r.out
	n, err := c.listpack(r.shiftElement)
	if err == nil && (n == 0 || n%3 != 0) {
		err = r.s.corrupt("a hash of %d elements", n)
	}
	return err
}

// shiftElement changes a deadline that has just been read: an integer that becomes another one of the same size. Its length follows it, in one byte.
func (r *rewriter) shiftElement(e element) error {
	if err := r.walk.element(e); err != nil {
		return err
	}
	if r.walk.at == 0 && e.value >= longAgo { // so it has 8 bytes
		end := len(r.out.p) - 1
		binary.LittleEndian.PutUint64(r.out.p[end-8:end], r.fields.moved(uint64(e.value), maxFieldTTL))
	}
	return r.out.flushIfLong()
}
