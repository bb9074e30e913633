package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rekindle/models"
)

func TestManyWorkersClaimEachRunOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	const runs, workers = 60, 12
	for i := range runs {
		must(db.Runs.enqueue(t.Context(), models.Run{Kind: models.RunDeleteSnapshot, SnapshotName: fmt.Sprint(i)}, models.NoArgs{}))(t)
	}
	var mutex sync.Mutex
	owners := make(map[uint]string)
	for i := range workers {
		lease(t, db, fmt.Sprint(i))
	}
	for _, err := range atOnce(workers, func(i int) error {
		for last := uint(0); ; {
			run, ok, err := db.Runs.Claim(context.Background(), fmt.Sprint(i), func(r models.Run) bool { return r.SnapshotName != "13" })
			if err != nil || !ok {
				return err
			}
			mutex.Lock()
			if other, twice := owners[run.ID]; twice || run.ID <= last || run.Status != models.RunRunning || run.Attempts != 1 || run.StartedAt == nil {
				t.Errorf("%+v, also claimed by %q", run, other)
			}
			owners[run.ID], last = run.Owner, run.ID
			mutex.Unlock()
		}
	}) {
		check(t, err)
	}
	if len(owners) != runs-1 {
		t.Errorf("%d runs were claimed", len(owners))
	}
	for id, owner := range owners {
		if run := must(db.Runs.Get(t.Context(), id))(t); run.Owner != owner || run.Status != models.RunRunning {
			t.Errorf("%+v was claimed by %s", run, owner)
		}
	}
	if active := must(db.Runs.Active(t.Context()))(t); len(active) != runs {
		t.Errorf("%d are active", len(active))
	}
}

func TestLeftoverRunsAreFoundAndRepeated(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for _, owner := range []string{"dead", "alive"} {
		must(db.Runs.enqueue(t.Context(), models.Run{Kind: models.RunCreate, ClusterName: owner}, models.NoArgs{}))(t)
		_, ok, err := db.Runs.Claim(t.Context(), lease(t, db, owner), func(models.Run) bool { return true })
		if check(t, err); !ok {
			t.Fatal("nothing to claim")
		}
	}
	must(db.Runs.enqueue(t.Context(), models.Run{Kind: models.RunCreate, ClusterName: "queued"}, models.NoArgs{}))(t)
	check(t, db.Owners.Leave(t.Context(), "dead"))
	leftover := must(db.Runs.CutOff(t.Context(), "third"))(t)
	if len(leftover) != 1 || leftover[0].ClusterName != "dead" {
		t.Fatalf("%+v", leftover)
	}
	check(t, db.Runs.Requeue(t.Context(), leftover[0]))
	run := claim(t, db)
	if run.ID != leftover[0].ID || run.Attempts != 2 || run.Owner != "console" {
		t.Errorf("%+v", run)
	}
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
	if err := db.Runs.Requeue(t.Context(), run); !errors.Is(err, models.ErrRunEnded) {
		t.Error(err)
	}
	if again := must(db.Runs.Get(t.Context(), run.ID))(t); again.Status != models.RunFailed {
		t.Errorf("a run that had ended is %s", again.Status)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.Snapshots.Request(t.Context(), "orders", "one", true, "admin"))(t)
	run := claim(t, db)
	want := models.Progress{Step: 1, Steps: 2, StepSince: db.Now(), StepFrom: 1, Stage: "Reading", BytesDone: 5, BytesTotal: 10, KeysDone: 3, KeysTotal: 9}
	check(t, db.Runs.ReportProgress(t.Context(), run, want))
	if cancel, err := db.Runs.CancelRequested(t.Context(), run.ID); cancel || err != nil {
		t.Error(cancel, err)
	}
	if r := must(db.Runs.Get(t.Context(), run.ID))(t); (models.Progress{Step: r.Step, Steps: r.Steps, StepSince: orZero(r.StepSince).UTC(), StepFrom: r.StepFrom, Stage: r.Stage, BytesDone: r.BytesDone, BytesTotal: r.BytesTotal, KeysDone: r.KeysDone, KeysTotal: r.KeysTotal}) != want || !must(models.Args[models.SnapshotArgs](r))(t).Override {
		t.Errorf("%+v", r)
	}
	if n := must(db.Runs.SnapshotsOnHost(t.Context(), "127.0.0.1"))(t); n != 1 {
		t.Errorf("%d snapshots on the host", n)
	}
	if n := must(db.Runs.SnapshotsOnHost(t.Context(), "10.0.0.1"))(t); n != 0 {
		t.Errorf("%d snapshots on another host", n)
	}
	check(t, db.Runs.Cancel(t.Context(), run.ID))
	if cancel, err := db.Runs.CancelRequested(t.Context(), run.ID); !cancel || err != nil {
		t.Error("the worker is not told that it was cancelled", err)
	}
	_, err := db.Runs.CancelRequested(t.Context(), 999)
	refused(t, err, models.CodeRunNotFound)
}

