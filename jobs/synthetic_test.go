package jobs_test

import (
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
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// synthetic is a cluster whose daily snapshots are made from its journal, once there is one that the journal begins with.
func (c *console) synthetic(clock *clockwork.FakeClock, spec models.ClusterSpec) models.Cluster {
	c.t.Helper()
	spec.Retention, spec.Window = 20, models.Window{Start: 3 * 60, Length: 60}
	cluster := c.create(spec)[0]
	c.keepJournal(spec.Name, func(p *models.JournalPlan) { p.Days, p.Synthetic, p.Lone = 20, true, true })
	c.waitFor("a recovery window", func() bool {
		c.touch(cluster)
		clock.Advance(time.Second)
		return len(c.window(cluster)) > 0
	}, func() string { return c.journalNow(cluster) })
	return c.await(spec.Name, models.ClusterAvailable)
}

// touch has something come in the stream of each shard that changes nothing.
func (c *console) touch(cluster models.Cluster) {
	c.t.Helper()
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		client := c.client(cluster, node)
		for i := 0; ; i++ {
			err := client.Eval(c.t.Context(), `redis.call('SET', KEYS[1], 1) redis.call('DEL', KEYS[1])`, []string{fmt.Sprintf("touch:%d", i)}).Err()
			if err == nil || errors.Is(err, redis.Nil) {
				break
			} else if !strings.HasPrefix(err.Error(), "MOVED ") {
				c.t.Fatal(err)
			}
		}
	}
}

// beforeTheWindow moves the clock to just before the next daily snapshot, when everything that is written is stored.
func (c *console) beforeTheWindow(clock *clockwork.FakeClock, cluster models.Cluster) {
	c.t.Helper()
	next, on, err := c.db.Schedule.Next(c.t.Context(), c.await(cluster.Name, models.ClusterAvailable))
	if err != nil || !on {
		c.t.Fatalf("no next snapshot: %v", err)
	}
	clock.Advance(max(0, next.Add(-2*time.Minute).Sub(clock.Now())))
	wanted := make(map[int]int64)
	c.touch(cluster)
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		wanted[shard.Number] = resp.ParseInfo(c.client(cluster, node).Info(c.t.Context(), "replication").Val()).Int("master_repl_offset")
	}
	c.waitFor("the journal to have what was written", func() bool {
		c.touch(cluster)
		if next.Sub(clock.Now()) > 10*time.Second {
			clock.Advance(time.Second)
		}
		links, err := c.db.Recording.Links(c.t.Context(), cluster)
		must(c.t, err)
		return len(links) == len(wanted) && !slices.ContainsFunc(links, func(l models.JournalLink) bool { return l.Offset < wanted[l.Shard] })
	}, func() string { return c.journalNow(cluster) })
}

// tonight takes the next daily snapshot.
func (c *console) tonight(clock *clockwork.FakeClock, cluster models.Cluster) models.Snapshot {
	c.t.Helper()
	c.beforeTheWindow(clock, cluster)
	snapshot := c.inTheWindow(clock, cluster)
	if snapshot.Status != models.SnapshotAvailable || snapshot.Source != models.SourceAutomatic || !strings.HasPrefix(snapshot.Name, "automatic."+cluster.Name+"-2026-") {
		c.t.Fatalf("%s %s is %s: %s\n%s", snapshot.Source, snapshot.Name, snapshot.Status, snapshot.StatusReason, c.events())
	}
	return snapshot
}

// inTheWindow waits for the snapshot whose window is about to open.
func (c *console) inTheWindow(clock *clockwork.FakeClock, cluster models.Cluster) models.Snapshot {
	c.t.Helper()
	known := len(c.automatic(cluster.Name))
	var snapshots []models.Snapshot
	c.waitFor("the daily snapshot", func() bool {
		if snapshots = c.automatic(cluster.Name); len(snapshots) > known {
			return snapshots[0].Status != models.SnapshotCreating
		}
		clock.Advance(time.Second)
		return false
	}, c.events)
	return mustSnapshot(c, snapshots[0].Name)
}

