package web

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
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
	on := func(every, field, day string) answer {
		return c.post("/clusters/orders/drills", "every", every, field, day, "window_start", "05:00", "window_length", "120")
	}
	on("weekly", "weekday", "9").is(http.StatusUnprocessableEntity).says("a day from monday to sunday")
	on("monthly", "month_day", "29").is(http.StatusUnprocessableEntity).says("a day from 1 to 28, which every month has")
	on("weekly", "month_day", "9").redirects("/clusters/orders") // that of the other cadence does not count
	on("weekly", "weekday", "3").redirects("/clusters/orders")
	c.get("/clusters/orders").says("A restore drill is held each week on Wednesday, in the window 05:00-07:00 UTC.")
	c.get("/clusters/orders/drills").says(`value="3" selected`)
	c.get("/events").says("Restore drills of orders are held weekly on Wednesday, in the window 05:00-07:00 UTC, as admin asked for.")
	on("monthly", "month_day", "15").redirects("/clusters/orders")
	c.get("/drills").says("each month on day 15")
	post("", "nonsense", "").redirects("/clusters/orders")
	c.get("/clusters/orders").says("No restore drills are held.")
}

func TestReportOnDrillsIsFilteredAndDownloaded(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/drills").says("No clusters yet")
	c.launch("orders")
	c.launch("idle")
	c.backUp("orders", "s1")
	c.backUp("orders", "s2")
	today := c.clock.Now().UTC().Format(time.DateOnly)
	c.get("/drills").says("no drill was held", "not drilled in this time", "Download CSV")
	c.drill("s1", models.Drill{Outcome: models.DrillPassed})
	c.drill("s2", models.Drill{Engine: "redis", EngineVersion: "7.0.15", Expected: -1, Outcome: models.DrillFailed, Reason: `=HYPERLINK("http://evil"), said the node.`})
	c.check(c.db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: models.Monthly, Window: models.Window{Start: 180, Length: 60}}, "admin"))

	c.get("/snapshots").says(`href="/drills"`)
	c.get("/drills").says("2 drills, of which 1 passed, 1 failed, and 0 could not be carried out.", "each month", "03:00-04:00 UTC", "said the node.", `href="/snapshots/s2"`, "not drilled in this time")
	c.get("/drills?result=none").says(`href="/clusters/idle/drills"`).doesNotSay(`href="/clusters/orders/drills"`)
	c.get("/drills?result=failed&q=ord").says(`href="/clusters/orders/drills"`).doesNotSay(`href="/clusters/idle/drills"`)
	c.get("/drills?result=passed").says("Nothing matches", "Clear the filters")
	c.get("/drills?to=2020-01-01").says("From 2019-12-03 to 2020-01-01 (UTC): no drill was held.")
	for address, says := range map[string]string{
		"/drills?from=yesterday":                   "The day must look like",
		"/drills?to=2026-02-30":                    "The day must look like",
		"/drills?from=2026-05-01&to=2026-04-01":    "The first day must not be after the last one.",
		"/drills.csv?from=2026-05-01&to=nonsense":  "The day must look like",
		"/drills.csv?from=99999-05-01&to=":         "The day must look like",
		"/drills.csv?from=2026-05-01&to=2026-04-1": "The day must look like",
	} {
		c.get(address).is(http.StatusUnprocessableEntity).says(says)
	}

	answer := c.get("/drills.csv?from=" + today + "&to=" + today).is(http.StatusOK)
	if kind, name := answer.header.Get("Content-Type"), answer.header.Get("Content-Disposition"); kind != "text/csv; charset=utf-8" || name != `attachment; filename="restore-drills-`+today+"-"+today+`.csv"` {
		t.Errorf("%q, %q", kind, name)
	}
	rows, err := csv.NewReader(strings.NewReader(answer.raw)).ReadAll()
	c.check(err)
	if len(rows) != 4 || !slices.Equal(rows[0], drillColumns) {
		t.Fatalf("the rows are %q", rows)
	}
	if idle := rows[1]; idle[0] != "idle" || idle[4] != "none" || idle[2] != "never" {
		t.Errorf("the cluster without drills is %q", idle)
	}
	if passed := rows[2]; passed[0] != "orders" || passed[2] != "monthly" || passed[3] != "03:00-04:00" || passed[4] != "passed" || passed[6] != "s1" || passed[13] != "12.000" || passed[14] != "4000000" || passed[15] != "4000000" {
		t.Errorf("the one that passed is %q", passed)
	}
	if failed := rows[3]; failed[4] != "failed" || failed[5] != `'=HYPERLINK("http://evil"), said the node.` || failed[14] != "" {
		t.Errorf("the one that failed is %q", failed)
	}
	if some := c.get("/drills.csv?result=none").raw; strings.Count(some, "\n") != 2 || !strings.Contains(some, "idle") {
		t.Errorf("of the clusters that were not drilled: %q", some)
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "orders": "orders", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "a=1": "a=1"} {
		if got := cells([]string{text})[0]; got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
