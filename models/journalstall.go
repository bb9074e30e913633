package models

import (
	"fmt"
	"time"
)

// StalledAfter is for how long nothing of a shard's stream may have been stored before people are told. While nothing is written, a piece is stored each
// minute.
const StalledAfter = 5 * time.Minute

// Stall is a cluster of whose journal nothing new is stored.
type Stall struct {
	ClusterName string
	Stored      *time.Time // up to when its oldest shard is; nil: nothing ever was
	Reason      string     // why, in a sentence; "": the link is there, and nothing comes
}

// StallOf is the stall of a cluster with these links.
func StallOf(cluster string, links []JournalLink) Stall {
	s := Stall{ClusterName: cluster}
	for i, l := range links {
		if oldest := i == 0 || l.StoredAt == nil || s.Stored != nil && l.StoredAt.Before(*s.Stored); oldest {
			s.Stored, s.Reason = l.StoredAt, l.Reason
		}
	}
	return s
}

// Event says that the journal stands still.
func (s Stall) Event() Event {
	since := "Nothing of the journal of " + s.ClusterName + " is stored yet."
	if s.Stored != nil {
		since = fmt.Sprintf("The journal of %s is stored up to %s UTC only, so it cannot be brought back to anything newer.", s.ClusterName, s.Stored.UTC().Format("2006-01-02 15:04:05"))
	}
	if s.Reason != "" {
		since += " " + s.Reason
	}
	return Event{Severity: SeverityError, ClusterName: s.ClusterName, Raises: ConditionStalled, Message: since,
		Next: "It is tried again and again, and goes on without a gap as far as the nodes' backlogs reach back."}
}

// StallOver says that the alarm about a journal is over: because it goes on, or else because it is not kept any more.
func StallOver(a Alarm, kept bool) Event {
	text := fmt.Sprintf("The journal of %s is not kept any more.", a.ClusterName)
	if kept {
		text = fmt.Sprintf("The journal of %s goes on.", a.ClusterName)
	}
	return Event{Severity: SeverityInfo, ClusterName: a.ClusterName, Message: text, Ends: []Condition{ConditionStalled}}
}
