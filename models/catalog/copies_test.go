package catalog

import (
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestCopiesCountAgainstTheQuotaAndKeepTheAgeOfTheirData(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	one := taken(t, db, "orders", "one")
	clock.Advance(48 * time.Hour)
	check(t, db.Settings.Save(t.Context(), models.Settings{ManualQuota: 2, Currency: "$"}))
	copied := func(name string) error {
		run, err := db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "one", Name: name, RequestedBy: "admin"})
		if err != nil {
			return err
		}
		if got := must(db.Snapshots.Get(t.Context(), "one"))(t); got.Status != models.SnapshotCopying {
			t.Errorf("the source is %s", got.Status)
		}
		check(t, db.Settle.Move(t.Context(), claim(t, db), models.Snapshot{Name: name, Configuration: models.Configuration{ShardCount: 1}, RDBVersion: 10, Bytes: 1, Origin: must(db.Snapshots.Get(t.Context(), name))(t).Origin}, ""))
		check(t, db.Settle.Move(t.Context(), run, models.Snapshot{Name: name}, "")) // reported twice
		if got := must(db.Snapshots.Get(t.Context(), "one"))(t); got.Status != models.SnapshotAvailable {
			t.Errorf("the source is %s afterwards", got.Status)
		}
		return nil
	}
	check(t, copied("two"))
	check(t, copied("three"))
	refused(t, copied("four"), models.CodeSnapshotQuota)
	two := must(db.Snapshots.Get(t.Context(), "two"))(t)
	if !two.CreatedAt.Equal(one.CreatedAt) || two.Source != models.SourceManual || !strings.HasPrefix(two.Origin, "Copied from one") {
		t.Errorf("the copy is %+v", two)
	}
	clock.Advance(25 * time.Hour)
	check(t, copied("four"))
}

func TestSourceIsLetGoWhenTheLastOneHasReadIt(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	status := func(want models.SnapshotStatus) {
		t.Helper()
		if got := must(db.Snapshots.Get(t.Context(), "one"))(t).Status; got != want {
			t.Errorf("the source is %s, want %s", got, want)
		}
	}
	first := must(db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "one", Name: "a"}))(t)
	must(db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "one", Name: "b", Store: "s3://bucket"}))(t)
	refused(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"), models.CodeSnapshotState)
	check(t, db.Runs.Cancel(t.Context(), first.ID))
	status(models.SnapshotCopying)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The bucket is gone."))
	status(models.SnapshotAvailable)
	if got := must(db.Snapshots.Get(t.Context(), "a"))(t).Status; got != models.SnapshotFailed {
		t.Errorf("the cancelled copy is %s", got)
	}
	must(db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "one", Name: "c", Store: "dir:/x"}))(t)
	if _, err := db.Snapshots.Get(t.Context(), "c"); !models.HasCode(err, models.CodeSnapshotNotFound) {
		t.Errorf("a copy to another store is in the catalog (%v)", err)
	}
	check(t, db.Settle.Move(t.Context(), claim(t, db), models.Snapshot{}, "It is there."))
	status(models.SnapshotAvailable)
}

// Nothing is known yet of a snapshot that is being made: neither its engine nor its size is a reason against restoring it.
func TestRestoreOfASnapshotThatIsBeingMadeSaysOnlyThat(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.Snapshots.Request(t.Context(), "orders", "s", false, "admin"))(t)
	again := spec("again")
	again.Snapshot = "s"
	_, err := db.Clusters.Create(t.Context(), again)
	if faults, _ := models.AsFaults(err); len(faults) != 1 || faults[0].Code != models.CodeSnapshotState || !strings.Contains(faults[0].Message, "is creating") {
		t.Errorf("%v", err)
	}
}
