package catalog

import (
	"testing"

	"rekindle/models"
)

func bringable(t *testing.T) (*DB, models.BringBackSpec) {
	t.Helper()
	db, f := fillable(t)
	return db, models.BringBackSpec{Snapshot: f.Snapshot, Cluster: f.Cluster, Choice: models.KeyChoice{Names: [][]byte{[]byte("cart:7"), {0xFF, 0}}, Database: -1}, RequestedBy: "admin"}
}

func TestKeysBroughtBackHoldTheSnapshotAndUnlessRehearsedTheCluster(t *testing.T) {
	t.Parallel()
	for _, rehearse := range []bool{true, false} {
		for name, end := range map[string]func(db *DB, run models.Run, message string) error{
			"well": func(db *DB, run models.Run, message string) error {
				return db.BringBacks.Settle(t.Context(), run, models.Brought{Added: 2}, message)
			},
			"badly": func(db *DB, run models.Run, _ string) error {
				return db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke.")
			},
			"cancelled": func(db *DB, run models.Run, _ string) error {
				return db.Settle.Fail(t.Context(), run, models.RunCancelled, "It was cancelled.")
			},
		} {
			db, spec := bringable(t)
			events, message, held := count(t, db, &models.Event{}, "1 = 1"), "It is there.", models.ClusterModifying
			if spec.Rehearse = rehearse; rehearse {
				message, held = "", models.ClusterAvailable
			}
			asked := must(db.BringBacks.Request(t.Context(), spec))(t)
			f := models.FillSpec{Snapshot: spec.Snapshot, Cluster: spec.Cluster}
			if cluster, snapshot := states(t, db, f); cluster != held || snapshot != models.SnapshotRestoring {
				t.Errorf("%s: asked for, the cluster is %s, the snapshot %s", name, cluster, snapshot)
			}
			run := claim(t, db)
			again := must(db.BringBacks.Spec(t.Context(), asked))(t)
			if string(again.Choice.Names[1]) != "\xff\x00" || again.Cluster != "target" || again.Rehearse != rehearse || run.ID != asked.ID {
				t.Errorf("it was asked for %+v", again)
			}
			check(t, end(db, run, message))
			if cluster, snapshot := states(t, db, f); cluster != models.ClusterAvailable || snapshot != models.SnapshotAvailable {
				t.Errorf("%s: at its end the cluster is %s, the snapshot %s", name, cluster, snapshot)
			}
			if told := count(t, db, &models.Event{}, "1 = 1") > events; told == rehearse {
				t.Errorf("%s: an event was written: %v", name, told)
			}
			_, outcome, known, err := db.BringBacks.Of(t.Context(), run)
			if err != nil || known != (name == "well") || known && outcome.Added != 2 {
				t.Errorf("%s: the outcome is %+v, %v, %v", name, outcome, known, err)
			}
		}
	}
}

func TestBringingBackIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(s *models.BringBackSpec)
		code   models.Code
	}{
		"no such snapshot": {func(s *models.BringBackSpec) { s.Snapshot = "none" }, models.CodeSnapshotNotFound},
		"no such cluster":  {func(s *models.BringBackSpec) { s.Cluster = "none" }, models.CodeClusterNotFound},
		"nothing chosen":   {func(s *models.BringBackSpec) { s.Choice.Names = nil }, models.CodeInvalid},
		"both":             {func(s *models.BringBackSpec) { s.Choice.Pattern = []byte("*") }, models.CodeCombination},
		"one for two":      {func(s *models.BringBackSpec) { s.Choice.As = []byte("x") }, models.CodeCombination},
		"another start":    {func(s *models.BringBackSpec) { s.Choice.Strip = []byte("x:") }, models.CodeInvalid},
		"a database":       {func(s *models.BringBackSpec) { s.Choice.Database = -2 }, models.CodeInvalid},
		"a deadline":       {func(s *models.BringBackSpec) { s.Deadlines = "x" }, models.CodeInvalid},
		"too many":         {func(s *models.BringBackSpec) { s.Choice.Names = make([][]byte, 1001) }, models.CodeInvalid},
		"a safe rehearsal": {func(s *models.BringBackSpec) { s.Rehearse, s.Safety = true, "before" }, models.CodeCombination},
	} {
		db, spec := bringable(t)
		test.change(&spec)
		before := content(t, db)
		t.Run(name, func(t *testing.T) { refused(t, second(db.BringBacks.Request(t.Context(), spec)), test.code) })
		if content(t, db) != before {
			t.Errorf("%s: the refusal has changed the catalog", name)
		}
	}
	db, spec := bringable(t)
	must(db.BringBacks.Request(t.Context(), spec))(t)
	refused(t, second(db.BringBacks.Request(t.Context(), spec)), models.CodeClusterState)
}

func TestASnapshotIsTakenBeforeKeysAreBroughtBack(t *testing.T) {
	t.Parallel()
	db, spec := bringable(t)
	spec.Safety = "before"
	asked := must(db.BringBacks.Request(t.Context(), spec))(t)
	args := must(models.Args[models.BringBackArgs](asked))(t)
	if may := must(db.Fills.MayBegin(t.Context(), asked, args.Safety))(t); may || args.Safety != "before" {
		t.Errorf("it may begin before the snapshot %q", args.Safety)
	}
}
