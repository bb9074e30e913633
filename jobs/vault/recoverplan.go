package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rekindle/internal/journal"
	"rekindle/internal/primary"
	"rekindle/internal/store"
	"rekindle/jobs/reason"
	"rekindle/models"
)

const (
	// triedBases is how many snapshots are tried as the beginning of a recovery.
	triedBases = 10
	// clockMargin covers that the time of a snapshot and that of the journal are taken at different places.
	clockMargin = 10 * time.Minute
	// behindMoment is how far behind the moment the journal is looked at: what comes there proves that nothing of the moment is missing.
	behindMoment = time.Hour
)

// progress is how many bytes have been sent.
type progress = atomic.Int64

// span is what is played back behind a part of the base.
type span struct {
	shard    int
	run      string // the recording
	id       string // of the history at its end
	from, to int64
	at       time.Time // when the last command in it came
	chain    []journal.Segment
	commands int64 // counted while it is played back
}

func (s *span) bytes() int64 { return s.to - s.from }

// plan finds the newest snapshot that the journal leads from to the moment, in each shard. The error is about the newest snapshot there is.
func (d *recovery) plan(ctx context.Context) (base models.Snapshot, spans []span, err error) {
	bases, err := d.DB.Recoveries.Bases(ctx, d.run.ClusterName, d.args.Moment, triedBases)
	if err != nil {
		return base, nil, err
	}
	bases = slices.DeleteFunc(bases, func(s models.Snapshot) bool { return s.Name == d.run.SnapshotName }) // one that is compared is not made of itself
	var first error
	for _, base := range bases {
		spans, err := d.spansBehind(ctx, base)
		if err == nil {
			return base, spans, nil
		}
		if _, refused := reason.Text(err); !refused {
			return base, nil, err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = reason.Because(nil, "There is no snapshot of %s from before %s UTC, which a recovery would begin with.", d.run.ClusterName, instant(d.args.Moment))
	}
	return base, nil, first
}

// spansBehind finds for each part of a snapshot what leads from it to the moment. An error that is a reason is about this snapshot.
func (d *recovery) spansBehind(ctx context.Context, base models.Snapshot) ([]span, error) {
	all, err := d.segments(ctx, base.StartedAt.Add(-clockMargin), d.args.Moment.Add(behindMoment))
	if err != nil {
		return nil, err
	}
	spans := make([]span, len(base.Parts))
	for i, part := range base.Parts {
		of := journal.Settled(slices.DeleteFunc(slices.Clone(all), func(s journal.Segment) bool { return s.Shard != part.Number }))
		if spans[i], err = d.spanBehind(ctx, base, part, of); err != nil {
			return nil, err
		}
	}
	return spans, nil
}

// spanBehind finds what leads from a part to the moment.
func (d *recovery) spanBehind(ctx context.Context, base models.Snapshot, part models.Part, segments []journal.Segment) (span, error) {
	var first error
	for _, run := range runsThrough(segments, part) {
		s, err := d.spanIn(ctx, base, part, segments, run)
		if err == nil {
			return s, nil
		}
		if _, refused := reason.Text(err); !refused {
			return span{}, err
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = reason.Because(nil, "The journal of %s does not go on from the snapshot %s, the last one before %s UTC: shard %d was not recorded when it was taken, or it has lost its history since.",
			d.run.ClusterName, base.Name, instant(d.args.Moment), part.Number)
	}
	return span{}, first
}

// runsThrough are the recordings that go through the place where a part was taken, the one that ends last first.
func runsThrough(segments []journal.Segment, part models.Part) []string {
	var runs []string
	ends := make(map[string]int64)
	for _, s := range segments {
		ends[s.Run] = max(ends[s.Run], s.To)
		if s.From <= part.ReplicationOffset && part.ReplicationOffset <= s.To && s.ReplicationID == part.ReplicationID && !slices.Contains(runs, s.Run) {
			runs = append(runs, s.Run)
		}
	}
	slices.SortFunc(runs, func(a, b string) int { return int(min(max(ends[b]-ends[a], -1), 1)) })
	return runs
}

// spanIn finds what leads from a part to the moment within one recording.
func (d *recovery) spanIn(ctx context.Context, base models.Snapshot, part models.Part, segments []journal.Segment, run string) (span, error) {
	every := segments
	segments = slices.DeleteFunc(slices.Clone(segments), func(s journal.Segment) bool { return s.Run != run })
	s := span{shard: part.Number, run: run, from: part.ReplicationOffset, chain: segments}
	place := slices.IndexFunc(d.args.Places, func(p models.RecoverFrom) bool { return p.Shard == part.Number })
	if place >= 0 {
		if wanted := d.args.Places[place].Run; wanted != "" && wanted != run {
			return span{}, reason.Because(nil, "The place that was asked for in shard %d is in another recording than the one behind the snapshot %s.", part.Number, base.Name)
		}
		s.to, s.at = d.args.Places[place].Offset, d.args.Moment
	} else if err := d.reach(ctx, &s, base, part, segments, every); err != nil {
		return span{}, err
	}
	if s.to < s.from {
		return span{}, reason.Because(nil, "The snapshot %s was taken behind the place that was asked for in shard %d.", base.Name, part.Number)
	}
	chain, err := journal.Chain(segments, run, s.from, s.to)
	if gap, is := errors.AsType[*journal.GapError](err); is {
		return span{}, d.gap(base, part, segments, gap)
	} else if err != nil {
		return span{}, err
	}
	s.chain, s.id = chain, part.ReplicationID
	if len(chain) > 0 {
		s.id = chain[len(chain)-1].ReplicationID
	}
	return s, nil
}

// reach finds the last place of a recording that is not behind the moment. every segment of the shard tells whether another recording has begun since.
func (d *recovery) reach(ctx context.Context, s *span, base models.Snapshot, part models.Part, segments, every []journal.Segment) error {
	until := segments[0].End
	for _, segment := range segments {
		if segment.End.After(until) {
			until = segment.End
		}
	}
	if until.Before(d.args.Moment) {
		if next := begunBehind(every, s.run, until); !next.IsZero() {
			return d.gapBetween(base, part, until, next, nil)
		}
		return reason.Because(nil, "The journal of shard %d is stored up to %s UTC so far, which is before %s. Choose an earlier moment, or try again in a while.",
			part.Number, until.UTC().Format("2006-01-02 15:04:05.000"), instant(d.args.Moment))
	}
	offset, at, err := journal.SafePlace(ctx, d.Store, segments, s.run, d.args.Moment)
	switch {
	case errors.Is(err, journal.ErrNoPlace):
	case err != nil:
		if why, is := s.fault(err); is {
			return why
		}
		return err
	}
	s.to, s.at = offset, at
	if s.to <= s.from { // nothing came between the two
		s.to, s.at = s.from, part.StartedAt
	}
	return nil
}

// gap says in words where the journal has a gap.
func (d *recovery) gap(base models.Snapshot, part models.Part, segments []journal.Segment, gap *journal.GapError) error {
	var before, after time.Time
	for _, s := range segments {
		if s.To <= gap.From && s.End.After(before) {
			before = s.End
		}
		if s.From >= gap.To && (after.IsZero() || s.Begin.Before(after)) {
			after = s.Begin
		}
	}
	if before.IsZero() {
		before = part.StartedAt
	}
	return d.gapBetween(base, part, before, after, gap)
}

// begunBehind is when the first other recording begins that is behind an instant; zero when there is none.
func begunBehind(every []journal.Segment, run string, until time.Time) (first time.Time) {
	for _, s := range every {
		if s.Run != run && s.Begin.After(until) && (first.IsZero() || s.Begin.Before(first)) {
			first = s.Begin
		}
	}
	return first
}

// gapBetween says that there is a gap between two instants. The second one may be zero.
func (d *recovery) gapBetween(base models.Snapshot, part models.Part, before, after time.Time, gap error) error {
	until := ""
	if !after.IsZero() {
		until = " to " + instant(after)
	}
	return reason.Because(gap, "The journal of shard %d has a gap from %s%s UTC, so nothing behind that can be reached from the snapshot %s. Choose a moment before the gap, or one behind a later snapshot.",
		part.Number, instant(before), until, base.Name)
}

// fault says in words which piece of the journal an error is about; false when it is about none.
func (s *span) fault(err error) (error, bool) {
	what := ""
	switch {
	case errors.Is(err, journal.ErrDamaged):
		what = "is damaged in the snapshot store"
	case errors.Is(err, journal.ErrMissing):
		what = "is missing in the snapshot store"
	case errors.Is(err, journal.ErrNewer):
		return reason.Because(err, "The journal was written by a newer Rekindle than this one. Upgrade to use it."), true
	case errors.Is(err, journal.ErrMalformed):
		return reason.Because(err, "The journal of shard %d is not what a node sends. The log says more.", s.shard), true
	default:
		return nil, false
	}
	for _, segment := range s.chain {
		if strings.Contains(err.Error(), segment.Key) {
			return reason.Because(err, "The journal of shard %d from %s to %s UTC %s (%s). Every moment before that can be reached, and every one behind a later snapshot.",
				s.shard, instant(segment.Begin), instant(segment.End), what, segment.Key), true
		}
	}
	return reason.Because(err, "A piece of the journal of shard %d %s. The log names it.", s.shard, what), true
}

func instant(t time.Time) string { return t.UTC().Format(time.DateTime) }

// open reads the bytes of the span, counts its commands, and looks whether it ends where a node can be.
func (s *span) open(ctx context.Context, st store.Store) (io.ReadCloser, error) {
	r, err := journal.Open(ctx, st, s.chain, s.from, s.to)
	if err != nil {
		return nil, err
	}
	s.commands = 0
	counted := journal.NewScanner(s.from, journal.Unknown, func(c *journal.Command) {
		switch string(c.Name) {
		case "PING", "REPLCONF", "SELECT", "MULTI", "EXEC":
		default:
			s.commands++
		}
	})
	return &replayed{r, s, counted}, nil
}

// replayed is the stream of a span while it is read.
type replayed struct {
	io.ReadCloser
	span    *span
	scanner *journal.Scanner
}

func (r *replayed) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if _, malformed := r.scanner.Write(p[:n]); malformed != nil {
		return 0, malformed
	}
	if safe, _ := r.scanner.Safe(); err == io.EOF && safe != r.span.to {
		return 0, fmt.Errorf("%w: the last safe place before %d is %d", primary.ErrTorn, r.span.to, safe)
	}
	return n, err
}
