package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestTheOverviewCountsAllClustersAndOnlyTheScheduleIsBehindIt(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/").is(http.StatusOK).says("No clusters yet")
	c.launch("orders")
	c.get("/").says("Not yet: the cluster has no good snapshot.", "No snapshot yet")
	c.backUp("orders", "first")
	c.get("/").says("Yes: the cluster can be restored.", "Protected", "dir:/srv/snapshots", "315 MB")
	c.launch("quiet", func(s *models.ClusterSpec) { s.Retention = 0 })
	c.get("/").says("1 of 2 clusters can be restored.", "No schedule")

	// What people do by hand is not the schedule's.
	for name, status := range map[string]models.RunStatus{"second": models.RunFailed, "third": models.RunCancelled} {
		_, err := c.db.Snapshots.Request(t.Context(), "orders", name, false, "admin")
		c.check(err)
		c.clock.Advance(time.Minute)
		c.check(c.db.Settle.Fail(t.Context(), c.claim(), status, "The disk is full."))
		c.get("/").says("Protected").doesNotSay("Last failed", "behind schedule", "Overdue")
		c.get("/clusters/orders").doesNotSay("The last attempt failed")
	}
	automatic := func() models.Run {
		queued, err := c.db.Schedule.QueueDue(t.Context())
		c.check(err)
		if queued != 1 {
			t.Fatalf("%d automatic snapshots were queued at %s", queued, c.clock.Now())
		}
		return c.claim()
	}
	c.clock.Advance(time.Date(2026, 11, 23, 3, 59, 0, 0, time.UTC).Sub(c.clock.Now()))
	c.signIn()
	c.check(c.db.Settle.Fail(t.Context(), automatic(), models.RunFailed, "The disk is full."))
	c.get("/").says("Last failed", "The disk is full.", "1 cluster is behind schedule")
	c.get("/clusters/orders").says("The last attempt failed")
	c.backUp("orders", "fourth")
	c.get("/").says("Protected").doesNotSay("Last failed", "behind schedule")

	c.clock.Advance(25 * time.Hour) // the window of the next day has passed
	c.signIn()
	c.get("/").says("Overdue", "The last window passed without a snapshot.")
	// A changed schedule has no past: no window that closed before the change counts.
	off, on, window := 0, 7, models.Window{Start: 60, Length: 60}
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &off})
	c.check(err)
	c.clock.Advance(time.Minute)
	_, err = c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &on, Window: &window})
	c.check(err)
	_, err = c.db.Snapshots.Request(t.Context(), "orders", "fifth", false, "admin")
	c.check(err)
	c.clock.Advance(time.Minute)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunCancelled, "It was cancelled."))
	c.get("/").doesNotSay("Overdue")
}

func TestTheOverviewKnowsMoreClustersThanItShows(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for i := range 53 {
		c.launch(fmt.Sprintf("c-%02d", i), func(s *models.ClusterSpec) { s.Replicas = 0 })
	}
	for i := range 2 {
		c.backUp(fmt.Sprintf("c-%02d", i), fmt.Sprintf("s-%02d", i))
	}
	page := c.get("/").says("2 of 53 clusters can be restored.", "51 clusters wait for the first snapshot.", "All 53 clusters", "the 50 that need it most")
	if rows := strings.Count(page.body, `class="name" href="/clusters/`); rows != 50 || strings.Contains(page.body, `class="name" href="/clusters/c-00"`) {
		t.Errorf("%d clusters have rows, or one that is well is among them", rows)
	}
}

// What costs nothing is told from room on a disk, which only a folder has.
func TestStorageSaysWhatIsNotChargedAndWhatIsFree(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "one")
	page := c.get("/").says("Not charged", "one snapshot per cluster", "Free on its disk").doesNotSay("Of that, free")
	if facts := page.facts(); facts["Not charged"] != "315 MB one snapshot per cluster" || facts["Free on its disk"] != "5.4 GB of 10.7 GB" {
		t.Errorf("%v", facts)
	}
	c.jobs.change(func(a *answers) { a.storeLocation = func() string { return "s3://bucket" } })
	c.get("/").says("s3://bucket").doesNotSay("Free on its disk")
}

func TestWhatNeedsAPersonIsOnTopWithTheWayToIt(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Retention, s.Window = 7, models.Window{Start: 180, Length: 60} })
	c.launch("sessions", func(s *models.ClusterSpec) { s.Retention, s.Window = 7, models.Window{Start: 360, Length: 60} })
	c.backUp("orders", "first")
	c.backUp("sessions", "second")
	c.get("/").doesNotSay("What needs you").says("at most 25 hours promised")
	c.clock.Advance(time.Date(2026, 11, 23, 3, 59, 0, 0, time.UTC).Sub(c.clock.Now()))
	_, err := c.db.Schedule.QueueDue(t.Context())
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.clock.Advance(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC).Sub(c.clock.Now()))
	_, err = c.db.Clusters.MarkReachable(t.Context(), c.find("sessions").ID, false, "It does not answer.")
	c.check(err)
	c.signIn()
	page := c.get("/").says("What needs you", "The last automatic snapshot of 1 cluster failed.", "1 cluster has no snapshot from its last window.", "1 cluster cannot be reached.", "1 run failed in the last 24 hours.")
	for href, want := range map[string][2]string{
		"/clusters?standing=last-failed": {"orders", "sessions"}, "/clusters?standing=overdue": {"sessions", "orders"}, "/clusters?status=unreachable": {"sessions", "orders"},
	} {
		page.says(`href="` + href + `"`)
		c.get(href).says(`href="/clusters/` + want[0] + `"`).doesNotSay(`href="/clusters/` + want[1] + `"`)
	}
	page.says(`href="/runs?since=day&status=failed"`)
	c.get("/runs?since=day&status=failed").says("The disk is full.")
	c.clock.Advance(25 * time.Hour)
	c.signIn()
	c.get("/runs?since=day&status=failed").doesNotSay("The disk is full.")
	c.get("/runs?since=week&status=failed").says("The disk is full.")
	c.get("/").doesNotSay("1 run failed in the last 24 hours.")
	c.get("/clusters?standing=nonsense").is(http.StatusOK).says("orders", "sessions")
}

func TestTheStoreSaysWhenItWillBeFull(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Retention = 0 })
	c.check(c.db.Usage.Sample(t.Context()))
	c.get("/").doesNotSay("grows by", "at today's growth")
	c.clock.Advance(24 * time.Hour)
	c.backUp("orders", "one", func(s *models.Snapshot) { s.Stored = 1_000_000_000 })
	c.clock.Advance(24 * time.Hour)
	c.check(c.db.Usage.Sample(t.Context()))
	c.signIn()
	// 5.4 GB are free, and it has grown by half a GB a day.
	page := c.get("/").says("grows by 500 MB a day", "full in 10 days, on 2026-12-05, at today's growth", "What needs you", "The disk of the store has 5.4 GB of 10.7 GB free. At today's growth it is full in 10 days.")
	page.says(`href="/settings/storage"`, "What was stored over the last")
	c.jobs.change(func(a *answers) { a.storeLocation = func() string { return "s3://bucket" } })
	c.get("/").says("grows by 500 MB a day").doesNotSay("What needs you", "at today's growth")
}
