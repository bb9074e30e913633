package jobs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// straight asks for a new cluster of a moment of orders, and waits for the run's end.
func (c *console) straight(spec models.ClusterSpec, moment time.Time, places ...models.RecoverFrom) models.Run {
	c.t.Helper()
	return c.awaitRun(c.askStraight(spec, moment, places...))
}

func (c *console) askStraight(spec models.ClusterSpec, moment time.Time, places ...models.RecoverFrom) models.Run {
	c.t.Helper()
	spec.Straight = &models.StraightFrom{Cluster: "orders", Moment: moment, Places: places}
	clusters, err := c.db.Clusters.Create(c.t.Context(), spec)
	must(c.t, err)
	runs, err := c.db.Runs.List(c.t.Context(), models.List{Equal: map[string]string{"cluster": spec.Name}})
	must(c.t, err)
	i := slices.IndexFunc(runs.Rows, func(r models.Run) bool { return r.Kind == models.RunStraight && r.ClusterID == clusters[0].ID })
	if i < 0 {
		c.t.Fatalf("no run makes %s: %+v", spec.Name, runs.Rows)
	}
	return runs.Rows[i]
}

// made is straight for a moment that can be had.
func (c *console) made(spec models.ClusterSpec, moment time.Time) models.Cluster {
	c.t.Helper()
	if run := c.straight(spec, moment); run.Status != models.RunSucceeded {
		c.t.Fatalf("the run %s: %s", run.Status, run.Error)
	}
	return c.await(spec.Name, models.ClusterAvailable)
}

func TestAMomentIsRestoredStraightIntoANewCluster(t *testing.T) {
	t.Parallel()
	w := &throwaway{prefix: "0-recover-"}
	c := newConsoleLooking(t, w)
	orders := c.create(c.spec("orders", 0))[0]
	app := c.primary(orders)
	testkit.Fill(t, app, 300) // with functions
	c.journaled(orders, c.snapshot("orders", "base"))
	writer := testkit.NewWriter(t, app, 11, 0, 3)
	writer.Write(300)
	writer.Settle()
	lasting(t, app)
	moment := c.quiet(orders)
	want := testkit.Digests(t, app)
	must(t, app.Set(t.Context(), "later", "not in it", 0).Err())
	must(t, app.FlushAll(t.Context()).Err())
	c.recorded(orders, moment)

	again := c.made(c.spec("again", 1), moment)
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(again))); diff != "" {
		t.Error(diff)
	}
	must(t, c.primary(again).Set(t.Context(), "new", "write", 0).Err())
	again = c.inStep("again", 1, 1)
	if len(again.Nodes) != 2 || again.RestoredFrom != "base" || again.UnsavedFrom != "" {
		t.Errorf("%d nodes, made from %q, not saved what is from %q", len(again.Nodes), again.RestoredFrom, again.UnsavedFrom)
	}
	first, _ := again.Shards()[0].Primary()
	if saved, err := c.nodes.Saved(t.Context(), "again", first.Name); err != nil || !saved.Exists {
		t.Errorf("it is available before its data is saved: %+v, %v", saved, err)
	}
	events := c.events()
	for _, text := range []string{"The cluster again was restored straight from orders as it was at " + moment.UTC().Format(time.DateTime) + " UTC, exact to 1 ms: ", " keys, from base and ", " of the journal behind it."} {
		if !strings.Contains(events, text) {
			t.Errorf("no event says %q:\n%s", text, events)
		}
	}
	if len(w.seen) != 0 {
		t.Errorf("it went by way of the nodes %v", w.seen)
	}
	snapshots, err := c.db.Snapshots.List(t.Context(), models.List{})
	if err != nil || len(snapshots.Rows) != 1 || c.status("base") != models.SnapshotAvailable {
		t.Errorf("there are %d snapshots, and base is %s; %v", len(snapshots.Rows), c.status("base"), err)
	}

	for what, change := range map[string]func(*models.ClusterSpec){
		"has one shard outside of cluster mode, and one that is made straight": func(s *models.ClusterSpec) { s.ClusterMode, s.Shards = true, 2 },
		"keys expire when they would have expired. Recover orders to the":      func(s *models.ClusterSpec) { s.Deadlines = models.DeadlinesShifted },
		"either of a moment, or from a snapshot":                               func(s *models.ClusterSpec) { s.Snapshot = "base" },
		"That moment is still to come":                                         func(s *models.ClusterSpec) { s.Straight.Moment = time.Now().Add(time.Hour) },
		"There is no cluster nobody":                                           func(s *models.ClusterSpec) { s.Straight.Cluster = "nobody" },
		"There is already a cluster again":                                     func(s *models.ClusterSpec) { s.Name = "again" },
	} {
		spec := c.spec("more", 0)
		spec.Straight = &models.StraightFrom{Cluster: "orders", Moment: moment}
		change(&spec)
		if _, err := c.db.Clusters.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
}

