package jobs_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// tuned is a node whose settings may be changed, with what it is told.
type tuned struct {
	*console
	node *testkit.Server
	tap  *testkit.Tap

	mu    sync.Mutex
	told  []string                // commands
	hooks map[string]func(*tuned) // called once when a command is heard, before the node gets it
}

// newTuned starts a node with settings that are worth changing, and taps it.
func newTuned(c *console, args ...string) *tuned {
	u := &tuned{console: c, hooks: map[string]func(*tuned){}}
	u.node = testkit.Redis(c.t, append([]string{"--repl-diskless-sync-delay", "1"}, args...)...)
	u.tapped()
	return u
}

func (u *tuned) tapped() {
	u.tap = testkit.NewTap(u.t, u.node.Addr, func(command string) {
		u.mu.Lock()
		u.told = append(u.told, command)
		hook := u.hooks[command]
		delete(u.hooks, command)
		u.mu.Unlock()
		if hook != nil {
			hook(u)
		}
	})
}

// when has something done once when a command is heard, before the node gets it.
func (u *tuned) when(command string, do func(*tuned)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hooks[command] = do
}

// heard returns the commands since the last call that change or copy something.
func (u *tuned) heard() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	told := slices.DeleteFunc(u.told, func(c string) bool { return !strings.HasPrefix(c, "CONFIG SET") && !strings.HasPrefix(c, "PSYNC") })
	u.told = nil
	return told
}

// attachTuned attaches the node so that it may be tuned.
func (u *tuned) attachTuned(name string, change func(*models.AttachSpec)) models.Cluster {
	u.t.Helper()
	spec := attachSpec(name, u.tap.Addr)
	spec.Tuned = true
	if change != nil {
		change(&spec)
	}
	return u.attach(spec)
}

// settings are those that are changed, as the node has them now.
func (u *tuned) settings() string {
	u.t.Helper()
	var values []string
	for _, parameter := range []string{"rdbcompression", "repl-diskless-sync-delay"} {
		values = append(values, u.node.Client().ConfigGet(context.Background(), parameter).Val()[parameter])
	}
	return strings.Join(values, " ")
}

func (u *tuned) want(what, settings string) {
	u.t.Helper()
	if now := u.settings(); now != settings {
		u.t.Errorf("%s: the node has %q, not %q", what, now, settings)
	}
}

func (u *tuned) open(name string) int {
	u.t.Helper()
	cluster, err := u.db.Clusters.Get(context.Background(), name)
	must(u.t, err)
	open, err := u.db.Tunings.Open(context.Background(), cluster.ID)
	must(u.t, err)
	return len(open)
}

// run is a snapshot that this owner is taking.
func (u *tuned) run(cluster, name, owner string) models.Run {
	u.t.Helper()
	run, err := u.db.Snapshots.Request(u.t.Context(), cluster, name, false, "test")
	must(u.t, err)
	claimed, ok, err := u.db.Runs.Claim(u.t.Context(), owner, func(r models.Run) bool { return r.ID == run.ID })
	if err != nil || !ok {
		u.t.Fatalf("claim run %d: %v", run.ID, err)
	}
	return claimed
}

const (
	setCompression, setDelay   = "CONFIG SET rdbcompression no", "CONFIG SET repl-diskless-sync-delay 0"
	backCompression, backDelay = "CONFIG SET rdbcompression yes", "CONFIG SET repl-diskless-sync-delay 1"
	asBefore, asTuned          = "yes 1", "no 0"
	psync                      = "PSYNC ? -1"
)

