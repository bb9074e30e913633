package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestEachPartOfTheSettingsIsAPageOfItsOwn(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/settings").redirects("/settings/storage")
	for _, part := range []string{"storage", "verify", "imports", "failover", "notifications", "catalog", "limits", "account", "sessions", "access-keys", "display"} {
		page := c.get("/settings/" + part).is(http.StatusOK)
		if n := strings.Count(page.raw, `aria-current="page"`); !strings.Contains(page.raw, `href="/settings/`+part+`" aria-current="page"`) || n != 4 { // the others are the navigation's, twice, and the breadcrumbs'
			t.Errorf("%s: the link to the page itself is not marked as such (%d marks)", part, n)
		}
		if strings.Contains(page.raw, "/settings#") {
			t.Errorf("%s: a link leads to an anchor", part)
		}
	}
}

// A mistake must be seen without scrolling: the page that comes back has only this form, and its list of mistakes has the focus.
func TestMistakesInTheSettingsHaveTheFocus(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for address, form := range map[string][]string{
		"/settings/limits":   {"manual_quota", "0", "price", "7.25", "currency", "EUR"},
		"/settings/verify":   {"verify_every", "weekly"},
		"/settings/failover": {"promote_after", "soon"},
		"/settings/account":  {"current", "wrong", "new", "0123456789", "repeat", "0123456789"},
		accessKeysPath:       {"role", "root", "description", "Terraform"},
		"/clusters/-/new":    {"id", "or--ders"},
		"/clusters/-/attach": {"id", "or--ders"},
	} {
		answer := c.post(address, form...).is(http.StatusUnprocessableEntity)
		if strings.Count(answer.raw, " autofocus") != 1 || !strings.Contains(answer.raw, `role="alert" tabindex="-1" autofocus`) {
			t.Errorf("%s: the mistakes do not have the focus", address)
		}
		if !strings.Contains(answer.raw, `aria-describedby="e-`) || !strings.Contains(answer.raw, `aria-invalid="true"`) {
			t.Errorf("%s: no field is tied to its mistake", address)
		}
		c.get(address).is(http.StatusOK) // the address bar has the page's own address
	}
	c.post("/settings/limits", "manual_quota", "0", "price", "7.25", "currency", "EUR").says(`value="7.25"`, `value="EUR"`)
	found := c.post("/clusters/-/attach", "action", "test")
	if !strings.Contains(found.raw, " autofocus") {
		t.Error("the mistakes that a test of the form finds do not have the focus")
	}
}

// Without the script, the colours are chosen where no half-filled form can be lost.
func TestColoursAreChosenInTheSettings(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	page := c.get("/settings/display").is(http.StatusOK).says("Time zone and colours")
	if !strings.Contains(page.raw, `value="system" checked`) || !strings.Contains(page.raw, `<form class="js-only" method="post" action="/theme" data-theme-switch>`) {
		t.Error("the choice is not there, or the switch at the top needs no script")
	}
	c.post("/theme", "theme", "dark", "next", "/settings/display").redirects("/settings/display")
	c.get("/settings/display").says(`data-theme="dark"`, `value="dark" checked`)
}
