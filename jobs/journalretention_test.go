package jobs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/journal"
	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// keysOf are the segments of a cluster in the store that reach behind a place, and end before an instant.
func (c *console) keysOf(cluster string, from int64, before time.Time) (keys []string) {
	c.t.Helper()
	for s, err := range journal.List(c.t.Context(), c.store, cluster, time.Time{}) {
		must(c.t, err)
		if s.To > from && s.End.Before(before) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// reopened starts the console anew at another time, which somebody has confirmed.
func (c *console) reopened(clock clockwork.Clock) {
	c.t.Helper()
	c.stop()
	must(c.t, c.db.Close())
	var err error
	c.clock = clock
	c.db, err = catalog.Open(c.t.Context(), catalog.File(filepath.Join(c.data, "rekindle.db")), clock, c.host)
	must(c.t, err)
	_, err = c.db.Clock.Look(c.t.Context(), time.Time{})
	must(c.t, err)
	must(c.t, c.db.Clock.Confirm(c.t.Context(), "test"))
}

// A recovery to a moment that leaves the window while it is under way has everything that it needs until its end. Of another cluster the same goes.
func TestRetentionTakesNothingFromARecovery(t *testing.T) {
	t.Parallel()
	for _, into := range []string{"a snapshot", "a new cluster"} {
		t.Run(into, func(t *testing.T) {
			t.Parallel()
			retainedFor(t, into == "a new cluster")
		})
	}
}

func retainedFor(t *testing.T, straight bool) {
	reached, release := make(chan struct{}), make(chan struct{})
	c := newConsole(t, clockwork.NewRealClock())
	var moments []time.Time
	var bases []models.Snapshot
	var wanted map[string]string
	names := []string{"orders", "other"}
	for _, name := range names {
		cluster := c.withJournal(name, 1, nil)
		testkit.Fill(t, c.primary(cluster), 100)
		moments = append(moments, c.quiet(cluster))
		if name == "orders" {
			wanted = testkit.Digests(t, c.primary(cluster))
		}
		must(t, c.primary(cluster).FlushAll(t.Context()).Err())
		c.written(cluster)
		c.snapshot(name, "later-"+name)
		c.written(cluster)
	}
	for _, name := range names {
		bases = append(bases, mustSnapshot(c, c.automatic(name)[0].Name)) // with its parts
	}
	needed := func(i int) []string { return c.keysOf(names[i], bases[i].Parts[0].ReplicationOffset, moments[i]) }
	before := make(map[string][]string)
	for i, name := range names {
		before[name] = needed(i)
		if len(before[name]) == 0 {
			t.Fatalf("nothing is stored of %s up to its moment", name)
		}
	}
	clock := clockwork.NewFakeClockAt(time.Now().Add(30 * time.Hour).Round(0)) // which is its own measure
	c.started = func(n launch.Node) {
		if strings.HasPrefix(n.Cluster, "0-recover-") || n.Cluster == "again" && straight {
			close(reached)
			<-release
		}
	}
	c.reopened(clock)
	var run models.Run
	if straight {
		run = c.askStraight(c.spec("again", 0), moments[0])
	} else {
		run = c.must(c.db.Recoveries.Request(t.Context(), models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moments[0], RequestedBy: "test"}))
	}
	c.start()
	testkit.WaitFor(t, "the recovery to begin", func() bool {
		select {
		case <-reached:
			return true
		default:
			return false
		}
	})
	gone := func(name string, i int) func() bool {
		return func() bool {
			clock.Advance(time.Minute)
			left := needed(i)
			return !slices.ContainsFunc(before[name], func(key string) bool { return slices.Contains(left, key) })
		}
	}
	c.waitFor("retention", gone("other", 1), c.events)
	clock.Advance(10 * time.Minute) // another round may be under way
	if left := needed(0); !slices.Equal(left, before["orders"]) {
		t.Errorf("of %d segments that it needs %d are left", len(before["orders"]), len(left))
	}
	if status := c.status(bases[0].Name); status != models.SnapshotCopying {
		t.Errorf("what it begins with is %s", status)
	}
	close(release)
	if run = c.awaitRun(run); run.Status != models.RunSucceeded {
		t.Fatalf("the recovery %s: %s", run.Status, run.Error)
	}
	var again models.Cluster
	if straight {
		again = c.await("again", models.ClusterAvailable)
	} else {
		again = c.restoreInto(c.spec("again", 0), "back")
		// What was recovered is a snapshot of that moment, which the window could begin with.
		must(t, c.db.Snapshots.Delete(t.Context(), []string{"back"}, "test"))
		c.manager.Wake()
	}
	if diff := testkit.Diff(wanted, testkit.Digests(t, c.primary(again))); diff != "" {
		t.Error(diff)
	}
	c.waitFor("its segments to go afterwards", gone("orders", 0), c.events)
}

// Somebody deletes the snapshot that the window begins with: it begins with the next one, and says so.
func TestTheWindowBeginsWithTheOldestSnapshotThatIsLeft(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.withJournal("orders", 1, nil)
	c.written(cluster)
	moment := c.quiet(cluster)
	c.written(cluster)
	next := c.snapshot("orders", "next")
	c.written(cluster)
	if window := c.window(cluster); !window.Contains(moment) {
		t.Fatalf("the window %v is without %s", window, moment)
	}
	must(t, c.db.Snapshots.Delete(t.Context(), []string{c.automatic("orders")[0].Name}, "test"))
	c.manager.Wake()
	c.waitFor("the window to begin later", func() bool {
		window := c.window(cluster)
		return len(window) == 1 && !window.Contains(moment) && !window.Oldest().Before(next.CreatedAt.Truncate(time.Second))
	}, func() string { return c.journalNow(cluster) })
	if run := c.recover(models.RecoverSpec{Cluster: "orders", Name: "back", Moment: moment}); run.Status != models.RunFailed || !strings.HasPrefix(run.Error, "There is no snapshot of orders from before") {
		t.Errorf("a recovery to before it %s: %s", run.Status, run.Error)
	}
}

// ahead is a clock that somebody can set.
type ahead struct {
	clockwork.Clock
	by atomic.Int64
}

func (a *ahead) Now() time.Time { return a.Clock.Now().Add(time.Duration(a.by.Load())) }

// The clock was a month ahead for a while. What was stored then does not hold up what comes, nothing is removed, and a restarted console goes on behind
// the newest place, not behind the latest time.
func TestJournalGoesOnWhenTheClockHasLeapt(t *testing.T) {
	t.Parallel()
	clock := &ahead{Clock: clockwork.NewRealClock()}
	c := newConsole(t, clock)
	cluster := c.withJournal("orders", 1, nil)
	c.written(cluster)
	stored := c.keysOf("orders", 0, time.Now())
	clock.by.Store(int64(31 * 24 * time.Hour))
	c.written(cluster)
	clock.by.Store(0)
	app := c.primary(cluster)
	behind := func() int64 {
		links, err := c.db.Recording.Links(t.Context(), cluster)
		must(t, err)
		return links[0].Offset
	}
	for range 2 {
		must(t, app.Set(t.Context(), "key", strings.Repeat("x", 1000), 0).Err())
		place := resp.ParseInfo(app.Info(t.Context(), "replication").Val()).Int("master_repl_offset")
		c.waitFor("what is written now", func() bool { return behind() >= place }, func() string { return c.journalNow(cluster) })
	}
	last := behind()
	c.stop()
	c.start()
	c.waitFor("the link", func() bool {
		links, err := c.db.Recording.Links(t.Context(), cluster)
		must(t, err)
		return links[0].Owner != "" && links[0].State == models.JournalFollowing
	}, func() string { return c.journalNow(cluster) })
	if now := behind(); now < last {
		t.Errorf("it went on at %d again, and was at %d", now, last)
	}
	stretches, err := c.db.Journal.Stretches(t.Context(), cluster.ID)
	must(t, err)
	if left := c.keysOf("orders", 0, time.Now()); len(stretches) != 1 || len(left) < len(stored) || !slices.Equal(left[:len(stored)], stored) {
		t.Errorf("%d of %d segments are left: %s", len(left), len(stored), c.journalNow(cluster))
	}
}
