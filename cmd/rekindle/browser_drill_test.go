package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"rekindle/internal/testkit"
)

// Somebody holds a drill by hand, has one held each week, and reads the report.
func TestBrowserHoldsDrills(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	node := testkit.Redis(t)
	testkit.Fill(t, node.Client(), 500)
	b := newTab(t, s.url)
	b.openAgain("/drills") // signs in
	b.inspect("drills-empty", "/drills")
	b.open("/clusters/-/attach")
	b.fill("id", "shop")
	b.fill("addresses", node.Addr)
	b.fill("password", node.Password())
	b.submit("/clusters/shop")
	for _, name := range []string{"one", "two"} {
		b.open("/clusters/shop/snapshot")
		b.fill("name", name)
		b.submit("/clusters/shop")
		b.awaitText("Succeeded")
	}
	b.inspect("drills-none", "/drills")

	hold := func(snapshot string) {
		b.open("/snapshots/" + snapshot)
		b.do("open the menu and hold a drill", chromedp.Evaluate[chromedp.Void](`(() => { document.querySelector('main details.menu summary').click();
			document.querySelector('form[action$="/drill"] button').click(); })()`))
	}
	hold("one")
	b.awaitText("521 of 521 keys; the values of 200 keys were compared and are the same.")
	b.inspect("drill-passed", "/snapshots/one")

	parts, err := filepath.Glob(filepath.Join(s.data, "snapshots", "shop", "two", "part-*"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	if err := os.Remove(parts[0]); err != nil {
		t.Fatal(err)
	}
	hold("two")
	b.awaitText("What is stored is missing, or is not what was written.")
	b.awaitText("Part 1 is missing in the store.")
	b.inspect("drill-failed", "/snapshots/two")

	b.inspectAfter("drill-plan-wrong", func() {
		b.open("/clusters/shop/drills")
		b.fill("every", "weekly")
		b.fill("window_start", "25:00")
		b.submit("/clusters/shop/drills")
		b.awaitText("must look like 03:00")
	})
	b.open("/clusters/shop/drills")
	b.fill("every", "weekly")
	b.fill("window_start", "05:00")
	b.submit("/clusters/shop")
	b.awaitText("A restore drill is held each week, in the window 05:00-06:00 UTC.")
	b.inspect("drill-plan", "/clusters/shop/drills")
	b.inspect("cluster-drilled", "/clusters/shop")
	b.inspect("drills", "/drills")
	b.inspect("drills-filtered", "/drills?result=none")
	b.inspect("drills-wrong-days", "/drills?from=2026-05-01&to=2026-04-01")
	b.inspect("snapshots-with-drills", "/snapshots")
	b.open("/drills")
	b.awaitText("2 drills, of which 1 passed, 1 failed, and 0 could not be carried out.")

	drilled := func() bool {
		rows, err := s.db.Runs.Ended(t.Context(), s.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range rows {
			if run.Kind == "drill" && run.RequestedBy == "schedule" {
				return true
			}
		}
		return false
	}
	s.moveUntil(t, "the weekly drill", drilled)
	b.openAgain("/drills")
	b.awaitText("3 drills, of which 2 passed, 1 failed, and 0 could not be carried out.")
}
