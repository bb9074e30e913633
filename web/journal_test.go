package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"rekindle/models"
)

// journalSecond is the one in which the jobs of tests say that something was written.
var journalSecond = time.Date(2026, 3, 2, 10, 41, 7, 0, time.UTC)

// follow has the stream of a cluster come in.
func (c *console) follow(cluster models.Cluster, run, history string) models.JournalLink {
	c.t.Helper()
	owner, err := c.db.Owners.Enroll(c.t.Context(), "journal", time.Hour)
	c.check(err)
	link, _, err := c.db.Recording.Claim(c.t.Context(), cluster, 1, owner.ID)
	c.check(err)
	link.State, link.Node, link.Role, link.Run, link.ReplicationID = models.JournalFollowing, "orders-002", models.RoleReplica, run, history
	c.check(c.db.Recording.Report(c.t.Context(), link))
	return link
}

// record has a minute of the stream of a cluster stored that ends now, with a FLUSHALL in its middle, behind a snapshot.
func (c *console) record(cluster models.Cluster) models.JournalLink {
	c.t.Helper()
	link := c.follow(cluster, "run1", "history")
	c.backUp(cluster.Name, "first")
	c.check(c.db.Recording.Stored(c.t.Context(), link, models.JournalSegment{ClusterID: cluster.ID, Shard: 1, Run: "run1", ReplicationID: "history", To: 1000, Begin: c.clock.Now().Add(-time.Minute),
		End: c.clock.Now(), Size: 5 << 20, Writes: 1234, Key: "one"}, []models.JournalEvent{{At: c.clock.Now().Add(-30 * time.Second), Command: "FLUSHALL", Before: 500, After: 520}}, ""))
	return link
}

func TestJournalIsKeptWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/orders").says("It can be brought back to its snapshots only, for no journal is kept.", `href="/clusters/orders/journal"`)
	c.get("/clusters/nobody/journal").is(http.StatusNotFound)
	c.get("/clusters/orders/journal").says("Journal of orders", "No journal yet", `name="days"`, `value="10"`)
	post := func(kept, days, promise, lone string) answer {
		return c.post("/clusters/orders/journal", "kept", kept, "days", days, "promise", promise, "lone", lone)
	}
	for _, bad := range []struct{ days, promise, says string }{
		{"36", "10", "The journal can reach back as far as the automatic snapshots are kept"},
		{"0", "10", "Choose from 1 to that"},
		{"many", "10", "must be a whole number"},
		{"1", "1", "Choose from 2 s to 10 min"},
		{"1", "x", "must be a whole number"},
	} {
		post("on", bad.days, bad.promise, "on").is(http.StatusUnprocessableEntity).says(bad.says, fmt.Sprintf(`value="%s"`, bad.days), fmt.Sprintf(`value="%s"`, bad.promise), `value="on" selected`)
	}
	post("on", "1", "5", "").redirects("/clusters/orders/journal")
	c.get("/clusters/orders/journal").says("The journal of orders is kept from now on.", `value="5"`)
	c.get("/clusters/orders").says("A journal is kept, and begins with the next snapshot.")
	c.get("/events").says("The journal of orders is kept for 1 day, as admin asked for. At most 5 s of writes are lost when everything is lost at once.")
	post("", "", "", "").redirects("/clusters/orders/journal")
	c.get("/events").says("The journal of orders was turned off by admin. What was recorded is kept for 1 day.")
}

func TestJournalSaysWhatItsRequestsCost(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/orders/journal").says("Requests to the store cost about $1.61 in 30 days of steady writes, at $0.005 for 1,000 PUT or LIST and $0.0004 for 1,000 GET or HEAD.",
		"What other times cost", "259,200", "777,600", "about $8.04", "about $0.03", "(as it is set)")
	c.post("/clusters/orders/journal", "kept", "on", "days", "1", "promise", "20").redirects("/clusters/orders/journal")
	c.get("/clusters/orders/journal").says("cost about $0.81 in 30 days", "20 s", "10 min")
	c.post("/settings/limits", "manual_quota", "20", "price", "0.085", "currency", "EUR", "put_price", "0", "get_price", "0").redirects("/settings/limits")
	c.get("/clusters/orders/journal").says("cost EUR 0.00 in 30 days")
}

