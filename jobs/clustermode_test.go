package jobs_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// inClusterMode asks for a cluster of so many shards, with so many replicas each.
func (c *console) inClusterMode(name string, shards, replicas int) models.ClusterSpec {
	c.t.Helper()
	spec := c.spec(name, replicas)
	spec.ClusterMode, spec.Shards = true, shards
	return spec
}

// clusterClient is an application that knows the endpoint of one node.
func (c *console) clusterClient(cluster models.Cluster) *redis.ClusterClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{cluster.Nodes[0].Address()}, Password: cluster.Password.Reveal(), TLSConfig: c.trust(cluster)})
	c.t.Cleanup(func() { client.Close() })
	return client
}

// fillShards writes keys of all types into each shard.
func (c *console) fillShards(cluster models.Cluster) {
	c.t.Helper()
	app := c.clusterClient(cluster)
	for i := range 600 {
		key := fmt.Sprintf("order:%d", i)
		var err error
		switch i % 3 {
		case 0:
			err = app.Set(c.t.Context(), key, strings.Repeat("paid ", i%50), 0).Err()
		case 1:
			err = app.HSet(c.t.Context(), key, "total", i, "state", "sent").Err()
		default:
			err = app.ZAdd(c.t.Context(), key, redis.Z{Score: float64(i), Member: "a"}, redis.Z{Score: 1.5, Member: "b"}).Err()
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// digests are those of all keys, in all shards.
func (c *console) digests(cluster models.Cluster) map[string]string {
	c.t.Helper()
	all := make(map[string]string)
	for _, primary := range cluster.Primaries() {
		maps.Copy(all, testkit.Digests(c.t, c.client(cluster, primary)))
	}
	return all
}

// inStep waits until every shard has a primary and so many replicas that are in step.
func (c *console) inStep(name string, shards, replicas int) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	c.waitFor(fmt.Sprintf("%d shards with %d replicas each", shards, replicas), func() bool {
		var err error
		cluster, err = c.db.Clusters.Get(c.t.Context(), name)
		if err != nil || cluster.Status != models.ClusterAvailable || len(cluster.Primaries()) != shards {
			return false
		}
		return !slices.ContainsFunc(cluster.Shards(), func(s models.Shard) bool {
			inStep := slices.DeleteFunc(s.Replicas(), func(n models.Node) bool { return !n.InStep() })
			return len(inStep) != replicas
		})
	}, func() string { return fmt.Sprintf("%s (%s)\n%s", cluster.Status, cluster.StatusReason, c.events()) })
	return cluster
}

// restoreInto restores a snapshot into a new cluster.
func (c *console) restoreInto(spec models.ClusterSpec, snapshot string) models.Cluster {
	c.t.Helper()
	spec.Snapshot = snapshot
	return c.create(spec)[0]
}

func TestAClusterInClusterModeIsCreatedSnapshottedAndRestoredIntoOtherNumbersOfShards(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.inClusterMode("orders", 3, 1))[0]
	if names := namesOfNodes(orders); !slices.Equal(names, []string{"orders-0001-001", "orders-0001-002", "orders-0002-001", "orders-0002-002", "orders-0003-001", "orders-0003-002"}) {
		t.Errorf("the nodes are %v", names)
	}
	orders = c.inStep("orders", 3, 1)
	c.fillShards(orders)
	want := c.digests(orders)
	snapshot := c.snapshot("orders", "evening")
	var sets []string
	for _, part := range snapshot.Parts {
		sets = append(sets, part.Slots)
		if part.ServedRole != models.RoleReplica {
			t.Errorf("part %d was taken from a %s", part.Number, part.ServedRole)
		}
	}
	if !snapshot.ClusterMode || !slices.Equal(sets, []string{"0-5460", "5461-10922", "10923-16383"}) {
		t.Fatalf("%s (%s), cluster mode %v, with the slots %v", snapshot.Status, snapshot.StatusReason, snapshot.ClusterMode, sets)
	}

	for shards, spec := range map[string]models.ClusterSpec{
		"five, no replicas": c.inClusterMode("five", 5, 0), "one in cluster mode": c.inClusterMode("one", 1, 1), "outside of cluster mode": c.spec("plain", 0)} {
		restored := c.restoreInto(spec, "evening")
		if diff := testkit.Diff(want, c.digests(restored)); diff != "" {
			t.Errorf("restored into %s:\n%s", shards, diff)
		}
		primary, _ := restored.Shards()[0].Primary()
		if users, err := c.client(restored, primary).Do(t.Context(), "ACL", "LIST").StringSlice(); err != nil || len(users) != 1 || strings.Contains(users[0], "-@write") {
			t.Errorf("restored into %s, the users are %v (%v)", shards, users, err)
		}
		if limit := c.client(restored, primary).ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; limit != strconv.FormatInt(restored.MaxMemory(), 10) {
			t.Errorf("restored into %s, maxmemory is %s", shards, limit)
		}
	}
	app := c.clusterClient(c.await("five", models.ClusterAvailable))
	if got, err := app.HGet(t.Context(), "order:1", "state").Result(); err != nil || got != "sent" {
		t.Errorf("an application reads %q, %v", got, err)
	}
	if err := app.Set(t.Context(), "order:1000", "new", 0).Err(); err != nil {
		t.Errorf("an application writes: %v", err)
	}
}

func namesOfNodes(cluster models.Cluster) (names []string) {
	for _, n := range cluster.Nodes {
		names = append(names, n.Name)
	}
	return names
}

func TestAReplicaInClusterModeTakesOverAndTheDeadPrimaryComesBackAsOne(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.inClusterMode("orders", 2, 1)) // two primaries cannot outvote one that is silent: Rekindle has to
	orders := c.inStep("orders", 2, 1)
	c.fillShards(orders)
	want := c.digests(orders)
	old := orders.Primaries()[1]
	if err := c.nodes.Stop(t.Context(), "orders", old.Name, launch.Kill); err != nil {
		t.Fatal(err)
	}
	c.waitFor("the replica to be the primary", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && len(now.Primaries()) == 2 && now.Primaries()[1].Name != old.Name && now.Primaries()[1].Slots == old.Slots
	}, c.events)
	orders = c.inStep("orders", 2, 1)
	if diff := testkit.Diff(want, c.digests(orders)); diff != "" {
		t.Errorf("after the failover:\n%s", diff)
	}
	if snapshot := c.snapshot("orders", "after"); snapshot.Status != models.SnapshotAvailable || snapshot.Keys != int64(len(want)) {
		t.Errorf("the snapshot is %s with %d keys: %s", snapshot.Status, snapshot.Keys, snapshot.StatusReason)
	}
}

