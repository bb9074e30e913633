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
		p.XAdd(t.Context(), &redis.XAddArgs{Stream: "mail:\xff", ID: "1-1", Values: []string{"to", "ann"}})
		p.XAdd(t.Context(), &redis.XAddArgs{Stream: "mail:\xff", ID: "2-1", Values: []string{"to", "bob", "attached", "\x00\xff"}})
		p.XGroupCreate(t.Context(), "mail:\xff", "senders", "0")
		p.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "senders", Consumer: "worker-1", Streams: []string{"mail:\xff", ">"}, Count: 1, Block: -1})
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
	compareKey(b, app, found)

	b.open("/find?cluster=shop&snapshot=thursday")
	b.fill("sought", "*")
	b.fill("match", "pattern")
	b.click(`main form.panel button[type=submit]`, "131 keys found.")
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

// compareKey compares the key that was found with what the cluster has now, and leads to the form that brings it back. A stream under a name that is no text is shown with its groups.
func compareKey(b *tab, app *redis.Client, found string) {
	t := b.t
	t.Helper()
	compare := func() {
		b.open(found)
		b.click(`button[aria-label="Compare with now the value in wednesday"]`, "A key then and now")
	}
	compare()
	b.awaitText("The key is not there now.")
	b.inspectAfter("key-gone", compare)
	fine(t, app.HSet(t.Context(), "cart:7", "apples", "8", "pears", "\x00\xff", "note", strings.Repeat("long ", 70)).Err())
	compare()
	for _, text := range []string{"The value has changed.", "1 changed, 1 added, 1 the same", "Then it had an expiry", "it was not there then"} {
		b.awaitText(text)
	}
	b.inspectAfter("key-compared", compare)
	compare()
	b.click(`main a.button.primary[href*="/snapshots/wednesday/keys?found="]`, "Bring back keys of wednesday")
	b.await("the name in the form", `document.querySelector("#f-names").value === "cart:7"`)

	b.open("/find?cluster=shop&snapshot=wednesday")
	b.fill("sought", `"mail:\xff"`)
	b.click(`main form.panel button[type=submit]`, "Found 1 time.")
	stream := b.path()
	show := func(button, says string) func() {
		return func() {
			b.open(stream)
			b.click(`button[aria-label^="`+button+`"]`, says)
		}
	}
	shown := show("Show the value", "Consumer groups")
	shown()
	b.awaitText("worker-1: 1")
	b.inspectAfter("found-stream", shown)
	fine(t, app.XAck(t.Context(), "mail:\xff", "senders", "1-1").Err())
	fine(t, app.XAdd(t.Context(), &redis.XAddArgs{Stream: "mail:\xff", ID: "3-1", Values: []string{"to", "cid"}}).Err())
	compared := show("Compare with now", "A key then and now")
	compared()
	b.awaitText("last delivered")
	b.inspectAfter("stream-compared", compared)
}
