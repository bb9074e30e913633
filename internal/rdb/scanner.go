package rdb

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

var (
	// ErrNotRDB says that the data does not start like an RDB.
	ErrNotRDB = errors.New("not an RDB")
	// ErrTruncated says that the data ended before its end mark and checksum.
	ErrTruncated = errors.New("the RDB ends too early")
	// ErrChecksum says that the data is not what the server computed its checksum over.
	ErrChecksum = errors.New("the RDB's checksum does not match its data")
	// ErrCorrupt says that the data makes no sense as an RDB.
	ErrCorrupt = errors.New("the RDB is damaged")
	// ErrTrailing says that something follows the RDB's end. It is a kind of ErrCorrupt.
	ErrTrailing = fmt.Errorf("%w: it continues after its end", ErrCorrupt)
)

// Opcodes, which take the place of a key's type. From RDB_OPCODE_* in redis and valkey rdb.h.
const (
	opKeyMeta       = 243 // Redis 8.6: metadata that modules attach to the next key
	opSlotImport    = 243 // Valkey 9 (under a VALKEY header): a slot migration under way
	opSlotInfo      = 244
	opFunction2     = 245
	opFunctionPreGA = 246 // release candidates of 7.0; only 7.0 itself still loads it
	opModuleAux     = 247
	opIdle          = 248
	opFreq          = 249
	opAux           = 250
	opResizeDB      = 251
	opExpireMs      = 252
	opExpire        = 253
	opSelectDB      = 254
	opEOF           = 255
)

// Bounds for a Summary, so that no RDB can make it large.
const (
	maxDatabases = 1 << 16
	maxAux       = 64       // fields
	maxAuxName   = 64       // bytes
	maxAuxValue  = maxShort // bytes
	maxModules   = 8        // names
)

// Summary is what a scan found out about an RDB.
type Summary struct {
	Version      int               // of the RDB format: 9, 10, 11..., 80 and above are Valkey's
	Bytes        int64             // of the whole RDB, checksum included
	Keys         int64             // in all databases
	Expires      int64             // how many of the keys have an expiry
	DatabaseKeys map[int]int64     // database number to its keys; databases without keys are left out
	Databases    int               // how many a node needs to load it: the highest number + 1; 0: it names none
	Functions    int64             // function libraries
	OldFunctions int64             // how many of those are in the format of 7.0's release candidates
	Modules      []string          // names of the first few modules that own keys or data in it; a node without them does not load it
	Types        map[string]int64  // type as TYPE names it, or "module", to its keys
	Kinds        Kinds             // how all of it is stored; of use when StatsKnown
	Lifetimes    Lifetimes         // of the keys that have an expiry; of use when StatsKnown
	Aux          map[string]string // what the server wrote about itself: redis-ver, ctime, used-mem, repl-id...

	CRC64            uint64 // computed over everything but the last 8 bytes
	ChecksumDisabled bool   // the server stored 0, because it was told not to compute a checksum, or was too old to have one

	// StatsKnown is false if the walk met something that it does not know or understand, although end mark and checksum are right. Unknown then says
	// what, and all numbers except Version, Bytes and CRC64 are too low.
	StatsKnown bool
	Unknown    string
	// Nonsense is true if Unknown is not a newer type or opcode but something that no server writes, such as a length beyond the end. In a node's own
	// stream it means that the walk is wrong; a file from elsewhere may have been made to look whole.
	Nonsense bool
}

// Scanner walks over one RDB.
type Scanner struct {
	source
	valkey  bool // the header says VALKEY: some numbers mean something else
	summary Summary

	database  int // of the next keys
	here      int64
	types     [typeCount]int64
	lifetimes lifetimes
	named     [typeCount][]string // the first keys of types that not every engine reads
	beside    map[byte]bool       // opcodes of what stands beside keys

	older    byte   // the type of stream that is wanted; 0: as it is
	earliest uint64 // when the first field of this hash expires
	attached uint16 // what was said about a key that is still to come: see inOrder
	claimed  uint64 // keys and expiries that the database claims to have

	visitor  Visitor    // nil: nobody is told
	looking  bool       // the visitor need not be told everything
	observer Observer   // nil: nobody is told
	observed Observed   // the key that it is told about
	nameless bool       // names of keys are not kept
	next     attributes // of the next key
	name     []byte     // of the key that is visited or observed
	written  time.Time  // from the aux field ctime
}

// NewScanner returns a Scanner over r, which it reads to the end in large pieces. r may be an io.TeeReader, which passes the bytes on as they are
// scanned.
func NewScanner(r io.Reader, options ...Option) *Scanner {
	s := newScanner(r, bufferSize)
	for _, option := range options {
		option(s)
	}
	return s
}

func newScanner(r io.Reader, size int) *Scanner {
	s := &Scanner{source: source{r: r, buf: make([]byte, size), tail: trailerSize}, next: noAttributes}
	s.summary.Aux = map[string]string{}
	s.summary.DatabaseKeys = map[int]int64{}
	s.summary.Types = map[string]int64{}
	s.beside = map[byte]bool{}
	return s
}

