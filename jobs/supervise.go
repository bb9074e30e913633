package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"rekindle/models"
)

// The supervisor compares what is with what the catalog wants, cluster by cluster, and takes the next step towards it. It remembers
// nothing but how often a node has kept silent, so a restarted console goes on where the last one was.

// silentProbes is how often a primary whose process lives may fail to answer before the cluster is called unreachable.
const silentProbes = 3

// seenEvery is how often what was seen of a node is written down when hardly anything changed.
const seenEvery = 20 * time.Second

// silence counts, by a node's name, the probes in a row without an answer.
type silence struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *silence) note(node string, answered bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = make(map[string]int)
	}
	if answered {
		delete(s.count, node)
		return 0
	}
	s.count[node]++
	return s.count[node]
}

// supervise looks after every cluster until the manager stops.
func (m *Manager) supervise() {
	for {
		m.superviseOnce(m.run)
		if !m.pause(m.run, m.SuperviseEvery) {
			return
		}
	}
}

func (m *Manager) superviseOnce(ctx context.Context) {
	clusters, err := m.DB.Clusters(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.Logger.Error("supervise", "error", err)
		}
		return
	}
	var all sync.WaitGroup
	turns := make(chan struct{}, 8) // not hundreds of connections at once
	for _, cluster := range clusters {
		if !supervised(cluster.Status) {
			continue
		}
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if err := m.superviseCluster(ctx, cluster); err != nil && ctx.Err() == nil {
				m.Logger.Error("supervise cluster", "cluster", cluster.Name, "error", err)
			}
		})
	}
	all.Wait()
}

// supervised tells whether the supervisor may touch the nodes: in the other states a run has them.
func supervised(status models.ClusterStatus) bool {
	return status == models.ClusterAvailable || status == models.ClusterSnapshotting || status == models.ClusterUnreachable
}

// view is one node as it is.
type view struct {
	node    models.Node
	running bool
	answers bool
	state   state
}

// superviseCluster looks at a cluster without locking it, for most of the time there is nothing to do; only for a repair it takes the lock and
// looks again.
func (m *Manager) superviseCluster(ctx context.Context, cluster models.Cluster) error {
	views := m.lookAtAll(ctx, cluster)
	if ctx.Err() != nil {
		return nil
	}
	if needsRepair(cluster, views) {
		taken, err := m.DB.TryLock(ctx, cluster.Name, m.Owner)
		if err != nil || !taken {
			return err
		}
		defer m.unlocker(ctx, cluster.Name)()
		cluster, err = m.DB.ClusterByID(ctx, cluster.ID) // again, now that nobody else changes it
		if models.HasCode(err, models.CodeClusterNotFound) {
			return nil
		} else if err != nil || !supervised(cluster.Status) {
			return err
		}
		if views = m.lookAtAll(ctx, cluster); ctx.Err() != nil {
			return nil
		}
		if err := m.repair(ctx, cluster, views); err != nil {
			return err
		}
	}
	return m.record(ctx, cluster, views)
}

func (m *Manager) lookAtAll(ctx context.Context, cluster models.Cluster) []view {
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
		wrong := v.state.maxMemory != cluster.MaxMemory()
		if v.node.Role == models.RolePrimary {
			wrong = wrong || v.state.replica
		} else {
			wrong = wrong || !v.state.replica || v.state.primary != primary.Address()
		}
		if !v.running || (v.answers && wrong) {
			return true
		}
	}
	return !found || cluster.ParametersApplied < cluster.ParametersWanted
}

func (m *Manager) look(ctx context.Context, cluster models.Cluster, node models.Node) view {
	v := view{node: node}
	running, err := m.Nodes.Running(ctx, cluster.Name, node.Name)
	if err != nil {
		m.Logger.Error("look for node", "node", node.Name, "error", err)
		v.running = true // unknown: never start a second one
		return v
	}
	if v.running = running; running {
		if v.state, err = m.probe(ctx, cluster, node); err == nil {
			v.answers = true
		}
	}
	return v
}

