package jobs_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/restore"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/internal/words"
	"rekindle/jobs"
	"rekindle/models"
)

// fill restores a snapshot into a cluster that exists, and returns how that has ended.
func (c *console) fill(spec models.FillSpec) models.Run {
	c.t.Helper()
	spec.RequestedBy = "admin"
	run := c.must(c.db.Fills.Request(c.t.Context(), spec))
	return c.awaitRun(run)
}

// filledWell fails the test when a restore has not succeeded, or has not let go of cluster and snapshot.
func (c *console) filledWell(spec models.FillSpec) models.Run {
	c.t.Helper()
	run := c.fill(spec)
	if run.Status != models.RunSucceeded {
		c.t.Fatalf("restore into %s: %s %s\n%s", spec.Cluster, run.Status, run.Error, c.events())
	}
	c.letGo(spec)
	return run
}

func (c *console) letGo(spec models.FillSpec) models.Cluster {
	c.t.Helper()
	cluster, err := c.db.Clusters.Get(c.t.Context(), spec.Cluster)
	if err != nil || cluster.Status != models.ClusterAvailable || c.status(spec.Snapshot) != models.SnapshotAvailable {
		c.t.Errorf("the cluster is %s, the snapshot %s (%v)", cluster.Status, c.status(spec.Snapshot), err)
	}
	return cluster
}

func TestASnapshotIsRestoredIntoTheClusterThatLostItsData(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	keys := testkit.Fill(t, primary.Client(), 2000)
	want := testkit.Digests(t, primary.Client())
	c.attach(attachSpec("orders", primary.Addr))
	c.snapshot("orders", "good")
	config := primary.Client().ConfigGet(t.Context(), "*").Val()
	if err := primary.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	run := c.filledWell(models.FillSpec{Snapshot: "good", Cluster: "orders", Existing: models.ExistingNone})
	if diff := testkit.Diff(want, testkit.Digests(t, primary.Client())); diff != "" {
		t.Error(diff)
	}
	if diff := testkit.Diff(want, testkit.Digests(t, replica.Client())); diff != "" {
		t.Errorf("the replica does not have it: %s", diff)
	}
	if told := "The snapshot good was restored into orders: " + words.Plural(int64(keys), "key") + " written."; !strings.Contains(c.events(), told) || strings.Contains(c.events(), "did not have all of it") {
		t.Errorf("not said: %s\n%s", told, c.events())
	}
	c.waitFor("the run's last figures", func() bool { // which come behind its end
		now, err := c.db.Runs.Get(t.Context(), run.ID)
		return err == nil && now.KeysDone == int64(keys) && now.BytesDone == now.BytesTotal
	}, c.events)
	if !equal(config, primary.Client().ConfigGet(t.Context(), "*").Val()) {
		t.Error("its configuration has changed")
	}
}

func TestARestoreSaysWhichReplicasDoNotHaveIt(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.wait = time.Second })
	primary := testkit.Redis(t)
	good, frozen := replicaOf(t, primary), replicaOf(t, primary)
	testkit.Fill(t, primary.Client(), 100)
	want := testkit.Digests(t, primary.Client())
	c.attach(attachSpec("orders", primary.Addr))
	cluster := c.await("orders", models.ClusterAvailable)
	c.snapshot("orders", "good")
	name := ""
	for _, node := range cluster.Nodes {
		if node.Address() == frozen.Addr {
			name = node.Name
		}
	}
	must(t, primary.Client().FlushAll(t.Context()).Err())
	frozen.Signal(syscall.SIGSTOP) // its primary goes on knowing it
	defer frozen.Signal(syscall.SIGCONT)
	c.filledWell(models.FillSpec{Snapshot: "good", Cluster: "orders", Existing: models.ExistingNone})
	if says := "written. The replica " + name + " did not have all of it 1 second later: until it does, a failover to it would lose keys."; name == "" || !strings.Contains(c.events(), says) {
		t.Errorf("not said: %s\n%s", says, c.events())
	}
	for _, node := range []*testkit.Server{primary, good} {
		if diff := testkit.Diff(want, testkit.Digests(t, node.Client())); diff != "" {
			t.Errorf("%s has other data:\n%s", node.Addr, diff)
		}
	}
}

