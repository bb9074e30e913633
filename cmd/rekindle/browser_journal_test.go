package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// choose presses a link or a button of the page by its text, as somebody does who reads it, and counts.
func (b *tab) choose(text string) {
	b.t.Helper()
	b.await("something to press: "+text, fmt.Sprintf(`[...document.querySelectorAll('main a, main button')].some(e => e.textContent.trim() === %q && e.checkVisibility())`, text))
	b.js("press "+text, fmt.Sprintf(`[...document.querySelectorAll('main a, main button')].find(e => e.textContent.trim() === %q && e.checkVisibility()).click()`, text))
	b.clicks++
}

// arrives waits until a page is there.
func (b *tab) arrives(path string) {
	b.t.Helper()
	b.await("path "+path, fmt.Sprintf(`location.pathname === %q && document.readyState === 'complete'`, path))
}

// passes has the console's clock go on by steps until a page shows a text. What is recorded is dated by that clock.
func (b *tab) passes(s *served, path, text string) {
	b.t.Helper()
	testkit.WaitFor(b.t, fmt.Sprintf("%q at %s", text, path), func() bool {
		s.clock.Advance(2 * time.Second)
		b.open(path)
		return b.shows(text)
	})
}

func (b *tab) shows(text string) bool {
	b.t.Helper()
	shown, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`Boolean(document.querySelector('main')?.innerText.includes(%q))`, text)))
	return err == nil && shown
}

// picksByKeys goes through the seconds of a minute with the keyboard alone, and on to the recovery to the second before this one.
func (b *tab) picksByKeys(cluster string, second time.Time) {
	b.t.Helper()
	b.open("/clusters/" + cluster + "/journal?zoom=minute&at=" + second.Format(time.RFC3339))
	const bars = `[...document.querySelectorAll('svg[data-bars] a.hour')]`
	b.await("one stop of the Tab key", bars+`.filter(a => a.tabIndex === 0).length === 1`)
	b.js("go to it", bars+`.find(a => a.tabIndex === 0).focus()`)
	chosen := second.Second()
	for _, step := range []struct {
		key  string
		want int
	}{{"", chosen}, {kb.Home, 0}, {kb.ArrowLeft, 0}, {kb.ArrowRight, 1}, {kb.PageDown, 11}, {kb.PageUp, 1}, {kb.End, 59}} {
		b.strikes("go on", step.key)
		b.await(fmt.Sprintf("the second %d after the key %q", step.want, step.key), fmt.Sprintf(`%s.indexOf(document.activeElement) === %d`, bars, step.want))
	}
	b.js("go back", fmt.Sprintf(`%s[%d].focus()`, bars, chosen))
	before := second.Add(-time.Second)
	if chosen == 0 { // the minute ends there
		before = second
	} else {
		b.strikes("go back a second", kb.ArrowLeft)
	}
	b.strikes("follow", kb.Enter)
	b.await("the second that was chosen", fmt.Sprintf(`document.querySelector('#moment')?.textContent.includes(%q) && document.readyState === 'complete'`, before.Format(time.DateTime)))
	b.js("go to its button", `document.querySelector('.journal-moment a.button').focus()`)
	b.strikes("follow", kb.Enter)
	b.arrives("/clusters/" + cluster + "/recover")
	b.await("the moment in the form", fmt.Sprintf(`document.querySelector('main [name=moment]').value.startsWith(%q)`, before.Format(time.DateTime)))
}

// strikes hits a key of the keyboard, see the package kb, with all that the browser does then.
func (b *tab) strikes(what, key string) {
	b.t.Helper()
	b.do(what, chromedp.KeyEvent(key))
}

// primaryOf is a client of the primary of a cluster.
func (s *served) primaryOf(t *testing.T, name string) *redis.Client {
	t.Helper()
	row, err := s.db.Clusters.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	node, _ := row.Shards()[0].Primary()
	return client(t, row, node)
}

// Somebody has flushed everything, and gets it back as it was just before.
func TestBrowserUndoesFLUSHALL(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/")
	form := createForm("orders", "1")
	form.Set("backups", "on")
	b.elsewhere("/clusters/-/new", form.Encode())
	b.open("/clusters/orders")
	b.awaitText("Succeeded")
	b.awaitText("It can be brought back to its snapshots only, for no journal is kept.")
	b.choose("Keep a journal")
	b.awaitText("No journal yet")
	b.inspect("journal-none", "/clusters/orders/journal")
	b.inspectAfter("journal-wrong", func() {
		b.open("/clusters/orders/journal")
		b.fill("kept", "on")
		b.fill("days", "36")
		b.submit("/clusters/orders/journal")
		b.awaitText("as far as the automatic snapshots are kept")
	})
	b.open("/clusters/orders/journal")
	b.fill("kept", "on")
	b.fill("days", "1")
	b.fill("promise", "2")
	b.fill("synthetic", "on")
	b.submit("/clusters/orders/journal")
	b.awaitMessage("The journal of orders is kept from now on.")
	app := s.primaryOf(t, "orders")
	testkit.WaitFor(t, "the recovery window", func() bool {
		s.clock.Advance(2 * time.Second)
		must(app.Incr(t.Context(), "written").Result())(t)
		b.open("/clusters/orders/journal")
		return b.shows("It can be brought back to any second")
	})
	testkit.Fill(t, app, 300)
	before := testkit.Fingerprint(t, app)
	s.clock.Advance(2 * time.Second)
	flushed := s.clock.Now().UTC().Truncate(time.Second)
	must(app.FlushAll(t.Context()).Result())(t)
	b.passes(s, "/clusters/orders/journal", "FLUSHALL: every key of every database was deleted")
	b.awaitText("The next daily snapshot is taken of the cluster itself, and compared")
	b.inspect("journal", "/clusters/orders/journal")
	b.inspect("journal-minute", "/clusters/orders/journal?zoom=minute&at="+s.clock.Now().UTC().Format(time.RFC3339))
	b.inspect("cluster-journal", "/clusters/orders")
	b.picksByKeys("orders", flushed)

	b.open("/")
	b.clicks = 0
	b.choose("orders")
	b.choose("Recovery window")
	b.choose("Restore to just before")
	b.arrives("/clusters/orders/recover")
	b.fill("name", "before-the-flush")
	b.choose("Recover")
	b.arrives("/snapshots/before-the-flush")
	b.awaitText("Recovered to")
	b.await("that it is available", `document.querySelector('h1').textContent.includes('Available')`)
	b.choose("Restore")
	b.arrives("/snapshots/before-the-flush/restore")
	b.fill("id", "orders-back")
	b.choose("Restore")
	b.arrives("/clusters/orders-back")
	if b.clicks > 6 {
		t.Errorf("it took %d clicks", b.clicks)
	}
	b.await("that it is available", `document.querySelector('h1').textContent.includes('Available')`)
	if after := s.fingerprint(t, "orders-back", "orders-back-001"); after != before {
		t.Errorf("the data is not what it was:\n%s\nbefore, and after\n%s", before, after)
	}
	b.inspect("recover", "/clusters/orders/recover")
	b.inspect("recovered-snapshot", "/snapshots/before-the-flush")
	snapshot, err := s.db.Snapshots.Get(t.Context(), "before-the-flush")
	if err != nil || snapshot.Source != models.SourceManual || !strings.HasPrefix(snapshot.Origin, "Recovered to ") {
		t.Errorf("%+v, %v", snapshot, err)
	}
}
