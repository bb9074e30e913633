package jobs_test

import (
	"crypto/rand"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/slots"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func keysNamed(names ...string) models.KeyChoice {
	choice := models.KeyChoice{Database: -1}
	for _, name := range names {
		choice.Names = append(choice.Names, []byte(name))
	}
	return choice
}

// bring brings keys back, and returns how that has ended.
func (c *console) bring(spec models.BringBackSpec) (models.Run, models.Brought) {
	c.t.Helper()
	spec.RequestedBy = "admin"
	run := c.awaitRun(c.must(c.db.BringBacks.Request(c.t.Context(), spec)))
	_, outcome, _, err := c.db.BringBacks.Of(c.t.Context(), run)
	must(c.t, err)
	return run, outcome
}

// brought fails the test when keys were not brought back, or the cluster or the snapshot is still held.
func (c *console) brought(spec models.BringBackSpec) models.Brought {
	c.t.Helper()
	run, outcome := c.bring(spec)
	if run.Status != models.RunSucceeded {
		c.t.Fatalf("keys into %s: %s %s\n%s", spec.Cluster, run.Status, run.Error, c.events())
	}
	c.letGo(models.FillSpec{Snapshot: spec.Snapshot, Cluster: spec.Cluster})
	return outcome
}

func TestADeletedHashComesBackIntoALaunchedClusterOfShards(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.inClusterMode("orders", 3, 0))[0]
	c.fillShards(cluster)
	c.snapshot("orders", "good")
	app := c.clusterClient(cluster)
	for _, name := range []string{"order:1", "order:4"} {
		must(t, app.Del(t.Context(), name).Err())
	}
	must(t, app.HSet(t.Context(), "order:7", "state", "lost").Err())
	must(t, app.Set(t.Context(), "order:new", "1", 0).Err())
	before := c.digests(cluster)

	spec := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: keysNamed("order:1", "order:7", "order:none"), Rehearse: true}
	if got := c.brought(spec); got.Chosen != 2 || got.Added != 1 || got.Skipped != 1 || got.Alike != 0 || got.Missing != 1 || len(got.Keys) != 2 {
		t.Errorf("rehearsed %+v", got)
	}
	if diff := testkit.Diff(before, c.digests(cluster)); diff != "" || strings.Contains(c.events(), "brought back") {
		t.Fatalf("the rehearsal has left something: %s\n%s", diff, c.events())
	}
	spec.Rehearse = false
	if got := c.brought(spec); got.Added != 1 || got.Skipped != 1 {
		t.Errorf("brought %+v", got)
	}
	after := c.digests(cluster)
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasSuffix(name, "order:1") })
	if diff := testkit.Diff(before, after); diff != "" || len(after) != len(before) {
		t.Errorf("something else was touched: %s", diff)
	}
	if total := app.HGet(t.Context(), "order:1", "total").Val(); total != "1" {
		t.Errorf("the hash that was deleted has the total %q", total)
	}
	for _, says := range []string{"Keys of the snapshot good were brought back into orders: 1 new, 1 skipped because the cluster has them.", "does not have 1 of those", `Written: "order:1".`} {
		if !strings.Contains(c.events(), says) {
			t.Errorf("not said: %s\n%s", says, c.events())
		}
	}
	must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	spec.Replace = true
	spec.Choice = models.KeyChoice{Pattern: []byte("order:[47]"), Database: 0}
	if got := c.brought(spec); got.Added != 1 || got.Replaced != 1 {
		t.Errorf("brought %+v", got)
	}
	if state := app.HGet(t.Context(), "order:7", "state").Val(); state != "sent" || strings.Contains(c.events(), `"order:4"`) {
		t.Errorf("the hash that was changed has the state %q, and events are\n%s", state, c.events())
	}
}

