package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestSnapshotIsVerifiedByAButton(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "s1")
	c.clock.Advance(3 * 24 * time.Hour)
	c.signIn() // that session is over
	c.backUp("orders", "s2")
	c.get("/snapshots").says("3 days ago", "Verified")
	c.get("/snapshots/s1").says("Read back and compared", "3 days ago", `action="/snapshots/s1/verify"`)
	c.get("/snapshots?sort=verified").is(http.StatusOK)
	first, second := c.names("/snapshots?sort=verified"), c.names("/snapshots?sort=-verified")
	if first != "s1 s2" || second != "s2 s1" {
		t.Errorf("sorted by verification they are %q, and %q the other way round", first, second)
	}

	c.post("/snapshots/nobody/verify").is(http.StatusNotFound)
	c.post("/snapshots/s1/verify").redirects("/snapshots/s1")
	c.get("/snapshots/s1").says("Verify s1", "Waiting for its turn").doesNotSay("is being verified")
	c.post("/snapshots/s1/verify").redirects("/snapshots/s1")
	c.get("/snapshots/s1").says("The snapshot s1 is already being verified.")
	if c.jobs.woken.Load() != 1 {
		t.Error("the jobs were not woken once")
	}
	run := c.claim()
	row, err := c.db.Snapshots.Get(t.Context(), "s1")
	c.check(err)
	c.check(c.db.Runs.ReportProgress(t.Context(), run, models.Progress{StepSince: c.clock.Now(), Stage: "Reading part 1 of 1", BytesDone: 100 << 20, BytesTotal: 400 << 20}))
	c.get("/snapshots/s1").says("Reading part 1 of 1", "105 MB of 419 MB", "Cancel", "Available")
	c.get("/runs?kind=verify").says("Verify s1", `value="verify" selected`)

	c.check(c.db.Settle.Verify(t.Context(), run, row, "Part 1 is missing in the store."))
	c.get("/snapshots/s1").says("Failed", "Part 1 is missing in the store.", "damaged", `action="/snapshots/s1/verify"`).doesNotSay("nothing of it was kept", `href="/snapshots/s1/restore"`)
	c.get("/snapshots").says("Part 1 is missing in the store.", "damaged")
	for _, page := range []string{"/", "/runs?status=damaged", "/snapshots/s1", "/runs/" + runID(run.ID)} {
		c.get(page).says("Damage found", "Part 1 is missing in the store.")
	}
	c.get("/runs?status=succeeded").doesNotSay("Part 1 is missing in the store.")
	c.get("/runs/"+runID(run.ID)).says("Try again", `action="/snapshots/s1/verify"`).doesNotSay("Succeeded")
	c.get("/events").says("The snapshot s1 of orders is damaged and will not be used. Part 1 is missing in the store.")

	_, err = c.db.Snapshots.Request(t.Context(), "orders", "s3", false, "admin")
	c.check(err)
	c.post("/snapshots/s3/verify").redirects("/snapshots/s3")
	c.get("/snapshots/s3").says("only one that is available can be verified").doesNotSay(`action="/snapshots/s3/verify"`)
}

// names are the snapshots of a list in their order, as far as the test knows them.
func (c *console) names(address string) string {
	c.t.Helper()
	body := c.get(address).raw
	at := make(map[string]int)
	for _, name := range []string{"s1", "s2"} {
		at[name] = strings.Index(body, `aria-label="Select `+name+`"`)
	}
	if at["s1"] < at["s2"] {
		return "s1 s2"
	}
	return "s2 s1"
}

func TestFailoverIsSetUnderSettings(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/settings/failover").says("Replace a primary that hangs after", `value="60"`)
	for _, wrong := range []string{"", "-1", "9", "3601", "soon"} {
		c.post("/settings/failover", "promote_after", wrong).is(http.StatusUnprocessableEntity).hasErrorAt("promote_after")
	}
	for seconds, says := range map[int]string{30: "replaced after 30 seconds", 0: "is left alone now"} {
		c.post("/settings/failover", "promote_after", fmt.Sprint(seconds)).redirects("/settings/failover")
		c.get("/settings/failover").says(says, fmt.Sprintf(`value="%d"`, seconds))
	}
}

func TestVerificationIsSetAndTheCatalogRebuiltUnderSettings(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/settings/verify").says("Verification", `value="7"`)
	c.get("/settings/catalog").says("Rebuild the catalog")
	for _, wrong := range []string{"", "-1", "366", "weekly"} {
		c.post("/settings/verify", "verify_every", wrong).is(http.StatusUnprocessableEntity).hasErrorAt("verify_every")
	}
	for days, says := range map[int]string{3: "every 3 days", 1: "every day", 0: "only on request"} {
		c.post("/settings/verify", "verify_every", fmt.Sprint(days)).redirects("/settings/verify")
		c.get("/settings/verify").says(says, fmt.Sprintf(`value="%d"`, days))
		if got, err := c.db.Settings.VerifyEvery(t.Context()); err != nil || got != days {
			t.Errorf("%d days are kept as %d: %v", days, got, err)
		}
	}
	c.post("/settings/rebuild").redirects("/settings/catalog")
	c.get("/settings/account").says("The catalog is being rebuilt from the store.", "data-going=")
	c.get("/settings/catalog").says("Rebuild the catalog from the store", "Waiting for its turn")
	c.post("/settings/rebuild").redirects("/settings/catalog")
	c.get("/settings/catalog").says("The catalog is already being rebuilt.")
	run := c.claim()
	c.check(c.db.Settle.Rebuild(t.Context(), run, models.Rebuilt{Found: 12, Adopted: 2, Agreed: 10}))
	c.get("/settings/catalog").says("Succeeded")
	c.get("/events").says("12 snapshots found, 2 of them new, 10 known already.")
	c.get(fmt.Sprintf("/runs/%d", run.ID)).says("Rebuild the catalog from the store")
}

func TestTrialsOfImportsAreSetUnderSettings(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	stands := func(want bool, says string) {
		t.Helper()
		page := c.get("/settings/imports")
		page.says("Try out imported files", says)
		if ticked := strings.Contains(page.raw, `name="try_imports" value="on" checked`); ticked != want {
			t.Errorf("the box is ticked: %t", ticked)
		}
		if try, err := c.db.Settings.TriesImports(t.Context()); err != nil || try != want {
			t.Errorf("%t, %v", try, err)
		}
	}
	stands(true, "Imports")
	c.post("/settings/imports").redirects("/settings/imports")
	stands(false, "Only the structure of imported files is checked now")
	c.post("/settings/imports", "try_imports", "on").redirects("/settings/imports")
	stands(true, "are now loaded into a node first")
}
