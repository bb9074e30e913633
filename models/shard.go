package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/slots"
)

// Shard is a part of a cluster's keys: a set of hash slots, the primary that has them, and its replicas. ElastiCache calls it a node group.
type Shard struct {
	Number int    // from 1
	Slots  string // "0-5460,9000"; "" outside of cluster mode, where the only shard has all keys
	Nodes  []Node
}

// ID is what ElastiCache calls the shard: "0001".
func (s Shard) ID() string { return fmt.Sprintf("%04d", s.Number) }

// Primary returns the node that takes the writes.
func (s Shard) Primary() (Node, bool) { return s.first(RolePrimary) }

// Replicas are the nodes that follow the primary.
func (s Shard) Replicas() []Node {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(n Node) bool { return n.Role != RoleReplica })
}

func (s Shard) first(role Role) (Node, bool) {
	if i := slices.IndexFunc(s.Nodes, func(n Node) bool { return n.Role == role }); i >= 0 {
		return s.Nodes[i], true
	}
	return Node{}, false
}

// Shards are the cluster's shards, in the order of their numbers, each with its nodes in the cluster's order. A cluster of memcached has none: each
// of its nodes has keys of its own.
func (c Cluster) Shards() []Shard {
	if c.Cached() {
		return nil
	}
	var shards []Shard
	for _, n := range c.Nodes {
		i, found := slices.BinarySearchFunc(shards, n.Shard, func(s Shard, number int) int { return s.Number - number })
		if !found {
			shards = slices.Insert(shards, i, Shard{Number: n.Shard})
		}
		shards[i].Nodes = append(shards[i].Nodes, n)
		if n.Role == RolePrimary {
			shards[i].Slots = n.Slots
		}
	}
	return shards
}

// Unserved says which slots of an available cluster in cluster mode no shard has, or several have, as far as its primaries were seen, or which primary
// refuses commands although each slot is in one shard; "" when neither is so. Snapshots of a cluster that lacks slots fail until that is repaired: each
// looks again.
func (c Cluster) Unserved() string {
	if !c.ClusterMode || c.Status != ClusterAvailable {
		return ""
	}
	var sets []string
	for _, s := range c.Shards() {
		if s.Slots != "" {
			sets = append(sets, s.Slots)
		}
	}
	missing, err := slots.Missing(sets)
	if bad, is := errors.AsType[*slots.Error](err); is {
		missing = bad.Piece
	}
	switch {
	case len(sets) == 0: // nothing was seen of it yet
		return ""
	case missing != "":
		return UnservedText(c.Name, missing)
	}
	return c.refusing()
}

// refusing says that primaries find their cluster incomplete, and what to do about it; "" if none does.
func (c Cluster) refusing() string {
	var names []string
	for _, p := range c.Primaries() {
		if p.State == NodeRefusing {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Primaries of %s refuse commands (%s): their cluster_state is fail, although each slot is in a shard. The primary of another shard has failed, or most of the other primaries are not heard from on the cluster bus. "+
		"If that does not pass within a minute, check that each node reaches the others at their bus ports (the port + 10000), and that all of them are in CLUSTER NODES.", c.Name, strings.Join(names, ", "))
}

// UnservedText says that slots are not where they should be.
func UnservedText(cluster, missing string) string {
	return fmt.Sprintf("The slots %s of %s belong to no shard, or to several. A snapshot would be incomplete. Repair the cluster first (redis-cli --cluster check).", shortened(missing), cluster)
}

// Shard returns the shard with this number. A shard without nodes does not exist.
func (c Cluster) Shard(number int) (Shard, bool) {
	shards := c.Shards()
	if i := slices.IndexFunc(shards, func(s Shard) bool { return s.Number == number }); i >= 0 {
		return shards[i], true
	}
	return Shard{Number: number}, false
}

// ShardWith returns the shard that has the node with this name.
func (c Cluster) ShardWith(node string) (Shard, bool) {
	if i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Name == node }); i >= 0 {
		return c.Shard(c.Nodes[i].Shard)
	}
	return Shard{}, false
}

// Primaries are the primaries of all shards that have one.
func (c Cluster) Primaries() []Node {
	var primaries []Node
	for _, s := range c.Shards() {
		if primary, found := s.Primary(); found {
			primaries = append(primaries, primary)
		}
	}
	return primaries
}

// Only is the cluster as if it had only this shard, for work that is done shard by shard.
func (c Cluster) Only(s Shard) Cluster {
	c.Nodes = s.Nodes
	return c
}

// FullestShard is how much memory the data of the fullest shard takes, in bytes.
func (c Cluster) FullestShard() int64 {
	var most int64
	for _, primary := range c.Primaries() {
		most = max(most, primary.UsedMemory)
	}
	return most
}
