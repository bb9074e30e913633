package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/jobs/nodes"
	"rekindle/models"
)

// open starts a server that lets everybody in, as a source of a migration must.
func open(t *testing.T, args ...string) *testkit.Server {
	t.Helper()
	return testkit.Redis(t, append([]string{"--protected-mode", "no"}, args...)...)
}

// writes writes to a server until the function that it returns is called.
func writes(t *testing.T, client *redis.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			client.Set(ctx, fmt.Sprintf("written:%d", i%500), i, 0)
		}
	})
	stop = func() { cancel(); writer.Wait() }
	t.Cleanup(stop)
	return stop
}

// migrate makes a cluster follow a server, and waits until it has the server's data.
func (c *console) migrate(name, source string) models.Cluster {
	c.t.Helper()
	if err := c.db.Migrations.Start(c.t.Context(), name, source, "test"); err != nil {
		c.t.Fatal(err)
	}
	c.manager.Wake()
	c.await(name, models.ClusterMigrating)
	return c.awaitCopied(name)
}

func (c *console) awaitCopied(name string) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	c.waitFor(name+" to follow its source", func() bool {
		cluster, _ = c.db.Clusters.Get(c.t.Context(), name)
		return cluster.Status == models.ClusterMigrating && cluster.Migration.Copied
	}, func() string {
		return fmt.Sprintf("%s (%s) %+v", cluster.Status, cluster.StatusReason, cluster.Migration)
	})
	return cluster
}

// awaitLink waits until a node follows the server at this port and the link is up.
func (c *console) awaitLink(client *redis.Client, port int) {
	c.t.Helper()
	info := ""
	c.waitFor("a node to follow", func() bool {
		info = client.Info(c.t.Context(), "replication").Val()
		return field(info, "master_link_status") == "up" && field(info, "master_port") == fmt.Sprint(port)
	}, func() string { return info })
}

func (c *console) complete(name string, force bool) {
	c.t.Helper()
	if err := c.db.Migrations.Complete(c.t.Context(), name, force, "test"); err != nil {
		c.t.Fatal(err)
	}
	c.manager.Wake()
}

func TestARunningServerIsMovedIntoACluster(t *testing.T) {
	t.Parallel()
	source := open(t)
	testkit.Fill(t, source.Client(), 100)
	stop := writes(t, source.Client())
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 1))
	found, err := c.manager.TestMigration(t.Context(), "orders", source.Addr)
	if err != nil || found.Address != source.Addr || found.Keys < 100 {
		t.Fatalf("the source is %+v, %v", found, err)
	}
	if tried := c.await("orders", models.ClusterAvailable); tried.Migrating() {
		t.Error("a test has begun a migration")
	}
	cluster := c.migrate("orders", source.Addr)
	primary := c.primary(cluster)
	if err := primary.Set(t.Context(), "mine", 1, 0).Err(); !redis.HasErrorPrefix(err, "READONLY") {
		t.Errorf("a migrating cluster answers a write with %v", err)
	}
	if auth := primary.ConfigGet(t.Context(), "masterauth").Val()["masterauth"]; auth != "" {
		t.Error("the source is told the cluster's password")
	}

	// A primary that dies is not failed over. It starts as a replica of the source again, even if the console was restarted in between.
	c.kill(cluster, nil, cluster.Nodes[0])
	c.awaitLink(c.primary(cluster), source.Port)
	if auth := c.primary(cluster).ConfigGet(t.Context(), "masterauth").Val()["masterauth"]; auth != "" {
		t.Error("the source is told the cluster's password after a restart of the node")
	}
	if again, _ := c.db.Clusters.Get(t.Context(), "orders"); again.Nodes[0].Role != models.RolePrimary || again.Status != models.ClusterMigrating {
		t.Errorf("%s is %s of a cluster that is %s", again.Nodes[0].Name, again.Nodes[0].Role, again.Status)
	}
	replica := c.client(cluster, cluster.Nodes[1])
	c.awaitLink(replica, cluster.Nodes[0].Port)
	source.Client().Set(t.Context(), "late", "yes", 0)
	testkit.WaitFor(t, "a write to get to the replica", func() bool { return replica.Get(t.Context(), "late").Val() == "yes" })

	stop()
	want := testkit.Digests(t, source.Client())
	c.complete("orders", false)
	cluster = c.await("orders", models.ClusterAvailable)
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(cluster))); diff != "" {
		t.Errorf("the cluster differs from its source:\n%s", diff)
	}
	if cluster.Migrating() || cluster.EmptiedAt != nil || cluster.StatusReason != "" {
		t.Errorf("the cluster says %q, %+v", cluster.StatusReason, cluster.Migration)
	}
	cluster = c.awaitNodes("orders")
	primary = c.primary(cluster)
	if err := primary.Set(t.Context(), "mine", 1, 0).Err(); err != nil {
		t.Error(err)
	}
	if auth := primary.ConfigGet(t.Context(), "masterauth").Val()["masterauth"]; auth != cluster.Password.Reveal() {
		t.Error("the primary could not follow another of its cluster")
	}
	if source.Client().Exists(t.Context(), "mine").Val() != 0 {
		t.Error("the source has what was written to the cluster")
	}
	if events := c.events(); !strings.Contains(events, "is complete: the cluster accepts writes now") || !strings.Contains(events, "has all of the data of "+source.Addr) || strings.Contains(events, "made a primary again") {
		t.Errorf("the events:\n%s", events)
	}
}

