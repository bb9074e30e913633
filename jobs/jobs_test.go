package jobs_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestSnapshotOfAReplicaRestoresEqualIntoSeveralClusters(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 500)
	want := testkit.Fingerprint(t, source)

	snapshot := c.snapshot("orders", "before")
	if snapshot.Status != models.SnapshotAvailable || snapshot.ServedRole != models.RoleReplica || snapshot.ServedBy != "orders-002" {
		t.Fatalf("snapshot is %s (%s), served by %s %s; want available, by replica orders-002",
			snapshot.Status, snapshot.StatusReason, snapshot.ServedRole, snapshot.ServedBy)
	}
	if snapshot.Keys <= 0 || snapshot.Bytes <= 0 || snapshot.Stored <= 0 || len(snapshot.Parts) != 1 {
		t.Errorf("snapshot has no figures: %+v", snapshot)
	}
	spec := c.spec("copy", 1)
	spec.Snapshot, spec.Copies = "before", 3
	for _, restored := range c.create(spec) {
		for _, node := range restored.Nodes {
			if got := testkit.Fingerprint(t, c.client(restored, node)); got != want {
				t.Errorf("%s differs from the source", node.Name)
			}
		}
	}
	if snapshot, _ = c.db.Snapshots.Get(t.Context(), "before"); snapshot.Status != models.SnapshotAvailable {
		t.Errorf("the snapshot is %s after the restores, want available", snapshot.Status)
	}
	if err := source.Set(t.Context(), "later", "x", 0).Err(); err != nil {
		t.Errorf("the source does not take writes after all that: %v", err)
	}
}

func TestSnapshotOfAReplicaHasEverythingThatWasWrittenBeforeItWasAskedFor(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	for i := range 5 {
		fillBig(t, source, 10) // the replica needs a moment for these
		if err := source.Set(t.Context(), "last", i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		name := "s" + string(rune('0'+i))
		if snapshot := c.snapshot("orders", name); snapshot.Keys != 11 || snapshot.Warning != "" {
			t.Fatalf("snapshot %s has %d keys (%s), want 11; %s", name, snapshot.Keys, snapshot.StatusReason, snapshot.Warning)
		}
	}
	spec := c.spec("copy", 0)
	spec.Snapshot = "s4"
	if got := c.primary(c.create(spec)[0]).Get(t.Context(), "last").Val(); got != "4" {
		t.Errorf("the snapshot has the state %q, want the one just written", got)
	}
}

func TestSnapshotWithoutReplicaIsTakenFromThePrimaryAndSaysSo(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("alone", 0))
	snapshot := c.snapshot("alone", "s1")
	if snapshot.Status != models.SnapshotAvailable || snapshot.ServedRole != models.RolePrimary || snapshot.Warning == "" {
		t.Errorf("snapshot is %s (%s), served by the %s, warning %q; want available, from the primary, with a warning",
			snapshot.Status, snapshot.StatusReason, snapshot.ServedRole, snapshot.Warning)
	}
}

func TestDeadPrimaryIsReplacedByItsReplicaAndJoinsIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 2))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 200)
	if err := source.Wait(t.Context(), 2, 0).Err(); err != nil {
		t.Fatal(err)
	}
	want := testkit.Fingerprint(t, source)
	if err := c.nodes.Stop(t.Context(), "orders", "orders-001", launch.Kill); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "all three nodes to be in step again", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		primary, _ := cluster.Shards()[0].Primary()
		for _, n := range cluster.Nodes {
			if n.State != "available" || n.LagBytes < 0 {
				return false
			}
		}
		return primary.Name != "orders-001"
	})
	for _, node := range cluster.Nodes { // what was seen of a node is older than the node is
		testkit.WaitFor(t, node.Name+" to have all data", func() bool { return testkit.Fingerprint(t, c.client(cluster, node)) == want })
	}
	if events := c.events(); !strings.Contains(events, "was promoted; orders-001 joins it as a replica") {
		t.Errorf("no event says what happened:\n%s", events)
	}
}

func TestDeadPrimaryWithoutReplicasComesBackFromItsRDB(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("alone", 0))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 200)
	want := testkit.Fingerprint(t, source)
	testkit.Save(t, source)
	if err := c.nodes.Stop(t.Context(), "alone", "alone-001", launch.Kill); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the node to be back", func() bool { return source.Ping(t.Context()).Err() == nil })
	if got := testkit.Fingerprint(t, source); got != want {
		t.Error("the node came back with other data")
	}
	testkit.WaitFor(t, "an event that says so", func() bool { return strings.Contains(c.events(), "comes back from the RDB that alone-001 saved at") })
}

func TestWholeClusterThatDiedComesBackFromTheLatestRDBOfAnyNode(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	if err := source.Wait(t.Context(), 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	want := testkit.Fingerprint(t, source)
	testkit.Save(t, c.client(cluster, cluster.Nodes[1])) // only the replica has saved
	c.stop()
	for _, node := range cluster.Nodes {
		if err := c.nodes.Stop(t.Context(), "orders", node.Name, launch.Kill); err != nil {
			t.Fatal(err)
		}
	}
	c.start()
	testkit.WaitFor(t, "the cluster to be back", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		for _, n := range cluster.Nodes {
			if c.client(cluster, n).Ping(t.Context()).Err() != nil || n.State != "available" || n.LagBytes < 0 {
				return false
			}
		}
		primary, _ := cluster.Shards()[0].Primary()
		return primary.Name == "orders-002"
	})
	for _, node := range cluster.Nodes {
		if got := testkit.Fingerprint(t, c.client(cluster, node)); got != want {
			t.Errorf("%s came back with other data", node.Name)
		}
	}
}