// compared waits for the comparison of a snapshot.
func (c *console) compared(clock *clockwork.FakeClock, cluster models.Cluster, snapshot models.Snapshot) models.JournalComparison {
	c.t.Helper()
	var comparison models.JournalComparison
	c.waitFor("the comparison to begin", func() bool {
		clock.Advance(time.Second)
		run, found, err := c.db.Runs.Last(c.t.Context(), cluster.Name, models.RunCompare, time.Time{})
		must(c.t, err)
		return found && run.SnapshotName == snapshot.Name && run.Status != models.RunQueued
	}, c.events)
	c.waitFor("the comparison", func() bool {
		c.touch(cluster)
		clock.Advance(time.Second)
		var found bool
		var err error
		comparison, found, err = c.db.Comparisons.Of(c.t.Context(), snapshot.ID)
		must(c.t, err)
		return found
	}, c.events)
	return comparison
}

// forks is how often the nodes of a cluster have forked.
func (c *console) forks(cluster models.Cluster) (all []string) {
	c.t.Helper()
	for _, node := range cluster.Nodes {
		all = append(all, node.Name+" "+resp.ParseInfo(c.client(cluster, node).Info(c.t.Context(), "stats").Val())["total_forks"])
	}
	return all
}

func TestDailySnapshotsAreMadeFromTheJournalOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := &throwaway{prefix: "0-recover-"}
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	c.stop()
	c.started = w.look
	c.start()
	cluster := c.synthetic(clock, c.spec("orders", 1))
	app := c.primary(cluster)
	testkit.Fill(t, app, 200)
	for i := range 200 {
		must(t, app.Set(t.Context(), fmt.Sprintf("soon:%d", i), i, 3*time.Second).Err())
	}
	first := c.tonight(clock, cluster)
	if first.Synthetic() || first.Origin != "" || first.Warning != "" {
		t.Fatalf("the first one was not taken of the cluster: %s%s", first.Origin, first.Warning)
	}
	if comparison := c.compared(clock, cluster, first); comparison.Verdict != models.VerdictSame || comparison.Base == "" || comparison.Base == first.Name {
		t.Fatalf("it was compared with %+v\n%s", comparison, c.events())
	}
	c.await("orders", models.ClusterAvailable)
	before, begins := c.forks(cluster), first.Name
	writer := testkit.NewWriter(t, app, 11, 0, 3)
	for day := range 5 {
		writer.Write(150)
		writer.Settle()
		lasting(t, app)
		must(t, app.Set(t.Context(), "day", day, 0).Err())
		want := testkit.Digests(t, app)
		snapshot := c.tonight(clock, cluster)
		if !snapshot.Synthetic() || !strings.Contains(snapshot.Origin, "replayed from "+begins+" and ") || snapshot.Warning != "" || snapshot.Engine != first.Engine || snapshot.EngineVersion != first.EngineVersion {
			t.Fatalf("day %d: it comes from %q (%s)\n%s", day, snapshot.Origin, snapshot.Warning, c.events())
		}
		if manifest := c.manifest(snapshot.Name); manifest.Source != models.SourceAutomatic || manifest.Moment == nil || manifest.Moment.Base != begins || manifest.Configuration.RetentionLimit != 20 {
			t.Errorf("its manifest has %+v", manifest)
		}
		again := c.restoreInto(c.spec(fmt.Sprintf("again%d", day), 0), snapshot.Name)
		if diff := testkit.Diff(want, testkit.Digests(t, c.primary(again))); diff != "" {
			t.Errorf("day %d: %s", day, diff)
		}
		begins = snapshot.Name
	}
	if after := c.forks(cluster); !slices.Equal(before, after) {
		t.Errorf("the nodes had forked %v times, and have %v", before, after)
	}
	c.tonight(clock, cluster) // the sixth day
	weekly := c.tonight(clock, cluster)
	if weekly.Synthetic() {
		t.Fatalf("after a week it still comes from the journal: %s", weekly.Origin)
	}
	if comparison := c.compared(clock, cluster, weekly); comparison.Verdict != models.VerdictSame || !strings.HasPrefix(comparison.Base, "automatic.orders-2026-03-17-") {
		t.Errorf("the weekly one was compared with %+v\n%s", comparison, c.events())
	}
	if len(w.bad) != 0 {
		t.Errorf("nodes %v: %v", w.seen, w.bad)
	}
	c.noDrills()
}