func TestJournalSaysWhatHappened(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	cluster := c.launch("orders")
	c.post("/clusters/orders/journal", "kept", "on", "days", "1", "promise", "10").redirects("/clusters/orders/journal")
	c.record(cluster)
	flushed := c.clock.Now().Add(-30 * time.Second).UTC().Format(time.RFC3339)
	page := c.get("/clusters/orders/journal")
	page.says("Recording", "orders-002", "5.2 MB stored", "A snapshot is taken that the journal begins with.", "There is no second that it can be brought back to yet.",
		"FLUSHALL: every key of every database was deleted", "outside of the window", "1,234 writes")
	page.doesNotSay("Recover to a second")
	for _, zoom := range []string{"window", "day", "hour", "minute", "nonsense"} {
		c.get("/clusters/orders/journal?zoom=" + zoom + "&at=" + flushed).is(http.StatusOK).says("FLUSHALL")
		c.get("/clusters/orders/journal?by=bytes&zoom="+zoom+"&at="+flushed).is(http.StatusOK).says("The bars are bytes of the stream", "by=bytes")
	}
	page.says("1,234 writes, 1 KB", "1 thing that may be undone") // the whole window
	c.get("/clusters/orders/journal?zoom=day&at="+flushed).says("1 thing that may be undone", "Whole window")
	c.get("/clusters/orders/journal?zoom=minute&at="+journalSecond.Format(time.RFC3339)).says("10:41:07 UTC: 12 writes", "Whole window")
	c.get("/clusters/orders/journal?zoom=hour&at=yesterday").is(http.StatusOK).says(`value="yesterday"`, "Write it like 2026-11-27 10:41:07")
}

func TestJournalSaysWhatIsBeforeAndAfterASecond(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	cluster := c.launch("orders")
	c.post("/clusters/orders/journal", "kept", "on", "days", "1", "promise", "10").redirects("/clusters/orders/journal")
	c.record(cluster)
	flushed := c.clock.Now().Add(-30 * time.Second).UTC()
	address := func(at time.Time) string {
		return "/clusters/orders/journal?zoom=minute&at=" + url.QueryEscape(at.Format(time.DateTime))
	}
	c.get(address(journalSecond.Add(time.Second))).says("2026-03-02 10:41:08 UTC", "Before it, and so in what is recovered: 12 writes in this minute.", "From it on, and so not in what is recovered: 0 writes in this minute.")
	c.get(address(flushed.Add(-5*time.Second))).says("The last thing before it that may be undone: there is none.",
		"The next thing that may be undone, at "+flushed.Format(time.DateTime)+" UTC: FLUSHALL", "It cannot be brought back to this second.")
	c.get(address(flushed.Add(5*time.Second))).says("The last thing before it that may be undone, at "+flushed.Format(time.DateTime)+" UTC: FLUSHALL", "The next thing that may be undone: there is none.")
}

func TestDailySnapshotsFromTheJournal(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	cluster := c.launch("orders")
	c.post("/clusters/orders/journal", "kept", "on", "days", "1", "promise", "10", "synthetic", "on").redirects("/clusters/orders/journal")
	c.record(cluster)
	c.get("/clusters/orders/journal").says("Daily snapshots", "The next daily snapshot is taken of the cluster itself, and compared with what the journal makes of the same place.")
	compare := func(verdict models.Verdict, reason string) {
		t.Helper()
		c.check(c.db.Comparisons.Queue(t.Context(), models.Run{ClusterName: "orders", ClusterID: cluster.ID, SnapshotName: "first", RequestedBy: "schedule"}))
		run := c.claim()
		row, err := c.db.Snapshots.Get(t.Context(), "first")
		c.check(err)
		c.check(c.db.Comparisons.Settle(t.Context(), run, models.JournalComparison{SnapshotID: row.ID, SnapshotName: "first", Base: "base", Verdict: verdict, Reason: reason}))
	}
	c.post("/clusters/orders/journal/compare").redirects("/clusters/orders/journal")
	c.get("/clusters/orders/journal").says("do not wait for anybody to look at a difference")
	compare(models.VerdictSame, "")
	c.get("/clusters/orders/journal").says("so the cluster does not fork for them", "The same", "Compared with what the journal makes of base at the same place: the same.", `href="/snapshots/first"`).doesNotSay("compare it")
	c.get("/snapshots/first").says("Compared with the journal", "Compared with what the journal makes of base at the same place: the same.")
	compare(models.VerdictDiffers, "In shard 1, all is other.")
	c.get("/clusters/orders/journal").says("The journal differs from the cluster.", "Take a new snapshot and compare it", "In shard 1, all is other.", "Daily snapshots are taken of the cluster itself.")
	c.get("/snapshots/first").says("Differs", "not the same. In shard 1, all is other.")
	c.post("/clusters/orders/journal/compare").redirects("/clusters/orders/journal")
	c.get("/clusters/orders/journal").says("It is compared with the journal afterwards.").doesNotSay("Take a new snapshot and compare it")
}
