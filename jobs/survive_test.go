package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// gated is a real store whose parts cannot be read before the gate is open, or at all while it is away.
type gated struct {
	store.Store
	gate chan struct{}
	away atomic.Bool
}

func (s *gated) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if s.away.Load() {
		return nil, fmt.Errorf("open: %w", store.ErrUnavailable)
	}
	if strings.Contains(key, "/part-") {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Store.Open(ctx, key)
}

// slowSaves has a node take so many microseconds for each key that it saves.
func slowSaves(t *testing.T, client *redis.Client, perKey int) {
	t.Helper()
	testkit.WaitFor(t, "a node to take a setting", func() bool {
		return client.ConfigSet(t.Context(), "rdb-key-save-delay", strconv.Itoa(perKey)).Err() == nil
	})
}

// restoredUnsaved restores a cluster none of whose nodes gets to the end of its first save, and kills them all as it is available.
func restoredUnsaved(t *testing.T, replicas int, meanwhile func(c *console, st *gated)) (c *console, want string) {
	t.Helper()
	data := t.TempDir()
	real, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	st := &gated{Store: real, gate: make(chan struct{})}
	close(st.gate)
	c = newConsoleWith(t, clockwork.NewRealClock(), data, st)
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 100)
	want = testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")

	st.gate = make(chan struct{})
	spec := c.spec("copy", replicas)
	spec.Snapshot = "s1"
	clusters, err := c.db.Clusters.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	first := c.client(clusters[0], clusters[0].Nodes[0])
	const never = 1000 * 1000 * 1000
	if replicas == 0 {
		slowSaves(t, first, never)
	} else {
		slowSaves(t, first, 10000) // so that the replica can be reached while it gets its data
	}
	if err := first.Set(t.Context(), "early", "bird", 0).Err(); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("a node that waits for its data takes writes: %v", err)
	}
	close(st.gate)
	for _, node := range clusters[0].Nodes[1:] {
		slowSaves(t, c.client(clusters[0], node), never)
	}
	cluster := c.await("copy", models.ClusterAvailable)
	if cluster.UnsavedFrom != "s1" {
		t.Fatal("a node had saved before the test could kill it")
	}
	c.kill(cluster, func() {
		if meanwhile != nil {
			meanwhile(c, st)
		}
	}, cluster.Nodes...)
	return c, want
}

func TestRestoredClusterThatDiesBeforeItsFirstSaveIsFilledAgain(t *testing.T) {
	t.Parallel()
	for _, replicas := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d replicas", replicas), func(t *testing.T) {
			t.Parallel()
			c, want := restoredUnsaved(t, replicas, nil)
			cluster := c.awaitNodes("copy")
			for _, node := range cluster.Nodes {
				if got := testkit.Fingerprint(t, c.client(cluster, node)); got != want {
					t.Errorf("%s came back with other data", node.Name)
				}
			}
			events := c.events()
			for _, said := range []string{
				"error copy: All nodes of copy had died before one of them had saved its data. It is being filled again from s1; what was written to it since then is lost.",
				"info copy: The cluster copy was filled again from s1: "} {
				if strings.Count(events, said) != 1 {
					t.Errorf("the events do not say once %q:\n%s", said, events)
				}
			}
			if strings.Contains(events, "started empty") {
				t.Errorf("the events are:\n%s", events)
			}
			testkit.WaitFor(t, "the cluster to have saved its data", func() bool {
				cluster, _ = c.db.Clusters.Get(t.Context(), "copy")
				return cluster.UnsavedFrom == ""
			})
			c.kill(cluster, nil, cluster.Nodes...)
			if got := testkit.Fingerprint(t, c.primary(c.awaitNodes("copy"))); got != want {
				t.Error("the second time it came back with other data")
			}
			if events := c.events(); strings.Count(events, "It is being filled again") != 1 {
				t.Errorf("what was saved is not used:\n%s", events)
			}
		})
	}
}

