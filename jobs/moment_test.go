package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	"rekindle/internal/launch"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// journaled records the stream of each shard of a cluster from a snapshot on, until the test ends or stop is called.
func (c *console) journaled(cluster models.Cluster, from models.Snapshot) (stop func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var recordings sync.WaitGroup
	for _, part := range from.Parts {
		node, _ := cluster.Shards()[part.Number-1].Primary()
		link, err := replica.Follow(ctx, replica.Source{Options: resp.Options{Addr: node.Address(), Username: cluster.SignsInAs(), Password: cluster.Password}},
			replica.At{ReplicationID: part.ReplicationID, Offset: part.ReplicationOffset}, replica.Options{})
		if err != nil {
			c.t.Fatal(err)
		}
		recordings.Go(func() {
			_ = journal.Record(ctx, link, c.store, journal.Place{Cluster: cluster.Name, Shard: part.Number}, journal.NewRun(), journal.RecorderOptions{Every: 200 * time.Millisecond})
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		recordings.Wait()
	})
	c.t.Cleanup(stop)
	return stop
}

// segments are those of a shard that are stored.
func (c *console) segments(cluster string, shard int) (all []journal.Segment) {
	c.t.Helper()
	for s, err := range journal.List(c.t.Context(), c.store, cluster, time.Time{}) {
		if err != nil {
			c.t.Fatal(err)
		}
		if s.Shard == shard {
			all = append(all, s)
		}
	}
	return all
}

// quiet waits until the journal has all that was written, and then for the next second, whose beginning it returns: the journal goes by when the stream
// arrives, which may be a while after it was written.
func (c *console) quiet(cluster models.Cluster) time.Time {
	c.t.Helper()
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		written := resp.ParseInfo(c.client(cluster, node).Info(c.t.Context(), "replication").Val()).Int("master_repl_offset")
		c.waitFor("the journal to have what was written", func() bool {
			return slices.ContainsFunc(c.segments(cluster.Name, shard.Number), func(s journal.Segment) bool { return s.To >= written })
		}, func() string { return fmt.Sprint(written, c.segments(cluster.Name, shard.Number)) })
	}
	second := time.Now().Truncate(time.Second).Add(time.Second)
	testkit.WaitFor(c.t, "the next second", func() bool { return time.Since(second) > 10*time.Millisecond })
	return second
}

// lasting makes keys stay that would expire before a test is over.
func lasting(t *testing.T, app *redis.Client) {
	t.Helper()
	err := app.Eval(t.Context(), `for _, db in ipairs({0, 3}) do
		redis.call('SELECT', db)
		for _, key in ipairs(redis.call('KEYS', '*')) do
			local left = redis.call('PTTL', key)
			if left >= 0 and left < 3600000 then redis.call('PERSIST', key) end
		end
	end`, nil).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
}

// manifest reads the manifest of a snapshot of orders.
func (c *console) manifest(name string) archive.Manifest {
	c.t.Helper()
	manifest, err := archive.New(c.store).Manifest(c.t.Context(), archive.Ref{Cluster: "orders", Snapshot: name})
	must(c.t, err)
	return manifest
}

// recorded waits until the journal of all shards has what came up to a moment.
func (c *console) recorded(cluster models.Cluster, moment time.Time) {
	c.t.Helper()
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		must(c.t, c.client(cluster, node).Do(c.t.Context(), "PUBLISH", "news", "later").Err()) // so that something comes behind it
		c.waitFor("the journal", func() bool {
			return slices.ContainsFunc(c.segments(cluster.Name, shard.Number), func(s journal.Segment) bool { return s.End.After(moment) })
		}, func() string { return fmt.Sprint(c.segments(cluster.Name, shard.Number)) })
	}
}

// recover asks for a moment and waits for the run's end.
func (c *console) recover(spec models.RecoverSpec) models.Run {
	c.t.Helper()
	spec.RequestedBy = "test"
	return c.awaitRun(c.must(c.db.Recoveries.Request(c.t.Context(), spec)))
}

