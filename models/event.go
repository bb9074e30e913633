package models

import (
	"cmp"
	"fmt"
	"slices"
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
	Source       string // "" unless the event is one of [CacheEvent], for the API alone: the id of the cache cluster or replication group there

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

// CacheEvent is an event for those who ask the API, and wait for ElastiCache's words: its message is one of those below. People have been told the same
// in a sentence of another event.
func CacheEvent(cluster, source, kind, message string) Event {
	return Event{Severity: SeverityInfo, ClusterName: cluster, Source: source, SourceType: kind, Message: message}
}

// What ElastiCache says of a failover, and of a node that is started again.
//
// Source: Amazon ElastiCache API reference, TestFailover.
const (
	recoveringNode = "Recovering cache nodes "
	recoveredNode  = "Finished recovery for cache nodes "
)

// FailoverCalled says that somebody has asked for the failover of a shard.
func FailoverCalled(cluster string, shard Shard) Event {
	return CacheEvent(cluster, cluster, SourceGroup, "Test Failover API called for node group "+shard.ID())
}

// FailoverCompleted says that a replica has taken over from the primary: once of the cache cluster that was the primary, and once of the group.
func FailoverCompleted(cluster, from, to string) []Event {
	message := fmt.Sprintf("Failover from primary node %s to replica node %s completed", from, to)
	return []Event{CacheEvent(cluster, from, SourceCluster, message), CacheEvent(cluster, cluster, SourceGroup, message)}
}

// NodeRecovering says that a node, which had stopped, is started again.
func NodeRecovering(c Cluster, node string) Event {
	source, id := c.CacheNode(node)
	return CacheEvent(c.Name, source, SourceCluster, recoveringNode+id)
}

// NodeRecovered is what is said of the node once it serves again.
func NodeRecovered(c Cluster, node string) Event {
	source, id := c.CacheNode(node)
	return CacheEvent(c.Name, source, SourceCluster, recoveredNode+id)
}

// CacheNode is what ElastiCache calls a node: the id of its cache cluster, and its number there. Each member of a replication group is a cache cluster
// with one node.
func (c Cluster) CacheNode(node string) (cacheCluster, number string) {
	if c.Grouped {
		return node, "0001"
	}
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Name == node })
	return c.Name, fmt.Sprintf("%04d", i+1)
}

// What an event is about, in ElastiCache's terms.
const (
	SourceGroup   = "replication-group"
	SourceCluster = "cache-cluster"
)

// SourceID is the id that the API has for what the event is about.
func (e Event) SourceID() string { return cmp.Or(e.Source, e.ClusterName) }

// EventFilter says which events are listed; empty fields do not filter.
type EventFilter struct {
	SourceType string // SourceGroup, SourceCluster
	Source     string // a cluster's name
	Member     string // a node of that cluster: those of the node, and those of the cluster
	From, To   time.Time
}
