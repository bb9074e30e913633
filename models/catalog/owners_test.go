package catalog

import (
	"errors"
	"testing"
	"time"

	"rekindle/models"
)

func TestOwnersThatAreGoneLeaveTheirRunsAndLocksToOthers(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	first := must(db.Owners.Enroll(t.Context(), "here", time.Minute))(t)
	other := must(db.Owners.Enroll(t.Context(), "there", time.Minute))(t)
	for _, owner := range []models.Owner{first, other} {
		must(db.Runs.enqueue(t.Context(), models.Run{Kind: models.RunVerify, SnapshotName: owner.Home}, models.NoArgs{}))(t)
		if _, claimed, err := db.Runs.Claim(t.Context(), owner.ID, func(models.Run) bool { return true }); err != nil || !claimed {
			t.Fatal(claimed, err)
		}
		if !must(db.Locks.Try(t.Context(), owner.Home, owner.ID))(t) {
			t.Fatal("not locked")
		}
	}
	cutOff := func() string {
		names := ""
		for _, run := range must(db.Runs.CutOff(t.Context(), "nobody"))(t) {
			names += run.SnapshotName + " "
		}
		return names
	}
	if got := cutOff(); got != "" {
		t.Fatalf("cut off while both live: %s", got)
	}
	// A console with the same data folder has its lock, so the earlier one is gone.
	second := must(db.Owners.Enroll(t.Context(), "here", time.Minute))(t)
	if got := cutOff(); second.ID == first.ID || got != "here " {
		t.Errorf("cut off: %s", got)
	}
	if !must(db.Locks.Try(t.Context(), "here", second.ID))(t) || must(db.Locks.Try(t.Context(), "there", second.ID))(t) {
		t.Error("the lock of the one that is gone holds, or the other's does not")
	}
	if err := db.Owners.Renew(t.Context(), first.ID); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("renewing a lease that has ended: %v", err)
	}
	// Only who has not renewed since it was looked at is ended.
	check(t, db.Owners.Renew(t.Context(), other.ID))
	if must(db.Owners.End(t.Context(), other))(t) {
		t.Error("a lease that was renewed was ended")
	}
	if other.Beat++; !must(db.Owners.End(t.Context(), other))(t) || must(db.Owners.End(t.Context(), other))(t) {
		t.Error("a lease that was not renewed goes on, or ended twice")
	}
	if got := cutOff(); got != "here there " {
		t.Errorf("cut off: %s", got)
	}
	check(t, db.Owners.Leave(t.Context(), second.ID))
	if owners := must(db.Owners.All(t.Context()))(t); len(owners) != 0 {
		t.Errorf("owners: %+v", owners)
	}
}

func TestWhoHasNoLeaseTakesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "kept")
	must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	must(db.Verifications.Request(t.Context(), "kept", "admin"))(t) // which any console may do
	if run, claimed, err := db.Runs.Claim(t.Context(), "nobody", func(models.Run) bool { return true }); err != nil || claimed {
		t.Errorf("a run was claimed: %+v, %v", run, err)
	}
	if _, err := db.Locks.Try(t.Context(), "orders", "nobody"); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("TryLock = %v", err)
	}
	before := content(t, db)
	if _, err := db.Copies.BeginUpload(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: "new"}, "nobody"); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("BeginUpload = %v", err)
	}
	if content(t, db) != before {
		t.Error("something was written")
	}
	lease(t, db, "gone")
	run, claimed, err := db.Runs.Claim(t.Context(), "gone", func(models.Run) bool { return true })
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	check(t, db.Owners.Leave(t.Context(), "gone"))
	if _, _, err := db.Runs.Adopt(t.Context(), run, "nobody"); !errors.Is(err, models.ErrLeaseLost) {
		t.Errorf("AdoptRun = %v", err)
	}
	for i, owner := range []string{"quick", "slow"} {
		if _, adopted, err := db.Runs.Adopt(t.Context(), run, lease(t, db, owner)); err != nil || adopted != (i == 0) {
			t.Errorf("adopted by %s: %t, %v", owner, adopted, err)
		}
	}
}

