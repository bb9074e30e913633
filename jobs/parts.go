package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"rekindle/jobs/impact"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/jobs/reach"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// taking takes all shards of a cluster into one snapshot.
type taking struct {
	cluster models.Cluster
	draft   *vault.Draft
	nodes   *nodes.Supervisor
	tune    func(ctx context.Context, node models.Node) (putBack func())
	hosts   int // the most that are read at the same time
	meter   *impact.Meter
	logger  *slog.Logger
}

// all takes all shards. Several hosts are read at the same time, but the shards of one host one after the other, because each needs a fork there.
// When one fails, the others are cut off.
func (t *taking) all(ctx context.Context, sources []models.SnapshotSource, report *queue.Report) error {
	hosts := byHost(sources)
	if len(hosts) == 1 {
		return t.inTurn(ctx, sources, func(i int) queue.Stager { return queue.Part(report, i, len(sources)) })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := newStrands(report, len(sources))
	turns := make(chan struct{}, t.hosts)
	var taken sync.WaitGroup
	for _, on := range hosts {
		strand := all.strand()
		taken.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			err := context.Cause(ctx)
			if err == nil {
				err = t.inTurn(ctx, on, func(int) queue.Stager { return strand })
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	taken.Wait()
	return context.Cause(ctx)
}

// byHost groups sources by host, in the order of the first source of each host.
func byHost(sources []models.SnapshotSource) [][]models.SnapshotSource {
	var hosts [][]models.SnapshotSource
	places := make(map[string]int)
	for _, s := range sources {
		i, known := places[s.Node.Host]
		if !known {
			i = len(hosts)
			places[s.Node.Host] = i
			hosts = append(hosts, nil)
		}
		hosts[i] = append(hosts[i], s)
	}
	return hosts
}

// inTurn takes shards one after the other. report is where each of them reports, by its index.
func (t *taking) inTurn(ctx context.Context, sources []models.SnapshotSource, report func(i int) queue.Stager) error {
	for i, source := range sources {
		if err := t.takePart(ctx, source, report(i)); err != nil {
			return err
		}
	}
	return nil
}

// takePart takes one shard. If the node that serves it fails, another replica takes its place.
func (t *taking) takePart(ctx context.Context, source models.SnapshotSource, report queue.Stager) error {
	var tried []string
	for {
		failed := t.takeFrom(ctx, source, report)
		if _, another := errors.AsType[vault.SourceError](failed); !another || ctx.Err() != nil {
			return failed
		}
		tried = append(tried, source.Node.Name)
		next, found := t.nodes.Another(ctx, t.cluster, source.Shard, tried)
		if !found {
			return failed
		}
		t.logger.Warn("a node could not serve a snapshot; another one does", "cluster", t.cluster.Name, "node", source.Node.Name, "instead", next.Node.Name, "error", failed)
		source = next
	}
}

// takeFrom takes a shard from a node, once the node has everything that was written before.
func (t *taking) takeFrom(ctx context.Context, source models.SnapshotSource, report queue.Stager) error {
	cost := t.meter.Part(source)
	defer cost.End()
	report.Stage("Waiting until "+source.Node.Name+" has what was written before", nil)
	warning, err := nodes.CatchUp(ctx, t.cluster, source)
	if err != nil {
		return err
	}
	from, err := reach.Source(t.cluster, source.Node)
	if err != nil {
		return err
	}
	return t.draft.Take(ctx, vault.Source{
		SnapshotSource: source, Warning: warning, Replica: from, ByKey: t.cluster.ReadByKey(),
		Life: func(ctx context.Context) (vault.Life, error) { return nodes.LifeOf(ctx, t.cluster, source.Node) },
		Tune: func(ctx context.Context) func() { return t.tune(ctx, source.Node) },
		Serves: func(ctx context.Context) func() {
			cost.Begin(ctx)
			return cost.End
		},
	}, report)
}
