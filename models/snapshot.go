package models

import (
	"time"
)

// SnapshotStatus is the state of a snapshot, in ElastiCache's words.
type SnapshotStatus string

// The states of a snapshot.
const (
	SnapshotCreating  SnapshotStatus = "creating"
	SnapshotAvailable SnapshotStatus = "available"
	SnapshotRestoring SnapshotStatus = "restoring"
	SnapshotCopying   SnapshotStatus = "copying"
	SnapshotDeleting  SnapshotStatus = "deleting"
	SnapshotFailed    SnapshotStatus = "failed"
)

// Where a snapshot comes from.
const (
	SourceAutomatic = "automatic"
	SourceManual    = "manual"
)

// Snapshot is one backup of a whole cluster. The row is a catalog entry; the truth is the manifest in the store.
type Snapshot struct {
	ID           uint
	Name         string         `gorm:"uniqueIndex"`
	ClusterName  string         `gorm:"index"`
	ClusterID    uint           `gorm:"index"` // 0 when the cluster is gone
	Source       string         `gorm:"index"`
	Status       SnapshotStatus `gorm:"index"`
	StatusReason string

	Configuration // of the cluster at that time
	AuthEnabled   bool
	Node          string // stands for the cluster where ElastiCache names a node: the one asked for, else one that would serve
	NodeCreatedAt *time.Time

	RDBVersion int
	Bytes      int64 // plain RDB
	Stored     int64 // in the store
	Keys       int64 // -1: unknown
	UsedMemory int64 // of the source, bytes
	ServedBy   string
	ServedRole Role
	Warning    string // what the person should know, such as that the primary had to serve
	Origin     string // a sentence: copied or imported from where; "": taken of a cluster

	Attempt        string // at which its parts are, or were last, stored: what lies there is this catalog's own; "": in format version 1
	ManifestSHA256 string // by which its manifest is known; "": not known yet

	VerifiedAt    *time.Time // when every byte of it was last read back and found right; at first, its completion
	VerifyTriedAt *time.Time // when the schedule last asked for that
	Damage        string     // what is wrong with what is stored, in sentences; its bytes stay until it is deleted by hand

	CreatedAt   time.Time `gorm:"index"`
	StartedAt   *time.Time
	CompletedAt *time.Time

	Parts []Part
}

// Usable tells whether it can be restored, downloaded or copied.
func (s Snapshot) Usable() bool {
	return s.Status == SnapshotAvailable || s.Status == SnapshotRestoring || s.Status == SnapshotCopying
}

// Part is one shard's RDB within a snapshot, as the manifest has it.
type Part struct {
	ID                uint
	SnapshotID        uint `gorm:"index"`
	Number            int
	Object            string
	Slots             string
	Bytes             int64
	Stored            int64
	Keys              int64
	Expires           int64
	Databases         int    // how many a node needs to load it; 0: unknown
	Kinds             string // how what is in it is stored: which engines read that is not for this package to know; "": unknown
	Digest            string // of the plain RDB: "xxh128:..." or "sha256:..."
	StoredSHA256      string
	CRC64             string
	ServedBy          string
	ServedRole        Role
	ReplicationID     string
	ReplicationOffset int64
	StartedAt         time.Time
	CompletedAt       time.Time
}

// SnapshotSpec asks for a manual snapshot.
type SnapshotSpec struct {
	Cluster     string
	Name        string
	Override    bool   // use a primary although its host is short of memory
	Node        string // by which the cluster was named, if it was; it need not be the one that serves
	Tags        map[string]string
	RequestedBy string
}

// SnapshottingNode is the node that ElastiCache would name as the one that serves snapshots: the chosen one, else the first replica.
func (c Cluster) SnapshottingNode() string {
	var best Node
	for _, n := range c.Nodes {
		if n.Name == c.Attributes.SnapshottingNode {
			return n.Name
		}
		if best.Name == "" || n.Role == RoleReplica && best.Role != RoleReplica {
			best = n
		}
	}
	return best.Name
}

// SnapshottingSince is when the node was made that [Cluster.SnapshottingNode] names, which for a cluster of one node is when the cluster was.
func (c Cluster) SnapshottingSince() *time.Time {
	name := c.SnapshottingNode()
	for _, n := range c.Nodes {
		if n.Name == name {
			return &n.CreatedAt
		}
	}
	return nil
}

// This file lists rows in pages that go on where the last one ended, so that what comes and goes in between neither hides nor repeats a row.

// SnapshotFilter says which snapshots are listed; what is empty does not filter.
type SnapshotFilter struct {
	Name   string
	Group  string // a replication group
	Node   string // a cache cluster, or a node of a replication group
	Source string
}

// Databases is how many databases a node needs to have all of the snapshot's keys; 0: unknown.
func (s Snapshot) Databases() int {
	most := 0
	for _, part := range s.Parts {
		most = max(most, part.Databases)
	}
	return most
}