func TestKeysComeBackIntoAnAttachedClusterWithFewRights(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t)
	admin := server.Client()
	must(t, admin.FlushAll(t.Context()).Err())
	must(t, admin.Set(t.Context(), "mortal", "1", time.Hour).Err())
	must(t, admin.HSet(t.Context(), "hash", "a", "1").Err())
	rights := []any{"ACL", "SETUSER", "backup", "on", ">secret", "~*", "+psync", "+replconf", "+info", "+ping", "+client|setname", "+config|get", "+command"}
	must(t, admin.Do(t.Context(), rights...).Err())
	attach := attachSpec("orders", server.Addr)
	attach.Access.Username, attach.Password = "backup", secret.Text("secret")
	c.attach(attach)
	c.snapshot("orders", "good")
	must(t, admin.Del(t.Context(), "hash", "mortal").Err())

	spec := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: models.KeyChoice{Pattern: []byte("*"), Database: -1, Prefix: []byte("restored:")}, Deadlines: models.DeadlinesDropped}
	if run, _ := c.bring(spec); run.Status != models.RunFailed || !strings.Contains(run.Error, "it needs +restore") {
		t.Errorf("without the right: %s %s", run.Status, run.Error)
	}
	must(t, admin.Do(t.Context(), "ACL", "SETUSER", "backup", "+restore").Err())
	spec.Rehearse = true
	if run, _ := c.bring(spec); run.Status != models.RunFailed || !strings.Contains(run.Error, "it needs +dump") {
		t.Errorf("a rehearsal without the right: %s %s", run.Status, run.Error)
	}
	spec.Rehearse, spec.Safety = false, "before"
	if got := c.brought(spec); got.Added != 2 {
		t.Errorf("brought %+v", got)
	}
	if ttl, n := admin.TTL(t.Context(), "restored:mortal").Val(), admin.DBSize(t.Context()).Val(); ttl != -1 || n != 2 || c.status("before") != models.SnapshotAvailable {
		t.Errorf("it has %v left, there are %d keys, the snapshot before is %s", ttl, n, c.status("before"))
	}
}

func TestBringingBackRefusesBeforeItWrites(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source, target := testkit.Redis(t), testkit.Redis(t, "--databases", "2")
	incompressible := make([]byte, 2<<20)
	_, _ = rand.Read(incompressible)
	must(t, source.Client().FlushAll(t.Context()).Err())
	must(t, source.Client().Set(t.Context(), "large", incompressible, 0).Err())
	three := source.Client().Conn()
	defer three.Close()
	must(t, three.Select(t.Context(), 3).Err())
	must(t, three.Set(t.Context(), "far", "1", 0).Err())
	c.attach(attachSpec("source", source.Addr))
	c.attach(attachSpec("target", target.Addr))
	c.snapshot("source", "good")
	must(t, target.Client().ConfigSet(t.Context(), "maxmemory", "2mb").Err())
	for says, choice := range map[string]models.KeyChoice{
		"The snapshot good has none of these keys.": keysNamed("none"),
		"databases that it does not have":           keysNamed("far"),
		"it would refuse to take all of them":       keysNamed("large"),
		"Not all of the keys begin with":            {Pattern: []byte("l*"), Database: -1, Strip: []byte("x")},
	} {
		run, _ := c.bring(models.BringBackSpec{Snapshot: "good", Cluster: "target", Choice: choice})
		if run.Status != models.RunFailed || !strings.Contains(run.Error, says) {
			t.Errorf("not said: %s, but %s %s", says, run.Status, run.Error)
		}
	}
	if n := target.Client().DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the cluster has %d keys", n)
	}
}

func TestBringingBackThatIsCutOffSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(t *testing.T, c *console, target *testkit.Server, run models.Run)
		want models.RunStatus
		says string
	}{
		"cancelled": {func(t *testing.T, c *console, _ *testkit.Server, run models.Run) {
			must(t, c.db.Runs.Cancel(t.Context(), run.ID))
			c.manager.Wake()
		}, models.RunCancelled, "more it is not known, because they were sent and not answered. Bring them back again to get the rest."},
		"stopped": {func(_ *testing.T, c *console, _ *testkit.Server, _ models.Run) {
			c.stop()
			c.start()
		}, models.RunFailed, "of 200,000 had been written by then, and they stay"},
		"node killed": {func(_ *testing.T, _ *console, target *testkit.Server, _ models.Run) {
			target.Kill()
		}, models.RunFailed, "A node closed the connection, or stopped answering, while the keys were being written."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			source, target := testkit.Redis(t), testkit.Redis(t)
			must(t, target.Client().FlushAll(t.Context()).Err())
			populate(t, source.Client(), 200_000)
			c.attach(attachSpec("source", source.Addr))
			c.attach(attachSpec("target", target.Addr))
			c.snapshot("source", "good")
			spec := models.BringBackSpec{Snapshot: "good", Cluster: "target", Choice: models.KeyChoice{Pattern: []byte("key:*"), Database: -1}, RequestedBy: "admin"}
			run := c.must(c.db.BringBacks.Request(t.Context(), spec))
			c.manager.Wake()
			c.waitFor("the first keys", func() bool { return target.Client().DBSize(t.Context()).Val() > 5000 }, c.events)
			must(t, target.Client().Do(t.Context(), "CLIENT", "PAUSE", 600_000, "WRITE").Err()) // so that the rest is still to come
			c.waitFor("keys on their way", func() bool {
				now, err := c.db.Runs.Get(t.Context(), run.ID)
				return err == nil && now.KeysDone > 0
			}, c.events)
			test.end(t, c, target, run)
			if run = c.awaitRun(run); run.Status != test.want || !strings.Contains(run.Error, test.says) {
				t.Errorf("%s %s", run.Status, run.Error)
			}
			if _, outcome, known, err := c.db.BringBacks.Of(t.Context(), run); err != nil || !known || outcome.Added == 0 || outcome.Chosen != 200_000 {
				t.Errorf("it is written down as %+v, %v, %v", outcome.Added, known, err)
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

func TestBringingBackIsNotBegunAgainAfterAKillUnlessRehearsed(t *testing.T) {
	t.Parallel()
	for _, rehearse := range []bool{true, false} {
		c := newConsole(t, clockwork.NewRealClock())
		source := testkit.Redis(t)
		must(t, source.Client().FlushAll(t.Context()).Err())
		must(t, source.Client().Set(t.Context(), "key", "new", 0).Err())
		c.attach(attachSpec("orders", source.Addr))
		c.snapshot("orders", "good")
		must(t, source.Client().Del(t.Context(), "key").Err())
		c.stop()
		spec := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: keysNamed("key"), Rehearse: rehearse}
		run := c.must(c.db.BringBacks.Request(t.Context(), spec))
		claimed, is, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(r models.Run) bool { return r.ID == run.ID })
		if err != nil || !is {
			t.Fatal(is, err)
		}
		must(t, c.db.Runs.ReportProgress(t.Context(), claimed, models.Progress{KeysDone: 3, KeysTotal: 9}))
		c.start()
		run = c.awaitRun(run)
		if rehearse && run.Status != models.RunSucceeded || !rehearse && (run.Status != models.RunFailed || !strings.Contains(run.Error, "at least 3 keys had been seen to by then, of 9 keys.")) {
			t.Errorf("rehearsed %v: %s %s", rehearse, run.Status, run.Error)
		}
		if n := source.Client().DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("%d keys were written", n)
		}
		c.letGo(models.FillSpec{Snapshot: "good", Cluster: "orders"})
	}
}

// Only parts that may have the keys are read: a damaged one elsewhere is in nobody's way, and one that has to be read stops everything.
func TestOnlyPartsThatMayHaveTheKeysAreRead(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.inClusterMode("orders", 3, 0))[0]
	c.fillShards(cluster)
	c.snapshot("orders", "good")
	app := c.clusterClient(cluster)
	must(t, app.Del(t.Context(), "order:1").Err())
	slot := int(app.ClusterKeySlot(t.Context(), "order:1").Val())
	snapshot, err := c.db.Snapshots.Get(t.Context(), "good")
	must(t, err)
	for _, part := range snapshot.Parts {
		where, err := slots.NewMap([]string{part.Slots})
		must(t, err)
		if where.Find(slot) < 0 {
			flip(t, filepath.Join(c.data, "snapshots", "orders", "good", part.Object))
		}
	}
	spec := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: keysNamed("order:1"), Rehearse: true}
	if got := c.brought(spec); got.Added != 1 {
		t.Errorf("rehearsed %+v", got)
	}
	spec.Rehearse = false
	if got := c.brought(spec); got.Added != 1 || app.HGet(t.Context(), "order:1", "total").Val() != "1" {
		t.Errorf("brought %+v", got)
	}
	must(t, app.Del(t.Context(), "order:1").Err())
	spec.Choice = models.KeyChoice{Pattern: []byte("order:*"), Database: -1}
	if run, _ := c.bring(spec); run.Status != models.RunFailed || app.Exists(t.Context(), "order:1").Val() != 0 {
		t.Errorf("%s %s", run.Status, run.Error)
	}
}

