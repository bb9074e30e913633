package jobs_test

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch/local"
	"rekindle/internal/memcached"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// onIPv6 is a console whose nodes are at ::1. The test is skipped on a host without it.
func onIPv6(t *testing.T) *console {
	t.Helper()
	free, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on this host: %v", err)
	}
	must(t, free.Close())
	data := t.TempDir()
	st, err := dir.Open(data + "/snapshots")
	must(t, err)
	return newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.at = local.Addresses{netip.MustParsePrefix("::1/128")} })
}

func TestNodesAreLaunchedSnapshottedAndRestoredOnIPv6(t *testing.T) {
	t.Parallel()
	c := onIPv6(t)
	shards := c.inClusterMode("shards", 2, 1)
	for name, spec := range map[string]models.ClusterSpec{"pair": c.spec("pair", 1), "encrypted": encrypted(c.spec("encrypted", 1)), "shards": shards, "sealed": encrypted(c.inClusterMode("sealed", 2, 1))} {
		c.create(spec)
		cluster := c.inStep(name, spec.ShardCount(), 1)
		for _, node := range cluster.Nodes {
			if !strings.HasPrefix(node.Address(), "[::1]:") {
				t.Errorf("%s is at %s", node.Name, node.Address())
			}
		}
		if spec.ClusterMode {
			c.fillShards(cluster)
		} else {
			testkit.Fill(t, c.primary(cluster), 100)
		}
		want := c.digests(cluster)
		if snapshot := c.snapshot(name, name+"-1"); snapshot.Status != models.SnapshotAvailable || snapshot.ServedRole != models.RoleReplica && !spec.ClusterMode {
			t.Errorf("the snapshot of %s is %s (%s)", name, snapshot.Status, snapshot.StatusReason)
		}
		again := spec
		again.Name = name + "-again"
		if got := c.digests(c.restoreInto(again, name+"-1")); !maps.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s came back with %d of %d keys", name, len(got), len(want))
		}
		if cluster = c.handOver(name, 1, spec.ShardCount(), 1); !maps.Equal(c.digests(cluster), want) {
			t.Errorf("keys of %s are lost after a failover", name)
		}
	}
}

func TestMemcachedIsLaunchedOnIPv6(t *testing.T) {
	t.Parallel()
	c := onIPv6(t)
	spec := c.spec("sessions", 0)
	spec.CacheCluster, spec.CacheNodes = true, 2
	engines, err := c.host.Engines(t.Context())
	must(t, err)
	spec.Engine, spec.Auth = engines[slices.IndexFunc(engines, func(e models.Engine) bool { return e.Name == models.EngineMemcached })], models.AuthNone
	cluster := c.create(spec)[0]
	for _, node := range cluster.Nodes {
		if _, err := memcached.Probe(t.Context(), node.Address()); err != nil || node.Host != "::1" {
			t.Errorf("%s at %s: %v", node.Name, node.Address(), err)
		}
	}
}

func TestClustersAreAttachedOnIPv6(t *testing.T) {
	t.Parallel()
	c := onIPv6(t)
	pair := func() (primary, replica *testkit.Server) {
		primary = testkit.Redis(t, "--bind", "::1")
		return primary, replicaOf(t, primary, "--bind", "::1")
	}
	_, replica := pair()
	watched, other := pair()
	sentinel := testkit.Sentinel(t, map[string]*testkit.Server{"orders": watched}, "bind ::1")
	testkit.WaitFor(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Client().Do(t.Context(), "SENTINEL", "REPLICAS", "orders").String(), strconv.Itoa(other.Port))
	})
	nodes := testkit.InClusterMode(t, 2, 2, "--bind", "::1")
	for name, at := range map[string]struct {
		address  string
		topology string
		nodes    int
	}{
		"pair":    {replica.Addr, "replicated", 2},
		"watched": {sentinel.Addr, "sentinel", 2},
		"shards":  {nodes[3].Addr, "cluster", 4},
	} {
		cluster := c.attach(attachSpec(name, at.address))
		if cluster.Attachment.Topology != at.topology || len(cluster.Nodes) != at.nodes {
			t.Errorf("%s is %s with %d nodes", name, cluster.Attachment.Topology, len(cluster.Nodes))
		}
		for _, node := range cluster.Nodes {
			if node.Host != "::1" {
				t.Errorf("%s is at %s", node.Name, node.Address())
			}
		}
		if snapshot := c.snapshot(name, name+"-1"); snapshot.Status != models.SnapshotAvailable {
			t.Errorf("the snapshot of %s is %s (%s)", name, snapshot.Status, snapshot.StatusReason)
		}
	}
}
