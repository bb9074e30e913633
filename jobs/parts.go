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

// taking is the taking of all shards of a cluster.
type taking struct {
	cluster models.Cluster
	draft   *vault.Draft
	nodes   *nodes.Supervisor
	hosts   int // that are read at the same time, at most
	logger  *slog.Logger
}

// all takes all shards. Those that are served by one host are taken one after the other, for each is a fork there; hosts are read at the same time.
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

// byHost groups sources by the host that they are on, in the order in which the first of each comes.
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

// takePart takes one shard. When the node that serves it fails, another replica serves in its place.
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

// takeFrom takes a shard from a node, when that has all that was written before.
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
		SnapshotSource: source, Warning: warning, Replica: from,
		Life: func(ctx context.Context) (vault.Life, error) { return nodes.LifeOf(ctx, t.cluster, source.Node) },
	}, report)
}

// strands make one progress of what goes on at several hosts at once.
type strands struct {
	mu     sync.Mutex
	report *queue.Report
	all    []*strand
	shards int
}

// strand is what goes on at one of them.
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

// Stage notes what goes on at one host, and shows the sum of all.
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
