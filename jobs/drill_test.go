package jobs_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// drilled holds a drill of a snapshot and waits for its end.
func (c *console) drilled(name string) (models.Run, models.Drill) {
	c.t.Helper()
	run, err := c.db.Drills.Request(c.t.Context(), name, "test")
	must(c.t, err)
	c.manager.Wake()
	run = c.ended(run.ID)
	drill, found, err := c.db.Drills.Last(c.t.Context(), mustSnapshot(c, name).ID)
	if err != nil || !found {
		c.t.Fatalf("no drill is kept of %s, which ended %s (%s): %v", name, run.Status, run.Error, err)
	}
	return run, drill
}

// noDrills fails when a node of a drill is left.
func (c *console) noDrills() {
	c.t.Helper()
	if left, err := filepath.Glob(filepath.Join(c.data, "nodes", "0-*")); err != nil || len(left) != 0 {
		c.t.Errorf("nodes that are left: %v, %v", left, err)
	}
}

// throwaway looks at the nodes of drills, or of what else has this prefix, while they run.
type throwaway struct {
	prefix string

	mu   sync.Mutex
	seen []string
	bad  []string
}

func (w *throwaway) look(n launch.Node) {
	if !strings.HasPrefix(n.Cluster, cmp.Or(w.prefix, "0-drill-")) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, n.Name)
	if n.Host != "127.0.0.1" || n.SavePoints || n.ClusterMode {
		w.bad = append(w.bad, n.Name+" listens at "+n.Host)
	}
	stranger := redis.NewClient(&redis.Options{Addr: models.Node{Host: n.Host, Port: n.Port}.Address(), Protocol: 2, DisableIdentity: true})
	defer func() { _ = stranger.Close() }()
	if err := stranger.Ping(context.Background()).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		w.bad = append(w.bad, n.Name+" lets strangers in")
	}
	own := redis.NewClient(&redis.Options{Addr: models.Node{Host: n.Host, Port: n.Port}.Address(), Password: n.Password.Reveal(), Protocol: 2, DisableIdentity: true})
	defer func() { _ = own.Close() }()
	for name, want := range map[string]string{"save": "", "appendonly": "no", "maxmemory": "0"} {
		if got, err := own.ConfigGet(context.Background(), name).Result(); err != nil || got[name] != want {
			w.bad = append(w.bad, n.Name+" has "+name+" "+got[name])
		}
	}
}

func TestDrillLoadsEveryTypeIntoANodeThatNobodyReaches(t *testing.T) {
	t.Parallel()
	w := &throwaway{}
	c := newConsoleLooking(t, w)
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 600)
	snapshot := c.snapshot("orders", "one")
	run, drill := c.drilled("one")
	if run.Status != models.RunSucceeded || drill.Outcome != models.DrillPassed {
		t.Fatalf("the run %s (%s), the drill %s (%s)", run.Status, run.Error, drill.Outcome, drill.Reason)
	}
	if drill.Keys != snapshot.Keys || drill.Expected != snapshot.Keys || drill.Sampled != 200 || drill.Differing != 0 || drill.LoadedIn <= 0 ||
		drill.Engine != snapshot.Engine || drill.EngineVersion != snapshot.EngineVersion || drill.ClusterName != "orders" {
		t.Errorf("the snapshot has %d keys, the drill is %+v", snapshot.Keys, drill)
	}
	if len(w.seen) != 1 || len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	if events := c.events(); !strings.Contains(events, "The restore drill of the snapshot one of orders succeeded. Loaded by ") {
		t.Errorf("the events are\n%s", events)
	}
	c.noDrills()
}

func TestDrillLoadsShardAfterShard(t *testing.T) {
	t.Parallel()
	w := &throwaway{}
	c := newConsoleLooking(t, w)
	c.fillShards(c.create(c.inClusterMode("orders", 3, 0))[0])
	snapshot := c.snapshot("orders", "one")
	if _, drill := c.drilled("one"); drill.Outcome != models.DrillPassed || drill.Keys != 600 || drill.Expected != snapshot.Keys || drill.Sampled < 400 {
		t.Errorf("the drill is %+v", drill)
	}
	if strings.Join(w.seen, " ") != "part-0001 part-0002 part-0003" || len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	c.noDrills()
}

func TestDrillCountsKeysThatHaveExpiredSince(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	for _, key := range []string{"a", "b", "c"} {
		must(t, source.Set(t.Context(), key, "x", 0).Err())
		must(t, source.Set(t.Context(), key+key, "x", 3*time.Second).Err())
	}
	snapshot := c.snapshot("orders", "one")
	testkit.WaitFor(t, "keys to expire", func() bool { return source.DBSize(t.Context()).Val() == 3 })
	if _, drill := c.drilled("one"); drill.Outcome != models.DrillPassed || drill.Keys != snapshot.Keys || drill.Expired != snapshot.Keys-3 {
		t.Errorf("of %d keys: %+v", snapshot.Keys, drill)
	}
}

// newConsoleLooking is a console whose nodes of drills are looked at.
func newConsoleLooking(t *testing.T, w *throwaway) *console {
	t.Helper()
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	c.started = w.look
	c.start()
	return c
}

