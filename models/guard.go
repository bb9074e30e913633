package models

import (
	"time"
)

// Guarded is a cluster as far as it matters for whether its data can be brought back. All clusters are looked at so at once, so it is little.
type Guarded struct {
	Cluster  Cluster   // without nodes, and with what its schedule and its state say only
	NewestAt time.Time // of its newest good snapshot; zero: it has none
	Failed   bool      // the schedule's last snapshot has failed, and none was good since
	Late     bool      // its last window closed without a snapshot since it opened
}

// SeemsLate tells whether a cluster's last window has closed without a snapshot since it opened, whether or not its schedule was in force then.
func (g *Guarded) SeemsLate(now time.Time) (Occurrence, bool) {
	c := &g.Cluster
	switch c.Status {
	case ClusterCreating, ClusterSnapshotting, ClusterDeleting, ClusterCreateFailed, ClusterRestoreFailed:
		return Occurrence{}, false
	}
	if !c.Backups() {
		return Occurrence{}, false
	}
	closed := c.SnapshotWindow.Closed(now.Add(-48*time.Hour), now, c.Name)
	if len(closed) == 0 {
		return Occurrence{}, false
	}
	last := closed[len(closed)-1]
	return last, c.CreatedAt.Before(last.Opens) && (g.NewestAt.Before(last.Opens) || g.NewestAt.After(now))
}
