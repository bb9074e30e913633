package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/redis/go-redis/v9"
)

// click clicks on something, and waits until the page that follows has a text.
func (b *tab) click(selector, text string) {
	b.t.Helper()
	b.do("click on "+selector, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).click()`, selector)))
	b.awaitText(text)
}

// TestBrowserLooksIntoSnapshots takes two snapshots of keys with hostile names, looks at what is in them, compares them, and hides the names.
func TestBrowserLooksIntoSnapshots(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.open("/clusters/-/new")
	b.fill("id", "shop")
	b.fill("engine", engineValue())
	b.fill("replicas", "0")
	b.fill("auth", "none")
	b.submit("/clusters/shop")
	b.awaitText("Succeeded")
	shop, err := s.db.Clusters.Get(t.Context(), "shop")
	fine(t, err)
	primary, _ := shop.Shards()[0].Primary()
	app := client(t, shop, primary)
	fill := func(prefix string, n int) {
		_, err := app.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := range n {
				p.Set(t.Context(), fmt.Sprint(prefix, i), strings.Repeat("v", i%90), time.Duration(i%2)*100*time.Hour)
				p.HSet(t.Context(), fmt.Sprint("cart:item:", i), "n", i)
			}
			return nil
		})
		fine(t, err)
	}
	fill("user:", 300)
	fill("<b onclick=x>\u202e:", 40)
	fine(t, app.Set(t.Context(), "\xff\x00binary "+strings.Repeat("long", 90), strings.Repeat("x", 9000), 0).Err())
	fine(t, app.FunctionLoad(t.Context(), "#!lua name=totals\nredis.register_function('total', function() return 1 end)").Err())
	take := func(name string) {
		b.open("/clusters/shop/snapshot")
		b.fill("name", name)
		b.submit("/clusters/shop")
		b.awaitText(name)
		b.open("/snapshots/" + name)
		b.awaitText("Available")
	}
	take("before")
	fill("order:", 120)
	fine(t, app.Del(t.Context(), "user:1").Err())
	s.clock.Advance(time.Minute)
	take("after")

	b.click(`a[href="/snapshots/after/contents"]`, "What is in the snapshot after")
	for _, text := range []string{"cart:item:", `<b onclick=x>\xe2\x80\xae:`, `\xff\x00binary`, "totals (LUA)", "Stored as", "up to 5 days", "and later"} {
		b.awaitText(text)
	}
	b.inspect("contents", "/snapshots/after/contents")
	b.click(`a[href="/snapshots/after/compare"]`, "What has changed")
	b.inspect("compare-choose", "/snapshots/after/compare")
	b.fill("with", "before")
	b.click("main form.panel button[type=submit]", "order:")
	b.inspect("compare", "/snapshots/after/compare?with=before")
	b.inspect("compare-wrong", "/snapshots/after/compare?with=nothing")

	b.open("/settings/key-names")
	b.fill("hide_key_names", "on")
	b.click("main form.panel button[type=submit]", "Hide the names")
	b.await("the names to be hidden", `document.body.innerText.includes('The names of keys are hidden now.')`)
	b.inspect("settings-key-names", "/settings/key-names")
	b.open("/snapshots/after/contents")
	b.awaitText("name hidden")
	b.await("no name of a key on the page", `!document.body.innerText.includes('cart:') && !document.body.innerText.includes('binary')`)
	b.inspect("contents-hidden", "/snapshots/after/contents")
}
