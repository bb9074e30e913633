package resp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

// script is a server that answers each command with the next text; "" means that it never answers, "close" that it
// closes the connection.
func script(t *testing.T, answers ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		r := resp.NewReader(nc)
		for _, a := range answers {
			if _, err := r.ReadCommand(); err != nil || a == "close" {
				return
			}
			if _, err := io.WriteString(nc, a); err != nil {
				return
			}
		}
		_, _ = r.ReadCommand() // until the client hangs up
	}()
	return l.Addr().String()
}

func dial(t *testing.T, o resp.Options) *resp.Conn {
	t.Helper()
	c, err := resp.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConnTalksToARealServer(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, "--requirepass", "s3cret")
	c := dial(t, resp.Options{Addr: s.Addr, Password: "s3cret"})
	for _, c2 := range []*resp.Conn{c, dial(t, resp.Options{Addr: s.Addr, Username: "default", Password: "s3cret"})} {
		if v, err := c2.Do(t.Context(), "SET", "k", "v", "EX", "1000"); err != nil || v.Str != "OK" {
			t.Fatalf("SET: %+v, %v", v, err)
		}
	}
	if _, err := c.Do(t.Context(), "INCR", "k"); !errors.As(err, new(resp.Error)) {
		t.Errorf("INCR of a word: %v", err)
	}
	// An error reply is no reason to abandon the connection.
	if v, err := c.Do(t.Context(), "CONFIG", "GET", "port"); err != nil || len(v.Strings()) != 2 {
		t.Errorf("CONFIG GET: %+v, %v", v, err)
	}
	info, err := c.Info(t.Context(), "server", "keyspace", "replication")
	if err != nil || info.Keys() != 1 || info.Expires() != 1 || info.Int("tcp_port") != int64(s.Port) || info["role"] != "master" {
		t.Errorf("INFO: %v, %v", info, err)
	}
	if name, version := info.Engine(); name != "redis" || version != info["redis_version"] {
		t.Errorf("Engine: %s %s", name, version)
	}
	if all, err := c.Info(t.Context()); err != nil || all.Int("used_memory") == 0 {
		t.Errorf("INFO without sections: %v, %v", all, err)
	}
}

func TestDialRefusals(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, "--requirepass", "s3cret")
	for name, c := range map[string]struct {
		o    resp.Options
		code string
	}{
		"wrong password": {resp.Options{Addr: s.Addr, Password: "guess"}, "WRONGPASS"},
		"wrong user":     {resp.Options{Addr: s.Addr, Username: "nobody", Password: "s3cret"}, "WRONGPASS"},
	} {
		_, err := resp.Dial(t.Context(), c.o)
		if reply, ok := errors.AsType[resp.Error](err); !ok || reply.Code() != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := dial(t, resp.Options{Addr: s.Addr})
	_, err := c.Do(t.Context(), "GET", "k")
	if reply, ok := errors.AsType[resp.Error](err); !ok || reply.Code() != "NOAUTH" {
		t.Errorf("no password: %v", err)
	}
	if _, err := resp.Dial(t.Context(), resp.Options{Addr: "127.0.0.1:1"}); err == nil {
		t.Error("nobody listens there")
	}
}

func TestErrorsNeverShowThePassword(t *testing.T) {
	t.Parallel()
	addr := script(t, "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n")
	_, err := resp.Dial(t.Context(), resp.Options{Addr: addr, Password: "hunter2"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestDoGivesUpTheConnection(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped by the user")
	for name, c := range map[string]struct {
		answer  string
		timeout time.Duration
		cancel  bool
		want    error
	}{
		"when nothing comes":           {"", 30 * time.Millisecond, false, os.ErrDeadlineExceeded},
		"when the server hangs up":     {"close", time.Minute, false, io.EOF},
		"when it hangs up in a reply":  {"$10\r\nabc", 30 * time.Millisecond, false, os.ErrDeadlineExceeded},
		"when it talks something else": {"HTTP/1.1 400 Bad Request\r\n", time.Minute, false, resp.ErrProtocol},
		"when the caller does":         {"", time.Minute, true, stopped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, resp.Options{Addr: script(t, c.answer), Timeout: c.timeout})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if c.cancel {
				time.AfterFunc(20*time.Millisecond, func() { cancel(stopped) })
			}
			if _, err := conn.Do(ctx, "PING"); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			// A late reply must not be mistaken for the next command's.
			if _, err := conn.Do(t.Context(), "PING"); !errors.Is(err, resp.ErrClosed) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestDoWithDeadContextSendsNothing(t *testing.T) {
	t.Parallel()
	c := dial(t, resp.Options{Addr: script(t, "+PONG\r\n")})
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(dead, "PING"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if v, err := c.Do(t.Context(), "PING"); err != nil || v.Str != "PONG" {
		t.Errorf("afterwards: %+v, %v", v, err)
	}
}

func TestParseInfo(t *testing.T) {
	t.Parallel()
	info := resp.ParseInfo("# Server\r\nserver_name:valkey\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\n\r\n" +
		"# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb12:keys=4,expires=2,avg_ttl=7,subexpiry=0\r\ndbx:keys=9\r\nrubbish\r\n")
	if info.Keys() != 7 || info.Expires() != 3 || info.Int("absent") != 0 {
		t.Errorf("got %v", info)
	}
	if name, version := info.Engine(); name != "valkey" || version != "9.1.2" {
		t.Errorf("Engine: %s %s", name, version)
	}
}

func TestErrorCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[resp.Error]string{
		"NOAUTH Authentication required.": "NOAUTH", "ERR": "ERR", "Something else": "", "": "",
	} {
		if got := text.Code(); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if !resp.Error("ERR unknown command 'PSYNC', with args").UnknownCommand() || resp.Error("ERR unknown").UnknownCommand() {
		t.Error("UnknownCommand")
	}
}

func TestControlRefusesBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	refused := errors.New("not there")
	asked := ""
	_, err := resp.Dial(t.Context(), resp.Options{Addr: net.JoinHostPort("localhost", strconv.Itoa(s.Port)), Password: "s3cret", Control: func(_, address string, _ syscall.RawConn) error {
		asked = address
		return refused
	}})
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if addr, err := netip.ParseAddrPort(asked); err != nil || !addr.Addr().IsLoopback() {
		t.Errorf("it was asked about %q, want the address that the name stands for", asked)
	}
}