// Bytes returns how many bytes were read so far. It may be called while Scan runs.
func (s *Scanner) Bytes() int64 { return s.bytes.Load() }

// Keys returns how many keys were walked over so far; it is updated once per buffer. It may be called while Scan runs.
func (s *Scanner) Keys() int64 { return s.keysLive.Load() }

// Scan reads the RDB to the end of the reader and returns what it found. It may be called once.
//
// A nil error means that the RDB is whole: end mark and checksum (if the server computed one) are right. Otherwise the error wraps one of
// [ErrNotRDB], [ErrTruncated], [ErrChecksum] and [ErrCorrupt], or the reader's error, and the Summary must not be relied on.
func (s *Scanner) Scan() (Summary, error) {
	err := s.header()
	if err != nil {
		return Summary{}, err
	}
	err = s.walk()
	if own, failed := errors.AsType[visitError](err); failed {
		return s.result(), own.err
	}
	// Right after the end mark there is the checksum and nothing else.
	if err == nil {
		err = s.discard(uint64(s.tail - 1))
	}
	if err == nil {
		if _, more := s.byte(); more == nil {
			err = structureError{offset: s.offset() - 1, what: "data behind the end", behind: true}
		} else if !errors.Is(more, errEnd) {
			err = more
		}
	}
	if end := s.drain(); end != nil {
		return s.result(), fmt.Errorf("read the RDB at byte %d: %w", s.base+int64(s.end), end)
	}
	sum := s.result()
	return s.judge(sum, err)
}

// judge decides about an RDB that was read to its end. err is how the walk over it ended.
func (s *Scanner) judge(sum Summary, err error) (Summary, error) {
	t := s.trailer()
	sum.CRC64 = t.computed
	sum.ChecksumDisabled = t.endMark && t.stored == 0
	structure, broken := errors.AsType[structureError](err)
	switch {
	case err == nil && t.endMark && (t.stored == 0 || t.stored == t.computed):
		sum.StatsKnown = true
		return sum, nil
	case err == nil:
		return sum, fmt.Errorf("stored %016x, computed %016x: %w", t.stored, t.computed, ErrChecksum)
	case t.matches():
		// The bytes are those that the server wrote, so the walk is wrong, not the RDB.
		sum.Unknown, sum.Nonsense = err.Error(), !broken || !structure.unknown
		return sum, nil
	case broken && structure.unknown && !t.endMark:
		return sum, fmt.Errorf("%d bytes without an end mark: %w", sum.Bytes, ErrTruncated)
	case broken && structure.unknown && t.stored == 0:
		sum.Unknown = err.Error()
		return sum, nil
	case broken && structure.unknown:
		return sum, fmt.Errorf("stored %016x, computed %016x (%w): %w", t.stored, t.computed, err, ErrChecksum)
	case broken && structure.behind:
		return sum, fmt.Errorf("%w: %w", err, ErrTrailing)
	case broken:
		return sum, fmt.Errorf("%w: %w", err, ErrCorrupt)
	default:
		return sum, fmt.Errorf("after %d bytes: %w", sum.Bytes, ErrTruncated)
	}
}

// result collects what was counted.
func (s *Scanner) result() Summary {
	s.leaveDatabase()
	s.keysLive.Store(s.keys)
	sum := s.summary
	sum.Bytes = s.base + int64(s.end)
	sum.Keys = s.keys
	for t, n := range s.types {
		if n > 0 {
			sum.Types[typeNames[t]] += n
		}
	}
	sum.Kinds = s.kinds()
	sum.Lifetimes = s.lifetimes.text(s.written)
	return sum
}

// header reads magic and version.
func (s *Scanner) header() error {
	for s.end < headerSize {
		if err := s.fill(); errors.Is(err, errEnd) {
			break
		} else if err != nil {
			return fmt.Errorf("read the RDB's header: %w", err)
		}
	}
	first := s.buf[:min(s.end, headerSize)]
	version, err := PeekVersion(first)
	if err != nil {
		return err
	}
	s.pos = headerSize
	s.summary.Version = version
	s.valkey = first[0] == 'V'
	if version < checksummed {
		s.tail = oldTrailerSize
	}
	return nil
}

// walk goes from key to key until it has passed the end mark.
func (s *Scanner) walk() error {
	for {
		op, err := s.byte()
		if err != nil {
			return err
		}
		if err := s.inOrder(op); err != nil || op == opEOF {
			return err
		}
		if op < typeCount && typeNames[op] != "" {
			err = s.key(op)
		} else {
			err = s.opcode(op)
		}
		if err != nil {
			return err
		}
	}
}

func (s *Scanner) key(objectType byte) error {
	if err := s.keyAndValue(objectType); err != nil {
		return err
	}
	s.keys++
	s.here++
	s.types[objectType]++
	return nil
}

