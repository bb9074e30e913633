package links

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/journal"
	"rekindle/jobs/nodes"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// following is the link to one shard, with everything that is done to keep it.
type following struct {
	*Keeper
	at    place
	plan  models.JournalPlan
	close context.CancelCauseFunc

	cluster models.Cluster
	shard   models.Shard
	link    models.JournalLink
	gap     string // why there is one before what comes next; "": there is none
}

// The pauses between two attempts at a link.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// settlePatience is how long the last writes to the catalog may take when a link is closed.
const settlePatience = 5 * time.Second

// run keeps the link until ctx ends, or another console has it.
func (f *following) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now() // real time: it only paces
		err := f.once(ctx)
		if errors.Is(err, errTaken) || errors.Is(err, models.ErrLeaseLost) {
			return
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errBridged) {
			pause = firstPause
			continue
		}
		f.waits(ctx, err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		drain.Pause(ctx, pause)
		pause = min(2*pause, lastPause)
	}
	f.release(ctx)
}

// release gives the link up, with what it is in the catalog.
func (f *following) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	if f.link.Owner == "" {
		return
	}
	f.link.State, f.link.Reason, f.link.Since = models.JournalWaiting, "", f.DB.Now()
	if err := f.DB.Recording.Report(ctx, f.link); err != nil && !errors.Is(err, models.ErrLeaseLost) {
		f.Logger.Error("write down that a journal is not kept now", "cluster", f.cluster.Name, "shard", f.at.shard, "error", err)
	}
	if err := f.DB.Recording.Release(ctx, f.link); err != nil {
		f.Logger.Error("release a journal", "cluster", f.cluster.Name, "shard", f.at.shard, "error", err)
	}
}

// waits writes down that there is no link, and why.
func (f *following) waits(ctx context.Context, err error) {
	if f.link.Owner == "" {
		f.failed(ctx, "keep a journal", err)
		return
	}
	text := "The link ended."
	if err != nil {
		var is bool
		if text, is = f.Sentence(err); !is {
			f.Logger.Error("keep a journal", "cluster", f.cluster.Name, "shard", f.at.shard, "error", err)
		} else {
			f.Logger.Warn("a journal waits", "cluster", f.cluster.Name, "shard", f.at.shard, "error", err)
		}
	}
	if f.link.State != models.JournalWaiting || f.link.Reason != text {
		f.link.Since = f.DB.Now()
	}
	f.link.State, f.link.Reason = models.JournalWaiting, text
	f.failed(ctx, "write down that a journal waits", f.DB.Recording.Report(ctx, f.link))
}

// once opens the link and keeps it until it ends.
func (f *following) once(ctx context.Context) error {
	cluster, err := f.DB.Clusters.ByID(ctx, f.at.cluster)
	if err != nil {
		return err
	}
	shard, is := cluster.Shard(f.at.shard)
	if !is {
		return reason.Because(nil, "The cluster no longer has this shard.")
	}
	f.cluster, f.shard = cluster, shard
	link, mine, err := f.DB.Recording.Claim(ctx, cluster, f.at.shard, f.Owner())
	if err != nil {
		return err
	} else if !mine {
		return errTaken
	}
	f.link = link
	if err := f.Present(ctx); err != nil {
		return err
	}
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	source, err := f.source(ctx)
	if err != nil {
		return err
	}
	open, err := f.begin(ctx, source)
	if err != nil {
		return err
	}
	defer open.stream.Close()
	return f.record(ctx, open)
}

// source chooses the node to read: the freshest replica, and the primary only if that is allowed.
func (f *following) source(ctx context.Context) (models.SnapshotSource, error) {
	source, err := f.Nodes.Source(ctx, f.cluster, f.shard)
	if err != nil {
		return source, err
	}
	if source.Fallback && !f.plan.Lone {
		return source, reason.Because(nil, "%s A journal is read from a primary only if that is allowed, for it costs the primary some of its time.", f.why(source))
	}
	if !f.cluster.Attached() {
		f.widen(ctx)
	}
	return source, nil
}

func (f *following) why(source models.SnapshotSource) string {
	if f.cluster.Replicas > 0 {
		return "No replica is in step with its primary."
	}
	return "The cluster has no replica."
}

// record stores what comes until the link ends.
func (f *following) record(ctx context.Context, open link) error {
	stream, run := open.stream, open.run

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.link.State, f.link.Reason, f.link.NeedsBase, f.link.Since = models.JournalFollowing, "", false, f.DB.Now()
	f.link.Node, f.link.Role = open.node.Name, open.node.Role
	if run != f.link.Run {
		f.link.Run, f.link.ReplicationID, f.link.Offset, f.link.Resume, f.link.Database = run, stream.ReplicationID(), stream.Offset(), stream.Offset(), journal.Unknown
	}
	resume := &journal.Resume{Run: run, ReplicationID: stream.ReplicationID(), Offset: stream.Offset(), Database: f.link.Database}
	if err := f.DB.Recording.Report(ctx, f.link); err != nil {
		return err
	}
	f.Logger.Info("a journal is being kept", "cluster", f.cluster.Name, "shard", f.at.shard, "node", open.node.Name, "from", stream.Offset())
	if open.bridge != nil {
		go f.endBridge(ctx, *open.bridge, cancel)
	}
	return journal.Record(ctx, stream, f.Store, f.place(), run, journal.RecorderOptions{Every: f.plan.Promise, SpoolDir: f.spool(f.cluster, f.at.shard), Clock: f.Clock, Resume: resume,
		OnSegment: func(s journal.Segment, index journal.Index) {
			settle, done := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
			defer done()
			if err := f.stored(settle, s, index); err != nil {
				cancel(err) // the store has it, and the next attempt finds it there
			}
		}})
}

