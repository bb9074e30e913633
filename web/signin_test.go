package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestNothingAnswersWithoutASession(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	routes := append(allRoutes(t, "user"), route{"GET", "/nowhere"}, route{"POST", "/nowhere"}, route{"DELETE", "/clusters"})
	for _, one := range routes {
		r := c.request(one.method, one.address+"?tab=x", nil)
		want := "/sign-in"
		if one.method == http.MethodGet {
			want += "?" + url.Values{"next": {one.address + "?tab=x"}}.Encode()
		}
		if answer := c.do(r).redirects(want); answer.body != "" {
			t.Errorf("%s: says %q to a stranger", one, answer.body)
		}
		r = c.request(one.method, one.address, nil)
		r.Header.Set("HX-Request", "true")
		r.Header.Set("HX-Current-URL", c.server.URL+"/clusters/orders?tab=events")
		answer := c.do(r).is(http.StatusOK)
		if got := answer.header.Get("HX-Redirect"); got != "/sign-in?next=%2Fclusters%2Forders%3Ftab%3Devents" || answer.body != "" {
			t.Errorf("%s by htmx: HX-Redirect %q, body %q", one, got, answer.body)
		}
	}
}

func TestAScriptWithoutASessionGetsAPlainNo(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	answer := c.get("/export.json").is(http.StatusUnauthorized).says(`{"error": "Sign in first`)
	if got := answer.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	c.signIn()
	c.get("/export.json").is(http.StatusOK)
}

func TestSomeAddressesAnswerWithoutASession(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.get("/healthz").is(http.StatusOK).says("ok")
	c.get("/readyz").is(http.StatusOK)
	c.get("/sign-in").is(http.StatusOK).says("Sign in")
	c.get("/static/app.css").is(http.StatusOK)
	c.jobs.change(func(a *answers) { a.checkStore = func() error { return errOnPurpose } })
	c.get("/readyz").is(http.StatusServiceUnavailable).says("The snapshot store cannot be written to and read from now.").doesNotSay("on purpose")
	c.get("/healthz").is(http.StatusOK)
	c.check(c.db.Close())
	c.get("/readyz").is(http.StatusServiceUnavailable).says("The catalog does not answer.")
	c.get("/healthz").is(http.StatusOK)
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	const wrong = "That name and password do not match."
	c.post("/sign-in", "user", "admin", "password", "wrong").is(http.StatusUnprocessableEntity).says(wrong, `value="admin"`).doesNotSay(`value="wrong"`)
	c.post("/sign-in", "user", "nobody", "password", adminPassword).is(http.StatusUnprocessableEntity).says(wrong)
	c.post("/sign-in").is(http.StatusUnprocessableEntity).says(wrong)
	c.get("/").redirects("/sign-in")

	answer := c.post("/sign-in", "user", "admin", "password", adminPassword, "next", "/clusters?status=available").redirects("/clusters?status=available")
	cookie := answer.header.Get("Set-Cookie")
	for _, attribute := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="} {
		if !strings.Contains(cookie, attribute) {
			t.Errorf("the cookie has no %s: %s", attribute, cookie)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("a Secure cookie over plain http would be dropped: %s", cookie)
	}
	c.get("/").is(http.StatusOK).says("Signed in as admin")
	c.get("/sign-in?next=/runs").redirects("/runs")
}

func TestTooManyWrongPasswordsHaveToWait(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for range 5 {
		c.post("/sign-in", "user", "admin", "password", "wrong").says("do not match")
	}
	c.post("/sign-in", "user", "admin", "password", adminPassword).is(http.StatusUnprocessableEntity).says("Too many wrong passwords")
	c.clock.Advance(16 * time.Minute)
	c.signIn()
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*console){
		"when it is idle":        func(c *console) { c.clock.Advance(models.SessionIdle + time.Second) },
		"when it is signed out":  func(c *console) { c.post("/sign-out").redirects("/sign-in") },
		"when another revokes":   func(c *console) { o := c.another(); o.signIn(); o.post("/settings/sessions/revoke-others") },
		"when revoked by number": func(c *console) { o := c.another(); o.signIn(); o.post("/settings/sessions/1/revoke") },
		"when the password is reset": func(c *console) {
			_, err := c.db.Users.ResetPassword(c.t.Context(), "admin")
			c.check(err)
		},
		"when its time is over": func(c *console) {
			for range int(models.SessionLifetime / (10 * time.Hour)) {
				c.get("/").is(http.StatusOK) // in use all the time
				c.clock.Advance(10 * time.Hour)
			}
			c.clock.Advance(10 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := signedIn(t)
			address, _ := url.Parse(c.server.URL)
			cookies := c.browser.Jar.Cookies(address)
			c.get("/").is(http.StatusOK)
			end(c)
			c.browser.Jar.SetCookies(address, cookies) // as a thief would
			c.get("/").redirects("/sign-in")
			c.get("/sign-in").says("Your session has ended.")
		})
	}
}

