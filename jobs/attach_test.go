package jobs_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// attachSpec asks for a cluster at these addresses.
func attachSpec(name string, addresses ...string) models.AttachSpec {
	return models.AttachSpec{Name: name, Access: models.Access{Addresses: addresses}, RequestedBy: "admin"}
}

func (c *console) attach(spec models.AttachSpec) models.Cluster {
	c.t.Helper()
	cluster, err := c.manager.Attach(c.t.Context(), spec)
	if err != nil {
		c.t.Fatal(err)
	}
	return cluster
}

// replicaOf starts a server that follows another one, and returns when it is in step.
func replicaOf(t *testing.T, primary *testkit.Server, args ...string) *testkit.Server {
	t.Helper()
	r := testkit.Redis(t, append([]string{"--replicaof", primary.Host + " " + strconv.Itoa(primary.Port)}, args...)...)
	testkit.WaitFor(t, "the replica is in step", func() bool {
		return strings.Contains(r.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return r
}

// awaitAttached waits until the catalog says this of an attached cluster.
func (c *console) awaitAttached(name, what string, is func(models.Cluster) bool) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	c.waitFor(what, func() bool {
		var err error
		cluster, err = c.db.Clusters.Get(c.t.Context(), name)
		return err == nil && is(cluster)
	}, func() string {
		return fmt.Sprintf("%s %s %+v\n%s", cluster.Status, cluster.StatusReason, cluster.Nodes, c.events())
	})
	return cluster
}

func TestAnAttachedPairIsSnapshottedAndItsSnapshotRestored(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	testkit.Fill(t, primary.Client(), 2000)
	want := testkit.Fingerprint(t, primary.Client())
	config := primary.Client().ConfigGet(t.Context(), "*").Val()

	cluster := c.attach(attachSpec("orders", primary.Addr))
	if len(cluster.Nodes) != 2 || cluster.Nodes[0].Address() != primary.Addr || cluster.Nodes[1].Address() != replica.Addr {
		t.Fatalf("attached with %+v", cluster.Nodes)
	}
	snapshot := c.snapshot("orders", "first")
	if snapshot.Status != models.SnapshotAvailable || snapshot.Parts[0].ServedBy != "orders-002" || snapshot.Parts[0].ServedRole != models.RoleReplica || snapshot.Warning != "" {
		t.Fatalf("%s, served by %+v: %s%s", snapshot.Status, snapshot.Parts, snapshot.StatusReason, snapshot.Warning)
	}
	if got := c.restored("first", "again"); got != want {
		t.Errorf("restored: %s\nwant: %s", got, want)
	}

	for _, node := range []*testkit.Server{primary, replica} {
		if n := node.Client().Info(t.Context(), "commandstats").Val(); strings.Contains(n, "cmdstat_config|set") || strings.Contains(n, "cmdstat_replicaof") || strings.Contains(n, "cmdstat_flush") {
			t.Errorf("%s was told something: %s", node.Addr, n)
		}
	}
	if now := primary.Client().ConfigGet(t.Context(), "*").Val(); !equal(config, now) {
		t.Error("its configuration has changed")
	}

	if err := c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	c.waitFor("the cluster is detached", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "orders")
		return models.HasCode(err, models.CodeClusterNotFound)
	}, c.events)
	if testkit.Fingerprint(t, primary.Client()) != want {
		t.Error("detaching has changed its data")
	}
	if s, err := c.db.Snapshots.Get(t.Context(), "first"); err != nil || !s.Usable() {
		t.Errorf("its snapshot is %s: %v", s.Status, err)
	}
}

func equal(a, b map[string]string) bool {
	for name, value := range a {
		if b[name] != value {
			return false
		}
	}
	return len(a) == len(b)
}

