package launch

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

func TestCacheTellsItsState(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := startCache(t, l, Node{MaxMemory: 8 << 20})
	before, err := ProbeCache(t.Context(), addrOf(n))
	if want := (CacheState{MaxMemory: 8 << 20, PID: server(t, l, n)}); err != nil || before != want {
		t.Errorf("%+v, %v; want %+v", before, err, want)
	}
	setCached(t, n, "a", "value")
	setCached(t, n, "b", "value")
	after, err := ProbeCache(t.Context(), addrOf(n))
	if err != nil || after.Items != 2 || after.UsedMemory < 10 || after.UsedMemory > 1000 {
		t.Errorf("%+v, %v; want 2 items", after, err)
	}
}

func TestWhatIsNoCacheIsNoticed(t *testing.T) {
	t.Parallel()
	if _, err := ProbeCache(t.Context(), testkit.Redis(t).Addr); err == nil || !strings.Contains(err.Error(), "no memcached") {
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
		_, err := ProbeCache(ctx, listener.Addr().String())
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
		want   CacheState
		fails  string
	}{
		"whole":             {whole, CacheState{UsedMemory: 5, MaxMemory: 64 << 20, Items: 1, PID: 7}, ""},
		"cut":               {whole[:len(whole)-5], CacheState{}, "unexpected EOF"},
		"cut in a line":     {whole[:30], CacheState{}, "unexpected EOF"},
		"nothing":           {"", CacheState{}, "unexpected EOF"},
		"a field is away":   {strings.Replace(whole, "STAT bytes", "STAT bites", 1), CacheState{}, "no bytes"},
		"no number":         {strings.Replace(whole, "pid 7", "pid x", 1), CacheState{}, "no pid"},
		"too many":          {"ERROR Too many open connections\r\n", CacheState{}, "refuses us"},
		"asks for a log-in": {"CLIENT_ERROR unauthenticated\r\n", CacheState{}, "refuses us"},
		"another protocol":  {"-NOAUTH Authentication required.\r\n", CacheState{}, "no memcached"},
		"an empty line":     {"\r\n" + whole, CacheState{}, "no memcached"},
		"an endless line":   {strings.Repeat("x", 2*maxStatsBytes), CacheState{}, "unexpected EOF"},
		"endless lines":     {strings.Repeat("STAT pid 7\r\n", maxStatsBytes), CacheState{}, "unexpected EOF"},
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
