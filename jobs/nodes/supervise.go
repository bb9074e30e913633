package nodes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

const (
	// saveAgainAfter is the pause after an attempt to save that led to nothing, such as when the disk is full.
	saveAgainAfter = 10 * time.Second
	// refillRounds is how many rounds are between two attempts to fill a cluster again, such as while the store is away.
	refillRounds = 10
	// atOnce is how many clusters are looked after at a time: not hundreds of connections at once.
	atOnce = 8
)

// Config is what a [Supervisor] is built from.
type Config struct {
	Operator
	Home   string          // of this console: only nodes there are looked after
	Clock  clockwork.Clock // decides when; what only paces I/O uses real time
	Logger *slog.Logger
	Every  time.Duration // between two looks at a cluster

	Lock     func(ctx context.Context, cluster string) (unlock func(), taken bool, err error) // so that nobody else changes its nodes
	Sentence func(error) string                                                               // says to people what went wrong
	Wake     func()                                                                           // says that a run was queued
}

// Supervisor compares what is with what the catalog wants, cluster by cluster, and takes the next steps towards it.
type Supervisor struct {
	Config
	memory *memory
}

// New builds a supervisor; nothing happens before [Supervisor.Run].
func New(config Config) *Supervisor { return &Supervisor{Config: config, memory: newMemory()} }

// Run looks after every cluster until ctx ends. One whose node takes long, to start or to answer, does not keep the others waiting: its turn
// comes again when that is over.
func (s *Supervisor) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	turns := make(chan struct{}, atOnce)
	var busy sync.Map // clusters that are being looked after, by their ids
	for {
		clusters, err := s.DB.Clusters.All(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("supervise", "error", err)
		}
		if err := s.superviseAway(ctx, clusters); err != nil && ctx.Err() == nil {
			s.Logger.Error("look for the consoles of clusters elsewhere", "error", err)
		}
		for _, cluster := range clusters {
			if !supervised(cluster.Status) || !s.Here(cluster) {
				continue
			}
			if _, already := busy.LoadOrStore(cluster.ID, true); already {
				continue
			}
			all.Go(func() {
				defer busy.Delete(cluster.ID)
				turns <- struct{}{}
				defer func() { <-turns }()
				if err := s.supervise(ctx, cluster); err != nil && ctx.Err() == nil {
					s.Logger.Error("supervise cluster", "cluster", cluster.Name, "error", err)
				}
			})
		}
		if !pause(ctx, s.Every) {
			return
		}
	}
}

// Here tells whether the nodes of a cluster are on this console's host.
func (s *Supervisor) Here(cluster models.Cluster) bool { return cluster.Home == s.Home }

// supervised tells whether the supervisor may touch the nodes: in the other states a run has them.
func supervised(status models.ClusterStatus) bool {
	return status == models.ClusterAvailable || status == models.ClusterSnapshotting || status == models.ClusterUnreachable
}

// superviseAway marks those clusters as unreachable whose console is away.
func (s *Supervisor) superviseAway(ctx context.Context, clusters []models.Cluster) error {
	if !slices.ContainsFunc(clusters, func(c models.Cluster) bool { return elsewhere(c, s.Home) }) {
		return nil
	}
	homes, err := s.DB.Owners.Homes(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range away(clusters, s.Home, homes) {
		if err := markUnreachable(cluster, hostAway).carryOut(ctx, &round{Supervisor: s, cluster: cluster}); err != nil {
			return err
		}
	}
	return nil
}

// supervise looks at a cluster without locking it, for most of the time there is nothing to do; only for a repair it takes the lock and looks
// again.
func (s *Supervisor) supervise(ctx context.Context, cluster models.Cluster) error {
	r := &round{Supervisor: s, cluster: cluster, look: s.look(ctx, cluster)}
	if ctx.Err() != nil {
		return nil
	}
	if len(repair(r.cluster, r.look)) == 0 {
		return errors.Join(r.carryOut(ctx, keepSaved(r.cluster, r.look)), r.report(ctx))
	}
	unlock, taken, err := s.Lock(ctx, cluster.Name)
	if err != nil || !taken {
		return err
	}
	defer unlock()
	r.cluster, err = s.DB.Clusters.ByID(ctx, cluster.ID) // again, now that nobody else changes it
	if models.HasCode(err, models.CodeClusterNotFound) {
		return nil
	} else if err != nil || !supervised(r.cluster.Status) {
		return err
	}
	if r.look = s.look(ctx, r.cluster); ctx.Err() != nil {
		return nil
	}
	// What could not be repaired is written down too, or it would go on looking well.
	return errors.Join(r.settle(ctx), r.report(ctx))
}

// report remembers what was seen and writes it down.
func (r *round) report(ctx context.Context) error {
	for i := range r.look.nodes {
		v := &r.look.nodes[i]
		v.silent = r.memory.note(v.node.Name, v.answers, r.Clock.Now())
		if v.node.Role == models.RolePrimary && v.answers && !v.state.Replica {
			r.memory.owns(v.node.Name, v.state.History)
		}
		if v.running && v.trouble == "" {
			r.memory.complain(v.node.Name, "")
		}
		if !r.over {
			r.memory.waitedEnough(v.node.Name)
		}
	}
	return r.carryOut(ctx, report(r.cluster, r.look, r.DB.Now()))
}

// KeepSaved sees to it that a cluster which has just been filled has its data on a disk.
func (s *Supervisor) KeepSaved(ctx context.Context, cluster models.Cluster) {
	r := &round{Supervisor: s, cluster: cluster, look: s.look(ctx, cluster)}
	_ = r.carryOut(ctx, keepSaved(cluster, r.look)) // what fails is in the log, and the supervisor tries again
}

// pause waits for real time to pass, and tells whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