// What was compared is in the catalog only, so that it begins with a comparison again.
func TestDailySnapshotsFromTheJournalOutliveTheCatalog(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	cluster := c.synthetic(clock, c.spec("orders", 1))
	if comparison := c.compared(clock, cluster, c.tonight(clock, cluster)); comparison.Verdict != models.VerdictSame {
		t.Fatalf("%+v", comparison)
	}
	app := c.primary(cluster)
	testkit.Fill(t, app, 200)
	want := testkit.Digests(t, app)
	before := c.tonight(clock, cluster)
	if !before.Synthetic() {
		t.Fatalf("it comes from %q\n%s", before.Origin, c.events())
	}
	c.restart("the record", func(a *archive.Archive) bool {
		return c.kept(a, "orders", func(r archive.ClusterRecord) bool { return r.Journal != nil && r.Journal.Synthetic })
	})
	c.stop()
	c.loseCatalog()
	c.start()
	c.rebuild()
	cluster = c.await("orders", models.ClusterAvailable)
	after := mustSnapshot(c, before.Name)
	if !after.Synthetic() || after.Origin != before.Origin || after.Source != models.SourceAutomatic || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("it was %+v, and is %+v", before, after)
	}
	if plan, err := c.db.Recording.Plan(t.Context(), cluster); err != nil || !plan.Kept || !plan.Synthetic {
		t.Errorf("the journal is kept so: %+v, %v", plan, err)
	}
	again := c.restoreInto(c.spec("again", 0), after.Name)
	if diff := testkit.Diff(want, testkit.Digests(t, c.primary(again))); diff != "" {
		t.Error(diff)
	}
	clock.Advance(2 * time.Hour) // behind the window: that it was used is in the catalog only, too
	first := c.tonight(clock, cluster)
	if first.Synthetic() {
		t.Errorf("nothing was compared, and it comes from %q", first.Origin)
	}
	if comparison := c.compared(clock, cluster, first); comparison.Verdict != models.VerdictSame {
		t.Errorf("%+v\n%s", comparison, c.events())
	}
	if next := c.tonight(clock, cluster); !next.Synthetic() {
		t.Errorf("it comes from %q (%s)\n%s", next.Origin, next.Warning, c.events())
	}
}

func TestASnapshotThatTheJournalCannotMakeIsTakenOfTheCluster(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	cluster := c.synthetic(clock, c.spec("orders", 1))
	if comparison := c.compared(clock, cluster, c.tonight(clock, cluster)); comparison.Verdict != models.VerdictSame {
		t.Fatalf("%+v", comparison)
	}
	var piece string // behind the last snapshot, and read back: if it goes, that is not noticed soon
	for _, test := range []struct {
		what   string
		breaks func() (repair func())
		why    string
	}{
		{"a piece of the journal is missing", func() func() {
			must(t, os.Remove(filepath.Join(c.data, "snapshots", piece)))
			return func() {}
		}, "The journal of shard 1 "},
		{"there is no memory", func() func() {
			c.memoryLimit("50000000", "1")
			return func() { must(t, os.RemoveAll(filepath.Join(c.data, "cgroup"))) }
		}, "of memory in a node"},
	} {
		for base := ""; base != c.automatic(cluster.Name)[0].Name; { // a link that the leap of the clock cuts off begins with another one
			piece, base = c.readBack(clock, cluster)
			c.beforeTheWindow(clock, cluster)
		}
		repair := test.breaks()
		snapshot := c.inTheWindow(clock, cluster)
		repair()
		if snapshot.Status != models.SnapshotAvailable || snapshot.Synthetic() || !strings.Contains(snapshot.Warning, "It was taken of the cluster itself") || !strings.Contains(snapshot.Warning, test.why) {
			t.Errorf("%s: it is %s, from %q, and says %q\n%s", test.what, snapshot.Status, snapshot.Origin, snapshot.Warning, c.events())
		}
		if events := c.events(); !strings.Contains(events, fmt.Sprintf("The snapshot %s of orders is taken of the cluster itself, because it could not be made from the journal.", snapshot.Name)) {
			t.Errorf("%s: no event says so:\n%s", test.what, events)
		}
		c.noDrills()
		for _, file := range filesIn(t, filepath.Join(c.data, "snapshots")) {
			if strings.Contains(file, "/"+snapshot.Name+"/") && strings.Contains(file, "part-") && !strings.Contains(file, snapshot.Attempt) {
				t.Errorf("%s: %s is left", test.what, file)
			}
		}
		if next := c.tonight(clock, cluster); !next.Synthetic() {
			t.Errorf("%s: the next day it comes from %q (%s)\n%s", test.what, next.Origin, next.Warning, c.events())
		}
	}
}

