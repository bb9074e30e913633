package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestWhoeverAsksIsKnownBehindAProxyAndCannotMakeThatUp(t *testing.T) {
	t.Parallel()
	s := &site{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("127.0.0.1/32")}}
	for name, one := range map[string]struct {
		from      string
		forwarded []string
		want      string
	}{
		"directly":                         {"192.0.2.7:5000", nil, "192.0.2.7"},
		"directly, and lying":              {"192.0.2.7:5000", []string{"203.0.113.1"}, "192.0.2.7"},
		"directly, lying as a proxy":       {"192.0.2.7:5000", []string{"203.0.113.1, 10.0.0.1"}, "192.0.2.7"},
		"by a proxy":                       {"10.0.0.1:5000", []string{"192.0.2.7"}, "192.0.2.7"},
		"by a proxy that says nothing":     {"10.0.0.1:5000", nil, "10.0.0.1"},
		"by two proxies":                   {"10.0.0.1:5000", []string{"192.0.2.7, 10.9.9.9"}, "192.0.2.7"},
		"in two headers":                   {"10.0.0.1:5000", []string{"203.0.113.1", "192.0.2.7"}, "192.0.2.7"},
		"by a proxy, and lying":            {"10.0.0.1:5000", []string{"203.0.113.1, 192.0.2.7"}, "192.0.2.7"},
		"by a proxy, lying as one":         {"10.0.0.1:5000", []string{"10.0.0.5, 192.0.2.7"}, "192.0.2.7"},
		"by a proxy, with nonsense":        {"10.0.0.1:5000", []string{"<script>, 192.0.2.7"}, "192.0.2.7"},
		"nonsense next to the proxy":       {"10.0.0.1:5000", []string{"203.0.113.1, unknown"}, "10.0.0.1"},
		"nonsense next to the second":      {"10.0.0.1:5000", []string{"203.0.113.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"from a proxy itself":              {"10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"with a port":                      {"10.0.0.1:5000", []string{"192.0.2.7:4711"}, "192.0.2.7"},
		"over IPv6":                        {"[fd00::1]:5000", []string{"2001:db8::7"}, "2001:db8::7"},
		"over IPv6 with a port":            {"[fd00::1]:5000", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"an IPv4 address written as IPv6":  {"[::ffff:10.0.0.1]:5000", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		"a proxy written as IPv6":          {"10.0.0.1:5000", []string{"192.0.2.7, ::ffff:10.0.0.2"}, "192.0.2.7"},
		"over a socket, as a test or unix": {"@", []string{"192.0.2.7"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = one.from
		r.Header["X-Forwarded-For"] = one.forwarded
		if got := s.addressOf(r); got != one.want {
			t.Errorf("%s: %q, want %q", name, got, one.want)
		}
	}
}

func TestNobodyLocksTheAdminOutFromBehindTheSameProxy(t *testing.T) {
	t.Parallel()
	c := newConsole(t, func(config *Config) { config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	try := func(from, password string) answer {
		r := c.request(http.MethodPost, "/sign-in", strings.NewReader(fields("user", "admin", "password", password).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", from)
		return c.do(r)
	}
	for range 6 {
		try("203.0.113.1", "wrong").is(http.StatusUnprocessableEntity)
	}
	// Whatever the client puts in front, the proxy appends the address that it sees.
	try("192.0.2.7, 203.0.113.1", adminPassword).says("Too many wrong passwords")
	try("192.0.2.7", adminPassword).redirects("/")
	sessions, err := c.db.Users.Sessions(t.Context(), 1)
	c.check(err)
	if len(sessions) != 1 || sessions[0].Address != "192.0.2.7" {
		t.Errorf("%+v", sessions)
	}
}
