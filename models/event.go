package models

import (
	"time"
)

// Severity sorts events.
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
	SourceType   string // what kind of thing the cluster was, as ElastiCache calls it; "" without a cluster
	Message      string // one sentence or two, for a person
}

// What an event is about, as ElastiCache calls it.
const (
	SourceGroup   = "replication-group"
	SourceCluster = "cache-cluster"
)

// EventFilter says which events are listed; what is empty does not filter.
type EventFilter struct {
	SourceType string // SourceGroup, SourceCluster
	Source     string // a cluster's name
	From, To   time.Time
}