func TestClusterThatCannotBeFilledAgainWaitsForItsSnapshotUnlessThatIsGone(t *testing.T) {
	t.Parallel()
	t.Run("the store is away", func(t *testing.T) {
		t.Parallel()
		var st *gated
		c, want := restoredUnsaved(t, 0, func(_ *console, s *gated) { st = s; s.away.Store(true) })
		cluster := c.await("copy", models.ClusterUnreachable)
		if said := "All nodes had died before one of them had saved its data, and it could not be filled again from s1. The snapshot store does not answer."; !strings.HasPrefix(cluster.StatusReason, said) {
			t.Errorf("it says %q", cluster.StatusReason)
		}
		if snapshot, err := c.db.Snapshots.Get(t.Context(), "s1"); err != nil || snapshot.Status != models.SnapshotAvailable {
			t.Errorf("the snapshot is %s (%v)", snapshot.Status, err)
		}
		st.away.Store(false)
		if got := testkit.Fingerprint(t, c.primary(c.awaitNodes("copy"))); got != want {
			t.Error("it came back with other data")
		}
		if events := c.events(); strings.Count(events, "could not be filled again") != 1 || strings.Count(events, "It is being filled again") != 1 {
			t.Errorf("the events are:\n%s", events)
		}
	})
	t.Run("the snapshot was deleted", func(t *testing.T) {
		t.Parallel()
		c, _ := restoredUnsaved(t, 0, func(c *console, _ *gated) {
			if err := c.db.Snapshots.RemoveRow(t.Context(), "s1"); err != nil {
				t.Fatal(err)
			}
		})
		testkit.WaitFor(t, "the cluster to say that its data is lost", func() bool {
			cluster, _ := c.db.Clusters.Get(t.Context(), "copy")
			return cluster.Status == models.ClusterAvailable && strings.Contains(cluster.StatusReason, "There is no good snapshot from before.") && cluster.UnsavedFrom == ""
		})
	})
}

