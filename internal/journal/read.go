package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rekindle/internal/store"
)

// ReadIndex reads what is said about a segment, and no more of it than that. Errors: ErrMissing, ErrDamaged, ErrNewer, the store's.
func ReadIndex(ctx context.Context, st store.Store, s Segment) (Index, error) {
	var x Index
	err := judged(func() error {
		r, err := open(ctx, st, s)
		if err != nil {
			return err
		}
		defer r.Close()
		if x, err = readFrame(r); err != nil {
			return s.judge(err)
		}
		return s.same(x)
	})
	if err != nil {
		return Index{}, fmt.Errorf("read the index of %s: %w", s, err)
	}
	return x, nil
}

// Verify reads all of a segment back: its index, length, hash, and that commands and marks lie where the index says. It reads again before it calls
// the segment damaged. Errors: ErrDamaged (with what is wrong), ErrMissing, ErrNewer, or the store's or ctx's own, which say nothing about the segment.
func Verify(ctx context.Context, st store.Store, s Segment) (Index, error) {
	x, plain, err := load(ctx, st, s)
	if err == nil {
		err = s.judge(checkPlaces(x, plain))
	}
	if err != nil {
		return Index{}, fmt.Errorf("verify %s: %w", s, err)
	}
	return x, nil
}

// Load reads all of a segment: its index, and the bytes of the stream once their length and hash were right. It reads again before it calls the segment
// damaged. Errors are those of [Verify].
func Load(ctx context.Context, st store.Store, s Segment) (Index, []byte, error) {
	x, plain, err := load(ctx, st, s)
	if err != nil {
		return Index{}, nil, fmt.Errorf("read %s: %w", s, err)
	}
	return x, plain, nil
}

// load reads all of a segment.
func load(ctx context.Context, st store.Store, s Segment) (x Index, plain []byte, err error) {
	err = judged(func() error {
		r, err := open(ctx, st, s)
		if err != nil {
			return err
		}
		defer r.Close()
		stored := &counter{r: r}
		if x, plain, err = decode(stored); err != nil {
			return s.judge(err)
		}
		if stored.n != s.Size {
			return fmt.Errorf("%w: %d bytes are stored, the list said %d", ErrDamaged, stored.n, s.Size)
		}
		return s.same(x)
	})
	return x, plain, err
}

// open opens a segment's object.
func open(ctx context.Context, st store.Store, s Segment) (io.ReadCloser, error) {
	r, err := st.Open(ctx, s.Key)
	if errors.Is(err, store.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return r, err
}

// judge calls a segment damaged if what was read of it is wrong.
func (s Segment) judge(err error) error {
	if errors.Is(err, errIndex) || errors.Is(err, errBytes) || errors.Is(err, ErrMalformed) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// same says whether an index is that of the segment.
func (s Segment) same(x Index) error {
	if found := x.Segment(s.Size); found.Key != s.Key {
		return fmt.Errorf("%w: its index is that of %s", ErrDamaged, found.Key)
	}
	return nil
}

// readings is how often a segment is read before it is called damaged: a bit that flipped on the way is right the next time.
const readings = 3

func judged(read func() error) (err error) {
	for range readings {
		if err = read(); !errors.Is(err, ErrDamaged) && !errors.Is(err, store.ErrTransit) {
			return err
		}
	}
	return err
}

// checkPlaces compares the boundaries in the index with those in the stream.
func checkPlaces(x Index, plain []byte) error {
	s := x.Scanner(nil)
	at := x.Start.Offset
	upTo := func(offset int64) error {
		if offset < at || offset > x.To {
			return fmt.Errorf("%w: %d is out of order", errIndex, offset)
		}
		_, err := s.Write(plain[at-x.From : offset-x.From])
		at = offset
		return err
	}
	for _, m := range x.Marks {
		if err := upTo(m.Offset); err != nil {
			return err
		}
		if safe, _ := s.Safe(); safe != m.Offset {
			return fmt.Errorf("%w: no command of the stream ends at the mark %d", errIndex, m.Offset)
		}
	}
	if err := upTo(x.To); err != nil {
		return err
	}
	if safe, _ := s.Safe(); safe != x.Safe.Offset && x.Safe.Offset >= x.Start.Offset {
		return fmt.Errorf("%w: the last safe boundary is %d, not %d", errIndex, safe, x.Safe.Offset)
	}
	return nil
}

// counter counts what it reads.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ErrNoPlace: the journal has no safe boundary at that time or before.
var ErrNoPlace = errors.New("the journal has nothing of that time or before")

// SafePlace is the last safe boundary of a run that is not after a moment, and when the stream was there. segments are those of one shard, in any
// order. The boundaries are those of the marks, so there is about one for each second in which something came; behind the end of the run, or in a gap, it
// is the last one before that. The error is ErrNoPlace if there is none, and otherwise as for ReadIndex; so a damaged segment is named instead of being
// passed over.
func SafePlace(ctx context.Context, st store.Store, segments []Segment, run string, at time.Time) (offset int64, exactly time.Time, err error) {
	m, err := MarkAt(ctx, st, segments, run, at)
	return m.Offset, m.At, err
}

// MarkAt is SafePlace with the database that is selected there.
func MarkAt(ctx context.Context, st store.Store, segments []Segment, run string, at time.Time) (Mark, error) {
	for _, s := range backwards(segments, run) {
		if s.Begin.After(at) {
			continue
		}
		x, err := ReadIndex(ctx, st, s)
		if err != nil {
			return Mark{}, err
		}
		for i := len(x.Marks) - 1; i >= 0; i-- {
			if m := x.Marks[i]; !m.At.After(at) && m.Offset <= s.To {
				return m, nil
			}
		}
	}
	return Mark{}, fmt.Errorf("%s: %w", at.UTC().Format(time.RFC3339), ErrNoPlace)
}
