package jobs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"rekindle/internal/memcached"
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
	heard      time.Duration // since a replica last heard from its primary; very long when the link is down
	primary    string        // host:port of the primary that a replica follows
	history    string        // the id of the replication stream that it follows or writes
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
		s, err := memcached.Probe(ctx, node.Address())
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
		if s.heard = time.Duration(info.Int("master_last_io_seconds_ago")) * time.Second; !s.linkUp {
			s.heard = math.MaxInt64
		}
	}
	return s, nil
}

func dial(ctx context.Context, cluster models.Cluster, node models.Node) (*resp.Conn, error) {
	return resp.Dial(ctx, resp.Options{Addr: node.Address(), Password: cluster.Password, DialTimeout: probeTimeout})
}

// setPasswordBack is what to do about a node whose password was changed.
const setPasswordBack = "Set it back to that of the cluster (CONFIG SET requirepass, or ACL SETUSER default)."

// passwordRefused tells whether a node has answered that it does not know the console's password.
func passwordRefused(err error) bool {
	reply, answered := errors.AsType[resp.Error](err)
	return answered && reply.PasswordRefused()
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

// life is what tells afterwards what became of a node that broke off while it served a snapshot. The zero value is of one that did not say.
type life struct {
	run     string // changes with each start
	flushes string // how often FLUSHALL was called, with more that changes with each call
}

func (m *Manager) lifeOf(ctx context.Context, cluster models.Cluster, node models.Node) (life, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := dial(ctx, cluster, node)
	if err != nil {
		return life{}, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "server", "commandstats")
	return life{run: info["run_id"], flushes: info["cmdstat_flushall"]}, err
}

// brokenOff says why a node has ended a transfer, by what it was before and is now.
func (m *Manager) brokenOff(ctx context.Context, cluster models.Cluster, node models.Node, before life, received int64) string {
	who, after := fmt.Sprintf("The %s %s", node.Role, node.Name), fmt.Sprintf("after %s", byteCount(received))
	now, err := m.lifeOf(ctx, cluster, node)
	switch {
	case passwordRefused(err):
		return fmt.Sprintf("%s ended the transfer %s, and does not accept the console's password any more: somebody has changed it. %s", who, after, setPasswordBack)
	case err != nil:
		return fmt.Sprintf("%s stopped answering %s. The snapshot was discarded.", who, after)
	case now.run != before.run && before.run != "":
		return fmt.Sprintf("%s was restarted while it sent the snapshot, %s. The snapshot was discarded. Take it again.", who, after)
	case now.flushes != before.flushes:
		return fmt.Sprintf("All data of %s was deleted (FLUSHALL) while it sent the snapshot, which ends that, %s. The snapshot was discarded. Take it again if what is there now is to be kept.", node.Name, after)
	}
	return fmt.Sprintf("%s ended the transfer %s, though it runs on: the process that it sends a snapshot with was ended, or it let go of the connection. Its log says why. "+
		"The snapshot was discarded. Take it again.", who, after)
}

// SnapshotSource says where a snapshot of the cluster would be taken now: the freshest replica whose link is up; the primary only when
// there is none, and then whether its host can bear the fork.
//
// An error is a refusal in words.
func (m *Manager) SnapshotSource(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error) {
	if !m.here(cluster) {
		return models.SnapshotSource{Elsewhere: true, Fits: true}, nil
	}
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
	var refused error // by a node that answers
	for _, node := range cluster.Nodes {
		s, err := m.probe(ctx, cluster, node)
		if err == nil {
			states[node.Name] = s
			head = max(head, s.offset)
		} else if passwordRefused(err) {
			refused = because(err, "The %s %s answers, but does not accept the console's password: somebody has changed it. %s", node.Role, node.Name, setPasswordBack)
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
		if !answers && refused != nil {
			return source, refused
		} else if !answers {
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