func TestDrillFindsDamage(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 300)
	c.snapshot("orders", "good")
	for name, damage := range map[string]func(file string){
		"flipped": func(file string) { flip(t, file) },
		"gone":    func(file string) { must(t, os.Remove(file)) },
	} {
		c.snapshot("orders", name)
		damage(c.file("orders", name, firstPart))
		run, drill := c.drilled(name)
		if run.Status != models.RunFailed || drill.Outcome != models.DrillFailed || !strings.Contains(drill.Reason, "A verification was asked for") {
			t.Errorf("%s: the run is %s (%s), the drill %+v", name, run.Status, run.Error, drill)
		}
		if failed := c.awaitDamaged(name); !strings.Contains(failed.Damage, "Part 1 is ") {
			t.Errorf("%s: the snapshot is %s (%s)", name, failed.Status, failed.Damage)
		}
	}
	if events := c.events(); !strings.Contains(events, "The restore drill of the snapshot gone of orders failed.") {
		t.Errorf("the events are\n%s", events)
	}
	if good := mustSnapshot(c, "good"); good.Status != models.SnapshotAvailable {
		t.Errorf("the good one is %s", good.Status)
	}
	c.noDrills()
}

// awaitDamaged waits until a snapshot is found damaged.
func (c *console) awaitDamaged(name string) models.Snapshot {
	c.t.Helper()
	testkit.WaitFor(c.t, "the damage of "+name+" to be found", func() bool { return mustSnapshot(c, name).Damaged() })
	return mustSnapshot(c, name)
}

func TestDrillWithoutAStoreSaysNothingAboutTheSnapshot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	c.snapshot("orders", "one")
	mounted := c.unmounted()
	run, drill := c.drilled("one")
	if run.Status != models.RunFailed || drill.Outcome != models.DrillUndone || drill.Reason == "" {
		t.Errorf("the run is %s (%s), the drill %+v", run.Status, run.Error, drill)
	}
	mounted()
	if s := mustSnapshot(c, "one"); s.Status != models.SnapshotAvailable {
		t.Errorf("the snapshot is %s (%s)", s.Status, s.StatusReason)
	}
}

// memoryLimit limits what the console believes that its host has.
func (c *console) memoryLimit(total, used string) {
	c.t.Helper()
	folder := filepath.Join(c.data, "cgroup")
	must(c.t, os.MkdirAll(folder, 0o700))
	must(c.t, os.WriteFile(filepath.Join(folder, "memory.current"), []byte(used+"\n"), 0o600))
	must(c.t, os.WriteFile(filepath.Join(folder, "memory.max"), []byte(total+"\n"), 0o600))
}

func TestDrillWaitsForMemory(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	c.snapshot("orders", "one")
	c.memoryLimit("1000000000", "990000000")
	run, err := c.db.Drills.Request(t.Context(), "one", "test")
	must(t, err)
	c.manager.Wake()
	c.snapshot("orders", "two") // comes after it, and does not wait for it
	if waiting, err := c.db.Runs.Get(t.Context(), run.ID); err != nil || waiting.Status != models.RunQueued {
		t.Fatalf("the drill is %s, %v", waiting.Status, err)
	}
	c.memoryLimit("1000000000", "100000000")
	c.manager.Wake()
	if ended := c.ended(run.ID); ended.Status != models.RunSucceeded {
		t.Errorf("the drill is %s (%s)", ended.Status, ended.Error)
	}
	c.memoryLimit("50000000", "1")
	if _, drill := c.drilled("two"); drill.Outcome != models.DrillUndone || !strings.Contains(drill.Reason, "of memory in a node") {
		t.Errorf("what never fits ends as %+v", drill)
	}
}

func TestScheduledDrillBeginsInItsWindowOrNotAtAll(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour))
	c := newConsole(t, clock)
	c.create(c.spec("orders", 0))
	c.snapshot("orders", "one")
	must(t, c.db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 13 * 60, Length: 60}}, "test"))
	c.memoryLimit("1000000000", "990000000")
	clock.Advance(119 * time.Minute) // its last minute
	queued := func() (run models.Run) {
		testkit.WaitFor(t, "a drill to be queued", func() bool {
			var found bool
			var err error
			run, found, err = c.db.Runs.Last(t.Context(), "orders", models.RunDrill, time.Time{})
			return err == nil && found && (run.Status == models.RunQueued || run.Status == models.RunSucceeded)
		})
		return run
	}
	run := queued()
	clock.Advance(time.Minute)
	c.manager.Wake()
	if ended := c.ended(run.ID); ended.Status != models.RunFailed || !strings.Contains(ended.Error, "Its window closed at 14:00 UTC before it could begin") {
		t.Fatalf("it ended %s (%s)", ended.Status, ended.Error)
	}
	c.memoryLimit("1000000000", "100000000")
	clock.Advance(23*time.Hour + 59*time.Minute) // the next day
	if made := c.ended(queued().ID); made.Status != models.RunSucceeded || made.RequestedBy != models.DrillBySchedule {
		t.Errorf("what is made up for ended %s (%s)", made.Status, made.Error)
	}
	c.noDrills()
}

func TestStartRemovesTheNodesOfCutDrills(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	left := launch.Node{Cluster: "0-drill-7", Name: "part-0001", Engine: c.spec("x", 0).Engine.Name, Port: testkit.FreePort(t), Password: "secret"}
	must(t, c.nodes.Start(t.Context(), left))
	c.start()
	c.noDrills()
	if running, err := c.nodes.Running(t.Context(), left.Cluster, left.Name); err != nil || running {
		t.Errorf("running %t, %v", running, err)
	}
}