func TestCancelRunInEachState(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "good")
	restore := spec("copy")
	restore.Snapshot = "good"

	// Queued: everything is settled at once.
	run := must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	check(t, db.Runs.Cancel(t.Context(), run.ID))
	expectRun(t, db, run.ID, models.RunCancelled)
	expectCluster(t, db, "orders", models.ClusterAvailable)
	expectSnapshot(t, db, "one", models.SnapshotFailed)
	refused(t, db.Runs.Cancel(t.Context(), run.ID), models.CodeRunState)

	must(db.Clusters.Create(t.Context(), restore))(t)
	active := must(db.Runs.Active(t.Context()))(t)
	check(t, db.Runs.Cancel(t.Context(), active[0].ID))
	expectRun(t, db, active[0].ID, models.RunCancelled)
	expectCluster(t, db, "copy", models.ClusterRestoreFailed)
	expectSnapshot(t, db, "good", models.SnapshotAvailable)
	if n := count(t, db, &models.Event{}, "severity <> ?", models.SeverityInfo); n != 0 {
		t.Error("what somebody wanted is reported as an error")
	}

	// Running: only asked for; the worker ends it.
	run = must(db.Snapshots.Request(t.Context(), "orders", "two", false, "admin"))(t)
	run = claim(t, db)
	check(t, db.Runs.Cancel(t.Context(), run.ID))
	expectRun(t, db, run.ID, models.RunRunning)
	expectCluster(t, db, "orders", models.ClusterSnapshotting)
	refused(t, db.Runs.Cancel(t.Context(), run.ID), models.CodeRunState)
	check(t, db.Settle.Fail(t.Context(), run, models.RunCancelled, "It was cancelled."))
	expectRun(t, db, run.ID, models.RunCancelled)
	expectCluster(t, db, "orders", models.ClusterAvailable)

	// Ended, of another kind, unknown.
	taken(t, db, "orders", "three")
	var ended models.Run
	check(t, db.with(t.Context()).Last(&ended).Error)
	refused(t, db.Runs.Cancel(t.Context(), ended.ID), models.CodeRunState)
	must(db.Clusters.Create(t.Context(), spec("other")))(t)
	refused(t, db.Runs.Cancel(t.Context(), claim(t, db).ID), models.CodeRunState)
	refused(t, db.Runs.Cancel(t.Context(), 999), models.CodeRunNotFound)
}

func TestCancelAndClaimAtOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	lease(t, db, "console")
	for i := range 10 {
		name := fmt.Sprintf("s%d", i)
		run := must(db.Snapshots.Request(t.Context(), "orders", name, false, "admin"))(t)
		var claimed bool
		var mine models.Run
		for _, err := range atOnce(2, func(i int) (err error) {
			if i == 0 {
				return db.Runs.Cancel(context.Background(), run.ID)
			}
			mine, claimed, err = db.Runs.Claim(context.Background(), "console", func(models.Run) bool { return true })
			return err
		}) {
			check(t, err)
		}
		if claimed {
			if r := must(db.Runs.Get(t.Context(), run.ID))(t); r.Status != models.RunRunning || !r.CancelRequested {
				t.Fatalf("%+v", r)
			}
			check(t, db.Settle.Fail(t.Context(), mine, models.RunCancelled, "It was cancelled."))
		}
		expectRun(t, db, run.ID, models.RunCancelled)
		expectSnapshot(t, db, name, models.SnapshotFailed)
		expectCluster(t, db, "orders", models.ClusterAvailable)
	}
}

func expectRun(t *testing.T, db *DB, id uint, want models.RunStatus) {
	t.Helper()
	if run := must(db.Runs.Get(t.Context(), id))(t); run.Status != want || run.Status.Ended() != (run.EndedAt != nil) {
		t.Errorf("run %d is %s (ended %v), want %s", id, run.Status, run.EndedAt, want)
	}
}

func expectCluster(t *testing.T, db *DB, name string, want models.ClusterStatus) {
	t.Helper()
	if cluster := must(db.Clusters.Get(t.Context(), name))(t); cluster.Status != want {
		t.Errorf("cluster %s is %s, want %s", name, cluster.Status, want)
	}
}

func expectSnapshot(t *testing.T, db *DB, name string, want models.SnapshotStatus) {
	t.Helper()
	if snapshot := must(db.Snapshots.Get(t.Context(), name))(t); snapshot.Status != want {
		t.Errorf("snapshot %s is %s, want %s", name, snapshot.Status, want)
	}
}

