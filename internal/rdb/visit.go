package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// ErrUnknown says that the RDB is whole, but has something that is not understood here, so that its keys cannot be told apart.
var ErrUnknown = errors.New("the RDB has something that is not known here")

// Key is a key in an RDB, without its value.
type Key struct {
	Database int
	Type     byte      // RDB_TYPE_* in rdb.h: how the value is stored
	Name     []byte    // valid until the visit of the key ends
	Expires  time.Time // to the millisecond; zero: never
	Idle     int64     // seconds since it was used, if the server records that; -1: it does not
	Written  time.Time // when the RDB was written, to the second; zero: it does not say
	Freq     int       // how often it is used, on the scale of the LFU policies, if the server records that; -1: it does not
}

// TypeName is the value's type as TYPE names it, or "module".
func (k Key) TypeName() string { return typeNames[k.Type] }

// Value is a key's value that has not been read yet.
type Value struct {
	s      *Scanner
	form   form
	read   *bool
	fields FieldDeadlines
	target Target

	texts, textBytes uint64 // what had been walked over before it
}

// WithFields is the value with other deadlines of its fields. Values that have none stay as they are.
func (v Value) WithFields(d FieldDeadlines) Value {
	v.fields = d
	return v
}

// For is the value in a form that an engine reads, if it can have one.
func (v Value) For(t Target) Value {
	v.target = t
	return v
}

// Type is how WriteTo stores the value. It is that of the key, unless the value changes with the deadlines of fields or for an engine.
func (v Value) Type() byte {
	to, _ := v.target.gets(v.form, v.fields)
	return to.number()
}

// FieldsExpire tells whether it is a hash whose fields may have deadlines, as WriteTo stores it.
func (v Value) FieldsExpire() bool {
	to, _ := v.target.gets(v.form, v.fields)
	return to.fieldsExpire()
}

// Rewritten tells whether the value takes another form.
func (v Value) Rewritten() bool {
	to, _ := v.target.gets(v.form, v.fields)
	return to != v.form
}

// Readable tells whether the engine that the value is for reads the form that it takes.
func (v Value) Readable() bool {
	_, ok := v.target.gets(v.form, v.fields)
	return ok
}

// WriteTo writes the value to w as it is stored, without the type before it, in pieces as they arrive: it is never in memory as a whole. It may be
// called once, before the visit of the key ends. For a value that is rewritten, w has to be an [io.WriterAt] too, with offsets from the value's first
// byte, because what stands at its beginning may be known at its end only.
func (v Value) WriteTo(w io.Writer) (int64, error) {
	if *v.read {
		return 0, errors.New("read a value: it has been read already")
	}
	*v.read = true
	if to, _ := v.target.gets(v.form, v.fields); to != v.form || v.form.fieldsExpire() && v.fields.Later != 0 {
		return v.rewrite(to, w)
	}
	from := v.s.offset()
	v.s.copyTo(w)
	err := v.s.skipValue(v.form.number())
	if end := v.s.copyEnd(); end != nil {
		err = visitError{end}
	}
	return v.s.offset() - from, err
}

// Visitor is told what an RDB holds, in the RDB's order. An error that it returns ends the visit and is what [Visit] returns.
type Visitor interface {
	// Library is called for each library of functions, with its code, which is valid until the call returns.
	Library(code []byte) error
	// Key is called for each key. A value that it does not read is skipped.
	Key(key Key, value Value) error
}

// Visit reads an RDB to its end and tells v about each key and each library of functions. Whether the RDB is whole is only known at the end: what v
// was told before may come from a damaged one. Statistics, sizes, and what modules keep beside their keys are left out.
//
// Errors are those of [Scanner.Scan], those of v, and [ErrUnknown] if there is something whose end is not known, or whose meaning for a key is not.
// Memory stays at one buffer and the longest name of a key or code of a library.
func Visit(r io.Reader, v Visitor, options ...Option) (Summary, error) {
	s := NewScanner(r, options...)
	s.visitor = v
	sum, err := s.Scan()
	if err == nil && !sum.StatsKnown {
		err = fmt.Errorf("%s: %w", sum.Unknown, ErrUnknown)
	}
	return sum, err
}

// Looking says that a visitor only looks at keys, so that it need not be told what belongs to one but is not a part of its value.
func Looking(s *Scanner) { s.looking = true }

// visitError is a failure of the visitor, as opposed to the RDB's.
type visitError struct{ err error }

func (e visitError) Error() string { return e.err.Error() }
func (e visitError) Unwrap() error { return e.err }

// attributes are what precedes a key and belongs to it.
type attributes struct {
	mortal  bool
	expires int64 // ms since 1970
	idle    int64
	freq    int
}

var noAttributes = attributes{idle: -1, freq: -1}

