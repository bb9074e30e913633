package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
)

// writerBuffer is how many bytes a [Writer] gathers.
const writerBuffer = 256 << 10

// Writer writes an RDB that is made of the keys of others. Their values go into it as they are stored, so that whoever loads it has to know their types;
// the version of the RDB says nothing about that. Memory stays at one buffer, whatever the size of a value. After an error it must not be used any more.
type Writer struct {
	w        io.Writer
	buf      []byte
	crc      uint64 // of what has left the buffer
	bytes    int64  // the same
	database int    // that is selected; -1: none is
}

// NewWriter begins an RDB of this version; see [Written].
func NewWriter(w io.Writer, version int) *Writer {
	magic := "REDIS%04d"
	if version >= valkeyFirst {
		magic = "VALKEY%03d"
	}
	return &Writer{w: w, buf: fmt.Appendf(make([]byte, 0, writerBuffer), magic, version), database: -1}
}

// Aux writes a field that the RDB has about itself, before any key.
func (w *Writer) Aux(name, value string) {
	w.buf = append(w.buf, opAux)
	for _, text := range []string{name, value} {
		w.buf = append(appendLength(w.buf, uint64(len(text))), text...)
	}
}

// Library writes a library of functions.
func (w *Writer) Library(code []byte) error {
	w.buf = appendLength(append(w.buf, opFunction2), uint64(len(code)))
	_, err := w.Write(code)
	return err
}

// Key writes a key and its value, which must not be rewritten. How it expires and how it is used is what key says.
func (w *Writer) Key(key Key, value Value) error {
	if err := w.Begin(key, value.Type()); err != nil {
		return err
	}
	_, err := value.WriteTo(w)
	return err
}

// Begin writes a key with this type, for whoever writes its value himself.
func (w *Writer) Begin(key Key, objectType byte) error {
	if key.Database != w.database {
		w.database = key.Database
		w.buf = appendLength(append(w.buf, opSelectDB), uint64(key.Database))
	}
	if !key.Expires.IsZero() {
		w.buf = binary.LittleEndian.AppendUint64(append(w.buf, opExpireMs), uint64(key.Expires.UnixMilli()))
	}
	switch {
	case key.Freq >= 0:
		w.buf = append(w.buf, opFreq, byte(key.Freq))
	case key.Idle >= 0:
		w.buf = appendLength(append(w.buf, opIdle), uint64(key.Idle))
	}
	w.buf = appendLength(append(w.buf, objectType), uint64(len(key.Name)))
	_, err := w.Write(key.Name)
	return err
}

// Write writes a piece of a value.
func (w *Writer) Write(p []byte) (int, error) {
	if len(w.buf)+len(p) > writerBuffer {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > writerBuffer {
		return len(p), w.pass(p)
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// Close ends the RDB with its checksum, and returns how many bytes it has. It does not close what is written to.
func (w *Writer) Close() (int64, error) {
	w.buf = append(w.buf, opEOF)
	if err := w.flush(); err != nil {
		return w.bytes, err
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, w.crc)
	err := w.flush()
	return w.bytes, err
}

func (w *Writer) flush() error {
	err := w.pass(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *Writer) pass(p []byte) error {
	w.crc = UpdateCRC(w.crc, p)
	w.bytes += int64(len(p))
	_, err := w.w.Write(p)
	return err
}