func TestWhatBecomesOfKeysThatExistIsChosen(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := testkit.Redis(t)
	source.Client().MSet(t.Context(), "both", "new", "fresh", "new")
	c.attach(attachSpec("source", source.Addr))
	c.snapshot("source", "good")
	for name, test := range map[string]struct {
		existing          models.Existing
		safety            bool
		both, fresh, mine string
		says              string
	}{
		"none":    {models.ExistingNone, false, "old", "", "old", "The cluster none holds 2 keys. Nothing was written: choose what becomes of them."},
		"keep":    {models.ExistingKeep, false, "old", "new", "old", "1 key written, 1 kept as they were."},
		"replace": {models.ExistingReplace, true, "new", "new", "old", "2 keys written."},
		"flush":   {models.ExistingFlush, true, "new", "new", "", "2 keys written."},
	} {
		target := testkit.Redis(t)
		target.Client().MSet(t.Context(), "both", "old", "mine", "old")
		c.attach(attachSpec(name, target.Addr))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := models.FillSpec{Snapshot: "good", Cluster: name, Existing: test.existing}
			if test.safety {
				spec.Safety = "before-" + name
			}
			run := c.fill(spec)
			if failed := test.existing == models.ExistingNone; failed != (run.Status == models.RunFailed) || failed && run.Error != test.says {
				t.Fatalf("%s %s", run.Status, run.Error)
			}
			for key, want := range map[string]string{"both": test.both, "fresh": test.fresh, "mine": test.mine} {
				if got := target.Client().Get(t.Context(), key).Val(); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if !strings.Contains(c.events(), test.says) {
				t.Errorf("not said: %s\n%s", test.says, c.events())
			}
			cluster, err := c.db.Clusters.Get(t.Context(), name)
			if err != nil || cluster.Status != models.ClusterAvailable {
				t.Errorf("the cluster is %s (%v)", cluster.Status, err)
			}
			if !test.safety {
				return
			}
			before, err := c.db.Snapshots.Get(t.Context(), spec.Safety)
			if err != nil || before.Status != models.SnapshotAvailable || before.Source != models.SourceManual || before.Keys != 2 {
				t.Errorf("the snapshot before: %+v (%v)", before, err)
			}
		})
	}
}

func TestDeadlinesAreKeptOrDroppedAsChosen(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := testkit.Redis(t)
	source.Client().Set(t.Context(), "session", 1, 1200*time.Millisecond)
	c.attach(attachSpec("orders", source.Addr))
	c.snapshot("orders", "good")
	testkit.WaitFor(t, "the session is over", func() bool { return source.Client().Exists(t.Context(), "session").Val() == 0 })
	source.Client().FlushAll(t.Context())

	spec := models.FillSpec{Snapshot: "good", Cluster: "orders", Existing: models.ExistingNone, Deadlines: models.DeadlinesKept}
	c.filledWell(spec)
	if n := source.Client().Exists(t.Context(), "session").Val(); n != 0 || !strings.Contains(c.events(), "1 key written. 1 of them had expired since the snapshot.") {
		t.Errorf("%d sessions\n%s", n, c.events())
	}
	spec.Deadlines = models.DeadlinesDropped
	c.filledWell(spec)
	if ttl := source.Client().TTL(t.Context(), "session").Val(); ttl != -1 {
		t.Errorf("the session ends in %v", ttl)
	}
}

func TestWhatEndsInTheMiddleSaysWhatTheClusterHolds(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("restore a key: %w", restore.ErrFull)
	for name, test := range map[string]struct {
		counts   restore.Counts
		existing models.Existing
		want     string
	}{
		"some written":    {restore.Counts{Written: 1234}, models.ExistingFlush, "A primary has no memory left. Raise its maxmemory, then try again. 1,234 keys had been written by then, and they stay. To get all of it, restore it again"},
		"nothing written": {restore.Counts{}, models.ExistingReplace, "A primary has no memory left. Raise its maxmemory, then try again."},
		"deleted":         {restore.Counts{}, models.ExistingFlush, "then try again. The keys that it had are deleted."},
	} {
		err := jobs.HalfWritten(full, test.counts, test.existing)
		if text := jobs.Sentence(err); !strings.Contains(text, test.want) || !errors.Is(err, restore.ErrFull) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestWithoutTheSnapshotBeforeItNothingIsWritten(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source, target := testkit.Redis(t), testkit.Redis(t)
	source.Client().Set(t.Context(), "key", "new", 0)
	target.Client().Set(t.Context(), "key", "old", 0)
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	c.snapshot("source", "good")
	if err := target.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-psync").Err(); err != nil {
		t.Fatal(err)
	}
	spec := models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingFlush, Safety: "before"}
	run := c.fill(spec)
	if run.Status != models.RunFailed || run.Error != "The snapshot before of target, which was to be taken first, failed. Nothing was written." {
		t.Errorf("%s %s", run.Status, run.Error)
	}
	if got := target.Client().Get(t.Context(), "key").Val(); got != "old" {
		t.Errorf("the key is %q", got)
	}
	c.letGo(spec)
}