func TestANodeIsTunedUntilItHasForked(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	u := newTuned(c)
	for i := range 200 {
		must(t, u.node.Client().Set(t.Context(), "key-"+strings.Repeat("0", i), strings.Repeat("compressible ", 1000), 0).Err())
	}
	want := testkit.Fingerprint(t, u.node.Client())
	cluster := u.attachTuned("orders", nil)
	u.when(setCompression, func(u *tuned) {
		u.want("before the first change", asBefore)
		if n := u.open("orders"); n != 2 {
			t.Errorf("%d changes were written down before the first was made", n)
		}
	})
	u.when(psync, func(u *tuned) { u.want("when the snapshot begins", asTuned) })
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1, make(chan struct{}), make(chan struct{})
	reached, goOn := st.reached, st.goOn
	st.mu.Unlock()
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "first", false, "test")
	must(t, err)
	c.manager.Wake()
	<-reached // the snapshot is being stored and cannot go on
	testkit.WaitFor(t, "the settings to be put back while the snapshot is under way", func() bool { return u.settings() == asBefore && u.open("orders") == 0 })
	close(goOn)
	first := c.awaitSnapshot("first")
	if told, want := u.heard(), []string{setCompression, setDelay, psync, backCompression, backDelay}; !slices.Equal(told, want) {
		t.Errorf("the node was told %q, want %q", told, want)
	}
	if got := c.restored("first", "again"); got != want {
		t.Errorf("restored: %s\nwant: %s", got, want)
	}

	second := c.snapshot("orders", "second")
	if told := u.heard(); len(told) != 5 || u.settings() != asBefore {
		t.Errorf("for the second one the node was told %q, and has %s", told, u.settings())
	}
	access := cluster.Attachment.Access
	access.Tuned = false
	must(t, c.manager.ChangeAccess(t.Context(), "orders", access, "", "admin"))
	untuned := c.snapshot("orders", "untuned")
	if told := u.heard(); !slices.Equal(told, []string{psync}) {
		t.Errorf("turned off, the node was told %q", told)
	}
	for _, s := range []models.Snapshot{first, second} {
		if s.Status != models.SnapshotAvailable || s.Parts[0].Bytes < 10*untuned.Parts[0].Bytes {
			t.Errorf("%s is %s: %d bytes came, untuned %d", s.Name, s.Status, s.Parts[0].Bytes, untuned.Parts[0].Bytes)
		}
	}
}

// Where nothing may be changed, or need not be, the snapshot is taken as the node is.
func TestSnapshotsAreTakenUntuned(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	rights := []string{"--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping"}
	as := func(s *models.AttachSpec) { s.Username, s.Password = "backup", "s3cret" }
	for name, test := range map[string]struct {
		args   []string
		change func(*models.AttachSpec)
		tries  int // CONFIG SET
	}{
		"off":              {nil, func(s *models.AttachSpec) { s.Tuned = false }, 0},
		"no-config":        {rights, as, 0},
		"no-config-set":    {append(slices.Clone(rights), "+config|get"), as, 1},
		"renamed":          {[]string{"--rename-command", "CONFIG", "SETTINGS"}, nil, 0},
		"by-its-disk":      {[]string{"--repl-diskless-sync", "no"}, nil, 0},
		"as-wanted-before": {[]string{"--rdbcompression", "no", "--repl-diskless-sync-delay", "0"}, nil, 0},
		"key-by-key":       {nil, func(s *models.AttachSpec) { s.ByKey = true }, -1}, // nor PSYNC
	} {
		u := newTuned(c, test.args...)
		testkit.Fill(t, u.node.Client(), 20)
		u.attachTuned(name, test.change)
		snapshot := c.snapshot(name, "of-"+name)
		told := u.heard()
		if snapshot.Status != models.SnapshotAvailable || len(told) != test.tries+1 || len(told) > 0 && told[test.tries] != psync || u.open(name) != 0 {
			t.Errorf("%s: %s %s, told %q, %d changes left", name, snapshot.Status, snapshot.StatusReason, told, u.open(name))
		}
	}
}

func TestOnlyTheNodeThatServesIsTuned(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t)
	u := &tuned{console: c, hooks: map[string]func(*tuned){}, node: replicaOf(t, primary, "--repl-diskless-sync-delay", "1")}
	u.tapped()
	spec := attachSpec("orders", primary.Addr)
	spec.Tuned, spec.Mapped = true, models.Lines{u.node.Addr + "=" + u.tap.Addr}
	c.attach(spec)
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable || s.Parts[0].ServedRole != models.RoleReplica {
		t.Fatalf("%s %s", s.Status, s.StatusReason)
	}
	if told := u.heard(); len(told) != 5 {
		t.Errorf("the replica was told %q", told)
	}
	u.want("after the snapshot", asBefore)
	if n := primary.Client().Info(t.Context(), "commandstats").Val(); strings.Contains(n, "config|set") {
		t.Errorf("the primary was told something: %s", n)
	}
}

