package memcached

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"rekindle/internal/testkit"
)

func TestWhatIsNoCacheIsNoticed(t *testing.T) {
	t.Parallel()
	if _, err := Probe(t.Context(), testkit.Redis(t).Addr); err == nil || !strings.Contains(err.Error(), "not memcached") {
		t.Errorf("a redis: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := Probe(ctx, listener.Addr().String())
		done <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a mute listener: %v, want the context's error", err)
	}
}

func TestAnswersToStats(t *testing.T) {
	t.Parallel()
	const whole = "STAT pid 7\r\nSTAT version 1.6.18\r\nSTAT bytes 5\r\nSTAT limit_maxbytes 67108864\r\nSTAT curr_items 1\r\nSTAT odd\r\nEND\r\n"
	tests := map[string]struct {
		answer string
		want   State
		fails  string
	}{
		"whole":             {whole, State{UsedMemory: 5, MaxMemory: 64 << 20, Items: 1, PID: 7}, ""},
		"cut":               {whole[:len(whole)-5], State{}, "unexpected EOF"},
		"cut in a line":     {whole[:30], State{}, "unexpected EOF"},
		"nothing":           {"", State{}, "unexpected EOF"},
		"a field is away":   {strings.Replace(whole, "STAT bytes", "STAT bites", 1), State{}, "no bytes"},
		"no number":         {strings.Replace(whole, "pid 7", "pid x", 1), State{}, "no pid"},
		"too many":          {"ERROR Too many open connections\r\n", State{}, "refuses us"},
		"asks for a log-in": {"CLIENT_ERROR unauthenticated\r\n", State{}, "refuses us"},
		"another protocol":  {"-NOAUTH Authentication required.\r\n", State{}, "not memcached"},
		"an empty line":     {"\r\n" + whole, State{}, "not memcached"},
		"an endless line":   {strings.Repeat("x", 2*maxStatsBytes), State{}, "unexpected EOF"},
		"endless lines":     {strings.Repeat("STAT pid 7\r\n", maxStatsBytes), State{}, "unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked bytes.Buffer
			got, err := askStats(struct {
				io.Reader
				io.Writer
			}{strings.NewReader(test.answer), &asked})
			if got != test.want || (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%+v, %v; want %+v, %q", got, err, test.want, test.fails)
			}
			if asked.String() != "stats\r\n" {
				t.Errorf("asked %q", asked.String())
			}
		})
	}
}
