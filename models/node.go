package models

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Role is what a node is within its shard.
type Role string

// The roles of a node.
const (
	RolePrimary Role = "primary"
	RoleReplica Role = "replica"
	RoleCache   Role = "cache" // of memcached: every node has keys of its own
)

// Node is one server process.
type Node struct {
	ID        uint
	ClusterID uint   `gorm:"index"`
	Name      string `gorm:"uniqueIndex"` // "orders-001"
	Shard     int    // from 1
	Role      Role
	Zone      string // availability zone, only kept and given back; "": the region's first
	Host      string `gorm:"uniqueIndex:idx_nodes_endpoint"`
	Port      int    `gorm:"uniqueIndex:idx_nodes_endpoint"`
	Announced string // the host that applications are told instead of Host; "": none
	Slots     string // of a primary in cluster mode: "0-5460,9000"
	Ident     string // of an attached node in cluster mode: its ID in its cluster
	CreatedAt time.Time

	// As the supervisor saw it last.
	State      string // "starting", "available", "loading", "unreachable", "stopped", or one of [NodePlanned] and [NodeRefusing]
	UsedMemory int64  // bytes
	MaxMemory  int64  // bytes
	Keys       int64
	LagBytes   int64 // behind the primary; -1: the link is down
	SeenAt     *time.Time
	Halted     bool // it was stopped on purpose, with the console
}

// InStep tells whether a node was, when it was last seen, a replica with a link to its primary.
func (n Node) InStep() bool {
	return n.Role == RoleReplica && n.State == "available" && n.LagBytes >= 0
}

// The states of nodes that the rules know; the supervisor writes others.
const (
	NodePlanned  = "planned"  // of a new cluster, of which it is not certain yet that no files of earlier nodes are in their place: those stay as they are
	NodeDeleting = "deleting" // a run is removing it
	NodeRefusing = "refusing" // a primary in cluster mode finds that some slots are not served, and refuses commands
)

// Planned tells whether nothing of the node has been made yet: see [NodePlanned].
func (n Node) Planned() bool { return n.State == NodePlanned }

// Address returns where the console connects to the node: "host:port".
func (n Node) Address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// Endpoint is where applications connect to the node.
func (n Node) Endpoint() Endpoint { return Endpoint{Host: cmp.Or(n.Announced, n.Host), Port: n.Port} }

// NodeName is the name of the n-th node of a cluster, counted from 1, as ElastiCache numbers them.
func NodeName(cluster string, n int) string { return fmt.Sprintf("%s-%03d", cluster, n) }

// ShardNodeName is the name of the n-th node of a shard in cluster mode, both counted from 1, as ElastiCache numbers them.
func ShardNodeName(cluster string, shard, n int) string {
	return NodeName(fmt.Sprintf("%s-%04d", cluster, shard), n)
}

// SameAs tells whether a node is as it was seen before, except for small changes of its memory, and that is no longer ago than limit.
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

// Endpoint is where a node listens. The nodes of a cluster share a port and differ in their addresses, as in ElastiCache, as long as the host
// has enough addresses; on a host with a single address they differ in their ports.
type Endpoint struct {
	Host string
	Port int
	// Announced is the host that applications are told instead; "": none. Then all nodes have ports of their own, because they share that host.
	Announced string
}

func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }
