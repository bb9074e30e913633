package web

import (
	"net/http"
	"testing"
	"time"

	"rekindle/models"
)

// drill holds a drill of a snapshot that ends like this.
func (c *console) drill(snapshot string, d models.Drill) models.Run {
	c.t.Helper()
	_, err := c.db.Drills.Request(c.t.Context(), snapshot, "admin")
	c.check(err)
	run := c.claim()
	row, err := c.db.Snapshots.Get(c.t.Context(), snapshot)
	c.check(err)
	d.SnapshotID, d.StartedAt = row.ID, c.clock.Now()
	if d.Engine == "" {
		d.Engine, d.EngineVersion, d.Host = "redis", "7.0.15", "db1.example"
		d.LoadedIn, d.Expected, d.Keys, d.Sampled = 12*time.Second, row.Keys, row.Keys, 200
	}
	c.check(c.db.Drills.Settle(c.t.Context(), run, d))
	return run
}

func TestDrillIsHeldByAButton(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "s1")
	c.get("/snapshots/s1").says("Restore drill", "none yet", `action="/snapshots/s1/drill"`)
	c.post("/snapshots/nobody/drill").is(http.StatusNotFound)
	c.post("/snapshots/s1/drill").redirects("/snapshots/s1")
	c.get("/snapshots/s1").says("Restore drill of s1", "Waiting for its turn")
	c.post("/snapshots/s1/drill").redirects("/snapshots/s1")
	c.get("/snapshots/s1").says("A restore drill of the snapshot s1 is already waiting or under way.")
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The store was away."))
	c.get("/snapshots/s1").says("Not carried out", "The store was away.", "Try again", `action="/snapshots/s1/drill"`)

	run := c.drill("s1", models.Drill{Outcome: models.DrillPassed})
	c.get("/snapshots/s1").says("Passed", "Loaded by Redis 7.0.15 in 12 s: 4,000,000 of 4,000,000 keys; the values of 200 keys were compared and are the same.", "on db1.example",
		`href="/runs/`+runID(run.ID)+`"`)
	c.get("/runs?kind=drill").says("Restore drill of s1", `value="drill" selected`)
	c.get("/events").says("The restore drill of the snapshot s1 of orders succeeded.")
	c.drill("s1", models.Drill{Outcome: models.DrillFailed, Reason: "The node could not load part 1."})
	c.get("/snapshots/s1").says("Failed", "The node could not load part 1.")
	c.get("/events?severity=error").says("The restore drill of the snapshot s1 of orders failed. The node could not load part 1.")
}

func TestDrillsAreHeldByASchedule(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/orders").says("No restore drills are held.", `href="/clusters/orders/drills"`)
	c.get("/clusters/orders/drills").says("Restore drills of orders", `value="03:00"`, `value="60"`)
	c.get("/clusters/nobody/drills").is(http.StatusNotFound)
	post := func(every, start, length string) answer {
		return c.post("/clusters/orders/drills", "every", every, "window_start", start, "window_length", length)
	}
	for _, bad := range []struct{ every, start, length, says string }{
		{"weekly", "25:00", "60", "The time of day must look like 03:00"},
		{"weekly", "05:00", "59", "The window must be at least 60 minutes long"},
		{"weekly", "05:00", "long", "must be a whole number"},
		{"daily", "05:00", "60", "Drills can be held never, weekly or monthly"},
	} {
		post(bad.every, bad.start, bad.length).is(http.StatusUnprocessableEntity).says(bad.says, `value="`+bad.start+`"`, `value="`+bad.length+`"`)
	}
	c.get("/clusters/orders").says("No restore drills are held.")
	post("weekly", "05:00", "120").redirects("/clusters/orders")
	c.get("/clusters/orders").says("A restore drill is held each week, in the window 05:00-07:00 UTC. Next:", "tomorrow at 05:")
	c.get("/clusters/orders/drills").says(`value="weekly" selected`, `value="05:00"`, `value="120"`, "The next drill begins")
	c.get("/events").says("Restore drills of orders are held weekly, in the window 05:00-07:00 UTC, as admin asked for.")
	post("", "nonsense", "").redirects("/clusters/orders")
	c.get("/clusters/orders").says("No restore drills are held.")
}
