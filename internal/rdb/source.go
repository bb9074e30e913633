package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"sync/atomic"
)

const (
	bufferSize = 256 << 10
	// trailerSize is the length of the end mark and the CRC64 after it. Before version 5 there was only the mark.
	trailerSize    = 9
	oldTrailerSize = 1
	// maxShort is the length of the longest string that is kept.
	maxShort = 1024
	// emptyReads is how many reads in a row may return neither bytes nor an error before that is an error.
	emptyReads = 100
)

// jones is the CRC64 of Redis: polynomial 0xAD93D23594C935A9, here reflected.
var jones = crc64.MakeTable(0x95AC9329AC4BC9B5)

// UpdateCRC adds p to the CRC64 of Redis, which starts at 0. Package crc64 inverts before and after, Redis does not.
func UpdateCRC(crc uint64, p []byte) uint64 { return ^crc64.Update(^crc, jones, p) }

// errEnd says that the source ended. It is not io.EOF, so that it cannot be confused with a reader's io.EOF.
var errEnd = errors.New("end of the data")

// readError is a failure of the source itself, as opposed to a fault in its data.
type readError struct{ err error }

func (e readError) Error() string { return e.err.Error() }
func (e readError) Unwrap() error { return e.err }

// source is the buffer between the reader and the walk. It hashes what has gone by a whole buffer at a time, which is several times faster than field
// by field, and always keeps as many bytes unhashed as the trailer has: at the end of the source, wherever the walk is, they are the end mark and the
// checksum.
type source struct {
	r        io.Reader
	buf      []byte
	pos, end int    // buf[pos:end] is read from r but not yet walked over
	base     int64  // offset of buf[0] within the RDB
	crc      uint64 // checksum of all bytes before base
	tail     int    // length of the trailer
	err      error  // why r gives no more: errEnd or a readError

	bytes    atomic.Int64 // progress: bytes read
	keys     int64        // keys walked over
	keysLive atomic.Int64 // progress: keys, updated once per read

	texts, textBytes uint64 // strings of values that were walked over, and what they take when they are not compressed

	scratch [maxShort]byte // of shortString

	copy    io.Writer // gets what is walked over, too; nil: nobody does
	copied  int       // buf[:copied] has been copied
	copyErr error

	strict bool    // what is compressed or packed must make sense, too
	past   *window // the window of what is decompressed; nil until something is
}

func (s *source) offset() int64 { return s.base + int64(s.pos) }

// fill reads more after buf[end]; errEnd when there is no more.
func (s *source) fill() error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf)-s.end < len(s.buf)/4 {
		s.slide()
		if s.copy != nil && s.copyErr != nil {
			return visitError{s.copyErr}
		}
	}
	for range emptyReads {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err != nil {
			s.err = readError{err}
			if err == io.EOF { // only the bare one is an end; a wrapped one is a failure
				s.err = errEnd
			}
		}
		if n > 0 {
			s.bytes.Store(s.base + int64(s.end))
			s.keysLive.Store(s.keys)
			return nil // an error that came with the bytes is for the next call
		}
		if s.err != nil {
			s.keysLive.Store(s.keys)
			return s.err
		}
	}
	s.err = readError{io.ErrNoProgress}
	return s.err
}

// slide hashes what has been walked over and moves the rest to the buffer's start.
func (s *source) slide() {
	done := max(0, min(s.pos, s.end-s.tail))
	s.copyUpTo(done)
	s.copied = max(0, s.copied-done)
	s.crc = UpdateCRC(s.crc, s.buf[:done])
	copy(s.buf, s.buf[done:s.end])
	s.base += int64(done)
	s.pos -= done
	s.end -= done
}

// need makes n unread bytes available in the buffer and returns them. n is at most 16.
func (s *source) need(n int) ([]byte, error) {
	for s.end-s.pos < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	p := s.buf[s.pos : s.pos+n]
	s.pos += n
	return p, nil
}

func (s *source) byte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	b := s.buf[s.pos]
	s.pos++
	return b, nil
}

// discard walks over n bytes, however many the RDB claims there are.
func (s *source) discard(n uint64) error {
	for n > uint64(s.end-s.pos) {
		n -= uint64(s.end - s.pos)
		s.pos = s.end
		if err := s.fill(); err != nil {
			return err
		}
	}
	s.pos += int(n)
	return nil
}

// drain reads the source to its end.
func (s *source) drain() error {
	for {
		s.pos = s.end
		if err := s.fill(); errors.Is(err, errEnd) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// trailer is what the last bytes of an ended source say.
type trailer struct {
	endMark  bool   // the byte before the checksum is the end mark
	stored   uint64 // the checksum at the end; 0: the server was told not to compute one
	computed uint64 // the checksum of everything before it
}

func (t trailer) matches() bool { return t.endMark && t.stored != 0 && t.stored == t.computed }

// trailer may only be called when the source has ended.
func (s *source) trailer() trailer {
	if s.end < s.tail {
		return trailer{}
	}
	if s.tail == oldTrailerSize {
		return trailer{endMark: s.buf[s.end-1] == opEOF, computed: UpdateCRC(s.crc, s.buf[:s.end])}
	}
	sum := s.buf[s.end-8 : s.end]
	return trailer{
		endMark:  s.buf[s.end-trailerSize] == opEOF,
		stored:   binary.LittleEndian.Uint64(sum),
		computed: UpdateCRC(s.crc, s.buf[:s.end-8]),
	}
}

// structureError is an RDB that makes no sense at some offset, or that this package does not understand.
type structureError struct {
	offset  int64
	what    string
	unknown bool // well-formed so far, but with an opcode or type that is not known here
	behind  bool // whole, but followed by something
}

func (e structureError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.offset) }

func (s *source) corrupt(format string, args ...any) error {
	return structureError{offset: s.offset(), what: fmt.Sprintf(format, args...)}
}
