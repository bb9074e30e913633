package models

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Found is what an attached cluster was found to be.
type Found struct {
	Topology string
	Engine   Engine
	Shards   []FoundShard
}

// FoundShard is a shard of such a cluster, the primary first.
type FoundShard struct {
	Slots string
	Nodes []FoundNode
}

// FoundNode is a node as it was seen.
type FoundNode struct {
	Address    string // host:port, as it is reached
	Ident      string // its ID in the cluster, in cluster mode
	Role       Role
	State      string
	UsedMemory int64
	MaxMemory  int64
	Keys       int64
	LagBytes   int64
	Answers    bool
	Denied     string // why it was not connected to; "": it was, or it was tried
}

// Followed is what becomes of a cluster's nodes after they were looked at.
type Followed struct {
	Nodes    []Node // as they are now; those without an id are new
	Gone     []Node // those that no longer belong to it
	Messages []string
	Columns  map[string]any // of the cluster's row that change
}

// Stands tells whether a cluster was found as it is known, except for small changes of its nodes' memory, and was last seen no longer ago than
// limit.
func (f Followed) Stands(c Cluster, limit time.Duration) bool {
	if len(f.Gone) > 0 || len(f.Columns) > 0 || len(f.Nodes) != len(c.Nodes) {
		return false
	}
	before := make(map[uint]Node, len(c.Nodes))
	for _, n := range c.Nodes {
		before[n.ID] = n
	}
	return !slices.ContainsFunc(f.Nodes, func(n Node) bool { return n.Address() != before[n.ID].Address() || !n.StandsAs(before[n.ID], limit) })
}

// StandsAs tells whether a node is as it was seen before; see [Node.SameAs].
func (n Node) StandsAs(before Node, limit time.Duration) bool {
	return n.Shard == before.Shard && n.Slots == before.Slots && n.Ident == before.Ident && n.SameAs(before, limit)
}

// Follow compares an attached cluster as it is known with what was found. Nodes are matched by their ID in the cluster, otherwise by their address; a
// shard is the same if it has a node that was in it. There are no messages for a cluster that had no nodes.
func (c Cluster) Follow(found Found, now time.Time) Followed {
	var f Followed
	numbers := c.numbersOf(found)
	names := make(map[string]bool)
	for _, n := range c.Nodes {
		names[n.Name] = true
	}
	var kept []uint
	replicas := 0
	for i, shard := range found.Shards {
		replicas = max(replicas, len(shard.Nodes)-1)
		for _, seen := range shard.Nodes {
			before, known := c.nodeFound(seen)
			n := before
			if !known {
				n = Node{ClusterID: c.ID, Name: c.newNodeName(len(found.Shards) > 1, numbers[i], names), CreatedAt: now}
			} else {
				kept = append(kept, n.ID)
			}
			n.Shard, n.Role, n.Slots, n.Ident = numbers[i], seen.Role, "", seen.Ident
			if seen.Role == RolePrimary {
				n.Slots = shard.Slots
			}
			n.setAddress(seen.Address)
			if n.State = seen.State; seen.Answers {
				n.SeenAt, n.UsedMemory, n.MaxMemory, n.Keys, n.LagBytes = &now, seen.UsedMemory, seen.MaxMemory, seen.Keys, seen.LagBytes
			}
			f.Nodes = append(f.Nodes, n)
			for _, message := range c.changeOf(before, n, known) {
				f.Messages = append(f.Messages, strings.TrimSpace(message+" "+seen.Denied))
			}
		}
	}
	for _, n := range c.Nodes {
		if !slices.Contains(kept, n.ID) {
			f.Gone = append(f.Gone, n)
			f.Messages = append(f.Messages, fmt.Sprintf("The node %s (%s) is no longer part of %s.", n.Name, n.Address(), c.Name))
		}
	}
	f.Columns = c.columnsOf(found, replicas, f.Nodes)
	if now, before := found.Engine, c.EngineName(); now != before && now.Version != "" && len(c.Nodes) > 0 {
		f.Messages = append(f.Messages, fmt.Sprintf("The cluster %s runs %s now; before, it was %s.", c.Name, now, before))
	}
	if len(c.Nodes) == 0 {
		f.Messages = nil
	}
	return f
}

// columnsOf returns the columns of the cluster's row that change.
func (c Cluster) columnsOf(found Found, replicas int, nodes []Node) map[string]any {
	columns := make(map[string]any)
	set := func(column string, differs bool, value any) {
		if differs {
			columns[column] = value
		}
	}
	set("engine", found.Engine.Name != "" && found.Engine.Name != c.Engine, found.Engine.Name)
	set("engine_version", found.Engine.Version != "" && found.Engine.Version != c.EngineVersion, found.Engine.Version)
	set("cluster_mode", (found.Topology == topologyCluster) != c.ClusterMode, found.Topology == topologyCluster)
	set("shards", len(found.Shards) != c.ShardCount, len(found.Shards))
	set("replicas", replicas != c.Replicas, replicas)
	if len(nodes) > 0 {
		set("port", nodes[0].Port != c.Port, nodes[0].Port)
	}
	return columns
}