// A console that was frozen thaws when another one has taken its run over, and knows it only as its own.
func TestARunThatWasTakenOverIsNotSettledByItsFirstOwner(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	stale := claim(t, db)
	check(t, db.Runs.GiveUp(t.Context(), stale, models.RunFailed, "The store is full."))
	check(t, db.Owners.Leave(t.Context(), stale.Owner))
	left := must(db.Runs.CutOff(t.Context(), "other"))(t)
	if len(left) != 1 || left[0].GivenUp != models.RunFailed || left[0].Error != "The store is full." {
		t.Fatalf("%+v", left)
	}
	if _, adopted, err := db.Runs.Adopt(t.Context(), left[0], lease(t, db, "other")); err != nil || !adopted {
		t.Fatal(adopted, err)
	}
	before := content(t, db)
	final := stale
	final.Kind = models.RunDelete // whose snapshot is complete and whose run goes on
	for name, err := range map[string]error{
		"complete":       db.Settle.Snapshot(t.Context(), stale, measured(db, "one")),
		"complete final": db.Settle.Snapshot(t.Context(), final, measured(db, "one")),
		"fail":           db.Settle.Fail(t.Context(), stale, models.RunFailed, "x"),
		"give up":        db.Runs.GiveUp(t.Context(), stale, models.RunFailed, "x"),
		"requeue":        db.Runs.Requeue(t.Context(), stale),
		"note attempt":   db.Snapshots.NoteAttempt(t.Context(), stale, "one", "another"),
	} {
		if !errors.Is(err, models.ErrRunEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, db.Runs.ReportProgress(t.Context(), stale, models.Progress{Stage: "Reading"}))
	if content(t, db) != before {
		t.Error("something was written")
	}
}

func TestWhatIsDoneToNodesIsDoneWhereTheyAre(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders")) // at home with the catalog
	taken(t, db, "orders", "kept")
	check(t, db.Owners.Leave(t.Context(), "console"))
	elsewhere := must(db.Owners.Enroll(t.Context(), "elsewhere", time.Minute))(t)
	claims := func(owner string) string {
		names := ""
		for {
			run, claimed, err := db.Runs.Claim(t.Context(), owner, func(models.Run) bool { return true })
			check(t, err)
			if !claimed {
				return names
			}
			names += string(run.Kind) + " "
		}
	}
	must(db.Verifications.Request(t.Context(), "kept", "admin"))(t)
	must(db.Snapshots.Request(t.Context(), "orders", "one", false, "admin"))(t)
	if got := claims(elsewhere.ID); got != "verify " {
		t.Errorf("elsewhere these were begun: %s", got)
	}
	// Its files turn up elsewhere: whoever rebuilds the catalog there takes it over, but never from a console that lives.
	other := *db
	other.host = &fakeHost{home: "elsewhere"}
	other.bound()
	home := must(db.Owners.Enroll(t.Context(), models.CatalogHome, time.Minute))(t)
	if got := must(other.Owners.TakeOver(t.Context(), []string{"orders", "unknown"}))(t); len(got) != 0 {
		t.Errorf("%q were taken from a console that lives", got)
	}
	check(t, db.Owners.Leave(t.Context(), home.ID))
	if away := must(db.Owners.Away(t.Context(), models.CatalogHome))(t); !away {
		t.Error("it does not count as away")
	}
	if got := must(other.Owners.TakeOver(t.Context(), []string{"orders", "unknown"}))(t); len(got) != 1 || got[0] != "orders" {
		t.Errorf("%q were taken", got)
	}
	if got := must(db.Clusters.ByID(t.Context(), cluster.ID))(t).Home; got != "elsewhere" {
		t.Errorf("it is at home %s", got)
	}
	if got := claims(elsewhere.ID); got != "snapshot " {
		t.Errorf("after that these were begun: %s", got)
	}
}

func TestClusterOfALostHostCanBeDeletedElsewhere(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{true, false} {
		db, _ := catalog(t)
		launched(t, db, spec("orders"))
		elsewhere := must(db.Owners.Enroll(t.Context(), "elsewhere", time.Minute))(t)
		if away {
			check(t, db.Owners.Leave(t.Context(), "console"))
		}
		check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
		run, claimed, err := db.Runs.Claim(t.Context(), elsewhere.ID, func(models.Run) bool { return true })
		if err != nil || claimed != away {
			t.Fatalf("away %t: claimed %t, %v", away, claimed, err)
		}
		if away {
			check(t, db.Settle.ClusterDeletion(t.Context(), run))
		}
	}
}
