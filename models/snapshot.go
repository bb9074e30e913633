package models

import (
	"strings"
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
	ClusterID    uint           `gorm:"index"` // 0 if the cluster is gone
	Source       string         `gorm:"index"`
	Status       SnapshotStatus `gorm:"index"`
	StatusReason string

	Configuration // of the cluster at that time
	AuthEnabled   bool
	Node          string // the node that ElastiCache's answers name: the one asked for, otherwise one that would serve
	NodeCreatedAt *time.Time

	RDBVersion int
	Bytes      int64 // plain RDB
	Stored     int64 // in the store
	Keys       int64 // -1: unknown
	UsedMemory int64 // of the source, bytes
	ServedBy   string
	ServedRole Role
	Warning    string // what people should know, such as that the primary had to serve
	Origin     string // a sentence that says where it was copied, imported or recovered from; "": taken from a cluster
	Logical    bool   // it was read key by key, so it is not of one point in time

	Attempt        string // where its parts are, or were last, stored: objects there belong to this catalog; "": in format version 1
	ManifestSHA256 string // checksum of its manifest; "": not known yet

	VerifiedAt    *time.Time // when every byte of it was last read back and found correct; at first, its completion
	VerifyTriedAt *time.Time // when the schedule last asked for that
	Damage        string     // what is wrong with the stored data, in sentences; the data stays until it is deleted by hand

	CreatedAt   time.Time `gorm:"index"`
	StartedAt   *time.Time
	CompletedAt *time.Time

	Parts []Part
}

// NotPointInTime says what a snapshot is that was read key by key.
const NotPointInTime = "Not of one point in time: it was read key by key, each key as it was when its turn came. Keys that belong together may not fit together."

// Usable tells whether the snapshot can be restored, downloaded or copied.
func (s Snapshot) Usable() bool {
	return s.Status == SnapshotAvailable || s.Status == SnapshotRestoring || s.Status == SnapshotCopying
}

// Copied tells whether the snapshot was made from another one. Then its data, and when and by whom that was taken, are the other one's.
func (s Snapshot) Copied() bool { return strings.HasPrefix(s.Origin, "Copied ") }

// Foreign tells whether its data comes from files, so that no cluster is known that it was taken from. That holds for copies of such a snapshot, too.
func (s Snapshot) Foreign() bool {
	return strings.HasPrefix(s.Origin, "Imported ") || strings.HasPrefix(s.Origin, "Uploaded") || s.CompletedAt != nil && s.Copied() && s.ServedBy == ""
}

// TakenIn is how long it took to read the data from the cluster; 0: not known.
func (s Snapshot) TakenIn() time.Duration {
	if s.Foreign() || s.Replayed() || s.StartedAt == nil || s.CompletedAt == nil {
		return 0
	}
	ended := *s.CompletedAt
	if s.Copied() { // that is when the copy was complete
		ended = *s.StartedAt
		for _, part := range s.Parts {
			if part.CompletedAt.After(ended) {
				ended = part.CompletedAt
			}
		}
	}
	return max(ended.Sub(*s.StartedAt), 0)
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
	Kinds             string // how its data is stored, which package rdb compares with what engines read; "": unknown
	Lifetimes         string // how long its keys that expire had left, which package rdb knows to read; "": unknown
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
	Override    bool   // use a primary even if its host is short of memory
	Node        string // the node by which the cluster was named, if any; another one may serve
	Tags        map[string]string
	RequestedBy string
}

// SnapshottingNode is the node that ElastiCache would name as the one that serves snapshots: the chosen one, otherwise the first replica.
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

// SnapshottingSince is when the node was created that [Cluster.SnapshottingNode] names. For a cluster of one node that is when the cluster was created.
func (c Cluster) SnapshottingSince() *time.Time {
	name := c.SnapshottingNode()
	for _, n := range c.Nodes {
		if n.Name == name {
			return &n.CreatedAt
		}
	}
	return nil
}

// Pages of rows continue where the last one ended, so that rows which come and go in between neither hide nor repeat one.

// SnapshotFilter says which snapshots are listed; empty fields do not filter.
type SnapshotFilter struct {
	Name   string
	Group  string // a replication group
	Node   string // a cache cluster, or a node of a replication group
	Source string
}

// Databases is how many databases a node needs for all of the snapshot's keys; 0: unknown.
func (s Snapshot) Databases() int {
	most := 0
	for _, part := range s.Parts {
		most = max(most, part.Databases)
	}
	return most
}
