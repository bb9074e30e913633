package nodes

import (
	"context"
	"fmt"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// A primary that hangs cannot be asked to step down, and may wake at any moment with clients that go on writing to it. So it is ended before a
// replica is promoted, and not when it wakes: its process is on this host, what is killed never runs again, and at no moment do two nodes take
// writes. What it had not yet passed on to a replica is lost, as at any failover.

// hangs tells for how long the primary has hung, when that is long enough for a replica to take over.
func (m *Supervisor) hangs(ctx context.Context, cluster models.Cluster, views []view) (time.Duration, bool) {
	primary, found := cluster.Primary()
	if cluster.Cached() || !found || len(views) < 2 {
		return 0, false
	}
	silent := m.seen.silence(primary.Name)
	if silent.probes < silentProbes {
		return 0, false
	}
	seconds, err := m.DB.Settings.PromoteAfter(ctx)
	if err != nil && ctx.Err() == nil {
		m.Logger.Error("look after a primary that does not answer", "cluster", cluster.Name, "error", err)
	}
	if err != nil || seconds == 0 {
		return 0, false
	}
	return silent.last.Sub(silent.since), hung(views, silent, time.Duration(seconds)*time.Second)
}

// hung tells whether the primary hangs: its process is there but has not answered for so long, also not with a refusal, and a replica has all of
// the data but has not heard of it either. A replica that has heard of it knows better.
func hung(views []view, silent silence, limit time.Duration) bool {
	var primary view
	for _, v := range views {
		if v.node.Role == models.RolePrimary {
			primary = v
		}
	}
	if !primary.running || primary.answers || primary.lives || silent.last.Sub(silent.since) < limit {
		return false
	}
	ready := false
	for _, v := range views {
		if v.node.Role != models.RoleReplica || !v.answers || !v.state.Replica || v.state.Primary != primary.node.Address() {
			continue
		}
		if v.state.Heard < limit {
			return false
		}
		ready = ready || complete(v)
	}
	return ready
}

// complete tells whether a replica has all of the data that it has heard of.
func complete(v view) bool {
	return v.answers && !v.state.Loading && !v.state.Syncing && (!v.state.Replica || v.state.Offset > 1)
}

// fence ends a primary that hangs, so that a replica can take over.
func (m *Supervisor) fence(ctx context.Context, cluster models.Cluster, views []view, primary int) {
	silent, hangs := m.hangs(ctx, cluster, views)
	if !hangs {
		return
	}
	v := &views[primary]
	if err := m.Launcher.Stop(ctx, cluster.Name, v.node.Name, launch.Kill); err != nil {
		if ctx.Err() == nil {
			m.complain(ctx, cluster, v, fmt.Sprintf("The primary %s hangs and its process could not be ended, so no replica takes over: it might wake and go on taking writes.", v.node.Name), err)
		}
		return
	}
	v.running = false
	m.event(ctx, models.SeverityError, cluster.Name, fmt.Sprintf("The primary %s had not answered for %s, and its replicas had not heard of it. "+
		"Its process was ended, so that it cannot take writes any more; what it had not yet passed on to a replica is lost.", v.node.Name, silent.Round(time.Second)))
}
