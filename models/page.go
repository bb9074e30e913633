package models

import (
	"time"
)

// This file lists rows in pages that go on where the last one ended, so that what comes and goes in between neither hides nor repeats a row.

// SnapshotFilter says which snapshots are listed; what is empty does not filter.
type SnapshotFilter struct {
	Name   string
	Group  string // a replication group
	Node   string // a cache cluster, or a node of a replication group
	Source string
}

// EventFilter says which events are listed; what is empty does not filter.
type EventFilter struct {
	SourceType string // SourceGroup, SourceCluster
	Source     string // a cluster's name
	From, To   time.Time
}
