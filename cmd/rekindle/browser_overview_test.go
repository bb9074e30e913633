package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestBrowserOverviewHistoryAndCost goes the way of somebody who wants to know whether the backups are good and what they cost: two clusters with a
// schedule live through some days, of which one is slept through and one has a store that is away; then the first page says who needs help, and a
// cluster's history what became of each window.
func TestBrowserOverviewHistoryAndCost(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	for name, start := range map[string]string{"orders": "14:00", "sessions": "14:30"} {
		b.open("/clusters/-/new")
		b.fill("id", name)
		b.fill("engine", engineValue())
		b.fill("replicas", "0")
		b.fill("auth", "none")
		b.fill("retention", "4")
		b.fill("window_preference", "given")
		b.fill("window_start", start)
		b.fill("window_length", "240") // long enough for a machine that is slow
		b.submit("/clusters/" + name)
		b.awaitText("Succeeded")
		cluster, err := s.db.Clusters.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		primary, _ := cluster.Shards()[0].Primary()
		testkit.Fill(t, client(t, cluster, primary), 3000)
	}
	for day := range 6 {
		switch day {
		case 2: // nobody is there
			s.clock.Advance(24 * time.Hour)
			testkit.WaitFor(t, "the missed window to be noticed", func() bool {
				s.clock.Advance(time.Minute)
				return s.outcomes(t, "orders")[models.DayMissed] >= 1
			})
		case 5:
			s.storeAway(t)
			continue // the page says so while it is news
		default:
			s.snapshotsOfToday(t, "orders", "sessions")
		}
		s.clock.Advance(nextNoon(s.clock.Now()).Sub(s.clock.Now()))
	}
	b.openAgain("/")
	b.awaitText("What needs you")
	b.awaitText("The day's windows")
	b.awaitText("grows by")
	b.inspect("overview-days", "/")
	b.do("follow what needs a person", chromedp.Evaluate[chromedp.Void](`document.querySelector('.attention a').click()`))
	b.await("a filtered list", `location.pathname === '/clusters' || location.pathname === '/runs'`)

	b.open("/clusters/orders?tab=history")
	b.await("a cell for each day", `document.querySelectorAll('.days > li').length === 35`)
	b.await("links from the cells", `document.querySelectorAll('.days a.day-ok').length >= 3 && document.querySelectorAll('.days a.day-bad').length >= 1`)
	b.await("four plots", `document.querySelectorAll('figure.plot svg').length === 4`)
	b.do("come to the front", func(ctx context.Context, page *chromedp.Target) (chromedp.Void, error) { // without which nothing looks focused
		return chromedp.Void{}, page.Call(ctx, "Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	})
	b.do("focus a point", chromedp.Evaluate[chromedp.Void](`document.querySelector('figure.plot .plot-point').focus()`))
	b.await("its figure", `getComputedStyle(document.activeElement.querySelector('.plot-figure')).display !== 'none'`)
	b.await("the same figures in the table", `document.querySelector('figure.plot table tbody').rows.length === document.querySelectorAll('figure.plot')[0].querySelectorAll('.plot-point').length`)
	b.inspect("history", "/clusters/orders?tab=history")
	b.inspect("cluster-days", "/clusters/orders")
	b.open("/clusters/orders?tab=history")
	b.do("follow a day", chromedp.Evaluate[chromedp.Void](`document.querySelector('.days a.day-ok:last-of-type').click()`))
	b.await("its snapshot or its run", `location.pathname.startsWith('/snapshots/') || location.pathname.startsWith('/runs/')`)

	testkit.WaitFor(t, "what was stored over these days, sampled by the hour", func() bool {
		s.clock.Advance(time.Hour) // on a busy machine some of the hours so far were left out
		b.openAgain("/cost")
		plotted, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelectorAll('figure.plot .plot-point').length >= 4`))
		return err == nil && plotted
	})
	b.inspect("cost", "/cost")
	b.inspect("windows", "/windows")
	b.open("/windows")
	b.do("follow an hour", chromedp.Evaluate[chromedp.Void](`document.querySelector('.hour:has(.hour-bar)').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, view: window}))`))
	b.await("the hour", `location.search.startsWith('?hour=') && document.querySelector('.hour-chosen')`)
	hour, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + location.search`))
	if err != nil {
		t.Fatal(err)
	}
	b.inspectAfter("windows-hour", func() { b.open(hour) })
	b.open("/clusters/orders/modify")
	b.fill("retention", "35")
	b.awaitText("35 days of retention will cost")
}

func nextNoon(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour).Add(36 * time.Hour) }

// outcomes counts what became of a cluster's windows.
func (s *served) outcomes(t *testing.T, name string) map[models.DayOutcome]int {
	t.Helper()
	cluster, err := s.db.Clusters.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	days, err := s.db.History.Of(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[models.DayOutcome]int)
	for _, day := range days {
		count[day.Outcome]++
	}
	return count
}

// snapshotsOfToday moves the clock until each cluster has the snapshot of today's window.
func (s *served) snapshotsOfToday(t *testing.T, names ...string) {
	t.Helper()
	taken := func(name string) int {
		all := s.outcomes(t, name)
		return all[models.DayTaken] + all[models.DayRetried]
	}
	before := make(map[string]int)
	for _, name := range names {
		before[name] = taken(name)
	}
	for _, name := range names {
		s.moveUntil(t, fmt.Sprintf("the snapshot of %s", name), func() bool { return taken(name) > before[name] })
	}
}

// storeAway lets a day's snapshot fail, because the folder of the store is not there.
func (s *served) storeAway(t *testing.T) {
	t.Helper()
	folder := filepath.Join(s.data, "snapshots")
	if err := os.Rename(folder, folder+"-away"); err != nil {
		t.Fatal(err)
	}
	before := s.outcomes(t, "orders")[models.DayFailed]
	s.moveUntil(t, "a failed snapshot", func() bool { return s.outcomes(t, "orders")[models.DayFailed] > before })
	_ = os.RemoveAll(folder) // what the console made in its place
	if err := os.Rename(folder+"-away", folder); err != nil {
		t.Fatal(err)
	}
}
