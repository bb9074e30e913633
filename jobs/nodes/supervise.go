package nodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/resp"
	"rekindle/models"
)

// The supervisor compares what is with what the catalog wants, cluster by cluster, and takes the next step towards it. It remembers
// nothing but how often a node has kept silent and what it has said already, so a restarted console goes on where the last one was.

// silentProbes is how often a primary whose process lives may fail to answer before the cluster is called unreachable.
const silentProbes = 3

// seenEvery is how often what was seen of a node is written down when hardly anything changed.
const seenEvery = 20 * time.Second

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

// Supervisor looks after the nodes of launched clusters.
type Supervisor struct {
	Config
	seen *memory
}

// New builds a supervisor; nothing happens before [Supervisor.Run].
func New(config Config) *Supervisor { return &Supervisor{Config: config, seen: newMemory()} }

// memory is what the supervisor remembers of nodes, by their names.
type memory struct {
	mu      sync.Mutex
	silent  map[string]silence
	trouble map[string]string    // why it could not be started, as was said
	next    map[string]time.Time // when something may be tried again
	owned   map[string]string    // the history of a primary when it was last seen as one
}

// silence is a row of probes without an answer.
type silence struct {
	probes      int
	since, last time.Time
}

func newMemory() *memory {
	return &memory{silent: make(map[string]silence), trouble: make(map[string]string), next: make(map[string]time.Time), owned: make(map[string]string)}
}

// longestPause between two probes counts as silence: in a longer one the console itself was not there to listen.
const longestPause = 30 * time.Second

// note counts a probe, and returns the row without an answer that it belongs to.
func (m *memory) note(node string, answered bool, now time.Time) silence {
	m.mu.Lock()
	defer m.mu.Unlock()
	if answered {
		delete(m.silent, node)
		return silence{}
	}
	s := m.silent[node]
	if pause := now.Sub(s.last); s.probes == 0 || pause > longestPause || pause < 0 {
		s.since = now
	}
	s.probes, s.last = s.probes+1, now
	m.silent[node] = s
	return s
}

// silence returns the row of probes without an answer that a node is in.
func (m *memory) silence(node string) silence {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.silent[node]
}

// own returns the history of a primary when it was last seen as one; "" when this console has not seen it.
func (m *memory) own(node string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned[node]
}

func (m *memory) owns(node, history string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned[node] = history
}

// complain tells whether this trouble has not been spoken of yet. None, "", ends it.
func (m *memory) complain(node, trouble string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if trouble == "" {
		delete(m.trouble, node)
		return false
	}
	fresh := m.trouble[node] != trouble
	m.trouble[node] = trouble
	return fresh
}

// Run looks after every cluster until ctx ends. One whose node takes long, to start or to answer, does not keep the others
// waiting: its turn comes again when that is over.
func (m *Supervisor) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	turns := make(chan struct{}, 8) // not hundreds of connections at once
	var busy sync.Map               // clusters that are being looked after, by their ids
	for {
		clusters, err := m.DB.Clusters.All(ctx)
		if err != nil && ctx.Err() == nil {
			m.Logger.Error("supervise", "error", err)
		}
		if err := m.superviseAway(ctx, clusters); err != nil && ctx.Err() == nil {
			m.Logger.Error("look for the consoles of clusters elsewhere", "error", err)
		}
		for _, cluster := range clusters {
			if !supervised(cluster.Status) || !m.Here(cluster) {
				continue
			}
			if _, already := busy.LoadOrStore(cluster.ID, true); already {
				continue
			}
			all.Go(func() {
				defer busy.Delete(cluster.ID)
				turns <- struct{}{}
				defer func() { <-turns }()
				if err := m.superviseCluster(ctx, cluster); err != nil && ctx.Err() == nil {
					m.Logger.Error("supervise cluster", "cluster", cluster.Name, "error", err)
				}
			})
		}
		if !pause(ctx, m.Every) {
			return
		}
	}
}

