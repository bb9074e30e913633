package models

import (
	"time"
)

// Standing says how well a cluster can be brought back. Greater is worse.
type Standing int

// How clusters stand.
const (
	StandingCached      Standing = iota // it is only a cache: there is nothing to back up
	StandingGood                        // a schedule, and the newest snapshot came on time
	StandingEmpty                       // it never came up: there is nothing to back up either
	StandingPending                     // a schedule, and the first snapshot is still to come
	StandingUnscheduled                 // automatic snapshots are off
	StandingFailed                      // the schedule's last snapshot has failed
	StandingLate                        // a window passed without a snapshot
)

// standingNames are how standings are called in lists.
var standingNames = map[string]Standing{"cache-only": StandingCached, "protected": StandingGood, "nothing-in": StandingEmpty, "first-due": StandingPending,
	"no-schedule": StandingUnscheduled, "last-failed": StandingFailed, "overdue": StandingLate}

// StandingNamed returns the standing of this name.
func StandingNamed(name string) (Standing, bool) {
	standing, known := standingNames[name]
	return standing, known
}

// Guarded has what matters of a cluster for bringing its data back. It is small, because many are looked at together.
type Guarded struct {
	Cluster  Cluster   // without nodes, and with only its schedule and its state
	NewestAt time.Time // of its newest good snapshot; zero: it has none
	Stored   int64     // size of that snapshot in the store
	Failed   bool      // the schedule's last snapshot has failed, and none was good since
	Failure  string    // why it failed
	Late     bool      // its last window closed without a snapshot since it opened
}

// Standing returns the cluster's standing.
func (g *Guarded) Standing() Standing {
	c := &g.Cluster
	switch {
	case c.Cached():
		return StandingCached
	case c.Status == ClusterRestoreFailed || c.Status == ClusterCreateFailed:
		return StandingEmpty
	case !c.Backups():
		return StandingUnscheduled
	case g.Failed:
		return StandingFailed
	case g.Late:
		return StandingLate
	case g.NewestAt.IsZero():
		return StandingPending
	}
	return StandingGood
}

// canBeLate tells whether the cluster becomes late by the mere passing of time.
func (g *Guarded) canBeLate() bool {
	switch g.Cluster.Status {
	case ClusterCreating, ClusterMigrating, ClusterSnapshotting, ClusterDeleting, ClusterCreateFailed, ClusterRestoreFailed:
		return false
	}
	return g.Cluster.Backups()
}

// SeemsLate tells whether a cluster's last window has closed without a snapshot since it opened, whether or not its schedule was in force then.
func (g *Guarded) SeemsLate(now time.Time) (Occurrence, bool) {
	if !g.canBeLate() {
		return Occurrence{}, false
	}
	c := &g.Cluster
	closed := c.SnapshotWindow.Closed(now.Add(-48*time.Hour), now, c.Name)
	if len(closed) == 0 {
		return Occurrence{}, false
	}
	last := closed[len(closed)-1]
	return last, c.CreatedAt.Before(last.Opens) && (g.NewestAt.Before(last.Opens) || g.NewestAt.After(now))
}

// LateFrom is when a cluster that is not late now becomes late, if nothing happens until then: when the first window closes that opens after the
// newest good snapshot. It is zero for a cluster that cannot be late.
func (g *Guarded) LateFrom(now time.Time) time.Time {
	if !g.canBeLate() {
		return time.Time{}
	}
	c := &g.Cluster
	behind := g.NewestAt
	if c.CreatedAt.After(behind) {
		behind = c.CreatedAt
	}
	from := now
	if behind.After(from) {
		from = behind
	}
	for day := from.UTC().AddDate(0, 0, -2); ; day = day.AddDate(0, 0, 1) {
		if o := c.SnapshotWindow.On(day, c.Name); o.Closes.After(now) && o.Opens.After(behind) {
			return o.Closes
		}
	}
}

// DueFrom is when the schedule has to look at a plan again, if nothing happens until then; it is now if there is something to do already.
func (p Plan) DueFrom(now time.Time) time.Time {
	if p.Retention == 0 || p.Window.IsZero() {
		return time.Time{}
	}
	if due, missed := Due(now, []Plan{p}); len(due)+len(missed) > 0 {
		return now
	}
	next := p.Window.Next(now, p.Cluster).Begins
	if open, is := p.Window.Open(now, p.Cluster); is {
		if mark := p.Marks[open.Opens.Unix()]; mark.Outcome == MarkFailed && mark.Attempts < MaxAttempts {
			if again := mark.Tried.Add(RetryAfter); again.After(now) && again.Before(next) {
				return again
			}
		}
	}
	return next
}

// OutlivedFrom is when the first of these snapshots outlives its retention, if nothing happens until then; see [Outlived]. It is zero if none does.
func OutlivedFrom(now time.Time, limit int, losses []time.Time, snapshots []Kept) time.Time {
	var first time.Time
	keep := kept(now, losses, snapshots)
	for i, s := range snapshots {
		if s.CreatedAt.After(now) {
			return now // it counts for more as soon as its time has come
		}
		if at := s.CreatedAt.Add(s.lasts(limit)); !keep[i] && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Protection is the standing of all clusters.
type Protection struct {
	Counts []StandingCount
	Oldest time.Time // the oldest of the newest good snapshots of all clusters that are not only caches; zero: there is none
	Worst  []Guarded // the clusters with the worst standing, the worst first
}

// StandingCount is how many clusters have one standing.
type StandingCount struct {
	Standing   Standing
	Says       bool // they have something to say
	Restorable bool // they have a good snapshot
	Clusters   int
}