func TestWhatSomebodyHasChangedMeanwhileStays(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	u.attachTuned("orders", nil)
	u.when(psync, func(u *tuned) { must(t, u.node.Client().ConfigSet(t.Context(), "repl-diskless-sync-delay", "3").Err()) })
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable {
		t.Errorf("%s %s", s.Status, s.StatusReason)
	}
	u.want("after the snapshot", "yes 3")
	if n := u.open("orders"); n != 0 {
		t.Errorf("%d changes are left", n)
	}
}

// However an attempt ends, the node has its settings back by then.
func TestASnapshotThatFailsPutsTheSettingsBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	refusing := newTuned(c, "--user", "default", "on", "nopass", "~*", "+@all", "-psync")
	refusing.attachTuned("refusing", nil)
	if s := c.snapshot("refusing", "refused"); s.Status != models.SnapshotFailed || refusing.open("refusing") != 0 {
		t.Errorf("%s %s, and %d changes are left", s.Status, s.StatusReason, refusing.open("refusing"))
	}
	refusing.want("when the snapshot has failed", asBefore)
	if told := refusing.heard(); len(told) != 5 {
		t.Errorf("the node was told %q", told)
	}

	cancelled := newTuned(c)
	cancelled.attachTuned("cancelled", nil)
	ended := make(chan struct{})
	cancelled.when(psync, func(u *tuned) {
		run, _, err := c.db.Runs.Last(context.Background(), "cancelled", models.RunSnapshot, time.Time{})
		must(t, err)
		must(t, c.db.Runs.Cancel(context.Background(), run.ID))
		<-ended // the node never gets it
	})
	if s := c.snapshot("cancelled", "stopped"); s.Status != models.SnapshotFailed || cancelled.open("cancelled") != 0 {
		t.Errorf("%s %s, and %d changes are left", s.Status, s.StatusReason, cancelled.open("cancelled"))
	}
	cancelled.want("when the snapshot was cancelled", asBefore)
	close(ended)
}

// The next snapshot may begin before what another console has left was put back.
func TestWhatAnotherRunHasLeftIsNotTakenForTheNodesOwn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	cluster := u.attachTuned("orders", nil)
	other, err := c.db.Owners.Enroll(t.Context(), "there", time.Hour)
	must(t, err)
	run := u.run("orders", "first", other.ID)
	c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
	must(t, c.db.Settle.Fail(t.Context(), run, models.RunFailed, "It was cut off."))
	if s := c.snapshot("orders", "second"); s.Status != models.SnapshotAvailable {
		t.Errorf("%s %s", s.Status, s.StatusReason)
	}
	u.rescue("orders")
	u.want("afterwards", asBefore)
	if n := u.open("orders"); n != 0 {
		t.Errorf("%d changes are left", n)
	}
}

// A node that goes away in the middle gets its settings back when it returns. An event says so, once.
func TestANodeThatWasAwayGetsItsSettingsBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	u.attachTuned("orders", nil)
	u.when(psync, func(u *tuned) { u.tap.Close() })
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotFailed {
		t.Errorf("%s %s", s.Status, s.StatusReason)
	}
	for range 2 {
		u.rescue("orders")
	}
	u.want("while it is away", asTuned)
	if n := u.open("orders"); n != 2 {
		t.Errorf("%d changes are to be put back", n)
	}
	host, port, _ := strings.Cut(u.tap.Addr, ":")
	if events := c.events(); strings.Count(events, "changed for a snapshot") != 1 || !strings.Contains(events, "redis-cli -h "+host+" -p "+port+" CONFIG SET repl-diskless-sync-delay 1") {
		t.Errorf("the events are\n%s", events)
	}
	u.tap.Open()
	u.rescue("orders")
	u.want("when it is back", asBefore)
	if events := c.events(); u.open("orders") != 0 || !strings.Contains(events, "rdbcompression at "+u.tap.Addr+" is yes again.") {
		t.Errorf("%d changes are left; the events are\n%s", u.open("orders"), events)
	}
}

