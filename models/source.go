package models

// SnapshotSource is the node from which a shard's part of a snapshot would be taken now, and the consequences.
type SnapshotSource struct {
	Shard      Shard
	Node       Node
	LagBytes   int64  // how far a replica is behind its primary
	UsedMemory int64  // of the node, bytes: what a fork may have to copy in the worst case
	Available  int64  // free on the node's host, bytes; of an attached cluster the most that can be free; -1: not known
	Fits       bool   // UsedMemory is within Available
	Fallback   bool   // the primary has to serve because no replica can
	Why        string // with Fallback: the reason as a sentence
	Elsewhere  bool   // the nodes are on the host of another console, which chooses; nothing else is known
}
