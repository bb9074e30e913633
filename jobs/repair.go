package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/models"
)

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
	var how comeback
	if !views[primary].running {
		var err error
		if primary, how, err = m.replacePrimary(ctx, cluster, views, primary); err != nil {
			return err
		}
	}
	var failures []error
	err := m.repairPrimary(ctx, cluster, &views[primary])
	if views[primary].trouble != "" || ctx.Err() != nil {
		// A replica that is started now would be taken for one that lived on, and promoted with what it has, which may be older.
		return err
	}
	if views[primary].started {
		m.cameBack(ctx, cluster, views[primary].node, how)
	}
	failures = append(failures, err)
	for i := range views {
		if i != primary {
			failures = append(failures, m.repairReplica(ctx, cluster, views[primary].node, &views[i]))
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

// comeback says how a shard has a primary again.
type comeback struct {
	severity models.Severity
	text     string
	empty    bool // nothing was left of its data
}

// replacePrimary decides who is primary when the primary's process is gone, writes it down, and returns its index.
func (m *Manager) replacePrimary(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
	chosen, how, err := m.successor(ctx, cluster, views, primary)
	if err != nil || chosen == primary {
		return primary, how, err
	}
	// The catalog first: whoever carries on from here sees what was decided.
	if err := m.DB.Promote(ctx, cluster.ID, views[chosen].node); err != nil {
		return primary, how, err
	}
	for i := range views {
		views[i].node.Role = models.RoleReplica
	}
	views[chosen].node.Role = models.RolePrimary
	for i := range cluster.Nodes {
		cluster.Nodes[i].Role = views[i].node.Role
	}
	if views[chosen].running {
		m.event(ctx, how.severity, cluster.Name, how.text)
	}
	return chosen, how, nil
}

// cameBack says that a primary was started again, after it was: before, it would not be true.
func (m *Manager) cameBack(ctx context.Context, cluster models.Cluster, primary models.Node, how comeback) {
	if !how.empty {
		m.event(ctx, how.severity, cluster.Name, how.text)
		return
	}
	if err := m.DB.Emptied(context.WithoutCancel(ctx), cluster.ID, primary.Name); err != nil {
		m.Logger.Error("write down that the cluster was started empty", "cluster", cluster.Name, "error", err)
	}
}

// bringBack starts a node that has ended. What is in the way is said once, and kept with the view.
func (m *Manager) bringBack(ctx context.Context, cluster models.Cluster, v *view) error {
	err := m.start(ctx, cluster, v.node)
	if err == nil {
		v.started = true
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	v.trouble = sentence(err)
	if m.seen.complain(v.node.Name, v.trouble) {
		m.Logger.Error("start node again", "cluster", cluster.Name, "node", v.node.Name, "error", err)
		m.event(ctx, models.SeverityError, cluster.Name, v.trouble)
	}
	return nil
}

// startedAgain is the event about a node that was started again, as what.
func (m *Manager) startedAgain(ctx context.Context, cluster models.Cluster, node models.Node, as string) {
	if node.Halted {
		m.event(ctx, models.SeverityInfo, cluster.Name, fmt.Sprintf("The node %s, which was stopped with the console, was started again%s.", node.Name, as))
		return
	}
	m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The node %s had stopped. It was started again%s.", node.Name, as))
}

// repairCaches starts the nodes of memcached that have died: empty, as caches are.
func (m *Manager) repairCaches(ctx context.Context, cluster models.Cluster, views []view) error {
	var failures []error
	for i := range views {
		if views[i].running {
			continue
		}
		failures = append(failures, m.bringBack(ctx, cluster, &views[i]))
		if views[i].started {
			m.startedAgain(ctx, cluster, views[i].node, ", empty")
		}
	}
	return errors.Join(failures...)
}

func (m *Manager) repairPrimary(ctx context.Context, cluster models.Cluster, v *view) error {
	switch {
	case !v.running:
		return m.bringBack(ctx, cluster, v)
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

func (m *Manager) repairReplica(ctx context.Context, cluster models.Cluster, primary models.Node, v *view) error {
	switch {
	case !v.running:
		err := m.bringBack(ctx, cluster, v)
		if v.started {
			m.startedAgain(ctx, cluster, v.node, " as a replica of "+primary.Name)
		}
		return err
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
func (m *Manager) successor(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
	old := views[primary].node
	warning := func(format string, args ...any) comeback {
		return comeback{severity: models.SeverityWarning, text: fmt.Sprintf(format, args...)}
	}
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
				return best, warning("The primary %s had stopped. %s is the primary now; %s joins it as a replica.", old.Name, v.node.Name, old.Name), nil
			}
		}
	}
	if best >= 0 {
		return best, warning("The primary %s had stopped. The replica %s was promoted; %s joins it as a replica.", old.Name, views[best].node.Name, old.Name), nil
	}
	if silent != "" && m.seen.note(silent+"/successor", false) < 10*silentProbes {
		return 0, comeback{}, because(nil, "The primary %s has stopped, and the replica %s does not answer yet.", old.Name, silent)
	}
	m.seen.note(silent+"/successor", true)
	return m.fromDisk(ctx, cluster, views, primary)
}

// fromDisk chooses among the RDB files that the nodes have left.
func (m *Manager) fromDisk(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
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
			return 0, comeback{}, fmt.Errorf("look for the RDB of %s: %w", views[i].node.Name, err)
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
	if chosen < 0 {
		return primary, comeback{empty: true}, nil
	}
	old := views[primary].node
	how := comeback{severity: models.SeverityWarning, text: fmt.Sprintf("The primary %s had stopped and no replica was alive. The cluster comes back from the RDB that %s saved at %s UTC.",
		old.Name, views[chosen].node.Name, best.at.UTC().Format("2006-01-02 15:04:05"))}
	if old.Halted {
		how = comeback{severity: models.SeverityInfo, text: fmt.Sprintf("The cluster %s, which was stopped with the console, was started again with what %s saved at %s UTC.",
			cluster.Name, views[chosen].node.Name, best.at.UTC().Format("2006-01-02 15:04:05"))}
	}
	return chosen, how, nil
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
