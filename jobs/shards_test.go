package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// sharded is a cluster of two shards with a replica each, outside of cluster mode: nobody can ask for one yet, so it is written into the catalog,
// and the supervisor starts its nodes.
func sharded(t *testing.T, c *console) models.Cluster {
	t.Helper()
	spec := c.spec("orders", 1)
	cluster := models.Cluster{Name: spec.Name, Kind: "launched", Configuration: models.Configuration{Grouped: true, Engine: spec.Engine.Name,
		EngineVersion: spec.Engine.Version, NodeType: spec.NodeType, ShardCount: 2, Replicas: 1}}
	for i := range 4 {
		at, err := c.nodes.Place(t.Context(), 0, func(e launch.Endpoint) bool {
			return slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Host == e.Host && n.Port == e.Port })
		})
		if err != nil {
			t.Fatal(err)
		}
		role := []models.Role{models.RolePrimary, models.RoleReplica}[i%2]
		cluster.Nodes = append(cluster.Nodes, models.Node{Name: models.NodeName("orders", i+1), Shard: i/2 + 1, Role: role, Host: at.Host, Port: at.Port})
	}
	if adopted, err := c.db.Rebuild.AdoptCluster(t.Context(), cluster, "It was written down by a test."); err != nil || !adopted {
		t.Fatalf("adopted %v, error %v", adopted, err)
	}
	return awaitShards(t, c)
}

// awaitShards waits until all nodes are as they should be.
func awaitShards(t *testing.T, c *console) models.Cluster {
	t.Helper()
	var cluster models.Cluster
	c.waitFor("all nodes of both shards", func() bool {
		var err error
		cluster, err = c.db.Clusters.Get(t.Context(), "orders")
		if err != nil || cluster.Status != models.ClusterAvailable {
			return false
		}
		for _, shard := range cluster.Shards() {
			if len(shard.Replicas()) != 1 || !shard.Replicas()[0].InStep() || len(cluster.Only(shard).Primaries()) != 1 {
				return false
			}
		}
		return len(cluster.Primaries()) == 2
	}, func() string { return fmt.Sprintf("%s %+v\n%s", cluster.Status, cluster.Nodes, c.events()) })
	return cluster
}

func TestEachShardIsSupervisedAndSnapshotted(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := sharded(t, c)
	want := make(map[int]string)
	for i, primary := range cluster.Primaries() {
		testkit.Fill(t, c.client(cluster, primary), 1000*(i+1))
		want[i+1] = testkit.Fingerprint(t, c.client(cluster, primary))
	}

	snapshot := c.snapshot("orders", "both")
	if snapshot.Status != models.SnapshotAvailable || snapshot.ShardCount != 2 || len(snapshot.Parts) != 2 || snapshot.Warning != "" {
		t.Fatalf("%s with %d parts of %d shards: %s%s", snapshot.Status, len(snapshot.Parts), snapshot.ShardCount, snapshot.StatusReason, snapshot.Warning)
	}
	for i, part := range snapshot.Parts {
		shard, found := cluster.ShardWith(part.ServedBy)
		if part.Number != i+1 || !found || shard.Number != part.Number || part.ServedRole != models.RoleReplica {
			t.Errorf("part %d was served by the %s %s", part.Number, part.ServedRole, part.ServedBy)
		}
	}
	if first, second := snapshot.Parts[0].Keys, snapshot.Parts[1].Keys; first == 0 || second <= first || snapshot.Keys != first+second {
		t.Errorf("%d and %d keys, together %d", first, second, snapshot.Keys)
	}
	// Outside of cluster mode shards may have the same keys: which of them is meant is nobody's to say.
	spec := c.spec("copy", 0)
	spec.Snapshot = "both"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	if failed := c.await("copy", models.ClusterRestoreFailed); !strings.Contains(failed.StatusReason, "unclear which to keep. The data has the key “") || !strings.Contains(failed.StatusReason, " twice, ") {
		t.Errorf("it failed because: %s", failed.StatusReason)
	}

	// A primary that dies is replaced within its shard, and the other shard does not feel it.
	dead := cluster.Primaries()[1]
	if err := c.nodes.Stop(t.Context(), "orders", dead.Name, launch.Kill); err != nil {
		t.Fatal(err)
	}
	c.waitFor("a successor", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && len(now.Primaries()) == 2 && now.Primaries()[1].Name != dead.Name
	}, c.events)
	cluster = awaitShards(t, c)
	if first := cluster.Primaries()[0].Name; first != "orders-001" {
		t.Errorf("the primary of the first shard is %s now", first)
	}
	for i, primary := range cluster.Primaries() {
		if got := testkit.Fingerprint(t, c.client(cluster, primary)); got != want[i+1] {
			t.Errorf("shard %d has other data now", i+1)
		}
	}

	// A failover is one shard's as well.
	if err := c.db.Changes.FailOver(t.Context(), "orders", 1, "test"); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	second := cluster.Primaries()[1].Name
	c.waitFor("the failover", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && len(now.Primaries()) == 2 && now.Primaries()[0].Name == "orders-002"
	}, c.events)
	if cluster = awaitShards(t, c); cluster.Primaries()[1].Name != second {
		t.Errorf("the primary of the second shard is %s now", cluster.Primaries()[1].Name)
	}
}