// Here tells whether the nodes of a cluster are on this console's host.
func (m *Supervisor) Here(cluster models.Cluster) bool { return cluster.Home == m.Home }

// superviseAway marks those clusters as unreachable whose nodes are on another console's host, while that console is away. Nobody else can
// tell how they are, and nobody else ever starts them.
func (m *Supervisor) superviseAway(ctx context.Context, clusters []models.Cluster) error {
	elsewhere := func(c models.Cluster) bool { return supervised(c.Status) && !m.Here(c) }
	if !slices.ContainsFunc(clusters, elsewhere) {
		return nil
	}
	homes, err := m.DB.Owners.Homes(ctx)
	if err != nil {
		return err
	}
	for _, cluster := range clusters {
		if !elsewhere(cluster) || homes[cluster.Home] || cluster.Status == models.ClusterUnreachable && cluster.StatusReason == hostAway {
			continue
		}
		changed, err := m.DB.Clusters.MarkReachable(ctx, cluster.ID, false, hostAway)
		if err != nil {
			return err
		}
		if changed {
			m.event(ctx, models.SeverityError, cluster.Name, fmt.Sprintf("The cluster %s is unreachable. %s", cluster.Name, hostAway))
		}
	}
	return nil
}

// hostAway is why a cluster is unreachable whose host has no console.
const hostAway = "The console on the host of its nodes is away. Start it there; should the host be lost, restore a snapshot into a new cluster."

// supervised tells whether the supervisor may touch the nodes: in the other states a run has them.
func supervised(status models.ClusterStatus) bool {
	return status == models.ClusterAvailable || status == models.ClusterSnapshotting || status == models.ClusterUnreachable
}

// view is one node as it is.
type view struct {
	node    models.Node
	running bool
	answers bool
	refuses bool // it answers, but does not know the console's password
	state   State
	lives   bool   // it said something, if only an error
	started bool   // by the repair
	trouble string // why the repair could not start it
}

// superviseCluster looks at a cluster without locking it, for most of the time there is nothing to do; only for a repair it takes the lock and
// looks again.
func (m *Supervisor) superviseCluster(ctx context.Context, cluster models.Cluster) error {
	views := m.lookAtAll(ctx, cluster)
	if ctx.Err() != nil {
		return nil
	}
	if _, hangs := m.hangs(ctx, cluster, views); hangs || needsRepair(cluster, views) {
		unlock, taken, err := m.Lock(ctx, cluster.Name)
		if err != nil || !taken {
			return err
		}
		defer unlock()
		cluster, err = m.DB.Clusters.ByID(ctx, cluster.ID) // again, now that nobody else changes it
		if models.HasCode(err, models.CodeClusterNotFound) {
			return nil
		} else if err != nil || !supervised(cluster.Status) {
			return err
		}
		if views = m.lookAtAll(ctx, cluster); ctx.Err() != nil {
			return nil
		}
		// What could not be repaired is written down too, or it would go on looking well.
		if err := m.repair(ctx, cluster, views); err != nil || ctx.Err() != nil {
			return errors.Join(err, m.record(ctx, cluster, views))
		}
	}
	m.keepSaved(ctx, cluster, views)
	return m.record(ctx, cluster, views)
}

func (m *Supervisor) lookAtAll(ctx context.Context, cluster models.Cluster) []view {
	views := make([]view, len(cluster.Nodes))
	var probes sync.WaitGroup
	for i, node := range cluster.Nodes {
		probes.Go(func() { views[i] = m.look(ctx, cluster, node) })
	}
	probes.Wait()
	return views
}

// needsRepair tells whether anything is not as the catalog wants it.
func needsRepair(cluster models.Cluster, views []view) bool {
	if cluster.Cached() {
		return slices.ContainsFunc(views, func(v view) bool { return !v.running })
	}
	primary, found := cluster.Primary()
	for _, v := range views {
		wrong := v.state.MaxMemory != cluster.MaxMemory()
		if v.node.Role == models.RolePrimary {
			wrong = wrong || v.state.Replica
		} else {
			wrong = wrong || !v.state.Replica || v.state.Primary != primary.Address()
		}
		if !v.running || (v.answers && wrong) {
			return true
		}
	}
	return !found || cluster.ParametersApplied < cluster.ParametersWanted
}

