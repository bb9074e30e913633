package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Recoverer makes a moment of a cluster a snapshot. Part by part, a snapshot from before the moment is loaded into a node that exists only for this, what
// the journal has between the two is played back, and a snapshot is taken of the node. Nodes are as those of drills: one at a time, on the loopback
// address only, with a password that nobody else knows; they never save, and go at the latest at the next start.
type Recoverer struct {
	kit
	reader   *Reader
	writer   *Writer
	mover    *Mover
	verifier *Verifier
	trials   *trials
	turn     chan struct{} // of the daily snapshots that are made from journals: one at a time
}

// May lets one recovery run at a time on this console, because each takes the memory of a node.
func (r *Recoverer) May(ctx context.Context, run models.Run, _ int) bool {
	may, err := r.DB.Recoveries.MayRun(ctx, run, r.Lease.Owner())
	if err != nil && ctx.Err() == nil {
		r.Logger.Error("look whether a recovery may begin", "run", run.ID, "error", err)
	}
	return err == nil && may
}

// recovery is one recovery.
type recovery struct {
	*Recoverer
	run      models.Run
	args     models.RecoverArgs
	report   *queue.Report
	draft    *Draft
	base     models.Snapshot
	manifest archive.Manifest // of the base
	engine   models.Engine
	spans    []span        // for each part
	patience time.Duration // with which it waits for memory
	debug    bool          // its nodes answer DEBUG
}

// Recover is the body of a recovery.
func (r *Recoverer) Recover(ctx context.Context, run models.Run, args models.RecoverArgs, report *queue.Report) error {
	row, err := r.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	at, complete, err := r.mover.clearPlace(ctx, run, row)
	if err != nil || complete {
		return err
	}
	one := &recovery{Recoverer: r, run: run, args: args, report: report, patience: memoryPatience,
		draft: &Draft{Writer: r.writer, row: row, at: at, into: r.gathering(ctx)}}
	if err := one.choose(ctx); err != nil {
		return err
	}
	for i := range one.spans {
		if err := one.replay(ctx, i); err != nil {
			return fmt.Errorf("replay part %d of %s: %w", i+1, one.base.Name, err)
		}
	}
	manifest, err := one.result(ctx)
	if err != nil {
		return err
	}
	r.describe(ctx, manifest, one.draft.into)
	return r.mover.commit(ctx, one.run, manifest, "")
}

// choose chooses the snapshot to begin with, and keeps it from being removed.
func (d *recovery) choose(ctx context.Context) (err error) {
	d.report.Stage("Looking for a snapshot and for the journal behind it", nil)
	if d.base, d.spans, err = d.plan(ctx); err != nil {
		return err
	}
	if d.run, err = d.DB.Recoveries.Begin(ctx, d.run, d.base); err != nil {
		return err
	}
	return d.open(ctx)
}

// open reads what the snapshot to begin with consists of.
func (d *recovery) open(ctx context.Context) (err error) {
	if d.manifest, err = d.reader.Manifest(ctx, d.base); err != nil {
		return d.damagedBase(err)
	}
	d.engine, err = d.trials.engineOf(ctx, d.base, d.manifest)
	return err
}

// damagedBase says that what is stored of the base is not what was written. The journal's failures are something else.
func (d *recovery) damagedBase(err error) error {
	if errors.Is(err, primary.ErrHash) {
		err = errors.Join(archive.ErrDamaged, err)
	}
	if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrMissing) {
		return err
	}
	return reason.Because(err, "The snapshot %s, behind which the journal was to be replayed, is damaged or not whole. A verification of it was asked for. "+
		"When that has found the damage, try again: an older snapshot serves then, if the journal goes back to one.", d.base.Name)
}