// readBack waits until a piece of the journal behind the last snapshot is stored and was read back, and returns its key and the snapshot's name.
func (c *console) readBack(clock *clockwork.FakeClock, cluster models.Cluster) (key, behind string) {
	c.t.Helper()
	c.waitFor("a piece behind the last snapshot to be read back", func() bool {
		c.touch(cluster)
		clock.Advance(time.Second)
		last := mustSnapshot(c, c.automatic(cluster.Name)[0].Name)
		if last.Status == models.SnapshotCreating {
			return false
		}
		behind = last.Name
		base := last.Parts[0].ReplicationOffset
		stretches, err := c.db.Journal.Stretches(c.t.Context(), cluster.ID)
		must(c.t, err)
		run := stretches[len(stretches)-1]
		segments, err := c.db.Journal.Segments(c.t.Context(), cluster.ID, 1, run.Run, base, run.To)
		must(c.t, err)
		for _, s := range segments {
			if s.VerifiedAt != nil && s.From > base {
				key = s.Key
				return true
			}
		}
		return false
	}, c.events)
	return key, behind
}

// tampered is a link that sends again what was recorded, changed.
type tampered struct {
	io.Reader
	id     string
	offset int64
}

func (l *tampered) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	l.offset += int64(n)
	return n, err
}
func (l *tampered) ReplicationID() string { return l.id }
func (l *tampered) PreviousID() string    { return "" }
func (l *tampered) Offset() int64         { return l.offset }
func (l *tampered) Stored(int64)          {}
func (l *tampered) Close() error          { return nil }

// tamper puts a segment that has something else in the place of the one that has this, with everything about it right.
func (c *console) tamper(cluster, old, new string) {
	c.t.Helper()
	testkit.WaitFor(c.t, "the journal to be read back", func() bool { // or else the piece is found to have another length than was stored
		unread, err := c.db.Journal.Unverified(c.t.Context(), 1)
		return err == nil && len(unread) == 0
	})
	for _, s := range c.segments(cluster, 1) {
		r, err := journal.Open(c.t.Context(), c.store, []journal.Segment{s}, s.From, s.To)
		must(c.t, err)
		text, err := io.ReadAll(r)
		must(c.t, err)
		must(c.t, r.Close())
		if !strings.Contains(string(text), old) {
			continue
		}
		index, err := journal.ReadIndex(c.t.Context(), c.store, s)
		must(c.t, err)
		must(c.t, os.Remove(filepath.Join(c.data, "snapshots", s.Key)))
		link := &tampered{Reader: strings.NewReader(strings.ReplaceAll(string(text), old, new)), id: s.ReplicationID, offset: s.From}
		err = journal.Record(c.t.Context(), link, c.store, s.Place, s.Run, journal.RecorderOptions{Clock: clockwork.NewFakeClockAt(s.End),
			Resume: &journal.Resume{Run: s.Run, ReplicationID: s.ReplicationID, Offset: s.From, Database: index.Start.Database}})
		c.t.Log("recorded again:", err)
		return
	}
	c.t.Fatalf("no segment has %q", old)
}

