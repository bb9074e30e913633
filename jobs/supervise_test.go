package jobs_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
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

// kill ends nodes of a cluster at once, without saving, while no console looks after them. Then one does again, after meanwhile.
func (c *console) kill(cluster models.Cluster, meanwhile func(), nodes ...models.Node) {
	c.t.Helper()
	c.stop()
	for _, node := range nodes {
		if err := c.nodes.Stop(c.t.Context(), cluster.Name, node.Name, launch.Kill); err != nil {
			c.t.Fatal(err)
		}
	}
	if meanwhile != nil {
		meanwhile()
	}
	c.start()
}

// awaitNodes waits until all nodes of a cluster answer and its replicas are in step.
func (c *console) awaitNodes(name string) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	testkit.WaitFor(c.t, "the nodes of "+name+" to be in step", func() bool {
		cluster, _ = c.db.Clusters.Get(c.t.Context(), name)
		primary, _ := cluster.Shards()[0].Primary()
		for _, n := range cluster.Nodes { // in their own words: what the catalog has may be from before
			client := c.client(cluster, n)
			info := client.Info(c.t.Context(), "replication").Val()
			client.Close() // there may be many rounds
			inStep := field(info, "master_link_status") == "up" && field(info, "master_port") == strconv.Itoa(primary.Port)
			if n.State != "available" || n.LagBytes < 0 || n.Role == models.RolePrimary && field(info, "role") != "master" || n.Role == models.RoleReplica && !inStep {
				return false
			}
		}
		return cluster.Status == models.ClusterAvailable
	})
	return cluster
}

// awaitSaved waits until a node has an RDB on its disk that belongs to the data that the primary has now.
func (c *console) awaitSaved(cluster models.Cluster) {
	c.t.Helper()
	source := c.primary(cluster)
	testkit.WaitFor(c.t, "a node of "+cluster.Name+" to have saved", func() bool {
		id := field(source.Info(c.t.Context(), "replication").Val(), "master_replid")
		for _, node := range cluster.Nodes {
			if saved, err := c.nodes.Saved(c.t.Context(), cluster.Name, node.Name); err == nil && saved.Exists && saved.ReplicationID == id {
				return true
			}
		}
		return false
	})
}