// savedTwice is a cluster of two nodes that have both saved, the replica what is newer, and which have both died; damage is done to the RDBs of
// these nodes. It returns what the primary had saved.
func savedTwice(t *testing.T, damaged ...int) (c *console, older string) {
	t.Helper()
	c = newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source, replica := c.primary(cluster), c.client(cluster, cluster.Nodes[1])
	testkit.Fill(t, source, 100)
	older = testkit.Fingerprint(t, source)
	c.awaitSaved(cluster) // else the supervisor goes on saving
	testkit.Save(t, source)
	if err := errors.Join(source.Set(t.Context(), "later", "x", 0).Err(), source.Wait(t.Context(), 1, 0).Err()); err != nil {
		t.Fatal(err)
	}
	testkit.Save(t, replica)
	c.kill(cluster, func() {
		for _, n := range damaged {
			path := c.dump(cluster.Nodes[n])
			rdb, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rdb[len(rdb)-3] ^= 1 // of its checksum
			if err := os.WriteFile(path, rdb, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}, cluster.Nodes...)
	return c, older
}

// dump is the path of a node's RDB.
func (c *console) dump(node models.Node) string {
	return filepath.Join(c.data, "nodes", node.Name[:len(node.Name)-4], node.Name, "dump.rdb")
}

func TestShardComesBackFromTheFreshestRDBThatCanBeLoaded(t *testing.T) {
	t.Parallel()
	c, older := savedTwice(t, 1)
	cluster := c.awaitNodes("orders")
	if primary, _ := cluster.Shards()[0].Primary(); primary.Name != "orders-001" {
		t.Errorf("the primary is %s", primary.Name)
	}
	for _, node := range cluster.Nodes {
		if got := testkit.Fingerprint(t, c.client(cluster, node)); got != older {
			t.Errorf("%s came back with other data", node.Name)
		}
	}
	events := c.events()
	for _, parts := range [][]string{
		{"error orders: The primary orders-001 had stopped and no replica was alive. The RDB that orders-002 saved at", "cannot be loaded. The data is damaged: its checksum is",
			"The cluster comes back from the RDB that orders-001 saved at"},
		{"warning orders: The replica orders-002 could not load its dump.rdb. The data is damaged: its checksum is", "The file is damaged.rdb in the node's folder now"},
	} {
		for _, part := range parts {
			if !strings.Contains(events, part) {
				t.Errorf("no event says %q:\n%s", part, events)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(c.dump(cluster.Nodes[1])), "damaged.rdb")); err != nil {
		t.Errorf("the damaged RDB is gone: %v", err)
	}
}

func TestShardWithoutAnRDBThatCanBeLoadedWaitsAndNamesThemAll(t *testing.T) {
	t.Parallel()
	c, _ := savedTwice(t, 0, 1)
	cluster := c.await("orders", models.ClusterUnreachable)
	at := strings.Index(cluster.StatusReason, "The RDB that orders-002 saved at")
	if at != 0 || strings.Index(cluster.StatusReason, "The RDB that orders-001 saved at") < at || strings.Count(cluster.StatusReason, "The data is damaged: its checksum is") != 2 {
		t.Errorf("the reason is %q", cluster.StatusReason)
	}
	c.stop()
	for _, node := range cluster.Nodes {
		if _, err := os.Stat(c.dump(node)); err != nil {
			t.Errorf("what can perhaps be saved by hand is gone: %v", err)
		}
	}
	c.start()
	if events := c.events(); strings.Contains(events, "empty") || strings.Contains(events, "comes back") {
		t.Errorf("the events are:\n%s", events)
	}
}

func TestReplicaIsNotStartedWhileItsPrimaryCannotBe(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	c.awaitSaved(cluster) // the replica, so that the supervisor is at rest
	if err := errors.Join(source.Set(t.Context(), "later", "x", 0).Err(), source.Wait(t.Context(), 1, 0).Err()); err != nil {
		t.Fatal(err)
	}
	testkit.Save(t, source)
	want := testkit.Fingerprint(t, source)
	var other io.Closer
	c.kill(cluster, func() { other = occupy(t, cluster.Nodes[0]) }, cluster.Nodes...)
	c.awaitAttempts(cluster.Nodes[0], 6)
	if running, err := c.nodes.Running(t.Context(), "orders", "orders-002"); err != nil || running {
		t.Errorf("the replica runs (%v), and would be promoted with its older data", err)
	}
	_ = other.Close()
	cluster = c.awaitNodes("orders")
	if primary, _ := cluster.Shards()[0].Primary(); primary.Name != "orders-001" || testkit.Fingerprint(t, c.primary(cluster)) != want {
		t.Errorf("%s came back, with other data", primary.Name)
	}
}

func TestPrimaryThatWasMadeAReplicaOfAnotherIsALoss(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 50)
	c.snapshot("orders", "s1")
	c.awaitSaved(cluster)
	foreign := testkit.Redis(t, "--requirepass", cluster.Password.Reveal())
	if err := foreign.Client().Set(t.Context(), "theirs", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	c.kill(cluster, func() { // while no console looks
		if err := source.ReplicaOf(t.Context(), foreign.Host, strconv.Itoa(foreign.Port)).Err(); err != nil {
			t.Fatal(err)
		}
		testkit.WaitFor(t, "the data to be another's", func() bool { return source.Get(t.Context(), "theirs").Val() == "x" })
	})
	testkit.WaitFor(t, "the cluster to say that its data was replaced", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		return strings.Contains(cluster.StatusReason, "The data of the cluster orders was replaced by that of another server before") &&
			strings.Contains(cluster.StatusReason, ": its primary orders-001 had been made a replica of "+foreign.Addr+". The newest good snapshot from before is s1: restore it")
	})
	events := c.events()
	if said := "error orders: The primary orders-001 was made a replica of " + foreign.Addr + " by a REPLICAOF that Rekindle did not send"; strings.Count(events, said) != 1 {
		t.Errorf("the events are:\n%s", events)
	}
	if err := source.Set(t.Context(), "again", "ours", 0).Err(); err != nil {
		t.Errorf("it is no primary again: %v", err)
	}
	c.awaitNodes("orders")
}

func TestPrimaryThatWasPointedAtNobodyKeepsItsDataAndSaysSo(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 50)
	want := testkit.Fingerprint(t, source)
	c.awaitSaved(cluster)
	c.awaitNodes("orders")
	nobody := testkit.FreePort(t)
	if err := source.ReplicaOf(t.Context(), "127.0.0.1", strconv.Itoa(nobody)).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "an event that says so", func() bool {
		return strings.Contains(c.events(), fmt.Sprintf("warning orders: The primary orders-001 was made a replica of 127.0.0.1:%d by a REPLICAOF that Rekindle did not send. "+
			"It was made a primary again before it had taken over any data.", nobody))
	})
	cluster = c.awaitNodes("orders")
	if got := testkit.Fingerprint(t, c.primary(cluster)); got != want || cluster.EmptiedAt != nil {
		t.Errorf("its data changed, or counts as lost (%v)", cluster.EmptiedAt)
	}
	if err := c.client(cluster, cluster.Nodes[1]).ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "an event about the replica", func() bool {
		return strings.Contains(c.events(), "warning orders: The node orders-002 is a replica of orders-001 again. It had become an independent primary, and what was written only to it is gone.")
	})
	c.awaitNodes("orders")
}