// recovered is recover for a moment that can be had.
func (c *console) recovered(spec models.RecoverSpec) models.Snapshot {
	c.t.Helper()
	if run := c.recover(spec); run.Status != models.RunSucceeded {
		c.t.Fatalf("the recovery %s: %s", run.Status, run.Error)
	}
	return mustSnapshot(c, spec.Name)
}

func TestFlushedDataIsBroughtBackToTheSecondBefore(t *testing.T) {
	t.Parallel()
	w := &throwaway{prefix: "0-recover-"}
	c := newConsoleLooking(t, w)
	orders := c.create(c.spec("orders", 0))[0]
	app := c.primary(orders)
	testkit.Fill(t, app, 300)
	base := c.snapshot("orders", "base")
	c.journaled(orders, base)
	writer := testkit.NewWriter(t, app, 11, 0, 3)
	writer.Write(300)
	writer.Settle()
	lasting(t, app)
	moment := c.quiet(orders)
	want := testkit.Digests(t, app)
	must(t, app.FlushAll(t.Context()).Err())
	c.recorded(orders, moment)

	snapshot := c.recovered(models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment})
	keys := int64(0)
	for key := range want {
		if strings.HasPrefix(key, "db") {
			keys++
		}
	}
	if snapshot.Source != models.SourceManual || snapshot.Status != models.SnapshotAvailable || snapshot.Keys < keys || !snapshot.CreatedAt.Equal(moment) {
		t.Errorf("%s %s with %d keys of %s", snapshot.Source, snapshot.Status, snapshot.Keys, snapshot.CreatedAt)
	}
	if !snapshot.Recovered() || !strings.Contains(snapshot.Origin, moment.UTC().Format(time.DateTime)+" UTC, exact to ") || !strings.Contains(snapshot.Origin, "replayed from base and ") || !strings.Contains(snapshot.Origin, "exact to 1 ms") {
		t.Errorf("it says %q", snapshot.Origin)
	}
	if snapshot.EngineVersion != base.EngineVersion || snapshot.NodeType != base.NodeType || snapshot.Warning != "" || snapshot.Verifiable() == false {
		t.Errorf("%+v", snapshot.Configuration)
	}
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(c.restoreInto(c.spec("again", 0), "back")))); diff != "" {
		t.Error(diff)
	}
	if len(w.seen) != 1 || len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	c.noDrills()
	if status := c.status("base"); status != models.SnapshotAvailable {
		t.Errorf("what it began with is %s", status)
	}

	// What was recovered is a base itself: it lies in the same history.
	must(t, c.db.Snapshots.Delete(t.Context(), []string{"base"}, "test"))
	c.manager.Wake()
	c.waitFor("base to go", func() bool { _, err := c.db.Snapshots.Get(t.Context(), "base"); return err != nil }, func() string { return c.events() })
	testkit.WaitFor(t, "another second", func() bool { return time.Since(moment) > 2*time.Second })
	c.recorded(orders, moment.Add(2*time.Second))
	flushed := c.recovered(models.RecoverSpec{Cluster: "orders", Name: "flushed", Moment: moment.Add(2 * time.Second)})
	if flushed.Keys != 0 || !strings.Contains(flushed.Origin, "replayed from back and ") {
		t.Errorf("after FLUSHALL there are %d keys: %s", flushed.Keys, flushed.Origin)
	}
}

