package jobs_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch/local"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/jobs"
	"rekindle/models"
	"rekindle/models/catalog"
)

// placed is a console whose nodes are at one address, of a host that can get others.
func placed(t *testing.T, change func(*console)) (c *console, addresses []netip.Addr) {
	t.Helper()
	for address := testkit.Loopback(t)[0].Addr().Next(); len(addresses) < 3; address = address.Next() {
		addresses = append(addresses, address)
	}
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	return newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) {
		c.at = single(addresses[0])
		change(c)
	}), addresses
}

func single(address netip.Addr) local.Addresses {
	return local.Addresses{netip.PrefixFrom(address, address.BitLen())}
}

// restartAt stops the console, with its nodes unless they are to go on, and starts it with other addresses.
func (c *console) restartAt(at local.Addresses, told string, stopNodes bool) {
	c.t.Helper()
	c.stop()
	if stopNodes {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		defer cancel()
		must(c.t, c.manager.StopNodes(ctx))
	}
	must(c.t, c.db.Close())
	c.at, c.told = at, told
	c.nodes = c.launcher()
	c.host = jobs.NewHost(c.nodes, c.home)
	db, err := catalog.Open(c.t.Context(), catalog.File(filepath.Join(c.data, "rekindle.db")), c.clock, c.host)
	must(c.t, err)
	c.db = db
	c.start()
}

// awaitAt waits until all nodes of a cluster are in step at an address, and applications are told a host.
func (c *console) awaitAt(name, address, told string) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	c.waitFor(fmt.Sprintf("%s at %s, told as %s", name, address, told), func() bool {
		var err error
		cluster, err = c.db.Clusters.Get(c.t.Context(), name)
		return err == nil && cluster.Status == models.ClusterAvailable && !slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool {
			return n.Host != address || n.Endpoint().Host != told || n.Role == models.RoleReplica && !n.InStep() || n.State != "available"
		})
	}, func() string {
		return fmt.Sprintf("%s (%s) %+v\n%s", cluster.Status, cluster.StatusReason, cluster.Nodes, c.events())
	})
	return cluster
}

// idents are what the nodes of a cluster in cluster mode are called in it, by their names.
func (c *console) idents(cluster models.Cluster) map[string]string {
	ids := make(map[string]string)
	for _, n := range cluster.Nodes {
		ids[n.Name] = c.client(cluster, n).ClusterMyID(c.t.Context()).Val()
	}
	return ids
}

func TestNodesFollowTheirHostToOtherAddresses(t *testing.T) {
	t.Parallel()
	c, addresses := placed(t, func(*console) {})
	c.create(c.spec("pair", 1))
	c.create(encrypted(c.inClusterMode("shards", 2, 1)))
	pair, shards := c.inStep("pair", 1, 1), c.inStep("shards", 2, 1)
	testkit.Fill(t, c.primary(pair), 200)
	c.fillShards(shards)
	wantPair, wantShards, ids := c.digests(pair), c.digests(shards), c.idents(shards)
	if len(wantPair) == 0 || len(wantShards) == 0 {
		t.Fatal("there are no keys")
	}
	next := []netip.Addr{addresses[1], netip.IPv6Loopback(), addresses[2]}
	for _, address := range next {
		c.restartAt(single(address), "", true)
		pair, shards = c.awaitAt("pair", address.String(), address.String()), c.awaitAt("shards", address.String(), address.String())
		if got := c.digests(pair); !maps.Equal(got, wantPair) {
			t.Errorf("at %s the pair has %d of %d keys", address, len(got), len(wantPair))
		}
		if got := c.digests(shards); !maps.Equal(got, wantShards) {
			t.Errorf("at %s the shards have %d of %d keys", address, len(got), len(wantShards))
		}
		if got := c.idents(shards); !maps.Equal(got, ids) {
			t.Errorf("at %s the nodes are called %v, and were %v", address, got, ids)
		}
		first := shards.Primaries()[0]
		moved := c.client(shards, first).Get(t.Context(), "order:0").Err() // one of the two shards has it
		other := c.client(shards, shards.Primaries()[1]).Get(t.Context(), "order:0").Err()
		if said := fmt.Sprint(moved, other); !strings.Contains(said, "MOVED") || !strings.Contains(said, address.String()+":") {
			t.Errorf("at %s clients are sent elsewhere: %s", address, said)
		}
		if snapshot := c.snapshot("shards", "at-"+strings.NewReplacer(".", "-", ":", "x").Replace(address.String())+"-1"); snapshot.Status != models.SnapshotAvailable {
			t.Errorf("the snapshot at %s is %s (%s)", address, snapshot.Status, snapshot.StatusReason)
		}
	}
	if said := c.events(); !strings.Contains(said, "The endpoints of pair have changed, because its console was started with other addresses for nodes: pair-001 is at ") {
		t.Errorf("no event says so:\n%s", said)
	}
}

