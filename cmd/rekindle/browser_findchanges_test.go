package main

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
)

// journalOf makes a cluster whose journal is kept, and waits until it can be brought back to some second.
func (b *tab) journalOf(s *served, name string) *redis.Client {
	b.t.Helper()
	form := createForm(name, "1")
	form.Set("backups", "on")
	b.elsewhere("/clusters/-/new", form.Encode())
	b.open("/clusters/" + name)
	b.awaitText("Succeeded")
	b.open("/clusters/" + name + "/journal")
	b.fill("kept", "on")
	b.fill("days", "1")
	b.fill("promise", "2")
	b.submit("/clusters/" + name + "/journal")
	app := s.primaryOf(b.t, name)
	testkit.WaitFor(b.t, "the recovery window", func() bool {
		s.clock.Advance(2 * time.Second)
		must(app.Incr(b.t.Context(), "written").Result())(b.t)
		b.open("/clusters/" + name + "/journal")
		return b.shows("It can be brought back to any second")
	})
	return app
}

// A hash was deleted, and nobody knows when. The journal does, and leads to just before it.
func TestBrowserFindsWhenAKeyWasDeleted(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/")
	app := b.journalOf(s, "shop")
	ctx := t.Context()
	must(app.HSet(ctx, "cart:7", "apples", 3, "pears", 1).Result())(t)
	s.clock.Advance(20 * time.Second)
	must(app.HIncrBy(ctx, "cart:7", "apples", 1).Result())(t)
	must(app.ExpireAt(ctx, "cart:7", time.Unix(4102444800, 0)).Result())(t)
	must(app.Copy(ctx, "cart:7", "cart:8", 0, false).Result())(t)
	s.clock.Advance(20 * time.Second)
	must(app.Rename(ctx, "cart:8", "<b onclick=x>\u202e:").Result())(t)
	must(app.Del(ctx, "a", "b", "cart:7").Result())(t)
	s.clock.Advance(2 * time.Second)
	must(app.FlushAll(ctx).Result())(t)
	b.passes(s, "/clusters/shop/journal", "FLUSHALL: every key of every database was deleted")

	b.choose("Find a key in this time")
	b.arrives("/find")
	b.fill("sought", "cart:7")
	b.click(`main form.panel button[type=submit]`, "Deleted, expired or evicted")
	for _, text := range []string{"Changed", "Its expiry was set", "Copied to cart:8", "the key is its argument 3", "Deleted with every key of every database, if it was there", "In the journal of shop"} {
		b.awaitText(text)
	}
	found := b.path()
	b.inspect("found-changes", found)
	b.inspect("found-changes-page", found+"/changes")
	b.open("/find?cluster=shop&where=both")
	b.fill("sought", "cart:*")
	b.fill("match", "pattern")
	b.click(`main form.panel button[type=submit]`, "Overwritten by a copy of cart:7")
	b.awaitText("it names none")
	b.inspect("found-changes-pattern", b.path())
	b.inspectAfter("find-journal-wrong", func() {
		b.open("/find?cluster=shop&where=journal")
		b.fill("sought", "cart:7")
		b.fill("since", "yesterday")
		b.click(`main form.panel button[type=submit]`, "Write it like 2026-11-27 10:41:07")
	})
	b.open("/find?cluster=shop&where=journal")
	b.fill("sought", "absent")
	b.click(`main form.panel button[type=submit]`, "Deleted with every key of every database")
	b.open("/find?cluster=shop&where=journal")
	b.fill("sought", "absent")
	b.fill("until", "2026-01-01 00:00")
	b.click(`main form.panel button[type=submit]`, "The journal has no change of the key in that time.")
	b.inspect("found-no-changes", b.path())

	b.open(found)
	b.click(`a[aria-label^="Restore to just before DEL"]`, "Recover")
	b.arrives("/clusters/shop/recover")
	b.fill("name", "before-the-deletion")
	b.choose("Recover")
	b.arrives("/snapshots/before-the-deletion")
	b.await("that it is available", `document.querySelector('h1').textContent.includes('Available')`)
	b.open("/find?cluster=shop&snapshot=before-the-deletion")
	b.fill("sought", "cart:7")
	b.click(`main form.panel button[type=submit]`, "Found 1 time.")
}