func (f *following) place() journal.Place {
	return journal.Place{Cluster: f.cluster.Name, Shard: f.at.shard}
}

// stored writes down a segment that is in the store.
func (f *following) stored(ctx context.Context, s journal.Segment, index journal.Index) error {
	f.goesOn(s, index)
	segment := segmentOf(f.at.cluster, s)
	segment.Writes = writesOf(index.Counts)
	err := f.DB.Recording.Stored(ctx, f.link, segment, eventsOf(index), f.gap)
	f.gap = ""
	return err
}

// goesOn has the link go on behind a segment.
func (f *following) goesOn(s journal.Segment, index journal.Index) {
	end, resume := s.End, index.Resume()
	f.link.Run, f.link.ReplicationID, f.link.Offset, f.link.StoredAt = s.Run, s.ReplicationID, s.To, &end
	f.link.Resume, f.link.Database = resume.Offset, resume.Database
}

// segmentOf is a stored segment in the catalog's terms.
func segmentOf(cluster uint, s journal.Segment) models.JournalSegment {
	return models.JournalSegment{ClusterID: cluster, Shard: s.Shard, Run: s.Run, ReplicationID: s.ReplicationID, From: s.From, To: s.To, Begin: s.Begin, End: s.End, Size: s.Size,
		Key: s.Key}
}

// writesOf is how many commands there were.
func writesOf(counts []journal.Counts) (sum int64) {
	for _, second := range counts {
		for _, c := range second.Commands {
			sum += c.Commands
		}
	}
	return sum
}

func eventsOf(index journal.Index) []models.JournalEvent {
	events := make([]models.JournalEvent, len(index.Events))
	for i, e := range index.Events {
		events[i] = models.JournalEvent{At: e.At, Before: e.Before, After: e.After, Command: e.Kind, Database: e.Database, Keys: e.Keys}
	}
	return events
}

// catchUp brings into the store what a killed console of this host had not stored, and into the catalog what the store has that it does not know.
func (f *following) catchUp(ctx context.Context) error {
	if err := journal.Salvage(ctx, f.Store, f.spool(f.cluster, f.at.shard), nil); err != nil {
		return fmt.Errorf("store what was left of a journal: %w", err)
	}
	var since time.Time
	if f.link.StoredAt != nil {
		since = *f.link.StoredAt
	}
	var found []models.JournalSegment
	for s, err := range journal.List(ctx, f.Store, f.cluster.Name, since) {
		if err != nil {
			return err
		}
		if s.Shard != f.at.shard {
			continue
		}
		found = append(found, segmentOf(f.at.cluster, s))
	}
	adopted, err := f.DB.Journal.Adopt(ctx, found)
	if err != nil {
		return err
	}
	last, is := f.last(found, adopted)
	if !is {
		return nil
	}
	index, err := journal.ReadIndex(ctx, f.Store, last)
	if err != nil {
		return fmt.Errorf("find out where a journal goes on: %w", err)
	}
	f.goesOn(last, index)
	return f.DB.Recording.GoOn(ctx, f.link)
}

// last is the one of the segments that were found, some of which the catalog did not know, that the link goes on behind; false if it is behind all of them
// already. The clock may have been set since, so within a recording places decide.
func (f *following) last(found, unknown []models.JournalSegment) (last journal.Segment, is bool) {
	for _, s := range found {
		newer := s.To > f.link.Offset
		if s.Run != f.link.Run {
			newer = (f.link.StoredAt == nil || s.End.After(*f.link.StoredAt)) && slices.ContainsFunc(unknown, func(u models.JournalSegment) bool { return u.Key == s.Key })
		}
		later := !s.End.Before(last.End)
		if s.Run == last.Run {
			later = s.To > last.To
		}
		if newer && later {
			last, is = stored(f.cluster, s), true
		}
	}
	return last, is
}

// widen makes the backlogs of launched nodes large enough for a link that is away for a while.
func (f *following) widen(ctx context.Context) {
	for _, node := range f.shard.Nodes {
		if err := nodes.Widen(ctx, f.cluster, node); err != nil && ctx.Err() == nil {
			f.Logger.Debug("widen the backlog of a node", "node", node.Name, "error", err) // it is away; the default holds less
		}
	}
}