func TestASnapshotIsRestoredIntoAnyNumberOfShards(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	three, five, one := testkit.InClusterMode(t, 3, 0), testkit.InClusterMode(t, 5, 0), []*testkit.Server{testkit.Redis(t)}
	for _, s := range three {
		s.Client().FunctionLoad(t.Context(), "#!lua name=one\nredis.register_function('f', function() return 1 end)")
	}
	for i := range 600 {
		client, key := three[0].Client(), "key:"+strconv.Itoa(i)
		slot := int(client.ClusterKeySlot(t.Context(), key).Val())
		at := three[slot*3/16384].Client()
		at.Set(t.Context(), key, i, time.Duration(i%2)*time.Hour)
		at.HSet(t.Context(), "{"+key+"}:hash", "field", i)
	}
	all := func(servers []*testkit.Server) map[string]string {
		digests := map[string]string{}
		for _, s := range servers {
			maps.Copy(digests, testkit.Digests(t, s.Client()))
		}
		return digests
	}
	want := all(three)
	if len(want) < 1200 {
		t.Fatalf("filled with %d keys", len(want))
	}
	for name, servers := range map[string][]*testkit.Server{"three": three, "five": five, "one": one} {
		c.attach(attachSpec(name, servers[0].Addr))
	}
	for _, way := range []struct {
		from, to string
		into     []*testkit.Server
		existing models.Existing
	}{{"three", "five", five, models.ExistingNone}, {"five", "one", one, models.ExistingNone}, {"one", "three", three, models.ExistingFlush}} {
		c.snapshot(way.from, "of-"+way.from)
		c.filledWell(models.FillSpec{Snapshot: "of-" + way.from, Cluster: way.to, Existing: way.existing})
		if diff := testkit.Diff(want, all(way.into)); diff != "" {
			t.Errorf("from %s into %s: %s", way.from, way.to, diff)
		}
	}

	// A new cluster of one shard takes them all.
	spec := c.spec("launched", 1)
	spec.Snapshot = "of-five"
	launched := c.create(spec)[0]
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(launched))); diff != "" {
		t.Errorf("from five into a new cluster: %s", diff)
	}
	if !strings.Contains(c.events(), "The cluster launched was restored from of-five: 1,200 keys.") {
		t.Error(c.events())
	}
}

func TestARestoreIntoAClusterIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := testkit.Redis(t)
	pipe := source.Client().Pipeline()
	for i := range 2000 {
		pipe.Set(t.Context(), "key:"+strconv.Itoa(i), strings.Repeat("x", 1000), 0)
	}
	pipe.Do(t.Context(), "SELECT", 3)
	pipe.Set(t.Context(), "elsewhere", 1, 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.attach(attachSpec("source", source.Addr))
	c.snapshot("source", "good")
	for name, test := range map[string]struct {
		target []*testkit.Server
		says   string
	}{
		"sharded": {testkit.InClusterMode(t, 2, 0), "The snapshot has keys in databases up to number 3, and sharded is in cluster mode, which has only database 0."},
		"few":     {[]*testkit.Server{testkit.Redis(t, "--databases", "2")}, "The primary few-001 cannot take the snapshot. The snapshot has keys in more databases than it has."},
		"small":   {[]*testkit.Server{testkit.Redis(t, "--maxmemory", "2500000")}, "it would refuse to take all of it. Nothing was written. Raise maxmemory, then try again."},
		"evicts":  {[]*testkit.Server{testkit.Redis(t, "--maxmemory", "2500000", "--maxmemory-policy", "allkeys-lru")}, "it would evict keys to take it. Nothing was written."},
	} {
		c.attach(attachSpec(name, test.target[0].Addr))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := c.fill(models.FillSpec{Snapshot: "good", Cluster: name, Existing: models.ExistingNone})
			if run.Status != models.RunFailed || !strings.Contains(run.Error, test.says) {
				t.Errorf("%s %s", run.Status, run.Error)
			}
			for _, s := range test.target {
				if n := s.Client().Info(t.Context(), "keyspace").Val(); strings.Contains(n, "keys=") {
					t.Errorf("something was written: %s", n)
				}
			}
		})
	}
}

func TestADamagedSnapshotCostsTheClusterNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source, target := testkit.Redis(t), testkit.Redis(t)
	testkit.Fill(t, source.Client(), 500)
	target.Client().Set(t.Context(), "mine", "old", 0)
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	snapshot := c.snapshot("source", "good")
	part := c.file("source", "good", snapshot.Parts[0].Object)
	stored, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	stored[len(stored)/2] ^= 1
	if err := os.WriteFile(part, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	run := c.fill(models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingFlush})
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "the snapshot is damaged and must not be used") {
		t.Errorf("%s %s", run.Status, run.Error)
	}
	if n := target.Client().DBSize(t.Context()).Val(); n != 1 {
		t.Errorf("the cluster has %d keys", n)
	}
	c.waitFor("the damage is noted", func() bool {
		s, err := c.db.Snapshots.Get(t.Context(), "good")
		return err == nil && s.Damaged()
	}, c.events)
}