func TestAllShardsAreBroughtStraightToOneMoment(t *testing.T) {
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
	again := c.made(c.inClusterMode("again", 3, 0), moment)
	if diff := testkit.Diff(want, c.digests(again)); diff != "" {
		t.Error(diff)
	}
	if strings.Join(w.seen, " ") != "part-0001 part-0002 part-0003" || len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	if events := c.events(); !strings.Contains(events, "from base and 300 commands of the journal behind it. The last commands of its 3 shards are at most ") {
		t.Errorf("events:\n%s", events)
	}
	spec := c.inClusterMode("two", 2, 0)
	spec.Straight = &models.StraightFrom{Cluster: "orders", Moment: moment}
	if _, err := c.db.Clusters.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "has 3 shards in cluster mode") {
		t.Errorf("with two shards: %v", err)
	}
	c.noDrills()
	c.awaitReleased("base")
}

func (c *console) cluster(name string) models.Cluster {
	c.t.Helper()
	cluster, err := c.db.Clusters.Get(c.t.Context(), name)
	must(c.t, err)
	return cluster
}

// noCluster fails unless a restore of a moment that did not succeed has left no more than a row that says why.
func (c *console) noCluster(name, why string) {
	c.t.Helper()
	cluster, err := c.db.Clusters.Get(c.t.Context(), name)
	if err != nil || cluster.Status != models.ClusterRestoreFailed || !strings.Contains(cluster.StatusReason, why) || cluster.RestoredFrom != "" {
		c.t.Errorf("%s is %s: %q, made from %q, %v; want %q", name, cluster.Status, cluster.StatusReason, cluster.RestoredFrom, err, why)
	}
	if left, err := filepath.Glob(filepath.Join(c.data, "nodes", name, "*")); err != nil || len(left) != 0 {
		c.t.Errorf("nodes that are left: %v, %v", left, err)
	}
	c.noDrills()
}

func TestWhatCannotBeRestoredStraightIsSaidInWords(t *testing.T) {
	t.Parallel()
	c, moment := recovering(t)
	second := c.segments("orders", 1)[1]
	object := filepath.Join(c.data, "snapshots", second.Key)
	whole, err := os.ReadFile(object)
	must(t, err)
	flipped := slices.Clone(whole)
	flipped[len(flipped)-5] ^= 1
	part := c.file("orders", "base", mustSnapshot(c, "base").Parts[0].Object)
	place := func(offset int64) []models.RecoverFrom {
		return []models.RecoverFrom{{Shard: 1, Run: second.Run, Offset: offset}}
	}
	for i, test := range []struct {
		what           string
		moment         time.Time
		places         []models.RecoverFrom
		damage, repair func()
		want           string
	}{
		{"nothing before", moment.AddDate(-1, 0, 0), nil, nil, nil, "There is no snapshot of orders from before"},
		{"not stored yet", time.Now(), nil, nil, nil, "The journal of shard 1 is stored up to "},
		{"a flipped bit", moment, nil, func() { must(t, os.WriteFile(object, flipped, 0o600)) }, func() { must(t, os.WriteFile(object, whole, 0o600)) },
			"The journal of shard 1 from " + second.Begin.UTC().Format(time.DateTime)},
		{"a missing piece", moment, nil, func() { must(t, os.Remove(object)) }, func() { must(t, os.WriteFile(object, whole, 0o600)) }, "The journal of shard 1 has a gap from "},
		{"a place within a command", moment, place(second.To - 3), nil, nil, "in the middle of a command or a transaction"},
		{"a damaged base", moment, nil, func() { flip(t, part) }, nil, "The snapshot base, behind which the journal was to be replayed, is damaged"},
	} {
		if test.damage != nil {
			test.damage()
		}
		name := fmt.Sprintf("again%d", i)
		if run := c.straight(c.spec(name, 0), test.moment, test.places...); run.Status != models.RunFailed || !strings.Contains(run.Error, test.want) {
			t.Errorf("%s: %s %q, want %q", test.what, run.Status, run.Error, test.want)
		}
		c.noCluster(name, test.want)
		if test.repair != nil {
			test.repair()
		}
		c.awaitReleased("base")
	}
	c.awaitDamaged("base")
}