func TestSnapshotFromRequestToRemoval(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	c := spec("orders")
	c.Auth, c.Retention, c.Description = models.AuthGenerate, 3, "The shop's"
	cluster := launched(t, db, c)
	run := must(db.Snapshots.Request(t.Context(), "orders", " One ", false, "admin"))(t)
	s := must(db.Snapshots.Get(t.Context(), "one"))(t)
	if s.Status != models.SnapshotCreating || s.Source != models.SourceManual || s.ClusterID != cluster.ID || !s.AuthEnabled || s.RetentionLimit != 3 || s.Usable() ||
		s.EngineName() != testEngine || s.SnapshotWindow != cluster.SnapshotWindow || run.SnapshotName != "one" {
		t.Errorf("%+v", s)
	}
	clock.Advance(time.Minute)
	run = claim(t, db)
	check(t, db.Settle.Snapshot(t.Context(), run, measured(db, "one")))
	s = must(db.Snapshots.Get(t.Context(), "one"))(t)
	if s.Status != models.SnapshotAvailable || s.Bytes != 1000 || len(s.Parts) != 1 || !s.CompletedAt.Equal(clock.Now()) || s.CreatedAt.Equal(clock.Now()) {
		t.Errorf("%+v", s)
	}
	expectRun(t, db, run.ID, models.RunSucceeded)
	expectCluster(t, db, "orders", models.ClusterAvailable)
	before := content(t, db)
	check(t, db.Settle.Snapshot(t.Context(), run, measured(db, "one"))) // the answer to the first one was lost
	refused(t, db.Snapshots.Delete(t.Context(), []string{"one", "none"}, "admin"), models.CodeSnapshotNotFound)
	if content(t, db) != before {
		t.Error("something was written")
	}
	check(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"))
	expectSnapshot(t, db, "one", models.SnapshotDeleting)
	refused(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"), models.CodeSnapshotState)
	run = claim(t, db)
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "The store does not answer."))
	expectSnapshot(t, db, "one", models.SnapshotFailed)
	expectRun(t, db, run.ID, models.RunFailed)
	check(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"))
	run = claim(t, db)
	check(t, db.Settle.SnapshotDeletion(t.Context(), run))
	expectRun(t, db, run.ID, models.RunSucceeded)
	if count(t, db, &models.Snapshot{}) != 0 || count(t, db, &models.Part{}) != 0 {
		t.Error("rows remain")
	}
	check(t, db.Snapshots.RemoveRow(t.Context(), "one"))
}

func TestOneSnapshotOfAClusterAtATime(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	won := 0
	for _, err := range atOnce(12, func(i int) error {
		_, err := db.Snapshots.Request(context.Background(), "orders", fmt.Sprintf("s%d", i), false, "admin")
		return err
	}) {
		if err == nil {
			won++
		} else {
			refused(t, err, models.CodeClusterState)
		}
	}
	if won != 1 || count(t, db, &models.Snapshot{}) != 1 || count(t, db, &models.Run{}, "kind = ?", models.RunSnapshot) != 1 {
		t.Errorf("%d won", won)
	}
	_, err := db.Snapshots.Request(t.Context(), "none", "x", false, "admin")
	if refused(t, err, models.CodeClusterNotFound).Fields()["cluster"] == "" {
		t.Error(err)
	}
}

func TestRequestSnapshotRefusesAndWritesNothing(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	tiny := spec("tiny")
	tiny.NodeType = "cache.t1.micro"
	launched(t, db, tiny)
	launched(t, db, spec("orders"))
	must(db.Clusters.Create(t.Context(), spec("young")))(t)
	claim(t, db)
	taken(t, db, "orders", "one")
	before := content(t, db)
	for _, test := range []struct {
		cluster, name, field string
		code                 models.Code
	}{
		{"orders", "one", "name", models.CodeSnapshotExists}, {"orders", "ONE", "name", models.CodeSnapshotExists}, {"orders", "", "name", models.CodeInvalid},
		{"orders", "automatic.x", "name", models.CodeInvalid}, {"tiny", "x", "cluster", models.CodeSnapshotUnsupported}, {"young", "x", "cluster", models.CodeClusterState},
	} {
		_, err := db.Snapshots.Request(t.Context(), test.cluster, test.name, false, "admin")
		if refused(t, err, test.code).Fields()[test.field] == "" {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if content(t, db) != before {
		t.Error("something was written")
	}
	// The quota: failed ones do not count, those of other clusters neither, and after 24 hours there is room again.
	check(t, db.Settings.Save(t.Context(), models.Settings{ManualQuota: 3, Price: 0, Currency: "$"}))
	run := must(db.Snapshots.Request(t.Context(), "orders", "failed", false, "admin"))(t)
	check(t, db.Runs.Cancel(t.Context(), run.ID))
	clock.Advance(time.Hour)
	taken(t, db, "orders", "two")
	taken(t, db, "orders", "three")
	_, err := db.Snapshots.Request(t.Context(), "orders", "four", false, "admin")
	refused(t, err, models.CodeSnapshotQuota)
	expectCluster(t, db, "orders", models.ClusterAvailable)
	clock.Advance(23 * time.Hour)
	taken(t, db, "orders", "four")
	// But nobody is kept from a last backup.
	_, err = db.Snapshots.Request(t.Context(), "orders", "five", false, "admin")
	refused(t, err, models.CodeSnapshotQuota)
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "final", RequestedBy: "admin"}))
}

