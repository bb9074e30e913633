package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekindle/internal/testkit"
)

// server answers through a gate: /known is of somebody who is known, /sign-in reads a form, /slow waits until the test lets it go.
type server struct {
	t       *testing.T
	gate    *Gate
	address string
	hold    chan struct{}
	held    atomic.Int64
}

func serve(t *testing.T, limits Limits, proxies ...netip.Prefix) *server {
	t.Helper()
	s := &server{t: t, gate: New(limits, proxies), hold: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/known", func(w http.ResponseWriter, r *http.Request) {
		Known(r.Context())
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "known")
	})
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); errors.Is(err, os.ErrDeadlineExceeded) {
			http.Error(w, "too slow", http.StatusRequestTimeout)
			return
		}
		fmt.Fprint(w, "in")
	})
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) {
		s.held.Add(1)
		<-s.hold
	})
	web := httptest.NewUnstartedServer(s.gate.Handler(mux, func(r *http.Request) string {
		if named := r.Header.Get("X-Forwarded-For"); named != "" {
			return named
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return host
	}))
	s.gate.Bind(web.Config)
	web.Listener = s.gate.Listener(web.Listener)
	web.Start()
	t.Cleanup(web.Close)
	s.address = web.Listener.Addr().String()
	return s
}

// open sends this and returns the connection.
func (s *server) open(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.WriteString(c, text) // may be refused before
	return c
}

// answer reads an answer and returns its status; 0 when the connection just ended.
func answer(c net.Conn) int {
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

const (
	slowBody  = "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nuser=a"
	wholePOST = "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nuser=a"
)

func get(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

func (s *server) counts() (all, strangers int) {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return len(s.gate.conns), s.gate.strangers
}

func TestSlowStrangersDisplaceEachOtherAndNobodyElse(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing sent": "", "slow header": "GET / HTTP/1.1\r\nHost: x\r\nX-", "slow body": slowBody, "idle": get("/sign-in")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Limits{Connections: 60, Strangers: 40, PerAddress: 20, Request: time.Minute})
			var known []net.Conn
			for range 8 {
				c := s.open(get("/known"))
				if answer(c) != http.StatusOK {
					t.Fatal("the known ones do not come in")
				}
				known = append(known, c)
			}
			for i := range 300 {
				s.open(text)
				if i%50 == 49 { // in between, and with all places taken, somebody signs in
					if status := answer(s.open(wholePOST)); status != http.StatusOK {
						t.Fatalf("after %d: signing in is a %d", i, status)
					}
				}
				if all, strangers := s.counts(); strangers > 20 || all > 60 {
					t.Fatalf("%d connections, %d strangers", all, strangers)
				}
			}
			for _, c := range known {
				if _, err := io.WriteString(c, get("/known")); err != nil || answer(c) != http.StatusOK {
					t.Fatal("somebody who was known had to go")
				}
			}
		})
	}
}

func TestWhoIsDisplacedWhileSendingIsTold(t *testing.T) {
	t.Parallel()
	s := serve(t, Limits{Connections: 10, Strangers: 10, PerAddress: 1, Request: time.Minute})
	first := s.open(slowBody)
	testkit.WaitFor(t, "it is there", func() bool { _, n := s.counts(); return n == 1 })
	s.open(slowBody)
	if status := answer(first); status != http.StatusRequestTimeout && status != 0 { // 0: displaced before its handler ran
		t.Errorf("told %d", status)
	}
}

func TestARequestHasToArriveInTime(t *testing.T) {
	t.Parallel()
	s := serve(t, Limits{Connections: 100, Strangers: 100, PerAddress: 100, Request: 200 * time.Millisecond})
	for _, path := range []string{"/sign-in", "/known", "/not-there"} {
		c := s.open(strings.Replace(slowBody, "/sign-in", path, 1))
		began := time.Now()
		_, _ = io.Copy(io.Discard, c) // to its end
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: stayed open for %s", path, took)
		}
	}
	testkit.WaitFor(t, "all are gone", func() bool { all, _ := s.counts(); return all == 0 })
}

func TestNewcomersAreToldWhenEverybodyIsServed(t *testing.T) {
	t.Parallel()
	s := serve(t, Limits{Connections: 10, Strangers: 10, PerAddress: 4, Request: time.Hour})
	defer close(s.hold)
	for range 4 {
		s.open(get("/slow"))
	}
	testkit.WaitFor(t, "all are served", func() bool { return s.held.Load() == 4 })
	for range 20 {
		c := s.open(get("/sign-in"))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "Try again") {
			t.Errorf("%d %q %v", r.StatusCode, text, err)
		}
		_ = c.Close() // only some are told at a time
	}
}

func TestOneAddressDoesNotTakeTheOthersPlaces(t *testing.T) {
	t.Parallel()
	s := serve(t, Limits{Connections: 200, Strangers: 20, PerAddress: 20, Request: time.Minute}, netip.MustParsePrefix("127.0.0.0/8"))
	few := s.open(get("/sign-in", "X-Forwarded-For: 192.0.2.1")) // of another address, and idle for longest
	if answer(few) != http.StatusOK {
		t.Fatal("no answer")
	}
	for i := range 200 {
		s.open(strings.Replace(slowBody, "\r\n\r\n", fmt.Sprintf("\r\nX-Forwarded-For: 198.51.100.%d\r\n\r\n", i%3), 1))
	}
	if status := answer(s.open(strings.Replace(wholePOST, "\r\n\r\n", "\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n", 1))); status != http.StatusOK {
		t.Errorf("signing in is a %d", status)
	}
	if _, err := io.WriteString(few, get("/sign-in", "X-Forwarded-For: 192.0.2.1")); err != nil || answer(few) != http.StatusOK {
		t.Error("the crowd of other addresses has displaced it")
	}
}

func TestABlockOfIPv6IsOneAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::": "2001:db8:1:2::/64", "192.0.2.7": "192.0.2.7"} {
		if got := block(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s counts as %s", address, got)
		}
	}
}
