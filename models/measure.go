package models

import "time"

// Measures is what a monitoring system is told of the catalog.
type Measures struct {
	Clusters  []ClusterMeasure // by name, at most as many as were asked for
	All       int              // how many clusters there are
	Snapshots []SnapshotCount  //
	Storage   Storage          //
	Runs      []RunCount       // those that have not ended
	Missed    int              // windows that closed without an attempt at a snapshot, in the last 24 hours
	DueSince  time.Time        // since when the schedule has had something to do; zero: it has not
	Owners    []Owner          // consoles with a lease
	Journals  []JournalMeasure // of clusters whose journals are kept, by name, at most as many as were asked for
}

// JournalMeasure is what is watched of the journal of one cluster.
type JournalMeasure struct {
	Cluster   string
	Recording bool       // every shard's stream comes in
	Stored    *time.Time // up to when it is stored, of the shard that is furthest behind; nil: of one, nothing is
}

// ClusterMeasure is what is watched of one cluster.
type ClusterMeasure struct {
	Guarded
	Newest Snapshot // its newest good one, without parts; zero: there is none
}

// SnapshotCount is how many snapshots have a status.
type SnapshotCount struct {
	Status SnapshotStatus
	Count  int
}

// RunCount is how many runs of a kind have a status.
type RunCount struct {
	Kind   RunKind
	Status RunStatus
	Count  int
}
