package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rekindle/internal/find"
	"rekindle/internal/journal"
	"rekindle/internal/keyspec"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// pieceSegments is how many segments are looked through in one go. What goes beyond the last one, the rest of a command, is read twice.
const pieceSegments = 32

// tracing is a search through a cluster's journal.
type tracing struct {
	*finding
	span        models.FindJournal
	done, total atomic.Int64 // bytes of the streams
}

// searchJournal looks through the journal of a cluster, in pieces, some at once and the newest first.
func (f *finding) searchJournal(ctx context.Context, report *queue.Report, step, of int) error {
	t := &tracing{finding: f, span: *f.args.Journal}
	recordings, err := f.DB.Journal.Recordings(ctx, f.run.ClusterID, t.span)
	if err != nil {
		return err
	}
	for _, r := range recordings {
		t.total.Add(r.To - r.From)
	}
	report.Step(step, of, "Looking through the journal", func() models.Progress {
		return models.Progress{BytesDone: t.done.Load(), BytesTotal: t.total.Load()}
	})
	if err := t.unrecorded(ctx, recordings); err != nil {
		return err
	}
	if err := t.pieces(ctx, recordings); err != nil {
		return err
	}
	return f.DB.Finds.JournalDone(context.WithoutCancel(ctx), f.run)
}

// backwards goes along a recording from its end.
type backwards struct {
	models.Recording
	at       int64     // everything behind it is in pieces
	ended    time.Time // when it came
	database int       // selected where it begins, if the stream does not say it
}

