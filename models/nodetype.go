package models

import (
	"math"
	"strings"
)

// NodeType is a size of node, with ElastiCache's name and memory.
type NodeType struct {
	Name   string
	Memory int64 // bytes: the node's maxmemory
	// NoSnapshots: the type can run a cluster but cannot be backed up, as in ElastiCache.
	NoSnapshots bool
}

// nodeTypes lists the current generations; memory in GiB from "Supported node types" of the ElastiCache user guide.
var nodeTypes = []struct {
	name string
	gib  float64
}{
	{"cache.t4g.micro", 0.5}, {"cache.t4g.small", 1.37}, {"cache.t4g.medium", 3.09},
	{"cache.t3.micro", 0.5}, {"cache.t3.small", 1.37}, {"cache.t3.medium", 3.09},
	{"cache.t2.micro", 0.555}, {"cache.t2.small", 1.55}, {"cache.t2.medium", 3.22},
	{"cache.t1.micro", 0.213},
	{"cache.m7g.large", 6.38}, {"cache.m7g.xlarge", 12.93}, {"cache.m7g.2xlarge", 26.04}, {"cache.m7g.4xlarge", 52.26},
	{"cache.m7g.8xlarge", 103.68}, {"cache.m7g.12xlarge", 157.12}, {"cache.m7g.16xlarge", 209.55},
	{"cache.m6g.large", 6.38}, {"cache.m6g.xlarge", 12.94}, {"cache.m6g.2xlarge", 26.05}, {"cache.m6g.4xlarge", 52.26},
	{"cache.m6g.8xlarge", 103.68}, {"cache.m6g.12xlarge", 157.13}, {"cache.m6g.16xlarge", 209.55},
	{"cache.m5.large", 6.38}, {"cache.m5.xlarge", 12.93}, {"cache.m5.2xlarge", 26.04}, {"cache.m5.4xlarge", 52.26},
	{"cache.m5.12xlarge", 157.12}, {"cache.m5.24xlarge", 314.32},
	{"cache.r7g.large", 13.07}, {"cache.r7g.xlarge", 26.32}, {"cache.r7g.2xlarge", 52.82}, {"cache.r7g.4xlarge", 105.81},
	{"cache.r7g.8xlarge", 209.55}, {"cache.r7g.12xlarge", 317.77}, {"cache.r7g.16xlarge", 419.09},
	{"cache.r6g.large", 13.07}, {"cache.r6g.xlarge", 26.32}, {"cache.r6g.2xlarge", 52.82}, {"cache.r6g.4xlarge", 105.81},
	{"cache.r6g.8xlarge", 209.55}, {"cache.r6g.12xlarge", 317.77}, {"cache.r6g.16xlarge", 419.09},
	{"cache.r5.large", 13.07}, {"cache.r5.xlarge", 26.32}, {"cache.r5.2xlarge", 52.82}, {"cache.r5.4xlarge", 105.81},
	{"cache.r5.12xlarge", 317.77}, {"cache.r5.24xlarge", 635.61},
}

// NodeTypes returns every node type in the order in which a form shows them.
func NodeTypes() []NodeType {
	types := make([]NodeType, len(nodeTypes))
	for i, t := range nodeTypes {
		types[i] = NodeType{Name: t.name, Memory: int64(math.Round(t.gib * (1 << 30))), NoSnapshots: t.name == "cache.t1.micro"}
	}
	return types
}

// FindNodeType looks a node type up by its name.
func FindNodeType(name string) (NodeType, bool) {
	for _, t := range NodeTypes() {
		if t.Name == name {
			return t, true
		}
	}
	return NodeType{}, false
}

// smallestNodeType returns the smallest of the current node types for which does holds, or the largest one.
func smallestNodeType(does func(NodeType) bool) NodeType {
	var best, largest NodeType
	for _, t := range NodeTypes() {
		if !strings.HasPrefix(t.Name, "cache.t4g.") && !strings.HasPrefix(t.Name, "cache.m7g.") && !strings.HasPrefix(t.Name, "cache.r7g.") {
			continue
		}
		if t.Memory > largest.Memory {
			largest = t
		}
		if does(t) && (best.Name == "" || t.Memory < best.Memory) {
			best = t
		}
	}
	if best.Name == "" {
		return largest
	}
	return best
}

// ShownNodeType is the cluster's node type. An attached cluster has none, but ElastiCache's clients expect one: it is the smallest that is as large as
// the maxmemory of the cluster's largest node, or as the memory used where there is no limit.
func (c Cluster) ShownNodeType() string {
	if c.NodeType != "" || !c.Attached() {
		return c.NodeType
	}
	var most int64
	for _, n := range c.Nodes {
		// The limit takes precedence: a full node uses somewhat more according to INFO, and the type would keep changing.
		if n.MaxMemory > 0 {
			most = max(most, n.MaxMemory)
		} else {
			most = max(most, n.UsedMemory)
		}
	}
	return smallestNodeType(func(t NodeType) bool { return t.Memory >= most }).Name
}

// ShownNodeType is the node type that a restore uses if none is given: that of the cluster, otherwise the smallest that holds the data with room to
// spare. While a snapshot of an attached cluster is being taken there is none.
func (s Snapshot) ShownNodeType() string {
	if s.NodeType != "" || s.UsedMemory == 0 {
		return s.NodeType
	}
	return SuggestNodeType(s.UsedMemory).Name
}
