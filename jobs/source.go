package jobs

import (
	"context"
	"fmt"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/models"
)

// probeTimeout is how long a healthy node may take to answer.
const probeTimeout = 3 * time.Second

// state is what a node says of itself.
type state struct {
	replica    bool
	loading    bool
	syncing    bool // receiving its first copy of the data
	saving     bool // writing an RDB, to its disk or to a replica
	linkUp     bool
	primary    string // host:port of the primary that a replica follows
	history    string // the id of the replication stream that it follows or writes
	offset     int64
	usedMemory int64
	maxMemory  int64
	keys       int64
}

// probe asks a node how it is.
func (m *Manager) probe(ctx context.Context, cluster models.Cluster, node models.Node) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if cluster.Cached() {
		s, err := launch.ProbeCache(ctx, node.Address())
		return state{usedMemory: s.UsedMemory, maxMemory: s.MaxMemory, keys: s.Items}, err
	}
	conn, err := dial(ctx, cluster, node)
	if err != nil {
		return state{}, fmt.Errorf("probe %s: %w", node.Name, err)
	}
	defer conn.Close()
	info, err := conn.Info(ctx)
	if err != nil {
		return state{}, fmt.Errorf("probe %s: %w", node.Name, err)
	}
	s := state{
		replica: info["role"] == "slave", loading: info.Int("loading") != 0, syncing: info.Int("master_sync_in_progress") != 0,
		saving: info.Int("rdb_bgsave_in_progress") != 0, history: info["master_replid"],
		linkUp: info["master_link_status"] == "up", offset: info.Int("master_repl_offset"),
		usedMemory: info.Int("used_memory"), maxMemory: info.Int("maxmemory"), keys: info.Keys(),
	}
	if s.replica {
		s.primary = info["master_host"] + ":" + info["master_port"]
		s.offset = info.Int("slave_repl_offset")
	}
	return s, nil
}

func dial(ctx context.Context, cluster models.Cluster, node models.Node) (*resp.Conn, error) {
	return resp.Dial(ctx, resp.Options{Addr: node.Address(), Password: cluster.Password, DialTimeout: probeTimeout})
}

// tell sends one command to a node.
func tell(ctx context.Context, cluster models.Cluster, node models.Node, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*probeTimeout)
	defer cancel()
	conn, err := dial(ctx, cluster, node)
	if err != nil {
		return fmt.Errorf("%s to %s: %w", args[0], node.Name, err)
	}
	defer conn.Close()
	if _, err := conn.Do(ctx, args...); err != nil {
		return fmt.Errorf("%s to %s: %w", args[0], node.Name, err)
	}
	return nil
}

// SnapshotSource says where a snapshot of the cluster would be taken now: the freshest replica whose link is up; the primary only when
// there is none, and then whether its host can bear the fork.
//
// An error is a refusal in words.
func (m *Manager) SnapshotSource(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error) {
	source, err := m.source(ctx, cluster)
	if err != nil {
		m.Logger.Warn("no node to take a snapshot from", "cluster", cluster.Name, "error", err)
		return source, models.Faults{{Code: models.CodeClusterState, Message: sentence(err)}}
	}
	return source, nil
}

func (m *Manager) source(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error) {
	var source models.SnapshotSource
	var head int64 // the primary's offset, or what the freshest replica has heard of it
	primary, found := cluster.Primary()
	if !found {
		return source, because(nil, "The cluster %s has no primary.", cluster.Name)
	}
	states := make(map[string]state)
	for _, node := range cluster.Nodes {
		if s, err := m.probe(ctx, cluster, node); err == nil {
			states[node.Name] = s
			head = max(head, s.offset)
		}
	}
	best := int64(-1)
	chosen := false
	for _, node := range cluster.Nodes {
		s, answers := states[node.Name]
		if !answers || node.Role != models.RoleReplica || !s.replica || !s.linkUp || s.loading || s.syncing || chosen {
			continue
		}
		// The replica that was chosen to serve snapshots does so as long as it can.
		if chosen = node.Name == cluster.Attributes.SnapshottingNode; chosen || s.offset > best {
			best = s.offset
			source.Node, source.UsedMemory, source.LagBytes = node, s.usedMemory, head-s.offset
		}
	}
	memory, err := m.Nodes.Memory(ctx)
	if err != nil {
		return source, fmt.Errorf("read memory of host: %w", err)
	}
	source.Available = memory.Available
	if best < 0 {
		s, answers := states[primary.Name]
		if !answers {
			return source, because(nil, "No node of %s answers, so there is nothing to take a snapshot from.", cluster.Name)
		}
		source.Node, source.UsedMemory, source.Fallback = primary, s.usedMemory, true
		source.Why = "The cluster has no replica, so the primary has to serve the snapshot."
		if cluster.Replicas > 0 {
			source.Why = "No replica is in step with its primary, so the primary has to serve the snapshot."
		}
	}
	source.Fits = source.UsedMemory <= source.Available
	return source, nil
}

// catchUpTimeout bounds how long a snapshot waits for its replica to have everything that was written before it was asked for.
const catchUpTimeout = 15 * time.Second

// catchUp waits until the replica has what the primary had when the snapshot began, so that a snapshot by hand contains what its owner
// has just written. A replica that does not get there serves all the same, with its lag in the warning; a primary that does not answer
// cannot be compared with.
func (m *Manager) catchUp(ctx context.Context, cluster models.Cluster, source models.SnapshotSource) (warning string, err error) {
	primary, found := cluster.Primary()
	if source.Fallback || !found {
		return "", nil
	}
	head, err := m.probe(ctx, cluster, primary)
	if err != nil {
		return fmt.Sprintf("The primary %s did not answer, so it is not known how far the replica %s was behind.", primary.Name, source.Node.Name), nil
	}
	deadline, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	for {
		s, err := m.probe(deadline, cluster, source.Node)
		if err == nil && s.offset >= head.offset {
			return "", nil
		}
		if !m.pause(deadline, 10*time.Millisecond) {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			return fmt.Sprintf("The replica %s was %s behind its primary when the snapshot was taken.", source.Node.Name, byteCount(head.offset-s.offset)), nil
		}
	}
}

func byteCount(n int64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%d bytes", n)
	case n < 1e6:
		return fmt.Sprintf("%.0f KB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