func TestAJournalThatDiffersStopsWhatIsMadeFromIt(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	cluster := c.synthetic(clock, c.spec("orders", 1))
	app := c.primary(cluster)
	must(t, app.Set(t.Context(), "price", "one hundred", 0).Err())
	c.beforeTheWindow(clock, cluster)
	c.tamper("orders", "one hundred", "two hundred")
	first := c.tonight(clock, cluster)
	comparison := c.compared(clock, cluster, first)
	if comparison.Verdict != models.VerdictDiffers || !strings.Contains(comparison.Reason, "In shard 1, both have the same number of keys, but not the same values.") {
		t.Fatalf("it was compared with %+v\n%s", comparison, c.events())
	}
	if events := c.events(); !strings.Contains(events, "The snapshot "+first.Name+", which was taken of orders itself, is not what the journal makes of "+comparison.Base+" at the same place.") {
		t.Errorf("no event says so:\n%s", events)
	}
	if second := c.tonight(clock, cluster); second.Synthetic() || second.Warning != "" {
		t.Errorf("the next day it comes from %q (%s)", second.Origin, second.Warning)
	}
	if last, _, err := c.db.Comparisons.Last(t.Context(), cluster.ID); err != nil || last.SnapshotName != first.Name {
		t.Errorf("before anybody has looked, there is %+v, %v", last, err)
	}
	clock.Advance(time.Minute) // names of snapshots have the minute
	run, err := c.db.Comparisons.LookAgain(t.Context(), "orders", "test")
	must(t, err)
	c.manager.Wake()
	if ended := c.awaitRun(run); ended.Status != models.RunSucceeded {
		t.Fatalf("the snapshot %s: %s", ended.Status, ended.Error)
	}
	if again := c.compared(clock, cluster, mustSnapshot(c, run.SnapshotName)); again.Verdict != models.VerdictSame {
		t.Fatalf("behind a new base it is %+v\n%s", again, c.events())
	}
	if third := c.tonight(clock, cluster); !third.Synthetic() {
		t.Errorf("the next day it comes from %q (%s)\n%s", third.Origin, third.Warning, c.events())
	}
}

func TestAllShardsOfADailySnapshotAreOfOneMoment(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	cluster := c.synthetic(clock, c.inClusterMode("orders", 3, 0))
	c.fillShards(cluster)
	if comparison := c.compared(clock, cluster, c.tonight(clock, cluster)); comparison.Verdict != models.VerdictSame {
		t.Fatalf("%+v\n%s", comparison, c.events())
	}
	app := c.clusterClient(cluster)
	for i := range 300 {
		must(t, app.Set(t.Context(), fmt.Sprintf("later:%d", i), i, 0).Err())
	}
	want, before := c.digests(cluster), c.forks(cluster)
	snapshot := c.tonight(clock, cluster)
	if !snapshot.Synthetic() || len(snapshot.Parts) != 3 || snapshot.Parts[1].Slots != "5461-10922" || snapshot.Keys != int64(len(want)) || !snapshot.ClusterMode {
		t.Fatalf("it has %d keys in %d parts, and comes from %q (%s)", snapshot.Keys, len(snapshot.Parts), snapshot.Origin, snapshot.Warning)
	}
	if after := c.forks(cluster); !slices.Equal(before, after) {
		t.Errorf("the nodes had forked %v times, and have %v", before, after)
	}
	if diff := testkit.Diff(want, c.digests(c.restoreInto(c.inClusterMode("again", 3, 0), snapshot.Name))); diff != "" {
		t.Error(diff)
	}
}

// Keys whose time has passed, and which the source has not removed yet, are in what it sends; what is made of the journal has them, too.
func TestKeysWhoseTimeHasPassedDoNotMakeAJournalDiffer(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	server := testkit.Redis(t, "--repl-diskless-sync-delay", "0")
	app := server.Client()
	must(t, app.Do(t.Context(), "DEBUG", "SET-ACTIVE-EXPIRE", "0").Err())
	cluster := c.attach(attachSpec("orders", server.Addr))
	retention, window := 20, models.Window{Start: 3 * 60, Length: 60}
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention, Window: &window})
	must(t, err)
	passed := func(name string) {
		_, err := app.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := range 100 {
				p.Set(t.Context(), fmt.Sprintf("%s:%d", name, i), i, time.Millisecond)
				p.HSet(t.Context(), fmt.Sprintf("%s:hash:%d", name, i), "a", i)
				p.PExpire(t.Context(), fmt.Sprintf("%s:hash:%d", name, i), 200*time.Millisecond)
			}
			return nil
		})
		must(t, err)
	}
	passed("before")
	c.keepJournal("orders", func(p *models.JournalPlan) { p.Days, p.Synthetic, p.Lone = 7, true, true })
	c.waitFor("a recovery window", func() bool {
		must(t, app.Publish(t.Context(), "news", "x").Err())
		clock.Advance(time.Second)
		return len(c.window(cluster)) > 0
	}, func() string { return c.journalNow(cluster) })
	passed("behind")
	if err := app.Get(t.Context(), "before:1").Err(); !errors.Is(err, redis.Nil) { // which removes it, and says so in the stream
		t.Fatal(err)
	}
	snapshot := c.tonight(clock, c.await("orders", models.ClusterAvailable))
	if comparison := c.compared(clock, cluster, snapshot); comparison.Verdict != models.VerdictSame || snapshot.Parts[0].Expires < 200 {
		t.Errorf("with %d keys that expire it was compared with %+v\n%s", snapshot.Parts[0].Expires, comparison, c.events())
	}
}

