package web

import (
	"fmt"
	"net/http"
	"regexp"
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

// foundOnce is a search by name that has found one key in the only snapshot, s1; its run is 3.
func (c *console) foundOnce(sought string, key models.FoundKey) (page string) {
	c.t.Helper()
	c.launch("orders")
	c.backUp("orders", "s1")
	pairs := []string{"cluster", "orders", "sought", sought}
	if len(key.Name) > 0 {
		pairs = append(pairs, "match", "pattern")
	}
	c.post("/find", pairs...).redirects("/find/3")
	run := c.searching()
	c.found(run, 0, 1, key)
	c.check(c.db.Finds.Settle(c.t.Context(), run))
	keys, err := c.db.Finds.Keys(c.t.Context(), run.ID, 0, 0)
	c.check(err)
	return fmt.Sprintf("/find/3/keys/%d", keys[0].ID)
}

func TestAKeyIsShownThenAndNow(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	value := c.foundOnce(`"cart:\xff"`, models.FoundKey{Part: 1, Length: 6, Type: "hash", Bytes: 2048, Digest: "xxh128:01", Database: 2})
	expires := c.clock.Now().Add(26 * time.Hour)
	hash := func(size int64, entries ...models.ValueEntry) models.FoundValue {
		return models.FoundValue{Type: "hash", Size: size, Entries: entries}
	}
	field := func(name, text string) models.ValueEntry {
		return models.ValueEntry{Key: name, Label: name, Value: text, Bytes: int64(len(text)), Digest: text}
	}
	then := models.KeySide{There: true, FoundValue: hash(3, field("<i>a", "1"), field("b", "2"), field("c", "\x00"))}
	then.ExpiresAt = &expires
	now := models.KeySide{There: true, From: "orders-002", At: c.clock.Now(), FoundValue: hash(3, field("<i>a", "<b>9"), field("c", "\x00"), field("d", "4"))}
	compared := func(change func(*models.KeyComparison)) answer {
		t.Helper()
		k := models.KeyComparison{Then: then, Now: now}
		change(&k)
		k.Compare(nil, nil)
		c.jobs.change(func(a *answers) { a.compared = k })
		return c.post(value + "/now").is(http.StatusOK)
	}
	page := compared(func(*models.KeyComparison) {}).says("A key then and now", `"cart:\xff"`, "The value has changed. Then it had an expiry; now it has none.", "Then: s1", "Now: node orders-002",
		"1 changed, 1 added, 1 removed, 1 the same", "it was not there then", "it is not there now", "<b>9", "00000000", `href="/snapshots/s1/keys?found=3`, "26 h", "in database 2")
	if strings.Contains(page.raw, "<b>9") || strings.Contains(page.raw, "<i>a") || page.header.Get("Cache-Control") != "no-store" {
		t.Error("a value is believed, or kept")
	}
	compared(func(k *models.KeyComparison) { k.Now = k.Then; k.Primary = true }).says("The value is the same.", "from the primary, because no replica is in step", "When")
	compared(func(k *models.KeyComparison) { k.Now = k.Then; k.Then.Cut, k.Now.Cut = true, true }).says("What is shown of the value is the same. The rest was not compared.", "There is more than is shown here.")
	compared(func(k *models.KeyComparison) { k.Now = k.Then; k.Now.Size++; k.Now.Cut = true }).says("The value has changed, but not in what is shown of it.")
	compared(func(k *models.KeyComparison) { k.Now = models.KeySide{} }).says("The key is not there now.", "it is not there", "removed")
	compared(func(k *models.KeyComparison) { k.Now.Type = "list" }).says("it was a hash, and is a list")
	compared(func(k *models.KeyComparison) { k.NotRead, k.Now = "It needs +@read.", models.KeySide{} }).says("It needs +@read.", "not compared", "not known")
	compared(func(k *models.KeyComparison) { k.Now.Unknown = "These are too large." }).says("The values could not be compared.", "These are too large.")

	c.get("/find/3").says("Compare with now", value+"/now")
	c.get("/snapshots/s1/keys?found=3&key="+value[len("/find/3/keys/"):]).says(`"cart:\xff"</textarea>`, `value="2"`)
	c.get("/snapshots/s1/keys?found=3&key=4711").is(http.StatusNotFound)
	c.get("/snapshots/s1/keys?found=1&key=1").is(http.StatusNotFound)
	c.jobs.change(func(a *answers) {
		a.noValue = models.Refuse(models.CodeRunState, "", "Another value is being read right now.")
	})
	c.post(value + "/now").redirects("/find/3")
	c.post("/find/3/keys/4711/now").is(http.StatusNotFound)
	c.check(c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	for _, address := range []string{"/runs", "/runs/3", "/events"} {
		c.get(address).doesNotSay("cart:")
	}
}

func TestANameThatIsCutIsBroughtBackByAPattern(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	value := c.foundOnce("cart:*", models.FoundKey{Part: 1, Name: []byte("cart[1]*\xff"), Length: 300, Type: "hash"})
	c.get("/snapshots/s1/keys?found=3&key=" + value[len("/find/3/keys/"):]).says(`"cart\\[1]\\*\xff*"`)
}

func TestAStreamIsShownWithItsGroups(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	value := c.foundOnce("mail", models.FoundKey{Part: 1, Length: 4, Type: "stream"})
	group := models.StreamGroup{Name: "senders\xff", LastID: "7-1", Pending: 25, Consumers: 21, First: []models.StreamConsumer{{Name: "worker", Pending: 25}},
		Waiting: []models.StreamPending{{ID: "3-1", Consumer: "worker", Delivered: c.clock.Now(), Times: 4}}}
	stream := models.FoundValue{Type: "stream", Size: 1, LastID: "9-1", Groups: []models.StreamGroup{group}, MoreGroups: 2, Entries: []models.ValueEntry{{Key: "3-1", Label: "3-1", Value: "a: b"}}}
	c.jobs.change(func(a *answers) { a.value = stream })
	c.post(value).says("Consumer groups", `"senders\xff"`, "worker: 25", "and 20 more consumers, 24 more pending messages", "Delivered and not acknowledged", "And 2 more groups.", "9-1")
	c.jobs.change(func(a *answers) { a.value = models.FoundValue{Type: "stream"} })
	c.post(value).says("It has none.")
	then, now := models.KeySide{There: true, FoundValue: stream}, models.KeySide{There: true, FoundValue: stream}
	now.Groups = []models.StreamGroup{{Name: "other"}}
	now.MoreGroups, then.MoreGroups = 0, 0
	k := models.KeyComparison{Then: then, Now: now}
	k.Compare(nil, nil)
	c.jobs.change(func(a *answers) { a.compared = k })
	c.post(value+"/now").says("The value has changed.", "Consumer groups", "removed", "added", "25 pending messages, 21 consumers")
}

func TestOfEachKeyThatMatchesItIsSaidWhatHasChanged(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for _, name := range []string{"s1", "s2", "s3"} {
		c.backUp("orders", name)
		c.clock.Advance(time.Hour)
	}
	key := func(name, digest string) models.FoundKey {
		return models.FoundKey{Part: 1, Name: []byte(name), Length: len(name), Type: "string", Bytes: 5, Digest: digest}
	}
	c.post("/find", "cluster", "orders", "sought", "*", "match", "pattern").redirects("/find/5")
	run := c.searching()
	long := key("long", "d")
	long.Length = 300
	elsewhere := key("same", "d")
	elsewhere.Database = 3
	c.found(run, 0, 1, key("same", "d1"), key("differs", "d2"), key("fresh", "d3"), long, elsewhere)
	c.found(run, 1, 1, key("same", "d1"), key("differs", "d1"), key("lost", "d4"), long)
	c.check(c.db.Finds.Note(t.Context(), run, 10, models.FindProgress{Place: 2, Matches: 500, Keys: []models.FoundKey{key("lost", "d4")}, Done: 1})) // of which one is kept
	c.check(c.db.Finds.Settle(t.Context(), run))
	rows := func(snapshot string) string {
		_, table, _ := strings.Cut(c.get("/find/5?snapshot="+snapshot).body, "Since the one before</th>")
		return regexp.MustCompile(`<[^>]*>|\s+`).ReplaceAllString(table, " ")
	}
	for snapshot, want := range map[string][]string{
		"s3": {"same s3 .* the same ", "differs s3 .* stored differently ", "fresh s3 .* new ", "long cut: it has 300 bytes s3 .* not known ", "same s3 .* 3 string .* new "},
		"s2": {"same s2 .* not known ", "lost s2 .* the same gone in s3 ", "differs s2 .* not known "},
		"s1": {"lost s1 .* it is the oldest "},
	} {
		got := regexp.MustCompile(` +`).ReplaceAllString(rows(snapshot), " ")
		for _, row := range want {
			if !regexp.MustCompile(strings.ReplaceAll(row, ".*", "[^*]{0,80}?")).MatchString(got) {
				t.Errorf("in %s: %q is not among %s", snapshot, row, got)
			}
		}
	}
	c.get("/find/5").says("More keys match than are kept")
}
