package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// axe is axe-core, which finds violations of the accessibility rules in a page (Mozilla Public License 2.0, see the folder).
//
//go:embed testdata/axe/axe.min.js
var axe string

// stepTimeout is how long a page may take to show what is expected of it.
const stepTimeout = 2 * time.Minute

// tab is one page in a real browser.
type tab struct {
	clicks int // by click
	t      *testing.T
	ctx    context.Context
	base   string
	shot   int
}

func newTab(t *testing.T, base string) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.WindowSize(1440, 1000))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, base: base}
	// The browser lives as long as the context that it is started with, so this one must not be a step's.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser (make setup-test installs it): %v", err)
	}
	return b
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		address, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Text("body"))
		b.t.Fatalf("%s: %v\nat %s the page says:\n%.3000s", what, err, address, text)
	}
}

// open goes to a page. The driver sometimes misses the end of a navigation on a busy machine, and a page that is still on its way to another one cuts the
// navigation off: then it is told once more.
func (b *tab) open(path string) {
	b.t.Helper()
	for attempt := 1; attempt < 3; attempt++ {
		ctx, cancel := context.WithTimeout(b.ctx, stepTimeout/4)
		err := chromedp.Do(ctx, chromedp.Navigate(b.base+path), chromedp.WaitReady("body"))
		cancel()
		if err == nil {
			return
		}
		b.t.Logf("open %s: %v", path, err)
	}
	b.do("open "+path, chromedp.Navigate(b.base+path), chromedp.WaitReady("body"))
}

// openAgain opens a page after the clock has moved: when the session was idle for too long it signs in again.
func (b *tab) openAgain(path string) {
	b.t.Helper()
	b.open(path)
	if at, err := chromedp.Run(b.ctx, chromedp.Location()); err != nil || !strings.Contains(at, "/sign-in") {
		return
	}
	b.fill("user", "admin")
	b.fill("password", adminPassword)
	page, _, _ := strings.Cut(path, "?")
	b.submit(page)
}

// fill writes into a field of the page's main form; selects and checkboxes are set as a person would leave them.
func (b *tab) fill(name, value string) {
	b.t.Helper()
	script := fmt.Sprintf(`(() => {
		const all = [...document.querySelectorAll('main [name="%[1]s"], form.panel [name="%[1]s"]')];
		const field = all.find(f => f.type === 'radio' ? f.value === %[2]q : f.type !== 'hidden') ;
		if (!field) return 'no field %[1]s';
		if (field.type === 'checkbox' || field.type === 'radio') { if (field.checked !== (%[2]q !== '')) field.click(); return ''; }
		field.value = %[2]q;
		field.dispatchEvent(new Event('input', {bubbles: true}));
		field.dispatchEvent(new Event('change', {bubbles: true}));
		return field.value === %[2]q ? '' : 'field %[1]s does not take ' + %[2]q;
	})()`, name, value)
	problem, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil || problem != "" {
		b.t.Fatalf("fill %s: %s %v", name, problem, err)
	}
}

// submit presses the primary button of the page's main form and waits for the page that follows, which may have the same path.
func (b *tab) submit(wantPath string) {
	b.t.Helper()
	b.do("submit", chromedp.Evaluate[chromedp.Void](`(() => { const form = document.querySelector('main form[method=post] button[type=submit].primary, main form[method=post] button[type=submit].danger, .door button[type=submit]'); document.documentElement.dataset.left = 'yes'; form.click(); })()`))
	b.await("path "+wantPath, fmt.Sprintf(`!document.documentElement.dataset.left && location.pathname === %q && document.readyState === 'complete'`, wantPath))
}

// await waits until an expression holds in the page, also over navigations.
func (b *tab) await(what, expression string) {
	b.t.Helper()
	last, met := "", false
	defer func() {
		if !met {
			text, _ := chromedp.Run(b.ctx, chromedp.Text("body"))
			b.t.Logf("waiting for %s; %s; the page says:\n%.3000s", what, last, text)
		}
	}()
	testkit.WaitFor(b.t, what, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
		if err != nil {
			last = err.Error()
		}
		return err == nil && ok
	})
	met = true
}

// awaitText waits until the page, which refreshes itself, shows a text.
func (b *tab) awaitText(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf("%q on the page", text), fmt.Sprintf(`document.querySelector('main')?.innerText.includes(%q)`, text))
}

