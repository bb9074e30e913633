package models

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/words"
)

// The journal of a cluster is the replication stream behind its snapshots, at rest. A cluster whose journal is kept can be brought back as it was in any
// second of its recovery window: a snapshot before that second is loaded, and the stream from there to the second is played back.

// BaseByJournal stands for a person in the snapshots that are taken because a journal needs one to begin with.
const BaseByJournal = "journal"

// Limits of how much may be lost when everything is lost at once: a piece of the stream is stored when it is so old.
const (
	DefaultPromise = 10 * time.Second
	MinPromise     = 2 * time.Second
	MaxPromise     = 10 * time.Minute
)

// MaxJournalDays is how far back a recovery window can reach, as far as snapshots do.
const MaxJournalDays = 35

// JournalPlan says whether, and how, the journal of a cluster is kept. A cluster that never had a journal has none. What was recorded before it was
// turned off is still kept for as many days.
type JournalPlan struct {
	ClusterID uint          `gorm:"primaryKey;autoIncrement:false"`
	Kept      bool          //
	Days      int           // how far back the recovery window reaches
	Promise   time.Duration // after which time a piece of the stream is stored
	Lone      bool          // a primary may be read where no replica is in step with it
	Synthetic bool          // the daily snapshot is made from it
	Since     time.Time
}

// Limit is how far back the recovery window reaches, at most.
func (p JournalPlan) Limit(now time.Time) time.Time { return now.AddDate(0, 0, -p.Days) }

// TableName is the table of the plans.
func (JournalPlan) TableName() string { return "journal_plans" }

