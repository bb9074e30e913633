package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// begun is a search that has begun; the newest of its snapshots comes first.
func (c *console) searching() models.Run {
	c.t.Helper()
	run := c.claim()
	_, err := c.db.Finds.Begin(c.t.Context(), run)
	c.check(err)
	return run
}

func (c *console) found(run models.Run, place int, done int, keys ...models.FoundKey) {
	c.t.Helper()
	c.check(c.db.Finds.Note(c.t.Context(), run, 1000, models.FindProgress{Place: place, Matches: int64(len(keys)), Keys: keys, Done: done}))
}

func TestAKeyIsLookedForByAForm(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/find").says("Find a key", "What was looked for in the last 7 days is listed here.")
	c.post("/find", "cluster", "", "sought", "").is(http.StatusUnprocessableEntity).says("Enter the name of a key.", "Choose a cluster or a snapshot.")
	c.post("/find", "cluster", "orders", "sought", "cart:1").is(http.StatusUnprocessableEntity).says("There is no snapshot of orders", `value="cart:1"`)
	c.post("/find", "cluster", "orders", "snapshot", "gone", "sought", "cart:1").is(http.StatusUnprocessableEntity).says("There is no snapshot gone.", `value="gone"`)
	c.backUp("orders", "s1")
	c.get("/find").says(`<option value="orders"`)
	c.get("/snapshots/s1").says("/find?cluster=orders&snapshot=s1")
	c.get("/clusters/orders").says("/find?cluster=orders")
	c.get("/find?cluster=orders&snapshot=s1").says(`value="s1"`)
	c.get("/search?q=find+key").says(`href="/find"`)
	c.post("/find", "cluster", "orders", "sought", "<b>cart</b>\u202e").redirects("/find/3")
	page := c.get("/find/3").says("A key by its name", "In all snapshots of orders", "Find a key in all snapshots of orders", "Waiting for its turn")
	if strings.Contains(page.raw, "<b>cart") || strings.Contains(page.raw, "\u202e") {
		t.Error("a name is believed")
	}
	c.get("/find").says(`href="/find/3"`, "Find a key in all snapshots of orders")
	for _, address := range []string{"/runs", "/runs/3", "/events"} {
		c.get(address).doesNotSay("cart")
	}
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The store was away."))
	c.get("/find/3").says("The search did not go to its end", "The store was away.")
	c.get("/find/1").is(http.StatusNotFound).says("no longer kept")
}

func TestWhatWasFoundIsShownForEachSnapshot(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for _, name := range []string{"s1", "s2", "s3", "s4"} {
		c.backUp("orders", name)
		c.clock.Advance(time.Hour)
	}
	c.post("/find", "cluster", "orders", "sought", "cart:1").redirects("/find/6")
	run := c.searching()
	c.get("/find/6").says("not looked through yet")
	expires := c.clock.Now().Add(26 * time.Hour)
	key := models.FoundKey{Part: 1, Length: 6, Type: "hash", Encoding: "listpack", Bytes: 2048, Digest: "xxh128:01"}
	changed := key
	changed.Digest, changed.ExpiresAt = "xxh128:02", &expires
	c.found(run, 0, 1)
	c.found(run, 1, 1, changed)
	c.found(run, 2, 1, key)
	c.found(run, 3, 1, key)
	c.check(c.db.Finds.Settle(t.Context(), run))
	page := c.get("/find/6").says("Found 3 times.", "listpack", "2 KB", "stored differently", "the same", "it is the oldest", "gone", "not there", "stays", "Show the value", `action="/find/6/keys/`)
	if n := strings.Count(page.body, "Show the value in"); n != 3 {
		t.Errorf("%d values can be shown", n)
	}

	c.jobs.change(func(a *answers) {
		a.value = models.FoundValue{Type: "hash", Size: 300, Cut: true, Engine: models.Engine{Name: "redis", Version: "7.0.15"}, Entries: []models.ValueEntry{
			{Label: "<i>field</i>", Value: "<b>apples</b>", Bytes: 13, Expires: &expires}, {Label: "raw", Value: "\x00\xffabc", Bytes: 9000}}}
	})
	keys, err := c.db.Finds.Keys(t.Context(), run.ID, 0, 9)
	c.check(err)
	value := fmt.Sprintf("/find/6/keys/%d", keys[0].ID)
	shown := c.post(value).is(http.StatusOK).says("The value of a key", "cart:1", "<b>apples</b>", "<i>field</i>", "00 ff 61 62 63", "binary, as a hex dump", "the beginning of 9,000 bytes", "300 entries", "There is more than is shown here.", "Redis 7.0.15")
	if strings.Contains(shown.raw, "<b>apples") || strings.Contains(shown.raw, "<i>field") {
		t.Error("a value is believed")
	}
	c.jobs.change(func(a *answers) { a.value = models.FoundValue{Type: "hash", Unknown: "The value belongs to a module."} })
	c.post(value).says("The value belongs to a module.")
	c.jobs.change(func(a *answers) {
		a.noValue = models.Refuse(models.CodeRunState, "", "Another value is being read right now.")
	})
	c.post(value).redirects("/find/6")
	c.get("/find/6").says("Another value is being read right now.")
	c.post("/find/6/keys/4711").is(http.StatusNotFound)
	c.post("/find/6/keys/x").is(http.StatusNotFound)
}

func TestKeysThatMatchAPatternAreListed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "s1")
	c.clock.Advance(time.Hour)
	c.backUp("orders", "s2")
	c.post("/find", "cluster", "orders", "sought", "cart:*", "match", "pattern").redirects("/find/4")
	run := c.searching()
	c.found(run, 0, 1, models.FoundKey{Name: []byte("cart:\xff"), Length: 6, Type: "string", Bytes: 5}, models.FoundKey{Name: []byte("cart:long"), Length: 300, Type: "set", Bytes: 5})
	c.found(run, 1, 1, models.FoundKey{Name: []byte("cart:old"), Length: 8, Type: "string", Bytes: 5})
	c.check(c.db.Finds.Settle(t.Context(), run))
	c.get("/find/4").says("Keys that match a pattern", "3 keys found.", `"cart:\xff"`, "cart:old", "cut: it has 300 bytes", "By snapshot", "/find/4?snapshot=s2")
	c.get("/find/4?snapshot=s1").says("cart:old").doesNotSay("cart:long")
	c.check(c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	c.get("/find/4").says("Names of keys are hidden", "By snapshot").doesNotSay("cart:old")
	c.get("/find").says("only the numbers are shown")
}
