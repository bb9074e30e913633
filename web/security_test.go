package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	addresses := []string{"/healthz", "/readyz", "/sign-in", "/static/app.css", "/nowhere", "/clusters/orders", "/clusters/orders/modify", "/clusters/orders/delete",
		"/clusters/orders/snapshot", "/clusters/nobody", "/snapshots/-/delete?name=first"}
	for _, one := range allRoutes(t, "user") {
		if one.method == http.MethodGet {
			addresses = append(addresses, one.address)
		}
	}
	for _, address := range addresses {
		for _, browser := range []*console{c, c.another()} {
			answer := browser.get(address)
			for name, want := range map[string]string{
				"Content-Security-Policy": contentSecurityPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
			} {
				if got := answer.header.Get(name); got != want {
					t.Errorf("%s: %s is %q", address, name, got)
				}
			}
			if answer.header.Get("X-Request-Id") == "" {
				t.Errorf("%s: no request id", address)
			}
			page := strings.HasPrefix(answer.header.Get("Content-Type"), "text/html")
			if page && (!slices.Contains(answer.header.Values("Vary"), "HX-Request") || answer.header.Get("Cache-Control") == "") {
				t.Errorf("%s: Vary %q, Cache-Control %q", address, answer.header.Get("Vary"), answer.header.Get("Cache-Control"))
			}
			for _, forbidden := range []string{" style=", "<style", " onclick=", "javascript:"} {
				if page && strings.Contains(answer.raw, forbidden) {
					t.Errorf("%s: the policy forbids %q", address, forbidden)
				}
			}
			if answer.status == http.StatusInternalServerError {
				t.Errorf("%s: %s", address, excerpt(answer.body))
			}
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	c := signedIn(t, func(c *Config) { c.PublicURL = "https://rekindle.example.org/"; c.SecureCookies = false })
	for name, one := range map[string]struct {
		header map[string]string
		status int
	}{
		"from another site":        {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		"from a sister's site":     {map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"with another origin":      {map[string]string{"Origin": "http://evil.example"}, http.StatusForbidden},
		"without an origin's name": {map[string]string{"Origin": "null"}, http.StatusForbidden},
		"from the public address":  {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://rekindle.example.org"}, http.StatusSeeOther},
		"from its own pages":       {map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusSeeOther},
		"from no browser":          {nil, http.StatusSeeOther},
	} {
		for _, address := range []string{"/theme", "/sign-in"} {
			r := c.request(http.MethodPost, address, strings.NewReader("user=admin&password="+adminPassword))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for key, value := range one.header {
				r.Header.Set(key, value)
			}
			answer := c.do(r)
			if answer.status != one.status {
				t.Errorf("%s, %s: status %d, want %d", name, address, answer.status, one.status)
			}
			if one.status == http.StatusForbidden {
				answer.says("This is not allowed")
			}
		}
	}
}

func TestASlashTooManyLeadsToThePage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/").redirects("/clusters")
	c.get("/clusters/orders/?tab=events").redirects("/clusters/orders?tab=events")
	c.get("/clusters/orders/modify/").redirects("/clusters/orders/modify")
	c.post("/clusters/orders/modify/").is(http.StatusNotFound)
	for _, address := range []string{"//evil.example/", "/%2fevil.example/", "/clusters/%2f%2fevil.example/"} {
		if answer := c.get(address); strings.HasPrefix(answer.header.Get("Location"), "//") {
			t.Errorf("%s leads to %s", address, answer.header.Get("Location"))
		}
	}
}

func TestWhatIsNotThereIsAPageInWords(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for address, text := range map[string]string{
		"/nowhere":                    "There is nothing here",
		"/nowhere/":                   "There is nothing here",
		"/clusters/nobody":            "There is no cluster nobody.",
		"/clusters/nobody/modify":     "There is no cluster nobody.",
		"/clusters/nobody/delete":     "There is no cluster nobody.",
		"/clusters/nobody/snapshot":   "There is no cluster nobody.",
		"/snapshots/none":             "There is no snapshot none.",
		"/snapshots/none/restore":     "There is no snapshot none.",
		"/snapshots/none/delete":      "There is no snapshot none.",
		"/snapshots/none/parts/1.rdb": "There is no snapshot none.",
		"/runs/77":                    "There is no run 77.",
		"/runs/x":                     `There is no run "x".`,
		"/runs/-1":                    `There is no run "-1".`,
		"/clusters/%3Cscript%3E":      "There is no cluster <script>.",
	} {
		answer := c.get(address).is(http.StatusNotFound).says(text, "Status 404", "Signed in as admin")
		if strings.Contains(answer.raw, "<script>.") {
			t.Errorf("%s: not escaped", address)
		}
	}
	for _, address := range []string{"/clusters/nobody/modify", "/clusters/nobody/delete", "/clusters/nobody/snapshot", "/snapshots/none/restore", "/snapshots/none/delete", "/runs/77/cancel",
		"/clusters/nobody/summary", "/snapshots/none/summary"} {
		c.post(address, "confirm", "nobody", "name", "x").is(http.StatusNotFound)
	}
	c.get("/a/../clusters").is(http.StatusTemporaryRedirect)
}

func TestAFollowingPageIsToldWhenItsSubjectIsGone(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	answer := c.htmx(http.MethodGet, "/clusters/gone", nil).is(http.StatusOK)
	if got := answer.header.Get("HX-Redirect"); got != "/clusters" {
		t.Errorf("HX-Redirect is %q", got)
	}
	c.get("/clusters").says("There is no cluster gone.")
}

func TestMethodsThatAnAddressDoesNotTakeAreRefusedInWords(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for one, allow := range map[route]string{
		{"DELETE", "/clusters"}:              "GET, HEAD",
		{"POST", "/clusters"}:                "GET, HEAD",
		{"PUT", "/sign-in"}:                  "GET, HEAD, POST",
		{"GET", "/sign-out"}:                 "POST",
		{"GET", "/runs/1/cancel"}:            "POST",
		{"POST", "/healthz"}:                 "GET, HEAD",
		{"GET", "/clusters/summary/summary"}: "POST",
	} {
		answer := c.do(c.request(one.method, one.address, nil)).is(http.StatusMethodNotAllowed).says("This address is answered only for " + allow)
		if got := answer.header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow is %q, want %q", one, got, allow)
		}
	}
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, address := range []string{"/", "/clusters", "/healthz", "/export.json", "/sign-in", "/static/app.css"} {
		want := c.get(address)
		answer := c.do(c.request(http.MethodHead, address, nil)).is(want.status)
		if answer.body != "" || answer.header.Get("Content-Type") != want.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %q, %q", address, answer.header.Get("Content-Type"), answer.body)
		}
	}
	c.do(c.request(http.MethodHead, "/clusters/nobody", nil)).is(http.StatusNotFound)
	c.another().do(c.request(http.MethodHead, "/clusters", nil)).redirects("/sign-in?next=%2Fclusters")
}

func TestTooLargeAFormIsRefused(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.post("/clusters/-/new", "description", strings.Repeat("x", maxBody)).is(http.StatusRequestEntityTooLarge).says("This is too much at once")
	r := c.request(http.MethodPost, "/clusters/-/new", strings.NewReader("id=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.do(r).is(http.StatusBadRequest).says("This did not work")
}

func TestAPanicIsAPageWithTheNumberInTheLog(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.jobs.change(func(a *answers) { a.storeLocation = func() string { panic("the secret reason") } })
	answer := c.get(settingsPath).is(http.StatusInternalServerError).says("Something went wrong in the console").doesNotSay("secret reason")
	id := answer.header.Get("X-Request-Id")
	answer.says(id)
	if log := c.log.String(); strings.Count(log, "request="+id) != 1 || !strings.Contains(log, "the secret reason") {
		t.Errorf("the log does not have it once:\n%s", log)
	}
	c.get("/clusters").is(http.StatusOK)
}

func TestAFailureIsLoggedOnceAndNotShown(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.jobs.change(func(a *answers) { a.open = nil }) // panics
	if c.get("/snapshots/first/parts/1.rdb").is(http.StatusInternalServerError).header.Get("Content-Disposition") != "" {
		t.Error("the error page comes as a file")
	}
	c.check(c.db.Close())
	answer := c.get("/clusters").is(http.StatusInternalServerError).says("Something went wrong in the console").doesNotSay("database")
	if log := c.log.String(); strings.Count(log, "request="+answer.header.Get("X-Request-Id")) != 1 {
		t.Errorf("the log does not have it once:\n%s", log)
	}
}

func TestPasswordsAreShownOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	password := c.launch("orders", func(s *models.ClusterSpec) { s.Auth = models.AuthGenerate }).Password.Reveal()
	for _, address := range []string{"/clusters/orders", "/clusters/orders?tab=connect", "/clusters/orders/modify", "/clusters", "/", "/events", "/runs/1", "/export.json",
		"/clusters/orders?tab=connect&reveal=password"} {
		c.get(address).is(http.StatusOK).doesNotSay(password)
	}
	c.get("/clusters/orders/password").is(http.StatusMethodNotAllowed)
	r := c.request(http.MethodPost, "/clusters/orders/password", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	c.do(r).is(http.StatusForbidden)
	const event = "The password of the cluster orders was shown to admin."
	c.get("/events").doesNotSay(event)

	c.post("/clusters/orders/password").redirects("/clusters/orders?tab=connect")
	c.htmx(http.MethodGet, "/clusters/orders?tab=connect", nil).doesNotSay(password) // another tab, which follows a run
	answer := c.get("/clusters/orders?tab=connect").is(http.StatusOK).says(password)
	if got := answer.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	c.get("/clusters/orders?tab=connect").is(http.StatusOK).doesNotSay(password)
	c.get("/events").says(event)
	if strings.Contains(c.log.String(), password) {
		t.Error("the password is in the log")
	}
	c.post("/clusters/nobody/password").is(http.StatusNotFound)
	c.launch("open")
	c.post("/clusters/open/password").is(http.StatusConflict).says("The cluster open has no password that could be shown.")
}

// Who gets hold of the cookie has no secret, and shows nothing with it in another session, on another page, or later.
func TestWhatIsShownOnceBelongsToOneSessionAndPage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	passwords := map[string]string{}
	for _, name := range []string{"orders", "shop"} {
		passwords[name] = c.launch(name, func(s *models.ClusterSpec) { s.Auth = models.AuthGenerate }).Password.Reveal()
	}
	permit := func() string {
		cookie := c.post("/clusters/orders/password").redirects("/clusters/orders?tab=connect").header.Get("Set-Cookie")
		for _, want := range []string{onceCookie + "=", "Path=/clusters/orders;", "HttpOnly", "SameSite=Strict"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("the cookie has no %s: %s", want, cookie)
			}
		}
		value, _, _ := strings.Cut(cookie, ";")
		return value
	}
	with := func(browser *console, address, cookie string) answer {
		r := browser.request(http.MethodGet, address, nil)
		r.Header.Set("Cookie", cookie)
		return browser.do(r)
	}
	other := c.another()
	other.signIn()
	with(other, "/clusters/orders?tab=connect", permit()).is(http.StatusOK).doesNotSay(passwords["orders"])
	with(c, "/clusters/shop?tab=connect", permit()).is(http.StatusOK).doesNotSay(passwords["orders"], passwords["shop"])
	late := permit()
	c.clock.Advance(onceFor + time.Second)
	with(c, "/clusters/orders?tab=connect", late).is(http.StatusOK).doesNotSay(passwords["orders"])
	with(c, "/clusters/orders?tab=connect", onceCookie+"=forged").is(http.StatusOK).doesNotSay(passwords["orders"])
}
