package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestASnapshotByHandSaysWhereItIsTakenFrom(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for _, address := range []string{"/clusters/orders/snapshot", "/snapshots/-/new?cluster=orders"} {
		c.get(address).is(http.StatusOK).says("orders-002", "orders-2026-11-22-12-00-00", "aws elasticache create-snapshot", "There is enough memory free for a fork")
	}
	c.get("/snapshots/-/new").says("Choose a cluster to see which node will serve")
	c.get("/snapshots/-/new?cluster=nobody").is(http.StatusOK)

	for _, address := range []string{"/clusters/orders/snapshot", "/snapshots/-/new"} {
		for _, one := range []struct{ name, says string }{
			{"", "Enter a snapshot name."},
			{"1st", "The snapshot name must begin with a letter."},
			{"a--b", "two hyphens in a row"},
			{"a-", "must not end with a hyphen"},
			{"automatic.orders", "may contain only letters, digits and hyphens"},
			{"../../etc/passwd", "must begin with a letter"},
			{strings.Repeat("a", 256), "at most 255 are allowed"},
		} {
			c.post(address, "cluster", "orders", "name", one.name).is(http.StatusUnprocessableEntity).says(one.says).hasErrorAt("name")
		}
	}
	c.post("/snapshots/-/new", "name", "x").is(http.StatusUnprocessableEntity).says("Choose the cluster").hasErrorAt("cluster")
	c.post("/snapshots/-/new", "cluster", "nobody", "name", "x").is(http.StatusUnprocessableEntity).says("There is no cluster nobody.").hasErrorAt("cluster")

	c.post("/clusters/orders/snapshot", "name", " Before-Release ").redirects("/clusters/orders")
	c.get("/clusters/orders").says("Snapshotting", "Snapshot before-release of orders").doesNotSay("is being taken")
	c.post("/clusters/orders/snapshot", "name", "another").is(http.StatusUnprocessableEntity).says("A snapshot of orders is already being taken")
	if c.jobs.woken.Load() != 1 {
		t.Error("the jobs were not woken once")
	}
}

func TestASnapshotThatDoesNotFitNeedsAnOverride(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Replicas = 0 })
	c.jobs.change(func(a *answers) {
		a.source = func(cl models.Cluster) (models.SnapshotSource, error) {
			return models.SnapshotSource{Node: cl.Nodes[0], UsedMemory: 8 << 30, Available: 1 << 30, Fallback: true}, nil
		}
	})
	c.get("/clusters/orders/snapshot").says("From the primary", "Take it anyway")
	c.post("/clusters/orders/snapshot", "name", "tight").is(http.StatusUnprocessableEntity).says("Too little memory is free").hasErrorAt("override")
	c.post("/clusters/orders/snapshot", "name", "tight", "override", "on").redirects("/clusters/orders")
	if args, err := models.Args[models.SnapshotArgs](c.claim()); err != nil || !args.Override {
		t.Errorf("arguments %+v, %v", args, err)
	}
}