// repair brings back what died and puts roles right. A primary that is gone is never started empty over replicas that have its data.
func (m *Manager) repair(ctx context.Context, cluster models.Cluster, views []view) error {
	if cluster.Cached() {
		return m.repairCaches(ctx, cluster, views)
	}
	primary := -1
	for i, v := range views {
		if v.node.Role == models.RolePrimary {
			primary = i
		}
	}
	if primary < 0 {
		return because(nil, "The cluster %s has no primary.", cluster.Name)
	}
	if !views[primary].running {
		chosen, how, err := m.successor(ctx, cluster, views, primary)
		if err != nil {
			return err
		}
		if chosen != primary {
			// The catalog first: whoever carries on from here sees what was decided.
			if err := m.DB.Promote(ctx, cluster.ID, views[chosen].node); err != nil {
				return err
			}
			for i := range views {
				views[i].node.Role = models.RoleReplica
			}
			views[chosen].node.Role = models.RolePrimary
			for i := range cluster.Nodes {
				cluster.Nodes[i].Role = views[i].node.Role
			}
		}
		m.event(ctx, models.SeverityWarning, cluster.Name, how)
		primary = chosen
	}
	var failures []error
	failures = append(failures, m.repairPrimary(ctx, cluster, views[primary]))
	for i, v := range views {
		if i != primary {
			failures = append(failures, m.repairReplica(ctx, cluster, views[primary].node, v))
		}
	}
	if err := errors.Join(failures...); err != nil || cluster.ParametersApplied >= cluster.ParametersWanted {
		return err
	}
	for _, v := range views {
		if !v.running || !v.answers || v.state.loading {
			return nil // when all of them answer
		}
	}
	return m.applyParameters(ctx, cluster, cluster.Nodes)
}

// repairCaches starts the nodes of memcached that have died: empty, as caches are.
func (m *Manager) repairCaches(ctx context.Context, cluster models.Cluster, views []view) error {
	var failures []error
	for _, v := range views {
		if v.running {
			continue
		}
		if err := m.start(ctx, cluster, v.node); err != nil {
			failures = append(failures, err)
			continue
		}
		m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The node %s had stopped. It was started again, empty.", v.node.Name))
	}
	return errors.Join(failures...)
}

func (m *Manager) repairPrimary(ctx context.Context, cluster models.Cluster, v view) error {
	switch {
	case !v.running:
		return m.start(ctx, cluster, v.node)
	case v.answers && v.state.replica:
		if err := tell(ctx, cluster, v.node, "REPLICAOF", "NO", "ONE"); err != nil {
			return err
		}
		return m.configure(ctx, cluster, v.node)
	case v.answers && v.state.maxMemory != cluster.MaxMemory():
		return m.configure(ctx, cluster, v.node) // a change of the node type that did not get through
	}
	return nil
}

func (m *Manager) repairReplica(ctx context.Context, cluster models.Cluster, primary models.Node, v view) error {
	switch {
	case !v.running:
		if err := m.start(ctx, cluster, v.node); err != nil {
			return err
		}
		m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The node %s had stopped. It was started again as a replica of %s.", v.node.Name, primary.Name))
	case v.answers && (!v.state.replica || v.state.primary != primary.Address()):
		if err := tell(ctx, cluster, v.node, "REPLICAOF", primary.Host, fmt.Sprint(primary.Port)); err != nil {
			return err
		}
		return m.configure(ctx, cluster, v.node)
	case v.answers && v.state.maxMemory != cluster.MaxMemory():
		return m.configure(ctx, cluster, v.node)
	}
	return nil
}

// successor chooses who is primary when the primary's process is gone, and says how in a sentence: the live replica that is furthest; when
// none lives, the node with the latest RDB; the primary itself when there is nothing anywhere.
func (m *Manager) successor(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, string, error) {
	old := views[primary].node
	best := -1
	silent := ""
	for i, v := range views {
		switch {
		case i == primary || !v.running:
		case !v.answers || v.state.loading:
			silent = v.node.Name
		case v.state.syncing || (v.state.replica && v.state.offset <= 1):
			// It has no complete copy.
		case best < 0 || v.state.offset > views[best].state.offset || !v.state.replica:
			best = i
			if !v.state.replica { // promoted already, before a console that was killed could say so
				return best, fmt.Sprintf("The primary %s had stopped. %s is the primary now; %s joins it as a replica.", old.Name, v.node.Name, old.Name), nil
			}
		}
	}
	if best >= 0 {
		return best, fmt.Sprintf("The primary %s had stopped. The replica %s was promoted; %s joins it as a replica.", old.Name, views[best].node.Name, old.Name), nil
	}
	if silent != "" && m.seen.note(silent+"/successor", false) < 10*silentProbes {
		return 0, "", because(nil, "The primary %s has stopped, and the replica %s does not answer yet.", old.Name, silent)
	}
	m.seen.note(silent+"/successor", true)
	return m.fromDisk(ctx, cluster, views, primary)
}

