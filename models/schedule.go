package models

import (
	"fmt"
	"sort"
	"time"
)

// MaxAttempts is how often an automatic snapshot is tried within one window.
const MaxAttempts = 3

// RetryAfter is the pause between two attempts within one window.
const RetryAfter = 10 * time.Minute

// MarkOutcome says what happened in one window of a cluster.
type MarkOutcome string

// The outcomes of a [WindowMark].
const (
	MarkQueued MarkOutcome = "queued" // a run was queued, and has not failed yet
	MarkFailed MarkOutcome = "failed" // the latest attempt failed
	MarkMissed MarkOutcome = "missed" // the window passed without an attempt
)

// Mark is what is known about a window that was looked at before.
type Mark struct {
	Outcome  MarkOutcome
	Attempts int
	Tried    time.Time // when the latest attempt was queued
}

// Plan is one cluster's schedule and what has happened so far: everything that [Due] needs to know.
type Plan struct {
	ClusterID uint
	Cluster   string
	Window    Window
	Retention int            // days; 0 is off
	Since     time.Time      // when this schedule took effect, or the time up to which missed windows were looked for
	Marks     map[int64]Mark // by the Unix time at which the window opens
}

// Decision is what the schedule asks for at an instant.
type Decision struct {
	ClusterID  uint
	Cluster    string
	Occurrence Occurrence
	Attempt    int // 1 for the first
}

// Due is the whole schedule: which plans are due at this instant, and which windows passed without a start.
// It has no state and no side effects, so years of it can be tested in a second.
//
// A snapshot is due from its minute until the window closes, so a restart in between costs nothing. A window that was
// marked as missed because a clock was wrong is still due when it is open. A failed attempt is repeated
// while the window is open.
func Due(now time.Time, plans []Plan) (due, missed []Decision) {
	for _, plan := range plans {
		if plan.Retention == 0 || plan.Window.IsZero() {
			continue
		}
		if open, ok := plan.Window.Open(now, plan.Cluster); ok && !now.Before(open.Begins) {
			if attempt := plan.Attempt(now, open); attempt > 0 {
				due = append(due, Decision{plan.ClusterID, plan.Cluster, open, attempt})
			}
		}
		for _, closed := range plan.Window.Closed(plan.Since, now, plan.Cluster) {
			if _, known := plan.Marks[closed.Opens.Unix()]; !known {
				missed = append(missed, Decision{plan.ClusterID, plan.Cluster, closed, 0})
			}
		}
	}
	sort.SliceStable(due, func(i, j int) bool { return due[i].Occurrence.Begins.Before(due[j].Occurrence.Begins) })
	return due, missed
}

// Attempt is the number of the attempt to make now in this occurrence, or 0 for none.
func (p Plan) Attempt(now time.Time, o Occurrence) int {
	mark, known := p.Marks[o.Opens.Unix()]
	switch {
	case !known || mark.Outcome == MarkMissed:
		return mark.Attempts + 1
	case mark.Outcome == MarkFailed && mark.Attempts < MaxAttempts &&
		(mark.Tried.After(now) || !now.Before(mark.Tried.Add(RetryAfter))): // after now: the clock was set back
		return mark.Attempts + 1
	}
	return 0
}

// Coming is the next attempt that a schedule will make.
type Coming struct {
	At      time.Time // the present, if it is due already
	Closes  time.Time // of its window
	Attempt int       // within that window, of [MaxAttempts]
}

