package nodes

import (
	"context"
	"time"

	"rekindle/models"
)

// A shard whose nodes all end at once comes back from an RDB on a disk. Its replicas write those by their save points, but only after so many
// changes, and not at all when the data came by replication: from a snapshot, from a new primary. So the supervisor sees to it that one node
// has saved what the shard holds since it has its present history. That takes a while: a cluster that was restored and all of whose nodes die
// before is filled again.

// saveAgainAfter is the pause after an attempt to save that led to nothing, such as when the disk is full.
const saveAgainAfter = 10 * time.Second

// KeepSaved sees to it that a cluster which has just been filled has its data on a disk.
func (m *Supervisor) KeepSaved(ctx context.Context, cluster models.Cluster) {
	m.keepSaved(ctx, cluster, m.lookAtAll(ctx, cluster))
}

// keepSaved has a replica save, when no node has an RDB of the present history yet. The primary saves only when no replica runs: then the
// application feels the fork, and has at least something to come back from. A node without any replica saves by its own save points, once it
// has saved what it was filled with.
func (m *Supervisor) keepSaved(ctx context.Context, cluster models.Cluster, views []view) {
	if cluster.Cached() || len(views) < 2 && cluster.UnsavedFrom == "" {
		return
	}
	var primary, chosen *view
	replicas := false // any that runs
	for i := range views {
		v := &views[i]
		if v.node.Role == models.RolePrimary {
			primary = v
		} else if v.running || v.started {
			replicas = true
		}
		if v.answers && v.state.Saving {
			return // whatever it writes is looked at when it is there
		}
	}
	if primary == nil || !primary.answers || primary.state.Replica || primary.state.Loading || primary.state.History == "" {
		return
	}
	if primary.state.Keys == 0 {
		return // an RDB without a key would make a loss look like a return
	}
	history := primary.state.History
	for i := range views {
		v := &views[i]
		saved, err := m.Launcher.Saved(ctx, cluster.Name, v.node.Name)
		if err == nil && saved.Exists && (saved.ReplicationID == history || len(views) == 1) {
			m.hasSaved(ctx, cluster)
			return
		}
		s := v.state
		if chosen == nil && v.answers && s.Replica && s.LinkUp && !s.Loading && !s.Syncing && s.History == history {
			chosen = v
		}
	}
	if chosen == nil && !replicas {
		chosen = primary
	}
	if chosen == nil || !m.seen.may(cluster.Name+" save "+history, saveAgainAfter) {
		return
	}
	if err := Tell(ctx, cluster, chosen.node, "BGSAVE"); err != nil && ctx.Err() == nil {
		m.Logger.Warn("have a node save its data", "cluster", cluster.Name, "node", chosen.node.Name, "error", err)
	}
}

// hasSaved writes down that a cluster that was filled has its data on a disk.
func (m *Supervisor) hasSaved(ctx context.Context, cluster models.Cluster) {
	if cluster.UnsavedFrom == "" {
		return
	}
	if err := m.DB.Losses.Saved(ctx, cluster.ID); err != nil && ctx.Err() == nil {
		m.Logger.Error("write down that the data is saved", "cluster", cluster.Name, "error", err)
	}
}

// may tells whether the last attempt at something is long enough ago, and counts this one.
func (m *memory) may(what string, pause time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for other, next := range m.next {
		if now.After(next) {
			delete(m.next, other)
		}
	}
	if _, soon := m.next[what]; soon {
		return false
	}
	m.next[what] = now.Add(pause)
	return true
}
