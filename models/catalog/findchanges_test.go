package catalog

import (
	"fmt"
	"testing"
	"time"

	"rekindle/models"
)

// tracing is a search that has begun in the journal of orders.
func tracing(t *testing.T, db *DB) models.Run {
	t.Helper()
	run, rows := searching(t, db, models.FindSpec{Cluster: "orders", Sought: "secret", Journal: &models.FindJournal{Only: true}})
	if len(rows) != 0 {
		t.Fatalf("it looks through %+v", rows)
	}
	return run
}

// foundChanges are changes at these places, one in each second.
func foundChanges(from time.Time, places ...int64) (found models.FoundChanges) {
	for _, place := range places {
		found.Changes = append(found.Changes, models.FoundChange{At: from.Add(time.Duration(place) * time.Second), Shard: 1, Run: "run1", Before: place, After: place + 1, Command: "SET",
			Kind: models.ChangeWritten, Word: 1, Name: []byte{0xFF, 0}, Length: 2, OtherDatabase: -1})
	}
	found.Count = int64(len(places))
	return found
}

func TestTheNewestChangesAreKeptWhicheverComeFirst(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	store(t, db, link, "run1", 0, 100)
	run, day := tracing(t, db), clock.Now().Add(-time.Hour)
	if run.ClusterID != cluster.ID {
		t.Errorf("it is of the cluster %d", run.ClusterID)
	}
	check(t, db.Finds.NoteChanges(t.Context(), run, 4, foundChanges(day, 10, 11)))
	check(t, db.Finds.NoteChanges(t.Context(), run, 4, foundChanges(day, 20, 20, 21)))
	check(t, db.Finds.NoteChanges(t.Context(), run, 4, foundChanges(day, 1, 2)))
	begin := day
	check(t, db.Finds.NoteChanges(t.Context(), run, 4, models.FoundChanges{Holes: []models.FindHole{{Shard: 1, Begin: &begin, Reason: "It is damaged."}}}))
	check(t, db.Finds.JournalDone(t.Context(), run))
	stream, is, err := db.Finds.Stream(t.Context(), run.ID)
	if want := (models.FindStream{RunID: run.ID, Changes: 7, Kept: 4, Holes: 1, Done: true}); err != nil || !is || stream != want {
		t.Errorf("%+v, %t, %v", stream, is, err)
	}
	var places []int64
	changes := must(db.Finds.Changes(t.Context(), run.ID, 0, 10))(t)
	for _, c := range changes {
		places = append(places, c.Before)
	}
	if fmt.Sprint(places) != "[21 20 20 11]" || changes[1].ID < changes[2].ID || string(changes[0].Name) != "\xff\x00" {
		t.Errorf("kept are %v", places)
	}
	if some := must(db.Finds.Changes(t.Context(), run.ID, 3, 10))(t); len(some) != 1 || some[0].Before != 11 {
		t.Errorf("the last page is %+v", some)
	}
	if holes := must(db.Finds.Holes(t.Context(), run.ID))(t); len(holes) != 1 || holes[0].Reason != "It is damaged." || holes[0].End != nil {
		t.Errorf("the holes are %+v", holes)
	}
	check(t, db.Finds.Settle(t.Context(), run))
	clock.Advance(models.FindKeptFor + time.Minute)
	check(t, db.Finds.Forget(t.Context()))
	for _, table := range []any{&models.FoundChange{}, &models.FindHole{}, &models.FindStream{}, &models.Find{}} {
		if n := count(t, db, table, "1 = 1"); n != 0 {
			t.Errorf("%d rows of %T are kept", n, table)
		}
	}
}

func TestOnlySomeHolesAreListed(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	_, link := journaled(t, db)
	store(t, db, link, "run1", 0, 100)
	run := tracing(t, db)
	for range 3 {
		check(t, db.Finds.NoteChanges(t.Context(), run, 4, models.FoundChanges{Holes: make([]models.FindHole, 40)}))
	}
	stream, _, err := db.Finds.Stream(t.Context(), run.ID)
	if holes := must(db.Finds.Holes(t.Context(), run.ID))(t); err != nil || stream.Holes != 120 || len(holes) != maxHoles {
		t.Errorf("%d of %d holes, %v", len(holes), stream.Holes, err)
	}
}

func TestASearchOfNoJournalIsRefused(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	for _, test := range []struct {
		cluster, snapshot string
		until             time.Time
		code              models.Code
	}{
		{"orders", "", time.Time{}, models.CodeInvalid},
		{"other", "", time.Time{}, models.CodeClusterNotFound},
		{"", "", time.Time{}, models.CodeInvalid},
		{"orders", "one", time.Time{}, models.CodeInvalid},
		{"orders", "", clock.Now().Add(-time.Hour), models.CodeInvalid},
	} {
		spec := models.FindSpec{Cluster: test.cluster, Snapshot: test.snapshot, Sought: "x", Journal: &models.FindJournal{Only: true, Since: clock.Now(), Until: test.until}}
		if test.until.IsZero() {
			spec.Journal.Since = time.Time{}
		}
		if _, err := db.Finds.Request(t.Context(), spec); !models.HasCode(err, test.code) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestSegmentsAreFoundByTheirPlaces(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	begun := clock.Now()
	for _, place := range []struct {
		run      string
		from, to int64
	}{{"run1", 0, 100}, {"run1", 100, 200}, {"run1", 150, 300}, {"run1", 160, 170}, {"run1", 400, 500}, {"run2", 1000, 1100}} {
		clock.Advance(10 * time.Second)
		store(t, db, link, place.run, place.from, place.to)
	}
	all := must(db.Journal.Recordings(t.Context(), cluster.ID, models.FindJournal{}))(t)
	if text := fmt.Sprintf("%+v", all); text != fmt.Sprintf("[{ClusterID:%d Shard:1 Run:run1 From:0 To:500} {ClusterID:%[1]d Shard:1 Run:run2 From:1000 To:1100}]", cluster.ID) {
		t.Fatalf("the recordings are %s", text)
	}
	some := must(db.Journal.Recordings(t.Context(), cluster.ID, models.FindJournal{Since: begun.Add(11 * time.Second), Until: begun.Add(19 * time.Second)}))(t)
	if len(some) != 1 || some[0].From != 100 || some[0].To != 200 {
		t.Errorf("of some seconds there are %+v", some)
	}
	for place, want := range map[int64]string{0: "0-100", 99: "0-100", 100: "100-200", 155: "150-300", 165: "150-300", 200: "150-300", 300: "400-500", 450: "400-500", 500: ""} {
		s, found, err := db.Journal.SegmentAt(t.Context(), all[0], place)
		if got := fmt.Sprintf("%d-%d", s.From, s.To); err != nil || found != (want != "") || found && got != want {
			t.Errorf("at %d there is %s, %v", place, got, err)
		}
	}
	if s, found, err := db.Journal.Back(t.Context(), all[0], 500, 1); err != nil || !found || s.To != 300 {
		t.Errorf("one back there is %+v, %v", s, err)
	}
	if _, found, err := db.Journal.Back(t.Context(), all[0], 500, 5); err != nil || found {
		t.Errorf("five back there is one: %v", err)
	}
	check(t, db.Journal.Leave(t.Context(), must(db.Journal.Segments(t.Context(), cluster.ID, 1, "run1", 0, 100))(t)))
	if s, _, err := db.Journal.SegmentAt(t.Context(), all[0], 0); err != nil || s.From != 100 {
		t.Errorf("instead of one that is being removed there is %+v, %v", s, err)
	}
}