func TestARestoreIntoAClusterThatIsCutOffSaysWhatIsWritten(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(t *testing.T, c *console, target *testkit.Server, run models.Run)
		want models.RunStatus
		says string
	}{
		"cancelled": {func(t *testing.T, c *console, _ *testkit.Server, run models.Run) {
			if err := c.db.Runs.Cancel(t.Context(), run.ID); err != nil {
				t.Fatal(err)
			}
			c.manager.Wake()
		}, models.RunCancelled, "cancelled"},
		"stopped": {func(_ *testing.T, c *console, _ *testkit.Server, _ models.Run) {
			c.stop()
			c.start()
		}, models.RunFailed, "Rekindle was stopped in the middle of it"},
		"node killed": {func(_ *testing.T, _ *console, target *testkit.Server, _ models.Run) {
			target.Kill()
		}, models.RunFailed, "A node closed the connection, or stopped answering, while the keys were being written."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			source, target := testkit.Redis(t), testkit.Redis(t)
			testkit.Fill(t, source.Client(), 500)
			c.attach(attachSpec("source", source.Addr))
			c.attach(attachSpec("target", target.Addr))
			c.snapshot("source", "good")
			if err := target.Client().Do(t.Context(), "CLIENT", "PAUSE", 600000, "WRITE").Err(); err != nil {
				t.Fatal(err)
			}
			spec := models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingNone, RequestedBy: "admin"}
			run := c.must(c.db.Fills.Request(t.Context(), spec))
			c.manager.Wake()
			c.waitFor("keys on their way", func() bool {
				now, err := c.db.Runs.Get(t.Context(), run.ID)
				return err == nil && strings.HasPrefix(now.Stage, "Writing into")
			}, c.events)
			if _, err := c.db.Fills.Request(t.Context(), spec); err == nil {
				t.Error("a second one can be asked for meanwhile")
			}
			test.end(t, c, target, run)
			if run = c.awaitRun(run); run.Status != test.want || !strings.Contains(run.Error, test.says) {
				t.Errorf("%s %s", run.Status, run.Error)
			}
			if c.status("good") != models.SnapshotAvailable {
				t.Errorf("the snapshot is %s", c.status("good"))
			}
			c.awaitAttached("target", "the cluster to be let go", func(cluster models.Cluster) bool {
				return cluster.Status == models.ClusterAvailable || name == "node killed" && cluster.Status == models.ClusterUnreachable
			})
		})
	}
}

func TestAStoreThatIsAwayCostsTheClusterNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	real, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	st := &distant{Store: real}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	source, target := testkit.Redis(t), testkit.Redis(t)
	source.Client().Set(t.Context(), "key", "new", 0)
	target.Client().Set(t.Context(), "key", "old", 0)
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	c.snapshot("source", "good")
	st.mu.Lock()
	st.away = make(chan struct{})
	close(st.away) // so that it fails at once
	st.mu.Unlock()
	spec := models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingFlush}
	run := c.fill(spec)
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "The snapshot store does not answer.") {
		t.Errorf("%s %s", run.Status, run.Error)
	}
	if got := target.Client().Get(t.Context(), "key").Val(); got != "old" {
		t.Errorf("the key is %q", got)
	}
	c.letGo(spec)
}

func TestWhatIsDeletedFirstMakesRoomBeforeTheRestoreBegins(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	fill := func(s *testkit.Server, prefix string, n int) {
		t.Helper()
		pipe := s.Client().Pipeline()
		for i := range n {
			pipe.Set(t.Context(), prefix+strconv.Itoa(i), strings.Repeat("x", 1000), 0)
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	source, target := testkit.Redis(t), testkit.Redis(t, "--maxmemory", "32mb", "--maxmemory-policy", "allkeys-lru")
	fill(source, "new:", 15000)
	fill(target, "old:", 18000)
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	c.snapshot("source", "good")
	c.filledWell(models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingFlush})
	if n := target.Client().DBSize(t.Context()).Val(); n != 15000 || strings.Contains(c.events(), "evicted") {
		t.Errorf("%d keys\n%s", n, c.events())
	}
}

func TestARestoreIntoAClusterIsNotBegunAgainAfterAKill(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source, target := testkit.Redis(t), testkit.Redis(t)
	source.Client().Set(t.Context(), "key", "new", 0)
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	c.snapshot("source", "good")
	c.stop()
	spec := models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingReplace}
	run := c.must(c.db.Fills.Request(t.Context(), spec))
	if _, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(r models.Run) bool { return r.ID == run.ID }); err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	c.start()
	if run = c.awaitRun(run); run.Status != models.RunFailed || !strings.Contains(run.Error, "some of the keys may have been written") {
		t.Errorf("%s %s", run.Status, run.Error)
	}
	if n := target.Client().DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
	c.letGo(spec)
}
