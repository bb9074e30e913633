package find

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/internal/journal"
	"rekindle/internal/keyspec"
	"rekindle/internal/store"
)

// Stream is the stored stream of a shard, as one recording has it.
type Stream struct {
	Store store.Store
	// Next returns the segment that has the byte behind a place; if none has, the next one behind it; false: there is none.
	Next func(ctx context.Context, place int64) (journal.Segment, bool, error)
	// Database is the one that is selected as long as the stream has not said any; journal.Unknown: that is not known.
	Database int
	// Done is told how many bytes of the stream are done with; nil is fine.
	Done func(bytes int64)
	// Within says of which times changes count; nil: of all.
	Within func(at time.Time) bool
}

// Changes are what was found in a piece of a stream.
type Changes struct {
	Count  int64    // how many changes there are
	Newest []Change // the last ones, in the order of the stream
	Holes  []Hole   // what could not be looked through
}

// Hole is a piece of the stream that is missing or damaged.
type Hole struct {
	Key        string // of the segment; "": there is none
	From, To   int64
	Begin, End time.Time // of the time that it is of; Begin is zero if nothing says it
	Err        error     // wraps journal.ErrDamaged, ErrMissing, ErrNewer or ErrMalformed; with no segment a *journal.GapError
}

// SearchStream looks for keys in the commands that begin behind one place of a stream, up to another one. It reads on behind that as far as the last of these
// commands, or its transaction, goes. A segment that cannot be read is a [Hole], and the search goes on behind it. At most keep changes are held, those that
// came last, and one segment: so memory does not depend on the size of the stream or of a command. Errors are the store's, ctx's or those of Next.
func (q Query) SearchStream(ctx context.Context, st Stream, from, to int64, keep int) (Changes, error) {
	s := &stream{Stream: st, watcher: watcher{query: &q, keep: keep, from: from, to: to, within: st.Within, selected: st.Database}}
	if err := s.search(ctx); err != nil {
		return Changes{}, fmt.Errorf("look for a key in a journal: %w", err)
	}
	s.drop()
	return Changes{Count: s.count, Newest: s.newest(), Holes: s.holes}, nil
}

// stream is a search under way.
type stream struct {
	Stream
	watcher
	scanner *journal.Scanner // nil: a segment says where it can begin
	until   time.Time        // of the segment before
	holes   []Hole
}

func (s *stream) search(ctx context.Context) error {
	for at := s.from; ; {
		segment, found, err := s.Next(ctx, at)
		if err != nil {
			return err
		}
		if !found || segment.From > at {
			missing := Hole{From: at, To: s.to, Begin: s.until}
			if found {
				missing.To, missing.End = min(segment.From, s.to), segment.Begin
			}
			missing.Err = &journal.GapError{From: missing.From, To: missing.To}
			s.hole(missing)
			if at = missing.To; at >= s.to {
				return nil
			}
			continue
		}
		if err := s.segment(ctx, segment); err != nil {
			return err
		}
		s.done(min(segment.To, s.to) - at)
		if at, s.until = segment.To, segment.End; at >= s.to && s.complete() {
			return nil
		}
	}
}

// complete tells whether every command that began before the end has been seen, with the end of its transaction.
func (s *stream) complete() bool {
	return s.scanner == nil || s.scanner.Boundary() >= s.to && s.open == 0
}

func (s *stream) done(bytes int64) {
	if s.Done != nil && bytes > 0 {
		s.Done(bytes)
	}
}

// hole notes what cannot be looked through. A command or transaction that goes into it is not known to the end.
func (s *stream) hole(h Hole) {
	s.scanner = nil
	s.drop()
	if h.From < h.To && h.From < s.to {
		s.holes = append(s.holes, h)
		if h.Key == "" {
			s.done(h.To - h.From)
		}
	}
}

// segment looks through a segment.
func (s *stream) segment(ctx context.Context, segment journal.Segment) error {
	x, plain, err := journal.Load(ctx, s.Store, segment)
	if err == nil {
		s.index, s.mark = x, 0
		if s.scanner == nil {
			if x.Start.Offset == x.To { // it has no more than a piece of a command
				return nil
			}
			s.scanner = x.Scanner(s.command)
			s.scanner.Watch(&s.watcher)
		}
		if begin := s.scanner.Offset(); begin < segment.To {
			_, err = s.scanner.Write(plain[begin-segment.From:])
		}
	}
	for _, kind := range []error{journal.ErrDamaged, journal.ErrMissing, journal.ErrNewer, journal.ErrMalformed} {
		if errors.Is(err, kind) && ctx.Err() == nil {
			s.hole(Hole{Key: segment.Key, From: segment.From, To: segment.To, Begin: segment.Begin, End: segment.End, Err: err})
			return nil
		}
	}
	return err
}