// rescue puts back what is left, when the last snapshot is not worked on any more.
func (u *tuned) rescue(cluster string) {
	u.t.Helper()
	run, found, err := u.db.Runs.Last(u.t.Context(), cluster, models.RunSnapshot, time.Time{})
	if err != nil || !found {
		u.t.Fatalf("there is no run: %v", err)
	}
	u.manager.Settled(run.ID)
	u.manager.Rescue(u.t.Context())
}

// A console that is killed while a node is tuned has written down what it changed: the next start puts it back.
func TestAKilledConsolesChangesArePutBackAtTheNextStart(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	cluster := u.attachTuned("orders", nil)
	c.stop()
	run := u.run("orders", "first", c.earlier())
	c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
	u.want("when it is killed", asTuned)
	c.start()
	testkit.WaitFor(t, "the settings to be put back", func() bool { return u.settings() == asBefore && u.open("orders") == 0 })
	if s := c.awaitSnapshot("first"); s.Status != models.SnapshotFailed {
		t.Errorf("%s %s", s.Status, s.StatusReason)
	}
	c.await("orders", models.ClusterAvailable)
	if s := c.snapshot("orders", "second"); s.Status != models.SnapshotAvailable || u.settings() != asBefore {
		t.Errorf("the next one is %s %s, and the node has %s", s.Status, s.StatusReason, u.settings())
	}
}

// Another console's run is its own while it has its lease, and anybody's afterwards.
func TestAConsoleLeavesOthersTheirTuning(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	cluster := u.attachTuned("orders", nil)
	other, err := c.db.Owners.Enroll(t.Context(), "there", time.Hour)
	must(t, err)
	run := u.run("orders", "first", other.ID)
	putBack := c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
	c.manager.Rescue(t.Context())
	u.want("while the other one is there", asTuned)
	_, err = c.db.Owners.End(t.Context(), other)
	must(t, err)
	c.manager.Rescue(t.Context())
	u.want("when it is gone", asBefore)

	// It was only frozen. What others have decided meanwhile is not touched any more.
	must(t, u.node.Client().ConfigSet(t.Context(), "rdbcompression", "no").Err())
	putBack()
	u.want("when it thaws", "no 1")
}

// A console that is frozen right before the change finds out that it is no longer written down.
func TestAFrozenConsoleUndoesWhatItChangesTooLate(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	u := newTuned(c)
	cluster := u.attachTuned("orders", nil)
	other, err := c.db.Owners.Enroll(t.Context(), "there", time.Hour)
	must(t, err)
	run := u.run("orders", "first", other.ID)
	u.when(setCompression, func(u *tuned) {
		_, err := c.db.Owners.End(t.Context(), other)
		must(t, err)
		c.manager.Rescue(t.Context())
		if n := u.open("orders"); n != 0 {
			t.Errorf("%d changes are left", n)
		}
	})
	c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
	u.want("afterwards", asBefore)
	if told := u.heard(); !slices.Contains(told, setDelay) {
		t.Errorf("it was told %q", told)
	}

	// Without its run it does not even begin.
	c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
	if told := u.heard(); len(told) != 0 {
		t.Errorf("without a run the node was told %q", told)
	}
}

func TestDetachingPutsBackOrSaysWhatToRun(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"there": false, "away": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			u := newTuned(c)
			cluster := u.attachTuned("orders", nil)
			other, err := c.db.Owners.Enroll(t.Context(), "there", time.Hour)
			must(t, err)
			run := u.run("orders", "first", other.ID)
			c.manager.Tune(t.Context(), run, cluster, cluster.Nodes[0])
			must(t, c.db.Settle.Fail(t.Context(), run, models.RunFailed, "It was cut off."))
			if away {
				u.tap.Close()
			}
			must(t, c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
			c.manager.Wake()
			c.waitFor("the cluster is detached", func() bool {
				_, err := c.db.Clusters.Get(t.Context(), "orders")
				return models.HasCode(err, models.CodeClusterNotFound)
			}, c.events)
			settings := asBefore
			if away {
				settings = asTuned
			}
			u.want("detached", settings)
			host, port, _ := strings.Cut(u.tap.Addr, ":")
			if says := strings.Contains(c.events(), "Run: redis-cli -h "+host+" -p "+port+" CONFIG SET rdbcompression yes;"); says != away {
				t.Errorf("the events are\n%s", c.events())
			}
		})
	}
}