func TestAllShardsAreBroughtToOneMoment(t *testing.T) {
	t.Parallel()
	w := &throwaway{prefix: "0-recover-"}
	c := newConsoleLooking(t, w)
	orders := c.create(c.inClusterMode("orders", 3, 0))[0]
	c.fillShards(orders)
	c.journaled(orders, c.snapshot("orders", "base"))
	app := c.clusterClient(orders)
	for i := range 300 {
		must(t, app.Set(t.Context(), fmt.Sprintf("later:%d", i), i, 0).Err())
	}
	moment := c.quiet(orders)
	want := c.digests(orders)
	for i := range 300 {
		must(t, app.Del(t.Context(), fmt.Sprintf("later:%d", i)).Err())
	}
	c.recorded(orders, moment)
	snapshot := c.recovered(models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment})
	if snapshot.Keys != int64(len(want)) || len(snapshot.Parts) != 3 || !snapshot.ClusterMode || snapshot.Parts[1].Slots != "5461-10922" || !strings.Contains(snapshot.Origin, "The last commands of its 3 shards are at most ") {
		t.Errorf("%d keys in %d parts, slots %s: %s", snapshot.Keys, len(snapshot.Parts), snapshot.Parts[1].Slots, snapshot.Origin)
	}
	if strings.Join(w.seen, " ") != "part-0001 part-0002 part-0003" || len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	manifest := c.manifest("back")
	if m := manifest.Moment; m == nil || !m.Asked.Equal(moment) || m.Base != "base" || m.Commands != 300 || len(m.Parts) != 3 || m.SkewMS < 0 {
		t.Errorf("the manifest says %+v", m)
	}
	for shards, spec := range map[string]models.ClusterSpec{"two": c.inClusterMode("two", 2, 0), "outside of cluster mode": c.spec("plain", 0)} {
		if diff := testkit.Diff(want, c.digests(c.restoreInto(spec, "back"))); diff != "" {
			t.Errorf("restored into %s:\n%s", shards, diff)
		}
	}
	c.noDrills()
}

func TestAnExactPlaceInTheStreamIsRecovered(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.spec("orders", 0))[0]
	app := c.primary(orders)
	base := c.snapshot("orders", "base")
	c.journaled(orders, base)
	place := func() int64 {
		return resp.ParseInfo(app.Info(t.Context(), "replication").Val()).Int("master_repl_offset")
	}
	must(t, app.Set(t.Context(), "a", 1, 0).Err())
	before := place()
	must(t, app.FlushAll(t.Context()).Err())
	must(t, app.Set(t.Context(), "b", 1, 0).Err())
	moment := c.quiet(orders)
	c.recorded(orders, moment)
	from := func(offset int64) []models.RecoverFrom {
		return []models.RecoverFrom{{Shard: 1, Run: c.segments("orders", 1)[0].Run, Offset: offset}}
	}
	if snapshot := c.recovered(models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment, Places: from(before)}); snapshot.Keys != 1 || snapshot.Parts[0].ReplicationOffset != before {
		t.Errorf("%d keys at %d, want 1 at %d", snapshot.Keys, snapshot.Parts[0].ReplicationOffset, before)
	}
	run := c.recover(models.RecoverSpec{Cluster: "orders", Name: "torn", Moment: moment, Places: from(before - 3)})
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "in the middle of a command or a transaction") {
		t.Errorf("a place within a command: %s %s", run.Status, run.Error)
	}
	c.nothingIsLeft("torn")
}

// nothingIsLeft fails unless a recovery that did not succeed has left no more than its row.
func (c *console) nothingIsLeft(name string) {
	c.t.Helper()
	if snapshot, err := c.db.Snapshots.Get(c.t.Context(), name); err == nil && snapshot.Status != models.SnapshotFailed {
		c.t.Errorf("the snapshot %s is %s", name, snapshot.Status)
	}
	for _, file := range filesIn(c.t, filepath.Join(c.data, "snapshots")) {
		if strings.Contains(file, "/"+name+"/") {
			c.t.Errorf("%s is left", file)
		}
	}
	c.noDrills()
	bases, err := c.db.Snapshots.List(c.t.Context(), models.List{Equal: map[string]string{"status": string(models.SnapshotCopying)}})
	if err != nil || len(bases.Rows) != 0 {
		c.t.Errorf("held snapshots: %v, %v", bases.Rows, err)
	}
}