func TestADailySnapshotThatIsCutOffIsTakenAgainInItsWindow(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"stopped", "killed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			clock := clockwork.NewFakeClockAt(noon)
			c := newConsole(t, clock)
			cluster := c.synthetic(clock, c.spec("orders", 1))
			testkit.Fill(t, c.primary(cluster), 200)
			if comparison := c.compared(clock, cluster, c.tonight(clock, cluster)); comparison.Verdict != models.VerdictSame {
				t.Fatalf("%+v", comparison)
			}
			c.beforeTheWindow(clock, cluster)
			c.cutOffTonight(clock, how)
			c.start()
			c.waitFor("another snapshot in the window", func() bool {
				clock.Advance(10 * time.Second)
				rows := c.automatic("orders")
				return len(rows) > 0 && rows[0].Status == models.SnapshotAvailable && rows[0].CreatedAt.Day() == clock.Now().Day()
			}, c.events)
			if newest := mustSnapshot(c, c.automatic("orders")[0].Name); newest.Synthetic() || newest.CreatedAt.Hour() != 3 {
				t.Errorf("the second attempt, at %s, comes from %q", newest.CreatedAt, newest.Origin)
			}
			c.noDrills()
		})
	}
}

// cutOffTonight stops or kills the console while it makes the daily snapshot from the journal.
func (c *console) cutOffTonight(clock *clockwork.FakeClock, how string) {
	c.t.Helper()
	c.stop()
	next, _, err := c.db.Schedule.Next(c.t.Context(), c.await("orders", models.ClusterAvailable))
	must(c.t, err)
	clock.Advance(next.Sub(clock.Now()) + time.Second)
	if how == "killed" {
		queued, err := c.db.Schedule.QueueDue(c.t.Context())
		if err != nil || queued != 1 {
			c.t.Fatal(queued, err)
		}
		run, claimed, err := c.db.Runs.Claim(c.t.Context(), c.earlier(), func(r models.Run) bool { return r.Kind == models.RunSnapshot })
		if err != nil || !claimed {
			c.t.Fatal(claimed, err)
		}
		at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: run.SnapshotName})
		must(c.t, c.db.Snapshots.NoteAttempt(c.t.Context(), run, run.SnapshotName, at.ID))
		_, err = c.store.Put(c.t.Context(), at.Keys(1)[1], strings.NewReader("the beginning of it"))
		must(c.t, err)
		must(c.t, c.nodes.Start(c.t.Context(), launch.Node{Cluster: fmt.Sprintf("0-recover-%d", run.ID), Name: "part-0001", Engine: c.spec("x", 0).Engine.Name,
			Port: testkit.FreePort(c.t), Password: "secret"}))
		return
	}
	reached, once := make(chan struct{}), sync.Once{}
	c.started = func(n launch.Node) {
		if strings.HasPrefix(n.Cluster, "0-recover-") {
			once.Do(func() { close(reached) })
		}
	}
	c.pace = 20_000 // so that the snapshot of the node takes a while
	c.start()
	testkit.WaitFor(c.t, "the node", func() bool {
		select {
		case <-reached:
			return true
		default:
			return false
		}
	})
	c.stop()
	c.noDrills()
	c.pace, c.started = 0, nil
}
