package models

import (
	"strings"
	"testing"
	"time"
)

func TestCopiesCountAgainstTheQuotaAndKeepTheAgeOfTheirData(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	one := taken(t, db, "orders", "one")
	clock.Advance(48 * time.Hour)
	check(t, db.SaveSettings(t.Context(), Settings{ManualQuota: 2, Currency: "$"}))
	copied := func(name string) error {
		run, err := db.CopySnapshot(t.Context(), CopySpec{Snapshot: "one", Name: name, RequestedBy: "admin"})
		if err != nil {
			return err
		}
		if got := must(db.Snapshot(t.Context(), "one"))(t); got.Status != SnapshotCopying {
			t.Errorf("the source is %s", got.Status)
		}
		check(t, db.CompleteMove(t.Context(), claim(t, db), Snapshot{Name: name, Shards: 1, RDBVersion: 10, Bytes: 1, Origin: must(db.Snapshot(t.Context(), name))(t).Origin}, ""))
		check(t, db.CompleteMove(t.Context(), run, Snapshot{Name: name}, "")) // said twice
		if got := must(db.Snapshot(t.Context(), "one"))(t); got.Status != SnapshotAvailable {
			t.Errorf("the source is %s afterwards", got.Status)
		}
		return nil
	}
	check(t, copied("two"))
	check(t, copied("three"))
	refused(t, copied("four"), CodeSnapshotQuota)
	two := must(db.Snapshot(t.Context(), "two"))(t)
	if !two.CreatedAt.Equal(one.CreatedAt) || two.Source != SourceManual || !strings.HasPrefix(two.Origin, "Copied from one") {
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
	status := func(want SnapshotStatus) {
		t.Helper()
		if got := must(db.Snapshot(t.Context(), "one"))(t).Status; got != want {
			t.Errorf("the source is %s, want %s", got, want)
		}
	}
	first := must(db.CopySnapshot(t.Context(), CopySpec{Snapshot: "one", Name: "a"}))(t)
	must(db.ExportSnapshot(t.Context(), ExportSpec{Snapshot: "one", Name: "b", Store: "s3://bucket"}))(t)
	refused(t, db.DeleteSnapshots(t.Context(), []string{"one"}, "admin"), CodeSnapshotState)
	check(t, db.CancelRun(t.Context(), first.ID))
	status(SnapshotCopying)
	check(t, db.FailRun(t.Context(), claim(t, db), RunFailed, "The bucket is gone."))
	status(SnapshotAvailable)
	if got := must(db.Snapshot(t.Context(), "a"))(t).Status; got != SnapshotFailed {
		t.Errorf("the cancelled copy is %s", got)
	}
	must(db.CopySnapshot(t.Context(), CopySpec{Snapshot: "one", Name: "c", Store: "dir:/x"}))(t)
	if _, err := db.Snapshot(t.Context(), "c"); !HasCode(err, CodeSnapshotNotFound) {
		t.Errorf("a copy to another store is in the catalog (%v)", err)
	}
	check(t, db.CompleteMove(t.Context(), claim(t, db), Snapshot{}, "It is there."))
	status(SnapshotAvailable)
}

func TestSuggestedNodeTypeHoldsTheData(t *testing.T) {
	t.Parallel()
	for used, want := range map[int64]string{0: "cache.t4g.micro", 300 << 20: "cache.t4g.micro", 500 << 20: "cache.t4g.small", 4 << 30: "cache.m7g.large", 1 << 62: "cache.r7g.16xlarge"} {
		if got := SuggestNodeType(used); got.Name != want {
			t.Errorf("%d bytes: %s, want %s", used, got.Name, want)
		}
	}
}

// Of a snapshot that is being made nothing is known but that: neither its engine nor its size is a reason against restoring it.
func TestRestoreOfASnapshotThatIsBeingMadeSaysOnlyThat(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.RequestSnapshot(t.Context(), "orders", "s", false, "admin"))(t)
	again := spec("again")
	again.Snapshot = "s"
	_, err := db.CreateCluster(t.Context(), again)
	if faults, _ := AsFaults(err); len(faults) != 1 || faults[0].Code != CodeSnapshotState || !strings.Contains(faults[0].Message, "is creating") {
		t.Errorf("%v", err)
	}
}
