package jobs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/journal"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// A link that was away for less than the nodes' backlogs hold goes on. One that was away for longer leaves a gap, which is named. A damaged piece is named,
// too. Every moment outside of them can be had.
func TestAGapInAJournalIsNamedAndNothingElseIsLost(t *testing.T) {
	t.Parallel()
	const backlog = "16384"
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t, "--repl-backlog-size", backlog, "--repl-diskless-sync-delay", "0")
	replica := replicaOf(t, primary, "--repl-backlog-size", backlog)
	spec := attachSpec("orders", primary.Addr, replica.Addr)
	spec.Retention, spec.Window = 3, models.Window{Start: (c.clock.Now().UTC().Hour() + 12) % 24 * 60, Length: 60}
	cluster := c.attach(spec)
	c.keepJournal("orders", nil)
	c.playable(cluster)
	app := primary.Client()
	state := func(is string) (offset int64, moment time.Time) {
		t.Helper()
		must(t, app.Set(t.Context(), "state", is, 0).Err())
		offset = resp.ParseInfo(app.Info(t.Context(), "replication").Val()).Int("master_repl_offset")
		moment = c.quiet(cluster)
		c.written(cluster) // something comes behind it
		return offset, moment
	}
	_, first := state("first")
	run := c.written(cluster).Run

	c.stop()
	must(t, app.Set(t.Context(), "meanwhile", strings.Repeat("x", 4000), 0).Err())
	c.start()
	place, short := state("after a short while")
	if last := c.written(cluster); last.Run != run {
		t.Fatalf("a short while broke it: %s", c.journalNow(cluster))
	}

	c.stop()
	for i := range 100 {
		must(t, app.Set(t.Context(), fmt.Sprint("meanwhile:", i), strings.Repeat("x", 1000), 0).Err())
	}
	began := time.Now()
	testkit.WaitFor(t, "some of the gap to pass", func() bool { return time.Since(began) > 100*time.Millisecond })
	within := time.Now()
	c.start()
	c.waitFor("what is recorded behind the gap", func() bool {
		must(t, app.Incr(t.Context(), "written").Err())
		stretches, err := c.db.Journal.Stretches(t.Context(), cluster.ID)
		must(t, err)
		return len(stretches) == 2
	}, func() string { return c.journalNow(cluster) })
	c.snapshot("orders", "behind") // which the console asks for itself, but not twice within ten minutes
	c.waitFor("the window behind the gap", func() bool {
		must(t, app.Incr(t.Context(), "written").Err())
		return len(c.window(cluster)) == 2
	}, func() string { return c.journalNow(cluster) })
	_, last := state("behind the gap")
	if text := c.events(); !strings.Contains(text, "The journal of orders has a gap before ") {
		t.Errorf("nothing says that there is a gap:\n%s", text)
	}
	if window := c.window(cluster); window.Contains(within) || !window.Contains(first) || !window.Contains(short) || !window.Contains(last) {
		t.Errorf("the window is %v; the moments are %s, %s, %s and %s", window, first, short, within, last)
	}

	segments := c.segments("orders", 1)
	i := slices.IndexFunc(segments, func(s journal.Segment) bool { return s.Run == run && s.From < place && s.To >= place })
	object := filepath.Join(c.data, "snapshots", segments[i].Key)
	whole, err := os.ReadFile(object)
	must(t, err)
	damaged := slices.Clone(whole)
	damaged[len(damaged)-5] ^= 1
	recovered := func(name, want string, moment time.Time) {
		t.Helper()
		c.recovered(models.RecoverSpec{Cluster: "orders", Name: name, Moment: moment})
		if got := c.primary(c.restoreInto(c.spec(name, 0), name)).Get(t.Context(), "state").Val(); got != want {
			t.Errorf("%s is the state %q, want %q", name, got, want)
		}
	}
	refused := func(name, want string, moment time.Time) {
		t.Helper()
		if run := c.recover(models.RecoverSpec{Cluster: "orders", Name: name, Moment: moment}); run.Status != models.RunFailed || !strings.HasPrefix(run.Error, want) {
			t.Errorf("%s %s: %s; want %s", name, run.Status, run.Error, want)
		}
		c.nothingIsLeft(name)
	}
	must(t, os.WriteFile(object, damaged, 0o600))
	recovered("before-the-damage", "first", first)
	refused("in-the-damage", "The journal of shard 1 from "+segments[i].Begin.UTC().Format(time.DateTime), short)
	recovered("behind-the-gap", "behind the gap", last)
	must(t, os.WriteFile(object, whole, 0o600))
	recovered("repaired", "after a short while", short)
	refused("in-the-gap", "The journal of shard 1 has a gap from ", within)
}
