package nodes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/models"
)

const (
	// saveAgainAfter is the pause after a failed attempt to save, such as when the disk is full.
	saveAgainAfter = 10 * time.Second
	// passwordAgainAfter is the pause between two attempts to bring a changed password to the nodes.
	passwordAgainAfter = 5 * time.Second
	// refillRounds is how many rounds pass between two attempts to fill a cluster again, such as while the store is down.
	refillRounds = 10
	// atOnce limits how many clusters are checked at a time, so that hundreds of connections are not opened at once.
	atOnce = 8
)

// Config has what a [Supervisor] needs.
type Config struct {
	Operator
	Home   string          // of this console; only its nodes are supervised
	Clock  clockwork.Clock // decides when things are due; pauses in I/O use real time
	Logger *slog.Logger
	Every  time.Duration // between two looks at a cluster

	Lock     func(ctx context.Context, cluster string) (unlock func(), taken bool, err error) // keeps others from changing the cluster's nodes
	Sentence func(error) string                                                               // tells people what went wrong
	Wake     func()                                                                           // says that a run was queued
}

// Supervisor compares each cluster with what the catalog wants, and takes the next steps to get there.
type Supervisor struct {
	Config
	memory *memory
	loops  *drain.Loops
}

// New builds a supervisor. It does nothing until [Supervisor.Start].
func New(config Config) *Supervisor {
	return &Supervisor{Config: config, memory: newMemory(), loops: drain.NewLoops()}
}

// Start begins to supervise the clusters, in the background.
func (s *Supervisor) Start(context.Context) error {
	s.loops.Go(s.watch)
	s.loops.Go(s.watchAway)
	return nil
}

// Stop ends the supervision. It waits until the work on every cluster has ended, or until ctx ends.
func (s *Supervisor) Stop(ctx context.Context) error { return s.loops.Stop(ctx) }

// watch supervises the clusters launched here until ctx ends. A node that is slow to start or to answer does not hold up other clusters.
func (s *Supervisor) watch(ctx context.Context) {
	drain.Rounds(ctx, s.Every, atOnce, s.here, func(c models.Cluster) uint { return c.ID }, func(ctx context.Context, cluster models.Cluster) {
		if err := s.supervise(ctx, cluster); err != nil && ctx.Err() == nil {
			s.Logger.Error("supervise cluster", "cluster", cluster.Name, "error", err)
		}
	})
}

// here returns the clusters to supervise.
func (s *Supervisor) here(ctx context.Context) []models.Cluster {
	clusters, err := s.DB.Clusters.LaunchedAt(ctx, s.Home, supervisedStates)
	if err != nil && ctx.Err() == nil {
		s.Logger.Error("supervise", "error", err)
	}
	return clusters
}

// watchAway marks clusters whose console is away, until ctx ends. It does not wait for the work on the clusters here.
func (s *Supervisor) watchAway(ctx context.Context) {
	for {
		if err := s.superviseAway(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("look for the consoles of clusters elsewhere", "error", err)
		}
		if !drain.Pause(ctx, s.Every) {
			return
		}
	}
}

// Here reports whether this console can work on a cluster's nodes. Launched nodes must be on its host; attached ones may be anywhere.
func (s *Supervisor) Here(cluster models.Cluster) bool {
	return cluster.Attached() || cluster.Home == s.Home
}

// markedStates are the states in which a cluster can become unreachable, or already is.
var markedStates = []models.ClusterStatus{models.ClusterAvailable, models.ClusterSnapshotting, models.ClusterUnreachable}

// supervisedStates are the states in which the supervisor may touch the nodes. In all others a run owns them.
var supervisedStates = append([]models.ClusterStatus{models.ClusterMigrating}, markedStates...)

func supervised(status models.ClusterStatus) bool { return slices.Contains(supervisedStates, status) }

