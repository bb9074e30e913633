package catalog

import (
	"testing"
	"time"

	"rekindle/models"
)

// searching is a search that has begun in the snapshots of orders.
func searching(t *testing.T, db *DB, spec models.FindSpec) (models.Run, []models.FindSnapshot) {
	t.Helper()
	spec.RequestedBy = "admin"
	must(db.Finds.Request(t.Context(), spec))(t)
	run := claim(t, db)
	if run.Kind != models.RunFind {
		t.Fatalf("%s was claimed", run.Kind)
	}
	return run, must(db.Finds.Begin(t.Context(), run))(t)
}

func foundKeys(n int) []models.FoundKey {
	keys := make([]models.FoundKey, n)
	for i := range keys {
		keys[i] = models.FoundKey{Part: 1, Name: []byte{0xFF, 0, byte(i)}, Length: 3, Type: "string", Bytes: 4, Digest: "xxh128:00"}
	}
	return keys
}

func TestASearchLooksThroughTheNewestSnapshotsFirst(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	clock.Advance(time.Hour)
	two := taken(t, db, "orders", "two")
	run, rows := searching(t, db, models.FindSpec{Cluster: "orders", Sought: "session:\xff\x00", Pattern: true, Keep: 3})
	if len(rows) != 2 || rows[0].SnapshotName != "two" || rows[0].SnapshotID != two.ID || rows[1].SnapshotName != "one" || rows[0].State != models.FindWaiting || !rows[1].TakenAt.Before(rows[0].TakenAt) {
		t.Fatalf("it looks through %+v", rows)
	}
	if args := must(models.Args[models.FindArgs](run))(t); !args.Pattern || args.Keep != 3 {
		t.Errorf("its arguments are %+v", args)
	}
	expires := clock.Now().In(time.FixedZone("", 3600))
	keys := foundKeys(2)
	keys[0].ExpiresAt = &expires
	check(t, db.Finds.Note(t.Context(), run, 3, models.FindProgress{Place: 1, Matches: 2, Keys: keys}))
	check(t, db.Finds.Note(t.Context(), run, 3, models.FindProgress{Place: 0, Matches: 7, Keys: foundKeys(5), Done: 1}))
	check(t, db.Finds.Note(t.Context(), run, 3, models.FindProgress{Place: 1, Done: 1, Reason: "Part 1 is damaged."}))
	search, kept, err := db.Finds.Get(t.Context(), run.ID)
	if err != nil || !kept || string(search.Sought) != "session:\xff\x00" || search.Matches != 9 || search.Kept != 3 {
		t.Errorf("the search is %+v, %t, %v", search, kept, err)
	}
	rows, total, err := db.Finds.Snapshots(t.Context(), run.ID, 0, 10)
	if err != nil || total != 2 || rows[0].State != models.FindDone || rows[0].Matches != 7 || rows[1].State != models.FindFailed || rows[1].Reason != "Part 1 is damaged." {
		t.Errorf("the snapshots are %+v, %d, %v", rows, total, err)
	}
	found := must(db.Finds.Keys(t.Context(), run.ID, 0, 1))(t)
	if len(found) != 3 || found[0].Place != 0 || string(found[1].Name) != "\xff\x00\x00" || found[1].ExpiresAt == nil || !found[1].ExpiresAt.Equal(catalogTime(expires)) {
		t.Errorf("found %+v", found)
	}
	page := must(db.Finds.List(t.Context(), run.ID, "one", models.List{Size: 50, Page: 1}))(t)
	if page.Total != 2 || len(page.Rows) != 2 || page.Rows[0].Place != 1 {
		t.Errorf("of the snapshot one: %+v", page)
	}
	key, in, err := db.Finds.Key(t.Context(), run.ID, found[1].ID)
	if err != nil || key.ID != found[1].ID || in.SnapshotName != "one" {
		t.Errorf("%+v, %+v, %v", key, in, err)
	}
	if _, _, err := db.Finds.Key(t.Context(), run.ID+1, found[1].ID); !models.HasCode(err, models.CodeRunNotFound) {
		t.Errorf("a result of another search: %v", err)
	}
	check(t, db.Finds.Settle(t.Context(), run))
	expectRun(t, db, run.ID, models.RunSucceeded)
	if recent := must(db.Finds.Recent(t.Context(), "orders", 5))(t); len(recent) != 1 || recent[0].ID != run.ID {
		t.Errorf("recent searches are %+v", recent)
	}
}

