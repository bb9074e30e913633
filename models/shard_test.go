package models

import (
	"slices"
	"testing"
)

func TestNodesAreSortedIntoTheirShards(t *testing.T) {
	t.Parallel()
	node := func(name string, shard int, role Role, used int64) Node {
		return Node{Name: name, Shard: shard, Role: role, UsedMemory: used, State: "available"}
	}
	c := Cluster{Name: "orders", Status: ClusterUnreachable, Configuration: Configuration{Engine: "redis", NodeType: "cache.t4g.micro"}, Nodes: []Node{
		node("orders-004", 2, RoleReplica, 7), node("orders-001", 1, RolePrimary, 5), node("orders-002", 1, RoleReplica, 9), node("orders-003", 2, RolePrimary, 8), node("orders-005", 3, RolePrimary, 1)}}
	var got []string
	for _, s := range c.Shards() {
		primary, _ := s.Primary()
		text := s.ID() + ": " + primary.Name
		for _, n := range s.Replicas() {
			text += " " + n.Name
		}
		got = append(got, text)
	}
	if want := []string{"0001: orders-001 orders-002", "0002: orders-003 orders-004", "0003: orders-005"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s, found := c.ShardWith("orders-004"); !found || s.Number != 2 || len(c.Only(s).Nodes) != 2 || len(c.Only(s).Primaries()) != 1 {
		t.Errorf("the shard of orders-004: %+v", s)
	}
	for _, number := range []int{0, 4} {
		if _, found := c.Shard(number); found {
			t.Errorf("there is a shard %d", number)
		}
	}
	if most := c.FullestShard(); most != 8 {
		t.Errorf("the fullest shard has %d bytes", most)
	}
	// A replica in step of one shard cannot stand in for another shard.
	if c.NoSnapshot() == "" {
		t.Error("a snapshot can be taken although the third shard has no replica")
	}
	c.Nodes = c.Nodes[:4]
	if why := c.NoSnapshot(); why != "" {
		t.Errorf("each shard has a replica in step, and no snapshot can be taken: %s", why)
	}
	c.Engine = EngineMemcached
	if shards := c.Shards(); shards != nil {
		t.Errorf("nodes of memcached are sorted into shards: %v", shards)
	}
}