// field is one field of what INFO answers.
func field(info, name string) string {
	_, rest, _ := strings.Cut(info, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r")
	return value
}

func processOf(t *testing.T, client *redis.Client) int {
	t.Helper()
	pid, err := strconv.Atoi(field(client.Info(t.Context(), "server").Val(), "process_id"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// occupy listens on the port of a node that does not run, as another program would.
func occupy(t *testing.T, node models.Node) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", node.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return listener
}

// awaitAttempts waits until a node was started in vain so often.
func (c *console) awaitAttempts(node models.Node, times int) {
	c.t.Helper()
	testkit.WaitFor(c.t, "more attempts to start "+node.Name, func() bool {
		log, err := os.ReadFile(filepath.Join(c.data, "nodes", node.Name[:len(node.Name)-4], node.Name, "node.log"))
		return err == nil && strings.Count(string(log), "already in use") >= times
	})
}

func TestNodeThatCannotBeStartedIsShownAndSpokenOfOnce(t *testing.T) {
	t.Parallel()
	for name, replicas := range map[string]int{"the primary": 0, "a replica": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			cluster := c.create(c.spec("orders", replicas))[0]
			node := cluster.Nodes[replicas]
			source := c.primary(cluster)
			testkit.Fill(t, source, 100)
			want := testkit.Fingerprint(t, source)
			testkit.Save(t, source)
			var other net.Listener
			c.kill(cluster, func() { other = occupy(t, node) }, node)
			c.awaitAttempts(node, 4)
			trouble := "The node " + node.Name + " could not be started: another program has its port " + strconv.Itoa(node.Port) + "."
			if replicas == 0 {
				if cluster = c.await("orders", models.ClusterUnreachable); cluster.StatusReason != trouble {
					t.Errorf("the reason is %q", cluster.StatusReason)
				}
			}
			testkit.WaitFor(t, "the node to be shown as stopped", func() bool {
				cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
				return cluster.Nodes[replicas].State == "stopped"
			})
			if want := models.ClusterAvailable; replicas > 0 && cluster.Status != want {
				t.Errorf("the cluster is %s, want %s", cluster.Status, want)
			}
			events := c.events()
			if strings.Count(events, "error orders: "+trouble) != 1 || strings.Contains(events, "had stopped") || strings.Contains(events, "comes back") {
				t.Errorf("the events are:\n%s", events)
			}
			other.Close()
			cluster = c.awaitNodes("orders")
			for _, n := range cluster.Nodes {
				if got := testkit.Fingerprint(t, c.client(cluster, n)); got != want {
					t.Errorf("%s came back with other data", n.Name)
				}
			}
			if events := c.events(); strings.Count(events, "had stopped") != 1 {
				t.Errorf("afterwards the events are:\n%s", events)
			}
		})
	}
}

func TestReasonOfANodeThatDoesNotStartIsInItsOwnWords(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	damaged := func(node string) {
		folder := filepath.Join(c.data, "nodes", node[:len(node)-4], node)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "dump.rdb"), []byte("REDIS0009garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	words := "could not be started. The data is damaged at byte 10: Invalid object type: 103."
	if engine, _ := testkit.Chosen(t); strings.HasPrefix(engine, "valkey-9") {
		words = "could not be started. The data is damaged, or another engine's: the engine does not know the type 103 in RDB version 9."
	}
	cluster := c.create(c.spec("orders", 0))[0]
	c.kill(cluster, func() { damaged("orders-001") }, cluster.Nodes...)
	if cluster = c.await("orders", models.ClusterUnreachable); cluster.StatusReason != "The node orders-001 "+words {
		t.Errorf("the cluster that could not be started again says %q", cluster.StatusReason)
	}
}

func TestRestoredClusterWithReplicaSurvivesTheDeathOfAllItsNodes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")
	spec := c.spec("copy", 1)
	spec.Snapshot = "s1"
	cluster := c.create(spec)[0]
	c.awaitSaved(cluster)
	if saved, err := c.nodes.Saved(t.Context(), "copy", "copy-001"); err != nil || saved.Exists {
		t.Errorf("the primary has saved although its replica can (%v)", err)
	}
	c.kill(cluster, nil, cluster.Nodes...)
	cluster = c.awaitNodes("copy")
	if got := testkit.Fingerprint(t, c.primary(cluster)); got != want {
		t.Error("the data did not come back")
	}
}

func TestClusterThatLostItsPrimarySurvivesTheDeathOfAllItsNodes(t *testing.T) {
	t.Parallel()
	const failedOver = "Failover from primary node orders-001 to replica node orders-002 completed"
	var all []string // of the second half
	for _, node := range []string{"orders-001", "orders-002"} {
		all = append(all, node+": Recovering cache nodes 0001", node+": Finished recovery for cache nodes 0001")
	}
	for name, test := range map[string]struct {
		change func(c *console, cluster models.Cluster)
		said   []string // in ElastiCache's words, before all nodes died
	}{
		"after a promotion": {func(c *console, cluster models.Cluster) {
			c.kill(cluster, nil, cluster.Nodes[0])
		}, []string{"orders-001: " + failedOver, "orders: " + failedOver, "orders-001: Recovering cache nodes 0001", "orders-001: Finished recovery for cache nodes 0001"}},
		"after a failover": {func(c *console, cluster models.Cluster) {
			if err := c.db.Changes.FailOver(c.t.Context(), "orders", 1, "test"); err != nil {
				c.t.Fatal(err)
			}
			c.manager.Wake()
		}, []string{"orders: Test Failover API called for node group 0001", "orders-001: " + failedOver, "orders: " + failedOver}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			cluster := c.create(c.spec("orders", 1))[0]
			source := c.primary(cluster)
			testkit.Fill(t, source, 100)
			if err := source.Wait(t.Context(), 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
			want := testkit.Fingerprint(t, source)
			test.change(c, cluster)
			testkit.WaitFor(t, "the other node to be the primary", func() bool {
				cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
				primary, _ := cluster.Shards()[0].Primary()
				return primary.Name == "orders-002" && cluster.Status == models.ClusterAvailable
			})
			c.awaitSaved(c.awaitNodes("orders"))
			testkit.WaitFor(t, "ElastiCache's words", func() bool { return slices.Equal(c.cacheEvents(), test.said) })
			c.kill(cluster, nil, cluster.Nodes...)
			cluster = c.awaitNodes("orders")
			testkit.WaitFor(t, "what ElastiCache says of nodes that recover", func() bool {
				later := slices.DeleteFunc(c.cacheEvents()[len(test.said):], func(said string) bool { return strings.Contains(said, "Failover") }) // if a node lived a moment longer
				slices.Sort(later)
				return slices.Equal(later, slices.Sorted(slices.Values(all)))
			})
			for _, n := range cluster.Nodes {
				if got := testkit.Fingerprint(t, c.client(cluster, n)); got != want {
					t.Errorf("%s came back with other data", n.Name)
				}
			}
		})
	}
}

func TestPrimaryWhoseLastReplicaGoesSavesItsData(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	none, one := 0, 1
	modify := func(replicas *int) {
		t.Helper()
		if _, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: replicas}); err != nil {
			t.Fatal(err)
		}
		c.manager.Wake()
		cluster = c.await("orders", models.ClusterAvailable)
	}
	modify(&none)
	c.kill(cluster, nil, cluster.Nodes...)
	if got := testkit.Fingerprint(t, c.primary(c.awaitNodes("orders"))); got != want {
		t.Error("the data did not come back")
	}
	modify(&one)
	c.awaitSaved(cluster)
	if events := c.events(); !strings.Contains(events, "cache.t4g.micro, 1 replica.") || !strings.Contains(events, "cache.t4g.micro, 0 replicas.") {
		t.Errorf("the events are:\n%s", events)
	}
}