func TestASearchThatBeginsAgainForgetsWhatItHadFound(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	run, _ := searching(t, db, models.FindSpec{Snapshot: "one", Sought: "cart:1"})
	check(t, db.Finds.Note(t.Context(), run, 10, models.FindProgress{Matches: 2, Keys: foundKeys(2), Done: 1}))
	rows := must(db.Finds.Begin(t.Context(), run))(t)
	search, _, err := db.Finds.Get(t.Context(), run.ID)
	if err != nil || search.Matches != 0 || search.Kept != 0 || len(rows) != 1 || rows[0].Matches != 0 || len(must(db.Finds.Keys(t.Context(), run.ID, 0, 9))(t)) != 0 {
		t.Errorf("the search has %+v, %+v, %v", search, rows, err)
	}
}

func TestSearchesThatHaveNothingToLookThroughAreRefused(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	for _, test := range []struct {
		spec models.FindSpec
		code models.Code
	}{
		{models.FindSpec{Cluster: "orders", Sought: "x"}, models.CodeSnapshotNotFound},
		{models.FindSpec{Cluster: "other", Sought: "x"}, models.CodeSnapshotNotFound},
		{models.FindSpec{Snapshot: "other", Sought: "x"}, models.CodeSnapshotNotFound},
		{models.FindSpec{Sought: "x"}, models.CodeInvalid},
		{models.FindSpec{Cluster: "orders"}, models.CodeInvalid},
		{models.FindSpec{Cluster: "orders", Sought: "x", Keep: models.FindMost + 1}, models.CodeInvalid},
	} {
		if _, err := db.Finds.Request(t.Context(), test.spec); !models.HasCode(err, test.code) {
			t.Errorf("%+v: %v", test.spec, err)
		}
	}
	if n := count(t, db, &models.Run{}, "kind = ?", models.RunFind); n != 0 {
		t.Errorf("%d searches were queued", n)
	}
}

func TestSearchesAreForgottenAfterAWeekButNotWhileTheyGoOn(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	done, _ := searching(t, db, models.FindSpec{Snapshot: "one", Sought: "secret"})
	check(t, db.Finds.Note(t.Context(), done, 10, models.FindProgress{Matches: 1, Keys: foundKeys(1), Done: 1}))
	check(t, db.Finds.Settle(t.Context(), done))
	under, _ := searching(t, db, models.FindSpec{Snapshot: "one", Sought: "secret"})
	check(t, db.Finds.Forget(t.Context()))
	if n := count(t, db, &models.Find{}, "1 = 1"); n != 2 {
		t.Errorf("%d searches are kept", n)
	}
	clock.Advance(models.FindKeptFor + time.Minute)
	check(t, db.Finds.Forget(t.Context()))
	if _, kept, err := db.Finds.Get(t.Context(), done.ID); err != nil || kept {
		t.Errorf("it is still kept: %v", err)
	}
	if _, kept, err := db.Finds.Get(t.Context(), under.ID); err != nil || !kept {
		t.Errorf("one that goes on was forgotten: %v", err)
	}
	if keys, rows := count(t, db, &models.FoundKey{}, "1 = 1"), count(t, db, &models.FindSnapshot{}, "1 = 1"); keys != 0 || rows != 1 {
		t.Errorf("%d keys and %d snapshots are kept", keys, rows)
	}
}

func TestASearchInASnapshotThatIsDeletedEnds(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	run, _ := searching(t, db, models.FindSpec{Snapshot: "one", Sought: "x"})
	check(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"))
	if now := must(db.Runs.Get(t.Context(), run.ID))(t); !now.CancelRequested {
		t.Error("it goes on")
	}
}

func TestNamesAreLookedUpAmongWhatASearchHasKept(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	clock.Advance(time.Hour)
	taken(t, db, "orders", "two")
	run, _ := searching(t, db, models.FindSpec{Cluster: "orders", Sought: "*", Pattern: true})
	check(t, db.Finds.Note(t.Context(), run, 9, models.FindProgress{Place: 0, Matches: 2, Keys: foundKeys(2), Done: 1}))
	check(t, db.Finds.Note(t.Context(), run, 9, models.FindProgress{Place: 1, Matches: 300, Keys: foundKeys(9), Done: 1}))
	names := [][]byte{{0xFF, 0, 1}, {0xFF, 0, 3}, []byte("none")}
	if found := must(db.Finds.Named(t.Context(), run.ID, names, 0, 1))(t); len(found) != 3 {
		t.Errorf("found %+v", found)
	}
	if found := must(db.Finds.Named(t.Context(), run.ID, names, 1, 1))(t); len(found) != 2 || found[0].Place != 1 {
		t.Errorf("in one snapshot: %+v", found)
	}
	if found := must(db.Finds.Named(t.Context(), run.ID, nil, 0, 1))(t); len(found) != 0 {
		t.Errorf("no name: %+v", found)
	}
	if kept := must(db.Finds.Kept(t.Context(), run.ID, 0, 1))(t); len(kept) != 2 || kept[0] != 2 || kept[1] != 7 {
		t.Errorf("kept are %v", kept)
	}
}