func TestNodesOutliveTheConsoleAndAreFoundAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	before := source.Info(t.Context(), "server").Val()
	c.stop()
	if err := source.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("the node ended with the console: %v", err)
	}
	c.start()
	c.snapshot("orders", "after")
	if after := source.Info(t.Context(), "server").Val(); runID(before) != runID(after) {
		t.Error("the node was started a second time")
	}
}

func runID(info string) string {
	_, rest, _ := strings.Cut(info, "run_id:")
	id, _, _ := strings.Cut(rest, "\r")
	return id
}

func TestModifyChangesMemoryAndReplicasInPlace(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)

	modify := func(nodeType string, replicas int) models.Cluster {
		t.Helper()
		if _, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{NodeType: &nodeType, Replicas: &replicas}); err != nil {
			t.Fatal(err)
		}
		c.manager.Wake()
		return c.await("orders", models.ClusterAvailable)
	}
	cluster = modify("cache.t4g.small", 2)
	if len(cluster.Nodes) != 3 {
		t.Fatalf("the cluster has %d nodes, want 3", len(cluster.Nodes))
	}
	for _, node := range cluster.Nodes {
		client := c.client(cluster, node)
		if got := testkit.Fingerprint(t, client); got != want {
			t.Errorf("%s has other data", node.Name)
		}
		if got := client.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "1471026299" {
			t.Errorf("maxmemory of %s is %s, want that of cache.t4g.small", node.Name, got)
		}
	}
	cluster = modify("cache.t4g.micro", 1)
	if len(cluster.Nodes) != 2 {
		t.Errorf("the cluster has %d nodes, want 2", len(cluster.Nodes))
	}
	if ids, _ := c.nodes.List(t.Context()); len(ids) != 2 {
		t.Errorf("there are files of %d nodes, want 2: %v", len(ids), ids)
	}
}

func TestDeleteTakesAFinalSnapshotAndKeepsManualOnesOnly(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 7, models.Window{Start: 3 * 60, Length: 60}
	cluster := c.create(spec)[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 50)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "by-hand")
	automatic := c.nextAutomatic(clock, "orders")

	if err := c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "last", RequestedBy: "test"}); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	testkit.WaitFor(t, "the cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "orders")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if _, err := c.db.Snapshots.Get(t.Context(), automatic.Name); !models.HasCode(err, models.CodeSnapshotNotFound) {
		t.Errorf("the automatic snapshot is still there: %v", err)
	}
	files := strings.Join(c.stored(), "\n")
	for _, name := range []string{"by-hand", "last"} {
		if snapshot, err := c.db.Snapshots.Get(t.Context(), name); err != nil || snapshot.Status != models.SnapshotAvailable {
			t.Errorf("snapshot %s: %s, %v; want available", name, snapshot.Status, err)
		}
		if !strings.Contains(files, "orders/"+name+"/manifest.json") {
			t.Errorf("snapshot %s is not in the store:\n%s", name, files)
		}
	}
	if strings.Contains(files, automatic.Name) {
		t.Errorf("the automatic snapshot is still in the store:\n%s", files)
	}
	if ids, _ := c.nodes.List(t.Context()); len(ids) != 0 {
		t.Errorf("files of nodes are left: %v", ids)
	}
	again := c.spec("again", 0)
	again.Snapshot = "last"
	if got := testkit.Fingerprint(t, c.primary(c.create(again)[0])); got != want {
		t.Error("the final snapshot restores other data")
	}
}

func TestStoppedConsoleBeginsARestoreAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	fillBig(t, source, 40)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "big")
	spec := c.spec("copy", 0)
	spec.Snapshot = "big"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	testkit.WaitFor(t, "the restore to move bytes", func() bool {
		runs, _ := c.db.Runs.Active(t.Context())
		return len(runs) == 0 || runs[0].BytesDone > 0
	})
	c.stop()
	c.start()
	if got := testkit.Fingerprint(t, c.primary(c.await("copy", models.ClusterAvailable))); got != want {
		t.Error("the restored data differs")
	}
}

// fillBig writes so many megabytes that do not compress.
func fillBig(t *testing.T, client *redis.Client, megabytes int) {
	t.Helper()
	for i := range megabytes {
		if err := client.Do(t.Context(), "SET", noiseKey(i), noise(i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSilentPrimaryMakesTheClusterUnreachableAndIsNotReplaced(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	_, rest, _ := strings.Cut(c.primary(cluster).Info(t.Context(), "server").Val(), "process_id:")
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	cluster = c.await("orders", models.ClusterUnreachable)
	if cluster.StatusReason != "The primary orders-001 does not answer." {
		t.Errorf("the reason is %q", cluster.StatusReason)
	}
	if primary, _ := cluster.Shards()[0].Primary(); primary.Name != "orders-001" {
		t.Errorf("a primary that is only slow was replaced by %s", primary.Name)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.await("orders", models.ClusterAvailable)
}