// stuckJournal is a store from which no journal comes from some moment on.
type stuckJournal struct {
	store.Store
	now     atomic.Bool
	once    sync.Once
	reached chan struct{} // is closed when somebody asks for one
}

func (s *stuckJournal) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if !s.now.Load() || !strings.Contains(key, "/journal/") {
		return s.Store.Open(ctx, key)
	}
	s.once.Do(func() { close(s.reached) })
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestAStraightRestoreBeginsAgainOrLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"cancelled", "killed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			stuck := &stuckJournal{reached: make(chan struct{})}
			c, moment := recovering(t, func(c *console) {
				if how == "cancelled" {
					stuck.Store, c.store = c.store, stuck
					c.started = func(n launch.Node) { stuck.now.Store(n.Cluster == "again") }
				}
			})
			want := testkit.Digests(t, c.primary(c.cluster("orders")))
			if how == "cancelled" {
				run := c.askStraight(c.spec("again", 0), moment)
				c.manager.Wake()
				c.awaitMiddle(run, stuck.reached)
				if status := c.status("base"); status != models.SnapshotCopying {
					t.Errorf("what it reads is %s", status)
				}
				must(t, c.db.Runs.Cancel(t.Context(), run.ID))
				if ended := c.awaitRun(run); ended.Status != models.RunCancelled {
					t.Errorf("it has %s: %s", ended.Status, ended.Error)
				}
				c.noCluster("again", "")
				c.awaitReleased("base")
				return
			}
			c.stop()
			run := c.askStraight(c.spec("again", 0), moment)
			run, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(r models.Run) bool { return r.ID == run.ID })
			if err != nil || !claimed {
				t.Fatalf("claim the run: %v", err)
			}
			again, err := c.db.Recoveries.BeginStraight(t.Context(), run, c.cluster("again"), mustSnapshot(c, "base"))
			must(t, err)
			must(t, c.db.Nodes.Begin(t.Context(), again.ID))
			node := again.Nodes[0]
			must(t, c.nodes.Start(t.Context(), launch.Node{Cluster: "again", Name: node.Name, Engine: again.Engine, Host: node.Host, Port: node.Port, Password: again.Password}))
			half := c.client(again, node)
			must(t, half.Set(t.Context(), "half", "of it", 0).Err())
			c.start()
			if ended := c.awaitRun(run); ended.Status != models.RunSucceeded || ended.Attempts != 2 {
				t.Errorf("after %d attempts it has %s: %s", ended.Attempts, ended.Status, ended.Error)
			}
			got := testkit.Digests(t, c.primary(c.await("again", models.ClusterAvailable)))
			if diff := testkit.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			c.awaitReleased("base")
		})
	}
}

func TestKeysWhoseTimeHasPassedAreNotInAClusterMadeOfAMoment(t *testing.T) {
	t.Parallel()
	c, _ := recovering(t)
	orders := c.cluster("orders")
	app := c.primary(orders)
	c.journaled(orders, c.snapshot("orders", "second"))
	must(t, app.Set(t.Context(), "brief", "then", time.Hour).Err())
	deadline := time.Now().Add(1500 * time.Millisecond)
	must(t, app.Do(t.Context(), "PEXPIREAT", "brief", deadline.UnixMilli()).Err())
	moment := c.quiet(orders)
	testkit.WaitFor(t, "the key's time to pass", func() bool { return time.Since(deadline) > 10*time.Millisecond })
	c.recorded(orders, moment)
	spec := c.spec("again", 0)
	spec.Encrypted = true // what it is fed goes over TLS then
	again := c.made(spec, moment)
	if n := c.primary(again).Exists(t.Context(), "brief", "piece").Val(); n != 1 {
		t.Errorf("%d of the two keys exist, want the one whose time has not passed", n)
	}
}