func TestDeleteCluster(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Retention, c.Replicas = 1, 1
	cluster := launched(t, db, c)
	taken(t, db, "orders", "by-hand")
	check(t, db.with(t.Context()).Create(&models.Snapshot{Name: "automatic.orders-1", ClusterName: "orders", ClusterID: cluster.ID, Source: models.SourceAutomatic, Status: models.SnapshotAvailable}).Error)
	check(t, db.with(t.Context()).Create(&models.WindowMark{ClusterID: cluster.ID, Opens: monday}).Error)

	if fields := refused(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "by-hand", RequestedBy: "admin"}), models.CodeSnapshotExists).Fields(); fields["final_name"] == "" {
		t.Error(fields)
	}
	refused(t, db.Clusters.Delete(t.Context(), "none", models.DeleteSpec{RequestedBy: "admin"}), models.CodeClusterNotFound)

	// A final snapshot that fails: nothing was deleted.
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "Final-1", RequestedBy: "admin"}))
	run := claim(t, db)
	if run.Kind != models.RunDelete || run.SnapshotName != "final-1" || must(models.Args[models.DeleteArgs](run))(t).FinalSnapshot != "final-1" {
		t.Errorf("%+v", run)
	}
	refused(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}), models.CodeClusterState)
	_, err := db.Snapshots.Request(t.Context(), "orders", "x", false, "admin")
	refused(t, err, models.CodeClusterState)
	check(t, db.Settle.AbandonDelete(t.Context(), run, "The link broke."))
	expectCluster(t, db, "orders", models.ClusterAvailable)
	expectSnapshot(t, db, "final-1", models.SnapshotFailed)
	if err := db.Settle.Snapshot(t.Context(), run, measured(db, "final-1")); !errors.Is(err, models.ErrRunEnded) {
		t.Errorf("a failed final snapshot was completed: %v", err)
	}
	expectSnapshot(t, db, "final-1", models.SnapshotFailed)
	expectRun(t, db, run.ID, models.RunFailed)

	// One that ends before the final snapshot was begun leaves no snapshot that is being made for ever.
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "final-0", RequestedBy: "admin"}))
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "It was begun too often."))
	expectSnapshot(t, db, "final-0", models.SnapshotFailed)
	_, err = db.Clusters.move(t.Context(), cluster.ID, models.ClusterAvailable, "", models.ClusterDeleting)
	check(t, err)

	// Deletion that cannot be finished is begun again.
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "final-2", RequestedBy: "admin"}))
	run = claim(t, db)
	check(t, db.Settle.Snapshot(t.Context(), run, measured(db, "final-2")))
	expectRun(t, db, run.ID, models.RunRunning)
	expectCluster(t, db, "orders", models.ClusterDeleting)
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "The store does not answer."))
	expectCluster(t, db, "orders", models.ClusterDeleting)
	expectSnapshot(t, db, "final-2", models.SnapshotAvailable)
	refused(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "final-3", RequestedBy: "admin"}), models.CodeClusterState)
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	refused(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}), models.CodeClusterState) // it is under way
	run = claim(t, db)
	names := must(db.Snapshots.Automatic(t.Context(), cluster.ID))(t)
	if len(names) != 1 || names[0] != "automatic.orders-1" {
		t.Errorf("automatic ones: %v", names)
	}
	for range 2 { // again after a restart
		if !must(db.Snapshots.ClaimForRemoval(t.Context(), names[0]))(t) {
			t.Error("it cannot be claimed")
		}
	}
	check(t, db.Snapshots.RemoveRow(t.Context(), names[0]))
	check(t, db.Settle.ClusterDeletion(t.Context(), run))
	expectRun(t, db, run.ID, models.RunSucceeded)
	if _, err := db.Clusters.Get(t.Context(), "orders"); !models.HasCode(err, models.CodeClusterNotFound) {
		t.Error(err)
	}
	if count(t, db, &models.Node{}) != 0 || count(t, db, &models.WindowMark{}) != 0 || count(t, db, &models.Snapshot{}, "cluster_id <> 0") != 0 {
		t.Error("rows remain")
	}
	for _, name := range []string{"by-hand", "final-2"} {
		expectSnapshot(t, db, name, models.SnapshotAvailable)
	}
	// The id is free again, and the new cluster has nothing to do with the old one's snapshots.
	again := launched(t, db, c)
	if again.ID == cluster.ID || len(must(db.Snapshots.Automatic(t.Context(), again.ID))(t)) != 0 {
		t.Error("the new cluster has the old one's number")
	}
}

