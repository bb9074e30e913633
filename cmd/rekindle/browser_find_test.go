package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/redis/go-redis/v9"
)

// path is the address of the page.
func (b *tab) path() string {
	b.t.Helper()
	path, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.pathname"))
	fine(b.t, err)
	return path
}

// TestBrowserFindsAKey looks for a key in all snapshots of a cluster, by its name and by a pattern, and has its values shown.
func TestBrowserFindsAKey(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.open("/find")
	b.inspect("find-empty", "/find")
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
	_, err = app.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range 130 {
			p.HSet(t.Context(), fmt.Sprint("cart:", i), "apples", i, "note", strings.Repeat("long ", 10*i))
		}
		p.Set(t.Context(), "<b onclick=x>\u202e:", "\x00\xff"+strings.Repeat("binary ", 900), 0)
		return nil
	})
	fine(t, err)
	take := func(name string) {
		b.open("/clusters/shop/snapshot")
		b.fill("name", name)
		b.submit("/clusters/shop")
		b.awaitText(name)
		b.open("/snapshots/" + name)
		b.awaitText("Available")
		s.clock.Advance(time.Hour)
	}
	take("monday")
	take("tuesday")
	fine(t, app.HSet(t.Context(), "cart:7", "apples", "none").Err())
	fine(t, app.Expire(t.Context(), "cart:7", 50*time.Hour).Err())
	take("wednesday")
	fine(t, app.Del(t.Context(), "cart:7").Err())
	take("thursday")

	b.open("/clusters/shop")
	b.click(`a[href="/find?cluster=shop"]`, "Its exact name, or a pattern")
	b.inspect("find", "/find?cluster=shop")
	b.fill("sought", "cart:7")
	b.click(`main form.panel button[type=submit]`, "Found 3 times.")
	for _, text := range []string{"gone", "stored differently", "the same", "it is the oldest", "not there"} {
		b.awaitText(text)
	}
	found := b.path()
	b.inspect("found", found)
	value := func() {
		b.open(found)
		b.click(`button[aria-label="Show the value in wednesday"]`, "As it is in the snapshot wednesday")
	}
	value()
	for _, text := range []string{"apples", "none", "2 entries"} {
		b.awaitText(text)
	}
	b.inspectAfter("found-value", value)

	b.open("/find?cluster=shop&snapshot=thursday")
	b.fill("sought", "*")
	b.fill("match", "pattern")
	b.click(`main form.panel button[type=submit]`, "130 keys found.")
	b.inspect("found-pattern", b.path())
	b.open("/find?cluster=shop")
	b.fill("sought", "cart:1*")
	b.fill("match", "pattern")
	b.click(`main form.panel button[type=submit]`, "keys found.")
	b.awaitText("By snapshot")
	b.inspect("found-pattern-all", b.path())
	b.open("/find")
	b.inspect("find-recent", "/find")
}
