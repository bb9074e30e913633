package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// encrypted is a cluster that speaks TLS.
func encrypted(spec models.ClusterSpec) models.ClusterSpec {
	spec.Encrypted = true
	return spec
}

// speaksPlainly tells whether a node answers to somebody who does not encrypt.
func (c *console) speaksPlainly(cluster models.Cluster, node models.Node) bool {
	client := redis.NewClient(&redis.Options{Addr: node.Address(), Password: cluster.Password.Reveal(), MaxRetries: -1, ReadTimeout: 2 * time.Second})
	defer client.Close()
	return client.Ping(c.t.Context()).Err() == nil
}

// handOver has a shard handed over to a replica, and returns the cluster when that is in step.
func (c *console) handOver(name string, shard, shards, replicas int) models.Cluster {
	c.t.Helper()
	must(c.t, c.db.Changes.FailOver(c.t.Context(), name, shard, "test"))
	c.manager.Wake()
	c.await(name, models.ClusterAvailable)
	return c.inStep(name, shards, replicas)
}

func TestAClusterThatEncryptsIsSnapshottedRestoredAndBroughtBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(encrypted(c.spec("orders", 1)))
	orders := c.inStep("orders", 1, 1)
	for _, node := range orders.Nodes {
		if c.speaksPlainly(orders, node) {
			t.Errorf("%s answers without TLS", node.Name)
		}
	}
	source := c.primary(orders)
	keys := testkit.Fill(t, source, 300)
	want := testkit.Fingerprint(t, source)
	snapshot := c.snapshot("orders", "evening")
	if snapshot.Status != models.SnapshotAvailable || !snapshot.TransitEncryption || snapshot.ServedRole != models.RoleReplica || snapshot.Keys != int64(keys) {
		t.Fatalf("the snapshot is %s (%s), encrypted %v, with %d keys of a %s", snapshot.Status, snapshot.StatusReason, snapshot.TransitEncryption, snapshot.Keys, snapshot.ServedRole)
	}
	for name, spec := range map[string]models.ClusterSpec{"encrypted": encrypted(c.spec("encrypted", 1)), "plain": c.spec("plain", 0)} {
		restored := c.restoreInto(spec, "evening")
		primary, _ := restored.Shards()[0].Primary()
		if got := testkit.Fingerprint(t, c.primary(restored)); got != want || restored.Encrypted() != spec.Encrypted || c.speaksPlainly(restored, primary) == spec.Encrypted {
			t.Errorf("restored into %s, it encrypts: %v; the same data: %v", name, restored.Encrypted(), got == want)
		}
	}
	orders = c.handOver("orders", 1, 1, 1)
	old, _ := orders.Shards()[0].Primary()
	c.kill(orders, nil, old) // which also is a console that is restarted
	orders = c.awaitNodes("orders")
	if now, _ := orders.Shards()[0].Primary(); now.Name == old.Name {
		t.Errorf("%s is the primary still", old.Name)
	}
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	back := c.awaitNodes("orders")
	if !back.Encrypted() || back.CA != orders.CA || testkit.Fingerprint(t, c.primary(back)) != want {
		t.Errorf("brought back, it encrypts: %v, by the same authority: %v", back.Encrypted(), back.CA == orders.CA)
	}
	if s := c.snapshot("orders", "after"); s.Status != models.SnapshotAvailable || s.Keys != int64(keys) {
		t.Errorf("a snapshot after that is %s (%s)", s.Status, s.StatusReason)
	}
	if s, err := c.db.Snapshots.Get(t.Context(), "evening"); err != nil || !s.TransitEncryption {
		t.Errorf("the rebuilt snapshot says encrypted: %v, %v", s.TransitEncryption, err)
	}
}

func TestAClusterInClusterModeThatEncryptsIsSnapshottedAndRestored(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(encrypted(c.inClusterMode("orders", 2, 1)))
	orders := c.inStep("orders", 2, 1)
	c.fillShards(orders)
	want := c.digests(orders)
	if snapshot := c.snapshot("orders", "evening"); snapshot.Status != models.SnapshotAvailable || !snapshot.TransitEncryption || snapshot.Keys != int64(len(want)) {
		t.Fatalf("the snapshot is %s (%s), encrypted %v, with %d keys", snapshot.Status, snapshot.StatusReason, snapshot.TransitEncryption, snapshot.Keys)
	}
	for into, spec := range map[string]models.ClusterSpec{"three shards": encrypted(c.inClusterMode("three", 3, 0)), "one outside of cluster mode": encrypted(c.spec("alone", 0)),
		"one that does not encrypt": c.inClusterMode("plain", 1, 0)} {
		restored := c.restoreInto(spec, "evening")
		if diff := testkit.Diff(want, c.digests(restored)); diff != "" {
			t.Errorf("restored into %s:\n%s", into, diff)
		}
		for _, node := range restored.Nodes {
			if c.speaksPlainly(restored, node) == spec.Encrypted {
				t.Errorf("restored into %s, %s does not speak as it should", into, node.Name)
			}
		}
	}
	old := orders.Primaries()[1].Name
	if orders = c.handOver("orders", 2, 2, 1); orders.Primaries()[1].Name == old {
		t.Error("the second shard was not handed over")
	}
	if diff := testkit.Diff(want, c.digests(orders)); diff != "" {
		t.Errorf("after the failover:\n%s", diff)
	}
}

func TestACertificateIsRenewedByTheSupervisor(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(encrypted(c.spec("orders", 1)))[0]
	before := c.primary(cluster).Info(t.Context(), "server").Val()
	c.stop()
	must(t, c.nodes.ReplaceAuthority(t.Context()))
	c.start()
	c.waitFor("the certificates to be renewed", func() bool {
		return strings.Count(c.events(), "was renewed") == len(cluster.Nodes)
	}, c.events)
	c.waitFor("the catalog to know the new authority", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && strings.HasSuffix(now.CA, cluster.CA) && now.CA != cluster.CA
	}, c.events)
	for _, trusts := range []models.Cluster{cluster, c.await("orders", models.ClusterAvailable)} {
		if now := c.primary(trusts).Info(t.Context(), "server").Val(); field(now, "process_id") != field(before, "process_id") {
			t.Errorf("the node answers as %q instead of %q", field(now, "process_id"), field(before, "process_id"))
		}
	}
}