// What the cluster has already takes no more of its memory, so keys come back into one that is nearly full.
func TestKeysThatTheClusterHasTakeNoMoreOfItsMemory(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t)
	client := server.Client()
	must(t, client.FlushAll(t.Context()).Err())
	must(t, client.Do(t.Context(), "DEBUG", "POPULATE", 20_000, "key", 200).Err())
	c.attach(attachSpec("orders", server.Addr))
	c.snapshot("orders", "good")
	must(t, client.Del(t.Context(), "key:1", "key:2").Err())
	used := resp.ParseInfo(client.Info(t.Context(), "memory").Val()).Int("used_memory")
	must(t, client.ConfigSet(t.Context(), "maxmemory", strconv.FormatInt(used+2<<20, 10)).Err())
	spec := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: models.KeyChoice{Pattern: []byte("key:*"), Database: -1}}
	for _, replace := range []bool{false, true} {
		must(t, client.Del(t.Context(), "key:1", "key:2").Err())
		spec.Replace = replace
		if got := c.brought(spec); got.Added != 2 {
			t.Errorf("brought %+v", got)
		}
	}
	spec.Choice.Prefix = []byte("beside:")
	if run, _ := c.bring(spec); run.Status != models.RunFailed || !strings.Contains(run.Error, "of memory at the primary") || client.DBSize(t.Context()).Val() != 20_000 {
		t.Errorf("%s %s", run.Status, run.Error)
	}
}

// populate leaves a server with just so many keys, a multiple of 10,000.
func populate(t *testing.T, client *redis.Client, keys int) {
	t.Helper()
	must(t, client.FlushAll(t.Context()).Err())
	for from := 0; from < keys; from += 10_000 {
		must(t, client.Eval(t.Context(), "for i = ARGV[1], ARGV[1] + 9999 do redis.call('SET', string.format('key:%d', i), i) end return 1", nil, from).Err())
	}
}

// A primary that dies in the middle is replaced by its replica. The run says how far it came and that the replica may lack the last ones; done again it
// brings what is missing.
func TestKeysThatComeBackWhileAPrimaryIsReplaced(t *testing.T) {
	t.Parallel()
	const keys, shards = 160_000, 2
	c := newConsole(t, clockwork.NewRealClock())
	source := testkit.Redis(t)
	populate(t, source.Client(), keys)
	c.attach(attachSpec("source", source.Addr))
	c.snapshot("source", "good")
	c.create(c.inClusterMode("orders", shards, 1))
	cluster := c.inStep("orders", shards, 1)
	first := cluster.Primaries()[0]
	client := c.client(cluster, first)
	server := resp.ParseInfo(client.Info(t.Context(), "server").Val())
	bring := models.BringBackSpec{Snapshot: "good", Cluster: "orders", Choice: models.KeyChoice{Pattern: []byte("key:*"), Database: -1}, RequestedBy: "admin"}
	run := c.must(c.db.BringBacks.Request(t.Context(), bring))
	c.manager.Wake()
	c.waitFor("the first keys", func() bool { return client.DBSize(t.Context()).Val() > 3000 }, c.events)
	must(t, syscall.Kill(int(server.Int("process_id")), syscall.SIGKILL))
	run = c.awaitRun(run)
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "of which a replica that takes over may lack the last ones") || !strings.Contains(run.Error, "Bring them back again to get the rest.") {
		t.Fatalf("%s %s", run.Status, run.Error)
	}
	c.waitFor("a replica to take over", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && len(now.Primaries()) == shards && now.Primaries()[0].Name != first.Name
	}, c.events)
	cluster = c.inStep("orders", shards, 1)
	if got := c.brought(bring); got.Added+got.Skipped != keys || got.Skipped == 0 {
		t.Errorf("brought %+v", got)
	}
	var there int64
	for _, primary := range cluster.Primaries() {
		there += c.client(cluster, primary).DBSize(t.Context()).Val()
	}
	if there != keys {
		t.Errorf("there are %d keys", there)
	}
}
