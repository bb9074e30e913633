package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rekindle/views"
)

// js runs a script in the page for what it does.
func (b *tab) js(what, script string) {
	b.t.Helper()
	b.do(what, chromedp.Evaluate[chromedp.Void](script))
}

// keys presses single keys where the focus is, as if nothing was being typed.
func (b *tab) keys(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.js("press "+key, fmt.Sprintf(`(document.activeElement || document.body).dispatchEvent(new KeyboardEvent('keydown', {key: %q, bubbles: true, cancelable: true}))`, key))
	}
}

// elsewhere does something as another tab of the same browser would.
func (b *tab) elsewhere(path, form string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](fmt.Sprintf(`fetch(%q, {method: 'POST', body: new URLSearchParams(%q)}).then(r => r.status)`, path, form), chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s elsewhere: %v", path, err)
	}
}

// looked has the page think that its tab was looked at again.
func (b *tab) looked() {
	b.t.Helper()
	b.js("look at the tab", `document.dispatchEvent(new Event('visibilitychange'))`)
}

// A page that is left open follows what others do, and takes nothing away from whoever is at work on it.
func TestBrowserPagesFollowWhatHappens(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.open("/sign-in")
	b.fill("user", "admin")
	b.fill("password", adminPassword)
	b.submit("/")
	b.elsewhere("/clusters/-/new", createForm("orders", "0").Encode())
	b.looked()
	b.awaitText("orders") // the overview, which was empty
	b.open("/clusters/orders")
	b.awaitText("Succeeded")

	b.open("/snapshots")
	b.elsewhere("/clusters/orders/snapshot", "name=first")
	b.looked()
	b.awaitText("first")
	b.await("that it is done", `document.querySelector('main').innerText.includes('Available') && !document.querySelector('#main[data-work]')`)
	b.js("choose a row and open its menu", `(() => { const box = document.getElementById('select-first'); box.focus(); box.click(); box.closest('tr').querySelector('details').open = true; })()`)
	b.elsewhere("/clusters/orders/snapshot", "name=second")
	b.looked()
	b.await("a row above it", `document.querySelector('tbody tr').innerText.includes('second')`)
	b.await("the choice, the focus and the menu where they were", `(() => {
		const chosen = [...document.querySelectorAll('[data-select]:checked')].map(e => e.value);
		return chosen.length === 1 && chosen[0] === 'first' && document.activeElement.value === 'first' && document.querySelectorAll('tbody details[open]').length === 1 &&
			document.getElementById('select-first').closest('tr').querySelector('details').open;
	})()`)

	b.js("hide the tab", `Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});
		document.addEventListener('htmx:before:request', (e) => { window.asked = (window.asked || []).concat(e.defaultPrevented); });
		htmx.trigger('#main', 'awake')`)
	b.await("a hidden tab to ask for nothing", `window.asked && window.asked.every(Boolean)`)

	b.open("/snapshots/second")
	b.awaitText("Available")
	b.elsewhere("/snapshots/second/delete", "confirm=second")
	b.await("what is gone to be told as gone", `document.dispatchEvent(new Event('visibilitychange')) && document.body.innerText.includes('There is no snapshot second')`)
}

// The script's words for ages are the server's.
func TestBrowserAgesTick(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.open("/sign-in")
	b.fill("user", "admin")
	b.fill("password", adminPassword)
	b.submit("/")
	now := s.clock.Now()
	want := make(map[string]string)
	for _, d := range []time.Duration{0, 90 * time.Second, 59 * time.Minute, 61 * time.Minute, 47 * time.Hour, 49 * time.Hour, 59 * 24 * time.Hour, 100 * 24 * time.Hour, -3*time.Hour - time.Minute, -50*time.Hour - time.Minute} {
		at := now.Add(-d - 20*time.Second) // far from where the words change, because time goes on
		want[at.Format(time.RFC3339)] = views.RelativeText(at, now.Add(2*time.Second))
	}
	list, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	b.js("write times", fmt.Sprintf(`window.want = %s; for (const at of Object.keys(window.want)) { const e = document.createElement('time'); e.dateTime = at; e.dataset.ago = ''; document.getElementById('main').append(e); }`, list))
	b.await("the ages", `(() => { const unit = (text) => text.replace(/\d+ second/, 'n second'); return [...document.querySelectorAll('time[data-ago]')].filter(e => window.want[e.dateTime])
		.every(e => unit(e.textContent) === unit(window.want[e.dateTime])); })()`)
}

func TestBrowserSearchAndKeys(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.open("/sign-in")
	b.fill("user", "admin")
	b.fill("password", adminPassword)
	b.submit("/")
	b.elsewhere("/clusters/-/new", createForm("orders", "0").Encode())
	b.open("/events")
	b.keys("/")
	b.await("the search field", `document.activeElement.matches('[data-search]')`)
	b.js("be there", `document.activeElement.dispatchEvent(new FocusEvent('focusin', {bubbles: true}))`) // a tab in the background has no such events
	b.await("where one can go", `[...document.querySelectorAll('#hits-below a')].some(a => a.pathname === '/snapshots/-/new')`)
	b.js("type", `document.activeElement.value = 'orde'; document.activeElement.dispatchEvent(new Event('input', {bubbles: true}))`)
	b.await("what is found", `[...document.querySelectorAll('#hits-below a')].some(a => a.pathname === '/clusters/orders') && !document.getElementById('hits-below').hidden`)
	b.accessible("search-below", `{}`)
	b.keys("ArrowDown")
	b.await("the first one", `document.activeElement.pathname === '/clusters/orders'`)
	b.keys("ArrowUp")
	b.await("the field again", `document.activeElement.matches('[data-search]')`)
	b.keys("Escape")
	b.await("nothing below the field", `document.getElementById('hits-below').hidden`)
	b.js("leave the field", `document.activeElement.blur()`)
	b.keys("g", "c")
	b.await("the clusters", `location.pathname === '/clusters' && document.readyState === 'complete'`)
	b.inspect("search", "/search?q=orders")
	b.inspect("search-nothing", "/search?q=nothing-like-that")

	b.keys("?")
	b.await("the list of keys", `document.getElementById('keyboard').open`)
	b.accessible("keyboard", `{}`)
	b.js("turn the keys off", `document.querySelector('[data-keys-on]').click(); document.getElementById('keyboard').close()`)
	b.keys("?")
	b.await("that nothing opens", `!document.getElementById('keyboard').open && localStorage.getItem('keys') === 'off'`)
	b.js("open the list by the menu", `document.querySelector('[data-keys]').click()`)
	b.await("the list of keys", `document.getElementById('keyboard').open && !document.querySelector('[data-keys-on]').checked`)
}
