package primary

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"rekindle/internal/resp"
)

// listening returns a server whose target is at 127.0.0.1.
func listening(t *testing.T) *server {
	t.Helper()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	control, err := net.Dial("tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	s, err := listen(t.Context(), Options{ListenHost: "127.0.0.1"}, control)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// talk sends commands and returns all that comes back until the server closes, or has answered each of them.
func talk(t *testing.T, s *server, commands ...[]string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	lines := bufio.NewScanner(conn)
	var replies []string
	for _, command := range commands {
		if _, err := conn.Write(resp.AppendCommand(nil, command...)); err != nil || !lines.Scan() {
			break
		}
		replies = append(replies, lines.Text())
	}
	return replies
}

func TestServerAnswersOnlyWhoKnowsThePassword(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		commands [][]string
		want     []string // beginnings of the replies
	}{
		"at once":               {[][]string{{"PSYNC", "?", "-1"}, {"SYNC"}, {"REPLCONF", "capa", "eof"}, {"GET", "x"}}, []string{"-NOAUTH", "-NOAUTH", "-NOAUTH", "-NOAUTH"}},
		"HELLO":                 {[][]string{{"HELLO", "3", "AUTH", "default", "guess"}, {"PSYNC", "?", "-1"}}, []string{"-NOAUTH", "-NOAUTH"}},
		"wrong password":        {[][]string{{"AUTH", "guess"}, {"PSYNC", "?", "-1"}}, []string{"-WRONGPASS"}},
		"empty password":        {[][]string{{"AUTH", ""}, {"PSYNC", "?", "-1"}}, []string{"-WRONGPASS"}},
		"AUTH without argument": {[][]string{{"AUTH"}, {"PSYNC", "?", "-1"}}, []string{"-WRONGPASS"}},
		"another user":          {[][]string{{"AUTH", "admin", "PASSWORD"}, {"PSYNC", "?", "-1"}}, []string{"-WRONGPASS"}},
		"signed in, other use":  {[][]string{{"AUTH", "default", "PASSWORD"}, {"PING"}, {"KEYS", "*"}, {"SYNC"}}, []string{"+OK", "+PONG", "-ERR", "-ERR"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listening(t)
			for _, command := range test.commands {
				for i := range command {
					command[i] = strings.ReplaceAll(command[i], "PASSWORD", s.password.Reveal())
				}
			}
			replies := talk(t, s, test.commands...)
			if len(replies) != len(test.want) {
				t.Fatalf("replies %q, want %q", replies, test.want)
			}
			for i := range replies {
				if !strings.HasPrefix(replies[i], test.want[i]) {
					t.Errorf("reply %q, want %q", replies[i], test.want[i])
				}
			}
			if len(s.accepted) != 0 {
				t.Error("the connection was handed over")
			}
		})
	}
}

func TestServerEndsConnectionsThatGetNowhere(t *testing.T) {
	t.Parallel()
	s := listening(t)
	commands := make([][]string, maxCommands+10)
	for i := range commands {
		commands[i] = []string{"PING"}
	}
	if replies := talk(t, s, commands...); len(replies) != maxCommands {
		t.Errorf("%d replies, want the connection closed after %d", len(replies), maxCommands)
	}
}

func TestServerCloseEndsSilentConnections(t *testing.T) {
	t.Parallel()
	s := listening(t)
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a silent connection after close: %v", err)
	}
}

func TestServerListensEverywhereButNamesOneAddress(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	control, err := net.Dial("tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	s, err := listen(t.Context(), Options{ListenHost: "0.0.0.0"}, control)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.host != "127.0.0.1" {
		t.Errorf("the target is told %s", s.host)
	}
}

func TestTargetIsExpectedFromItsAddressOrAnotherOfTheLoopback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target, from string
		want         bool
	}{
		{"10.0.0.7", "10.0.0.7", true}, {"10.0.0.7", "10.0.0.8", false}, {"10.0.0.7", "127.0.0.1", false}, {"127.0.0.1", "10.0.0.7", false},
		{"127.0.0.5", "127.0.0.1", true}, {"127.0.0.5", "127.0.0.6", true}, {"::1", "::1", true}, {"fd00::1", "fd00::2", false},
	} {
		s := &server{peer: netip.MustParseAddr(test.target)}
		if got := s.expected(netip.MustParseAddr(test.from)); got != test.want {
			t.Errorf("the target %s from %s: %t", test.target, test.from, got)
		}
	}
}
