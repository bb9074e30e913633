package models

import (
	"time"
)

// What an event is about, as ElastiCache calls it.
const (
	SourceGroup   = "replication-group"
	SourceCluster = "cache-cluster"
)

// SameAs tells whether a node is as it was seen before, but for small movements of its memory, and that is not longer ago than limit.
func (n Node) SameAs(before Node, limit time.Duration) bool {
	if n.State != before.State || n.Role != before.Role || n.MaxMemory != before.MaxMemory || n.Keys != before.Keys || (n.LagBytes < 0) != (before.LagBytes < 0) {
		return false
	}
	if n.SeenAt == nil || before.SeenAt == nil {
		return n.SeenAt == before.SeenAt
	}
	moved := n.UsedMemory - before.UsedMemory
	return n.SeenAt.Sub(*before.SeenAt) < limit && max(moved, -moved) < 1<<20
}
