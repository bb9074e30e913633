package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestWhatSnapshotsCost(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/cost").is(http.StatusOK).says("Nothing is stored", "What is stored is written down every hour.")
	c.launch("orders")
	c.check(c.db.Usage.Sample(t.Context()))
	large := func(s *models.Snapshot) { s.Stored = 100 << 30 }
	first := c.backUp("orders", "first", large)
	if facts := c.get("/snapshots/first").is(http.StatusOK).facts(); !strings.HasPrefix(facts["Cost"], "Free") {
		t.Errorf("the one snapshot is not free: %q", facts["Cost"])
	}
	c.clock.Advance(time.Hour)
	c.backUp("orders", "second", large)
	c.clock.Advance(71 * time.Hour)
	c.check(c.db.Usage.Sample(t.Context()))
	c.signIn()
	// 100 GB for 71 of the 720 hours of November.
	if facts := c.get("/snapshots/first").facts(); facts["Cost"] != "$8.50 a month $0.84 in November so far" {
		t.Errorf("%q", facts["Cost"])
	}
	if facts := c.get("/snapshots/second").facts(); facts["Cost"] != "Free the newest of an active cluster $0.00 in November so far" {
		t.Errorf("%q", facts["Cost"])
	}
	history := c.get("/clusters/orders?tab=history").is(http.StatusOK).says("Cost at ElastiCache's rate")
	if facts := history.facts(); facts["November so far"] != "$0.84" || facts["Now"] != "$8.50 a month" || facts["Charged"] != "107.4 GB of 214.7 GB; the newest is free" {
		t.Errorf("%v", facts)
	}
	page := c.get("/cost").is(http.StatusOK).says("orders", "By month", "November 2026", "the record begins on 22 November")
	if facts := page.facts(); facts["Now"] != "$8.50 a month" || facts["Price"] != "$0.085 per GB-month a GB of 1,073,741,824 bytes" || facts["Charged"] != "107.4 GB of 214.7 GB" {
		t.Errorf("%v", facts)
	}

	c.post("/settings/limits", "manual_quota", "20", "price", "0.17", "currency", "EUR").redirects("/settings/limits")
	if facts := c.get("/snapshots/first").facts(); facts["Cost"] != "EUR 17.00 a month EUR 1.68 in November so far" {
		t.Errorf("in another currency: %q", facts["Cost"])
	}
	// A cluster that is gone has no free snapshot, and what was removed was charged until then.
	c.check(c.db.Snapshots.Delete(t.Context(), []string{first.Name}, "admin"))
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	if facts := c.get("/clusters/orders?tab=history").facts(); facts["November so far"] != "EUR 1.68" || facts["Now"] != "EUR 0.00 a month" {
		t.Errorf("%v", facts)
	}
	c.check(c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	if facts := c.get("/snapshots/second").facts(); !strings.HasPrefix(facts["Cost"], "EUR 17.00 a month") {
		t.Errorf("of a cluster that is gone: %q", facts["Cost"])
	}
	c.get("/cost").says("no longer there: none is free", `href="/snapshots?cluster=orders"`)
}

func TestAScheduleSaysWhatItWillCostAndWhatLessWouldSave(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) {
		s.Retention, s.Window = 35, models.Window{Start: 180, Length: 60}
	})
	for day := range 2 {
		c.clock.Advance(time.Date(2026, 11, 23+day, 3, 59, 0, 0, time.UTC).Sub(c.clock.Now()))
		queued, err := c.db.Schedule.QueueDue(t.Context())
		c.check(err)
		if queued != 1 {
			t.Fatalf("%d were queued", queued)
		}
		run := c.claim()
		now := c.clock.Now()
		c.check(c.db.Settle.Snapshot(t.Context(), run, models.Snapshot{Name: run.SnapshotName, Bytes: 9 << 30, Stored: int64(1+2*day) << 30, StartedAt: &now,
			Parts: []models.Part{{Number: 1, Object: "p", Bytes: 9 << 30, Stored: 1 << 30, StartedAt: now, CompletedAt: now}}}))
	}
	c.signIn()
	// 34 of them at 2 GB, the mean, are charged: 34 * 2 * 0.085. With 14 days it would be 13.
	const says = "35 days of retention will cost about $5.78 a month: 35 snapshots of 2.1 GB, the newest one free. 14 days would save $3.57."
	c.get("/clusters/orders").says(says)
	c.get("/clusters/orders/modify").says(says, "about $5.78")
	form := modifyForm(c.find("orders"))
	form.Set("retention", "7")
	c.postForm("/clusters/orders/summary", form).says("7 days of retention will cost about $1.02 a month", "3 days would save $0.68.")
}

func TestAmountsOfMoney(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		currency string
		amount   float64
		want     string
		roughly  string
	}{
		{"$", 0, "$0.00", "$0.00"}, {"$", 0.004, "less than $0.01", "less than $0.01"}, {"$", 1.316, "$1.32", "about $1.32"}, {"EUR", 2, "EUR 2.00", "about EUR 2.00"},
	} {
		settings := models.Settings{Currency: test.currency}
		if got, guessed := money(settings, test.amount), roughly(settings, test.amount); got != test.want || guessed != test.roughly {
			t.Errorf("%g: %q and %q, want %q and %q", test.amount, got, guessed, test.want, test.roughly)
		}
	}
}
