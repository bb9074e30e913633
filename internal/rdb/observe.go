package rdb

import (
	"slices"
	"strconv"
)

// Observer is told about each key that a scan walks over, in the RDB's order, and about each library of functions. It is for statistics: it is told
// about a key when its end is known, cannot end the scan, and gets no value.
type Observer interface {
	Key(*Observed)
	// Library is told the beginning of a library's code, or nothing if that is stored in a way that would take memory to look into.
	Library(code []byte)
}

// Observed is a key that a scan has walked over. It is valid until the call with it returns.
type Observed struct {
	Database int
	Encoding Encoding
	Name     []byte // at most [MaxObservedName] bytes; nothing when Length is not 0 and it would take memory to look into it
	Length   int64  // of the whole name, bytes
	Bytes    int64  // what the key takes in the RDB: its type, its name and its value
	Expires  bool   // it has an expiry
}

// MaxObservedName is how many bytes of a key's name an observer gets.
const MaxObservedName = 256

// maxLibraryHead is how many bytes of a library's code an observer gets: its first line says how it is called.
const maxLibraryHead = 256

// Observe has an observer told what the RDB holds.
func Observe(o Observer) Option { return func(s *Scanner) { s.observer = o } }

// Nameless keeps the names of keys out of the Summary.
func Nameless(s *Scanner) { s.nameless = true }

// Encoding says how a value is stored: the type that the RDB has for it, or how a string is written.
type Encoding uint8

// Encodings of strings that have no type of their own.
const (
	encodingNumber     = Encoding(typeCount + iota) // a string that is stored as a number
	encodingCompressed                              // a string that the server has compressed
	Encodings                                       // how many encodings there are
)

// encodingNames are the words of OBJECT ENCODING, as far as they go.
var encodingNames = [Encodings]string{
	typeString: "raw", encodingNumber: "int", encodingCompressed: "lzf",
	typeList: "linkedlist", typeListZiplist: "ziplist", typeListQuicklist: "quicklist", typeListQuicklist2: "quicklist",
	typeSet: "hashtable", typeSetIntset: "intset", typeSetListpack: "listpack",
	typeZSet: "skiplist", typeZSet2: "skiplist", typeZSetZiplist: "ziplist", typeZSetListpack: "listpack",
	typeHash: "hashtable", typeHashZipmap: "zipmap", typeHashZiplist: "ziplist", typeHashListpack: "listpack",
	typeHashTTLPreGA: "hashtable", typeHashListpackTTLPreGA: "listpackex", typeHashTTL: "hashtable", typeHashListpackTTL: "listpackex",
	typeModule2:         "module",
	typeStreamListpacks: "stream", typeStreamListpacks2: "stream", typeStreamListpacks3: "stream",
}

// Names are the value's type as TYPE names it, or "module", and how it is stored, as OBJECT ENCODING names that. Strings are "raw", "int", or "lzf" when the
// server has compressed them.
func (e Encoding) Names() (typeName, encoding string) {
	if e == encodingNumber || e == encodingCompressed {
		return typeNames[typeString], encodingNames[e]
	}
	return typeNames[e], encodingNames[e]
}

// observe walks over the key whose name comes next, and tells the observer.
func (s *Scanner) observe(objectType byte) error {
	from := s.offset() - 1
	length, err := s.observedName()
	if err != nil {
		return err
	}
	encoding := Encoding(objectType)
	if objectType == typeString {
		encoding, err = s.stringEncoding()
	} else {
		s.note(objectType, length)
	}
	if err == nil {
		err = s.skipValue(objectType)
	}
	if err != nil {
		return err
	}
	k := &s.observed
	k.Database, k.Encoding, k.Name, k.Length = s.database, encoding, s.name, int64(min(length, 1<<62))
	k.Bytes, k.Expires = s.offset()-from, s.next.mortal
	s.next.mortal = false
	s.observer.Key(k)
	return nil
}

// shortName is how many bytes are copied at once, which is quicker than copying just those of the name.
const shortName = 32

// observedName copies the name that comes next, because the buffer may move while the value is walked over. It returns the length of the whole name.
func (s *Scanner) observedName() (length uint64, err error) {
	if s.end-s.pos > shortName {
		if n := int(s.buf[s.pos]); n <= shortName {
			s.pos++
			s.name = slices.Grow(s.name[:0], shortName)[:shortName]
			*(*[shortName]byte)(s.name) = *(*[shortName]byte)(s.buf[s.pos:])
			s.name = s.name[:n]
			s.pos += n
			return uint64(n), nil
		}
	}
	s.name, length, err = s.head(s.name[:0], MaxObservedName)
	return length, err
}

// note keeps the name that was just read where it is one of the first of a kind that not every engine reads.
func (s *Scanner) note(objectType byte, length uint64) {
	if s.names(objectType) && length == uint64(len(s.name)) && length <= kindKeyBytes {
		s.named[objectType] = append(s.named[objectType], string(s.name))
	}
}

// stringEncoding looks at how the string that comes next is stored.
func (s *Scanner) stringEncoding() (Encoding, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	switch b := s.buf[s.pos]; {
	case b < 0xC0:
		return typeString, nil
	case b&0x3F == encLZF:
		return encodingCompressed, nil
	}
	return encodingNumber, nil
}

// observeLibrary tells the observer about the library whose code comes next.
func (s *Scanner) observeLibrary() error {
	code, _, err := s.head(s.name[:0], maxLibraryHead)
	if err != nil {
		return err
	}
	s.name = code
	s.observer.Library(code)
	return nil
}

// maxHeadLZF is the largest compressed string that is decompressed for its beginning.
const maxHeadLZF = 64 << 10

// head walks over a string object and appends the beginning of its text to p, at most limit bytes; nothing when that would take much memory. length is that
// of the whole text.
func (s *source) head(p []byte, limit int) (text []byte, length uint64, err error) {
	n, encoded, err := s.length()
	if err != nil {
		return p, 0, err
	}
	if !encoded {
		if n <= uint64(limit) && n <= uint64(s.end-s.pos) { // nearly all of them
			p = append(p, s.buf[s.pos:s.pos+int(n)]...)
			s.pos += int(n)
			return p, n, nil
		}
		if p, err = s.take(p, min(n, uint64(limit))); err == nil {
			err = s.discard(n - min(n, uint64(limit)))
		}
		return p, n, err
	}
	switch n {
	case encInt8, encInt16, encInt32:
		number, err := s.need(1 << n)
		if err != nil {
			return p, 0, err
		}
		p = strconv.AppendInt(p, littleEndian(number), 10)
		return p, uint64(len(p)), nil
	case encLZF:
		return s.headLZF(p, limit)
	}
	return p, 0, s.corrupt("string encoding %d", n)
}

func (s *source) headLZF(p []byte, limit int) (text []byte, length uint64, err error) {
	n, err := s.count()
	if err != nil {
		return p, 0, err
	}
	size, err := s.count()
	if err != nil {
		return p, 0, err
	}
	switch {
	case n <= maxHeadLZF && size <= maxHeadLZF:
	case s.strict:
		return p, size, s.checkLZF(n, size)
	default:
		return p, size, s.discard(n)
	}
	compressed, err := s.take(nil, n)
	if err != nil {
		return p, 0, err
	}
	plain, ok := expandLZF(compressed, int(size))
	if !ok && s.strict {
		return p, 0, s.corrupt("a string that cannot be decompressed")
	}
	return append(p, plain[:min(len(plain), limit)]...), size, nil
}
