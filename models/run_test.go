package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestManyWorkersClaimEachRunOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	const runs, workers = 60, 12
	for i := range runs {
		must(db.enqueue(t.Context(), Run{Kind: RunDeleteSnapshot, SnapshotName: fmt.Sprint(i)}, NoArgs{}))(t)
	}
	var mutex sync.Mutex
	owners := make(map[uint]string)
	for i := range workers {
		lease(t, db, fmt.Sprint(i))
	}
	for _, err := range atOnce(workers, func(i int) error {
		for last := uint(0); ; {
			run, ok, err := db.ClaimRun(context.Background(), fmt.Sprint(i), func(r Run) bool { return r.SnapshotName != "13" })
			if err != nil || !ok {
				return err
			}
			mutex.Lock()
			if other, twice := owners[run.ID]; twice || run.ID <= last || run.Status != RunRunning || run.Attempts != 1 || run.StartedAt == nil {
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
		if run := must(db.Run(t.Context(), id))(t); run.Owner != owner || run.Status != RunRunning {
			t.Errorf("%+v was claimed by %s", run, owner)
		}
	}
	if active := must(db.ActiveRuns(t.Context()))(t); len(active) != runs {
		t.Errorf("%d are active", len(active))
	}
}

func TestLeftoverRunsAreFoundAndRepeated(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for _, owner := range []string{"dead", "alive"} {
		must(db.enqueue(t.Context(), Run{Kind: RunCreate, ClusterName: owner}, NoArgs{}))(t)
		_, ok, err := db.ClaimRun(t.Context(), lease(t, db, owner), func(Run) bool { return true })
		if check(t, err); !ok {
			t.Fatal("nothing to claim")
		}
	}
	must(db.enqueue(t.Context(), Run{Kind: RunCreate, ClusterName: "queued"}, NoArgs{}))(t)
	check(t, db.Leave(t.Context(), "dead"))
	leftover := must(db.CutOffRuns(t.Context(), "third"))(t)
	if len(leftover) != 1 || leftover[0].ClusterName != "dead" {
		t.Fatalf("%+v", leftover)
	}
	check(t, db.Requeue(t.Context(), leftover[0]))
	run := claim(t, db)
	if run.ID != leftover[0].ID || run.Attempts != 2 || run.Owner != "console" {
		t.Errorf("%+v", run)
	}
	check(t, db.FailRun(t.Context(), run, RunFailed, "It broke."))
	if err := db.Requeue(t.Context(), run); !errors.Is(err, ErrRunEnded) {
		t.Error(err)
	}
	if again := must(db.Run(t.Context(), run.ID))(t); again.Status != RunFailed {
		t.Errorf("a run that had ended is %s", again.Status)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.RequestSnapshot(t.Context(), "orders", "one", true, "admin"))(t)
	run := claim(t, db)
	want := Progress{"Reading", 5, 10, 3, 9}
	check(t, db.ReportProgress(t.Context(), run, want))
	if cancel, err := db.CancelRequested(t.Context(), run.ID); cancel || err != nil {
		t.Error(cancel, err)
	}
	if r := must(db.Run(t.Context(), run.ID))(t); (Progress{r.Stage, r.BytesDone, r.BytesTotal, r.KeysDone, r.KeysTotal}) != want || !must(Args[SnapshotArgs](r))(t).Override {
		t.Errorf("%+v", r)
	}
	if n := must(db.SnapshotsOnHost(t.Context(), "127.0.0.1"))(t); n != 1 {
		t.Errorf("%d snapshots on the host", n)
	}
	if n := must(db.SnapshotsOnHost(t.Context(), "10.0.0.1"))(t); n != 0 {
		t.Errorf("%d snapshots on another host", n)
	}
	check(t, db.CancelRun(t.Context(), run.ID))
	if cancel, err := db.CancelRequested(t.Context(), run.ID); !cancel || err != nil {
		t.Error("the worker is not told that it was cancelled", err)
	}
	_, err := db.CancelRequested(t.Context(), 999)
	refused(t, err, CodeRunNotFound)
}

func TestCancelRunInEachState(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "good")
	restore := spec("copy")
	restore.Snapshot = "good"

	// Queued: everything is settled at once.
	run := must(db.RequestSnapshot(t.Context(), "orders", "one", false, "admin"))(t)
	check(t, db.CancelRun(t.Context(), run.ID))
	expectRun(t, db, run.ID, RunCancelled)
	expectCluster(t, db, "orders", ClusterAvailable)
	expectSnapshot(t, db, "one", SnapshotFailed)
	refused(t, db.CancelRun(t.Context(), run.ID), CodeRunState)

	must(db.CreateCluster(t.Context(), restore))(t)
	active := must(db.ActiveRuns(t.Context()))(t)
	check(t, db.CancelRun(t.Context(), active[0].ID))
	expectRun(t, db, active[0].ID, RunCancelled)
	expectCluster(t, db, "copy", ClusterRestoreFailed)
	expectSnapshot(t, db, "good", SnapshotAvailable)
	if n := count(t, db, &Event{}, "severity <> ?", SeverityInfo); n != 0 {
		t.Error("what somebody wanted is reported as an error")
	}

	// Running: only asked for; the worker ends it.
	run = must(db.RequestSnapshot(t.Context(), "orders", "two", false, "admin"))(t)
	run = claim(t, db)
	check(t, db.CancelRun(t.Context(), run.ID))
	expectRun(t, db, run.ID, RunRunning)
	expectCluster(t, db, "orders", ClusterSnapshotting)
	refused(t, db.CancelRun(t.Context(), run.ID), CodeRunState)
	check(t, db.FailRun(t.Context(), run, RunCancelled, "It was cancelled."))
	expectRun(t, db, run.ID, RunCancelled)
	expectCluster(t, db, "orders", ClusterAvailable)

	// Ended, of another kind, unknown.
	taken(t, db, "orders", "three")
	var ended Run
	check(t, db.with(t.Context()).Last(&ended).Error)
	refused(t, db.CancelRun(t.Context(), ended.ID), CodeRunState)
	must(db.CreateCluster(t.Context(), spec("other")))(t)
	refused(t, db.CancelRun(t.Context(), claim(t, db).ID), CodeRunState)
	refused(t, db.CancelRun(t.Context(), 999), CodeRunNotFound)
}

func TestCancelAndClaimAtOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	lease(t, db, "console")
	for i := range 10 {
		name := fmt.Sprintf("s%d", i)
		run := must(db.RequestSnapshot(t.Context(), "orders", name, false, "admin"))(t)
		var claimed bool
		var mine Run
		for _, err := range atOnce(2, func(i int) (err error) {
			if i == 0 {
				return db.CancelRun(context.Background(), run.ID)
			}
			mine, claimed, err = db.ClaimRun(context.Background(), "console", func(Run) bool { return true })
			return err
		}) {
			check(t, err)
		}
		if claimed {
			if r := must(db.Run(t.Context(), run.ID))(t); r.Status != RunRunning || !r.CancelRequested {
				t.Fatalf("%+v", r)
			}
			check(t, db.FailRun(t.Context(), mine, RunCancelled, "It was cancelled."))
		}
		expectRun(t, db, run.ID, RunCancelled)
		expectSnapshot(t, db, name, SnapshotFailed)
		expectCluster(t, db, "orders", ClusterAvailable)
	}
}