func (m *Supervisor) look(ctx context.Context, cluster models.Cluster, node models.Node) view {
	v := view{node: node}
	running, err := m.Launcher.Running(ctx, cluster.Name, node.Name)
	if err != nil {
		m.Logger.Error("look for node", "node", node.Name, "error", err)
		v.running = true // unknown: never start a second one
		return v
	}
	if v.running = running; running {
		if v.state, err = Probe(ctx, cluster, node); err == nil {
			v.answers = true
		}
		_, refused := errors.AsType[resp.Error](err)
		v.lives = v.answers || refused
		v.refuses = PasswordRefused(err)
	}
	return v
}

// record writes down what was seen, for the pages, and whether the cluster can be reached.
func (m *Supervisor) record(ctx context.Context, cluster models.Cluster, views []view) error {
	var head int64
	for _, v := range views {
		if v.answers {
			head = max(head, v.state.Offset)
		}
	}
	now := m.DB.Now()
	var failures []error
	reachable, reason := true, ""
	for _, v := range views {
		n := v.node
		silent := m.seen.note(n.Name, v.answers, m.Clock.Now())
		if n.Role == models.RolePrimary && v.answers && !v.state.Replica {
			m.seen.owns(n.Name, v.state.History)
		}
		switch {
		case v.started:
			n.State = "starting"
		case !v.running:
			n.State = "stopped"
		case !v.answers:
			n.State = "unreachable"
		case v.state.Loading || v.state.Syncing:
			n.State = "loading"
		default:
			n.State = "available"
		}
		if v.answers {
			n.SeenAt, n.UsedMemory, n.MaxMemory, n.Keys, n.LagBytes = &now, v.state.UsedMemory, v.state.MaxMemory, v.state.Keys, head-v.state.Offset
			if v.state.Replica && !v.state.LinkUp {
				n.LagBytes = -1
			}
		}
		if n.Role != models.RoleReplica && v.trouble != "" {
			reachable, reason = false, v.trouble
		} else if n.Role != models.RoleReplica && silent.probes >= silentProbes {
			reachable, reason = false, fmt.Sprintf("The %s %s does not answer.", n.Role, n.Name)
			if v.refuses {
				reason = fmt.Sprintf("The %s %s answers, but does not accept the console's password: somebody has changed it. %s", n.Role, n.Name, SetPasswordBack)
			}
		}
		if v.running && v.trouble == "" {
			m.seen.complain(n.Name, "")
		}
		if n.SameAs(v.node, seenEvery) {
			continue // not a write to the catalog for nothing
		}
		failures = append(failures, m.DB.Nodes.Seen(ctx, n))
	}
	if reachable && cluster.Status != models.ClusterUnreachable || !reachable && cluster.Status == models.ClusterUnreachable && reason == cluster.StatusReason {
		return errors.Join(failures...)
	}
	changed, err := m.DB.Clusters.MarkReachable(ctx, cluster.ID, reachable, reason)
	if changed && reachable {
		m.event(ctx, models.SeverityInfo, cluster.Name, fmt.Sprintf("The cluster %s answers again.", cluster.Name))
	} else if changed {
		m.event(ctx, models.SeverityError, cluster.Name, fmt.Sprintf("The cluster %s is unreachable. %s", cluster.Name, reason))
	}
	return errors.Join(append(failures, err)...)
}

func (m *Supervisor) event(ctx context.Context, severity models.Severity, cluster, message string) {
	if err := m.DB.Events.Add(ctx, models.Event{Severity: severity, ClusterName: cluster, Message: message}); err != nil {
		m.Logger.Error("write event", "message", message, "error", err)
	}
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