func (s *Scanner) keyAndValue(objectType byte) error {
	if s.visitor != nil {
		return s.visitKey(objectType)
	}
	if s.observer != nil {
		return s.observe(objectType)
	}
	var err error
	if s.names(objectType) {
		err = s.noteKind(objectType)
	} else {
		err = s.skipString()
	}
	if err != nil {
		return err
	}
	return s.skipValue(objectType)
}

// opcode walks over anything that is not a key.
func (s *Scanner) opcode(op byte) error {
	if op == opFunction2 || op == opFunctionPreGA || op == opKeyMeta {
		s.beside[op] = true
	}
	switch op {
	case opExpireMs:
		return s.expiry(sizeTime)
	case opExpire:
		return s.expiry(sizeSeconds)
	case opIdle:
		return s.idle()
	case opFreq:
		return s.freq()
	case opSelectDB:
		return s.selectDatabase()
	case opResizeDB:
		return s.sizes()
	case opSlotInfo: // slot, keys, expires
		return s.slot()
	case opAux:
		return s.aux()
	case opFunction2:
		s.summary.Functions++
		if s.visitor != nil {
			return s.visitLibrary()
		}
		if s.observer != nil {
			return s.observeLibrary()
		}
		return s.skipString()
	case opFunctionPreGA:
		s.summary.Functions++
		s.summary.OldFunctions++
		return s.skipFunctionPreGA()
	case opModuleAux: // id, then "when" as a tagged value, then the module's own
		return s.skipModule()
	case opKeyMeta: // the same number as opSlotImport
		if s.valkey {
			return s.skipSlotImport()
		}
		return s.skipKeyMeta()
	}
	what := fmt.Sprintf("unknown object type or opcode %d", op)
	return structureError{offset: s.offset() - 1, what: what, unknown: !s.strict || !s.fullyKnown()}
}

func (s *Scanner) selectDatabase() error {
	n, err := s.count()
	if err != nil {
		return err
	}
	if err := s.fits(); err != nil {
		return err
	}
	s.leaveDatabase()
	if n >= 1<<31 || len(s.summary.DatabaseKeys) >= maxDatabases {
		return s.corrupt("database number %d, after %d databases", n, len(s.summary.DatabaseKeys))
	}
	s.database = int(n)
	s.summary.Databases = max(s.summary.Databases, s.database+1)
	return nil
}

// leaveDatabase adds up the keys since the last selectDatabase. Counting each key in a map would be slow.
func (s *Scanner) leaveDatabase() {
	if s.here > 0 {
		s.summary.DatabaseKeys[s.database] += s.here
		s.here = 0
	}
}

// aux keeps a field that the server wrote about itself. Long and repeated fields (scripts of old servers, slot statistics of Valkey 9) are something
// else.
func (s *Scanner) aux() error {
	text, ok, err := s.shortString(maxAuxName)
	if err != nil {
		return err
	}
	_, known := s.summary.Aux[string(text)]
	if !ok || known || string(text) == "lua" || len(s.summary.Aux) >= maxAux {
		return s.skipString()
	}
	name := string(text)
	value, ok, err := s.shortString(maxAuxValue)
	if err == nil && ok {
		s.summary.Aux[name] = string(value)
		if seconds, bad := strconv.ParseInt(string(value), 10, 64); name == "ctime" && bad == nil && seconds > 0 {
			s.written = time.Unix(seconds, 0)
		}
	}
	return err
}

// skipFunctionPreGA walks over name, engine, an optional description, and the code.
func (s *Scanner) skipFunctionPreGA() error {
	if err := s.unvisited("functions in the format of a release candidate of Redis 7.0"); err != nil {
		return err
	}
	if err := s.skipStrings(2); err != nil {
		return err
	}
	described, err := s.count()
	if err != nil {
		return err
	}
	return s.skipStrings(1 + min(described, 1))
}

// skipKeyMeta walks over metadata: a 4-byte description and tagged values for each class.
func (s *Scanner) skipKeyMeta() error {
	if err := s.unvisited("metadata that modules have attached to a key"); err != nil {
		return err
	}
	classes, err := s.count()
	if err != nil {
		return err
	}
	for ; classes > 0; classes-- {
		if err := s.discard(4); err != nil {
			return err
		}
		if err := s.skipModuleValues(); err != nil {
			return err
		}
	}
	return nil
}

// skipSlotImport walks over a job's name and its ranges of slots.
func (s *Scanner) skipSlotImport() error {
	if err := s.unvisited("a slot that is moving between shards"); err != nil {
		return err
	}
	if err := s.skipString(); err != nil {
		return err
	}
	ranges, err := s.count()
	if err != nil {
		return err
	}
	for ; ranges > 0; ranges-- {
		if err := s.skipCounts(2); err != nil {
			return err
		}
	}
	return nil
}