func TestPrimaryThatHangsIsEndedAndReplaced(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	if err := c.db.Settings.SavePromoteAfter(t.Context(), models.MinPromoteAfter); err != nil {
		t.Fatal(err)
	}
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	if err := source.Wait(t.Context(), 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	want := testkit.Fingerprint(t, source)
	c.awaitNodes("orders")
	pid := processOf(t, source)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the replica to be the primary", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		primary, _ := cluster.Shards()[0].Primary()
		return primary.Name == "orders-002"
	})
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && bytes.Contains(stat, []byte(") T ")) {
		t.Error("the old primary is only stopped, and would take writes when it wakes")
	}
	cluster = c.awaitNodes("orders")
	for _, node := range cluster.Nodes {
		if got := testkit.Fingerprint(t, c.client(cluster, node)); got != want {
			t.Errorf("%s has other data", node.Name)
		}
	}
	events := c.events()
	for _, said := range []string{"error orders: The primary orders-001 had not answered for 1", "Its process was ended, so that it can no longer take writes",
		"The replica orders-002 was promoted; orders-001 joins it as a replica."} {
		if strings.Count(events, said) != 1 {
			t.Errorf("the events do not say once %q:\n%s", said, events)
		}
	}
}

// A replica that is being given a new copy is not in step. It keeps the one that it has until the new one is whole.
func TestPrimaryThatEndsWhileItsReplicaIsCopiedToLosesNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	if err := source.Wait(t.Context(), 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	want := testkit.Fingerprint(t, source)
	cluster = c.awaitNodes("orders")
	slowSaves(t, source, 500_000)
	replica := c.client(cluster, cluster.Nodes[1])
	if err := replica.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil { // it joins again, and has another history by then
		t.Fatal(err)
	}
	testkit.WaitFor(t, "a copy to be under way", func() bool {
		return field(replica.Info(t.Context(), "replication").Val(), "master_sync_in_progress") == "1"
	})
	if err := c.nodes.Stop(t.Context(), "orders", "orders-001", launch.Kill); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the replica to be the primary", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		primary, _ := cluster.Shards()[0].Primary()
		return primary.Name == "orders-002" || cluster.EmptiedAt != nil
	})
	cluster = c.awaitNodes("orders")
	for _, node := range cluster.Nodes {
		if got := testkit.Fingerprint(t, c.client(cluster, node)); got != want {
			t.Errorf("%s has other data", node.Name)
		}
	}
	if cluster.EmptiedAt != nil {
		t.Errorf("it was started empty:\n%s", c.events())
	}
}

func TestSettlingAfterALostAnswerTouchesNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 50)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")
	stored := len(c.stored())
	spec := c.spec("copy", 0)
	spec.Snapshot = "s1"
	c.create(spec)
	runs, err := c.db.Runs.List(t.Context(), models.List{})
	if err != nil {
		t.Fatal(err)
	}
	settled := 0
	for _, run := range runs.Rows { // whose completions were written, as if the answers to that had been lost
		switch run.Kind {
		case models.RunCreate, models.RunRestore, models.RunSnapshot:
			settled++
			_ = c.manager.Settle(t.Context(), run, errors.New("the connection broke off")) // that the run has ended already is said
		}
	}
	if settled != 3 {
		t.Fatalf("%d runs were settled again", settled)
	}
	for _, name := range []string{"orders", "copy"} {
		cluster, err := c.db.Clusters.Get(t.Context(), name)
		if err != nil || cluster.Status != models.ClusterAvailable || testkit.Fingerprint(t, c.primary(cluster)) != want {
			t.Errorf("the cluster %s is %s (%v), or has lost its data", name, cluster.Status, err)
		}
	}
	if snapshot, err := c.db.Snapshots.Get(t.Context(), "s1"); err != nil || snapshot.Status != models.SnapshotAvailable || len(c.stored()) != stored {
		t.Errorf("the snapshot is %s (%v), and the store has %v", snapshot.Status, err, c.stored())
	}
}