// changeOf says what has become of a node.
func (c Cluster) changeOf(before, now Node, known bool) []string {
	switch {
	case !known:
		return []string{fmt.Sprintf("The node %s (%s) has joined %s as a %s.", now.Name, now.Address(), c.Name, now.Role)}
	case before.Shard != now.Shard:
		return []string{fmt.Sprintf("The node %s of %s belongs to shard %04d now.", now.Name, c.Name, now.Shard)}
	case before.Role != now.Role && now.Role == RolePrimary:
		return []string{fmt.Sprintf("The node %s of %s is the primary now.", now.Name, c.Name)}
	case before.Role != now.Role:
		return []string{fmt.Sprintf("The node %s of %s is a replica now.", now.Name, c.Name)}
	case before.Address() != now.Address():
		return []string{fmt.Sprintf("The node %s of %s is at %s now; before, it was at %s.", now.Name, c.Name, now.Address(), before.Address())}
	case before.Slots != now.Slots && now.Role == RolePrimary:
		return []string{fmt.Sprintf("The primary %s of %s has the slots %s now.", now.Name, c.Name, shortened(now.Slots))}
	}
	return nil
}

// shortened keeps a message with many slots short.
func shortened(slots string) string {
	if ranges := strings.Split(slots, ","); len(ranges) > 8 {
		return fmt.Sprintf("%s and %d more ranges", strings.Join(ranges[:8], ","), len(ranges)-8)
	}
	return slots
}

// nodeFound is the row of a node that was seen, as it was known before.
func (c Cluster) nodeFound(seen FoundNode) (Node, bool) {
	i := -1
	if seen.Ident != "" {
		i = slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Ident == seen.Ident })
	}
	if i < 0 {
		i = slices.IndexFunc(c.Nodes, func(n Node) bool {
			return n.Address() == seen.Address && (n.Ident == "" || seen.Ident == "")
		})
	}
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// numbersOf numbers the shards that were found: a known shard keeps the number that most of its nodes had, and a new one gets the next free number.
func (c Cluster) numbersOf(found Found) []int {
	numbers, taken := make([]int, len(found.Shards)), make(map[int]bool)
	for i, shard := range found.Shards {
		votes := make(map[int]int)
		for _, seen := range shard.Nodes {
			if n, known := c.nodeFound(seen); known {
				votes[n.Shard]++
			}
		}
		best := 0
		for number, count := range votes {
			if !taken[number] && (best == 0 || count > votes[best] || count == votes[best] && number < best) {
				best = number
			}
		}
		if best > 0 {
			numbers[i], taken[best] = best, true
		}
	}
	next := 1
	for i := range numbers {
		if numbers[i] == 0 {
			for taken[next] {
				next++
			}
			numbers[i], taken[next] = next, true
		}
	}
	return numbers
}

// newNodeName finds a name that no node of the cluster has, in ElastiCache's form: "orders-001", or "orders-0001-001" if sharded.
func (c Cluster) newNodeName(sharded bool, shard int, names map[string]bool) string {
	for number := 1; ; number++ {
		name := NodeName(c.Name, number)
		if sharded {
			name = ShardNodeName(c.Name, shard, number)
		}
		if !names[name] {
			names[name] = true
			return name
		}
	}
}

// setAddress sets host and port from an address.
func (n *Node) setAddress(address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return // cannot happen: it comes from net.JoinHostPort
	}
	n.Host = host
	n.Port, _ = strconv.Atoi(port)
}

// NewAttachedCluster is the row of a cluster that is attached, with the nodes that were found.
func NewAttachedCluster(spec AttachSpec, found Found, now time.Time) (Cluster, Attachment) {
	cluster := Cluster{
		Name: spec.Name, Kind: KindAttached, Declared: spec.Declared, Status: ClusterAvailable, Password: spec.Password, PortChosen: true, WindowChosen: !spec.Window.IsZero(),
		Configuration: Configuration{Description: spec.Description, Grouped: true, Engine: found.Engine.Name, EngineVersion: found.Engine.Version,
			ClusterMode: found.Topology == topologyCluster, ShardCount: len(found.Shards), RetentionLimit: spec.Retention, SnapshotWindow: spec.Window},
		ScheduleSince: now, CreatedAt: now, UpdatedAt: now,
	}
	if cluster.SnapshotWindow.IsZero() {
		cluster.SnapshotWindow = PickWindow(spec.Name)
	}
	cluster.Nodes = cluster.Follow(found, now).Nodes
	for i, n := range cluster.Nodes {
		if cluster.Replicas = max(cluster.Replicas, len(cluster.nodesOf(n.Shard))-1); i == 0 {
			cluster.Port = n.Port
		}
	}
	return cluster, Attachment{Access: spec.Access, Topology: found.Topology}
}

func (c Cluster) nodesOf(shard int) []Node {
	s, _ := c.Shard(shard)
	return s.Nodes
}