func TestWithoutASourceNoSnapshotIsQueued(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("tiny", func(s *models.ClusterSpec) { s.NodeType, s.Retention = "cache.t1.micro", 0 })
	c.jobs.change(func(a *answers) {
		a.source = func(models.Cluster) (models.SnapshotSource, error) {
			return models.SnapshotSource{}, errors.New("No node of orders answers, so there is nothing to take a snapshot from.") // a sentence, as the interface promises
		}
	})
	c.get("/clusters/orders/snapshot").is(http.StatusOK).says("No node of orders answers")
	c.post("/clusters/orders/snapshot", "name", "x").is(http.StatusUnprocessableEntity).says("No node of orders answers")
	c.get("/clusters/tiny/snapshot").is(http.StatusOK).says("cannot be backed up")
	c.post("/clusters/tiny/snapshot", "name", "x").is(http.StatusUnprocessableEntity).says("cannot be backed up")
	if runs, err := c.db.Runs.Active(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

func TestManualSnapshotsHaveAQuota(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.post("/settings/limits", "manual_quota", "1", "price", "0.085", "currency", "$").redirects("/settings/limits")
	c.backUp("orders", "first")
	c.post("/clusters/orders/snapshot", "name", "second").is(http.StatusUnprocessableEntity).says("1 manual snapshots of orders were taken in the last 24 hours, which is the limit.")
}

func TestDeletingSnapshotsAsksForAPhrase(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for _, name := range []string{"first", "second", "third"} {
		c.backUp("orders", name)
	}
	status := func(name string) models.SnapshotStatus {
		snapshot, err := c.db.Snapshots.Get(t.Context(), name)
		c.check(err)
		return snapshot.Status
	}
	c.get("/snapshots/first/delete").is(http.StatusOK).says("What goes", "aws elasticache delete-snapshot").doesNotSay("has no good snapshot left")
	c.get("/snapshots/-/delete?all=on&cluster=orders").says("delete 3 snapshots", "After this, orders has no good snapshot left.")
	c.get("/snapshots/-/delete?name=first&name=gone&name=first").says("Delete snapshot first", "There is no snapshot gone")
	c.get("/snapshots/-/delete?cluster=orders").redirects("/snapshots?cluster=orders")

	for _, confirm := range []string{"", "second", "First", "delete 1 snapshot"} {
		c.post("/snapshots/first/delete", "confirm", confirm).is(http.StatusUnprocessableEntity).hasErrorAt("confirm")
	}
	c.post("/snapshots/-/delete", "name", "first", "name", "second", "confirm", "delete 3 snapshots").is(http.StatusUnprocessableEntity).says("delete 2 snapshots")
	c.post("/snapshots/-/delete", "all", "on", "confirm", "delete 3 snapshots").redirects("/snapshots") // only what the page named
	if status("first") != models.SnapshotAvailable {
		t.Fatal("it went without being confirmed")
	}
	c.post("/snapshots/first/delete", "confirm", "first").redirects("/snapshots")
	c.get("/snapshots").says("The snapshot first is being deleted.", "Deleting")
	c.post("/snapshots/first/delete", "confirm", "first").is(http.StatusUnprocessableEntity).says("None of the chosen snapshots can be deleted just now.")
	c.post("/snapshots/-/delete", "name", "first", "name", "second", "name", "third", "cluster", "orders", "confirm", "delete 2 snapshots").redirects("/snapshots?cluster=orders")
	if status("second") != models.SnapshotDeleting || status("third") != models.SnapshotDeleting {
		t.Error("they are not being deleted")
	}
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	c.get("/snapshots/first").is(http.StatusNotFound)
}

func TestListsAreFilteredSortedAndPagedByTheirAddress(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/snapshots").says("No snapshots yet")
	c.launch("orders")
	c.launch("carts")
	_, err := c.db.Snapshots.Request(t.Context(), "carts", "broken", false, "admin")
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.check(c.db.Settings.Save(t.Context(), models.Settings{ManualQuota: 100, Price: 1, Currency: "$"}))
	for i := range 30 {
		c.backUp("orders", fmt.Sprintf("s-%02d", i))
	}
	names := func(address string) []string {
		var found []string
		for _, part := range strings.Split(c.get(address).is(http.StatusOK).raw, `name="name" value="`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			found = append(found, name)
		}
		return found
	}
	for address, want := range map[string]string{
		"/snapshots?q=s-0&sort=name":                  "s-00 s-09 10",
		"/snapshots?q=s-0&sort=-name":                 "s-09 s-00 10",
		"/snapshots?cluster=carts":                    "broken broken 1",
		"/snapshots?status=failed":                    "broken broken 1",
		"/snapshots?status=available&sort=created":    "s-00 s-29 30",
		"/snapshots?size=25&sort=name":                "broken s-23 25",
		"/snapshots?size=25&sort=name&page=2":         "s-24 s-29 6",
		"/snapshots?size=25&sort=name&page=99":        "s-24 s-29 6",
		"/snapshots?size=7&page=-1&sort=nonsense":     "s-29 broken 31",
		"/snapshots?source=automatic":                 "",
		"/snapshots?q=%25":                            "",
		"/snapshots?status='+OR+1=1--":                "",
		"/snapshots?page=99999999999999999999":        "s-29 broken 31",
		"/snapshots?cluster=orders&q=s-1&sort=stored": "s-19 s-10 10",
	} {
		found, got := names(address), ""
		if len(found) > 0 {
			got = fmt.Sprintf("%s %s %d", found[0], found[len(found)-1], len(found))
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	c.get("/snapshots?source=automatic").says("Nothing matches")
	c.get("/clusters?q=art").says(">carts<").doesNotSay(">orders<")
	for _, sort := range []string{"memory", "-memory", "newest", "-newest", "type", "-status", "x"} {
		c.get("/clusters?sort="+sort).is(http.StatusOK).says(">carts<", ">orders<")
	}
	page := c.get("/clusters?sort=-newest").raw
	if strings.Index(page, ">orders<") > strings.Index(page, ">carts<") {
		t.Error("the cluster with the newest snapshot is not first")
	}
	c.get("/clusters?status=unreachable").says("Nothing matches")
	c.get("/runs?kind=snapshot&status=failed").says("The disk is full.").doesNotSay("s-01")
	c.get("/runs?kind=delete-cluster").says("Nothing matches")
	c.get("/runs?size=25&page=2").says("Pages")
	c.get("/events?severity=error").says("The snapshot broken of carts failed.").doesNotSay("s-01")
	c.get("/events?cluster=orders&q=s-01").says("s-01").doesNotSay("s-02")
	for _, tab := range []string{"nodes", "snapshots", "events", "connect", "nonsense"} {
		c.get("/clusters/orders?tab=" + tab).is(http.StatusOK)
	}
	c.get("/clusters/orders?tab=snapshots").says("All 30 snapshots of orders")
}

func TestRunningWorkIsFollowedUntilItEnds(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "first", false, "admin")
	c.check(err)
	run := c.claim()
	since := c.clock.Now()
	c.clock.Advance(10 * time.Second)
	c.check(c.db.Runs.ReportProgress(t.Context(), run, models.Progress{StepSince: since, Stage: "Reading from replica orders-002", Step: 1, Steps: 2, BytesDone: 100 << 20, BytesTotal: 400 << 20}))
	address := fmt.Sprintf("/runs/%d", run.ID)
	for _, page := range []string{"/", "/clusters/orders", "/snapshots/first", address} {
		c.get(page).says("Step 1 of 2: reading from replica orders-002", "105 MB of 419 MB", "10 MB/s", "about 30 s left", " data-work", "Cancel")
	}
	c.get("/runs").says("25%", " data-work")
	c.get("/snapshots").says(" data-work")
	c.get("/clusters").says(" data-work", "Snapshotting")

	c.clock.Advance(time.Hour) // the source is slow, and the store is not
	since = c.clock.Now()
	c.check(c.db.Runs.ReportProgress(t.Context(), run, models.Progress{StepSince: since, Stage: "Reading back what was stored", Step: 2, Steps: 2, BytesDone: 1 << 20, BytesTotal: 120 << 20}))
	c.get(address).says("Step 2 of 2: reading back what was stored", "1.0 MB of 126 MB").doesNotSay("left", "/s<")
	c.clock.Advance(2 * time.Second)
	c.check(c.db.Runs.ReportProgress(t.Context(), run, models.Progress{StepSince: since, Stage: "Reading back what was stored", Step: 2, Steps: 2, BytesDone: 24 << 20, BytesTotal: 120 << 20}))
	c.get(address).says("13 MB/s", "about 8 s left")
	c.check(c.db.Runs.ReportProgress(t.Context(), run, models.Progress{Stage: "Waiting for something else", BytesDone: 120 << 20, BytesTotal: 120 << 20}))
	c.get(address).says("Waiting for something else").doesNotSay("126 MB", "left")

	c.post(address+"/cancel", "next", "/clusters/orders").redirects("/clusters/orders")
	c.get("/clusters/orders").says("Stopping…").doesNotSay("It is being cancelled")
	c.post(address + "/cancel").redirects(address)
	c.get(address).says("It had ended before it could be cancelled.")
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunCancelled, "Cancelled by admin."))
	for _, page := range []string{"/", "/clusters/orders", "/snapshots/first", address} {
		c.get(page).says("Cancelled by admin.").doesNotSay(` data-work`)
	}
	c.clock.Advance(2 * time.Minute)
	c.get("/clusters/orders").doesNotSay("Cancelled by admin.")

	done := c.backUp("orders", "second")
	c.get("/snapshots/second").says("1.1 GB", "4,000,000", "14 s", "dir:/srv/snapshots/orders/second", "Read back and compared")
	found, err := c.db.Runs.List(t.Context(), models.List{Equal: map[string]string{"snapshot": done.Name}})
	c.check(err)
	c.get(fmt.Sprintf("/runs/%d", found.Rows[0].ID)).says("1.1 GB in 14 s, from replica orders-002.", "admin", "The manual snapshot second of orders is available.")
}

// What announces work is true until it has ended, and the script can tell by the page which work that was. Where there is a card of it, nothing else
// says the same.
func TestAnnouncementGoesWhenItsWorkHasEnded(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.post("/clusters/orders/snapshot", "name", "first").redirects("/clusters/orders")
	run := c.claim()
	id := fmt.Sprint(run.ID)
	c.get("/snapshots").says("The snapshot first of orders is being taken.", `data-going="`+id+`"`).doesNotSay(`data-run="` + id + `"`)
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The node ended."))
	for _, page := range []string{"/", "/clusters/orders", "/snapshots/first", "/runs/" + id} {
		c.get(page).says(`data-run="`+id+`"`, `data-ended="Snapshot first of orders: it has failed. The node ended."`).doesNotSay("is being taken", `role="alert"`+">")
	}

	for name, page := range map[string]string{"third": "/clusters/orders", "fourth": "/snapshots/fourth", "fifth": "/"} {
		c.post("/clusters/orders/snapshot", "name", name).redirects("/clusters/orders")
		run := c.claim()
		c.get(page).says(`id="run-`+runID(run.ID)+`"`, "Snapshot "+name+" of orders").doesNotSay("is being taken", "data-going")
		c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
	}
	c.clock.Advance(2 * time.Minute)

	c.post("/clusters/orders/snapshot", "name", "second").redirects("/clusters/orders")
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "It broke.")) // before the page is there
	c.get("/clusters/orders").says("It broke.").doesNotSay("is being taken")
}

