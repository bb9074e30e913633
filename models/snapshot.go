package models

import (
	"time"
)

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

// snapshottingSince is when the node was made that [Cluster.SnapshottingNode] names, which for a cluster of one node is when the cluster was.
func (c Cluster) SnapshottingSince() *time.Time {
	name := c.SnapshottingNode()
	for _, n := range c.Nodes {
		if n.Name == name {
			return &n.CreatedAt
		}
	}
	return nil
}
