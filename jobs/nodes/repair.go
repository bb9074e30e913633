package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rekindle/internal/launch"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// repair brings back what died and puts roles right. A primary that is gone is never started empty over replicas that have its data.
func (m *Supervisor) repair(ctx context.Context, cluster models.Cluster, views []view) error {
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
		return reason.Because(nil, "The cluster %s has no primary.", cluster.Name)
	}
	m.fence(ctx, cluster, views, primary)
	var how comeback
	if !views[primary].running {
		var err error
		if primary, how, err = m.replacePrimary(ctx, cluster, views, primary); err != nil {
			return err
		}
		if views[primary].trouble != "" || how.empty && m.refill(ctx, cluster, &views[primary]) {
			return nil
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
		if !v.running || !v.answers || v.state.Loading {
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
func (m *Supervisor) replacePrimary(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
	chosen, how, err := m.successor(ctx, cluster, views, primary)
	if err != nil {
		return primary, how, err
	}
	if chosen < 0 {
		return m.fromDisk(ctx, cluster, views, primary)
	}
	if err := m.appoint(ctx, cluster, views, chosen); err != nil {
		return primary, how, err
	}
	m.event(ctx, how.severity, cluster.Name, how.text)
	return chosen, how, nil
}

// appoint makes a node the primary in the catalog, before it is: whoever carries on from here sees what was decided.
func (m *Supervisor) appoint(ctx context.Context, cluster models.Cluster, views []view, chosen int) error {
	if views[chosen].node.Role == models.RolePrimary {
		return nil
	}
	if err := m.DB.Nodes.Promote(ctx, cluster.ID, views[chosen].node); err != nil {
		return err
	}
	for i := range views {
		views[i].node.Role = models.RoleReplica
	}
	views[chosen].node.Role = models.RolePrimary
	for i := range cluster.Nodes {
		cluster.Nodes[i].Role = views[i].node.Role
	}
	return nil
}

// cameBack says that a primary was started again, after it was: before, it would not be true.
func (m *Supervisor) cameBack(ctx context.Context, cluster models.Cluster, primary models.Node, how comeback) {
	if !how.empty {
		m.event(ctx, how.severity, cluster.Name, how.text)
		return
	}
	if err := m.DB.Losses.Emptied(context.WithoutCancel(ctx), cluster.ID, primary.Name); err != nil {
		m.Logger.Error("write down that the cluster was started empty", "cluster", cluster.Name, "error", err)
	}
}

// bringBack starts a node that has ended. What is in the way is said once, and kept with the view.
func (m *Supervisor) bringBack(ctx context.Context, cluster models.Cluster, v *view) error {
	err := m.Start(ctx, cluster, v.node)
	if errors.Is(err, launch.ErrData) && v.node.Role == models.RoleReplica { // its primary has the data
		err = m.startWithout(ctx, cluster, v.node, err)
	}
	if err == nil {
		v.started = true
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	m.complain(ctx, cluster, v, m.Sentence(err), err)
	return nil
}

// complain keeps what is in the way of a node with its view, and says it once.
func (m *Supervisor) complain(ctx context.Context, cluster models.Cluster, v *view, trouble string, cause error) {
	v.trouble = trouble
	if m.seen.complain(v.node.Name, trouble) {
		m.Logger.Error("repair node", "cluster", cluster.Name, "node", v.node.Name, "trouble", trouble, "error", cause)
		m.event(ctx, models.SeverityError, cluster.Name, trouble)
	}
}

// startWithout starts a replica that could not load its RDB without that. The file stays, under another name.
func (m *Supervisor) startWithout(ctx context.Context, cluster models.Cluster, node models.Node, cause error) error {
	why := m.LastWords(ctx, cluster, node)
	name, err := m.Launcher.SetAside(ctx, cluster.Name, node.Name)
	if err != nil {
		return errors.Join(cause, err)
	}
	if err := m.Start(ctx, cluster, node); err != nil {
		return err
	}
	m.Logger.Warn("a replica was started without its dump.rdb", "cluster", cluster.Name, "node", node.Name, "error", cause)
	m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The replica %s could not load its dump.rdb.%s The file is %s in the node's folder now, and %s gets the data from its primary.",
		node.Name, why, name, node.Name))
	return nil
}

// startedAgain is the event about a node that was started again, as what.
func (m *Supervisor) startedAgain(ctx context.Context, cluster models.Cluster, node models.Node, as string) {
	if node.Halted {
		m.event(ctx, models.SeverityInfo, cluster.Name, fmt.Sprintf("The node %s, which was stopped with the console, was started again%s.", node.Name, as))
		return
	}
	m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The node %s had stopped. It was started again%s.", node.Name, as))
}

// repairCaches starts the nodes of memcached that have died: empty, as caches are.
func (m *Supervisor) repairCaches(ctx context.Context, cluster models.Cluster, views []view) error {
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

func (m *Supervisor) repairPrimary(ctx context.Context, cluster models.Cluster, v *view) error {
	switch {
	case !v.running:
		return m.bringBack(ctx, cluster, v)
	case v.answers && v.state.Replica:
		if err := Tell(ctx, cluster, v.node, "REPLICAOF", "NO", "ONE"); err != nil {
			return err
		}
		m.wasLedAstray(ctx, cluster, *v)
		if s, err := Probe(ctx, cluster, v.node); err == nil && !s.Replica { // it has a history of its own now
			m.seen.owns(v.node.Name, s.History)
		}
		return Configure(ctx, cluster, v.node)
	case v.answers && v.state.MaxMemory != cluster.MaxMemory():
		return Configure(ctx, cluster, v.node) // a change of the node type that did not get through
	}
	return nil
}

// wasLedAstray says that somebody had made the primary a replica of a node that is none of the cluster's, which is undone. Unless it is certain
// that its data is still its own, it counts as lost.
func (m *Supervisor) wasLedAstray(ctx context.Context, cluster models.Cluster, v view) {
	if slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Address() == v.state.Primary }) {
		return // a promotion that a console which was killed did not get through
	}
	if own := m.seen.own(v.node.Name); own != "" && own == v.state.History && !v.state.Loading {
		m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The primary %s had been made a replica of %s, by a REPLICAOF that was not Rekindle's. "+
			"It was made a primary again before it had taken over anything.", v.node.Name, v.state.Primary))
		return
	}
	if err := m.DB.Losses.Replaced(context.WithoutCancel(ctx), cluster.ID, v.node.Name, v.state.Primary, v.state.History); err != nil {
		m.Logger.Error("write down that the cluster's data was replaced", "cluster", cluster.Name, "error", err)
	}
}