// replay brings a node to the moment, and takes a part from it.
func (d *recovery) replay(ctx context.Context, index int) error {
	part, s := d.manifest.Parts[index], &d.spans[index]
	report := queue.Part(d.report, index, len(d.spans))
	t, err := d.node(ctx, part, s.bytes(), report)
	if err != nil {
		return err
	}
	defer t.end(ctx)
	var sent progress
	report.Step(1, replaySteps, fmt.Sprintf("Loading part %d of %s and replaying the journal behind it", part.Number, d.base.Name), func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: part.Bytes + s.bytes()}
	})
	held, err := d.hold(ctx, t, d.base, part, s, sent.Store)
	if err != nil {
		return d.explain(ctx, t.id(), part, s, err)
	}
	defer func() {
		if err := held.Close(); err != nil {
			d.Logger.Debug("let go of a node that was brought to a moment", "node", t.cluster.Name, "error", err) // it is removed
		}
	}()
	return d.draft.Take(ctx, Source{
		SnapshotSource: models.SnapshotSource{Node: t.node, Shard: models.Shard{Number: part.Number, Slots: part.Slots}},
		Replica:        replica.Source{Options: resp.Options{Addr: t.node.Address(), Password: t.cluster.Password}},
		Life:           func(context.Context) (Life, error) { return ended{}, nil },
		Tune:           func(context.Context) func() { return func() {} },
		Serves:         func(context.Context) func() { return func() {} },
	}, behind{report, 1})
}

// node starts a node for a part and so many bytes of the journal behind it, as soon as the host has memory for it. It has to be ended.
func (d *recovery) node(ctx context.Context, part archive.Part, behind int64, report queue.Stager) (*trial, error) {
	if err := d.trials.waitForMemory(ctx, part, min(behind, max(part.UsedMemory, 2*part.Bytes)), d.patience, d.report); err != nil {
		return nil, err
	}
	t := d.trials.node(recoverPrefix, d.run, part, d.engine)
	t.debug = d.debug
	report.Stage(fmt.Sprintf("Starting a node of %s", d.engine), nil)
	if err := t.start(ctx, part, nil); err != nil {
		t.end(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, reason.Because(err, "The node for it could not be started. The log says why.")
	}
	return t, nil
}

// replaySteps are the steps of a part: it is replayed, taken, and read back.
const replaySteps = 3

// behind reports the steps of something that has steps before it.
type behind struct {
	queue.Stager
	before int
}

func (b behind) Step(number, of int, text string, measure func() models.Progress) {
	b.Stager.Step(number+b.before, of+b.before, text, measure)
}

// ended is the end of a node that exists only for one recovery.
type ended struct{}

// BrokeOff says that no other node can serve in its place.
func (ended) BrokeOff(context.Context, int64) (string, bool) {
	return "The node that had been brought to the moment ended, or stopped answering, while the snapshot was taken of it.", false
}

// hold brings a node to the end of a span behind a part of a snapshot.
func (d *recovery) hold(ctx context.Context, t *trial, of models.Snapshot, part archive.Part, s *span, progress func(int64)) (*primary.Held, error) {
	return primary.Hold(ctx, primary.Target{Addr: t.node.Address(), Password: t.cluster.Password}, d.dump(of, part), primary.History{ReplicationID: s.id, Offset: s.from},
		func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, d.Store) },
		primary.Options{ListenHost: loopback, OnProgress: progress})
}

// dump is a part of a snapshot for a node.
func (d *recovery) dump(of models.Snapshot, part archive.Part) primary.Dump {
	return primary.Dump{Length: part.Bytes, Digest: part.Digest(), Version: part.RDBVersion, Keys: part.Keys, Expires: part.Expires,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return d.archive.OpenPart(ctx, refOf(of), part) }}
}

// explain finds out what a failure means: the base is damaged, the journal is, the engine does not take it, or nothing.
func (d *recovery) explain(ctx context.Context, node launch.ID, part archive.Part, s *span, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if why, is := s.fault(err); is {
		return why
	}
	why, _ := d.Launcher.LastWords(ctx, node.Cluster, node.Name)
	switch {
	case errors.Is(err, primary.ErrTorn):
		return reason.Because(err, "The place %d in the stream of shard %d is in the middle of a command or a transaction, where no node ever was. Choose another moment.", s.to, part.Number)
	case errors.Is(err, primary.ErrStream):
		return reason.Because(err, "A node of %s did not carry out all commands of the journal of shard %d, so it is not what the cluster was; the log names them. "+
			"Install the engine that the cluster has on the console's host, then try again.", d.engine, part.Number)
	case !errors.Is(err, primary.ErrGone):
		return d.damagedBase(err)
	}
	d.report.Stage(fmt.Sprintf("Reading part %d again, because the node has ended", part.Number), nil)
	if damage := d.verifier.quiet.VerifyPart(ctx, refOf(d.base), part, nil); damage != nil {
		return d.damagedBase(errors.Join(damage, err))
	}
	return reason.Because(err, "The node ended, or stopped answering, while part %d was replayed. %s", part.Number, why)
}

