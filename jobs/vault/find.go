package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rekindle/internal/archive"
	"rekindle/internal/find"
	"rekindle/internal/rdb"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Finder looks for keys in what is stored. Parts that cannot have the key are not read: those of other slots, and those whose filters say so. The rest is
// read, slowly while snapshots and restores go on. What is looked for and found is in no log.
type Finder struct {
	kit
	trials *trials
	quiet  *archive.Archive // the same store, read slowly while snapshots and restores go on
	values sync.Mutex       // one value is looked at at a time
}

// May lets one search go on at a time.
func (f *Finder) May(ctx context.Context, run models.Run, _ int) bool {
	may, err := f.DB.Finds.MayRun(ctx, run, f.Lease.Owner())
	if err != nil && ctx.Err() == nil {
		f.Logger.Error("look for other searches", "error", err)
	}
	return err == nil && may
}

// forget is the hourly tick that forgets old searches.
func (f *Finder) forget(ctx context.Context) {
	if err := f.DB.Finds.Forget(ctx); err != nil && ctx.Err() == nil {
		f.Logger.Error("forget old searches", "error", err)
	}
}

// finding is one search.
type finding struct {
	*Finder
	run   models.Run
	args  models.FindArgs
	query find.Query
	hide  bool // names of keys are hidden

	done, total atomic.Int64 // bytes of plain RDBs
	matches     atomic.Int64
}

// partOf is a part that may have to be read.
type partOf struct {
	place int
	row   models.Snapshot
	part  archive.Part
}

// Find is the body of a run that looks for keys. What it finds is written down as it comes. It fails when it could not look, for example because the store
// is away; what is wrong with one snapshot is said of that one.
func (f *Finder) Find(ctx context.Context, run models.Run, args models.FindArgs, report *queue.Report) error {
	sought, kept, err := f.DB.Finds.Get(ctx, run.ID)
	if err != nil {
		return err
	} else if !kept {
		return reason.Because(nil, "What was to be looked for is no longer kept, because it was asked for more than a week ago.")
	}
	one := &finding{Finder: f, run: run, args: args, query: find.Exact(string(sought.Sought)), hide: f.hidesNames(ctx)}
	if args.Pattern {
		one.query = find.Pattern(string(sought.Sought))
	}
	report.Stage("Looking at the snapshots", nil)
	if err := f.health.Present(ctx); err != nil {
		return err
	}
	snapshots, err := f.DB.Finds.Begin(ctx, run)
	if err != nil {
		return err
	}
	if err := one.everywhere(ctx, snapshots, report); err != nil {
		return err
	}
	return f.DB.Finds.Settle(context.WithoutCancel(ctx), run)
}

// everywhere looks through these snapshots, and through the journal.
func (f *finding) everywhere(ctx context.Context, snapshots []models.FindSnapshot, report *queue.Report) error {
	steps := 2
	if f.args.Journal == nil || f.args.Journal.Only {
		steps = 1
	}
	if !f.args.Journal.Alone() {
		if err := f.search(ctx, snapshots, report, steps); err != nil {
			return err
		}
	}
	if f.args.Journal != nil {
		return f.searchJournal(ctx, report, steps, steps)
	}
	return nil
}