func TestAnAttachedClusterIsFollowed(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	c.attach(attachSpec("orders", primary.Addr, replica.Addr))

	third := replicaOf(t, primary)
	c.awaitAttached("orders", "a replica that came", func(cluster models.Cluster) bool { return len(cluster.Nodes) == 3 && cluster.Replicas == 2 })

	// A failover by hand: the replica is promoted, and the others follow it.
	for _, told := range [][]any{{"REPLICAOF", "NO", "ONE"}} {
		if err := replica.Client().Do(t.Context(), told...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range []*testkit.Server{primary, third} {
		if err := node.Client().Do(t.Context(), "REPLICAOF", replica.Host, replica.Port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	cluster := c.awaitAttached("orders", "the new primary", func(cluster models.Cluster) bool {
		p := cluster.Primaries()
		return len(p) == 1 && p[0].Address() == replica.Addr && len(cluster.Nodes) == 3 && cluster.Port == replica.Port
	})
	if cluster.Primaries()[0].Name != "orders-002" {
		t.Errorf("the primary is called %s", cluster.Primaries()[0].Name)
	}

	third.Stop()
	testkit.WaitFor(t, "the primary has let go of it", func() bool {
		return !strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "port="+strconv.Itoa(third.Port)+",")
	})
	c.awaitAttached("orders", "a replica that went", func(cluster models.Cluster) bool { return len(cluster.Nodes) == 2 })

	// Who is the primary by now dies first: while it lives, a replica that died
	// is no part of the cluster any more for whoever looks in between.
	replica.Kill()
	primary.Kill()
	cluster = c.awaitAttached("orders", "that it is out of reach", func(cluster models.Cluster) bool { return cluster.Status == models.ClusterUnreachable })
	if cluster.Attachment.Since == nil || !strings.Contains(cluster.StatusReason, "Nothing listens") || len(cluster.Nodes) != 2 {
		t.Errorf("unreachable since %v with %d nodes: %s", cluster.Attachment.Since, len(cluster.Nodes), cluster.StatusReason)
	}
	if _, err := c.db.Snapshots.Request(t.Context(), "orders", "none", false, "admin"); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("a snapshot of it: %v", err)
	}
	primary.Restart() // as it was configured: not as a replica
	c.awaitAttached("orders", "that it is there again", func(cluster models.Cluster) bool {
		return cluster.Status == models.ClusterAvailable && cluster.Attachment.Since == nil
	})
	said := c.events()
	for _, message := range []string{"has joined orders", "orders-002 of orders is the primary now", "is no longer part of orders", "The cluster orders is unreachable", "The cluster orders answers again"} {
		if n := strings.Count(said, message); n == 0 {
			t.Errorf("no event says %q:\n%s", message, said)
		}
	}
}

func TestAClusterInClusterModeIsSnapshottedShardByShard(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	nodes := testkit.InClusterMode(t, 3, 3)
	keys := 0
	for i := range 3 {
		for k := range 300 {
			// Keys are written where their slots are: whoever refuses one is not its owner.
			if err := nodes[i].Client().Set(t.Context(), fmt.Sprintf("key:%d", k), k, 0).Err(); err == nil {
				keys++
			}
		}
	}
	if keys != 300 {
		t.Fatalf("%d keys of 300 were written", keys)
	}
	cluster := c.attach(attachSpec("orders", nodes[4].Addr))
	if len(cluster.Shards()) != 3 || cluster.ShardCount != 3 || cluster.Replicas != 1 || len(cluster.Nodes) != 6 {
		t.Fatalf("attached with %+v", cluster.Nodes)
	}
	snapshot := c.snapshot("orders", "whole")
	if snapshot.Status != models.SnapshotAvailable || len(snapshot.Parts) != 3 || snapshot.Keys != 300 {
		t.Fatalf("%s of %d keys with %d parts: %s", snapshot.Status, snapshot.Keys, len(snapshot.Parts), snapshot.StatusReason)
	}
	var slots []string
	for _, p := range snapshot.Parts {
		slots = append(slots, p.Slots)
		if p.ServedRole != models.RoleReplica {
			t.Errorf("part %d was served by the %s %s", p.Number, p.ServedRole, p.ServedBy)
		}
	}
	if want := []string{"0-5460", "5461-10921", "10922-16383"}; !slices.Equal(slots, want) {
		t.Errorf("slots %q, want %q", slots, want)
	}
	cost, _ := c.impactOf("whole")
	if len(cost.Parts) != 3 || cost.More != 0 {
		t.Fatalf("measured were %+v", cost)
	}
	for _, p := range cost.Parts {
		if len(p.Nodes) != 2 || p.Nodes[0].Role != models.RoleReplica || p.Nodes[1].Role != models.RolePrimary || !p.Served() {
			t.Errorf("shard %d: %+v", p.Shard, p)
		}
	}
}

// What another replica has after a FLUSHALL is not what was asked for.
func TestNobodyServesAfterAFlushInTheMiddle(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	snapshot := sourceFails(t, c, func(source, primary *testkit.Server, run func()) {
		reached, goOn := make(chan struct{}), make(chan struct{})
		st.mu.Lock()
		st.after, st.reached, st.goOn = 1<<20, reached, goOn
		st.mu.Unlock()
		run()
		<-reached
		must(t, primary.Client().FlushAll(t.Context()).Err())
		testkit.WaitFor(t, "the replica to delete it, too", func() bool {
			return strings.Contains(source.Client().Info(t.Context(), "commandstats").Val(), "cmdstat_flushall:")
		})
		close(goOn)
	})
	if snapshot.Status != models.SnapshotFailed || !strings.Contains(snapshot.StatusReason, "FLUSHALL") {
		t.Errorf("it is %s: %s", snapshot.Status, snapshot.StatusReason)
	}
	if left := c.stored(); len(left) != 0 {
		t.Errorf("it has left %v", left)
	}
}

// In cluster mode the other shards go on knowing a primary that is gone.
func TestAClusterWithoutOneOfItsPrimariesIsOutOfReach(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	nodes := testkit.InClusterMode(t, 3, 0)
	c.attach(attachSpec("orders", nodes[0].Addr))
	nodes[1].Kill()
	cluster := c.awaitAttached("orders", "that it is out of reach", func(cluster models.Cluster) bool { return cluster.Status == models.ClusterUnreachable })
	if !strings.Contains(cluster.StatusReason, "A primary does not answer: "+nodes[1].Addr) || cluster.Attachment.Since == nil || len(cluster.Nodes) != 3 {
		t.Errorf("since %v, with %d nodes: %s", cluster.Attachment.Since, len(cluster.Nodes), cluster.StatusReason)
	}
	if _, err := c.db.Snapshots.Request(t.Context(), "orders", "none", false, "test"); err == nil {
		t.Error("a snapshot without one of the shards is begun")
	}
	nodes[1].Restart()
	c.awaitAttached("orders", "that it is there again", func(cluster models.Cluster) bool { return cluster.Status == models.ClusterAvailable })
	if s := c.snapshot("orders", "whole"); s.Status != models.SnapshotAvailable || len(s.Parts) != 3 {
		t.Errorf("%s with %d parts: %s", s.Status, len(s.Parts), s.StatusReason)
	}
}

func TestASnapshotWaitsWhileSlotsAreOnTheirWay(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	nodes := testkit.InClusterMode(t, 3, 0)
	id := nodes[0].Client().Do(t.Context(), "CLUSTER", "MYID").Val()
	tell := func(args ...any) {
		t.Helper()
		if err := nodes[1].Client().Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", 5}, args...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	c.attach(attachSpec("orders", nodes[0].Addr))
	tell("IMPORTING", id)
	if _, err := c.db.Snapshots.Request(t.Context(), "orders", "waits", false, "test"); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	c.waitFor("the run says what it waits for", func() bool {
		runs, err := c.db.Runs.Active(t.Context())
		return err == nil && len(runs) == 1 && strings.Contains(runs[0].Stage, "until no slots are moving")
	}, c.events)
	tell("STABLE")
	if s := c.awaitSnapshot("waits"); s.Status != models.SnapshotAvailable || len(s.Parts) != 3 {
		t.Errorf("%s with %d parts: %s", s.Status, len(s.Parts), s.StatusReason)
	}
}

func TestAnAttachedClusterComesBackWithTheCatalog(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	open, closed := testkit.Redis(t), testkit.Redis(t, "--requirepass", "s3cret")
	c.attach(attachSpec("open", open.Addr))
	spec := attachSpec("closed", closed.Addr)
	spec.Password, spec.Retention = "s3cret", 5
	c.attach(spec)
	if s := c.snapshot("closed", "kept"); s.Status != models.SnapshotAvailable {
		t.Fatal(s.StatusReason)
	}
	c.restart("their records", func(a *archive.Archive) bool { return c.kept(a, "open", anyRecord) && c.kept(a, "closed", anyRecord) })
	a := archive.New(c.store)
	if r, err := a.Cluster(t.Context(), "closed"); err != nil || strings.Contains(fmt.Sprintf("%+v", r), "s3cret") || !slices.Equal(r.Attached.Addresses, []string{closed.Addr}) {
		t.Errorf("the record is %+v: %v", r, err)
	}

	c.stop()
	c.loseHost()
	c.start()
	c.rebuild()
	c.awaitAttached("open", "the one without a password is found again", func(cluster models.Cluster) bool {
		return cluster.Status == models.ClusterAvailable && len(cluster.Nodes) == 1 && cluster.Attached()
	})
	cluster := c.awaitAttached("closed", "the other one says what it lacks", func(cluster models.Cluster) bool {
		return cluster.Status == models.ClusterUnreachable && strings.Contains(cluster.StatusReason, "require a password")
	})
	if cluster.RetentionLimit != 5 || cluster.Lost() {
		t.Errorf("brought back as %+v", cluster)
	}
	if err := c.manager.ChangeAccess(t.Context(), "closed", cluster.Attachment.Access, "s3cret", "admin"); err != nil {
		t.Fatal(err)
	}
	if s := c.snapshot("closed", "after"); s.Status != models.SnapshotAvailable {
		t.Error(s.StatusReason)
	}
	if s, err := c.db.Snapshots.Get(t.Context(), "kept"); err != nil || s.ClusterID != cluster.ID {
		t.Errorf("its snapshot belongs to %d: %v", s.ClusterID, err)
	}
}

// sourceFails attaches a cluster with two replicas, lets the one that serves fail, and returns the snapshot.
func sourceFails(t *testing.T, c *console, fail func(source, primary *testkit.Server, run func())) models.Snapshot {
	t.Helper()
	return sourceOfFails(t, c, 24, attachSpec("orders"), fail)
}

// sourceOfFails is sourceFails for a cluster that is attached in another way, with so much data.
func sourceOfFails(t *testing.T, c *console, megabytes int, spec models.AttachSpec, fail func(source, primary *testkit.Server, run func())) models.Snapshot {
	t.Helper()
	primary := testkit.Redis(t)
	replicas := map[string]*testkit.Server{}
	for range 2 {
		r := replicaOf(t, primary)
		replicas[r.Addr] = r
	}
	fillBig(t, primary.Client(), megabytes)
	spec.Addresses = models.Lines{primary.Addr}
	cluster := c.attach(spec)
	source, err := c.manager.SnapshotSource(t.Context(), cluster)
	must(t, err)
	node := replicas[source.Node.Address()]
	if node == nil {
		t.Fatalf("the source is %s", source.Node.Name)
	}
	fail(node, primary, func() {
		_, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test")
		must(t, err)
		c.manager.Wake()
	})
	snapshot := c.awaitSnapshot("s1")
	if snapshot.Status == models.SnapshotAvailable && (snapshot.Parts[0].ServedBy == source.Node.Name || snapshot.Parts[0].ServedRole != models.RoleReplica) {
		t.Errorf("it was served by the %s %s", snapshot.Parts[0].ServedRole, snapshot.Parts[0].ServedBy)
	}
	return snapshot
}

func TestAnotherReplicaServesInThePlaceOfOneThatFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(t *testing.T, source *testkit.Server){
		"it refuses": func(t *testing.T, source *testkit.Server) {
			must(t, source.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-psync").Err())
		},
		"it dies": func(_ *testing.T, source *testkit.Server) { source.Kill() },
		"it lets go": func(t *testing.T, source *testkit.Server) {
			must(t, source.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newTroubled(t)
			snapshot := sourceFails(t, c, func(source, _ *testkit.Server, run func()) {
				if name == "it refuses" { // before it begins
					fails(t, source)
					run()
					return
				}
				reached, goOn := make(chan struct{}), make(chan struct{})
				st.mu.Lock()
				st.after, st.reached, st.goOn = 1<<20, reached, goOn
				st.mu.Unlock()
				run()
				<-reached // in the middle of its transfer
				fails(t, source)
				close(goOn)
			})
			if snapshot.Status != models.SnapshotAvailable {
				t.Errorf("it is %s: %s", snapshot.Status, snapshot.StatusReason)
			}
			if cost, _ := c.impactOf("s1"); len(cost.Parts) != 2 || cost.Parts[0].Nodes[0].Name == snapshot.Parts[0].ServedBy || cost.Parts[1].Nodes[0].Name != snapshot.Parts[0].ServedBy {
				t.Errorf("what both cost is not kept: %+v", cost)
			} else if name == "it dies" && cost.Parts[0].Nodes[0].Note == "" {
				t.Error("nothing is said about the one that died")
			}
			if left := len(c.storedNow()); left != 2 {
				t.Errorf("%d files in the store: %v", left, c.storedNow())
			}
		})
	}
}