func TestAShardInClusterModeIsHandedOverAndAllAreResized(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.inClusterMode("orders", 2, 1))
	orders := c.inStep("orders", 2, 1)
	c.fillShards(orders)
	want := c.digests(orders)
	old := orders.Primaries()[1]
	if err := c.db.Changes.FailOver(t.Context(), "orders", 2, "test"); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	c.await("orders", models.ClusterAvailable)
	if orders = c.inStep("orders", 2, 1); orders.Primaries()[1].Name == old.Name || orders.Primaries()[0].Name != "orders-0001-001" {
		t.Errorf("after the failover the primaries are %v\n%s", orders.Primaries(), c.events())
	}
	for _, replicas := range []int{2, 0} {
		if _, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: &replicas, RequestedBy: "test"}); err != nil {
			t.Fatal(err)
		}
		c.manager.Wake()
		orders = c.inStep("orders", 2, replicas)
		for _, node := range orders.Nodes {
			var known string
			c.waitFor(fmt.Sprintf("%s to know %d nodes", node.Name, 2*(replicas+1)), func() bool {
				known = c.client(orders, node).ClusterNodes(t.Context()).Val()
				return strings.Count(known, "\n") == 2*(replicas+1) && strings.Count(known, "slave") == 2*replicas
			}, func() string { return known })
		}
	}
	if diff := testkit.Diff(want, c.digests(orders)); diff != "" {
		t.Errorf("the data differs:\n%s", diff)
	}
}

func TestASnapshotInClusterModeIsRefusedWhileASlotIsMissingOrOnItsWay(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.inClusterMode("orders", 2, 0))[0]
	first, second := orders.Primaries()[0], orders.Primaries()[1]
	do := func(node models.Node, args ...any) string {
		t.Helper()
		answer, err := c.client(orders, node).Do(context.Background(), args...).Text()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	do(first, "CLUSTER", "SETSLOT", 7, "MIGRATING", do(second, "CLUSTER", "MYID"))
	if s := c.snapshot("orders", "moving"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "moving from or to the shard 0001") {
		t.Errorf("%s: %s", s.Status, s.StatusReason)
	}
	do(first, "CLUSTER", "SETSLOT", 7, "STABLE")
	do(first, "CLUSTER", "DELSLOTS", 9)
	if s := c.snapshot("orders", "lost"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "The slots 9 of orders belong to no shard") {
		t.Errorf("%s: %s", s.Status, s.StatusReason)
	}
	c.waitFor("the page to be able to say so", func() bool {
		cluster := c.await("orders", models.ClusterAvailable)
		return strings.HasPrefix(cluster.Unserved(), "The slots 9 of orders belong to no shard")
	}, c.events)
}