// watcher looks at commands, and holds what is found.
type watcher struct {
	query    *Query
	keep     int
	from, to int64 // commands that begin behind the one, up to the other, count
	within   func(at time.Time) bool
	selected int // as long as the stream has not said it

	index journal.Index // of the segment that is read
	mark  int           // of its marks, the first one that is not behind what has come

	skip  bool // the command does not count
	walk  keyspec.Walk
	words words
	word  int64 // that is read
	key   keyspec.Key
	isKey bool
	name  naming
	hits  []Change // of the command that is read
	hit   int64    // how many there are, those that are not held among them

	changes []Change
	count   int64
	open    int64 // how many of them, the last ones, are in a transaction that has not ended yet
}

// Word implements [journal.Words].
func (w *watcher) Word(c *journal.Command, index, length int64) {
	if index == 0 {
		w.skip = c.From < w.from || c.From >= w.to
		w.hits, w.hit = w.hits[:0], 0
		w.walk.Begin(c.Args)
	}
	if w.skip {
		return
	}
	if index > 0 {
		w.endWord()
	}
	w.word = index
	w.words.begin(index, length)
	if w.key, w.isKey = w.walk.Key(index); w.isKey {
		w.name.begin(w.query, length)
	}
}

// Piece implements [journal.Words].
func (w *watcher) Piece(p []byte) {
	if w.skip {
		return
	}
	w.words.piece(p)
	if w.isKey {
		w.name.piece(p)
	}
}

// endWord is done with a word: it is a key that is looked for, or says where the keys are.
func (w *watcher) endWord() {
	if !w.isKey {
		w.walk.Word(w.word, w.words.last()[:min(len(w.words.last()), keyspec.MaxWord)])
		return
	}
	if w.key.Instead { // of several options that name a key the last one counts: there are few
		w.hits, w.hit = w.hits[:0], 0
	}
	if !w.name.matches() {
		return
	}
	w.hits = w.held(append(w.hits, Change{Effect: w.key.Effect, Guess: w.key.Guess, Word: w.word, Name: bytes.Clone(w.words.last()), Length: int(w.name.length)}))
	w.hit++
}

// held are the last changes of a list, as many as are kept. It is cut seldom, so that it costs nothing.
func (w *watcher) held(list []Change) []Change {
	if len(list) < 2*w.keep+16 {
		return list
	}
	n := copy(list, list[len(list)-w.keep:])
	clear(list[n:])
	return list[:n]
}

// command is the end of a command.
func (w *watcher) command(c *journal.Command) {
	switch string(c.Name) {
	case "EXEC":
		w.settle(c.To)
		return
	case "DISCARD":
		w.drop()
		return
	}
	if w.skip {
		return
	}
	w.endWord()
	if sweep := keyspec.SweepOf(c.Name); sweep != keyspec.NoSweep {
		w.hits, w.hit = append(w.hits, Change{Sweep: sweep}), w.hit+1
	}
	if w.hit == 0 {
		return
	}
	for i := range w.hits {
		h := &w.hits[i]
		h.Command, h.Bytes, h.Database, h.OtherDatabase = string(c.Name), c.To-c.From, c.Database, journal.Unknown
		if c.Database == journal.Unknown {
			h.Database = w.selected
		}
		if h.Before = c.From; c.Open >= 0 {
			h.Before = c.Open
		}
		w.words.describe(h, c.Args)
		w.changes = w.held(append(w.changes, *h))
	}
	w.count, w.open = w.count+w.hit, w.open+w.hit
	if c.Open < 0 {
		w.settle(c.To)
	}
}

// settle ends a command or a transaction: what it did holds from a place on.
func (w *watcher) settle(after int64) {
	if w.open == 0 {
		return
	}
	at := w.at(after)
	if w.within != nil && !w.within(at) {
		w.drop()
		return
	}
	for i := len(w.changes) - int(min(w.open, int64(len(w.changes)))); i < len(w.changes); i++ {
		w.changes[i].After, w.changes[i].At = after, at
	}
	w.open = 0
}

// at is when the stream was at a safe place: by the mark of that second.
func (w *watcher) at(place int64) time.Time {
	for ; w.mark < len(w.index.Marks); w.mark++ {
		if m := w.index.Marks[w.mark]; m.Offset >= place {
			return m.At
		}
	}
	return w.index.End
}

// drop forgets what has not come to its end.
func (w *watcher) drop() {
	w.changes = w.changes[:len(w.changes)-int(min(w.open, int64(len(w.changes))))]
	w.count -= w.open
	w.open = 0
	w.hits, w.hit = w.hits[:0], 0
}

func (w *watcher) newest() []Change { return w.changes[len(w.changes)-min(len(w.changes), w.keep):] }