// Data can be moved from an older engine to a newer one, but not the other way.
func TestDataIsMovedIntoNewerEnginesOnly(t *testing.T) {
	t.Parallel()
	older, newer := testkit.Fetched(t, "redis-6.0"), testkit.Fetched(t, "valkey-9.1")
	source := testkit.Engine(t, older, "--protected-mode", "no")
	testkit.Fill(t, source.Client(), 30)
	want := testkit.Digests(t, source.Client())
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	ahead := testkit.Engine(t, newer, "--protected-mode", "no")
	if _, err := c.manager.TestMigration(t.Context(), "orders", ahead.Addr); testkit.EngineName(t) == "redis" && (err == nil || !strings.Contains(err.Error(), "writes its data in a form that redis")) {
		t.Errorf("a newer source: %v", err)
	}
	c.migrate("orders", source.Addr)
	c.complete("orders", false)
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(c.await("orders", models.ClusterAvailable)))); diff != "" {
		t.Errorf("the cluster differs from its source:\n%s", diff)
	}
}

func TestAMigrationWhoseSourceIsGoneCanBeGivenUp(t *testing.T) {
	t.Parallel()
	source := open(t)
	source.Client().Set(t.Context(), "a", "1", 0)
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	c.migrate("orders", source.Addr)
	source.Kill()
	c.complete("orders", false)
	c.waitFor("the completion to fail", func() bool {
		return strings.Contains(c.await("orders", models.ClusterMigrating).StatusReason, "does not answer")
	}, c.events)
	c.complete("orders", true)
	cluster := c.await("orders", models.ClusterAvailable)
	primary := c.primary(cluster)
	if err := primary.Set(t.Context(), "b", 1, 0).Err(); err != nil || primary.Get(t.Context(), "a").Val() != "1" {
		t.Errorf("the cluster has %q, and answers a write with %v", primary.Keys(t.Context(), "*").Val(), err)
	}
	if events := c.events(); !strings.Contains(events, "error orders: The migration into orders was not completed, and goes on. The source "+source.Addr+" does not answer") {
		t.Errorf("the events:\n%s", events)
	}
	c.awaitSaved(cluster) // nothing else makes a single node save
}

// Each of these states is what a killed console can leave behind.
func TestAMigrationGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	for _, began := range []bool{false, true} {
		source := open(t)
		source.Client().Set(t.Context(), "a", "1", 0)
		c := newConsole(t, clockwork.NewRealClock())
		cluster := c.create(c.spec("orders", 0))[0]
		// cutOff ends a run in its middle.
		cutOff := func(kind models.RunKind, queue func() error, middle func() error) {
			t.Helper()
			c.stop()
			if err := queue(); err != nil {
				t.Fatal(err)
			}
			if _, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(run models.Run) bool { return run.Kind == kind }); err != nil || !claimed {
				t.Fatal(claimed, err)
			}
			if err := middle(); err != nil {
				t.Fatal(err)
			}
			c.start()
		}
		cutOff(models.RunMigrate, func() error { return c.db.Migrations.Start(t.Context(), "orders", source.Addr, "test") }, func() error {
			follows := cluster
			follows.Migration.Address = source.Addr
			if began {
				return nodes.FollowSource(t.Context(), follows, cluster.Nodes[0])
			}
			return nodes.Hold(t.Context(), cluster, cluster.Nodes[0])
		})
		cluster = c.awaitCopied("orders")
		if cluster.Migration.Address != source.Addr || cluster.Migration.Source != source.Addr {
			t.Errorf("it follows %+v", cluster.Migration)
		}
		cutOff(models.RunCompleteMigration, func() error { return c.db.Migrations.Complete(t.Context(), "orders", false, "test") }, func() error {
			if !began {
				return nil
			}
			if err := nodes.TakeOver(t.Context(), cluster, cluster.Nodes[0]); err != nil {
				return err
			}
			return c.primary(cluster).Set(t.Context(), "b", "2", 0).Err() // a client was waiting to write
		})
		cluster = c.await("orders", models.ClusterAvailable)
		if got := c.primary(cluster).MGet(t.Context(), "a", "b").Val(); got[0] != "1" || (got[1] == "2") != began {
			t.Errorf("the cluster has %q", got)
		}
	}
}

