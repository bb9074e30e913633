package restore

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/slots"
)

// Choice says which keys of an RDB are brought back, under which names, and when they expire.
type Choice struct {
	Database  int                                      // -1: all
	Matches   func(name []byte) bool                   // which names
	Rename    func(name []byte) (as []byte, err error) // nil: they keep their names. What it returns is valid until the next call
	Deadlines Deadlines
	Into      rdb.Target         // see [Options]
	Spool     string             // see [Options]
	Route     func(slot int) int // see [Options]
	Now       func() time.Time   // nil: time.Now
}

func (c Choice) takes(key rdb.Key) bool {
	return (c.Database < 0 || key.Database == c.Database) && c.Matches(key.Name)
}

// as is the name that a key gets.
func (c Choice) as(name []byte) ([]byte, error) {
	if c.Rename == nil {
		return name, nil
	}
	return c.Rename(name)
}

// node is the index of the node that has a key; -1: none has.
func (c Choice) node(name []byte) int {
	if c.Route == nil {
		return 0
	}
	return c.Route(slots.Of(name))
}

// Chosen is what RDBs have of a choice.
type Chosen struct {
	Keys      int64   // that are chosen
	Expired   int64   // how many of them have expired by now
	Bytes     int64   // of the values of the others, as they are stored
	Databases int     // the highest number of their databases + 1
	Memory    []int64 // what these take in memory, about, by the index of the node: see [Choice]'s Route
}

func (c *Chosen) needs(node int, memory int64) {
	for len(c.Memory) <= node {
		c.Memory = append(c.Memory, 0)
	}
	if node >= 0 {
		c.Memory[node] += memory
	}
}

// picked is a chosen key.
type picked struct {
	database  int
	kind      string // as TYPE names it
	as        []byte // the name that it gets
	expires   time.Time
	modifiers []string
	expired   bool // it has expired by now, so nothing is written
	memory    int64

	size    int64  // of type and value
	sum     uint64 // CRC64 of these
	payload []byte // the value as RESTORE takes it; nil: it is in the spool, or nobody wants it
}

// picker picks the chosen keys of RDBs, and counts them.
type picker struct {
	Choice
	times
	chosen Chosen
	spool  *spool
}

func newPicker(c Choice) picker {
	return picker{Choice: c, times: timesOf(Options{Deadlines: c.Deadlines, Now: c.Now}), spool: &spool{folder: c.Spool}}
}

// pick picks a key if it is chosen, with its value in the spool, or only counted unless keep is true. Errors are those of the choice's Rename, and
// [ErrValue] when the value can have no form that the engine reads.
func (p *picker) pick(key rdb.Key, value rdb.Value, keep bool) (one picked, is bool, err error) {
	if !p.takes(key) {
		return one, false, nil
	}
	p.chosen.Keys++
	one = picked{database: key.Database, kind: key.TypeName()}
	if one.as, err = p.as(key.Name); err != nil {
		return one, true, err
	}
	one.expires = p.expires(key)
	if p.over(one.expires) { // RESTORE with a deadline that has passed would delete the key that is there
		p.chosen.Expired++
		one.expired = true
		return one, true, nil
	}
	one.modifiers = modifiers(key, one.expires)
	value = value.WithFields(p.fields(key)).For(p.Into)
	if !value.Readable() {
		return one, true, fmt.Errorf("a %s in database %d: %w", one.kind, one.database, ErrValue)
	}
	var w io.Writer = blank{}
	if keep {
		p.spool.begin(value.Type())
		w = p.spool
	}
	n, err := value.WriteTo(w)
	if err != nil {
		return one, true, err
	}
	if one.size = n + 1; keep {
		one.size = p.spool.size()
		if one.sum, err = p.spool.checksum(); err != nil {
			return one, true, err
		}
	}
	p.chosen.Bytes += n
	p.chosen.Databases = max(p.chosen.Databases, key.Database+1)
	one.memory = value.Memory(key, n)
	p.chosen.needs(p.node(one.as), one.memory)
	return one, true, nil
}

// blank forgets what is written.
type blank struct{}

func (blank) Write(p []byte) (int, error)            { return len(p), nil }
func (blank) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Selection looks for the chosen keys in RDBs before anything is written, and keeps them as long as they are small enough, so that the RDBs need not be
// read again.
type Selection struct {
	picker
	room int // for what is kept, in bytes
	kept []picked
	all  bool // that were chosen are kept
}

// NewSelection begins one that keeps up to so many bytes.
func NewSelection(c Choice, room int) *Selection {
	return &Selection{picker: newPicker(c), room: room, all: true}
}

// keptOverhead is what a key that is kept takes beside its name and its value.
const keptOverhead = 256

// Read looks for the chosen keys in one RDB, and says how many there were. Errors are those of [rdb.Visit] and of the choice's Rename, [ErrSpool], and
// [ErrValue] when a value can have no form that the engine reads.
func (s *Selection) Read(r io.Reader) (keys int64, err error) {
	before := s.chosen.Keys
	_, err = rdb.Visit(r, selecting{s})
	return s.chosen.Keys - before, err
}

// Chosen is what there was so far.
func (s *Selection) Chosen() Chosen { return s.chosen }

// Whole tells whether all chosen keys are kept.
func (s *Selection) Whole() bool { return s.all }

// Close forgets what is kept.
func (s *Selection) Close() error {
	s.kept = nil
	return s.spool.close()
}

type selecting struct{ *Selection }

// Library implements [rdb.Visitor]: functions are no keys.
func (selecting) Library([]byte) error { return nil }

// Key implements [rdb.Visitor].
func (s selecting) Key(key rdb.Key, value rdb.Value) error {
	one, is, err := s.pick(key, value, s.all)
	if err != nil || !is || !s.all {
		return err
	}
	if s.room -= len(one.as) + int(min(one.size, inMemory)) + keptOverhead; s.room < 0 || s.spool.rest > 0 {
		s.kept, s.all = nil, false
		return nil
	}
	one.as = bytes.Clone(one.as)
	if !one.expired {
		one.payload = s.spool.payload(nil, one.sum)
	}
	s.kept = append(s.kept, one)
	return nil
}
