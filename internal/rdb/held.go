package rdb

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// heldBytes is how much of a value is gathered before it is passed on.
const heldBytes = 32 << 10

// held is what was read or made of a value and may still be changed.
type held struct {
	w   io.Writer // an io.WriterAt, if something is set behind its place
	p   []byte
	n   int64 // bytes that were passed on
	err error
}

// Write is add for whoever needs a writer.
func (h *held) Write(p []byte) (int, error) { return len(p), h.add(p) }

func (h *held) add(p []byte) error {
	h.p = append(h.p, p...)
	return h.flushIfLong()
}

func (h *held) flushIfLong() error {
	if len(h.p) >= heldBytes {
		return h.flush()
	}
	return h.err
}

func (h *held) flush() error {
	if h.err == nil && len(h.p) > 0 {
		if _, err := h.w.Write(h.p); err != nil {
			h.err = visitError{err}
		}
		h.n += int64(len(h.p))
	}
	h.p = h.p[:0]
	return h.err
}

// reserve leaves room for a number that is known later.
func (h *held) reserve() (place int64, err error) {
	place = h.n + int64(len(h.p))
	return place, h.add(appendLength64(nil, 0))
}

// set writes the number for which room was left.
func (h *held) set(place int64, n uint64) error {
	p := appendLength64(nil, n)
	if here := place - h.n; here >= 0 {
		copy(h.p[here:], p)
		return h.err
	}
	if h.flush() != nil {
		return h.err
	}
	back, can := h.w.(io.WriterAt)
	err := errors.New("a value takes another form where it cannot be changed")
	if can {
		_, err = back.WriteAt(p, place)
	}
	if err != nil {
		h.err = visitError{err}
	}
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
	return appendLength64(p, n)
}

// appendLength64 appends it in the form that has room for all of them.
func appendLength64(p []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(p, length64), n)
}
