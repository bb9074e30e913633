package web

import (
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

var factRow = regexp.MustCompile(`(?s)<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>`)

// facts reads the rows of a page's grids of facts, as a person does.
func (a answer) facts() map[string]string {
	rows := map[string]string{}
	for _, row := range factRow.FindAllStringSubmatch(a.raw, -1) {
		if _, known := rows[row[1]]; known {
			continue // the cluster's, further down
		}
		rows[row[1]] = strings.TrimSpace(html.UnescapeString(space.ReplaceAllString(tags.ReplaceAllString(row[2], " "), " ")))
	}
	return rows
}

// copied has a snapshot copied, in 3 seconds.
func (c *console) copied(source models.Snapshot, name string) {
	c.t.Helper()
	_, err := c.db.Copies.Copy(c.t.Context(), models.CopySpec{Snapshot: source.Name, Name: name, RequestedBy: "admin"})
	c.check(err)
	run := c.claim()
	c.clock.Advance(3 * time.Second)
	source.Name, source.Origin = name, "Copied from "+source.Name+" on 2026-11-24 12:00 UTC."
	c.check(c.db.Settle.Move(c.t.Context(), run, source, ""))
}

// imported has a file imported as a snapshot of shop, in 5 seconds.
func (c *console) imported(name string) models.Snapshot {
	c.t.Helper()
	_, err := c.db.Copies.Import(c.t.Context(), models.ImportSpec{Cluster: "shop", Name: name, Sources: []string{"s3://bucket/dump.rdb"}, RequestedBy: "admin"})
	c.check(err)
	run, began := c.claim(), c.clock.Now().UTC()
	c.clock.Advance(5 * time.Second)
	file := models.Snapshot{Name: name, ClusterName: "shop", RDBVersion: 10, Bytes: 1 << 20, Stored: 1 << 19, Keys: 5, StartedAt: &began, Origin: "Imported from dump.rdb. The engine is the one that the file names.",
		Configuration: models.Configuration{Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.t4g.micro", ShardCount: 1},
		Parts:         []models.Part{{Number: 1, Bytes: 1 << 20, Stored: 1 << 19, Keys: 5, Digest: "xxh128:aa11", CRC64: "bb22", StartedAt: began, CompletedAt: c.clock.Now().UTC()}}}
	c.check(c.db.Settle.Move(c.t.Context(), run, file, ""))
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	c.check(err)
	return snapshot
}

// failed has the next run fail.
func (c *console) failed(status models.RunStatus) {
	c.t.Helper()
	c.check(c.db.Settle.Fail(c.t.Context(), c.claim(), status, "It ended there."))
}

// snapshotsOfEveryKind makes them: each has its kind's name.
func (c *console) snapshotsOfEveryKind() {
	c.t.Helper()
	ctx := c.t.Context()
	take := func(cluster, name string) {
		_, err := c.db.Snapshots.Request(ctx, cluster, name, false, "admin")
		c.check(err)
	}
	c.launch("orders")
	c.launch("gone")
	c.attach("id", "foreign")
	c.backUp("gone", "of-deleted")
	c.backUp("foreign", "of-detached")
	for _, name := range []string{"gone", "foreign"} {
		c.check(c.db.Clusters.Delete(ctx, name, models.DeleteSpec{RequestedBy: "admin"}))
		c.check(c.db.Settle.ClusterDeletion(ctx, c.claim()))
	}
	taken := c.backUp("orders", "taken")
	c.clock.Advance(48 * time.Hour)
	c.signIn()
	c.copied(taken, "copied")
	c.copied(c.imported("imported"), "copied-import")
	rebuilt := taken
	rebuilt.ID, rebuilt.Name, rebuilt.ClusterName, rebuilt.Status, rebuilt.VerifiedAt = 0, "rebuilt", "stranger", "", nil
	_, _, err := c.db.Rebuild.Adopt(ctx, []models.Snapshot{rebuilt}, c.clock.Now())
	c.check(err)
	damaged := c.backUp("orders", "damaged")
	_, err = c.db.Verifications.Request(ctx, "damaged", "admin")
	c.check(err)
	c.check(c.db.Settle.Verify(ctx, c.claim(), damaged, "Part 1 is missing in the store."))
	take("orders", "failed")
	c.failed(models.RunFailed)
	take("orders", "cancelled")
	c.failed(models.RunCancelled)
	_, err = c.db.Copies.Copy(ctx, models.CopySpec{Snapshot: "taken", Name: "failed-copy", RequestedBy: "admin"})
	c.check(err)
	c.failed(models.RunFailed)
	for _, name := range []string{"failed-import", "importing"} {
		_, err = c.db.Copies.Import(ctx, models.ImportSpec{Cluster: "never-was", Name: name, Sources: []string{"s3://bucket/dump.rdb"}, RequestedBy: "admin"})
		c.check(err)
		if name == "failed-import" {
			c.failed(models.RunFailed)
		}
	}
	take("orders", "creating")
}

// Each row on a snapshot's page is true of this snapshot, or it is not there.
func TestFactsAreTrueOfEveryKindOfSnapshot(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.snapshotsOfEveryKind()
	const none = ""
	nothing := map[string]string{"Size": "nothing", "Stored size": "nothing", "Keys": "nothing", "Served by": none, "Taken in": none, "Copied in": none, "Imported in": none}
	for name, want := range map[string]map[string]string{
		"taken":         {"Cluster": "orders", "Served by": "replica orders-002", "Taken in": "14 s", "Copied in": none, "Engine": "Redis 7.0.15 RDB 10", "Where it comes from": none},
		"copied":        {"Cluster": "orders", "Served by": "replica orders-002", "Taken in": "1 s", "Copied in": "3 s", "Where it comes from": "Copied from taken on 2026-11-24 12:00 UTC."},
		"imported":      {"Cluster": "shop not here", "Served by": "imported", "Taken in": none, "Imported in": "5 s", "Engine": "Redis 7.0.15 RDB 10", "Port": none, "Authentication": none},
		"copied-import": {"Cluster": "shop not here", "Served by": "imported", "Taken in": none, "Copied in": "3 s", "Imported in": none, "Port": none, "Authentication": none},
		"rebuilt":       {"Cluster": "stranger not here", "Served by": "replica orders-002", "Taken in": "14 s", "Verified": "not yet"},
		"of-deleted":    {"Cluster": "gone deleted since"},
		"of-detached":   {"Cluster": "foreign detached since"},
		"damaged":       {"Cluster": "orders", "Served by": "replica orders-002", "Taken in": "14 s", "Keys": "4,000,000"},
		"failed":        nothing, "cancelled": nothing, "failed-copy": nothing,
		"failed-import": {"Cluster": "never-was not here", "Engine": "not known", "Port": none, "Shards": none, "Size": "nothing", "Served by": none, "Where it comes from": none, "Where it was to come from": "s3://bucket/dump.rdb."},
		"importing":     {"Cluster": "never-was not here", "Engine": "not known", "Served by": none, "Size": "not yet", "Port": none},
		"creating":      {"Served by": "not yet", "Size": "not yet", "Taken in": none, "Verified": "not yet"},
	} {
		got := c.get("/snapshots/" + name).facts()
		for _, label := range slices.Sorted(maps.Keys(want)) {
			if got[label] != want[label] {
				t.Errorf("%s: %s is %q, want %q", name, label, got[label], want[label])
			}
		}
		for label, value := range got {
			if value == "" || label == "Port" && value == "0" {
				t.Errorf("%s: %s is %q", name, label, value)
			}
		}
	}
}

// A cluster that came after an earlier one of its name does not pass for it.
func TestASnapshotOfAnEarlierClusterSaysSo(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.check(c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	c.launch("orders")
	c.backUp("orders", "second")
	for name, want := range map[string]string{"first": "orders an earlier cluster of this name", "second": "orders"} {
		if got := c.get("/snapshots/" + name).facts()["Cluster"]; got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
}

// What has failed says what comes next: how to try again, and whether the schedule does.
func TestAFailedRunSaysWhatComesNext(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.clock.Advance(nextOf(c, "orders").Sub(c.clock.Now()))
	c.signIn()
	for attempt, want := range []string{"The schedule tries again today at 03:", "The schedule tries again today at 03:", "The schedule makes no further attempt in this window. The next one begins tomorrow at 03:"} {
		_, err := c.db.Schedule.QueueDue(t.Context())
		c.check(err)
		run := c.claim()
		c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The node ended."))
		for _, page := range []string{"/runs/" + runID(run.ID), "/snapshots/" + run.SnapshotName} {
			said := c.get(page).says("The node ended.", want, `href="/clusters/orders/snapshot"`, "Try again")
			if attempt < 2 {
				said.says("in 10 minutes: attempt " + string(rune('2'+attempt)) + " of 3.")
			}
		}
		c.clock.Advance(models.RetryAfter)
	}
	c.backUp("orders", "good")
	for _, kind := range []struct{ page, name, query string }{{"copy", "two", "?store=dir%3A%2Fother"}, {"export", "files", "?name=files&store=dir%3A%2Fother"}} {
		c.post("/snapshots/good/"+kind.page, "name", kind.name, "store", "dir:/other").redirects("/snapshots/good")
		run := c.claim()
		c.check(c.db.Settle.AbandonMove(t.Context(), run, models.RunFailed, "The disk is full."))
		c.get("/runs/"+runID(run.ID)).says("Try again", `href="/snapshots/good/`+kind.page+kind.query+`"`)
		c.get("/snapshots/good/" + kind.page + kind.query).says(`value="dir:/other"`)
	}
	c.post("/snapshots/good/verify").redirects("/snapshots/good")
	run := c.claim()
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The store is away."))
	c.get("/runs/"+runID(run.ID)).says("Try again", `method="post" action="/snapshots/good/verify"`)
}

// Cards of what has just failed, and the activity, offer to try again too; a page that offers it above its cards does so once.
func TestCardsOfFailedRunsOfferToTryAgain(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	offers := func(page, action string, want int) {
		t.Helper()
		said := c.get(page).says(action)
		if got := strings.Count(said.raw, action); got != want {
			t.Errorf("%s has %s %d times, want %d", page, action, got, want)
		}
		if got := strings.Count(said.raw, "Try again"); got != 1 {
			t.Errorf("%s offers %d times to try again", page, got)
		}
	}
	c.post("/snapshots/good/verify").redirects("/snapshots/good")
	run := c.claim()
	verify := `<form method="post" action="/snapshots/good/verify">`
	c.get("/snapshots/good").says(` data-work`).doesNotSay("Try again")
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The store is away."))
	offers("/clusters/orders", verify, 1)
	offers("/runs", verify, 1)
	c.get("/snapshots/good").says(verify, "Try again", `id="run-`+runID(run.ID)+`"`)
	c.clock.Advance(2 * time.Minute)
	c.get("/snapshots/good").doesNotSay("Try again")

	c.post("/clusters/orders/snapshot", "name", "next").redirects("/clusters/orders")
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The node ended."))
	offers("/snapshots/next", `href="/clusters/orders/snapshot"`, 1)
	c.get("/clusters/orders").says("The node ended.", "Try again")
	c.clock.Advance(2 * time.Minute)

	c.failRestore("copy", "good")
	c.get("/clusters/copy").says("Restore the snapshot again", `id="run-`).doesNotSay("Try again")
}

func TestAnImportIsTriedAgainWithWhatWasTyped(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.post(importPath, "cluster", "elsewhere", "name", "back", "sources", "s3://b/x.rdb?region=eu-west-1\ndir:/srv/y.rdb").redirects("/snapshots/back")
	run := c.claim()
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The file is damaged."))
	again := importPath + "?cluster=elsewhere&name=back&sources=s3%3A%2F%2Fb%2Fx.rdb%3Fregion%3Deu-west-1%0Adir%3A%2Fsrv%2Fy.rdb"
	for _, page := range []string{"/runs/" + runID(run.ID), "/snapshots/back", "/runs"} {
		c.get(page).says("Try again", again)
	}
	c.get(again).says(`value="elsewhere"`, `value="back"`, "s3://b/x.rdb?region=eu-west-1\ndir:/srv/y.rdb</textarea>")

	sent, err := importAgain(models.Run{Kind: models.RunImport, ClusterName: "elsewhere", Options: `{"target":"back","upload":true}`})
	if want := importPath + "?cluster=elsewhere&from=upload&name=back"; err != nil || string(sent.Href) != want {
		t.Errorf("what was uploaded leads to %s (%v), want %s", sent.Href, err, want)
	}
}

// nextOf is when the next snapshot of a cluster begins.
func nextOf(c *console, cluster string) time.Time {
	next, _, err := c.db.Schedule.Next(c.t.Context(), c.find(cluster))
	c.check(err)
	return next
}

// The newest snapshot that can be restored stays on its cluster's page, with the way back, whatever came after it.
func TestTheNewestGoodSnapshotIsPinned(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	pinned := `href="/snapshots/good/restore"`
	c.get("/clusters/orders").doesNotSay("Newest good snapshot")
	c.backUp("orders", "old")
	good := c.backUp("orders", "good")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "bad", false, "admin")
	c.check(err)
	c.failed(models.RunFailed)
	c.clock.Advance(3 * time.Hour)
	for _, tab := range []string{"", "?tab=snapshots", "?tab=events", "?tab=connect"} {
		c.get("/clusters/orders"+tab).says("Newest good snapshot", pinned, "3 hours ago", "1.1 GB", "verified")
	}
	_, err = c.db.Verifications.Request(t.Context(), "good", "admin")
	c.check(err)
	c.check(c.db.Settle.Verify(t.Context(), c.claim(), good, "Part 1 is missing in the store."))
	c.get("/clusters/orders").says("Newest good snapshot", `href="/snapshots/old/restore"`).doesNotSay(pinned)
}
