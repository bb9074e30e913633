package models

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// found builds what was found from lines like "1 primary a:1 id 0-100": the shard's place, the role, the address, and in cluster mode the id and the slots.
func found(t *testing.T, lines ...string) Found {
	t.Helper()
	f := Found{Engine: Engine{"redis", "7.0.15"}}
	for _, line := range lines {
		words := append(strings.Fields(line), "", "")
		place := int(words[0][0] - '0')
		for len(f.Shards) < place {
			f.Shards = append(f.Shards, FoundShard{})
		}
		shard := &f.Shards[place-1]
		shard.Nodes = append(shard.Nodes, FoundNode{Role: Role(words[1]), Address: words[2], Ident: words[3], State: "available", Answers: true})
		shard.Slots += words[4]
	}
	return f
}

// lines are nodes as text: "orders-001 1 primary a:1 0-100".
func nodeLines(nodes []Node) []string {
	var lines []string
	for _, n := range nodes {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %d %s %s %s", n.Name, n.Shard, n.Role, n.Address(), n.Slots)))
	}
	return lines
}

func TestANodeThatMustNotBeConnectedToIsReported(t *testing.T) {
	t.Parallel()
	cluster := Cluster{Name: "orders", Nodes: []Node{{ID: 1, Name: "orders-001", Shard: 1, Role: RolePrimary, Host: "a", Port: 1}}}
	f := found(t, "1 primary a:1", "1 replica b:1")
	f.Engine = Engine{} // as before
	f.Shards[0].Nodes[1].Denied = "b is denied."
	if got := cluster.Follow(f, time.Time{}).Messages; !slices.Equal(got, []string{"The node orders-002 (b:1) has joined orders as a replica. b is denied."}) {
		t.Errorf("%q", got)
	}
}

func TestFollowKeepsUpWithWhatAClusterIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		before, after []string
		nodes         []string
		gone          []string
		messages      []string
	}{
		{"nothing", []string{"1 primary a:1", "1 replica b:1"}, []string{"1 primary a:1", "1 replica b:1"},
			[]string{"orders-001 1 primary a:1", "orders-002 1 replica b:1"}, nil, nil},
		{"a failover", []string{"1 primary a:1", "1 replica b:1"}, []string{"1 primary b:1", "1 replica a:1"},
			[]string{"orders-002 1 primary b:1", "orders-001 1 replica a:1"}, nil,
			[]string{"The node orders-002 of orders is the primary now.", "The node orders-001 of orders is a replica now."}},
		{"a replica comes", []string{"1 primary a:1"}, []string{"1 primary a:1", "1 replica b:1"},
			[]string{"orders-001 1 primary a:1", "orders-002 1 replica b:1"}, nil, []string{"The node orders-002 (b:1) has joined orders as a replica."}},
		{"a replica goes", []string{"1 primary a:1", "1 replica b:1"}, []string{"1 primary a:1"},
			[]string{"orders-001 1 primary a:1"}, []string{"orders-002 1 replica b:1"}, []string{"The node orders-002 (b:1) is no longer part of orders."}},
		{"a free number is used again", []string{"1 primary a:1", "1 replica b:1", "1 replica c:1"}, []string{"1 primary a:1", "1 replica c:1", "1 replica d:1"},
			[]string{"orders-001 1 primary a:1", "orders-003 1 replica c:1", "orders-004 1 replica d:1"}, []string{"orders-002 1 replica b:1"},
			[]string{"The node orders-004 (d:1) has joined orders as a replica.", "The node orders-002 (b:1) is no longer part of orders."}},
		{"a changed address in cluster mode", []string{"1 primary a:1 x 0-9", "2 primary b:1 y 10-19"}, []string{"1 primary c:1 x 0-9", "2 primary b:1 y 10-19"},
			[]string{"orders-0001-001 1 primary c:1 0-9", "orders-0002-001 2 primary b:1 10-19"}, nil,
			[]string{"The node orders-0001-001 of orders is at c:1 now; before, it was at a:1."}},
		{"two nodes exchange their addresses", []string{"1 primary a:1 x 0-9", "2 primary b:1 y 10-19"}, []string{"1 primary b:1 x 0-9", "2 primary a:1 y 10-19"},
			[]string{"orders-0001-001 1 primary b:1 0-9", "orders-0002-001 2 primary a:1 10-19"}, nil,
			[]string{"The node orders-0001-001 of orders is at b:1 now; before, it was at a:1.", "The node orders-0002-001 of orders is at a:1 now; before, it was at b:1."}},
		{"slots move", []string{"1 primary a:1 x 0-9", "2 primary b:1 y 10-19"}, []string{"1 primary a:1 x 0-4", "2 primary b:1 y 5-19"},
			[]string{"orders-0001-001 1 primary a:1 0-4", "orders-0002-001 2 primary b:1 5-19"}, nil,
			[]string{"The primary orders-0001-001 of orders has the slots 0-4 now.", "The primary orders-0002-001 of orders has the slots 5-19 now."}},
		{"shards in another order keep their numbers", []string{"1 primary a:1 x 0-9", "2 primary b:1 y 10-19"}, []string{"1 primary b:1 y 0-9", "2 primary a:1 x 10-19"},
			[]string{"orders-0002-001 2 primary b:1 0-9", "orders-0001-001 1 primary a:1 10-19"}, nil,
			[]string{"The primary orders-0002-001 of orders has the slots 0-9 now.", "The primary orders-0001-001 of orders has the slots 10-19 now."}},
		{"a shard comes", []string{"1 primary a:1 x 0-19"}, []string{"1 primary b:1 y 0-9", "2 primary a:1 x 10-19"},
			[]string{"orders-0002-001 2 primary b:1 0-9", "orders-001 1 primary a:1 10-19"}, nil,
			[]string{"The node orders-0002-001 (b:1) has joined orders as a primary.", "The primary orders-001 of orders has the slots 10-19 now."}},
		{"another server at the address of one", []string{"1 primary a:1 x 0-9", "1 replica b:1 z"}, []string{"1 primary a:1 x 0-9", "1 replica b:1 w"},
			[]string{"orders-001 1 primary a:1 0-9", "orders-003 1 replica b:1"}, []string{"orders-002 1 replica b:1"},
			[]string{"The node orders-003 (b:1) has joined orders as a replica.", "The node orders-002 (b:1) is no longer part of orders."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
			cluster, _ := NewAttachedCluster(AttachSpec{Name: "orders"}, found(t, c.before...), now)
			for i := range cluster.Nodes {
				cluster.Nodes[i].ID = uint(i + 1)
			}
			f := cluster.Follow(found(t, c.after...), now)
			if got := nodeLines(f.Nodes); !slices.Equal(got, c.nodes) {
				t.Errorf("nodes %q\nwant  %q", got, c.nodes)
			}
			if got := nodeLines(f.Gone); !slices.Equal(got, c.gone) {
				t.Errorf("gone %q\nwant %q", got, c.gone)
			}
			if !slices.Equal(f.Messages, c.messages) {
				t.Errorf("said %q\nwant %q", f.Messages, c.messages)
			}
		})
	}
}

func TestFollowNotesTheConfiguration(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	cluster, attachment := NewAttachedCluster(AttachSpec{Name: "orders", Retention: 3}, found(t, "1 primary a:1", "1 replica b:2"), now)
	if cluster.Replicas != 1 || cluster.ShardCount != 1 || cluster.Port != 1 || cluster.EngineName() != (Engine{"redis", "7.0.15"}) || cluster.SnapshotWindow.IsZero() || cluster.Home != "" || attachment.ClusterID != 0 {
		t.Errorf("attached %+v", cluster)
	}
	if f := cluster.Follow(found(t, "1 primary a:1", "1 replica b:2"), now); len(f.Columns) > 0 {
		t.Errorf("nothing has changed but %v", f.Columns)
	}
	later := found(t, "1 primary b:2", "1 replica a:1", "1 replica c:3")
	later.Engine.Version = "7.2.0"
	f := cluster.Follow(later, now)
	if got := fmt.Sprint(f.Columns); got != "map[engine_version:7.2.0 port:2 replicas:2]" {
		t.Errorf("changed are %s", got)
	}
	if last := f.Messages[len(f.Messages)-1]; !strings.Contains(last, "7.2.0") || !strings.Contains(last, "7.0.15") {
		t.Errorf("said %q", f.Messages)
	}
}