// A worker that was thought dead comes back after its run was settled, and the cluster belongs to another run.
func TestARunThatHasEndedSettlesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Replicas = 1
	launched(t, db, c)
	must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	stale := claim(t, db)
	check(t, db.Settle.Fail(t.Context(), stale, models.RunFailed, "Rekindle ended in the middle of it."))
	must(db.Snapshots.Request(t.Context(), "orders", "two", false, "admin"))(t)
	claim(t, db)
	before := content(t, db)
	modify := stale
	modify.Kind = models.RunModify
	settled := map[string]error{
		"complete snapshot": db.Settle.Snapshot(t.Context(), stale, measured(db, "one")),
		"complete cluster":  db.Settle.Cluster(t.Context(), modify, "x"),
		"abandon delete":    db.Settle.AbandonDelete(t.Context(), modify, "x"),
		"snapshot deletion": db.Settle.SnapshotDeletion(t.Context(), stale),
		"cluster deletion":  db.Settle.ClusterDeletion(t.Context(), stale),
	}
	for _, kind := range models.RunKinds() {
		failed := stale
		failed.Kind = kind
		settled["fail "+string(kind)] = db.Settle.Fail(t.Context(), failed, models.RunFailed, "x")
	}
	for name, err := range settled {
		if !errors.Is(err, models.ErrRunEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if content(t, db) != before {
		t.Error("something was written")
	}
}

// A console killed in the middle of settling leaves all of it or nothing: here the last statement of each fails.
func TestSettlingIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Replicas = 1
	launched(t, db, c)
	run := must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	claim(t, db)
	noRoom(t, db, "UPDATE OF ended_at ON runs")
	before := content(t, db)
	settles := map[string]func() error{
		"complete snapshot": func() error { return db.Settle.Snapshot(t.Context(), run, measured(db, "one")) },
		"complete cluster":  func() error { return db.Settle.Cluster(t.Context(), run, "x") },
		"abandon delete":    func() error { return db.Settle.AbandonDelete(t.Context(), run, "x") },
		"snapshot deletion": func() error { return db.Settle.SnapshotDeletion(t.Context(), run) },
		"cluster deletion":  func() error { return db.Settle.ClusterDeletion(t.Context(), run) },
		"cancel":            func() error { return db.Runs.Cancel(cancelled(t), run.ID) },
	}
	for _, kind := range models.RunKinds() {
		failed := run
		failed.Kind = kind
		settles["fail "+string(kind)] = func() error { return db.Settle.Fail(t.Context(), failed, models.RunFailed, "x") }
	}
	for name, settle := range settles {
		if err := settle(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if content(t, db) != before {
			t.Fatalf("%s: something was written", name)
		}
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestFailuresOfClustersSayWhy(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	must(db.Clusters.Create(t.Context(), spec("orders")))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The program did not start."))
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	if cluster.Status != models.ClusterCreateFailed || cluster.StatusReason != "The program did not start." {
		t.Errorf("%+v", cluster)
	}
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	claim(t, db)

	launched(t, db, spec("other"))
	other := must(db.Clusters.Get(t.Context(), "other"))(t)
	for _, step := range []struct{ reachable, changed bool }{{true, false}, {false, true}, {false, false}, {true, true}} {
		if changed := must(db.Clusters.MarkReachable(t.Context(), other.ID, step.reachable, "No answer."))(t); changed != step.changed {
			t.Errorf("%+v", step)
		}
	}
	if must(db.Clusters.MarkReachable(t.Context(), cluster.ID, false, "x"))(t) {
		t.Error("a cluster that is being deleted became unreachable")
	}
	events := must(db.Events.List(t.Context(), models.List{Equal: map[string]string{"severity": "error"}}))(t)
	if events.Total != 2 || events.Rows[0].Message != "The cluster other is unreachable. No answer." ||
		!strings.Contains(events.Rows[1].Message, "orders could not be created. The program did not start.") {
		t.Errorf("%+v", events)
	}
}