func TestAQueuedRunIsCancelledAtOnce(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	run, err := c.db.Snapshots.Request(t.Context(), "orders", "first", false, "admin")
	c.check(err)
	c.post(fmt.Sprintf("/runs/%d/cancel", run.ID), "next", "//evil.example").redirects(fmt.Sprintf("/runs/%d", run.ID))
	c.get("/runs").says("Cancelled: Snapshot first of orders.", "Cancelled before it began.")
}

func TestSettingsAreCheckedAndKept(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	limits := fields("manual_quota", "20", "price", "0.085", "currency", "$", "put_price", "0.005", "get_price", "0.0004")
	for _, one := range []struct{ field, value, says string }{
		{"manual_quota", "0", "The limit must be between 1 and 10000"},
		{"manual_quota", "-1", "The limit must be between 1 and 10000"},
		{"manual_quota", "many", "The limit must be a whole number"},
		{"manual_quota", "", "Enter the limit"},
		{"price", "", "The price must be a number such as 0.085"},
		{"price", "free", "The price must be a number such as 0.085"},
		{"price", "-1", "The price must be between 0 and 1000."},
		{"price", "NaN", "The price must be between 0 and 1000."},
		{"price", "1e9", "The price must be between 0 and 1000."},
		{"put_price", "", "The price must be a number such as 0.005"},
		{"put_price", "-1", "The price must be between 0 and 1000."},
		{"get_price", "free", "The price must be a number such as 0.0004"},
		{"get_price", "NaN", "The price must be between 0 and 1000."},
		{"currency", "", "Enter a currency"},
		{"currency", "doubloons", "Enter a currency"},
	} {
		c.postForm("/settings/limits", with(limits, one.field, one.value)).is(http.StatusUnprocessableEntity).says(one.says).hasErrorAt(one.field)
	}
	for _, one := range []struct {
		form  url.Values
		field string
	}{
		{fields("current", "wrong", "new", "a new password", "repeat", "a new password"), "current"},
		{fields("current", adminPassword, "new", "short", "repeat", "short"), "new"},
		{fields("current", adminPassword, "new", "a new password", "repeat", "another password"), "repeat"},
		{fields(), "current"},
	} {
		c.postForm("/settings/account", one.form).is(http.StatusUnprocessableEntity).doesNotSay("a new password", adminPassword).hasErrorAt(one.field)
	}
	other := c.another()
	other.signIn()
	c.get("/settings").redirects(settingsPath)
	c.get(settingsPath).says("Rekindle 1.2.3", "dir:/srv/snapshots", "Versioning", "Free there")
	c.get(sessionsPath).says("This one", "Sign out everywhere else", "2 sessions")
	c.post("/settings/account", "current", adminPassword, "new", "a new password", "repeat", "a new password").redirects("/settings/account")
	c.get(sessionsPath).is(http.StatusOK).doesNotSay("Sign out everywhere else")
	other.get("/settings").redirects("/sign-in?next=%2Fsettings")
	c.post("/settings/sessions/x/revoke").is(http.StatusNotFound)
	c.jobs.change(func(a *answers) { a.checkStore = func() error { return errOnPurpose } })
	c.get(settingsPath).is(http.StatusOK).says("broken on purpose")
}

