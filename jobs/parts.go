package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

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
	logger  *slog.Logger
}

// all takes all shards. Several hosts are read at the same time, but the shards of one host one after the other, because each needs a fork there.
// When one fails, the others are cut off.
func (t *taking) all(ctx context.Context, sources []models.SnapshotSource, report *queue.Report) error {
	hosts := byHost(sources)
	if len(hosts) == 1 {
		return t.inTurn(ctx, sources, report)
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
				err = t.inTurn(ctx, on, strand)
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

func (t *taking) inTurn(ctx context.Context, sources []models.SnapshotSource, report queue.Stager) error {
	for _, source := range sources {
		if err := t.takePart(ctx, source, report); err != nil {
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
	}, report)
}

// strands add up the progress at several hosts.
type strands struct {
	mu     sync.Mutex
	report *queue.Report
	all    []*strand
	shards int
}

// strand is the work at one host.
type strand struct {
	*strands
	progress models.Progress
	measure  func() models.Progress
}

func newStrands(report *queue.Report, shards int) *strands {
	return &strands{report: report, shards: shards}
}

func (s *strands) strand() *strand {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &strand{strands: s}
	s.all = append(s.all, one)
	return one
}

// Stage notes what happens at one host, and shows the sum over all hosts.
func (s *strand) Stage(_ string, measure func() models.Progress) {
	s.mu.Lock()
	if s.measure != nil {
		s.progress = s.measure()
	}
	s.measure = measure
	hosts := len(s.all) // others may still be added
	s.mu.Unlock()
	s.report.Stage(fmt.Sprintf("Reading %d shards from %d hosts", s.shards, hosts), s.sum)
}

func (s *strands) sum() models.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum models.Progress
	for _, one := range s.all {
		if one.measure != nil {
			one.progress = one.measure()
		}
		sum.BytesDone += one.progress.BytesDone
		sum.BytesTotal += one.progress.BytesTotal
		sum.KeysDone += one.progress.KeysDone
		sum.KeysTotal += one.progress.KeysTotal
	}
	return sum
}