func TestANodeThatRunsStaysWhereItIsUntilItIsStartedAgain(t *testing.T) {
	t.Parallel()
	c, addresses := placed(t, func(*console) {})
	c.create(c.spec("pair", 1))
	c.create(c.inClusterMode("shards", 2, 1))
	pair, shards := c.inStep("pair", 1, 1), c.inStep("shards", 2, 1)
	testkit.Fill(t, c.primary(pair), 100)
	c.fillShards(shards)
	wantPair, wantShards := c.digests(pair), c.digests(shards)
	c.restartAt(single(addresses[1]), "", false)
	for _, cluster := range []models.Cluster{pair, shards} {
		c.awaitAt(cluster.Name, addresses[0].String(), addresses[0].String())
		for _, n := range cluster.Nodes {
			if n.Role == models.RoleReplica {
				c.client(cluster, n).ShutdownSave(t.Context())
			}
		}
		c.waitFor("the replicas of "+cluster.Name+" move", func() bool {
			now, err := c.db.Clusters.Get(t.Context(), cluster.Name)
			return err == nil && now.Status == models.ClusterAvailable && !slices.ContainsFunc(now.Nodes, func(n models.Node) bool {
				return n.Role == models.RoleReplica && (n.Host != addresses[1].String() || !n.InStep()) || n.Role == models.RolePrimary && n.Host != addresses[0].String()
			})
		}, c.events)
	}
	if got := c.digests(pair); !maps.Equal(got, wantPair) {
		t.Errorf("the pair has %d of %d keys", len(got), len(wantPair))
	}
	if got := c.digests(shards); !maps.Equal(got, wantShards) {
		t.Errorf("the shards have %d of %d keys", len(got), len(wantShards))
	}
	c.handOver("shards", 2, 2, 1)
}

func TestARebootStartsNodesWhereTheirHostIsNow(t *testing.T) {
	t.Parallel()
	c, addresses := placed(t, func(*console) {})
	c.create(c.spec("pair", 1))
	c.create(c.inClusterMode("shards", 2, 1))
	pair, shards := c.inStep("pair", 1, 1), c.inStep("shards", 2, 1)
	testkit.Fill(t, c.primary(pair), 100)
	c.fillShards(shards)
	wantPair, wantShards, ids := c.digests(pair), c.digests(shards), c.idents(shards)
	c.restartAt(single(addresses[1]), "", false) // nodes go on where they were
	for _, name := range []string{"pair", "shards"} {
		c.awaitAt(name, addresses[0].String(), addresses[0].String())
		must(t, c.db.Changes.Reboot(t.Context(), name, nil, "test"))
		c.manager.Wake()
		cluster := c.awaitAt(name, addresses[1].String(), addresses[1].String())
		if cluster.StatusReason != "" || c.inStep(name, len(cluster.Primaries()), 1).StatusReason != "" {
			t.Errorf("the restart of %s: %s", name, cluster.StatusReason)
		}
	}
	if got := c.digests(c.inStep("pair", 1, 1)); !maps.Equal(got, wantPair) || len(got) == 0 {
		t.Errorf("the pair has %d of %d keys", len(got), len(wantPair))
	}
	shards = c.inStep("shards", 2, 1)
	testkit.WaitFor(t, "each node to find that all slots are served", func() bool {
		return !slices.ContainsFunc(shards.Nodes, func(n models.Node) bool {
			return !strings.Contains(c.client(shards, n).ClusterInfo(t.Context()).Val(), "cluster_state:ok")
		})
	})
	if got := c.digests(shards); !maps.Equal(got, wantShards) || len(got) == 0 {
		t.Errorf("the shards have %d of %d keys", len(got), len(wantShards))
	}
	if got := c.idents(shards); !maps.Equal(got, ids) {
		t.Errorf("the nodes are called %v, and were %v", got, ids)
	}
	if said := c.events(); !strings.Contains(said, "Nodes of pair were restarted") || !strings.Contains(said, "Nodes of shards were restarted") {
		t.Errorf("they were not restarted:\n%s", said)
	}
}