func TestSigningInAnewEndsTheEarlierSession(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	address, _ := url.Parse(c.server.URL)
	before := c.browser.Jar.Cookies(address)
	c.signIn()
	c.get("/").is(http.StatusOK)
	c.browser.Jar.SetCookies(address, before)
	c.get("/").redirects("/sign-in")
}

func TestACookieThatDoesNotDecodeIsANewSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, value := range []string{"x", "MTIz|abc", strings.Repeat("A", 3000), "%00", ""} {
		r := c.request(http.MethodGet, "/clusters", nil)
		r.Header.Set("Cookie", sessionCookie+"="+value+"; "+flashCookie+"="+value+"; tz="+value+"; theme="+value)
		c.do(r).redirects("/sign-in?next=%2Fclusters")
		r = c.request(http.MethodGet, "/sign-in", nil)
		r.Header.Set("Cookie", sessionCookie+"="+value)
		c.do(r).is(http.StatusOK)
	}
}

func TestCookiesAreSecureWhenTheyShouldBe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"configured":           func(c *Config) { c.SecureCookies = true },
		"public address https": func(c *Config) { c.PublicURL = "https://rekindle.example.org" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, change)
			if cookie := c.post("/sign-in", "user", "admin", "password", adminPassword).redirects("/").header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
				t.Errorf("the cookie is not Secure: %s", cookie)
			}
		})
	}
}

func TestOnlyAddressesOfTheConsoleAreGoneBackTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"/clusters":                      "/clusters",
		"/clusters?q=a&sort=-name":       "/clusters?q=a&sort=-name",
		"/snapshots/a.b/":                "/snapshots/a.b/",
		"/":                              "/",
		"":                               "/",
		"clusters":                       "/",
		"//evil.example":                 "/",
		"///evil.example":                "/",
		"/\\evil.example":                "/",
		"/%5cevil.example":               "/",
		"/\tx":                           "/",
		"/\n/evil.example":               "/",
		"https://evil.example/":          "/",
		"javascript:alert(1)":            "/",
		"/../../evil":                    "/",
		"/a//b":                          "/",
		"http:/evil.example":             "/",
		"/sign-in?next=/x":               "/",
		"/sign-out":                      "/",
		"/" + strings.Repeat("a", 2500):  "/",
		"/clusters?next=//evil.example/": "/clusters?next=//evil.example/",
	} {
		if got := localPath(address); got != want {
			t.Errorf("localPath(%q) = %q, want %q", address, got, want)
		}
	}
	c := newConsole(t)
	c.get("/sign-in?next=//evil.example").doesNotSay("evil.example")
	c.post("/sign-in", "user", "admin", "password", adminPassword, "next", "//evil.example/").redirects("/")
	c.post("/theme", "theme", "dark", "next", "https://evil.example/").redirects("/")
}

func TestThemeAndZoneAreTheBrowsers(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/").says(`data-theme="system"`)
	c.post("/theme", "theme", "dark", "next", "/clusters?q=x").redirects("/clusters?q=x")
	c.get("/").says(`data-theme="dark"`)
	c.post("/theme", "theme", `"><script>`)
	c.get("/").says(`data-theme="system"`)

	address, _ := url.Parse(c.server.URL)
	zone := func(name string) {
		c.browser.Jar.SetCookies(address, []*http.Cookie{{Name: "tz", Value: url.QueryEscape(name), Path: "/"}})
	}
	zone("Asia/Kolkata")
	c.get("/clusters/orders").says("Asia/Kolkata", "08:30-09:30 your time") // 03:00 to 04:00 UTC
	for _, bad := range []string{"Local", "../../etc/passwd", "Mars/Olympus", strings.Repeat("x", 100), "/etc/localtime"} {
		zone(bad)
		c.get("/clusters/orders").is(http.StatusOK).doesNotSay("your time")
	}
}

func TestAMessageIsShownOnce(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.post("/settings/limits", "manual_quota", "5", "price", "0.1", "currency", "EUR").redirects("/settings/limits")
	const text = "The limits and the prices are saved."
	c.htmx(http.MethodGet, "/clusters", nil).doesNotSay(text) // a page that polls must not take it away
	c.get("/settings/limits").says(text, `value="EUR"`)
	c.get("/settings/limits").doesNotSay(text)
}