// Check refuses a plan that cannot be kept for this cluster.
func (p JournalPlan) Check(cluster Cluster) error {
	var faults Faults
	switch {
	case !p.Kept:
		return nil
	case cluster.Cached():
		return Refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s only caches, so there is nothing to bring back.", cluster.Name))
	case cluster.ReadByKey():
		return Refuse(CodeClusterState, "", fmt.Sprintf("The nodes of %s are read key by key, because they let nobody act as their replica. So their stream of writes cannot be kept.", cluster.Name))
	case !cluster.Backups():
		return Refuse(CodeClusterState, "", fmt.Sprintf("Turn on automatic snapshots of %s first: to bring it back to a second, a snapshot from before that second is needed.", cluster.Name))
	}
	if p.Days < 1 || p.Days > min(MaxJournalDays, cluster.RetentionLimit) {
		faults.Add(CodeInvalid, "days", fmt.Sprintf("The journal can reach back as far as the automatic snapshots are kept, which is %s. Choose from 1 to that, or raise the retention first.",
			words.Plural(int64(cluster.RetentionLimit), "day")))
	}
	if p.Promise < MinPromise || p.Promise > MaxPromise {
		faults.Add(CodeInvalid, "promise", fmt.Sprintf("Choose from %s to %s.", words.Duration(MinPromise), words.Duration(MaxPromise)))
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// JournalState is the state of the link to a shard whose stream is kept.
type JournalState string

// The states of a [JournalLink].
const (
	JournalWaiting   JournalState = "waiting"   // there is no link, and the reason says why
	JournalFollowing JournalState = "following" // what is written there comes here, and is stored
)

// JournalLink is the replication link to one shard. The console that is its owner keeps it open.
type JournalLink struct {
	ClusterID     uint   `gorm:"primaryKey;autoIncrement:false"`
	Shard         int    `gorm:"primaryKey;autoIncrement:false"`
	Owner         string // "": nobody
	Node          string // that is read
	Role          Role   // that it had when the link was opened
	State         JournalState
	Reason        string // why it waits, in a sentence
	Run           string // names the unbroken recording that is being made
	ReplicationID string // of the history that the offsets are places in
	Offset        int64  `gorm:"column:stored_offset"` // up to which everything is stored
	Resume        int64  `gorm:"column:resume_offset"` // where the next recording begins: between two commands, at Offset or before
	Database      int    `gorm:"column:resume_db"`     // that is selected there; -1: unknown
	StoredAt      *time.Time
	Since         time.Time  // of the state
	NeedsBase     bool       // a snapshot has to be taken first, because before one the node keeps nothing that a link could begin with
	BaseAskedAt   *time.Time // when a snapshot to begin with was last asked for
}

// TableName is the table of the links.
func (JournalLink) TableName() string { return "journal_links" }

// HistoryPlace is a place in the history of a node's data, as the node counts it.
type HistoryPlace struct {
	ReplicationID string
	Offset        int64
}

// JournalSegment is one stored piece of the stream of a shard: the bytes behind From up to To, counted as the node counts them.
type JournalSegment struct {
	ID            uint
	ClusterID     uint
	Shard         int
	Run           string
	ReplicationID string
	From          int64     `gorm:"column:from_offset"`
	To            int64     `gorm:"column:to_offset"`
	Begin         time.Time `gorm:"column:begun_at"`
	End           time.Time `gorm:"column:ended_at"`
	Size          int64     // stored bytes
	Writes        int64     // commands that change something
	Key           string
	Damage        string // why it cannot be read, in a sentence; "": as far as is known, it can
	VerifiedAt    *time.Time
}

// TableName is the table of the segments.
func (JournalSegment) TableName() string { return "journal_segments" }

// JournalStretch is a part of a recording without a gap.
type JournalStretch struct {
	ID        uint
	ClusterID uint
	Shard     int
	Run       string
	From      int64     `gorm:"column:from_offset"`
	To        int64     `gorm:"column:to_offset"`
	Begin     time.Time `gorm:"column:begun_at"`
	End       time.Time `gorm:"column:ended_at"`
	Gap       string    // why there is a gap before it, in a sentence; "": it is the first
}

// TableName is the table of the stretches.
func (JournalStretch) TableName() string { return "journal_stretches" }

// JournalEvent is a command in the stream that people may want to undo: all keys of a database deleted, or very many of them.
type JournalEvent struct {
	ID        uint
	ClusterID uint
	Shard     int
	Run       string
	At        time.Time
	Before    int64 `gorm:"column:before_offset"` // the place just before it
	After     int64 `gorm:"column:after_offset"`
	Command   string
	Database  int   `gorm:"column:db"`
	Keys      int64 // how many it names; 0: all, or it names none
}

// TableName is the table of the events.
func (JournalEvent) TableName() string { return "journal_events" }

// Text says in a few words what happened.
func (e JournalEvent) Text() string {
	in := "several databases"
	if e.Database >= 0 {
		in = fmt.Sprintf("database %d", e.Database)
	}
	switch e.Command {
	case "FLUSHALL":
		return "FLUSHALL: every key of every database was deleted"
	case "FLUSHDB":
		return "FLUSHDB: every key of " + in + " was deleted"
	case "SWAPDB":
		return "SWAPDB: two databases were exchanged"
	case "DELETE":
		return fmt.Sprintf("%s of %s deleted within a second", words.Plural(e.Keys, "key"), in)
	}
	return e.Command
}

// JournalBase is a snapshot that a stretch can be played back behind: the place that its part is of lies in the stretch.
type JournalBase struct {
	SnapshotID   uint
	SnapshotName string
	Shard        int
	Run          string
	Offset       int64     // the place in the stream that it is of
	At           time.Time // that moment, as near as is known
}

// RecoverySpan is a span of time without a gap.
type RecoverySpan struct{ From, To time.Time }

// Contains tells whether an instant lies in it. Its ends do.
func (s RecoverySpan) Contains(at time.Time) bool { return !at.Before(s.From) && !at.After(s.To) }

// RecoveryWindow is the time to any second of which a cluster can be brought back, with what interrupts it. The oldest span comes first.
type RecoveryWindow []RecoverySpan

// RecoveryWindowOf makes the window of a cluster from those of its shards: what all of them have.
func RecoveryWindowOf(shards int, stretches []JournalStretch, bases []JournalBase) RecoveryWindow {
	var all RecoveryWindow
	for shard := 1; shard <= shards; shard++ {
		one := recoveryWindowOf(shard, stretches, bases)
		if shard == 1 {
			all = one
			continue
		}
		all = all.and(one)
	}
	return all
}

func recoveryWindowOf(shard int, stretches []JournalStretch, bases []JournalBase) RecoveryWindow {
	var window RecoveryWindow
	for _, s := range stretches {
		if s.Shard != shard {
			continue
		}
		var from time.Time
		for _, b := range bases {
			if s.Holds(b) && (from.IsZero() || b.At.Before(from)) {
				from = b.At
			}
		}
		if !from.IsZero() && !from.After(s.End) {
			window = append(window, RecoverySpan{from, s.End})
		}
	}
	slices.SortFunc(window, func(a, b RecoverySpan) int { return a.From.Compare(b.From) })
	return window
}

// Holds tells whether the stretch can be played back behind this base.
func (s JournalStretch) Holds(b JournalBase) bool {
	return b.Shard == s.Shard && b.Run == s.Run && b.Offset >= s.From && b.Offset <= s.To
}

// and is what both windows have.
func (w RecoveryWindow) and(other RecoveryWindow) RecoveryWindow {
	var both RecoveryWindow
	for _, a := range w {
		for _, b := range other {
			from, to := later(a.From, b.From), earlier(a.To, b.To)
			if !from.After(to) {
				both = append(both, RecoverySpan{from, to})
			}
		}
	}
	return both
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Contains tells whether the cluster can be brought back to an instant.
func (w RecoveryWindow) Contains(at time.Time) bool {
	return slices.ContainsFunc(w, func(s RecoverySpan) bool { return s.Contains(at) })
}

// Oldest is the first second of the window, and Newest the last one; zero without one.
func (w RecoveryWindow) Oldest() time.Time {
	if len(w) == 0 {
		return time.Time{}
	}
	return w[0].From
}

// Newest is the last second of the window; zero without one.
func (w RecoveryWindow) Newest() time.Time {
	var newest time.Time
	for _, s := range w {
		newest = later(newest, s.To)
	}
	return newest
}

// Gaps are what lies between the spans of the window.
func (w RecoveryWindow) Gaps() []RecoverySpan {
	var gaps []RecoverySpan
	for i := 1; i < len(w); i++ {
		if w[i].From.After(w[i-1].To) {
			gaps = append(gaps, RecoverySpan{w[i-1].To, w[i].From})
		}
	}
	return gaps
}

// JournalCut is up to where a stretch is no longer needed.
type JournalCut struct {
	Stretch JournalStretch
	Before  int64        // segments that end here or before may go
	Until   time.Time    // if they also end before this instant; zero: in any case
	Base    *JournalBase // the snapshot that the rest begins with, and which has to stay for it; nil: there is none
}

// JournalCuts says what of the stretches a recovery window that begins at limit no longer needs: everything before the newest base that is older than the
// window, for an instant at the window's beginning needs that one. What lies before the first base can be played back behind nothing, and goes once it
// is older than the window. A stretch that ended before the window goes, unless it is the last of its shard: while nothing new is recorded, it is the
// newest that there is.
func JournalCuts(limit time.Time, stretches []JournalStretch, bases []JournalBase) []JournalCut {
	last := lastStretches(stretches, bases)
	cuts := make([]JournalCut, 0, len(stretches))
	for _, s := range stretches {
		cut := JournalCut{Stretch: s, Before: s.From}
		var oldest *JournalBase
		for _, b := range bases {
			if !s.Holds(b) {
				continue
			}
			if oldest == nil || b.Offset < oldest.Offset {
				oldest = &b
			}
			if !b.At.After(limit) && (cut.Base == nil || b.Offset > cut.Base.Offset) {
				cut.Base = &b
			}
		}
		switch {
		case s.End.Before(limit) && last[s.Shard] != s.ID:
			cut.Before, cut.Base = s.To, nil
		case cut.Base != nil:
			cut.Before = cut.Base.Offset
		case oldest != nil:
			cut.Before, cut.Until = oldest.Offset, limit
		default:
			cut.Before, cut.Until = s.To, limit
		}
		cuts = append(cuts, cut)
	}
	return cuts
}

// lastStretches are the newest stretches of each shard that something can be brought back from, by their ids.
func lastStretches(stretches []JournalStretch, bases []JournalBase) map[int]uint {
	last, ends := make(map[int]uint), make(map[int]time.Time)
	for _, s := range stretches {
		if s.End.After(ends[s.Shard]) && slices.ContainsFunc(bases, s.Holds) {
			last[s.Shard], ends[s.Shard] = s.ID, s.End
		}
	}
	return last
}

// Behind is how old the newest second is that is stored; false when nothing is.
func (l JournalLink) Behind(now time.Time) (time.Duration, bool) {
	if l.StoredAt == nil {
		return 0, false
	}
	return max(0, now.Sub(*l.StoredAt)), true
}

// Playable tells whether what is being recorded has a base.
func (l JournalLink) Playable(stretches []JournalStretch, bases []JournalBase) bool {
	for _, s := range stretches {
		if s.Shard == l.Shard && s.Run == l.Run && s.To == l.Offset && slices.ContainsFunc(bases, s.Holds) {
			return true
		}
	}
	return false
}

// BaseFor finds the snapshot that is nearest before a place in a stretch.
func BaseFor(s JournalStretch, bases []JournalBase, offset int64) (JournalBase, bool) {
	var fit []JournalBase
	for _, b := range bases {
		if s.Holds(b) && b.Offset <= offset {
			fit = append(fit, b)
		}
	}
	if len(fit) == 0 {
		return JournalBase{}, false
	}
	return slices.MaxFunc(fit, func(a, b JournalBase) int { return cmp.Compare(a.Offset, b.Offset) }), true
}
