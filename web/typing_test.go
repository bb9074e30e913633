package web

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rekindle/internal/testkit"
)

// In a real browser: typing is completed from all clusters, and the page follows the chosen one.
func TestWhatIsTypedIsCompletedInABrowser(t *testing.T) {
	t.Parallel()
	c := sampled(t, newConsole(t), maxChoices+30, 1)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil { // it lives as long as this context
		t.Fatalf("start the browser (make setup-test installs it): %v", err)
	}
	ask := func(script string) (string, error) {
		ctx, cancel := context.WithTimeout(browser, time.Minute)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Evaluate[string](script))
	}
	try := func(steps ...chromedp.Action[chromedp.Void]) error {
		ctx, cancel := context.WithTimeout(browser, 30*time.Second)
		defer cancel()
		return chromedp.Do(ctx, steps...)
	}
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		c.check(try(steps...))
	}
	says := func(what, script, want string) {
		t.Helper()
		got := ""
		defer func() {
			if t.Failed() {
				t.Logf("%s: %q, want %q", what, got, want)
			}
		}()
		testkit.WaitFor(t, what, func() bool {
			var err error
			got, err = ask(script)
			return err == nil && got == want
		})
	}
	do(chromedp.Navigate(c.server.URL+"/sign-in"), chromedp.WaitReady(".door"), chromedp.SendKeys("[name=user]", "admin"), chromedp.SendKeys("[name=password]", adminPassword),
		chromedp.Click(".door button[type=submit]"))
	says("the page behind the door, all of it", `[location.pathname, document.readyState].join(' ')`, "/ complete")
	// On a busy machine the driver sometimes misses the end of a navigation and waits for it: then it is told once more, and its state is logged.
	open := func(path, field, typed string) {
		t.Helper()
		for attempt := 1; ; attempt++ {
			err := try(chromedp.Navigate(c.server.URL+path), chromedp.WaitReady("main"), chromedp.SendKeys(field, typed))
			if err == nil {
				return
			}
			shown, _ := ask(`location.href + ' says: ' + document.body.innerText.slice(0, 1000)`)
			t.Logf("open %s: %v; %s", path, err, shown)
			if attempt == 3 {
				c.check(err)
			}
		}
	}
	for _, page := range []struct{ path, field, list string }{
		{"/snapshots", "main [name=cluster]", "filter-names"}, {"/snapshots/-/import", "#f-cluster", "clusters"}, {"/snapshots/-/new", "#f-cluster", "cluster-names"},
	} {
		open(page.path, page.field, "0012")
		says("the names that complete what is typed on "+page.path, fmt.Sprintf(`[...document.querySelectorAll('#%s option')].map(o => o.value).join(' ')`, page.list),
			"shop-00012 shop-00120 shop-00121 shop-00122 shop-00123 shop-00124 shop-00125 shop-00126 shop-00127 shop-00128 shop-00129")
		says("the field that has the focus, and what is typed in it", `document.activeElement.name + '=' + document.activeElement.value`, "cluster=0012")
	}
	do(chromedp.Evaluate[chromedp.Void](`(() => { const f = document.querySelector('#f-cluster'); f.value = 'shop-00042'; f.dispatchEvent(new Event('change', {bubbles: true})) })()`))
	says("the name that is proposed for its snapshot", `document.querySelector('#f-name').value`, "shop-00042-2026-11-22-12-00-00")
}
