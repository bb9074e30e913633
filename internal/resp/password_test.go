package resp_test

import (
	"errors"
	"testing"

	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

func TestPasswordRefusedIsToldFromOtherErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"WRONGPASS invalid username-password pair or user is disabled.": true, "NOAUTH Authentication required.": true, "ERR invalid password": true,
		"ERR Client sent AUTH, but no password is set": true,
		"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?": true,
		"NOPERM this user has no permissions": false, "ERR unknown command 'AUTH'": false, "LOADING Redis is loading the dataset in memory": false, "": false,
	} {
		if got := resp.Error(text).PasswordRefused(); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	// A real server's words: with a wrong password, and with none.
	for _, server := range []*testkit.Server{testkit.Redis(t, "--requirepass", "right"), testkit.Redis(t)} {
		_, err := resp.Dial(t.Context(), resp.Options{Addr: server.Addr, Password: "wrong"})
		if reply, ok := errors.AsType[resp.Error](err); !ok || !reply.PasswordRefused() {
			t.Errorf("%v", err)
		}
	}
}
