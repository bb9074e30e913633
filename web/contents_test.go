package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// sampleContents is a snapshot with hostile names.
func sampleContents() models.Contents {
	amount := models.Amount{Keys: 1000, Bytes: 50_000}
	c := models.Contents{Keys: amount, Expires: 400, Named: true, Libraries: 1, Functions: []models.FunctionLibrary{{Engine: "LUA", Name: "totals"}},
		Types:     []models.Holding{{Type: "string", Amount: models.Amount{Keys: 750, Bytes: 40_000}, Expires: 400}, {Type: "hash", Amount: models.Amount{Keys: 250, Bytes: 10_000}}},
		Databases: []models.Holding{{Database: 0, Amount: amount}, {Database: models.OtherDatabases, Amount: models.Amount{}}},
		Encodings: []models.Holding{{Type: "string", Encoding: "lzf", Amount: amount}},
		Expiries:  []models.Expiry{{Keys: 3}, {AtMost: 10 * time.Minute, Keys: 7}, {AtMost: 365 * 24 * time.Hour, More: true, Keys: 390}},
		Unlisted:  models.Amount{Keys: 2, Bytes: 10}, Loaders: []models.Loader{{Engine: "redis", Loads: "7.0", Takes: "6.2"}, {Engine: "valkey"}}}
	for range 60 {
		c.Prefixes = append(c.Prefixes, models.Prefix{Name: models.KeyName{Text: "few:"}, Level: 1, Amount: models.Amount{Keys: 1, Bytes: 2}})
	}
	c.Prefixes[0] = models.Prefix{Name: models.KeyName{Text: "\u202e<b>user:"}, Level: 1, Amount: models.Amount{Keys: 700, Bytes: 100}, Over: models.Amount{Keys: 2, Bytes: 9}}
	c.Prefixes[1] = models.Prefix{Name: models.KeyName{Text: "large:"}, Level: 1, Amount: models.Amount{Keys: 5, Bytes: 40_000}}
	c.Biggest = []models.BigKey{{Name: models.KeyName{Text: "\xff\x00\"quoted\"", Length: 10}, Type: "string", Encoding: "raw", Bytes: 900},
		{Name: models.KeyName{Text: strings.Repeat("n", 256), Length: 3000}, Type: "hash", Encoding: "listpack", Bytes: 800}, {Name: models.KeyName{}, Type: "list", Bytes: 7}}
	return c
}

func TestContentsOfASnapshotAreShownWithoutBelievingNames(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.get("/snapshots/first").says("/snapshots/first/contents", "/snapshots/first/compare")
	c.jobs.change(func(a *answers) { a.contents = sampleContents() })
	page := c.get("/snapshots/first/contents").is(http.StatusOK)
	page.says("What is in the snapshot first", "1,000", "400 expire, 600 stay", "string", "80%", "all others", "string, lzf", "expired already", "up to 10 minutes", "more than a year",
		"totals (LUA)", `"\xe2\x80\xae<b>user:"`, "up to 2 more", "one in 1,024", "at most 2 keys", "Show 10 more prefixes", `"\xff\x00\"quoted\""`, "the beginning of 3,000 bytes", "(empty name)",
		"7.0 and later", "6.2 and later", "no version that is known here")
	if strings.Contains(page.raw, "\u202e") || strings.Contains(page.raw, "<b>user") {
		t.Error("a name is believed")
	}
	c.get("/snapshots/first/contents?all=on").doesNotSay("more prefixes")
	bySize := c.get("/snapshots/first/contents?order=size").raw
	if large, user := strings.Index(bySize, "large:"), strings.Index(bySize, "user:"); large < 0 || user < large {
		t.Errorf("ordered by size, large: is at %d and user: at %d", large, user)
	}
}

func TestContentsThatAreNotKnownSaySoAndWhatToDo(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.jobs.change(func(a *answers) {
		a.contents = models.Contents{Unknown: "It has not been written down yet.", Later: true}
	})
	c.get("/snapshots/first/contents").says("It has not been written down yet.", "Verify now", "/snapshots/first/verify")
	c.jobs.change(func(a *answers) {
		a.contents = models.Contents{Unknown: "The snapshot store does not answer at the moment."}
		a.growth = models.ContentsChange{Unknown: "first: it is not known."}
	})
	c.get("/snapshots/first/contents").says("does not answer").doesNotSay("Verify now")
	c.backUp("orders", "second")
	c.get("/snapshots/first/compare?with=second").says("first: it is not known.")
	c.jobs.change(func(a *answers) {
		a.contents = models.Contents{Keys: models.Amount{Keys: 3, Bytes: 9}, Biggest: []models.BigKey{{Name: models.KeyName{Hidden: true}, Type: "string", Bytes: 5}}}
	})
	c.get("/snapshots/first/contents").says("Names of keys are hidden", "name hidden").doesNotSay("Prefixes of key names")
	c.get("/snapshots/nothing/contents").is(http.StatusNotFound)
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "coming", false, "admin")
	c.check(err)
	c.get("/snapshots/coming/contents").is(http.StatusConflict).says("Its contents can be seen when it is available.")
	c.get("/snapshots/coming/compare").is(http.StatusConflict)
}