func expectRun(t *testing.T, db *DB, id uint, want RunStatus) {
	t.Helper()
	if run := must(db.Run(t.Context(), id))(t); run.Status != want || run.Status.Ended() != (run.EndedAt != nil) {
		t.Errorf("run %d is %s (ended %v), want %s", id, run.Status, run.EndedAt, want)
	}
}

func expectCluster(t *testing.T, db *DB, name string, want ClusterStatus) {
	t.Helper()
	if cluster := must(db.Cluster(t.Context(), name))(t); cluster.Status != want {
		t.Errorf("cluster %s is %s, want %s", name, cluster.Status, want)
	}
}

func expectSnapshot(t *testing.T, db *DB, name string, want SnapshotStatus) {
	t.Helper()
	if snapshot := must(db.Snapshot(t.Context(), name))(t); snapshot.Status != want {
		t.Errorf("snapshot %s is %s, want %s", name, snapshot.Status, want)
	}
}

func TestSnapshotFromRequestToRemoval(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	c := spec("orders")
	c.Auth, c.Retention, c.Description = AuthGenerate, 3, "The shop's"
	cluster := launched(t, db, c)
	run := must(db.RequestSnapshot(t.Context(), "orders", " One ", false, "admin"))(t)
	s := must(db.Snapshot(t.Context(), "one"))(t)
	if s.Status != SnapshotCreating || s.Source != SourceManual || s.ClusterID != cluster.ID || !s.AuthEnabled || s.RetentionLimit != 3 || s.Usable() ||
		s.EngineName() != testEngine || s.SnapshotWindow != cluster.SnapshotWindow || run.SnapshotName != "one" {
		t.Errorf("%+v", s)
	}
	clock.Advance(time.Minute)
	run = claim(t, db)
	check(t, db.CompleteSnapshot(t.Context(), run, measured(db, "one")))
	s = must(db.Snapshot(t.Context(), "one"))(t)
	if s.Status != SnapshotAvailable || s.Bytes != 1000 || len(s.Parts) != 1 || !s.CompletedAt.Equal(clock.Now()) || s.CreatedAt.Equal(clock.Now()) {
		t.Errorf("%+v", s)
	}
	expectRun(t, db, run.ID, RunSucceeded)
	expectCluster(t, db, "orders", ClusterAvailable)
	before := content(t, db)
	check(t, db.CompleteSnapshot(t.Context(), run, measured(db, "one"))) // the answer to the first one was lost
	refused(t, db.DeleteSnapshots(t.Context(), []string{"one", "none"}, "admin"), CodeSnapshotNotFound)
	if content(t, db) != before {
		t.Error("something was written")
	}
	check(t, db.DeleteSnapshots(t.Context(), []string{"one"}, "admin"))
	expectSnapshot(t, db, "one", SnapshotDeleting)
	refused(t, db.DeleteSnapshots(t.Context(), []string{"one"}, "admin"), CodeSnapshotState)
	run = claim(t, db)
	check(t, db.FailRun(t.Context(), run, RunFailed, "The store does not answer."))
	expectSnapshot(t, db, "one", SnapshotFailed)
	expectRun(t, db, run.ID, RunFailed)
	check(t, db.DeleteSnapshots(t.Context(), []string{"one"}, "admin"))
	run = claim(t, db)
	check(t, db.CompleteSnapshotDeletion(t.Context(), run))
	expectRun(t, db, run.ID, RunSucceeded)
	if count(t, db, &Snapshot{}) != 0 || count(t, db, &Part{}) != 0 {
		t.Error("rows remain")
	}
	check(t, db.RemoveSnapshotRow(t.Context(), "one"))
}

