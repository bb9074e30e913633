package models

import (
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