func TestPrimariesThatDoNotHearFromEachOtherAreShownToRefuseCommands(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.inClusterMode("orders", 2, 0))[0]
	var ids []string
	for _, p := range orders.Primaries() {
		id, err := c.client(orders, p).Do(t.Context(), "CLUSTER", "MYID").Text()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i, p := range orders.Primaries() {
		must(t, c.client(orders, p).Do(t.Context(), "CLUSTER", "FORGET", ids[1-i]).Err())
	}
	c.waitFor("the page to be able to say so", func() bool {
		cluster := c.await("orders", models.ClusterAvailable)
		return strings.HasPrefix(cluster.Unserved(), "Primaries of orders refuse commands (orders-0001-001, orders-0002-001)")
	}, c.events)
	host, port, err := net.SplitHostPort(orders.Primaries()[1].Address())
	must(t, err)
	must(t, c.client(orders, orders.Primaries()[0]).Do(t.Context(), "CLUSTER", "MEET", host, port).Err())
	c.waitFor("the page to say no more", func() bool {
		return c.await("orders", models.ClusterAvailable).Unserved() == ""
	}, c.events)
}

func TestALostCatalogFindsTheShardsOfAClusterAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	spec := c.inClusterMode("orders", 2, 1)
	spec.Slots = []string{"0-99,300-16383", "100-299"}
	c.create(spec)
	orders := c.inStep("orders", 2, 1)
	c.fillShards(orders)
	want := c.digests(orders)
	must(t, c.db.Changes.FailOver(t.Context(), "orders", 2, "test"))
	c.manager.Wake()
	c.await("orders", models.ClusterAvailable)
	orders = c.inStep("orders", 2, 1)
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	back := c.inStep("orders", 2, 1)
	c.waitFor("the slots of both shards", func() bool {
		var err error
		back, err = c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && back.Shards()[0].Slots == spec.Slots[0] && back.Shards()[1].Slots == spec.Slots[1]
	}, func() string { return fmt.Sprint(back.Shards()) })
	if !back.ClusterMode || back.ShardCount != 2 || back.Replicas != 1 || back.Port != orders.Port || !slices.Equal(namesOfNodes(back), namesOfNodes(orders)) ||
		back.Primaries()[1].Name != orders.Primaries()[1].Name {
		t.Errorf("the cluster came back as %+v", back)
	}
	if diff := testkit.Diff(want, c.digests(back)); diff != "" {
		t.Errorf("the data differs:\n%s", diff)
	}
	if s := c.snapshot("orders", "after"); s.Status != models.SnapshotAvailable || s.Keys != int64(len(want)) {
		t.Errorf("a snapshot after the rebuild is %s (%s) with %d keys", s.Status, s.StatusReason, s.Keys)
	}
}

func TestASnapshotInClusterModeIsDiscardedWhenASlotHasMovedMeanwhile(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	orders := c.create(c.inClusterMode("orders", 2, 0))[0]
	from, to := orders.Primaries()[0], orders.Primaries()[1]
	noise := make([]byte, 4<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	if err := c.clusterClient(orders).Set(t.Context(), "noise", noise, 0).Err(); err != nil {
		t.Fatal(err)
	}
	reached, goOn := make(chan struct{}), make(chan struct{})
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1<<20, reached, goOn
	st.mu.Unlock()
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "torn", false, "test")
	must(t, err)
	c.manager.Wake()
	<-reached
	source, target := c.client(orders, from), c.client(orders, to)
	sourceID, targetID := source.Do(t.Context(), "CLUSTER", "MYID").Val(), target.Do(t.Context(), "CLUSTER", "MYID").Val()
	must(t, target.Do(t.Context(), "CLUSTER", "SETSLOT", 7, "IMPORTING", sourceID).Err())
	must(t, source.Do(t.Context(), "CLUSTER", "SETSLOT", 7, "MIGRATING", targetID).Err())
	for _, node := range []*redis.Client{target, source} {
		must(t, node.Do(t.Context(), "CLUSTER", "SETSLOT", 7, "NODE", targetID).Err())
	}
	close(goOn)
	if s := c.awaitSnapshot("torn"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "Slots were moved between the shards of orders") {
		t.Errorf("%s: %s", s.Status, s.StatusReason)
	}
	if left := c.storedNow(); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	if s := c.snapshot("orders", "whole"); s.Status != models.SnapshotAvailable || s.Parts[0].Slots != "0-6,8-8191" || s.Parts[1].Slots != "7,8192-16383" {
		t.Errorf("the next one is %s with %+v: %s", s.Status, s.Parts, s.StatusReason)
	}
}