func TestClusterThatStartsEmptyGoesOnSayingSo(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	if err := c.primary(cluster).Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	c.snapshot("orders", "s1")
	c.kill(cluster, nil, cluster.Nodes...)
	testkit.WaitFor(t, "the cluster to say that it was started empty", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		return cluster.Status == models.ClusterAvailable && strings.Contains(cluster.StatusReason, "The cluster orders was started empty at") &&
			strings.Contains(cluster.StatusReason, "before is s1: restore it")
	})
	if events := c.events(); strings.Count(events, "error orders: The primary orders-001 had stopped and there is no RDB to restore it from.") != 1 {
		t.Errorf("the events are:\n%s", events)
	}
	c.snapshot("orders", "s2")
	if cluster = c.await("orders", models.ClusterAvailable); cluster.StatusReason != "" {
		t.Errorf("after a snapshot by hand it still says %q", cluster.StatusReason)
	}
}

func TestSnapshotOfAClusterWhosePrimaryHangsIsTakenFromItsReplica(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	if err := source.Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := source.Wait(t.Context(), 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	c.awaitNodes("orders")
	pid := processOf(t, source)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	c.await("orders", models.ClusterUnreachable)
	snapshot := c.snapshot("orders", "s1")
	if snapshot.Status != models.SnapshotAvailable || snapshot.ServedBy != "orders-002" || snapshot.Keys != 1 || !strings.Contains(snapshot.Warning, "The primary orders-001 did not answer") {
		t.Errorf("the snapshot is %s (%s), of %s, with %d keys and the warning %q", snapshot.Status, snapshot.StatusReason, snapshot.ServedBy, snapshot.Keys, snapshot.Warning)
	}
	if cluster = c.await("orders", models.ClusterUnreachable); cluster.StatusReason != "The primary orders-001 does not answer." {
		t.Errorf("the reason is %q", cluster.StatusReason)
	}
	if events := c.events(); strings.Count(events, "is unreachable") != 1 || strings.Contains(events, "answers again") {
		t.Errorf("the events are:\n%s", events)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.await("orders", models.ClusterAvailable)
}

func TestNodesThatWereStoppedWithTheConsoleAreNoWarning(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	c.stop()
	if err := c.manager.StopNodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.start()
	cluster = c.awaitNodes("orders")
	if got := testkit.Fingerprint(t, c.primary(cluster)); got != want {
		t.Error("it came back with other data")
	}
	events := c.events()
	for _, said := range []string{"info orders: The cluster orders, which was stopped with the console, was started again with what",
		"info orders: The node orders-002, which was stopped with the console, was started again as a replica of orders-001."} {
		if !strings.Contains(events, said) {
			t.Errorf("no event says %q:\n%s", said, events)
		}
	}
	if strings.Contains(events, "warning") {
		t.Errorf("there are warnings:\n%s", events)
	}
	c.kill(cluster, nil, cluster.Nodes[1])
	testkit.WaitFor(t, "a node that died to be a warning again", func() bool { return strings.Contains(c.events(), "warning orders: The node orders-002 had stopped.") })
}
