package resp_test

import (
	"errors"
	"strings"
	"testing"

	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

func TestOtherPasswordsAreTriedWhenOneIsRefused(t *testing.T) {
	t.Parallel()
	closed, open := testkit.Redis(t, "--requirepass", "the-right-one"), testkit.Redis(t)
	for what, one := range map[string]struct {
		server   *testkit.Server
		password secret.Text
		others   []resp.Login
		good     bool
	}{
		"the other one":               {closed, "wrong", []resp.Login{{Password: "also-wrong"}, {Password: "the-right-one"}}, true},
		"the first one":               {closed, "the-right-one", []resp.Login{{Password: "wrong"}}, true},
		"no password yet":             {closed, "", []resp.Login{{Password: "the-right-one"}}, true},
		"none of them":                {closed, "wrong", []resp.Login{{Password: "also-wrong"}}, false},
		"none is needed any more":     {open, "", []resp.Login{{Password: "before"}}, true},
		"none is needed yet":          {open, "to-come", []resp.Login{{Password: ""}}, true},
		"none is needed, nobody said": {open, "wrong", nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn, err := resp.Dial(t.Context(), resp.Options{Addr: one.server.Addr, Password: one.password, Others: one.others})
			if err == nil {
				_, err = conn.Do(t.Context(), "PING")
				_ = conn.Close()
			}
			if (err == nil) != one.good {
				t.Errorf("it is answered with %v", err)
			}
			if reply, is := errors.AsType[resp.Error](err); err != nil && (!is || !reply.PasswordRefused() || strings.Contains(err.Error(), "wrong")) {
				t.Errorf("the refusal is %v", err)
			}
		})
	}
}