func TestTwoSnapshotsAreComparedFromTheOlderToTheNewer(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.get("/snapshots/first/compare").says("There is no other snapshot of this cluster yet.")
	c.clock.Advance(time.Hour)
	c.backUp("orders", "second")
	c.jobs.change(func(a *answers) {
		grown := func(before, after int64) models.Growth {
			return models.Growth{Before: models.Amount{Keys: before, Bytes: before * 1000}, After: models.Amount{Keys: after, Bytes: after * 1000}}
		}
		perhaps := grown(0, 4)
		perhaps.BeforeOver = models.Amount{Keys: 3, Bytes: 900}
		a.growth = models.ContentsChange{All: grown(10, 5), Named: true, Types: []models.TypeGrowth{{Type: "string", Growth: grown(10, 5)}}, Prefixes: []models.PrefixGrowth{
			{Name: models.KeyName{Text: "user:"}, Growth: grown(9, 2)}, {Name: models.KeyName{Text: "fresh\u202e:"}, Growth: perhaps, New: true}, {Name: models.KeyName{Text: "old:"}, Growth: grown(1, 0), Gone: true, Certain: true}}}
	})
	for from, with := range map[string]string{"first": "second", "second": "first"} {
		page := c.get("/snapshots/" + from + "/compare?with=" + with).is(http.StatusOK)
		page.says("−5", "from 10 to 5", "−7", `"fresh\xe2\x80\xae:"`, "perhaps: it may have been too rare before to be listed", "± 3", "old:")
		if first, second := strings.Index(page.raw, `/snapshots/first/contents"`), strings.Index(page.raw, `/snapshots/second/contents"`); first < 0 || second < first {
			t.Errorf("from %s: the older is at %d, the newer at %d", from, first, second)
		}
	}
	for with, why := range map[string]string{"nothing": "There is no snapshot", "first": "Choose another snapshot than this one."} {
		c.get("/snapshots/first/compare?with="+with).is(http.StatusUnprocessableEntity).says(why, `value="`+with+`"`)
	}
}

func TestReasonsAgainstARestoreNameNoKeyWhoseNameIsHidden(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "old", func(s *models.Snapshot) { s.RDBVersion, s.Parts[0].Kinds = 9, "0 24=topsecret,other" })
	form := with(good, "id", "copy", "copies", "1", "engine", "valkey/8.1.1")
	c.get("/snapshots/old/restore").says("for a reason in 0 24=topsecret")
	c.postForm("/snapshots/old/restore", form).is(http.StatusUnprocessableEntity).says("cannot load, for a reason in 0 24=topsecret")
	c.check(c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	c.get("/snapshots/old/restore").says("cannot load this snapshot, for a reason.").doesNotSay("topsecret")
	c.postForm("/snapshots/old/restore", form).is(http.StatusUnprocessableEntity).says("cannot load, for a reason. Choose").doesNotSay("topsecret")
	if kinds := (models.Snapshot{Parts: []models.Part{{Kinds: "0 24=a,b 245"}}}).WithoutKeyNames().Parts[0].Kinds; kinds != "0 24 245" {
		t.Errorf("left is %q", kinds)
	}
}

func TestNamesOfKeysAreHiddenUnderSettings(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	stands := func(want bool, says string) {
		t.Helper()
		page := c.get("/settings/key-names")
		page.says("Hide the names of keys", says)
		if ticked := strings.Contains(page.raw, `name="hide_key_names" value="on" checked`); ticked != want {
			t.Errorf("the box is ticked: %t", ticked)
		}
		if hide, err := c.db.Settings.HidesKeyNames(t.Context()); err != nil || hide != want {
			t.Errorf("%t, %v", hide, err)
		}
	}
	stands(false, "Key names")
	c.post("/settings/key-names", "hide_key_names", "on").redirects("/settings/key-names")
	stands(true, "The names of keys are hidden now.")
	c.post("/settings/key-names").redirects("/settings/key-names")
	stands(false, "are shown now")
}
