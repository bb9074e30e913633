package jobs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// restart stops and starts the console, whose first tick brings the records in the store in line with the catalog, and waits until this is so.
func (c *console) restart(what string, condition func(a *archive.Archive) bool) {
	c.t.Helper()
	c.stop()
	c.start()
	testkit.WaitFor(c.t, what, func() bool { return condition(archive.New(c.store)) })
}

// kept tells whether the record of a cluster in the store is the one that the catalog has written.
func (c *console) kept(a *archive.Archive, cluster string, like func(archive.ClusterRecord) bool) bool {
	record, err := a.Cluster(c.t.Context(), cluster)
	kept, failure := c.db.Records.Kept(c.t.Context(), []string{archive.ClusterRecordKey(cluster)})
	return err == nil && failure == nil && kept[archive.ClusterRecordKey(cluster)] == record.Sum() && like(record)
}

func anyRecord(archive.ClusterRecord) bool { return true }

// loseHost removes the whole data folder but the store under a console that is stopped, its nodes killed, and opens a new catalog.
func (c *console) loseHost() {
	c.t.Helper()
	ids, err := c.nodes.List(c.t.Context())
	must(c.t, err)
	for _, id := range ids {
		must(c.t, c.nodes.Stop(c.t.Context(), id.Cluster, id.Name, launch.Kill))
		must(c.t, c.nodes.Remove(c.t.Context(), id.Cluster, id.Name))
	}
	c.loseCatalog()
}