// fromDisk chooses among the RDB files that the nodes have left.
func (m *Manager) fromDisk(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, string, error) {
	type candidate struct {
		at     time.Time
		id     string
		offset int64
	}
	var best candidate
	chosen := -1
	order := append([]int{primary}, indexesWithout(len(views), primary)...) // the primary wins a draw
	for _, i := range order {
		if views[i].running {
			continue
		}
		saved, err := m.Nodes.Saved(ctx, cluster.Name, views[i].node.Name)
		if err != nil {
			return 0, "", fmt.Errorf("look for the RDB of %s: %w", views[i].node.Name, err)
		}
		c := candidate{saved.At, saved.ReplicationID, saved.Offset}
		newer := c.at.After(best.at)
		if c.id != "" && c.id == best.id {
			newer = c.offset > best.offset // of one history the offset knows better than the clock
		}
		if saved.Exists && (chosen < 0 || newer) {
			best, chosen = c, i
		}
	}
	old := views[primary].node.Name
	if chosen < 0 {
		return primary, fmt.Sprintf("The primary %s had stopped and there is no RDB to come back from. It was started empty. Restore a snapshot into a new cluster to get the data back.", old), nil
	}
	return chosen, fmt.Sprintf("The primary %s had stopped and no replica was alive. The cluster comes back from the RDB that %s saved at %s UTC.",
		old, views[chosen].node.Name, best.at.UTC().Format("2006-01-02 15:04:05")), nil
}

func indexesWithout(n, without int) []int {
	var indexes []int
	for i := range n {
		if i != without {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// record writes down what was seen, for the pages, and whether the cluster can be reached.
func (m *Manager) record(ctx context.Context, cluster models.Cluster, views []view) error {
	var head int64
	for _, v := range views {
		if v.answers {
			head = max(head, v.state.offset)
		}
	}
	now := m.DB.Now()
	var failures []error
	reachable, reason := true, ""
	for _, v := range views {
		n := v.node
		silent := m.seen.note(n.Name, v.answers)
		switch {
		case !v.running:
			n.State = "starting" // repair has just brought it back
		case !v.answers:
			n.State = "unreachable"
		case v.state.loading || v.state.syncing:
			n.State = "loading"
		default:
			n.State = "available"
		}
		if v.answers {
			n.SeenAt, n.UsedMemory, n.MaxMemory, n.Keys, n.LagBytes = &now, v.state.usedMemory, v.state.maxMemory, v.state.keys, head-v.state.offset
			if v.state.replica && !v.state.linkUp {
				n.LagBytes = -1
			}
		}
		if n.Role != models.RoleReplica && silent >= silentProbes {
			reachable, reason = false, fmt.Sprintf("The %s %s does not answer.", n.Role, n.Name)
		}
		if n.SameAs(v.node, seenEvery) {
			continue // not a write to the catalog for nothing
		}
		failures = append(failures, m.DB.NodeSeen(ctx, n))
	}
	if reachable == (cluster.Status != models.ClusterUnreachable) {
		return errors.Join(failures...)
	}
	changed, err := m.DB.MarkReachable(ctx, cluster.ID, reachable, reason)
	if changed && reachable {
		m.event(ctx, models.SeverityInfo, cluster.Name, fmt.Sprintf("The cluster %s answers again.", cluster.Name))
	} else if changed {
		m.event(ctx, models.SeverityError, cluster.Name, fmt.Sprintf("The cluster %s is unreachable. %s", cluster.Name, reason))
	}
	return errors.Join(append(failures, err)...)
}

func (m *Manager) event(ctx context.Context, severity models.Severity, cluster, message string) {
	if err := m.DB.AddEvent(ctx, models.Event{Severity: severity, ClusterName: cluster, Message: message}); err != nil {
		m.Logger.Error("write event", "message", message, "error", err)
	}
}
