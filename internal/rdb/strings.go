package rdb

import (
	"encoding/binary"
	"strconv"
)

// The first two bits of a length say how it is stored; these are the special whole bytes.
const (
	length32 = 0x80
	length64 = 0x81
)

// Encodings of a string whose length has both upper bits set.
const (
	encInt8 = iota
	encInt16
	encInt32
	encLZF
)

// length reads a length. If encoded is true, it is not a length but the encoding of a string.
func (s *source) length() (n uint64, encoded bool, err error) {
	b, err := s.byte()
	if err != nil {
		return 0, false, err
	}
	switch b >> 6 {
	case 0:
		return uint64(b & 0x3F), false, nil
	case 1:
		low, err := s.byte()
		return uint64(b&0x3F)<<8 | uint64(low), false, err
	case 3:
		return uint64(b & 0x3F), true, nil
	}
	switch b {
	case length32:
		p, err := s.need(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(p)), false, nil
	case length64:
		p, err := s.need(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(p), false, nil
	}
	return 0, false, s.corrupt("length byte 0x%02X", b)
}

// count reads a length that stands for a number and must not be a string encoding.
func (s *source) count() (uint64, error) {
	n, encoded, err := s.length()
	if err == nil && encoded {
		err = s.corrupt("a string where a number should be")
	}
	return n, err
}

// skipCounts walks over n lengths.
func (s *source) skipCounts(n int) error {
	for range n {
		if _, err := s.count(); err != nil {
			return err
		}
	}
	return nil
}

// skipString walks over a string object.
func (s *source) skipString() error {
	_, err := s.skipText()
	return err
}

// skipText walks over a string object and returns the length of its text. For a number, the result only says that there is one.
func (s *source) skipText() (size uint64, err error) {
	n, encoded, err := s.length()
	if err != nil {
		return 0, err
	}
	size = n
	if encoded {
		switch n {
		case encInt8, encInt16, encInt32:
			n = 1 << n
			size = n
		case encLZF:
			if n, err = s.count(); err != nil {
				return 0, err
			}
			if size, err = s.count(); err != nil {
				return 0, err
			}
			if s.strict {
				return size, s.checkLZF(n, size)
			}
		default:
			return 0, s.corrupt("string encoding %d", n)
		}
	}
	s.texts++
	s.textBytes += size
	// Nearly all strings are in the buffer.
	if n <= uint64(s.end-s.pos) {
		s.pos += int(n)
		return size, nil
	}
	return size, s.discard(n)
}

// checkLZF walks over a compressed string, and checks that it can be decompressed.
func (s *source) checkLZF(compressed, size uint64) error {
	z, err := s.newLZF(compressed, size)
	if err != nil {
		return err
	}
	return z.check()
}

// skipStrings walks over n strings.
func (s *source) skipStrings(n uint64) error {
	for ; n > 0; n-- {
		if err := s.skipString(); err != nil {
			return err
		}
	}
	return nil
}

// shortString reads a string object of at most limit bytes, which is at most maxShort. It walks over a longer one and returns false. text is valid
// until the next call.
func (s *source) shortString(limit int) (text []byte, ok bool, err error) {
	n, encoded, err := s.length()
	if err != nil {
		return nil, false, err
	}
	size := n // of the text; n is how much of it is stored
	if encoded {
		switch n {
		case encInt8, encInt16, encInt32:
			p, err := s.need(1 << n)
			if err != nil {
				return nil, false, err
			}
			return strconv.AppendInt(s.scratch[:0], littleEndian(p), 10), true, nil
		case encLZF:
			if n, err = s.count(); err != nil {
				return nil, false, err
			}
			if size, err = s.count(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, s.corrupt("string encoding %d", n)
		}
	}
	if n > uint64(limit) || size > uint64(limit) {
		if encoded && s.strict {
			return nil, false, s.checkLZF(n, size)
		}
		return nil, false, s.discard(n)
	}
	p := s.scratch[:n]
	for i := 0; i < len(p); {
		if s.pos == s.end {
			if err := s.fill(); err != nil {
				return nil, false, err
			}
		}
		c := copy(p[i:], s.buf[s.pos:s.end])
		s.pos += c
		i += c
	}
	if encoded {
		if p, ok = expandLZF(p, int(size)); !ok && s.strict {
			err = s.corrupt("a string that cannot be decompressed")
		}
		return p, ok, err
	}
	return p, true, nil
}

// littleEndian reads a signed number of 1, 2 or 4 bytes.
func littleEndian(p []byte) int64 {
	switch len(p) {
	case 1:
		return int64(int8(p[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p)))
	default:
		return int64(int32(binary.LittleEndian.Uint32(p)))
	}
}