func (c *console) delete(cluster string) {
	c.t.Helper()
	must(c.t, c.db.Clusters.Delete(c.t.Context(), cluster, models.DeleteSpec{RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(c.t, "the cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(c.t.Context(), cluster)
		return models.HasCode(err, models.CodeClusterNotFound)
	})
}

// The host is lost with its nodes and its database; the store is there. What was deleted on purpose stays deleted.
func TestLostHostIsRebuiltFromTheStoreAlone(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	spec := c.spec("orders", 0)
	spec.Description, spec.Retention, spec.Window = "Orders of the shop", 9, models.Window{Start: 4 * 60, Length: 90}
	source := c.primary(c.create(spec)[0])
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")
	c.create(c.spec("empty", 0))
	c.create(c.spec("gone", 0))
	c.snapshot("gone", "of-gone")
	settings := models.Settings{ManualQuota: 7, Price: 0.02, Currency: "EUR"}
	must(t, c.db.Settings.Save(t.Context(), settings))
	must(t, c.db.Settings.SaveVerifyEvery(t.Context(), 3))
	must(t, c.db.Settings.SaveKeepEvents(t.Context(), 30))
	for _, channel := range []models.Channel{
		{Name: "Chat", Kind: models.ChannelSlack, URL: "https://hooks.example.org/Passwords/in/the/path", Clusters: models.Lines{"orders"}},
		{Name: "Mail", Kind: models.ChannelMail, Host: "smtp.example.org", Port: 25, Security: models.MailPlain, Sender: "console@example.org", Recipients: models.Lines{"ops@example.org"}},
	} {
		channel.Conditions = models.Lines{string(models.ConditionFailed)}
		_, err := c.db.Channels.Create(t.Context(), channel, "test")
		must(t, err)
	}
	c.restart("the records", func(a *archive.Archive) bool {
		_, err := a.Console(t.Context())
		return err == nil && c.kept(a, "gone", anyRecord) && c.kept(a, "empty", anyRecord)
	})
	c.delete("gone")
	if _, err := archive.New(c.store).Cluster(t.Context(), "gone"); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("the record of the deleted cluster: %v", err)
	}
	// A change of the schedule after the newest snapshot is known too.
	retention := 11
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention})
	must(t, err)
	plan := models.DrillPlan{Every: models.Monthly, Window: models.Window{Start: 5 * 60, Length: 60}, Day: 15}
	must(t, c.db.Drills.SavePlan(t.Context(), "orders", plan, "test"))
	c.restart("the changed record", func(a *archive.Archive) bool {
		return c.kept(a, "orders", func(r archive.ClusterRecord) bool { return r.Configuration.RetentionLimit == 11 && r.Drills != nil })
	})
	for _, file := range []string{"console.json", "orders/cluster.json"} {
		if text, err := os.ReadFile(filepath.Join(c.data, "snapshots", file)); err != nil || strings.Contains(string(text), "assword") || strings.Contains(string(text), "session") {
			t.Errorf("%s: %v %s", file, err, text)
		}
	}
	c.stop()
	c.loseHost()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded || !strings.Contains(c.events(), "Known again, but without nodes: empty, orders.") {
		t.Fatalf("the rebuild %s: %s\n%s", run.Status, run.Error, c.events())
	}
	back, err := c.db.Clusters.Get(t.Context(), "orders")
	must(t, err)
	if back.Description != spec.Description || back.RetentionLimit != 11 || back.SnapshotWindow != spec.Window || !back.WindowChosen || back.NodeType != spec.NodeType ||
		back.Engine != spec.Engine.Name || back.Status != models.ClusterRestoreFailed || !back.Lost() ||
		!strings.Contains(back.StatusReason, "Its nodes are gone") || !strings.Contains(back.StatusReason, "newest snapshot, s1 of") {
		t.Errorf("the cluster came back as %+v", back)
	}
	if planned, err := c.db.Drills.Plan(t.Context(), back); err != nil || !planned.Same(plan) || planned.DueAt.UTC().Day() != 15 || planned.DueAt.Before(time.Now()) {
		t.Errorf("its drills came back as %+v: %v", planned, err)
	}
	if empty, err := c.db.Clusters.Get(t.Context(), "empty"); err != nil || !strings.Contains(empty.StatusReason, "There is no snapshot of it.") || empty.WindowChosen {
		t.Errorf("the cluster without a snapshot came back as %+v: %v", empty, err)
	}
	if _, err := c.db.Clusters.Get(t.Context(), "gone"); !models.HasCode(err, models.CodeClusterNotFound) {
		t.Errorf("the deleted cluster was brought back: %v", err)
	}
	got, err := c.db.Settings.Get(t.Context())
	days, failure := c.db.Settings.VerifyEvery(t.Context())
	if err != nil || failure != nil || got != settings || days != 3 {
		t.Errorf("the settings are %+v, verified every %d days: %v %v", got, days, err, failure)
	}
	if kept, err := c.db.Settings.KeepEvents(t.Context()); err != nil || kept != 30 {
		t.Errorf("events are kept for %d days: %v", kept, err)
	}
	channels, err := c.db.Channels.All(t.Context())
	must(t, err)
	if len(channels) != 2 || !channels[0].Paused || channels[0].URL != "" || !slices.Equal(channels[0].Clusters, models.Lines{"orders"}) || channels[1].Paused || channels[1].Host != "smtp.example.org" ||
		!strings.Contains(c.events(), "known again: Chat, Mail. Their secrets were in the catalog that was lost: nothing is sent through Chat until") {
		t.Errorf("the channels came back as %+v\n%s", channels, c.events())
	}
	if s := mustSnapshot(c, "s1"); s.ClusterID != back.ID || s.RetentionLimit != 9 {
		t.Errorf("the snapshot is %+v", s)
	}
	// Another rebuild, and a restart, change nothing.
	before, err := os.ReadFile(filepath.Join(c.data, "snapshots", "orders", "cluster.json"))
	must(t, err)
	c.rebuild()
	c.stop()
	c.start()
	if after, err := os.ReadFile(filepath.Join(c.data, "snapshots", "orders", "cluster.json")); err != nil || string(after) != string(before) {
		t.Errorf("the record became %s (%v)", after, err)
	}
	// The entry goes, its snapshots stay, and the name is free for the restore.
	c.delete("orders")
	restore := c.spec("orders", 0)
	restore.Snapshot = "s1"
	if got := testkit.Fingerprint(t, c.primary(c.create(restore)[0])); got != want {
		t.Error("the snapshot restores other data than was taken")
	}
	if c.rebuild(); len(mustClusters(c)) != 2 {
		t.Errorf("a rebuild brought something back: %d clusters", len(mustClusters(c)))
	}
}