// result is the manifest of what was taken.
func (d *recovery) result(ctx context.Context) (archive.Manifest, error) {
	row, err := d.DB.Snapshots.Get(ctx, d.run.SnapshotName)
	if err != nil {
		return archive.Manifest{}, err
	}
	m := d.manifest.In(d.draft.at)
	m.Source, m.CreatedAt, m.RDBVersion, m.Configuration.UsedMemory = archive.Manual, row.CreatedAt, 0, 0
	for _, taken := range d.draft.taken {
		m.Engine, m.EngineVersion = taken.origin.Engine, taken.origin.Version
		m.RDBVersion = max(m.RDBVersion, taken.RDBVersion)
		m.Configuration.UsedMemory += taken.origin.UsedMemory
	}
	m.Origin = d.moment(&m).Origin()
	return m, nil
}

// moment writes into a manifest which moment its parts are of, and behind what.
func (d *recovery) moment(m *archive.Manifest) models.Cut {
	m.Moment = &archive.Moment{Asked: d.args.Moment, Base: d.base.Name}
	first, last := d.spans[0].at, d.spans[0].at
	for _, taken := range d.draft.taken { // in turn, so they are in order
		part, s, from := taken.Part, d.spans[taken.Number-1], d.manifest.Parts[taken.Number-1]
		part.SourceNode, part.SourceRole, part.StartedAt, part.CompletedAt = from.SourceNode, "", s.at, s.at
		m.Parts[taken.Number-1] = part
		m.Moment.Parts = append(m.Moment.Parts, archive.MomentPart{Number: part.Number, At: s.at, From: s.from, Run: s.run, Commands: s.commands})
		m.Moment.Commands += s.commands
		if s.at.Before(first) {
			first = s.at
		}
		if s.at.After(last) {
			last = s.at
		}
	}
	m.Moment.SkewMS = last.Sub(first).Milliseconds()
	return models.Cut{Asked: d.args.Moment, Last: last, Skew: last.Sub(first), Shards: len(d.spans), Base: d.base.Name, Commands: m.Moment.Commands}
}

// Settle ends a recovery that did not succeed.
func (r *Recoverer) Settle(ctx context.Context, run models.Run, f queue.Failure) error {
	present, err := r.DB.Runs.Get(ctx, run.ID) // its arguments say by now which snapshot it has read
	if err != nil {
		return err
	}
	run.Options = present.Options
	return r.mover.Settle(ctx, run, f)
}

// Abandon ends a recovery that was given up, and that was cut off while its remains were removed.
func (r *Recoverer) Abandon(ctx context.Context, run models.Run) error {
	return r.Settle(ctx, run, queue.Failure{Status: run.GivenUp, Reason: run.Error})
}

// segments finds what is stored of the stream of the cluster in a span of time.
func (d *recovery) segments(ctx context.Context, since, until time.Time) (all []journal.Segment, err error) {
	if d.Segments != nil {
		cluster, err := d.DB.Clusters.ByID(ctx, d.run.ClusterID)
		if err != nil {
			return nil, err
		}
		return d.Segments(ctx, cluster, since, until)
	}
	for s, err := range journal.List(ctx, d.Store, d.run.ClusterName, since) {
		if err != nil {
			return nil, err
		}
		if s.Begin.After(until.Add(24 * time.Hour)) { // days are in order, shards in turn within each
			break
		}
		if !s.Begin.After(until) {
			all = append(all, s)
		}
	}
	return all, nil
}