// Coming is the attempt that will be made next unless something happens before: what [Due] will say, and when. Without backups there is none.
func (p Plan) Coming(now time.Time) (Coming, bool) {
	if p.Retention == 0 || p.Window.IsZero() {
		return Coming{}, false
	}
	after := now
	if open, ok := p.Window.Open(now, p.Cluster); ok {
		at := now
		if open.Begins.After(at) {
			at = open.Begins
		}
		mark := p.Marks[open.Opens.Unix()]
		if again := mark.Tried.Add(RetryAfter); mark.Outcome == MarkFailed && !mark.Tried.After(now) && again.After(at) {
			at = again
		}
		if attempt := p.Attempt(at, open); attempt > 0 && at.Before(open.Closes) {
			return Coming{at, open.Closes, attempt}, true
		}
		if open.Begins.After(now) {
			after = open.Begins
		}
	}
	next := p.Window.Next(after, p.Cluster)
	return Coming{next.Begins, next.Closes, 1}, true
}

// Kept is what retention needs to know about an automatic snapshot.
type Kept struct {
	ID        uint
	CreatedAt time.Time
	Good      bool // available and not known to be damaged
	Promised  int  // days: the limit when it was taken, which still applies after backups are turned off
}

// Outlived says which automatic snapshots of one existing cluster must be removed: those older than the limit in days. It never names the
// newest good one, so that a series of failures does not remove the last backup (one from the future comes from a wrong clock, and does
// not count as the newest), nor the newest good one from before each loss, because later ones do not have the data that was lost. A limit
// of 0 means that backups were turned off: then each snapshot stays as long as was promised when it was taken.
func Outlived(now time.Time, limit int, losses []time.Time, snapshots []Kept) []uint {
	keep := kept(now, losses, snapshots)
	var outlived []uint
	for i, s := range snapshots {
		if !keep[i] && now.Sub(s.CreatedAt) >= s.lasts(limit) {
			outlived = append(outlived, s.ID)
		}
	}
	return outlived
}

// kept are the indexes of the snapshots that stay however old they are.
func kept(now time.Time, losses []time.Time, snapshots []Kept) map[int]bool {
	keep := map[int]bool{newestGood(snapshots, func(s Kept) bool { return !s.CreatedAt.After(now) }): true}
	for _, loss := range losses {
		keep[newestGood(snapshots, func(s Kept) bool { return s.CreatedAt.Before(loss) && !s.CreatedAt.After(now) })] = true
	}
	return keep
}

// lasts is how long the snapshot stays under a limit in days.
func (s Kept) lasts(limit int) time.Duration {
	if limit == 0 {
		limit = s.Promised
	}
	return time.Duration(limit) * 24 * time.Hour
}

// newestGood is the index of the newest good snapshot among those that count; -1 if there is none.
func newestGood(snapshots []Kept, counts func(Kept) bool) int {
	newest := -1
	for i, s := range snapshots {
		if s.Good && counts(s) && (newest < 0 || s.CreatedAt.After(snapshots[newest].CreatedAt)) {
			newest = i
		}
	}
	return newest
}

// WindowMark says what happened in one cluster's window on one day. The pair of cluster and window is unique, which settles it when
// two ticks, or two consoles, see the same window at once.
type WindowMark struct {
	ID        uint
	ClusterID uint      `gorm:"uniqueIndex:idx_window_marks_window"`
	Opens     time.Time `gorm:"uniqueIndex:idx_window_marks_window"`
	Outcome   MarkOutcome
	Attempts  int
	Tried     time.Time
}

// MissedMessage says which windows of a cluster have passed without a snapshot.
func MissedMessage(cluster Cluster, missed []Decision) string {
	const when = "2006-01-02 15:04"
	first, last := missed[0].Occurrence, missed[len(missed)-1].Occurrence
	if len(missed) == 1 {
		return fmt.Sprintf("No automatic snapshot of %s was taken in the window of %s to %s UTC: Rekindle was not running or the cluster was busy. "+
			"Take one by hand, or wait for the next window.", cluster.Name, first.Opens.Format(when), first.Closes.Format("15:04"))
	}
	return fmt.Sprintf("No automatic snapshots of %s were taken in %d windows from %s to %s UTC: Rekindle was not running. "+
		"Take one by hand, or wait for the next window.", cluster.Name, len(missed), first.Opens.Format(when), last.Closes.Format(when))
}