func (m *Supervisor) repairReplica(ctx context.Context, cluster models.Cluster, primary models.Node, v *view) error {
	switch {
	case !v.running:
		err := m.bringBack(ctx, cluster, v)
		if v.started {
			m.startedAgain(ctx, cluster, v.node, " as a replica of "+primary.Name)
		}
		return err
	case v.answers && (!v.state.Replica || v.state.Primary != primary.Address()):
		if err := Tell(ctx, cluster, v.node, "REPLICAOF", primary.Host, fmt.Sprint(primary.Port)); err != nil {
			return err
		}
		m.isReplicaAgain(ctx, cluster, primary, *v)
		return Configure(ctx, cluster, v.node)
	case v.answers && v.state.MaxMemory != cluster.MaxMemory():
		return Configure(ctx, cluster, v.node)
	}
	return nil
}

// isReplicaAgain says that a replica had been something else, which is undone.
func (m *Supervisor) isReplicaAgain(ctx context.Context, cluster models.Cluster, primary models.Node, v view) {
	was := "a replica of " + v.state.Primary
	if !v.state.Replica {
		was = "a primary of its own, and what was written to it alone is gone"
	} else if slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Address() == v.state.Primary }) {
		return // it follows a primary of before
	}
	m.event(ctx, models.SeverityWarning, cluster.Name, fmt.Sprintf("The node %s is a replica of %s again. It had been %s.", v.node.Name, primary.Name, was))
}

// successor chooses the live replica that is furthest for when the primary's process is gone, and says how in a sentence; -1 when none lives.
func (m *Supervisor) successor(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
	old := views[primary].node
	warning := func(format string, args ...any) comeback {
		return comeback{severity: models.SeverityWarning, text: fmt.Sprintf(format, args...)}
	}
	best := -1
	silent := ""
	for i, v := range views {
		switch {
		case i == primary || !v.running:
		case !v.answers || v.state.Loading:
			silent = v.node.Name
		case !complete(v):
		case best < 0 || v.state.Offset > views[best].state.Offset || !v.state.Replica:
			best = i
			if !v.state.Replica { // promoted already, before a console that was killed could say so
				return best, warning("The primary %s had stopped. %s is the primary now; %s joins it as a replica.", old.Name, v.node.Name, old.Name), nil
			}
		}
	}
	if best >= 0 {
		return best, warning("The primary %s had stopped. The replica %s was promoted; %s joins it as a replica.", old.Name, views[best].node.Name, old.Name), nil
	}
	now := m.Clock.Now()
	if silent != "" && m.seen.note(silent+"/successor", false, now).probes < 10*silentProbes {
		return 0, comeback{}, reason.Because(nil, "The primary %s has stopped, and the replica %s does not answer yet.", old.Name, silent)
	}
	m.seen.note(silent+"/successor", true, now)
	return -1, comeback{}, nil
}
