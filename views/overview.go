package views

import (
	"strings"
	"time"

	"github.com/a-h/templ"
)

// How well a cluster is protected, as Protection.State.
const (
	Protected    = "protected"   // a schedule, and the newest snapshot came when it should
	NoSchedule   = "no-schedule" // automatic snapshots are off
	LastFailed   = "last-failed" // the newest attempt failed
	Overdue      = "overdue"     // a window passed without a snapshot
	FirstPending = "first-due"   // there is a schedule, but the first snapshot is still to come
	CacheOnly    = "cache-only"  // memcached: there is nothing to back up
	NothingInIt  = "nothing-in"  // it never came up, see [NeverRan]: there is nothing to back up either
)

// NeverRan tells from a cluster's status that it could not be created or restored: its nodes are gone, and it can only be deleted.
func NeverRan(status string) bool { return status == "restore-failed" || status == "create-failed" }

// Protection is one cluster's row on the overview.
type Protection struct {
	Cluster  string
	Status   string // of the cluster
	State    string // one of the constants
	Reason   string // a sentence about what is wrong; may be empty
	Notice   string // what the cluster itself has to say, such as that it was started empty; may be empty
	Newest   *LastSnapshot
	Promise  time.Duration // how old the newest good snapshot may become while the schedule is kept; 0: nothing is promised
	Schedule Schedule
	// CanSnapshot tells whether a manual snapshot of it can be taken now.
	CanSnapshot bool
}

// Counter is a number that links to the list it counts.
type Counter struct {
	Label string
	Value int
	Href  string
	Tone  string // "", "ok", "warn", "bad", "busy"
}

// Overview is the first page.
type Overview struct {
	Standings []Standing   // how all clusters stand
	Oldest    time.Time    // of the newest snapshots of those that do not only cache
	Worst     []Protection // the clusters that get a row, worst first
	Counters  []Counter
	Attention []Attention // what needs a person
	Running   Work
	Events    []Event // the newest
	// The day
	Plan    DayPlan
	Starts  []ComingStart // the next ones
	Clashes []HostClash   // among these
	// Storage
	SnapshotCount int
	StoredBytes   int64
	NotCharged    int64  // stored bytes that cost nothing (one snapshot per active cluster)
	DiskFree      int64  // of the store, if it is on a disk
	DiskTotal     int64  // 0: it is not, or nobody knows
	Growth        string // "grows by 1.2 GB a day"; "": nobody knows
	FullAt        time.Time
	Stored        Sparkline // over the last weeks
	MonthlyCost   string    // "$1.32", as ElastiCache would charge
	Month         string    // "November"
	MonthSoFar    string    // in that month
	StoreLocation string
}

// Attention is something that needs a person, with the way to it.
type Attention struct {
	Tone string // "bad", "warn"
	Text string
	Href templ.SafeURL
}

// OverviewRows is how many clusters the first page has rows for.
const OverviewRows = 50

// Standing is how many clusters are in one state.
type Standing struct {
	State      string // a [Protection.State]
	Notice     bool   // they have something to say
	Restorable bool   // they have a good snapshot
	Clusters   int
}

// promiseText says how old the newest snapshot may become.
func (c Protection) promiseText() string { return "at most " + span(c.Promise) + " promised" }

// beyond tells whether the newest snapshot is older than promised.
func (c Protection) beyond(now time.Time) bool {
	return c.Promise > 0 && c.Newest != nil && now.Sub(c.Newest.At) > c.Promise
}

// Total is how many clusters there are.
func (p Overview) Total() int {
	total := 0
	for _, s := range p.Standings {
		total += s.Clusters
	}
	return total
}

// tally counts the clusters in each of the conditions that the first question is about.
type tally struct {
	total, restorable, well, pending, off, behind int
	down                                          int // never came up
	notices                                       int // how many of the others have something to say
	oldest                                        time.Time
}

func (p Overview) tally() tally {
	t := tally{oldest: p.Oldest}
	for _, s := range p.Standings {
		n := s.Clusters
		if s.State == NothingInIt {
			t.down += n
		} else if s.Notice {
			t.notices += n
		}
		if s.State == CacheOnly || s.State == NothingInIt && !s.Restorable {
			continue // it has no data to restore
		}
		t.total += n
		if s.Restorable {
			t.restorable += n
		}
		switch s.State {
		case Protected, NothingInIt:
			t.well += n
		case FirstPending:
			t.pending += n
		case NoSchedule:
			t.off += n
		case LastFailed, Overdue:
			t.behind += n
		}
	}
	return t
}

// verdict answers the first question: can I get the data back, and how fresh is it?
func (p Overview) verdict(now time.Time) (tone, title, text string) {
	t := p.tally()
	switch {
	case t.total == 0 && t.down > 0:
		return "warn", "There is nothing to restore.", t.downText()
	case t.total == 0:
		return "idle", "There is nothing to restore.", "Memcached only caches: nothing of it is kept."
	case t.restorable == t.total && t.total == 1:
		title = "Yes: the cluster can be restored."
	case t.restorable == t.total:
		title = "Yes: all " + Count(t.total) + " clusters can be restored."
	case t.restorable == 0 && t.total == 1:
		title = "Not yet: the cluster has no good snapshot."
	case t.restorable == 0:
		title = "Not yet: none of the " + Count(t.total) + " clusters has a good snapshot."
	default:
		title = Count(t.restorable) + " of " + Count(t.total) + " clusters can be restored."
	}
	tone = "ok"
	var said []string
	if t.restorable > 0 {
		which := "The oldest of their newest snapshots was taken "
		if t.restorable == 1 {
			which = "Its newest snapshot was taken "
		}
		said = append(said, which+RelativeText(t.oldest, now)+".")
	}
	if t.behind+t.pending+t.off+t.down+t.notices > 0 || t.restorable < t.total {
		tone = "warn"
	} else {
		said = append(said, "Every schedule is kept.")
	}
	if t.behind > 0 {
		tone = "bad"
		said = append(said, Plural(t.behind, "cluster")+" "+isAre(t.behind)+" behind schedule.")
	}
	if t.pending > 0 {
		said = append(said, Plural(t.pending, "cluster")+" "+waits(t.pending)+" for the first snapshot.")
	}
	if t.off > 0 {
		said = append(said, Plural(t.off, "cluster")+" "+hasHave(t.off)+" no schedule.")
	}
	if t.down > 0 {
		said = append(said, t.downText())
	}
	if t.notices > 0 {
		said = append(said, Plural(t.notices, "cluster")+" "+hasHave(t.notices)+" a notice, below.")
	}
	return tone, title, strings.Join(said, " ")
}

func (t tally) downText() string {
	return Plural(t.down, "cluster") + " could not be created or restored."
}

func waits(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

func hasHave(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func verdictIcon(tone string) string {
	switch tone {
	case "ok":
		return "shield-check"
	case "bad":
		return "shield-off"
	case "idle":
		return "info"
	}
	return "shield-alert"
}
