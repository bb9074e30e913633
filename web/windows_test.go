package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestTheDaysWindowsShowLoadAndForksOnOneHost(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/windows").is(http.StatusOK).says("No windows yet")
	window := models.Window{Start: 13 * 60, Length: 60}
	names := []string{"orders"}
	minute := window.On(c.clock.Now(), "orders").Begins
	for i := 0; len(names) < 2; i++ { // another one that begins in the same minute
		if name := fmt.Sprintf("twin-%d", i); window.On(c.clock.Now(), name).Begins.Equal(minute) {
			names = append(names, name)
		}
	}
	for _, name := range append(names, "late") {
		c.launch(name, func(s *models.ClusterSpec) {
			s.Retention, s.Window, s.Replicas = 7, window, 0
			if name == "late" {
				s.Window = models.Window{Start: 23 * 60, Length: 120}
			}
		})
	}
	c.check(c.db.Schedule.Judge(t.Context()))
	said := fmt.Sprintf("%s UTC: orders and %s are snapshotted from 127.0.0.1 at the same time", minute.Format("15:04"), names[1])
	c.get("/").is(http.StatusOK).says("The day's windows", "Next snapshots", said, "orders: window 13:00 to 14:00 UTC", `href="/windows?hour=13"`)
	c.get("/windows").says("3 snapshots begin each day, at most 2 of them in one hour (13:00 to 14:00 UTC).", said, "late: window 23:00 to 01:00 UTC", "today at "+minute.Format("15:04")+" UTC", "not known yet")
	if rows := strings.Count(c.get("/windows?hour=13").says("From 13:00 to 14:00 UTC", said).raw, `class="name"`); rows != 2 {
		t.Errorf("%d clusters are listed from 13:00 to 14:00", rows)
	}
	c.check(c.db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: models.DefaultPromise, Synthetic: true}, "admin"))
	c.get("/windows").says(said) // the first one is taken of the cluster
	first := c.backUp("orders", "first")
	c.check(c.db.Comparisons.Queue(t.Context(), models.Run{ClusterName: "orders", ClusterID: first.ClusterID, SnapshotName: "first", RequestedBy: "schedule"}))
	c.check(c.db.Comparisons.Settle(t.Context(), c.claim(), models.JournalComparison{SnapshotID: first.ID, SnapshotName: "first", Base: "base", Verdict: models.VerdictSame}))
	c.get("/windows").says("from the journal", "orders: window 13:00 to 14:00 UTC").doesNotSay("are snapshotted from")
	c.get("/windows?hour=5").says("Nothing begins in this hour.")
	for _, wrong := range []string{"-1", "24", "x", "99999999999999999999"} {
		c.get("/windows?hour=" + wrong).is(http.StatusOK).says("The next snapshots")
	}
	// The viewer's own time is below.
	response := c.request(http.MethodGet, "/windows", nil)
	response.AddCookie(&http.Cookie{Name: "tz", Value: "Asia%2FKolkata"})
	c.do(response).says("IST", "05:30")
	// As many as are drawn one by one, and more.
	for i := range maxLanes {
		c.launch(fmt.Sprintf("more-%02d", i), func(s *models.ClusterSpec) { s.Retention, s.Window = 1, window })
	}
	c.check(c.db.Schedule.Judge(t.Context()))
	c.get("/windows").says("15 snapshots begin each day").doesNotSay("lane-window")
}

func TestAnHourOfManyClustersIsRead50AtATime(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for i := range 60 {
		c.launch(fmt.Sprintf("c-%02d", i), func(s *models.ClusterSpec) {
			s.Retention, s.Window, s.Replicas = 1, models.Window{Start: 3 * 60, Length: 60}, 0
		})
	}
	c.check(c.db.Schedule.Judge(t.Context()))
	first, second := c.get("/windows?hour=3").is(http.StatusOK), c.get("/windows?hour=3&page=2").is(http.StatusOK)
	if a, b := strings.Count(first.raw, `class="name"`), strings.Count(second.raw, `class="name"`); a != 50 || b != 10 {
		t.Errorf("%d and %d are listed", a, b)
	}
	first.says("/windows?hour=3&page=2")
	c.get("/windows?hour=3&page=9").says("From 03:00 to 04:00 UTC") // the last one
}

func TestAClustersHistoryShowsWhatBecameOfEachWindow(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Retention, s.Window = 35, models.Window{Start: 180, Length: 60} })
	c.launch("cache", cache)
	c.get("/clusters/orders?tab=history").says("No window has passed yet.", "History")
	c.get("/clusters/cache?tab=history").is(http.StatusOK).doesNotSay(`href="/clusters/cache?tab=history"`, "The last 35 windows")
	c.get("/clusters/orders?tab=history").says("There is no snapshot from the last days yet.")
	at := func(day, hour, minute int) {
		c.clock.Advance(time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC).Sub(c.clock.Now()))
	}
	tick := func(outcome models.RunStatus) models.Run {
		queued, err := c.db.Schedule.QueueDue(t.Context())
		c.check(err)
		if queued != 1 {
			t.Fatalf("%d were queued at %s", queued, c.clock.Now())
		}
		run := c.claim()
		if outcome != models.RunSucceeded {
			c.check(c.db.Settle.Fail(t.Context(), run, outcome, "The disk is full."))
			return run
		}
		began := c.clock.Now()
		c.clock.Advance(10 * time.Second)
		c.check(c.db.Settle.Snapshot(t.Context(), run, models.Snapshot{Name: run.SnapshotName, Bytes: 2_000_000_000, Stored: 700_000_000, StartedAt: &began,
			Parts: []models.Part{{Number: 1, Object: "p", Bytes: 1, Stored: 1, StartedAt: began, CompletedAt: c.clock.Now()}}}))
		return run
	}
	at(23, 3, 50)
	good := tick(models.RunSucceeded)
	at(24, 3, 46)
	tick(models.RunFailed)
	at(24, 3, 57)
	again := tick(models.RunSucceeded)
	at(25, 3, 50)
	bad := tick(models.RunFailed)
	at(27, 3, 50) // the 26th is slept through
	tick(models.RunSucceeded)
	c.signIn()
	page := c.get("/clusters/orders?tab=history").is(http.StatusOK).says("3 of the last 5 windows have a snapshot.", "2 taken", "1 taken after a retry", "1 failed", "1 missed",
		`href="/snapshots/`+good.SnapshotName+`"`, `href="/runs/`+runID(bad.ID)+`"`, `href="/events?cluster=orders"`, "25 November: the snapshot failed. The disk is full.",
		"Attempts: 2.", "2.0 GB", "700 MB", "10 s", "200 MB/s", "Stored size", "Duration", "Rate")
	if points := strings.Count(page.raw, `class="plot-point"`); points != 4*3 {
		t.Errorf("%d points", points)
	}
	c.get("/clusters/orders").says("3 of the last 5 windows have a snapshot.").doesNotSay("plot-point")
	// What is removed stays in the history, and its day leads to its run.
	c.check(c.db.Snapshots.Delete(t.Context(), []string{again.SnapshotName}, "admin"))
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	page = c.get("/clusters/orders?tab=history").says("3 of the last 5 windows have a snapshot.", `href="/runs/`+runID(again.ID)+`"`).doesNotSay(`href="/snapshots/` + again.SnapshotName)
	if points := strings.Count(page.raw, `class="plot-point"`); points != 4*3 {
		t.Errorf("%d points after one is gone", points)
	}
	c.get("/clusters/none?tab=history").is(http.StatusNotFound)
}
