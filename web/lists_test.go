package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestRunningWorkIsShownHoweverMuchHasEndedSince(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("other")
	for i := range 5 {
		c.launch(fmt.Sprintf("w-%d", i))
	}
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "slow", false, "admin")
	c.check(err)
	c.claim() // it goes on
	for i := range 25 {
		c.clock.Advance(time.Second)
		_, err := c.db.Snapshots.Request(t.Context(), "other", fmt.Sprintf("s-%02d", i), false, "admin")
		c.check(err)
		c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	}
	for _, page := range []string{"/", "/clusters/orders"} {
		c.get(page).says("Snapshot slow of orders", ` data-work`)
	}
	answer := c.get("/clusters/other").says("Snapshot s-24 of other", "Snapshot s-22 of other", "23 more have just ended", `href="/runs?cluster=other"`).doesNotSay("Snapshot s-21 of other", "Snapshot slow")
	if strings.Contains(answer.body, ` data-work`) {
		t.Error("the page follows what has ended")
	}
	for i := range 5 {
		_, err := c.db.Snapshots.Request(t.Context(), fmt.Sprintf("w-%d", i), fmt.Sprintf("of-%d", i), false, "admin")
		c.check(err)
	}
	c.get("/").says("Snapshot slow of orders", "Snapshot of-0 of w-0", "Snapshot of-2 of w-2", "2 more runs wait").doesNotSay("Snapshot of-3 of w-3")
}

func TestListsSortFilterAndLinkOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("gone")
	c.backUp("orders", "first")
	c.backUp("gone", "left")
	c.check(c.db.Events.Add(t.Context(), models.Event{Severity: models.SeverityError, ClusterName: "orders", Message: "Something broke."}))
	c.check(c.db.Clusters.Delete(t.Context(), "gone", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	c.check(c.db.Snapshots.Delete(t.Context(), []string{"left"}, "admin"))
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	c.clock.Advance(2 * time.Minute)

	for _, page := range []string{"/", "/events", "/runs", "/runs/2", "/runs/4", "/clusters/orders?tab=events"} {
		answer := c.get(page).is(http.StatusOK).doesNotSay(`href="/clusters/gone"`, `href="/snapshots/left"`)
		if page != "/runs/2" && page != "/runs/4" {
			answer.says(`href="/clusters/orders"`)
		}
	}
	for _, page := range []string{"/events", "/runs"} {
		c.get(page).says(`<option value="gone">gone</option>`, `<option value="orders">orders</option>`, `href="`+page+"?sort=", "Open the cluster", "Open the snapshot")
	}
	c.get("/events?cluster=gone").says("gone").doesNotSay("Something broke.")
	c.get("/runs?q=left").says("Snapshot left of gone").doesNotSay("Snapshot first of orders")
	c.get("/runs?q=nothing-like-it").says("Nothing matches")
	before := func(page, first, second string) {
		t.Helper()
		body := c.get(page).is(http.StatusOK).body
		body = body[strings.Index(body, "<tbody"):]
		if i, j := strings.Index(body, first), strings.Index(body, second); i < 0 || j < 0 || i > j {
			t.Errorf("%s: %q at %d, %q at %d", page, first, i, second, j)
		}
	}
	before("/events?sort=severity", "Something broke.", "The cluster orders is available.")
	before("/events?sort=-severity", "The cluster orders is available.", "Something broke.")
	before("/events?sort=time", "The cluster orders is available.", "Something broke.")
	before("/events?sort=-cluster", "Something broke.", "The cluster gone is available.")
	before("/runs?sort=cluster", "Snapshot left of gone", "Snapshot first of orders")
	before("/runs?sort=-cluster", "Snapshot first of orders", "Snapshot left of gone")
	before("/runs", "Delete gone", "Create orders")
	before("/runs?sort=started", "Create orders", "Delete gone")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "slow", false, "admin")
	c.check(err)
	c.get("/runs").says(`action="/runs/7/cancel"`)
}