func TestOneSnapshotOfAClusterAtATime(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	won := 0
	for _, err := range atOnce(12, func(i int) error {
		_, err := db.RequestSnapshot(context.Background(), "orders", fmt.Sprintf("s%d", i), false, "admin")
		return err
	}) {
		if err == nil {
			won++
		} else {
			refused(t, err, CodeClusterState)
		}
	}
	if won != 1 || count(t, db, &Snapshot{}) != 1 || count(t, db, &Run{}, "kind = ?", RunSnapshot) != 1 {
		t.Errorf("%d won", won)
	}
	_, err := db.RequestSnapshot(t.Context(), "none", "x", false, "admin")
	if refused(t, err, CodeClusterNotFound).Fields()["cluster"] == "" {
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
	must(db.CreateCluster(t.Context(), spec("young")))(t)
	claim(t, db)
	taken(t, db, "orders", "one")
	before := content(t, db)
	for _, test := range []struct {
		cluster, name, field string
		code                 Code
	}{
		{"orders", "one", "name", CodeSnapshotExists}, {"orders", "ONE", "name", CodeSnapshotExists}, {"orders", "", "name", CodeInvalid},
		{"orders", "automatic.x", "name", CodeInvalid}, {"tiny", "x", "cluster", CodeSnapshotUnsupported}, {"young", "x", "cluster", CodeClusterState},
	} {
		_, err := db.RequestSnapshot(t.Context(), test.cluster, test.name, false, "admin")
		if refused(t, err, test.code).Fields()[test.field] == "" {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if content(t, db) != before {
		t.Error("something was written")
	}
	// The quota: failed ones do not count, those of other clusters neither, and after 24 hours there is room again.
	check(t, db.SaveSettings(t.Context(), Settings{3, 0, "$"}))
	run := must(db.RequestSnapshot(t.Context(), "orders", "failed", false, "admin"))(t)
	check(t, db.CancelRun(t.Context(), run.ID))
	clock.Advance(time.Hour)
	taken(t, db, "orders", "two")
	taken(t, db, "orders", "three")
	_, err := db.RequestSnapshot(t.Context(), "orders", "four", false, "admin")
	refused(t, err, CodeSnapshotQuota)
	expectCluster(t, db, "orders", ClusterAvailable)
	clock.Advance(23 * time.Hour)
	taken(t, db, "orders", "four")
	// But nobody is kept from a last backup.
	_, err = db.RequestSnapshot(t.Context(), "orders", "five", false, "admin")
	refused(t, err, CodeSnapshotQuota)
	check(t, db.DeleteCluster(t.Context(), "orders", "final", "admin"))
}

func TestDeleteCluster(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Retention, c.Replicas = 1, 1
	cluster := launched(t, db, c)
	taken(t, db, "orders", "by-hand")
	check(t, db.with(t.Context()).Create(&Snapshot{Name: "automatic.orders-1", ClusterName: "orders", ClusterID: cluster.ID, Source: SourceAutomatic, Status: SnapshotAvailable}).Error)
	check(t, db.with(t.Context()).Create(&WindowMark{ClusterID: cluster.ID, Opens: monday}).Error)

	if fields := refused(t, db.DeleteCluster(t.Context(), "orders", "by-hand", "admin"), CodeSnapshotExists).Fields(); fields["final_name"] == "" {
		t.Error(fields)
	}
	refused(t, db.DeleteCluster(t.Context(), "none", "", "admin"), CodeClusterNotFound)

	// A final snapshot that fails: nothing was deleted.
	check(t, db.DeleteCluster(t.Context(), "orders", "Final-1", "admin"))
	run := claim(t, db)
	if run.Kind != RunDelete || run.SnapshotName != "final-1" || must(Args[DeleteArgs](run))(t).FinalSnapshot != "final-1" {
		t.Errorf("%+v", run)
	}
	refused(t, db.DeleteCluster(t.Context(), "orders", "", "admin"), CodeClusterState)
	_, err := db.RequestSnapshot(t.Context(), "orders", "x", false, "admin")
	refused(t, err, CodeClusterState)
	check(t, db.AbandonDelete(t.Context(), run, "The link broke."))
	expectCluster(t, db, "orders", ClusterAvailable)
	expectSnapshot(t, db, "final-1", SnapshotFailed)
	if err := db.CompleteSnapshot(t.Context(), run, measured(db, "final-1")); !errors.Is(err, ErrRunEnded) {
		t.Errorf("a failed final snapshot was completed: %v", err)
	}
	expectSnapshot(t, db, "final-1", SnapshotFailed)
	expectRun(t, db, run.ID, RunFailed)

	// One that ends before the final snapshot was begun leaves no snapshot that is being made for ever.
	check(t, db.DeleteCluster(t.Context(), "orders", "final-0", "admin"))
	check(t, db.FailRun(t.Context(), claim(t, db), RunFailed, "It was begun too often."))
	expectSnapshot(t, db, "final-0", SnapshotFailed)
	_, err = db.moveCluster(t.Context(), cluster.ID, ClusterAvailable, "", ClusterDeleting)
	check(t, err)

	// Deletion that cannot be finished is begun again.
	check(t, db.DeleteCluster(t.Context(), "orders", "final-2", "admin"))
	run = claim(t, db)
	check(t, db.CompleteSnapshot(t.Context(), run, measured(db, "final-2")))
	expectRun(t, db, run.ID, RunRunning)
	expectCluster(t, db, "orders", ClusterDeleting)
	check(t, db.FailRun(t.Context(), run, RunFailed, "The store does not answer."))
	expectCluster(t, db, "orders", ClusterDeleting)
	expectSnapshot(t, db, "final-2", SnapshotAvailable)
	refused(t, db.DeleteCluster(t.Context(), "orders", "final-3", "admin"), CodeClusterState)
	check(t, db.DeleteCluster(t.Context(), "orders", "", "admin"))
	refused(t, db.DeleteCluster(t.Context(), "orders", "", "admin"), CodeClusterState) // it is under way
	run = claim(t, db)
	names := must(db.AutomaticSnapshots(t.Context(), cluster.ID))(t)
	if len(names) != 1 || names[0] != "automatic.orders-1" {
		t.Errorf("automatic ones: %v", names)
	}
	for range 2 { // again after a restart
		if !must(db.ClaimSnapshotForRemoval(t.Context(), names[0]))(t) {
			t.Error("it cannot be claimed")
		}
	}
	check(t, db.RemoveSnapshotRow(t.Context(), names[0]))
	check(t, db.CompleteClusterDeletion(t.Context(), run))
	expectRun(t, db, run.ID, RunSucceeded)
	if _, err := db.Cluster(t.Context(), "orders"); !HasCode(err, CodeClusterNotFound) {
		t.Error(err)
	}
	if count(t, db, &Node{}) != 0 || count(t, db, &WindowMark{}) != 0 || count(t, db, &Snapshot{}, "cluster_id <> 0") != 0 {
		t.Error("rows remain")
	}
	for _, name := range []string{"by-hand", "final-2"} {
		expectSnapshot(t, db, name, SnapshotAvailable)
	}
	// The id is free again, and the new cluster has nothing to do with the old one's snapshots.
	again := launched(t, db, c)
	if again.ID == cluster.ID || len(must(db.AutomaticSnapshots(t.Context(), again.ID))(t)) != 0 {
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
	must(db.RequestSnapshot(t.Context(), "orders", "one", false, "admin"))(t)
	stale := claim(t, db)
	check(t, db.FailRun(t.Context(), stale, RunFailed, "Rekindle ended in its middle."))
	must(db.RequestSnapshot(t.Context(), "orders", "two", false, "admin"))(t)
	claim(t, db)
	before := content(t, db)
	modify := stale
	modify.Kind = RunModify
	settled := map[string]error{
		"complete snapshot": db.CompleteSnapshot(t.Context(), stale, measured(db, "one")),
		"complete cluster":  db.CompleteCluster(t.Context(), modify, "x"),
		"abandon delete":    db.AbandonDelete(t.Context(), modify, "x"),
		"snapshot deletion": db.CompleteSnapshotDeletion(t.Context(), stale),
		"cluster deletion":  db.CompleteClusterDeletion(t.Context(), stale),
	}
	for _, kind := range RunKinds() {
		failed := stale
		failed.Kind = kind
		settled["fail "+string(kind)] = db.FailRun(t.Context(), failed, RunFailed, "x")
	}
	for name, err := range settled {
		if !errors.Is(err, ErrRunEnded) {
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
	run := must(db.RequestSnapshot(t.Context(), "orders", "one", false, "admin"))(t)
	claim(t, db)
	noRoom(t, db, "UPDATE OF ended_at ON runs")
	before := content(t, db)
	settles := map[string]func() error{
		"complete snapshot": func() error { return db.CompleteSnapshot(t.Context(), run, measured(db, "one")) },
		"complete cluster":  func() error { return db.CompleteCluster(t.Context(), run, "x") },
		"abandon delete":    func() error { return db.AbandonDelete(t.Context(), run, "x") },
		"snapshot deletion": func() error { return db.CompleteSnapshotDeletion(t.Context(), run) },
		"cluster deletion":  func() error { return db.CompleteClusterDeletion(t.Context(), run) },
		"cancel":            func() error { return db.CancelRun(cancelled(t), run.ID) },
	}
	for _, kind := range RunKinds() {
		failed := run
		failed.Kind = kind
		settles["fail "+string(kind)] = func() error { return db.FailRun(t.Context(), failed, RunFailed, "x") }
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
	must(db.CreateCluster(t.Context(), spec("orders")))(t)
	check(t, db.FailRun(t.Context(), claim(t, db), RunFailed, "The program did not start."))
	cluster := must(db.Cluster(t.Context(), "orders"))(t)
	if cluster.Status != ClusterCreateFailed || cluster.StatusReason != "The program did not start." {
		t.Errorf("%+v", cluster)
	}
	check(t, db.DeleteCluster(t.Context(), "orders", "", "admin"))
	claim(t, db)

	launched(t, db, spec("other"))
	other := must(db.Cluster(t.Context(), "other"))(t)
	for _, step := range []struct{ reachable, changed bool }{{true, false}, {false, true}, {false, false}, {true, true}} {
		if changed := must(db.MarkReachable(t.Context(), other.ID, step.reachable, "No answer."))(t); changed != step.changed {
			t.Errorf("%+v", step)
		}
	}
	if must(db.MarkReachable(t.Context(), cluster.ID, false, "x"))(t) {
		t.Error("a cluster that is being deleted became unreachable")
	}
	events := must(db.ListEvents(t.Context(), List{Equal: map[string]string{"severity": "error"}}))(t)
	if events.Total != 1 || !strings.Contains(events.Rows[0].Message, "orders could not be created. The program did not start.") {
		t.Errorf("%+v", events)
	}
}
