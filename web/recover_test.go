package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestAMomentIsAskedForAndQueued(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	page := "/clusters/orders/recover"
	c.get("/clusters/orders").says("Recover to a moment", `href="`+page+`"`)
	c.get("/clusters/nobody/recover").is(http.StatusNotFound)
	c.post("/clusters/nobody/recover").is(http.StatusNotFound)
	c.get(page).says("There is no second that orders can be brought back to yet.")
	c.backUp("orders", "s1")
	c.get(page).says("Moment (UTC)", `value="orders-recovered-`)
	moment := c.clock.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	typed := moment.Format(time.DateTime)
	c.get(page+"?moment="+moment.Format(time.RFC3339)+"&name=back&place=1:00000000000000aa:42").says(`value="`+typed+`"`, `value="back"`, `name="place" value="1:00000000000000aa:42"`,
		"rekindle recover orders ", "--to "+moment.Format(time.RFC3339), "--as back --wait")

	for what, test := range map[string]struct{ moment, name, place, says string }{
		"nothing":        {"", "", "", "Say to which moment"},
		"no moment":      {"yesterday", "back", "", "Write it like 2026-11-27 10:41:07"},
		"the future":     {c.clock.Now().Add(time.Hour).UTC().Format(time.DateTime), "back", "", "That moment is still to come"},
		"a bad name":     {typed, "9", "", "name"},
		"a taken name":   {typed, "s1", "", "There is already a snapshot s1."},
		"a damaged link": {typed, "back", "1:x", "The link to this page is damaged."},
	} {
		form := []string{"moment", test.moment, "name", test.name}
		if test.place != "" {
			form = append(form, "place", test.place)
		}
		answer := c.post(page, form...).is(http.StatusUnprocessableEntity)
		answer.says(test.says, `value="`+test.moment+`"`)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	c.post(page, "moment", typed, "name", "back").redirects("/snapshots/back")
	c.get("/snapshots/back").says("Recover orders to "+typed+" UTC as back", "Waiting for its turn")
	run := c.claim()
	args, err := models.Args[models.RecoverArgs](run)
	if err != nil || run.Kind != models.RunRecover || !args.Moment.Equal(moment) || args.Target != "back" || args.Base != "" {
		t.Errorf("%s %+v, %v", run.Kind, args, err)
	}
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The journal has a gap."))
	c.get("/snapshots/back").says("The journal has a gap.", "Try again", `href="`+page+`?moment=`+strings.ReplaceAll(strings.Replace(typed, " ", "+", 1), ":", "%3A")+`"`)
	c.get("/events?severity=error").says("The recovery of orders as the snapshot back failed. The journal has a gap.")
	c.get("/runs?kind=recover").says("Recover orders to "+typed+" UTC as back", `value="recover" selected`)

	c.post(page, "moment", typed, "name", "exact", "place", "1:00000000000000aa:42").redirects("/snapshots/exact")
	if args, err := models.Args[models.RecoverArgs](c.claim()); err != nil || len(args.Places) != 1 || args.Places[0] != (models.RecoverFrom{Shard: 1, Run: "00000000000000aa", Offset: 42}) {
		t.Errorf("%+v, %v", args, err)
	}
}
