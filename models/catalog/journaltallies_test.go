package catalog

import (
	"slices"
	"testing"
	"time"

	"rekindle/models"
)

// barsKept are the bars of a day that have something, as they are kept and as a look at every segment and event gives them.
func barsKept(t *testing.T, db *DB, cluster models.Cluster, bar time.Duration) []models.JournalWrites {
	t.Helper()
	span := models.RecoverySpan{From: monday.UTC().Truncate(24 * time.Hour), To: monday.UTC().Truncate(24 * time.Hour).Add(48 * time.Hour)}
	kept := must(db.Journal.Tallied(t.Context(), cluster.ID, span, bar))(t)
	counted := must(db.Journal.Writes(t.Context(), cluster.ID, span, bar))(t)
	for _, e := range must(db.Journal.Events(t.Context(), cluster.ID, span.From, span.To, 1000))(t) {
		counted[e.At.Sub(span.From)/bar].Events++
	}
	if !slices.Equal(kept, counted) {
		t.Errorf("by %s, what is kept is\n%+v and not\n%+v", bar, kept, counted)
	}
	return slices.DeleteFunc(kept, func(w models.JournalWrites) bool { return w.Bytes == 0 && w.Events == 0 })
}

func TestTalliesAreWhatTheSegmentsHave(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	var segments []models.JournalSegment
	for i := range int64(12) {
		clock.Advance(7 * time.Minute)
		var events []models.JournalEvent
		if i%3 == 0 {
			events = append(events, models.JournalEvent{At: clock.Now().Add(-time.Second), Command: "FLUSHALL", Before: 100*i + 10, After: 100*i + 20})
		}
		segments = append(segments, store(t, db, link, "run1", 100*i, 100*i+100, events...))
	}
	var size int64
	for _, s := range segments {
		size += s.Size
	}
	if kept := must(db.Journal.Size(t.Context(), cluster.ID))(t); kept != size || size == 0 {
		t.Errorf("it has %d bytes, not %d", kept, size)
	}
	for _, bar := range []time.Duration{models.JournalTallied, time.Hour, 6 * time.Hour, 24 * time.Hour} {
		if bars := barsKept(t, db, cluster, bar); len(bars) == 0 {
			t.Errorf("by %s nothing was written", bar)
		}
	}

	// What is found in the store counts its bytes at once, and its writes when it was read back.
	clock.Advance(time.Hour)
	found := segments[0]
	found.ID, found.From, found.To, found.Begin, found.End, found.Key, found.Run = 0, 0, 50, clock.Now(), clock.Now(), "found", "run2"
	if n := len(must(db.Journal.Adopt(t.Context(), []models.JournalSegment{found}))(t)); n != 1 {
		t.Fatalf("%d were adopted", n)
	}
	barsKept(t, db, cluster, time.Hour)
	rows := must(db.Journal.Segments(t.Context(), cluster.ID, 1, "run2", 0, 50))(t)
	for range 2 { // the second time changes nothing
		check(t, db.Journal.Verified(t.Context(), rows[0], 41, []models.JournalEvent{{At: clock.Now(), Command: "SWAPDB", Before: 10, After: 20}}))
	}
	if bars := barsKept(t, db, cluster, time.Hour); bars[len(bars)-1].Writes != 41 || bars[len(bars)-1].Events != 1 {
		t.Errorf("what was found became %+v", bars)
	}

	// What goes is taken away again, also when it was read back since it was looked up.
	all := append(must(db.Journal.Segments(t.Context(), cluster.ID, 1, "run1", 0, 1<<40))(t), rows...)
	for some := range slices.Chunk(all, 5) {
		check(t, db.Journal.Forget(t.Context(), some))
		barsKept(t, db, cluster, models.JournalTallied)
	}
	if n := count(t, db, &journalTally{}); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if size := must(db.Journal.Size(t.Context(), cluster.ID))(t); size != 0 {
		t.Errorf("%d bytes are left", size)
	}
}

func TestWhatIsBesideAnInstant(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, link := journaled(t, db)
	at := clock.Now()
	store(t, db, link, "run1", 0, 100, models.JournalEvent{At: at.Add(-time.Minute), Command: "FLUSHALL"}, models.JournalEvent{At: at, Command: "SWAPDB"})
	for name, test := range map[string]struct {
		at            time.Time
		before, after string
	}{
		"earlier":      {at.Add(-time.Hour), "", "FLUSHALL"},
		"between them": {at.Add(-time.Second), "FLUSHALL", "SWAPDB"},
		"at one":       {at, "FLUSHALL", "SWAPDB"},
		"later":        {at.Add(time.Second), "SWAPDB", ""},
	} {
		before, after, err := db.Journal.Beside(t.Context(), cluster.ID, test.at)
		check(t, err)
		commandOf := func(e *models.JournalEvent) string {
			if e == nil {
				return ""
			}
			return e.Command
		}
		if commandOf(before) != test.before || commandOf(after) != test.after {
			t.Errorf("%s: before it is %q, after it %q", name, commandOf(before), commandOf(after))
		}
	}
}