func TestSourcesThatNothingIsMovedFrom(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	other := c.create(c.spec("other", 0))[0]
	many := open(t, "--databases", "20")
	conn := many.Client().Conn()
	t.Cleanup(func() { conn.Close() })
	if err := conn.Select(t.Context(), 19).Err(); err != nil {
		t.Fatal(err)
	}
	conn.Set(t.Context(), "a", 1, 0)
	lost := open(t, "--replicaof", "127.0.0.1", "1")
	for name, test := range map[string]struct{ source, says string }{
		"nobody":           {fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)), "Nothing listens at 127.0.0.1:"},
		"no such host":     {"nowhere.invalid:6379", "There is no host nowhere.invalid"},
		"a cloud's secret": {"169.254.169.254:80", "is a link-local address"},
		"a password":       {open(t, "--requirepass", "sesame").Addr, "asks for a password"},
		"cluster mode":     {open(t, "--cluster-enabled", "yes").Addr, "is in cluster mode"},
		"a lost replica":   {lost.Addr, "without a link to its primary"},
		"databases":        {many.Addr, "uses 20 databases"},
		"renamed":          {open(t, "--rename-command", "REPLCONF", "hidden").Addr, "refuses to replicate"},
		"another cluster":  {other.Nodes[0].Address(), "which Rekindle runs, listens at"},
		"itself":           {cluster.Nodes[0].Address(), "which Rekindle runs, listens at"},
	} {
		if _, err := c.manager.TestMigration(t.Context(), "orders", test.source); !models.HasCode(err, models.CodeInvalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A run finds the same problem, and leaves the cluster as it was.
	primary := c.primary(cluster)
	begin := func(source, says string) {
		t.Helper()
		if err := c.db.Migrations.Start(t.Context(), "orders", source, "test"); err != nil {
			t.Fatal(err)
		}
		c.manager.Wake()
		c.waitFor("the migration not to begin", func() bool { return strings.Contains(c.await("orders", models.ClusterAvailable).StatusReason, says) }, c.events)
		if err := primary.Set(t.Context(), "a", "1", 0).Err(); err != nil {
			t.Errorf("the cluster that %q answers a write with %v", says, err)
		}
	}
	begin(many.Addr, "uses 20 databases")
	good := open(t)
	if _, err := c.manager.TestMigration(t.Context(), "orders", good.Addr); !models.HasCode(err, models.CodeClusterState) || !strings.Contains(err.Error(), "holds 1 key, which the source's data would replace") {
		t.Errorf("a cluster with keys: %v", err)
	}
	begin(good.Addr, "holds 1 key")
	if auth := primary.ConfigGet(t.Context(), "masterauth").Val()["masterauth"]; primary.Get(t.Context(), "a").Val() != "1" || auth != cluster.Password.Reveal() {
		t.Error("a migration that did not begin has changed the cluster")
	}
	if events := c.events(); strings.Contains(events, "REPLICAOF") {
		t.Errorf("the supervisor had to mend what a run had done:\n%s", events)
	}
}

// A rebuilt catalog learns from the nodes that data is being moved in.
func TestARebuiltCatalogGoesOnWithAMigration(t *testing.T) {
	t.Parallel()
	source := open(t)
	testkit.Fill(t, source.Client(), 30)
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 1))
	c.migrate("orders", source.Addr)
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	cluster := c.awaitCopied("orders")
	if cluster.Migration.Source != source.Addr || cluster.Nodes[0].Role != models.RolePrimary || cluster.EmptiedAt != nil {
		t.Errorf("it is %+v with %+v", cluster.Migration, cluster.Nodes)
	}
	c.complete("orders", false)
	c.await("orders", models.ClusterAvailable)
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, c.primary(c.awaitNodes("orders")))); diff != "" {
		t.Errorf("the cluster differs from its source:\n%s", diff)
	}
}
