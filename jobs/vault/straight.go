package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// Moment is a moment of a cluster that the nodes of a new one are filled with. No snapshot is made of it.
type Moment struct {
	*recovery
	from models.StraightFrom
}

// Straight chooses the snapshot that a new cluster begins with, and keeps it and the journal behind it from being removed until the run ends. It returns the
// cluster as it is then.
func (r *Recoverer) Straight(ctx context.Context, run models.Run, args models.StraightArgs, cluster models.Cluster, report *queue.Report) (*Moment, models.Cluster, error) {
	of := run
	of.ClusterName, of.ClusterID = args.Cluster, args.ClusterID // whose journal it is
	d := &recovery{Recoverer: r, run: of, args: models.RecoverArgs{Moment: args.Moment, Places: args.Places}, report: report, patience: memoryPatience}
	m := &Moment{d, models.StraightFrom{Cluster: args.Cluster, Moment: args.Moment, Places: args.Places}}
	report.Stage("Looking for a snapshot and for the journal behind it", nil)
	var err error
	if d.base, d.spans, err = d.plan(ctx); err != nil {
		return nil, cluster, err
	}
	if cluster, err = r.DB.Recoveries.BeginStraight(ctx, run, cluster, d.base); err != nil {
		return nil, cluster, err
	}
	if d.manifest, err = r.reader.Manifest(ctx, d.base); err != nil {
		return nil, cluster, d.damagedBase(err)
	}
	if d.engine = cluster.EngineName(); cluster.ClusterMode { // the node in between need not be of the same
		d.engine, err = r.trials.engineOf(ctx, d.base, d.manifest)
	}
	return m, cluster, err
}

// Base is the snapshot that it begins with.
func (m *Moment) Base() models.Snapshot { return m.base }

// Manifest is that of the snapshot that it begins with.
func (m *Moment) Manifest() archive.Manifest { return m.manifest }

// NotFed says that the cluster's engine does not load the snapshot that it begins with.
func (m *Moment) NotFed(cluster models.Cluster) string {
	return m.from.NotFed(cluster.EngineName(), m.base)
}

// Bytes is how much is read for a part, and for the journal behind it.
func (m *Moment) Bytes(index int) int64 {
	return m.manifest.Parts[index].Bytes + m.spans[index].bytes()
}

// Feed brings a node outside of cluster mode to the moment, and makes it a primary. fitted says that nodes like it held the data of the snapshot before.
func (m *Moment) Feed(ctx context.Context, node launch.ID, target primary.Target, fitted bool, options primary.Options) (primary.Result, error) {
	part, s := m.manifest.Parts[0], &m.spans[0]
	dump := m.dump(m.base, part)
	dump.Fitted = fitted
	result, err := primary.FeedUpTo(ctx, target, dump, func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, m.Store) }, options)
	if err != nil {
		return result, m.explain(ctx, node, part, s, err)
	}
	return result, nil
}

// Read brings a node that exists only for this to the moment, and reads the RDB of what it has then. sent, which others may read, grows by the bytes that
// the node was sent.
func (m *Moment) Read(ctx context.Context, index int, sent *atomic.Int64, read func(io.Reader) error) error {
	part, s := m.manifest.Parts[index], &m.spans[index]
	t, err := m.node(ctx, part, s.bytes(), m.report)
	if err != nil {
		return err
	}
	defer t.end(ctx)
	before := sent.Load()
	m.report.Step(1, 2, fmt.Sprintf("Bringing part %d of %d to the moment", index+1, len(m.spans)), func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: m.total()}
	})
	held, err := m.hold(ctx, t, m.base, part, s, func(n int64) { sent.Store(before + n) })
	if err != nil {
		return m.explain(ctx, t.id(), part, s, err)
	}
	defer func() { _ = held.Close() }() // the node is removed
	stream, err := replica.Open(ctx, replica.Source{Options: resp.Options{Addr: t.node.Address(), Password: t.cluster.Password}}, replica.Options{})
	if err != nil {
		return fmt.Errorf("read what the node has at the moment: %w", err)
	}
	return errors.Join(read(stream), stream.Close())
}

func (m *Moment) total() (bytes int64) {
	for i := range m.spans {
		bytes += m.Bytes(i)
	}
	return bytes
}

// Made is the text of the event about the cluster that was made of the moment.
func (m *Moment) Made(cluster models.Cluster, result primary.Result) string {
	first, last, commands := m.spans[0].at, m.spans[0].at, int64(0)
	for i := range m.spans {
		s := &m.spans[i]
		if commands += s.commands; s.at.Before(first) {
			first = s.at
		}
		if s.at.After(last) {
			last = s.at
		}
	}
	cut := models.Cut{Asked: m.args.Moment, Last: last, Skew: last.Sub(first), Shards: len(m.spans), Base: m.base.Name, Commands: commands}
	return m.from.Made(cluster, cut, result.Keys, result.Expired)
}

// Suspect has the snapshot verified that a run which has failed began with, if what is stored of it is to blame.
func (r *Recoverer) Suspect(ctx context.Context, run models.Run, err error) {
	if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrMissing) {
		return
	}
	present, failed := r.DB.Runs.Get(ctx, run.ID) // its arguments say by now what it has read
	if failed != nil {
		r.Logger.Error("look which snapshot may be damaged", "run", run.ID, "error", failed)
		return
	}
	if args, failed := present.Carries(); failed == nil && args.Source != "" {
		r.verifier.request(ctx, args.Source, "replay")
	}
}
