package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestChangesOfAKeyAreShownWithTheWaysBack(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	cluster := c.launch("orders")
	form := func(fields ...string) answer {
		return c.post("/find", append([]string{"cluster", "orders", "sought", "cart:1", "where", "journal"}, fields...)...)
	}
	form().is(http.StatusUnprocessableEntity).says("Nothing of a journal of orders is stored.", `<option value="journal" selected`, `value="cart:1"`)
	c.post("/clusters/orders/journal", "kept", "on", "days", "1", "promise", "10").redirects("/clusters/orders/journal")
	c.record(cluster)
	stored := c.clock.Now()
	c.backUp("orders", "base", func(s *models.Snapshot) {
		s.Parts[0].ReplicationID, s.Parts[0].ReplicationOffset, s.Parts[0].StartedAt = "history", 10, stored.Add(-50*time.Second)
	})
	if page := c.get("/clusters/orders/journal").says("Find a key in this time"); !strings.Contains(page.raw, "where=journal") || !strings.Contains(page.raw, "/find?cluster=orders&amp;since=") {
		t.Error("no link leads from the journal to the search")
	}
	form("since", "yesterday").is(http.StatusUnprocessableEntity).says("Write it like 2026-11-27 10:41:07", `value="yesterday"`)
	form("since", "2026-11-27 10:41:07", "until", "2026-11-27 10:41:06").is(http.StatusUnprocessableEntity).says("It lies before the first second.")
	form("snapshot", "first").is(http.StatusUnprocessableEntity).says("Leave it empty to look in the journal")
	c.get("/find?cluster=orders&where=journal&since=2026-03-02+10%3A41%3A07").says(`value="2026-03-02 10:41:07"`, `<option value="journal" selected`)

	at := form("since", "2026-03-01 00:00:00")
	found := at.header.Get("Location")
	at.redirects(found)
	c.get(found).says("In the journal of orders", "The journal is not looked through yet.", "from 2026-03-01 00:00:00 UTC on").doesNotSay("There is no such key")
	run := c.searching()
	c.get(found).says("No change has been found so far.")
	deleted := models.FoundChange{At: stored.Add(-20 * time.Second), Shard: 1, Run: "00000000000000aa", Before: 500, After: 520, Command: "DEL", Kind: models.ChangeDeleted, Word: 2, Bytes: 40, OtherDatabase: -1}
	renamed := deleted
	renamed.Kind, renamed.Command, renamed.Other, renamed.At, renamed.Database = models.ChangeRenamedTo, "RENAME", []byte("<b>\xff"), c.clock.Now().Add(-time.Hour), -1
	changes := []models.FoundChange{deleted, renamed}
	for i := range 60 {
		set := deleted
		set.Kind, set.Command, set.At = models.ChangeWritten, "SET", c.clock.Now().Add(-time.Duration(2*i+100)*time.Minute)
		changes = append(changes, set)
	}
	begin := c.clock.Now().Add(-time.Hour)
	c.check(c.db.Finds.NoteChanges(t.Context(), run, 1000, models.FoundChanges{Count: 1234, Changes: changes, Holes: []models.FindHole{{Shard: 2, Begin: &begin, Reason: "It is damaged."}}}))
	c.check(c.db.Finds.JournalDone(t.Context(), run))
	c.check(c.db.Finds.Settle(t.Context(), run))
	page := c.get(found).says("1,234", "Deleted, expired or evicted", "the key is its argument 2", "Renamed to \"<b>\\xff\"", "not known", "Shard 2, from ", "It is damaged.", "Restore to just before DEL at ", "Bring keys back",
		"All 62 changes that are kept", "outside of the window")
	if strings.Contains(page.raw, "<b>") {
		t.Error("a name is believed")
	}
	if !strings.Contains(page.raw, "place=1%3A00000000000000aa%3A500") && !strings.Contains(page.raw, "place=1:00000000000000aa:500") {
		t.Error("no link leads to the place before the deletion")
	}
	c.get(found+"/changes").says("Changes of a key", "Renamed to", "62")
	c.get(found + "/changes?page=9").is(http.StatusOK)
	c.get("/runs").says("Find a key in the journal of orders").doesNotSay("cart:1")

	c.backUp("orders", "s1")
	both := c.post("/find", "cluster", "orders", "sought", "cart:*", "match", "pattern", "where", "both").header.Get("Location")
	run = c.searching()
	c.check(c.db.Finds.NoteChanges(t.Context(), run, 1000, models.FoundChanges{Count: 3}))
	c.check(c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	c.get(both).says("In all snapshots and the journal of orders", "Names of keys are hidden", "By snapshot", "3")
	c.get("/find/" + fmt.Sprint(run.ID) + "/changes").is(http.StatusOK)

	c.post("/find", "cluster", "orders", "sought", "cart:1")
	c.get("/find/" + fmt.Sprint(run.ID+1) + "/changes").is(http.StatusNotFound).says("does not look in a journal")
}
