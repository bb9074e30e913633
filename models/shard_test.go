package models

import (
	"slices"
	"strings"
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

func TestSlotsThatNoShardHasAreTold(t *testing.T) {
	t.Parallel()
	const says = " of orders belong to no shard, or to several. A snapshot would be incomplete."
	for _, c := range []struct {
		name   string
		slots  []string // of the primaries
		status ClusterStatus
		single bool
		want   string
	}{
		{"each in one", []string{"0-8191", "8192-16383"}, ClusterAvailable, false, ""},
		{"one in none", []string{"0-8,10-8191", "8192-16383"}, ClusterAvailable, false, "The slots 9" + says},
		{"one in two", []string{"0-8192", "8192-16383"}, ClusterAvailable, false, "The slots 8192" + says},
		{"a shard without any", []string{"0-8191", ""}, ClusterAvailable, false, "The slots 8192-16383" + says},
		{"none seen", []string{"", ""}, ClusterAvailable, false, ""},
		{"being created", []string{"0-8191", ""}, ClusterCreating, false, ""},
		{"out of reach", []string{"0-8191", ""}, ClusterUnreachable, false, ""},
		{"not in cluster mode", []string{""}, ClusterAvailable, true, ""},
		{"many", []string{"1,3,5,7,9,11,13,15,17,19-16383"}, ClusterAvailable, false, "The slots 0,2,4,6,8,10,12,14 and 2 more ranges" + says},
		{"unreadable", []string{"0-"}, ClusterAvailable, false, "The slots 0-" + says},
	} {
		cluster := Cluster{Name: "orders", Status: c.status, Configuration: Configuration{Engine: "redis", ClusterMode: !c.single}}
		for i, set := range c.slots {
			cluster.Nodes = append(cluster.Nodes, Node{Shard: i + 1, Role: RolePrimary, Slots: set}, Node{Shard: i + 1, Role: RoleReplica})
		}
		if why := cluster.Unserved(); (why == "") != (c.want == "") || !strings.HasPrefix(why, c.want) {
			t.Errorf("%s: %q, want %q", c.name, why, c.want)
		}
	}
}

func TestPrimariesThatRefuseCommandsAreNamed(t *testing.T) {
	t.Parallel()
	cluster := Cluster{Name: "orders", Status: ClusterAvailable, Configuration: Configuration{Engine: "redis", ClusterMode: true}, Nodes: []Node{
		{Name: "a", Shard: 1, Role: RolePrimary, Slots: "0-8191", State: NodeRefusing}, {Name: "b", Shard: 1, Role: RoleReplica, State: "loading"},
		{Name: "c", Shard: 2, Role: RolePrimary, Slots: "8192-16383", State: NodeRefusing}}}
	if why := cluster.Unserved(); !strings.HasPrefix(why, "Primaries of orders refuse commands (a, c): their cluster_state is fail, although each slot is in a shard.") || !strings.Contains(why, "bus ports") {
		t.Error(why)
	}
	lacking := cluster
	lacking.Nodes = slices.Clone(cluster.Nodes)
	lacking.Nodes[0].Slots = "0-8190"
	if why := lacking.Unserved(); !strings.HasPrefix(why, "The slots 8191 of orders") || strings.Contains(why, "refuse") {
		t.Errorf("with a slot that no shard has: %s", why)
	}
	cluster.Nodes[0].State, cluster.Nodes[2].State = "available", "available"
	if why := cluster.Unserved(); why != "" {
		t.Errorf("with nothing wrong: %s", why)
	}
}

func TestANodeTypeIsShownForWhatHasNone(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for want, nodes := range map[string][]Node{
		"cache.t4g.micro":    nil,
		"cache.t4g.small":    {{UsedMemory: gib}, {UsedMemory: 1}},
		"cache.m7g.large":    {{UsedMemory: 1, MaxMemory: 5 * gib}, {UsedMemory: gib}},
		"cache.t4g.medium":   {{UsedMemory: 4 * gib, MaxMemory: 3 * gib}}, // as a full node says, only more so
		"cache.r7g.16xlarge": {{UsedMemory: 900 * gib}},
		"cache.r7g.large":    {{UsedMemory: 7 * gib}, {UsedMemory: 13 * gib}},
		"cache.m7g.16xlarge": {{UsedMemory: 200 * gib}},
		"cache.r7g.12xlarge": {{MaxMemory: 300 * gib}},
		"cache.r7g.4xlarge":  {{UsedMemory: 105 * gib}},
		"cache.m7g.12xlarge": {{UsedMemory: 106 * gib}},
		"cache.r7g.2xlarge":  {{UsedMemory: 52*gib + gib/2}},
	} {
		if got := (Cluster{Kind: KindAttached, Nodes: nodes}).ShownNodeType(); got != want {
			t.Errorf("%+v: %s, want %s", nodes, got, want)
		}
	}
	if got := (Cluster{Kind: KindLaunched, Configuration: Configuration{NodeType: "cache.t1.micro"}}).ShownNodeType(); got != "cache.t1.micro" {
		t.Error(got)
	}
	for used, want := range map[int64]string{0: "", gib / 4: "cache.t4g.micro", gib / 2: "cache.t4g.small"} {
		if got := (Snapshot{UsedMemory: used}).ShownNodeType(); got != want {
			t.Errorf("a snapshot of %d bytes: %q, want %q", used, got, want)
		}
	}
	if got := (Snapshot{UsedMemory: gib, Configuration: Configuration{NodeType: "cache.t4g.micro"}}).ShownNodeType(); got != "cache.t4g.micro" {
		t.Error(got)
	}
}
