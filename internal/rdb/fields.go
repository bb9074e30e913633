package rdb

import (
	"encoding/binary"
	"io"
	"math"
	"time"
)

// Fields of a hash have deadlines of their own since Redis 7.4 and Valkey 9. They are inside the value, so that whoever changes them writes another
// value. This is done in one pass and without knowing the value as a whole: a packed hash begins with its length, so each time in it keeps the room
// that it had.

// FieldDeadlines says what becomes of the deadlines of a hash's fields. The zero value leaves them as they are.
type FieldDeadlines struct {
	Drop  bool          // there are none
	Later time.Duration // each comes so much later, or earlier if it is negative
}

// WithFields is the value with other deadlines of its fields. Values that have none stay as they are.
func (v Value) WithFields(d FieldDeadlines) Value {
	v.fields = d
	return v
}

const (
	// longAgo is a time in January 1970. Times before it need less room than those after it, and are left alone.
	longAgo = 1 << 31
	// maxValkeyTTL is the last millisecond at which a field can expire in Valkey.
	maxValkeyTTL = math.MaxInt64 - 1
	// heldBytes is how much of a packed value is gathered before it is passed on.
	heldBytes = 32 << 10
)

// concern tells whether a value of this type may have to be changed.
func (d FieldDeadlines) concern(objectType byte) bool {
	return d != FieldDeadlines{} && objectType >= typeHashTTLPreGA && objectType <= typeHashListpackTTL
}

// stored is the type of the changed value. Without deadlines, what is not packed becomes an ordinary hash. A packed one would become shorter by an
// amount that is known at its end only, so it stays what it is, as it also does in Redis when the last deadline is removed.
func (d FieldDeadlines) stored(objectType byte) byte {
	if d.Drop && (objectType == typeHashTTLPreGA || objectType == typeHashTTL) {
		return typeHash
	}
	return objectType
}

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

// writeFields writes the changed value. It has to make sense, because a server trusts it.
func (v Value) writeFields(w io.Writer) (int64, error) {
	strict := v.s.strict
	v.s.strict = true
	defer func() { v.s.strict = strict }()
	f := fieldWriter{s: v.s, out: counter{w: w}, deadlines: v.fields}
	f.walk.s = v.s
	var err error
	switch v.objectType {
	case typeHashListpackTTL, typeHashListpackTTLPreGA:
		err = f.packed(v.objectType)
	default:
		err = f.table(v.objectType)
	}
	return f.out.n, err
}