func TestACancelledSnapshotIsNoFailure(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for name, status := range map[string]models.RunStatus{"stopped": models.RunCancelled, "broken": models.RunFailed} {
		_, err := c.db.Snapshots.Request(t.Context(), "orders", name, false, "admin")
		c.check(err)
		c.check(c.db.Settle.Fail(t.Context(), c.claim(), status, "It was "+name+"."))
	}
	c.get("/snapshots?status=cancelled").says(`class="pill pill-idle">Cancelled<`, "It was stopped.").doesNotSay(">broken<", `pill-bad`, "text-bad")
	c.get("/snapshots?status=failed").says(">broken<", "pill-bad").doesNotSay(">stopped<")
	c.get("/clusters/orders?tab=snapshots").says("pill-idle\">Cancelled<", "pill-bad\">Failed<")
	c.get("/snapshots/stopped").says(`class="pill pill-idle">Cancelled<`, "It was stopped.", "Nothing of this snapshot was kept.").doesNotSay("Try again", "banner-error")
	c.get("/snapshots/broken").says("Failed", "Try again")
	page := c.get("/").body
	if _, counter, _ := strings.Cut(page, `href="/snapshots?status=failed"`); !strings.Contains(counter[:min(len(counter), 120)], ">1<") {
		t.Errorf("the failed ones are counted as %.120s", counter)
	}
	// The name may be used again, and then it is what it became.
	c.check(c.db.Snapshots.Delete(t.Context(), []string{"stopped"}, "admin"))
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "stopped", false, "admin")
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.get("/snapshots?status=failed").says(">stopped<", ">broken<")
}

func TestMoreSnapshotsThanAFormOffersAreFoundByName(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.post("/settings/limits", "manual_quota", "1000", "price", "0.085", "currency", "$").redirects("/settings/limits")
	c.launch("orders")
	c.backUp("orders", "oldest")
	c.get("/clusters/-/new").says("<select id=\"f-snapshot\"").doesNotSay("are offered")
	for i := range maxSeeds {
		c.backUp("orders", fmt.Sprintf("s-%03d", i))
	}
	c.get("/clusters/-/new").says("The newest 100 of 101 are offered; for any other, type its name.", `<datalist id="seeds">`, `<option value="s-099">`).doesNotSay(`<option value="oldest">`)
	c.htmx(http.MethodPost, "/clusters/-/summary", with(good, "id", "copy", "snapshot", " oldest ")).says("--snapshot-name oldest", "about $")
	c.postForm("/clusters/-/new", with(good, "id", "copy", "snapshot", "oldest")).redirects("/clusters/copy")
}

func TestModifyingTellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	before := c.launch("orders")
	answer := c.postForm("/clusters/orders/modify", with(modifyForm(before), "replicas", "a", "node_type", "bogus", "retention", "99", "description", strings.Repeat("x", 256))).
		is(http.StatusUnprocessableEntity).says("4 fields need another look")
	for _, field := range []string{"replicas", "node_type", "retention", "description"} {
		answer.hasErrorAt(field)
	}
	c.launch("lonely", single)
	c.post("/clusters/lonely/modify", "backups", "on", "retention", "x", "window_preference", "given", "window_start", "3", "window_length", "60", "node_type", "bogus").
		is(http.StatusUnprocessableEntity).says("3 fields need another look")
}

func TestTheCommandFollowsTheFields(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	page := c.get("/clusters/orders/snapshot").says("--snapshot-name orders-2026-11-22-12-00-00", `hx-get="/clusters/orders/snapshot?show=command"`, `formmethod="get"`)
	if command := page.command(); !strings.Contains(command, "create-snapshot") {
		t.Error(command)
	}
	c.htmx(http.MethodGet, "/clusters/orders/snapshot?show=command&name=mine&cluster=orders", nil).says("--snapshot-name mine")
	c.htmx(http.MethodGet, "/snapshots/-/new?show=command&name=mine&cluster=orders", nil).says("--snapshot-name mine")
	c.htmx(http.MethodGet, "/snapshots/-/new?name=mine&cluster=orders", nil).says("--snapshot-name orders-2026-11-22-12-00-00") // another cluster was chosen
	c.get("/snapshots/-/new?name=mine&cluster=orders").says("--snapshot-name mine", `value="mine"`)                             // without a script

	c.get("/clusters/orders/delete").says(`hx-get="/clusters/orders/delete"`, `formmethod="get"`, "--final-snapshot-identifier orders-final-2026-11-22-12-00-00")
	c.htmx(http.MethodGet, "/clusters/orders/delete?final=on&final_name=last&confirm=orders", nil).says("--final-snapshot-identifier last").doesNotSay(`name="confirm" value="orders"`)
	c.htmx(http.MethodGet, "/clusters/orders/delete?final=on&final_name=", nil).says("--final-snapshot-identifier NAME")
	c.get("/clusters/orders/delete?final_name=last").doesNotSay("--final-snapshot-identifier")
}