func TestSecondAttemptBeginsWithoutWhatTheFirstLeft(t *testing.T) {
	t.Parallel()
	for name, snapshot := range map[string]string{"create": "", "restore": "s1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			source := c.primary(c.create(c.spec("orders", 0))[0])
			testkit.Fill(t, source, 50)
			want := testkit.Fingerprint(t, source)
			c.snapshot("orders", "s1")
			c.stop()
			spec := c.spec("copy", 0)
			spec.Snapshot = snapshot
			clusters, err := c.db.Clusters.Create(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if _, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(models.Run) bool { return true }); err != nil || !claimed {
				t.Fatal(claimed, err)
			}
			cluster, node := clusters[0], clusters[0].Nodes[0]
			if err := c.db.Nodes.Begin(t.Context(), cluster.ID); err != nil {
				t.Fatal(err)
			}
			if err := c.nodes.Start(t.Context(), launch.Node{Cluster: "copy", Name: node.Name, Engine: cluster.Engine, Host: node.Host, Port: node.Port, Password: cluster.Password}); err != nil {
				t.Fatal(err)
			}
			if err := c.client(cluster, node).Set(t.Context(), "left", "behind", 0).Err(); err != nil {
				t.Fatal(err)
			}
			c.start()
			target := c.primary(c.await("copy", models.ClusterAvailable))
			if left := target.Exists(t.Context(), "left").Val(); left != 0 {
				t.Error("what the first attempt left is in the cluster")
			}
			if snapshot != "" && testkit.Fingerprint(t, target) != want {
				t.Error("the data is not the snapshot's")
			}
		})
	}
}

func TestDataInManyDatabasesComesBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	folder := t.TempDir()
	rdb, err := os.ReadFile("testdata/db20.rdb")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "db20.rdb"), rdb, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	spec := c.spec("orders", 1)
	spec.Sources = []string{"dir:" + folder + "/db20.rdb"}
	cluster := c.create(spec)[0]
	want := testkit.Fingerprint(t, c.primary(cluster))
	keys := func(cluster models.Cluster) {
		t.Helper()
		for _, node := range cluster.Nodes {
			client := c.client(cluster, node)
			if got := field("\n"+client.Info(t.Context(), "keyspace").Val(), "db20"); !strings.HasPrefix(got, "keys=") {
				t.Errorf("%s has %q in database 20", node.Name, got)
			}
			if got := testkit.Fingerprint(t, client); got != want {
				t.Errorf("%s has other data", node.Name)
			}
		}
	}
	keys(cluster)
	c.awaitSaved(cluster)
	c.kill(cluster, nil, cluster.Nodes...) // and with a new configuration
	keys(c.awaitNodes("orders"))
	c.snapshot("orders", "s1")
	copied := c.spec("copy", 0)
	copied.Snapshot = "s1"
	keys(c.create(copied)[0])
}

// Nor when nothing was saved, so that the primary starts empty: the replica would be the only node, and empty as well.
func TestReplicaIsNotStartedBeforeAPrimaryThatHasNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	var other io.Closer
	c.kill(cluster, func() {
		for _, node := range cluster.Nodes {
			if err := os.Remove(c.dump(node)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		other = occupy(t, cluster.Nodes[0])
	}, cluster.Nodes...)
	c.awaitAttempts(cluster.Nodes[0], 4)
	if running, err := c.nodes.Running(t.Context(), "orders", "orders-002"); err != nil || running {
		t.Errorf("the replica runs (%v), without a primary", err)
	}
	_ = other.Close()
	cluster = c.awaitNodes("orders")
	if primary, _ := cluster.Shards()[0].Primary(); primary.Name != "orders-001" {
		t.Errorf("the primary is %s", primary.Name)
	}
}