// search looks through the parts of these snapshots, some at once, in their order. It is the first of so many steps.
func (f *finding) search(ctx context.Context, snapshots []models.FindSnapshot, report *queue.Report, of int) error {
	todo, err := f.gather(ctx, snapshots)
	if err != nil {
		return err
	}
	report.Step(1, of, fmt.Sprintf("Looking through %s", words.Plural(len(snapshots), "snapshot")), func() models.Progress {
		return models.Progress{BytesDone: f.done.Load(), BytesTotal: f.total.Load()}
	})
	work, within := errgroup.WithContext(ctx)
	work.SetLimit(models.FindParallel)
	for _, one := range todo {
		if within.Err() != nil {
			break
		}
		work.Go(func() error { return f.look(within, one) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// gather lists the parts of all snapshots. One that has vanished meanwhile is said to be.
func (f *finding) gather(ctx context.Context, snapshots []models.FindSnapshot) (todo []partOf, err error) {
	for _, s := range snapshots {
		row, err := f.DB.Snapshots.Get(ctx, s.SnapshotName)
		if gone := models.HasCode(err, models.CodeSnapshotNotFound); gone || err == nil && (row.ID != s.SnapshotID || !row.Usable()) {
			if err := f.note(ctx, models.FindProgress{Place: s.Place, Done: s.Parts, Reason: vanished}); err != nil {
				return nil, err
			}
			continue
		} else if err != nil {
			return nil, err
		}
		for _, p := range row.Parts {
			todo = append(todo, partOf{s.Place, row, archivePart(p)})
			f.total.Add(p.Bytes)
		}
	}
	return todo, nil
}

const vanished = "It was deleted in the meantime."

func (f *finding) note(ctx context.Context, p models.FindProgress) error {
	return f.DB.Finds.Note(context.WithoutCancel(ctx), f.run, f.args.Keep, p)
}

// look looks through one part.
func (f *finding) look(ctx context.Context, one partOf) error {
	if f.excluded(ctx, one) {
		f.done.Add(one.part.Bytes)
		return f.note(ctx, models.FindProgress{Place: one.place, Done: 1, Excluded: 1})
	}
	found := &finds{finding: f, ctx: ctx, part: one, began: time.Now()}
	err := f.read(ctx, one, found)
	last := found.progress(1)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if last.Reason, err = f.explain(ctx, one, err); err != nil {
			return err
		}
	}
	return f.note(ctx, last)
}

// excluded tells whether a part cannot have the key.
func (f *finding) excluded(ctx context.Context, one partOf) bool {
	if one.part.Keys == 0 {
		return true
	}
	name, exact := f.query.Name()
	return exact && f.without(ctx, f.quiet, one.row, one.part, name)
}

// read reads a part to its end.
func (f *finding) read(ctx context.Context, one partOf, found *finds) error {
	r, err := f.quiet.OpenPart(ctx, refOf(one.row), one.part)
	if err != nil {
		return err
	}
	defer r.Close()
	counted := &countedReader{Reader: r, add: f.done.Add}
	err = find.Scan(counted, f.query, found.see)
	f.done.Add(one.part.Bytes - counted.read) // a part that could not be read is done with
	return err
}

// countedReader tells how much is read through it.
type countedReader struct {
	io.Reader
	add  func(int64) int64
	read int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	r.add(int64(n))
	return n, err
}

// explain says of a part what is wrong with it, or returns the error if that says nothing about the part.
func (f *finding) explain(ctx context.Context, one partOf, err error) (string, error) {
	damaged := errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrInvalid) || isBroken(err)
	if damaged {
		row, gone := f.DB.Snapshots.Get(ctx, one.row.Name)
		if models.HasCode(gone, models.CodeSnapshotNotFound) || gone == nil && (row.ID != one.row.ID || !row.Usable()) {
			return vanished, nil
		}
		if err := errors.Join(f.health.Present(ctx), f.health.emptied(ctx)); err != nil { // has the store gone away?
			return "", err
		}
	}
	switch {
	case errors.Is(err, rdb.ErrUnknown):
		return fmt.Sprintf("Part %d has something that this version of Rekindle does not know, so that not all of its keys can be told apart.", one.part.Number), nil
	case errors.Is(err, archive.ErrMissing):
		return fmt.Sprintf("Part %d is missing in the store.", one.part.Number), nil
	case damaged:
		f.Logger.Warn("a part in which a key is looked for is damaged", "snapshot", one.row.Name, "part", one.part.Number, "error", err)
		return fmt.Sprintf("Part %d is damaged; what was found in it may be wrong. Verify the snapshot.", one.part.Number), nil
	}
	return "", f.health.away(err)
}

func isBroken(err error) bool {
	for _, kind := range []error{rdb.ErrNotRDB, rdb.ErrTruncated, rdb.ErrChecksum, rdb.ErrCorrupt} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// Bounds of what is found before it is written down.
const (
	findBatch = 200
	findDelay = time.Second // of real time: it is for people who watch
)

// finds are what was found in one part and is not written down yet.
type finds struct {
	*finding
	ctx   context.Context
	part  partOf
	began time.Time
	keys  []models.FoundKey
	count int64
}

// see takes a key that was found.
func (s *finds) see(m find.Match) error {
	s.count++
	_, exact := s.query.Name()
	if s.matches.Add(1) <= int64(s.args.Keep) && (exact || !s.hide) {
		key := models.FoundKey{Part: s.part.part.Number, Database: m.Database, Length: m.Length, Type: m.Type, Encoding: m.Encoding, Bytes: m.Bytes, Digest: string(m.Digest)}
		if !exact {
			key.Name = m.Name
		}
		if !m.Expires.IsZero() {
			key.ExpiresAt = &m.Expires
		}
		s.keys = append(s.keys, key)
	}
	if len(s.keys) < findBatch && (len(s.keys) == 0 || time.Since(s.began) < findDelay) {
		return nil
	}
	s.began = time.Now()
	return s.note(s.ctx, s.progress(0))
}

// progress is what is not written down yet, with this many parts that are done with.
func (s *finds) progress(done int) models.FindProgress {
	p := models.FindProgress{Place: s.part.place, Matches: s.count, Keys: s.keys, Done: done}
	s.keys, s.count = nil, 0
	return p
}
