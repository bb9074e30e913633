package catalog

import (
	"testing"

	"rekindle/models"
)

// fillable is a catalog with a snapshot and an attached cluster that it can be restored into.
func fillable(t *testing.T) (*DB, models.FillSpec) {
	t.Helper()
	db, _ := catalog(t)
	launched(t, db, spec("source"))
	taken(t, db, "source", "good")
	must(db.Attachments.Attach(t.Context(), attachSpec("target"), foundAt("10.0.0.1:6379")))(t)
	return db, models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingReplace, RequestedBy: "admin"}
}

// states are those of the cluster and the snapshot of a restore.
func states(t *testing.T, db *DB, f models.FillSpec) (models.ClusterStatus, models.SnapshotStatus) {
	t.Helper()
	return must(db.Clusters.Get(t.Context(), f.Cluster))(t).Status, must(db.Snapshots.Get(t.Context(), f.Snapshot))(t).Status
}

func TestARestoreIntoAClusterHoldsBothUntilItHasEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(db *DB, run models.Run) error{
		"well": func(db *DB, run models.Run) error { return db.Settle.Fill(t.Context(), run, "It is there.") },
		"badly": func(db *DB, run models.Run) error {
			return db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke.")
		},
		"cancelled": func(db *DB, run models.Run) error {
			return db.Settle.Fail(t.Context(), run, models.RunCancelled, "It was cancelled.")
		},
	} {
		db, f := fillable(t)
		must(db.Fills.Request(t.Context(), f))(t)
		if cluster, snapshot := states(t, db, f); cluster != models.ClusterModifying || snapshot != models.SnapshotRestoring {
			t.Errorf("%s: asked for, the cluster is %s, the snapshot %s", name, cluster, snapshot)
		}
		before := content(t, db)
		refused(t, second(db.Fills.Request(t.Context(), f)), models.CodeClusterState)
		if content(t, db) != before {
			t.Error("a refusal has changed the catalog")
		}
		run := claim(t, db)
		_, _, err := db.Fills.Begin(t.Context(), run, must(models.Args[models.FillArgs](run))(t).Safety, models.Cluster.NoFill)
		check(t, err)
		check(t, end(db, run))
		if cluster, snapshot := states(t, db, f); cluster != models.ClusterAvailable || snapshot != models.SnapshotAvailable {
			t.Errorf("%s: at its end the cluster is %s, the snapshot %s", name, cluster, snapshot)
		}
	}
}

func TestASnapshotIsHeldUntilTheLastRestoreOfItHasEnded(t *testing.T) {
	t.Parallel()
	db, f := fillable(t)
	must(db.Attachments.Attach(t.Context(), attachSpec("other"), foundAt("10.0.0.9:6379")))(t)
	must(db.Fills.Request(t.Context(), f))(t)
	f.Cluster = "other"
	must(db.Fills.Request(t.Context(), f))(t)
	for _, want := range []models.SnapshotStatus{models.SnapshotRestoring, models.SnapshotAvailable} {
		check(t, db.Settle.Fill(t.Context(), claim(t, db), "It is there."))
		if _, snapshot := states(t, db, f); snapshot != want {
			t.Errorf("the snapshot is %s, want %s", snapshot, want)
		}
	}
}

func TestARestoreIntoAClusterWaitsForTheSnapshotBeforeIt(t *testing.T) {
	t.Parallel()
	for name, well := range map[string]bool{"which is good": true, "which fails": false} {
		db, f := fillable(t)
		f.Safety = "before"
		fill := must(db.Fills.Request(t.Context(), f))(t)
		args := must(models.Args[models.FillArgs](fill))(t)
		if may := must(db.Fills.MayBegin(t.Context(), fill, args.Safety))(t); may {
			t.Errorf("%s: it may begin at once", name)
		}
		refused(t, second(db.Fills.Request(t.Context(), f)), models.CodeClusterState)
		safety := claim(t, db)
		if safety.Kind != models.RunSnapshot {
			t.Fatalf("first comes a %s", safety.Kind)
		}
		if well {
			check(t, db.Settle.Snapshot(t.Context(), safety, measured(db, "before")))
		} else {
			check(t, db.Settle.Fail(t.Context(), safety, models.RunFailed, "It broke."))
		}
		if may := must(db.Fills.MayBegin(t.Context(), fill, args.Safety))(t); !may {
			t.Errorf("%s: it may not begin although that has ended", name)
		}
		// Nobody comes in between.
		refused(t, second(db.Fills.Request(t.Context(), models.FillSpec{Snapshot: "good", Cluster: "target", Existing: models.ExistingKeep})), models.CodeClusterState)
		run := claim(t, db)
		cluster, _, err := db.Fills.Begin(t.Context(), run, args.Safety, models.Cluster.NoFill)
		if !well {
			refused(t, err, models.CodeSnapshotState)
			check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
		} else {
			check(t, err)
			if is, _ := states(t, db, f); is != models.ClusterModifying || cluster.Name != "target" {
				t.Errorf("the cluster is %s", is)
			}
			check(t, db.Settle.Fill(t.Context(), run, "It is there."))
		}
		if cluster, snapshot := states(t, db, f); cluster != models.ClusterAvailable || snapshot != models.SnapshotAvailable {
			t.Errorf("%s: at its end the cluster is %s, the snapshot %s", name, cluster, snapshot)
		}
	}
}

func TestOfManyRestoresIntoAClusterAtOnceOneIsTaken(t *testing.T) {
	t.Parallel()
	for _, safety := range []string{"", "before"} {
		db, f := fillable(t)
		f.Safety = safety
		var won int
		for _, err := range atOnce(8, func(int) error { return second(db.Fills.Request(t.Context(), f)) }) {
			if err == nil {
				won++
			}
		}
		if queued := count(t, db, &models.Run{}, "kind = ?", models.RunFill); won != 1 || queued != 1 {
			t.Errorf("%d were taken, %d are queued", won, queued)
		}
	}
}

func TestWhatCannotBeRestoredIntoAClusterIsSaid(t *testing.T) {
	t.Parallel()
	db, good := fillable(t)
	before := content(t, db)
	for name, c := range map[string]struct {
		change func(*models.FillSpec)
		field  string
		code   models.Code
	}{
		"no snapshot":          {func(f *models.FillSpec) { f.Snapshot = "none" }, "snapshot", models.CodeSnapshotNotFound},
		"no cluster":           {func(f *models.FillSpec) { f.Cluster = "none" }, "cluster", models.CodeClusterNotFound},
		"a launched cluster":   {func(f *models.FillSpec) { f.Cluster = "source" }, "cluster", models.CodeClusterState},
		"nothing chosen":       {func(f *models.FillSpec) { f.Existing = "" }, "existing", models.CodeInvalid},
		"unknown deadlines":    {func(f *models.FillSpec) { f.Deadlines = "never" }, "deadlines", models.CodeInvalid},
		"a name that is taken": {func(f *models.FillSpec) { f.Safety = "good" }, "safety_name", models.CodeSnapshotExists},
	} {
		f := good
		c.change(&f)
		if faults := refused(t, second(db.Fills.Request(t.Context(), f)), c.code); len(faults) == 0 || faults[0].Field != c.field {
			t.Errorf("%s: %v", name, faults)
		}
	}
	if content(t, db) != before {
		t.Error("a refusal has changed the catalog")
	}
}