// superviseAway marks the clusters whose console is away as unreachable.
func (s *Supervisor) superviseAway(ctx context.Context) error {
	clusters, err := s.DB.Clusters.LaunchedAway(ctx, s.Home, markedStates)
	if err != nil || len(clusters) == 0 {
		return err
	}
	homes, err := s.DB.Owners.Homes(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range away(clusters, s.Home, homes) {
		if err := (mark{"", false, hostAway}).carryOut(ctx, &round{Supervisor: s, cluster: cluster}); err != nil {
			return err
		}
	}
	return nil
}

// supervise first looks at a cluster without locking it, because usually there is nothing to do. If a repair is needed, it takes the lock
// and looks again. Each shard is repaired on its own.
func (s *Supervisor) supervise(ctx context.Context, cluster models.Cluster) error {
	cluster = s.certify(ctx, cluster)
	rounds := s.rounds(ctx, cluster)
	if ctx.Err() != nil {
		return nil
	}
	password := (cluster.PasswordPending || cluster.UsersPending()) && s.memory.may(cluster.Name+" password", passwordAgainAfter)
	misplaced := s.misplaced(cluster, rounds)
	if !password && !misplaced && !slices.ContainsFunc(rounds, func(r *round) bool { return len(repair(r.cluster, r.look)) > 0 }) {
		return errors.Join(s.keepSaved(ctx, cluster, rounds), s.report(ctx, cluster, rounds))
	}
	unlock, taken, err := s.Lock(ctx, cluster.Name)
	if err != nil || !taken {
		return err
	}
	defer unlock()
	cluster, err = s.DB.Clusters.ByID(ctx, cluster.ID) // again, now that nobody else can change it
	if models.HasCode(err, models.CodeClusterNotFound) {
		return nil
	} else if err != nil || !supervised(cluster.Status) {
		return err
	}
	if misplaced {
		if cluster, err = s.replace(ctx, cluster); err != nil {
			return err
		}
	}
	if password && cluster.PasswordPending && mayChangeLogin(cluster) {
		cluster = s.goOnWithPassword(ctx, cluster)
	}
	if password && cluster.UsersPending() && !cluster.PasswordPending {
		s.goOnWithUsers(ctx, cluster)
	}
	if rounds = s.rounds(ctx, cluster); ctx.Err() != nil {
		return nil
	}
	var failures []error
	for _, r := range rounds {
		failures = append(failures, r.settle(ctx))
	}
	// What could not be repaired is recorded too; otherwise the cluster would still look healthy.
	return errors.Join(append(failures, s.together(ctx, cluster, rounds), s.report(ctx, cluster, rounds))...)
}

// rounds looks at a cluster's nodes and returns a round for each shard.
func (s *Supervisor) rounds(ctx context.Context, cluster models.Cluster) []*round {
	var rounds []*round
	for _, shard := range cluster.Shards() {
		rounds = append(rounds, &round{Supervisor: s, cluster: cluster.Only(shard)})
	}
	if len(rounds) == 0 { // of memcached
		rounds = []*round{{Supervisor: s, cluster: cluster}}
	}
	var looks sync.WaitGroup
	for _, r := range rounds {
		looks.Go(func() { r.look = s.look(ctx, r.cluster) })
	}
	looks.Wait()
	return rounds
}

// keepSaved makes sure that each shard has its data on disk.
func (s *Supervisor) keepSaved(ctx context.Context, cluster models.Cluster, rounds []*round) error {
	var failures []error
	for _, r := range rounds {
		failures = append(failures, r.carryOut(ctx, keepSaved(r.cluster, r.look)))
	}
	return errors.Join(append(failures, s.together(ctx, cluster, rounds))...)
}

// together does the work that needs all shards of a cluster at once.
func (s *Supervisor) together(ctx context.Context, cluster models.Cluster, rounds []*round) error {
	all := func(done func(*round) bool) bool {
		return !slices.ContainsFunc(rounds, func(r *round) bool { return !done(r) })
	}
	if all(func(r *round) bool { return r.saved }) {
		if err := s.DB.Losses.Saved(ctx, cluster.ID); err != nil && ctx.Err() == nil {
			s.Logger.Error("write down that the data is saved", "cluster", cluster.Name, "error", err)
		}
	}
	if all(func(r *round) bool { return r.ready }) {
		return s.applyParameters(ctx, cluster, cluster.Nodes)
	}
	return nil
}

// report remembers what was seen and records it in the catalog.
func (s *Supervisor) report(ctx context.Context, cluster models.Cluster, rounds []*round) error {
	looks := make([]look, len(rounds))
	for i, r := range rounds {
		r.remember()
		looks[i] = r.look
	}
	whole := &round{Supervisor: s, cluster: cluster}
	return whole.carryOut(ctx, report(cluster, looks, s.DB.Now()))
}

// remember keeps the parts of this look that the next round needs.
func (r *round) remember() {
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
}

// KeepSaved makes sure that a cluster that has just been filled has its data on disk.
func (s *Supervisor) KeepSaved(ctx context.Context, cluster models.Cluster) {
	_ = s.keepSaved(ctx, cluster, s.rounds(ctx, cluster)) // a failure is logged, and the supervisor tries again
}
