package journal

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"rekindle/internal/store"
)

// GapError says that no segment has a piece of the stream.
type GapError struct {
	Run      string
	From, To int64 // the first piece that is missing
}

func (e *GapError) Error() string {
	return fmt.Sprintf("the journal has a gap: the bytes %d to %d of the recording %s are missing", e.From, e.To, e.Run)
}

// of returns the segments of a run by where they begin, the longest first.
func of(segments []Segment, run string) []Segment {
	var some []Segment
	for _, s := range segments {
		if s.Run == run {
			some = append(some, s)
		}
	}
	some = Settled(some)
	slices.SortFunc(some, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To), cmp.Compare(a.Key, b.Key))
	})
	return some
}

// Settled leaves out what is no longer so. Where a history got another id, at a failover, it goes on from there; what had come under the former id behind
// that place was lost at the failover, and nothing can be played back through it. It may be there if a console was frozen while it stored it. segments are
// those of one shard.
func Settled(segments []Segment) []Segment {
	type history struct{ run, id string }
	type beginning struct {
		history
		from  int64
		begin time.Time
	}
	first := make(map[history]beginning)
	for _, s := range segments {
		h := history{s.Run, s.ReplicationID}
		b, known := first[h]
		if !known {
			b = beginning{h, s.From, s.Begin}
		}
		if s.Begin.Before(b.begin) {
			b.begin = s.Begin
		}
		b.from = min(b.from, s.From)
		first[h] = b
	}
	limits := make(map[history]int64)
	for h, mine := range first {
		limits[h] = math.MaxInt64
		for _, other := range first {
			later := other.from > mine.from || other.from == mine.from && other.begin.After(mine.begin)
			if other.run == mine.run && later {
				limits[h] = min(limits[h], other.from)
			}
		}
	}
	settled := make([]Segment, 0, len(segments))
	for _, s := range segments {
		if s.To = min(s.To, limits[history{s.Run, s.ReplicationID}]); s.From < s.To {
			settled = append(settled, s)
		}
	}
	return settled
}

// backwards returns the segments of a run, the one that ends last first.
func backwards(segments []Segment, run string) []Segment {
	some := of(segments, run)
	slices.SortStableFunc(some, func(a, b Segment) int { return cmp.Or(cmp.Compare(b.To, a.To), cmp.Compare(b.From, a.From)) })
	return some
}

// Chain returns the fewest segments of a run that have all bytes behind the place from, up to the place to. They may overlap. segments are those of
// one shard, in any order. The error is a *GapError with the first piece that is missing.
func Chain(segments []Segment, run string, from, to int64) ([]Segment, error) {
	var chain []Segment
	at, rest := from, of(segments, run)
	for at < to {
		var best Segment
		for len(rest) > 0 && rest[0].From <= at {
			if rest[0].To > max(at, best.To) {
				best = rest[0]
			}
			rest = rest[1:]
		}
		if best.To <= at {
			missing := to
			if len(rest) > 0 {
				missing = min(to, rest[0].From)
			}
			return nil, &GapError{Run: run, From: at, To: missing}
		}
		chain = append(chain, best)
		at = best.To
	}
	return chain, nil
}

// ahead is how many segments are read at once while a stream is read.
const ahead = 3

// Open returns the bytes of the stream behind the place from, up to the place to, from a chain that [Chain] has made for them or for more. Nothing of a
// segment is handed out before its length and hash were right. A few segments are fetched ahead; so memory is that of some segments, whatever the
// chain's length. Read's errors name the segment, and wrap ErrMissing, ErrDamaged, ErrNewer, or are the store's or ctx's. Close ends it at any time.
func Open(ctx context.Context, st store.Store, chain []Segment, from, to int64) (io.ReadCloser, error) {
	at, first := from, 0
	for i, s := range chain {
		if s.From > at {
			break
		}
		if s.To <= from {
			first = i + 1
		}
		at = max(at, s.To)
	}
	if at < to || to < from {
		gap := &GapError{From: at, To: to}
		if len(chain) > 0 {
			gap.Run = chain[0].Run
		}
		return nil, fmt.Errorf("read the journal from %d to %d: %w", from, to, gap)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{ctx: ctx, at: from, to: to, cancel: cancel, next: make(chan chan loaded, ahead-1)}
	if from < to {
		go fetch(ctx, st, chain[first:], to, r.next)
	} else {
		close(r.next)
	}
	return r, nil
}

type loaded struct {
	segment Segment
	plain   []byte
	err     error
}

// fetch loads segments up to a place, a few at once, and hands them over in order.
func fetch(ctx context.Context, st store.Store, chain []Segment, to int64, next chan<- chan loaded) {
	defer close(next)
	for _, s := range chain {
		if s.From >= to {
			return
		}
		one := make(chan loaded, 1)
		select {
		case next <- one:
		case <-ctx.Done():
			return
		}
		go func() {
			_, plain, err := load(ctx, st, s)
			one <- loaded{s, plain, err}
		}()
	}
}

// reader hands out the bytes of segments, one after the other.
type reader struct {
	ctx    context.Context // only to tell why nothing comes any more
	at, to int64
	rest   []byte
	next   chan chan loaded
	cancel context.CancelFunc
	err    error
}

func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil && len(r.rest) == 0 {
		r.rest, r.err = r.segment()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.at += int64(n)
	return n, nil
}

// segment returns what is wanted of the next segment.
func (r *reader) segment() ([]byte, error) {
	if r.at == r.to {
		return nil, io.EOF
	}
	one, more := <-r.next
	if !more {
		return nil, fmt.Errorf("read the journal behind %d: %w", r.at, context.Cause(r.ctx))
	}
	l := <-one
	if l.err != nil {
		return nil, fmt.Errorf("read %s: %w", l.segment, l.err)
	}
	begin, end := r.at-l.segment.From, min(r.to, l.segment.To)-l.segment.From
	if begin >= end { // all of it was in the one before
		return nil, nil
	}
	return l.plain[begin:end], nil
}

// Close ends the fetching. It never fails.
func (r *reader) Close() error {
	r.cancel()
	return nil
}