func (s *Scanner) expiry(size int) error {
	s.summary.Expires++
	p, err := s.need(size)
	if err != nil {
		return err
	}
	if s.next.mortal = true; size == sizeSeconds {
		s.next.expires = littleEndian(p) * 1000
	} else {
		s.next.expires = int64(binary.LittleEndian.Uint64(p))
	}
	s.lifetimes.count(time.Duration(min(max(0, s.next.expires-s.written.UnixMilli()), maxLifetime)) * time.Millisecond)
	return nil
}

// maxLifetime is more than the last of the bounds of lifetimes, in milliseconds, and a [time.Duration] has room for it.
const maxLifetime = 1000 * 24 * 3600 * 1000

func (s *Scanner) idle() error {
	n, err := s.count()
	s.next.idle = int64(n)
	return err
}

func (s *Scanner) freq() error {
	b, err := s.byte()
	s.next.freq = int(b)
	return err
}

// visitKey visits the key whose name comes next.
func (s *Scanner) visitKey(objectType byte) error {
	name, err := s.text(s.name[:0])
	if err != nil {
		return err
	}
	s.name = name
	key := Key{Database: s.database, Type: objectType, Name: name, Idle: s.next.idle, Freq: s.next.freq, Written: s.written}
	if s.next.mortal {
		key.Expires = time.UnixMilli(s.next.expires)
	}
	s.next = noAttributes
	read := false
	value := Value{s: s, form: form(objectType), read: &read, texts: s.texts, textBytes: s.textBytes}
	if s.valkey && objectType == typeHashTTLPreGA {
		value.form = formValkeyHashTTL
	}
	if err := s.visitor.Key(key, value); err != nil {
		return s.visitorsOwn(err)
	}
	if read {
		return nil
	}
	return s.skipValue(objectType)
}

// unvisited fails for what a visitor cannot be told, and must not be lost silently.
func (s *Scanner) unvisited(what string) error {
	if s.visitor == nil || s.looking {
		return nil
	}
	return structureError{offset: s.offset() - 1, what: what, unknown: true}
}

// visitLibrary visits the library whose code comes next.
func (s *Scanner) visitLibrary() error {
	code, err := s.text(s.name[:0])
	if err != nil {
		return err
	}
	s.name = code
	return s.visitorsOwn(s.visitor.Library(code))
}

// visitorsOwn marks an error as the visitor's, unless it came from reading the value.
func (s *Scanner) visitorsOwn(err error) error {
	if err == nil {
		return nil
	}
	_, broken := errors.AsType[structureError](err)
	_, unread := errors.AsType[readError](err)
	if broken || unread || errors.Is(err, errEnd) {
		return err
	}
	return visitError{err}
}

// text appends a string object to p, whose memory grows as bytes arrive and not by the length they claim.
func (s *source) text(p []byte) ([]byte, error) {
	n, encoded, err := s.length()
	if err != nil {
		return p, err
	}
	if !encoded {
		return s.take(p, n)
	}
	switch n {
	case encInt8, encInt16, encInt32:
		number, err := s.need(1 << n)
		if err != nil {
			return p, err
		}
		return strconv.AppendInt(p, littleEndian(number), 10), nil
	case encLZF:
		if n, err = s.count(); err != nil {
			return p, err
		}
		size, err := s.count()
		if err != nil {
			return p, err
		}
		if size > maxLZF || size/maxGrowth > n {
			return p, s.corrupt("%d bytes that are to be %d when decompressed", n, size)
		}
		compressed, err := s.take(nil, n)
		if err != nil {
			return p, err
		}
		plain, ok := expandLZF(compressed, int(size))
		if !ok {
			return p, s.corrupt("a string that cannot be decompressed")
		}
		return append(p, plain...), nil
	}
	return p, s.corrupt("string encoding %d", n)
}

// take appends the next n bytes to p.
func (s *source) take(p []byte, n uint64) ([]byte, error) {
	for {
		here := min(n, uint64(s.end-s.pos))
		p = append(p, s.buf[s.pos:s.pos+int(here)]...)
		s.pos += int(here)
		if n -= here; n == 0 {
			return p, nil
		}
		if err := s.fill(); err != nil {
			return p, err
		}
	}
}

// copyTo copies everything that is walked over from here on to w.
func (s *source) copyTo(w io.Writer) { s.copy, s.copied, s.copyErr = w, s.pos, nil }

// copyEnd writes what is left, and stops copying.
func (s *source) copyEnd() error {
	s.copyUpTo(s.pos)
	s.copy = nil
	return s.copyErr
}

// copyUpTo writes what was walked over up to a place in the buffer.
func (s *source) copyUpTo(place int) {
	if s.copy == nil || place <= s.copied {
		return
	}
	if s.copyErr == nil {
		_, s.copyErr = s.copy.Write(s.buf[s.copied:place])
	}
	s.copied = place
}