// The console's own addresses lie where no name is: whatever a cluster or a snapshot is called, its page is there.
func TestNoNameHidesAPageOfItsOwn(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, name := range []string{"new", "import", "delete", "summary", "names", "snapshot"} {
		c.launch(name)
		c.backUp(name, name)
		c.get("/clusters/"+name).is(http.StatusOK).says(name, "Available")
		c.get("/clusters/"+name+"/delete").is(http.StatusOK).says("Delete "+name, "What goes")
		c.get("/snapshots/" + name).is(http.StatusOK).says("Snapshot of " + name + " · manual")
		c.get("/snapshots/" + name + "/copy").is(http.StatusOK).says("Copy")
	}
}

func TestASnapshotThatWasReadKeyByKeySaysSoEverywhere(t *testing.T) {
	t.Parallel()
	for _, logical := range []bool{false, true} {
		c := signedIn(t)
		c.launch("orders")
		c.backUp("orders", "one", func(s *models.Snapshot) { s.Logical = logical })
		for _, address := range []string{"/snapshots/one", "/snapshots/one/restore", "/snapshots", "/clusters/orders?tab=snapshots", "/clusters/-/new"} {
			page := strings.ToLower(c.get(address).is(http.StatusOK).raw)
			if says := strings.Contains(page, "not point in time") || strings.Contains(page, "not of one point in time"); says != logical {
				t.Errorf("%s says so: %v", address, says)
			}
		}
		c.get("/export.json").says(fmt.Sprintf(`"point_in_time": %v`, !logical))
	}
}

func TestASnapshotOfSeveralShardsShowsHowFarApartTheirMomentsAre(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	shards := func(s *models.Snapshot) {
		second, third := s.Parts[0], s.Parts[0]
		second.Number, second.StartedAt = 2, second.StartedAt.Add(400*time.Millisecond)
		third.Number, third.StartedAt = 3, third.StartedAt.Add(-300*time.Millisecond)
		s.ShardCount, s.Parts = 3, append(s.Parts, second, third)
	}
	taken := c.backUp("orders", "shards", shards)
	began := taken.Parts[0].StartedAt.UTC()
	c.get("/snapshots/shards").is(http.StatusOK).says("3 parts, within 700 ms of each other, from "+began.Add(-300*time.Millisecond).Format("15:04:05.0"), "from "+began.Add(400*time.Millisecond).Format("15:04:05.0"))
	c.backUp("orders", "one")
	c.backUp("orders", "by-key", shards, func(s *models.Snapshot) { s.Logical = true })
	c.backUp("orders", "imported", shards, func(s *models.Snapshot) { s.Parts[2].ServedBy = "" })
	for _, name := range []string{"one", "by-key", "imported"} {
		c.get("/snapshots/" + name).is(http.StatusOK).doesNotSay("of each other")
	}
}
