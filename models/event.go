package models

import (
	"fmt"
	"time"
)

// Severity says how serious an event is.
type Severity string

// The severities of an [Event].
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Event is something that happened and that somebody may want to know later.
type Event struct {
	ID           uint
	At           time.Time `gorm:"index"`
	Severity     Severity
	ClusterName  string `gorm:"index"`
	SnapshotName string
	SourceType   string // the kind of cluster in ElastiCache's terms; "" without a cluster
	Message      string // one or two sentences for people
	Kind         EventKind

	// What people are told because of it, by their channels; not kept with the event.
	Raises Condition   `gorm:"-"` // an alarm that begins with it, or goes on
	Ends   []Condition `gorm:"-"` // alarms that are over with it
	Place  string      `gorm:"-"` // what the alarm is about, where that is neither a cluster nor a snapshot
	Next   string      `gorm:"-"` // what Rekindle does about it, in a sentence
}

// EventKind is what happened, where ElastiCache has words of its own for it.
type EventKind string

// The kinds of an [Event].
const (
	EventSnapshotSucceeded EventKind = "snapshot-succeeded"
	EventSnapshotFailed    EventKind = "snapshot-failed"
)

// ElastiCacheMessage is the event in ElastiCache's words, where it has some.
//
// Source: Amazon ElastiCache user guide, "Event Notifications and Amazon SNS", and the API reference of DescribeEvents.
func (e Event) ElastiCacheMessage() string {
	of := "replication group"
	if e.SourceType == SourceCluster {
		of = "cache cluster"
	}
	switch e.Kind {
	case EventSnapshotSucceeded:
		return fmt.Sprintf("Snapshot succeeded for snapshot with ID '%s' of %s with ID '%s'", e.SnapshotName, of, e.ClusterName)
	case EventSnapshotFailed:
		return fmt.Sprintf("Snapshot failed for snapshot with ID '%s' of %s with ID '%s'. %s", e.SnapshotName, of, e.ClusterName, e.Message)
	}
	return e.Message
}

// What an event is about, in ElastiCache's terms.
const (
	SourceGroup   = "replication-group"
	SourceCluster = "cache-cluster"
)

// EventFilter says which events are listed; empty fields do not filter.
type EventFilter struct {
	SourceType string // SourceGroup, SourceCluster
	Source     string // a cluster's name
	From, To   time.Time
}
