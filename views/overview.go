package views

import "time"

// How well a cluster is protected, as Protection.State.
const (
	Protected    = "protected"   // a schedule, and the newest snapshot came when it should
	NoSchedule   = "no-schedule" // automatic snapshots are off
	LastFailed   = "last-failed" // the newest attempt failed
	Overdue      = "overdue"     // a window passed without a snapshot
	FirstPending = "first-due"   // a schedule, the first snapshot is still to come
	CacheOnly    = "cache-only"  // memcached: there is nothing to back up
)

// Protection is one cluster's row on the overview.
type Protection struct {
	Cluster  string
	Status   string // of the cluster
	State    string // one of the constants
	Reason   string // a sentence, for what is not well; may be empty
	Newest   *LastSnapshot
	Schedule Schedule
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
	Clusters []Protection // worst first; all of them, or the first 50 or so
	Total    int          // clusters there are
	Counters []Counter
	Running  []Run   // queued, under way, or just finished
	Events   []Event // the newest
	// Storage
	SnapshotCount int
	StoredBytes   int64
	FreeBytes     int64  // stored bytes that cost nothing (one snapshot per active cluster)
	MonthlyCost   string // "$1.32", as ElastiCache would charge
	StoreLocation string
}

// verdict answers the first question: can I get the data back, and how fresh is it?
func (p Overview) verdict(now time.Time) (tone, title, text string) {
	var total, restorable, well, pending, bad int
	var oldest time.Time
	for _, c := range p.Clusters {
		if c.State == CacheOnly {
			continue
		}
		total++
		if c.Newest != nil {
			restorable++
			if oldest.IsZero() || c.Newest.At.Before(oldest) {
				oldest = c.Newest.At
			}
		}
		switch c.State {
		case Protected:
			well++
		case FirstPending:
			pending++
		case LastFailed, Overdue:
			bad++
		}
	}
	switch {
	case total == 0:
		return "idle", "There is nothing to be brought back.", "Memcached only caches: nothing of it is kept."
	case restorable == total && total == 1:
		title = "Yes: the cluster can be restored."
	case restorable == total:
		title = "Yes: all " + Count(total) + " clusters can be restored."
	case restorable == 0 && total == 1:
		title = "Not yet: the cluster has no good snapshot."
	case restorable == 0:
		title = "Not yet: none of the " + Count(total) + " clusters has a good snapshot."
	default:
		title = Count(restorable) + " of " + Count(total) + " clusters can be restored."
	}
	if restorable > 0 {
		which := "The oldest of their newest snapshots was taken "
		if restorable == 1 {
			which = "Its newest snapshot was taken "
		}
		text = which + RelativeText(oldest, now) + "."
	}
	switch {
	case bad > 0:
		tone = "bad"
		text += " " + Plural(bad, "cluster") + " " + isAre(bad) + " behind schedule."
	case restorable < total || well < total:
		tone = "warn"
		if pending > 0 {
			text += " " + Plural(pending, "cluster") + " " + waits(pending) + " for the first snapshot."
		}
		if n := total - well - pending; n > 0 {
			text += " " + Plural(n, "cluster") + " " + hasHave(n) + " no schedule."
		}
	default:
		tone = "ok"
		text += " Every schedule is kept."
	}
	return tone, title, text
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
