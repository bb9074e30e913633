package web

import (
	"fmt"
	"net/http"
	"testing"

	"rekindle/models"
)

func TestKeysAreBroughtBackAfterTheyWereRehearsed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	c.get("/snapshots/good").says(`href="/snapshots/good/keys"`, "Bring keys back")
	c.get("/snapshots").says(`href="/snapshots/good/keys"`)
	c.get("/snapshots/good/keys").is(http.StatusOK).says("Names of keys", "Or a pattern", `<option value="orders" selected`, "Leave them as they are", `value="skip" checked`, "Rehearse")
	c.get("/snapshots/none/keys").is(http.StatusNotFound)

	ask := func(pairs ...string) answer { return c.post("/snapshots/good/keys", pairs...) }
	ask("cluster", "orders", "existing", "skip").is(http.StatusUnprocessableEntity).hasErrorAt("names")
	ask("names", "a\nb", "as", "c", "cluster", "orders", "existing", "replace").is(http.StatusUnprocessableEntity).says("Another name can be given to one key only.", ">a\nb</textarea>", `value="replace" checked`).hasErrorAt("as")
	ask("names", "a", "database", "x", "cluster", "none", "existing", "skip").is(http.StatusUnprocessableEntity).says("There is no cluster none.", "Enter the number of a database").hasErrorAt("database")
	ask("names", "a", "cluster", "orders").is(http.StatusUnprocessableEntity).says("Choose what becomes of keys that the cluster has.")
	ask("names", " a \r\n\r\n<b>\r\n", "database", "0", "cluster", "orders", "existing", "replace", "prefix", "x:").redirects("/runs/3")
	run := c.claim()
	spec, err := c.db.BringBacks.Spec(t.Context(), run)
	c.check(err)
	if names := fmt.Sprintf("%q", spec.Choice.Names); names != `[" a " "<b>"]` || !spec.Rehearse || !spec.Replace || spec.Choice.Database != 0 || string(spec.Choice.Prefix) != "x:" {
		t.Errorf("it is asked for %+v, %s", spec, names)
	}
	page := fmt.Sprintf("/runs/%d", run.ID)
	c.get(page + "/bring-back").is(http.StatusConflict)
	outcome := models.Brought{Chosen: 2, Added: 1, Replaced: 1, Alike: 1, Keys: []models.BroughtKey{{Name: []byte("x:<b>\u202e"), Length: 99, Type: "hash", Fate: "new"}, {Name: []byte("x: a "), Length: 5, Type: "set", Fate: "replaced", Alike: true}}}
	c.check(c.db.BringBacks.Settle(t.Context(), run, outcome, ""))
	c.get(page).says("What would happen", "nothing was written", `"x:<b>\xe2\x80\xae"`, "the beginning of 99 bytes", "Would be replaced, and is the same", `href="`+page+`/bring-back"`, "/snapshots/good/keys?run=")
	c.get("/snapshots/good/keys?run="+fmt.Sprint(run.ID)).says("<b></textarea>", `value="x:"`, `value="replace" checked`)
	c.get("/snapshots/good/keys?run=1").is(http.StatusNotFound)
	c.get(page+"/bring-back").is(http.StatusOK).says("Bring them back", "Take a snapshot of the cluster first", "orders-before-bring-back-", "To confirm, type")

	c.check(c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	c.get(page).says("name hidden").doesNotSay(`\xe2\x80\xae`, "<b></textarea>")
	c.get("/snapshots/good/keys?run="+fmt.Sprint(run.ID)).doesNotSay(`\xe2\x80\xae`, "<b></textarea>")

	c.post(page+"/bring-back", "confirm", "good").is(http.StatusUnprocessableEntity).says("Type the name orders to confirm").hasErrorAt("confirm")
	c.post(page+"/bring-back", "confirm", "orders", "safety", "on", "safety_name", "").is(http.StatusUnprocessableEntity).hasErrorAt("safety_name")
	c.post(page+"/bring-back", "confirm", "orders", "safety", "on", "safety_name", "good").is(http.StatusUnprocessableEntity).hasErrorAt("safety_name")
	c.post(page+"/bring-back", "confirm", "orders").redirects("/runs/4")
	c.get(page + "/bring-back").says("The cluster orders is modifying")
	begun := c.claim()
	if again, err := c.db.BringBacks.Spec(t.Context(), begun); err != nil || again.Rehearse || !again.Replace || len(again.Choice.Names) != 2 {
		t.Errorf("what was rehearsed is begun as %+v, %v", again, err)
	}
	c.check(c.db.Settle.Fail(t.Context(), begun, models.RunFailed, "It broke."))
	c.get("/runs/4").says("It broke.", "/snapshots/good/keys?run=4", "Try again")
}

func TestNamesThatAreNoTextAreTypedAsTheyAreShown(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	c.post("/snapshots/good/keys", "names", "\"\\xff\\x00\"\r\n\"\\\"\"\r\n\"open\r\n\"\\xff\\x00\"", "prefix", `"\x01:"`, "cluster", "orders", "existing", "skip").redirects("/runs/3")
	run := c.claim()
	spec, err := c.db.BringBacks.Spec(t.Context(), run)
	c.check(err)
	if names := fmt.Sprintf("%q", spec.Choice.Names); names != `["\xff\x00" "\"" "\"open"]` || string(spec.Choice.Prefix) != "\x01:" {
		t.Errorf("it is asked for %s, in front %q", names, spec.Choice.Prefix)
	}
	c.get("/snapshots/good/keys?run="+fmt.Sprint(run.ID)).says(`"\xff\x00"`, `"\x01:"`, "\"open</textarea>")
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
	c.post("/find", "cluster", "orders", "sought", `"\xffa*"`, "match", "pattern").redirects("/find/4")
	if search, _, err := c.db.Finds.Get(t.Context(), 4); err != nil || string(search.Sought) != "\xffa*" {
		t.Errorf("%q is looked for: %v", search.Sought, err)
	}
	c.get("/find/4").says(`"\xffa*"`)
}