func mustClusters(c *console) []models.Cluster {
	c.t.Helper()
	clusters, err := c.db.Clusters.All(c.t.Context())
	must(c.t, err)
	return clusters
}

// A store from before there were records: automatic snapshots tell that their cluster was not deleted. Neither retention nor the deletion of
// the entry takes them.
func TestLostHostIsRebuiltFromManifestsAlone(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsole(t, clock)
	spec := c.spec("orders", 0)
	spec.Retention, spec.Window = 2, models.Window{Start: 3 * 60, Length: 60}
	c.create(spec)
	first, second := c.nextAutomatic(clock, "orders"), c.nextAutomatic(clock, "orders")
	// An import that is newer has no schedule, and must not become the cluster's.
	clock.Advance(time.Hour)
	must(t, c.upload("orders", "imported", fakeRDB("REDIS0010", oneKey...)))
	must(t, c.upload("elsewhere", "foreign", fakeRDB("REDIS0010", oneKey...)))
	c.stop()
	for _, record := range []string{"console.json", "orders/cluster.json"} {
		must(t, os.RemoveAll(filepath.Join(c.data, "snapshots", record)))
	}
	c.loseHost()
	clock.Advance(10 * 24 * time.Hour)
	rebuilt := clock.Now()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	back, err := c.db.Clusters.Get(t.Context(), "orders")
	must(t, err)
	if back.RetentionLimit != 2 || back.SnapshotWindow != spec.Window || !back.WindowChosen || !strings.Contains(back.StatusReason, second.Name) || len(mustClusters(c)) != 1 {
		t.Errorf("the clusters came back as %+v", mustClusters(c))
	}
	if outlived, err := c.db.Schedule.QueueOutlived(t.Context()); err != nil || len(outlived) != 0 {
		t.Errorf("retention takes %v: %v", outlived, err)
	}
	c.restart("the record", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) })
	c.delete("orders")
	for _, name := range []string{first.Name, second.Name} {
		if s := mustSnapshot(c, name); s.Status != models.SnapshotAvailable || s.VerifiedAt != nil && s.VerifiedAt.Before(rebuilt) {
			t.Errorf("%s is %s, verified %v", name, s.Status, s.VerifiedAt)
		}
	}
	if c.rebuild(); len(mustClusters(c)) != 0 {
		t.Error("a deleted entry came back")
	}
}

// The node files are there and the newest snapshot under the cluster's name is an import: its backups go on.
func TestImportDoesNotSwitchBackupsOff(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	spec := c.spec("orders", 0)
	spec.Retention = 5
	before := c.create(spec)[0]
	c.snapshot("orders", "s1")
	must(t, c.upload("orders", "imported", fakeRDB("REDIS0010", oneKey...)))
	run := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "imported", Name: "copied", RequestedBy: "test"})))
	if run.Status != models.RunSucceeded {
		t.Fatal(run.Error)
	}
	c.stop()
	c.loseCatalog()
	c.start()
	c.rebuild()
	after := c.await("orders", models.ClusterAvailable)
	if after.RetentionLimit != 5 || after.SnapshotWindow != before.SnapshotWindow || after.WindowChosen || after.Description != before.Description {
		t.Errorf("the cluster was %+v and came back as %+v", before, after)
	}
}