// recovering is a console with a cluster whose journal has three pieces behind the snapshot "base", and a moment in the last of them.
func recovering(t *testing.T, changes ...func(*console)) (c *console, moment time.Time) {
	t.Helper()
	c = newConsole(t, clockwork.NewRealClock())
	if len(changes) > 0 {
		c.stop()
		for _, change := range changes {
			change(c)
		}
		c.start()
	}
	orders := c.create(c.spec("orders", 0))[0]
	app := c.primary(orders)
	testkit.Fill(t, app, 200)
	stop := c.journaled(orders, c.snapshot("orders", "base"))
	for i := range 3 {
		must(t, app.Set(t.Context(), "piece", i, 0).Err())
		testkit.WaitFor(t, "a piece of the journal", func() bool { return len(c.segments("orders", 1)) > i })
	}
	moment = c.quiet(orders)
	c.recorded(orders, moment)
	stop()
	return c, moment
}

func TestWhatCannotBeRecoveredIsSaidInWords(t *testing.T) {
	t.Parallel()
	c, moment := recovering(t)
	second := c.segments("orders", 1)[1]
	object := filepath.Join(c.data, "snapshots", second.Key)
	whole, err := os.ReadFile(object)
	must(t, err)
	flipped := slices.Clone(whole)
	flipped[len(flipped)-5] ^= 1
	part := c.file("orders", "base", mustSnapshot(c, "base").Parts[0].Object)
	times := second.Begin.UTC().Format(time.DateTime)
	for i, test := range []struct {
		what   string
		spec   models.RecoverSpec
		damage func()
		repair func()
		want   string
	}{
		{"nothing before", models.RecoverSpec{Moment: moment.AddDate(-1, 0, 0)}, nil, nil, "There is no snapshot of orders from before"},
		{"not stored yet", models.RecoverSpec{Moment: time.Now()}, nil, nil, "The journal of shard 1 is stored up to "},
		{"a flipped bit", models.RecoverSpec{Moment: moment}, func() { must(t, os.WriteFile(object, flipped, 0o600)) }, func() { must(t, os.WriteFile(object, whole, 0o600)) },
			"The journal of shard 1 from " + times},
		{"a missing piece", models.RecoverSpec{Moment: moment}, func() { must(t, os.Remove(object)) }, func() { must(t, os.WriteFile(object, whole, 0o600)) },
			"The journal of shard 1 has a gap from "},
		{"a place in another recording", models.RecoverSpec{Moment: moment, Places: []models.RecoverFrom{{Shard: 1, Run: "00000000000000aa", Offset: 7}}}, nil, nil, "in another recording"},
		{"a damaged base", models.RecoverSpec{Moment: moment}, func() { flip(t, part) }, func() {}, "The snapshot base, behind which the journal was to be replayed, is damaged"},
	} {
		test.spec.Cluster, test.spec.Name = "orders", fmt.Sprintf("back%d", i)
		if test.damage != nil {
			test.damage()
		}
		run := c.recover(test.spec)
		if run.Status != models.RunFailed || !strings.Contains(run.Error, test.want) {
			t.Errorf("%s: %s %q, want %q", test.what, run.Status, run.Error, test.want)
		}
		if test.repair != nil {
			test.repair()
		}
		c.awaitReleased("base")
		c.nothingIsLeft(test.spec.Name)
	}
	c.awaitDamaged("base")
	if run := c.recover(models.RecoverSpec{Cluster: "orders", Name: "late", Moment: moment}); !strings.Contains(run.Error, "There is no snapshot of orders from before") {
		t.Errorf("without a good base: %s", run.Error)
	}
}

// awaitReleased waits until nobody reads a snapshot any more.
func (c *console) awaitReleased(name string) {
	c.t.Helper()
	testkit.WaitFor(c.t, name+" to be available", func() bool { return c.status(name) == models.SnapshotAvailable })
}