// fieldWriter writes a hash with other deadlines of its fields.
type fieldWriter struct {
	s         *Scanner
	out       counter
	deadlines FieldDeadlines

	held held      // of a packed hash
	walk fieldWalk // through it
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (f *fieldWriter) write(p []byte) error {
	if _, err := f.out.Write(p); err != nil {
		return visitError{err}
	}
	return nil
}

// table writes a hash that is not packed: its earliest deadline, if it has that, the number of fields, and the fields.
func (f *fieldWriter) table(objectType byte) error {
	if err := f.earliest(objectType); err != nil {
		return err
	}
	n, err := f.s.count()
	if err == nil && n == 0 {
		err = f.s.corrupt("a hash of 0 elements")
	}
	if err != nil {
		return err
	}
	if err := f.write(appendLength(nil, n)); err != nil {
		return err
	}
	for ; n > 0; n-- {
		if f.s.valkey && objectType == typeHashTTLPreGA {
			err = f.valkeyField()
		} else {
			err = f.field(objectType)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// earliest writes the earliest deadline of a hash, if its type has one. Redis writes 0 where there are none.
func (f *fieldWriter) earliest(objectType byte) error {
	if objectType != typeHashTTL && objectType != typeHashListpackTTL {
		return nil
	}
	err := f.s.earliestTTL()
	if err != nil || f.deadlines.stored(objectType) == typeHash {
		return err
	}
	at := f.deadlines.moved(f.s.earliest, maxFieldTTL)
	if f.deadlines.Drop {
		at = 0
	}
	return f.write(binary.LittleEndian.AppendUint64(nil, at))
}

// field writes the deadline of a field, the field and its value. The deadline may be relative to the earliest one.
func (f *fieldWriter) field(objectType byte) error {
	at, err := f.s.fieldTTL(objectType)
	if err != nil {
		return err
	}
	if !f.deadlines.Drop {
		if at > 0 {
			at = f.deadlines.moved(at, maxFieldTTL)
			if objectType == typeHashTTL {
				at -= f.deadlines.moved(f.s.earliest, maxFieldTTL) - 1
			}
		}
		if err := f.write(appendLength(nil, at)); err != nil {
			return err
		}
	}
	return f.strings()
}

// valkeyField writes a field of Valkey, its value and its deadline.
func (f *fieldWriter) valkeyField() error {
	if err := f.strings(); err != nil {
		return err
	}
	at, err := f.s.valkeyTTL()
	if err != nil || f.deadlines.Drop {
		return err
	}
	if at >= 0 {
		at = int64(f.deadlines.moved(uint64(at), maxValkeyTTL))
	}
	return f.write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
}

// strings copies a field and its value.
func (f *fieldWriter) strings() error {
	f.s.copyTo(&f.out)
	err := f.s.skipStrings(2)
	if end := f.s.copyEnd(); end != nil {
		return visitError{end}
	}
	return err
}

// packed writes a packed hash, which is no longer compressed then.
func (f *fieldWriter) packed(objectType byte) error {
	if err := f.earliest(objectType); err != nil {
		return err
	}
	c, err := f.s.open("packed collection")
	if err != nil {
		return err
	}
	if err := f.write(appendLength(nil, c.size)); err != nil {
		return err
	}
	f.held.w = &f.out
	c.held = &f.held
	n, err := c.listpack(f.element)
	if err == nil && (n == 0 || n%3 != 0) {
		err = f.s.corrupt("a hash of %d elements", n)
	}
	if err == nil && f.held.flush() != nil {
		err = visitError{f.held.err}
	}
	return err
}

// element changes a deadline that has just been read.
func (f *fieldWriter) element(e element) error {
	if err := f.walk.element(e); err != nil {
		return err
	}
	if f.walk.at == 0 {
		f.change(e.value)
	}
	if len(f.held.p) >= heldBytes && f.held.flush() != nil {
		return visitError{f.held.err}
	}
	return nil
}

// change writes another deadline in the place of one: an integer of the same size. The last byte is the size, which is at most 9.
func (f *fieldWriter) change(at int64) {
	end := len(f.held.p) - 1
	integer := f.held.p[end-int(f.held.p[end]) : end]
	switch first := integer[0]; {
	case !f.deadlines.Drop:
		if at >= longAgo { // so it has 8 bytes
			binary.LittleEndian.PutUint64(integer[1:], f.deadlines.moved(uint64(at), maxFieldTTL))
		}
	case first < 0x80:
		integer[0] = 0
	case first < 0xE0:
		integer[0], integer[1] = 0xC0, 0
	default:
		clear(integer[1:])
	}
}

// held is what was read of a packed value and may still be changed. An integer in it is never split.
type held struct {
	w   io.Writer
	p   []byte
	err error
}

// add takes a piece of a text.
func (h *held) add(p []byte) error {
	if h.p = append(h.p, p...); len(h.p) >= heldBytes {
		return h.flush()
	}
	return h.err
}

func (h *held) flush() error {
	if h.err == nil {
		_, h.err = h.w.Write(h.p)
	}
	h.p = h.p[:0]
	return h.err
}

// appendLength appends a length as an RDB stores it.
func appendLength(p []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(p, byte(n))
	case n < 1<<14:
		return append(p, 1<<6|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(p, length32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(p, length64), n)
}