// inspect looks at a page as people have it: light and dark, wide and narrow. axe-core must find nothing, and no page
// may scroll sideways. With REKINDLE_SCREENSHOTS the pictures land in that folder for people to look at.
func (b *tab) inspect(name, path string) {
	b.t.Helper()
	b.inspectAfter(name, func() { b.open(path) })
}

// inspectAfter looks at a page to which more than its address leads, such as a form with its mistakes.
func (b *tab) inspectAfter(name string, show func()) {
	b.t.Helper()
	b.shot++
	folder := os.Getenv("REKINDLE_SCREENSHOTS")
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1440, 1180, 400} {
			if folder == "" && theme == "dark" && width < 1440 {
				continue // colours are the theme's and layout is the width's: each has been seen
			}
			view := fmt.Sprintf("%02d-%s-%s-%d", b.shot, name, theme, width)
			b.do(view, chromedp.EmulateViewport(width, 1000),
				chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.cookie = "theme=%s; path=/"`, theme)))
			if width == 1440 || folder != "" { // else it is the same page in a window that was made narrower
				show()
			}
			switch {
			case theme == "dark":
				b.accessible(view, `{runOnly: {type: 'rule', values: ['color-contrast']}}`) // all else was seen in the light
			case width == 1440:
				b.accessible(view, `{}`)
			case width == 400: // at 1180 the tables are as at 1440 or as here
				b.accessible(view, `{rules: {'color-contrast': {enabled: false}}}`)
			}
			if wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); err != nil || wide > width {
				b.t.Errorf("%s: the page is %d wide and scrolls sideways (%v)", view, wide, err)
			}
			if folder != "" {
				picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
				if err == nil {
					err = os.WriteFile(filepath.Join(folder, view+".png"), picture, 0o644)
				}
				if err != nil {
					b.t.Errorf("%s: %v", view, err)
				}
			}
		}
	}
	b.do("back to wide and light", chromedp.EmulateViewport(1440, 1000), chromedp.Evaluate[chromedp.Void](`document.cookie = "theme=light; path=/"`))
}

// accessible has axe-core look at the page, with its options.
func (b *tab) accessible(view, options string) {
	b.t.Helper()
	script := axe + `; axe.run(` + options + `).then(r => r.violations.map(v => v.id + ": " + v.help + " (" + v.nodes.map(n => n.html.slice(0, 160) + " " + n.failureSummary.slice(0, 200)).slice(0, 3).join("; ") + ")"))`
	violations, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Errorf("%s: axe-core: %v", view, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s", view, v)
	}
}

// served is the whole console in this process, on a clock that the test moves.
type served struct {
	url   string
	data  string
	clock *clockwork.FakeClock
	db    *catalog.DB
}

func newServed(t *testing.T) *served {
	t.Helper()
	s := &served{data: t.TempDir(), clock: clockwork.NewFakeClockAt(time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour))}
	addresses := testkit.Loopback(t)[0].String()
	getenv := func(name string) string {
		return map[string]string{"REKINDLE_ADMIN_PASSWORD": adminPassword, "REKINDLE_NODE_ADDRESS": addresses}[name]
	}
	c, err := readServeConfig([]string{"--listen", "127.0.0.1:0", "--data", s.data}, getenv, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, c, s.clock, t.Output(), t.Output(), func(address string) { ready <- address })
	}()
	select {
	case address := <-ready:
		s.url = "http://" + address
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		killNodes(t, s.data)
	})
	if s.db, err = catalog.Open(t.Context(), catalog.File(filepath.Join(s.data, catalogFile)), s.clock, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	return s
}

// fingerprint digests every key of a node.
func (s *served) fingerprint(t *testing.T, cluster, node string) string {
	t.Helper()
	row, err := s.db.Clusters.Get(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range row.Nodes {
		if n.Name == node {
			return testkit.Fingerprint(t, client(t, row, n))
		}
	}
	t.Fatalf("cluster %s has no node %s", cluster, node)
	return ""
}

// TestBrowserTour goes the way of an administrator through a real browser: sign in, create a cluster with a schedule, snapshot it by hand,
// restore two copies and compare every key; then the clock moves, the automatic snapshot appears, and retention takes it away.
func TestBrowserTour(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)

	b.open("/snapshots")
	b.await("the sign-in page", `location.pathname === '/sign-in'`)
	b.inspect("sign-in", "/sign-in")
	b.open("/snapshots")
	b.fill("user", "admin")
	b.fill("password", adminPassword)
	b.submit("/snapshots") // where the person wanted to go
	for _, page := range [][2]string{{"overview-empty", "/"}, {"clusters-empty", "/clusters"}, {"snapshots-empty", "/snapshots"}, {"events-empty", "/events"}} {
		b.inspect(page[0], page[1])
	}

	b.open("/clusters/-/new")
	b.fill("id", "Orders")
	b.fill("retention", "99")
	b.fill("window_preference", "given")
	b.fill("window_length", "30")
	b.submit("/clusters/-/new")
	b.awaitText("at least 60 minutes")
	b.awaitText("between 1 and 35 days")
	b.open("/clusters/-/new")
	b.fill("id", "Orders")
	b.fill("description", "Orders of the shop")
	b.fill("engine", engineValue())
	b.fill("node_type", "cache.t4g.micro")
	b.fill("replicas", "1")
	b.fill("auth", "generated")
	b.fill("backups", "on")
	b.fill("retention", "1")
	b.fill("window_preference", "given")
	b.fill("window_start", "23:30")
	b.fill("window_length", "60")
	b.submit("/clusters/orders")
	b.awaitText("Succeeded") // without a reload

	orders, err := s.db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	primary, _ := orders.Shards()[0].Primary()
	testkit.Fill(t, client(t, orders, primary), 2000)
	want := s.fingerprint(t, "orders", "orders-001")

	b.open("/clusters/orders/snapshot")
	b.fill("name", "before-the-release")
	b.submit("/clusters/orders")
	b.awaitText("from replica orders-002") // in the sentence about the last snapshot, without a reload
	b.await("no announcement of what has ended", `!document.querySelector('.flash')`)
	b.open("/snapshots/before-the-release")
	b.awaitText("Available")
	b.open("/snapshots?source=manual")
	b.awaitText("before-the-release")

	b.open("/snapshots/before-the-release/restore")
	b.fill("id", "orders-copy")
	b.fill("copies", "2")
	b.fill("replicas", "0")
	b.submit("/clusters")
	for _, name := range []string{"orders-copy-1", "orders-copy-2"} {
		testkit.WaitFor(t, "cluster "+name, func() bool {
			cluster, err := s.db.Clusters.Get(t.Context(), name)
			return err == nil && cluster.Status == models.ClusterAvailable
		})
		if got := s.fingerprint(t, name, name+"-001"); got != want {
			t.Errorf("%s differs from its source", name)
		}
	}
	// A copy that stays, an export, and the exported file back in by upload.
	b.open("/snapshots/before-the-release/copy")
	b.fill("name", "kept")
	b.submit("/snapshots/kept")
	b.awaitText("Available")
	out := t.TempDir()
	b.open("/snapshots/before-the-release/export")
	b.fill("store", "nowhere")
	b.submit("/snapshots/before-the-release/export")
	b.awaitText("It must look like s3://bucket/prefix or dir:/folder.")
	b.fill("store", "dir:"+out)
	b.submit("/snapshots/before-the-release")
	b.awaitText("Succeeded")
	b.open("/snapshots/-/import?from=upload")
	b.fill("cluster", "elsewhere")
	b.fill("name", "back")
	b.do("choose the file", chromedp.SetUploadFiles(`#f-file`, []string{filepath.Join(out, "before-the-release-0001.rdb")}))
	b.submit("/snapshots/back")
	b.awaitText("Imported from before-the-release-0001.rdb")
	s.clock.Advance(2 * time.Minute) // what has ended is no longer shown on top
	for _, page := range [][2]string{
		{"overview", "/"}, {"clusters", "/clusters"}, {"cluster-new", "/clusters/-/new"}, {"cluster", "/clusters/orders"}, {"cluster-snapshots", "/clusters/orders?tab=snapshots"},
		{"cluster-events", "/clusters/orders?tab=events"}, {"cluster-connect", "/clusters/orders?tab=connect"}, {"cluster-modify", "/clusters/orders/modify"},
		{"cluster-delete", "/clusters/orders/delete"}, {"take-snapshot", "/clusters/orders/snapshot"}, {"take-snapshot-primary", "/clusters/orders-copy-1/snapshot"},
		{"snapshots", "/snapshots"}, {"snapshot", "/snapshots/before-the-release"}, {"restore", "/snapshots/before-the-release/restore"},
		{"snapshot-delete", "/snapshots/before-the-release/delete"}, {"snapshot-copy", "/snapshots/before-the-release/copy"}, {"snapshot-export", "/snapshots/before-the-release/export"},
		{"import", "/snapshots/-/import"}, {"import-upload", "/snapshots/-/import?from=upload"}, {"copy", "/snapshots/kept"}, {"imported", "/snapshots/back"},
		{"activity", "/runs"}, {"run", "/runs/1"}, {"events", "/events"}, {"settings", "/settings/storage"}, {"settings-verify", "/settings/verify"}, {"settings-account", "/settings/account"}, {"settings-sessions", "/settings/sessions"}, {"settings-display", "/settings/display"},
		{"cluster-reboot", "/clusters/orders/reboot"}, {"cluster-failover", "/clusters/orders/failover"},
		{"clusters-delete", "/clusters/-/delete?all=on"}, {"clusters-snapshot", "/clusters/-/snapshot?all=on"},
		{"not-found", "/clusters/nobody"},
	} {
		b.inspect(page[0], page[1])
	}
	b.inspectAfter("cluster-new-wrong", func() {
		b.open("/clusters/-/new")
		b.fill("id", "or--ders")
		b.fill("retention", "99")
		b.fill("replicas", "many")
		b.submit("/clusters/-/new")
		b.awaitText("3 fields need another look")
	})
	b.open("/settings/access-keys")
	b.fill("description", "For the browser test")
	b.submit("/settings/access-keys")
	b.awaitText("For the browser test")
	b.inspect("access-keys", "/settings/access-keys")
	s.measure(b)
	s.commandsFollow(b)
	s.inspectRunning(b)
	s.inspectConsoles(b)
	s.inspectDamage(b)

	// The clock moves to the next window, twice: the automatic snapshot appears, and a day later it has outlived its retention.
	automatic := func() []models.Snapshot {
		rows, err := s.db.Snapshots.List(t.Context(), models.List{Equal: map[string]string{"cluster": "orders", "source": models.SourceAutomatic, "status": "available"}})
		if err != nil {
			t.Fatal(err)
		}
		return rows.Rows
	}
	s.moveUntil(t, "the first automatic snapshot", func() bool { return len(automatic()) == 1 })
	first := automatic()[0].Name
	b.openAgain("/snapshots?source=automatic")
	b.awaitText(first)
	s.moveUntil(t, "the second one, and retention to take the first away", func() bool {
		names := automatic()
		return len(names) > 0 && !slices.ContainsFunc(names, func(s models.Snapshot) bool { return s.Name == first })
	})
	b.openAgain("/snapshots")
	b.awaitText("before-the-release")
	if text, _ := chromedp.Run(b.ctx, chromedp.Text("main")); strings.Contains(text, first+"\n") {
		t.Errorf("the page still lists %s", first)
	}

	b.open("/clusters/orders/delete")
	b.fill("confirm", "something else")
	b.submit("/clusters/orders/delete")
	b.await("the mistake at its field", `document.querySelector('#e-confirm')`)
	b.fill("confirm", "orders")
	b.submit("/clusters")
	testkit.WaitFor(t, "the cluster to be gone", func() bool {
		_, err := s.db.Clusters.Get(t.Context(), "orders")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if kept, err := s.db.Snapshots.Get(t.Context(), "before-the-release"); err != nil || kept.Status != models.SnapshotAvailable {
		t.Errorf("the manual snapshot is %s (%v), want it kept", kept.Status, err)
	}
}

// measure checks what no rule of accessibility covers and was wrong once.
func (s *served) measure(b *tab) {
	b.t.Helper()
	b.open("/snapshots")
	b.await("each date on one line", `[...document.querySelectorAll('tbody time')].every(t => t.getClientRects().length === 1)`)
	b.do("narrow", chromedp.EmulateViewport(400, 1000))
	b.open("/clusters/-/new")
	b.await("room between a field's help and the next field's label",
		`document.querySelector('label[for=f-port]').getBoundingClientRect().top - document.querySelector('#h-auth').getBoundingClientRect().bottom >= 12`)
	b.do("back to wide", chromedp.EmulateViewport(1440, 1000))
}

// commandsFollow checks that the equivalent commands follow what is filled in.
func (s *served) commandsFollow(b *tab) {
	b.t.Helper()
	b.open("/clusters/orders/snapshot")
	b.fill("name", "typed-name")
	b.await("the command to follow the name", `document.querySelector('#equivalent code')?.textContent.includes('--snapshot-name typed-name')`)
	b.open("/clusters/orders/delete")
	b.fill("final", "on")
	b.fill("final_name", "typed-final")
	b.await("the command to follow the box", `document.querySelector('#equivalent code')?.textContent.includes('--final-snapshot-identifier typed-final')`)
	b.open("/clusters")
	b.do("tick two clusters", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('tbody input[data-select]').forEach((box, i) => { if (i < 2) box.click(); })`))
	b.await("the number of chosen ones", `document.querySelector('[data-selected]').textContent === '2 selected'`)
	b.do("ask for their deletion", chromedp.Evaluate[chromedp.Void](`document.querySelector('.selection button.danger').click()`))
	b.awaitText("delete 2 clusters")
}

// inspectRunning looks at pages while a snapshot is under way, whose node takes its time over every key, and then cancels it.
func (s *served) inspectRunning(b *tab) {
	b.t.Helper()
	ctx := b.t.Context()
	cluster, err := s.db.Clusters.Get(ctx, "orders-copy-1")
	if err != nil {
		b.t.Fatal(err)
	}
	primary, _ := cluster.Shards()[0].Primary()
	node := client(b.t, cluster, primary)
	pace := func(microseconds string) {
		if err := node.ConfigSet(ctx, "rdb-key-save-delay", microseconds).Err(); err != nil {
			b.t.Fatal(err)
		}
	}
	pace("50000")
	defer pace("0")
	run, err := s.db.Snapshots.Request(ctx, "orders-copy-1", "held", false, "admin")
	if err != nil {
		b.t.Fatal(err)
	}
	await := func(what string, is func(models.Run) bool) {
		testkit.WaitFor(b.t, what, func() bool {
			now, err := s.db.Runs.Get(ctx, run.ID)
			return err == nil && is(now)
		})
	}
	await("the node to send", func(r models.Run) bool { return strings.HasPrefix(r.Stage, "Reading from primary orders-copy-1-001") })
	for _, page := range [][2]string{{"running-overview", "/"}, {"running-cluster", "/clusters/orders-copy-1"}, {"running-snapshot", "/snapshots/held"}, {"running-activity", "/runs"}} {
		b.inspect(page[0], page[1])
	}
	b.open("/snapshots/held")
	if err := s.db.Runs.Cancel(ctx, run.ID); err != nil {
		b.t.Fatal(err)
	}
	b.await("its end to be said", `document.getElementById('said').textContent.includes('held of orders-copy-1: it was cancelled.')`)
	await("it to be cancelled", func(r models.Run) bool { return r.Status == models.RunCancelled })
	b.inspect("cancelled", "/snapshots/held")
}

// inspectConsoles looks at the settings while another console shares the catalog.
func (s *served) inspectConsoles(b *tab) {
	b.t.Helper()
	other, err := s.db.Owners.Enroll(b.t.Context(), "another data folder", time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	b.open("/settings/catalog")
	b.awaitText("Console on")
	b.inspect("settings-consoles", "/settings/catalog")
	if err := s.db.Owners.Leave(b.t.Context(), other.ID); err != nil {
		b.t.Fatal(err)
	}
}

// inspectDamage spoils a snapshot in the store, restores it, and looks at what became of both.
func (s *served) inspectDamage(b *tab) {
	b.t.Helper()
	parts, err := filepath.Glob(filepath.Join(s.data, "snapshots", "*", "kept", "part-*"))
	if err != nil || len(parts) != 1 {
		b.t.Fatalf("the parts of the snapshot kept are %v, %v", parts, err)
	}
	whole, err := os.ReadFile(parts[0])
	if err != nil {
		b.t.Fatal(err)
	}
	whole[len(whole)/2] ^= 0xff
	if err := os.Remove(parts[0]); err != nil { // which may be the same file as another's
		b.t.Fatal(err)
	}
	if err := os.WriteFile(parts[0], whole, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.open("/snapshots/kept/restore")
	b.fill("id", "unlucky")
	b.submit("/clusters/unlucky")
	b.awaitText("Its nodes are gone")
	b.inspect("restore-failed", "/clusters/unlucky")
	b.inspect("overview-restore-failed", "/")
	b.inspect("damaged", "/snapshots/kept")
}

// moveUntil moves the clock on, ten minutes at a time, until something is the case. It gives the console's ticks a few looks at each step,
// so that they see every window.
func (s *served) moveUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for steps := 0; !done(); steps++ {
		if steps > 6*48 {
			t.Fatalf("two days passed without %s", what)
		}
		quiet, over := 0, false
		testkit.WaitFor(t, what, func() bool {
			if over = done(); over {
				return true
			}
			if runs, err := s.db.Runs.Active(t.Context()); err != nil || len(runs) > 0 {
				quiet = 0
			} else {
				quiet++
			}
			return quiet > 5
		})
		if over {
			return
		}
		s.clock.Advance(10 * time.Minute)
	}
}