// A record that was written by somebody else since is replaced only by a change that was made here, and then an event says so. What an
// older catalog has written before, a restart does not write again.
func TestRecordOfSomebodyElseIsNotReplacedBlindly(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	c.create(c.spec("bills", 0))
	c.restart("the records", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) && c.kept(a, "bills", anyRecord) })
	a := archive.New(c.store)
	for _, name := range []string{"orders", "bills"} {
		other, err := a.Cluster(t.Context(), name)
		must(t, err)
		other.Configuration.Description = "written by another console"
		must(t, a.WriteCluster(t.Context(), other))
	}
	retention := 3
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention})
	must(t, err)
	c.restart("the changed record", func(a *archive.Archive) bool {
		return c.kept(a, "orders", func(r archive.ClusterRecord) bool { return r.Configuration.RetentionLimit == 3 })
	})
	if other, err := a.Cluster(t.Context(), "bills"); err != nil || other.Configuration.Description != "written by another console" {
		t.Errorf("without a change here the record became %+v: %v", other, err)
	}
	if events := c.events(); strings.Count(events, "was written by another console") != 1 || !strings.Contains(events, "The record orders/cluster.json in the store") {
		t.Errorf("events:\n%s", events)
	}
	c.delete("bills")
	if _, err := a.Cluster(t.Context(), "bills"); err != nil {
		t.Errorf("the other console's record was removed with our cluster: %v", err)
	}
	// A record of a cluster that was deleted while the store was away goes later.
	must(t, c.db.Records.EndKeep(t.Context(), archive.ClusterRecordKey("late"), lateRecord(t, a)))
	c.restart("the late record to go", func(a *archive.Archive) bool {
		_, err := a.Cluster(t.Context(), "late")
		return errors.Is(err, archive.ErrMissing)
	})
}

func lateRecord(t *testing.T, a *archive.Archive) string {
	t.Helper()
	record, err := a.Cluster(t.Context(), "orders")
	must(t, err)
	record.Cluster = "late"
	must(t, a.WriteCluster(t.Context(), record))
	return record.Sum()
}

// What was changed in the last minute before an orderly end is in the store, and not only after the next start.
func TestRecordsThatAreDueAreWrittenWhenTheConsoleIsStopped(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 0))
	c.restart("the record", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) })
	retention := 11
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention})
	must(t, err)
	c.stop()
	if record, err := archive.New(c.store).Cluster(t.Context(), "orders"); err != nil || record.Configuration.RetentionLimit != retention {
		t.Errorf("the store has %+v, %v", record.Configuration, err)
	}
	if marks, err := c.db.Records.Marked(t.Context()); err != nil || len(marks) != 0 {
		t.Errorf("still due: %v, %v", marks, err)
	}
	c.start()
}

// deaf is a store that at some time says nothing any more about records, and does not notice either that nobody waits.
type deaf struct {
	store.Store
	mu     sync.Mutex
	silent chan struct{} // when not nil, whoever writes a record waits until it is closed
}

func (s *deaf) fallSilent() (speak func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = make(chan struct{})
	return func() { close(s.silent) }
}

func (s *deaf) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	s.mu.Lock()
	silent := s.silent
	s.mu.Unlock()
	if silent != nil && strings.HasSuffix(key, "/cluster.json") {
		<-silent
	}
	return s.Store.Put(ctx, key, r)
}

func TestStoreThatSaysNothingDoesNotHoldUpTheStop(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	folder, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	st := &deaf{Store: folder}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	c.create(c.spec("orders", 0))
	c.restart("the record", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) })
	speak := st.fallSilent()
	retention := 11
	_, err = c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &retention})
	must(t, err)
	begun := time.Now()
	c.stop()
	if took := time.Since(begun); took > 20*time.Second { // it waits for 5 seconds; a busy machine is slow
		t.Errorf("the stop took %s", took)
	}
	if marks, err := c.db.Records.Marked(t.Context()); err != nil || len(marks) != 1 {
		t.Errorf("due at the next start: %v, %v", marks, err)
	}
	speak()
	c.start()
	testkit.WaitFor(t, "the record after the next start", func() bool {
		return c.kept(archive.New(folder), "orders", func(r archive.ClusterRecord) bool { return r.Configuration.RetentionLimit == retention })
	})
}