func TestApplicationsAreToldAnAnnouncedHost(t *testing.T) {
	t.Parallel()
	here := netip.MustParseAddr("127.0.0.1") // so that the clients of this test get there by the name
	c, addresses := placed(t, func(c *console) { c.at, c.told = single(here), "localhost" })
	c.create(c.spec("pair", 1))
	c.create(encrypted(c.inClusterMode("shards", 2, 1)))
	at := here.String()
	shards := c.inStep("shards", 2, 1)
	c.awaitAt("pair", at, "localhost")
	c.awaitAt("shards", at, "localhost")
	c.fillShards(shards)
	redirected := func(host string) {
		t.Helper()
		if !shards.ShownEngine().AtLeast("7.0") {
			return // it sends clients to the addresses that nodes are bound to
		}
		var said string
		c.waitFor("clients to be sent to "+host, func() bool {
			shards, _ = c.db.Clusters.Get(t.Context(), "shards")
			said = ""
			for _, n := range shards.Primaries() {
				said += fmt.Sprint(c.client(shards, n).Get(t.Context(), "order:0").Err())
			}
			return strings.Contains(said, "MOVED") && strings.Contains(said, " "+host+":")
		}, func() string { return said + "\n" + c.events() })
	}
	redirected("localhost")

	t.Log("another host is announced while the nodes run")
	c.restartAt(single(here), "redis.example.com", false)
	c.awaitAt("pair", at, "redis.example.com")
	c.awaitAt("shards", at, "redis.example.com")
	redirected("redis.example.com")
	c.handOver("pair", 1, 1, 1)
	c.handOver("shards", 1, 2, 1)

	t.Log("none is announced any more, after a restart of all")
	c.restartAt(single(addresses[1]), "", true)
	c.awaitAt("pair", addresses[1].String(), addresses[1].String())
	c.awaitAt("shards", addresses[1].String(), addresses[1].String())
	redirected(addresses[1].String())
}

func TestNodesThatShareAPortGetPortsOfTheirOwnWhenOneHostIsAnnounced(t *testing.T) {
	t.Parallel()
	addresses := testkit.Loopback(t)
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.at = addresses })
	spec := c.spec("pair", 1)
	spec.Port = 6379
	pair := c.create(spec)[0]
	if pair.Nodes[0].Port != 6379 || pair.Nodes[1].Port != 6379 {
		t.Fatalf("the nodes are at %s and %s", pair.Nodes[0].Address(), pair.Nodes[1].Address())
	}
	c.inStep("pair", 1, 1)
	c.restartAt(addresses, "redis.example.com", true)
	var ports []int
	c.waitFor("both to be announced", func() bool {
		pair, err = c.db.Clusters.Get(t.Context(), "pair")
		ports = []int{pair.Nodes[0].Port, pair.Nodes[1].Port}
		return err == nil && !slices.ContainsFunc(pair.Nodes, func(n models.Node) bool { return n.Endpoint().Host != "redis.example.com" || n.State != "available" })
	}, func() string { return fmt.Sprintf("%+v\n%s", pair.Nodes, c.events()) })
	if ports[0] == ports[1] || !slices.Contains(ports, 6379) {
		t.Errorf("their ports are %v", ports)
	}
}