// pieces looks through recordings piece by piece.
func (t *tracing) pieces(ctx context.Context, recordings []models.Recording) error {
	var rest []*backwards
	for _, r := range recordings {
		last, _, err := t.DB.Journal.Back(ctx, r, r.To, 0)
		if err != nil {
			return err
		}
		rest = append(rest, &backwards{r, r.To, last.End, t.selected(ctx, r)})
	}
	work, within := errgroup.WithContext(ctx)
	work.SetLimit(models.FindParallel)
	for len(rest) > 0 && within.Err() == nil {
		next := slices.MaxFunc(rest, func(a, b *backwards) int { return a.ended.Compare(b.ended) })
		piece, err := t.cut(ctx, next)
		if err != nil {
			work.Go(func() error { return err })
			break
		}
		if next.at <= next.From {
			rest = slices.DeleteFunc(rest, func(b *backwards) bool { return b == next })
		}
		database := next.database
		work.Go(func() error { return t.look(within, piece, database) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// cut takes the next piece off the end of a recording.
func (t *tracing) cut(ctx context.Context, b *backwards) (models.Recording, error) {
	piece := b.Recording
	piece.To = b.at
	before, found, err := t.DB.Journal.Back(ctx, b.Recording, b.at, pieceSegments)
	if err != nil {
		return piece, err
	}
	if found && before.To > b.From {
		piece.From, b.ended = before.To, before.End
	}
	b.at = piece.From
	return piece, nil
}

// look looks through a piece, and writes down what was found.
func (t *tracing) look(ctx context.Context, piece models.Recording, database int) error {
	stream := find.Stream{
		Store: quietStore{t.Store, t.Moving}, Database: database,
		Next: func(ctx context.Context, place int64) (journal.Segment, bool, error) {
			return t.segment(ctx, piece, place)
		},
		Done:   func(n int64) { t.done.Add(n) },
		Within: t.span.Contains,
	}
	found, err := t.query.SearchStream(ctx, stream, piece.From, piece.To, t.args.Keep)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		return t.health.away(err)
	}
	result := models.FoundChanges{Count: found.Count}
	if _, exact := t.query.Name(); exact || !t.hide {
		for _, c := range found.Newest {
			result.Changes = append(result.Changes, t.change(c, piece))
		}
	}
	for _, h := range found.Holes {
		hole, is, err := t.hole(ctx, h, piece)
		if err != nil {
			return err
		}
		if is {
			result.Holes = append(result.Holes, hole)
		}
	}
	if result.Count == 0 && len(result.Holes) == 0 {
		return nil
	}
	return t.DB.Finds.NoteChanges(context.WithoutCancel(ctx), t.run, t.args.Keep, result)
}

// segment finds the segment of a place in a recording.
func (t *tracing) segment(ctx context.Context, r models.Recording, place int64) (journal.Segment, bool, error) {
	row, found, err := t.DB.Journal.SegmentAt(ctx, r, place)
	if err != nil || !found {
		return journal.Segment{}, false, err
	}
	segment, err := journal.ParseKey(row.Key, row.Size)
	return segment, err == nil, err
}

// change is what of a change is kept.
func (t *tracing) change(c find.Change, in models.Recording) models.FoundChange {
	kept := models.FoundChange{At: c.At, Shard: in.Shard, Run: in.Run, Before: c.Before, After: c.After, Database: c.Database, Command: c.Command, Kind: kindOf(c), Word: c.Word, Bytes: c.Bytes,
		Length: c.Length, OtherDatabase: c.OtherDatabase}
	if _, exact := t.query.Name(); !exact {
		kept.Name = c.Name
	}
	if !t.hide {
		kept.Other = c.Other
	}
	if !c.Expires.IsZero() {
		kept.ExpiresAt = &c.Expires
	}
	return kept
}

var changeKinds = map[keyspec.Effect]models.ChangeKind{
	keyspec.Written: models.ChangeWritten, keyspec.Changed: models.ChangeChanged, keyspec.Reduced: models.ChangeReduced, keyspec.Deleted: models.ChangeDeleted,
	keyspec.ExpirySet: models.ChangeExpirySet, keyspec.ExpiryRemoved: models.ChangeExpiryRemoved, keyspec.FieldExpiry: models.ChangeFieldExpiry,
	keyspec.RenamedTo: models.ChangeRenamedTo, keyspec.RenamedFrom: models.ChangeRenamedFrom, keyspec.MovedTo: models.ChangeMovedTo,
	keyspec.CopiedTo: models.ChangeCopiedTo, keyspec.CopiedFrom: models.ChangeCopiedFrom, keyspec.MayChange: models.ChangePossible,
}

var sweepKinds = map[keyspec.Sweep]models.ChangeKind{
	keyspec.FlushesAll: models.ChangeFlushedAll, keyspec.FlushesDatabase: models.ChangeFlushed, keyspec.Swaps: models.ChangeSwapped, keyspec.TrimsSlots: models.ChangeTrimmed,
}

func kindOf(c find.Change) models.ChangeKind {
	if c.Guess {
		return models.ChangeGuess
	}
	return cmp.Or(sweepKinds[c.Sweep], changeKinds[c.Effect])
}

// hole says why a piece could not be looked through; false if it was removed meanwhile, because the recovery window no longer needs it. An error says that
// the store is not what it was.
func (t *tracing) hole(ctx context.Context, h find.Hole, in models.Recording) (models.FindHole, bool, error) {
	hole := models.FindHole{Shard: in.Shard, Begin: instantOf(h.Begin), End: instantOf(h.End)}
	if h.Key == "" {
		hole.Reason = "Nothing of this time is stored."
		return hole, !h.Begin.IsZero(), nil // what was removed meanwhile is the oldest, so nothing is before it
	}
	if !errors.Is(h.Err, journal.ErrNewer) {
		now, found, err := t.segment(ctx, in, h.From)
		if err == nil && (!found || now.Key != h.Key) {
			return hole, false, nil
		}
		if err := errors.Join(err, t.health.Present(ctx), t.health.emptied(ctx)); err != nil {
			return hole, false, err
		}
		t.Logger.Warn("a segment of a journal in which a key is looked for cannot be read", "segment", h.Key, "error", h.Err)
	}
	switch {
	case errors.Is(h.Err, journal.ErrMissing):
		hole.Reason = fmt.Sprintf("It is missing in the snapshot store (%s).", h.Key)
	case errors.Is(h.Err, journal.ErrNewer):
		hole.Reason = "It was written by a newer Rekindle than this one. Upgrade to look through it."
	case errors.Is(h.Err, journal.ErrMalformed):
		hole.Reason = fmt.Sprintf("It is not what a node sends to its replicas (%s).", h.Key)
	default:
		hole.Reason = fmt.Sprintf("It is damaged in the snapshot store (%s).", h.Key)
	}
	return hole, true, nil
}

func instantOf(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// recordedTime is when something of a shard was recorded.
type recordedTime struct {
	shard      int
	begin, end time.Time
}

// unrecorded notes the times between the recordings of a shard.
func (t *tracing) unrecorded(ctx context.Context, recordings []models.Recording) error {
	var times []recordedTime
	for _, r := range recordings {
		first, _, err := t.DB.Journal.SegmentAt(ctx, r, r.From)
		if err != nil {
			return err
		}
		last, _, err := t.DB.Journal.Back(ctx, r, r.To, 0)
		if err != nil {
			return err
		}
		times = append(times, recordedTime{r.Shard, first.Begin, last.End})
	}
	if holes := between(times); len(holes) > 0 {
		return t.DB.Finds.NoteChanges(context.WithoutCancel(ctx), t.run, t.args.Keep, models.FoundChanges{Holes: holes})
	}
	return nil
}

// between are the times between others of the same shard, from a second on.
func between(times []recordedTime) (holes []models.FindHole) {
	slices.SortFunc(times, func(a, b recordedTime) int { return cmp.Or(cmp.Compare(a.shard, b.shard), a.begin.Compare(b.begin)) })
	for i, one := range times {
		if i == 0 || times[i-1].shard != one.shard {
			continue
		}
		before := times[i-1].end
		if one.begin.Sub(before) >= time.Second {
			holes = append(holes, models.FindHole{Shard: one.shard, Begin: &before, End: &one.begin, Reason: "Nothing was recorded in this time."})
		}
		if before.After(one.end) { // the next one is compared with what ends last
			times[i].end = before
		}
	}
	return holes
}