func TestARecoveryThatIsCutOffGoesOnOrLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"cancelled", "stopped", "killed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			reached, once := make(chan struct{}), sync.Once{}
			c, moment := recovering(t, func(c *console) {
				c.started = func(n launch.Node) {
					if strings.HasPrefix(n.Cluster, "0-recover-") {
						once.Do(func() { close(reached) })
					}
				}
				c.pace = 200_000 // so that the snapshot of the node takes a while
			})
			request := func() models.Run {
				return c.must(c.db.Recoveries.Request(t.Context(), models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment, RequestedBy: "test"}))
			}
			var run models.Run
			if how == "killed" {
				c.stop()
				run = c.killedIn(request())
			} else {
				run = request()
				c.manager.Wake()
				c.awaitMiddle(run, reached)
				if status := c.status("base"); status != models.SnapshotCopying {
					t.Errorf("what it reads is %s", status)
				}
			}
			switch how {
			case "cancelled":
				must(t, c.db.Runs.Cancel(t.Context(), run.ID))
				if ended := c.awaitRun(run); ended.Status != models.RunCancelled {
					t.Errorf("it has %s: %s", ended.Status, ended.Error)
				}
				c.nothingIsLeft("back")
				return
			case "stopped":
				c.stop()
				c.noDrills()
			}
			c.pace = 0
			c.start()
			if ended := c.awaitRun(run); ended.Status != models.RunSucceeded {
				t.Errorf("it has %s: %s", ended.Status, ended.Error)
			}
			c.awaitReleased("base")
			c.noDrills()
			if snapshot := mustSnapshot(c, "back"); snapshot.Status != models.SnapshotAvailable {
				t.Errorf("the snapshot is %s", snapshot.Status)
			}
			if files, err := filepath.Glob(filepath.Join(c.data, "snapshots", "orders", "back", "part-*")); err != nil || len(files) != 1 {
				t.Errorf("the store has %v, %v", files, err)
			}
		})
	}
}

// killedIn makes a run look as a console leaves it that is killed while it takes the snapshot of the node.
func (c *console) killedIn(run models.Run) models.Run {
	c.t.Helper()
	run, claimed, err := c.db.Runs.Claim(c.t.Context(), c.earlier(), func(r models.Run) bool { return r.ID == run.ID })
	if err != nil || !claimed {
		c.t.Fatalf("claim the run: %v", err)
	}
	at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: "back"})
	must(c.t, c.db.Snapshots.NoteAttempt(c.t.Context(), run, "back", at.ID))
	_, err = c.store.Put(c.t.Context(), at.Keys(1)[1], strings.NewReader("the beginning of it"))
	must(c.t, err)
	_, err = c.db.Recoveries.Begin(c.t.Context(), run, mustSnapshot(c, "base"))
	must(c.t, err)
	must(c.t, c.nodes.Start(c.t.Context(), launch.Node{Cluster: fmt.Sprintf("0-recover-%d", run.ID), Name: "part-0001", Engine: c.spec("x", 0).Engine.Name,
		Port: testkit.FreePort(c.t), Password: "secret"}))
	return run
}

func TestARecoveryWithoutStoreOrMemoryFailsCleanly(t *testing.T) {
	t.Parallel()
	c, moment := recovering(t)
	c.memoryLimit("50000000", "1")
	run := c.recover(models.RecoverSpec{Cluster: "orders", Name: "much", Moment: moment})
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "of memory in a node") {
		t.Errorf("without memory it has %s: %s", run.Status, run.Error)
	}
	c.awaitReleased("base")
	c.nothingIsLeft("much")
	must(t, os.RemoveAll(filepath.Join(c.data, "cgroup")))

	c.stop()
	c.store = withoutJournal{c.store}
	c.start()
	run = c.recover(models.RecoverSpec{Cluster: "orders", Name: "away", Moment: moment})
	if run.Status != models.RunFailed || !strings.Contains(run.Error, "does not answer") {
		t.Errorf("without the store it has %s: %s", run.Status, run.Error)
	}
	c.awaitReleased("base")
	c.nothingIsLeft("away")
}

// withoutJournal is a store whose journal cannot be read for a while.
type withoutJournal struct{ store.Store }

func (s withoutJournal) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.Contains(key, "/journal/") {
		return nil, fmt.Errorf("open: %w", store.ErrUnavailable)
	}
	return s.Store.Open(ctx, key)
}
