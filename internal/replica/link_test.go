package replica_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

func of(s *testkit.Server) replica.Source {
	return replica.Source{Options: resp.Options{Addr: s.Addr, Password: secret.Text(s.Password())}}
}

// started is a server that has a backlog, because it has had a replica, and where it is.
func started(t *testing.T, args ...string) (*testkit.Server, replica.Position) {
	t.Helper()
	s := testkit.Redis(t, args...)
	stream, err := replica.Open(t.Context(), of(s), replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	return s, current(t, s)
}

func current(t *testing.T, s *testkit.Server) replica.Position {
	t.Helper()
	p, err := replica.Current(t.Context(), of(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func follow(t *testing.T, s *testkit.Server, at replica.At, o replica.Options) *replica.Link {
	t.Helper()
	l, err := replica.Follow(t.Context(), of(s), at, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// readUntil reads a link up to a text.
func readUntil(t *testing.T, l *replica.Link, text string) string {
	t.Helper()
	var got strings.Builder
	p := make([]byte, 128<<10)
	for !strings.HasSuffix(got.String(), text) {
		n, err := l.Read(p)
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(p[:n])
	}
	return got.String()
}

func set(t *testing.T, s *testkit.Server, key, value string) (sent string) {
	t.Helper()
	if err := s.Client().Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
	return string(resp.AppendCommand(nil, "set", key, value))
}

func stat(t *testing.T, s *testkit.Server, section, name string) string {
	t.Helper()
	text, err := s.Client().Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	return resp.ParseInfo(text)[name]
}

func TestFollowsFromNowOnWithoutAnRDB(t *testing.T) {
	t.Parallel()
	s, now := started(t)
	if now.Role != "primary" || !now.Backlog || !now.Linked || now.Capacity != 1<<20 && testkit.EngineName(t) == "redis" || len(now.ReplicationID) != 40 {
		t.Errorf("position %+v", now)
	}
	l := follow(t, s, now.At, replica.Options{})
	one := set(t, s, "one", strings.Repeat("1", 300_000))
	got := readUntil(t, l, one)
	if l.Offset() != now.Offset+int64(len(got)) || l.ReplicationID() != now.ReplicationID || l.PreviousID() != "" || l.Origin().Offset != now.Offset {
		t.Errorf("link at %d of %s", l.Offset(), l.ReplicationID())
	}
	two := set(t, s, "two", "2")
	all := got + readUntil(t, l, two)

	// Another one from each of these places gets the same bytes.
	for _, skip := range []int{0, 1, len(got), len(all) - 1, len(all)} {
		again := follow(t, s, replica.At{ReplicationID: now.ReplicationID, Offset: now.Offset + int64(skip)}, replica.Options{})
		three := set(t, s, "three", fmt.Sprint(skip))
		if rest := readUntil(t, again, three); !strings.HasPrefix(rest, all[skip:]) {
			t.Errorf("from %d on: %.100q", skip, rest)
		}
		readUntil(t, l, three)
		if l.Offset() != again.Offset() {
			t.Errorf("one link is at %d, the other at %d", l.Offset(), again.Offset())
		}
	}
	if syncs := stat(t, s, "stats", "sync_full"); syncs != "1" {
		t.Errorf("%s full synchronisations", syncs)
	}
}

// The id of the history changes when a replica is promoted, and the offsets go on.
func TestFollowsOverAFailover(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	heir := testkit.Redis(t, "--replicaof", "127.0.0.1", fmt.Sprint(primary.Port))
	testkit.WaitFor(t, "the replica is in step", func() bool { return current(t, heir).Linked })
	before := current(t, heir)
	if before.Role != "replica" || before.ReplicationID != current(t, primary).ReplicationID {
		t.Fatalf("%+v", before)
	}
	l := follow(t, heir, before.At, replica.Options{})
	got := readUntil(t, l, set(t, primary, "a", "b"))
	primary.Kill()
	if err := heir.Client().ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(l); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the promoted node left the link with %v", err)
	}
	at := replica.At{ReplicationID: before.ReplicationID, Offset: l.Offset()}
	if at.Offset != before.Offset+int64(len(got)) {
		t.Errorf("at %d behind %d bytes from %d on", at.Offset, len(got), before.Offset)
	}
	again := follow(t, heir, at, replica.Options{})
	now := current(t, heir)
	if again.PreviousID() != before.ReplicationID || again.ReplicationID() != now.ReplicationID || now.Former != at {
		t.Errorf("goes on as %s (was %s): %+v", again.ReplicationID(), again.PreviousID(), now)
	}
	rest := readUntil(t, again, set(t, heir, "c", "d"))
	if again.Offset() != at.Offset+int64(len(rest)) || again.Offset() != current(t, heir).Offset {
		t.Errorf("at %d, the node at %d", again.Offset(), current(t, heir).Offset)
	}
	// One byte more than the promoted node has is another history.
	if _, err := replica.Follow(t.Context(), of(heir), replica.At{ReplicationID: before.ReplicationID, Offset: at.Offset + 1}, replica.Options{}); !errors.Is(err, replica.ErrNoContinue) {
		t.Errorf("beyond: %v", err)
	}
}

func TestAPlaceThatIsGoneCostsTheNodeNothing(t *testing.T) {
	t.Parallel()
	s, now := started(t, "--repl-backlog-size", "16384")
	set(t, s, "big", strings.Repeat("x", 40_000))
	end := current(t, s)
	for name, at := range map[string]replica.At{
		"overwritten":     now.At,
		"one byte before": {ReplicationID: now.ReplicationID, Offset: end.First - 1},
		"in the future":   {ReplicationID: now.ReplicationID, Offset: end.Offset + 100},
		"another history": {ReplicationID: strings.Repeat("0", 40), Offset: end.Offset},
	} {
		if l, err := replica.Follow(t.Context(), of(s), at, replica.Options{}); !errors.Is(err, replica.ErrNoContinue) {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	l := follow(t, s, replica.At{ReplicationID: now.ReplicationID, Offset: end.First}, replica.Options{})
	if got := readUntil(t, l, set(t, s, "a", "b")); int64(len(got)) != l.Offset()-end.First {
		t.Errorf("%d bytes up to %d", len(got), l.Offset())
	}
	if syncs := stat(t, s, "stats", "sync_full"); syncs != "1" {
		t.Errorf("%s full synchronisations", syncs)
	}
	fresh := testkit.Redis(t)
	if p := current(t, fresh); p.Backlog || p.Has(p.At) {
		t.Errorf("a node that never had a replica: %+v", p)
	}
	if _, err := replica.Follow(t.Context(), of(fresh), current(t, fresh).At, replica.Options{}); !errors.Is(err, replica.ErrNoContinue) {
		t.Errorf("a node without a backlog: %v", err)
	}
}

func waiters(t *testing.T, s *testkit.Server) int64 {
	t.Helper()
	n, err := s.Client().Wait(t.Context(), 1, 50*time.Millisecond).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWaitCountsALinkOnlyIfItIsToldTo(t *testing.T) {
	t.Parallel()
	s, now := started(t)
	silent := follow(t, s, now.At, replica.Options{})
	go func() { _, _ = io.Copy(io.Discard, silent) }()
	set(t, s, "a", "b")
	silent.Stored(current(t, s).Offset)
	if n := waiters(t, s); n != 0 {
		t.Errorf("WAIT counts %d", n)
	}
	telling := follow(t, s, now.At, replica.Options{Acknowledge: true})
	go func() { _, _ = io.Copy(io.Discard, telling) }()
	set(t, s, "c", "d")
	if n := waiters(t, s); n != 0 {
		t.Errorf("nothing is stored, WAIT counts %d", n)
	}
	telling.Stored(1 << 40)
	telling.Stored(1) // takes nothing back
	set(t, s, "e", "f")
	testkit.WaitFor(t, "WAIT counts what is stored", func() bool { return waiters(t, s) == 1 })
}

// A node gives up a replica that it has not heard of for repl-timeout; a link that acknowledges nothing must outlive that.
func TestALinkOutlivesTheNodesReplTimeout(t *testing.T) {
	t.Parallel()
	s, now := started(t, "--repl-timeout", "4", "--repl-ping-replica-period", "1")
	l := follow(t, s, now.At, replica.Options{IdleTimeout: time.Minute})
	set(t, s, "a", "b")
	var got strings.Builder
	p := make([]byte, 1<<10)
	for strings.Count(strings.ToUpper(got.String()), "PING") < 7 { // one in each second
		n, err := l.Read(p)
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(p[:n])
	}
	if n := stat(t, s, "replication", "connected_slaves"); n != "1" {
		t.Errorf("%s replicas", n)
	}
	if n := waiters(t, s); n != 0 { // although it has been heard of meanwhile
		t.Errorf("WAIT counts %d", n)
	}
}

func TestANodeThatFallsSilentIsDead(t *testing.T) {
	t.Parallel()
	s, now := started(t)
	l := follow(t, s, now.At, replica.Options{IdleTimeout: 300 * time.Millisecond})
	s.Signal(syscall.SIGSTOP)
	defer s.Signal(syscall.SIGCONT)
	if _, err := io.Copy(io.Discard, l); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n, err := l.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("then %d, %v", n, err)
	}
}

func TestALinkEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, now := started(t)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	l, err := replica.Follow(ctx, of(s), now.At, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	time.AfterFunc(10*time.Millisecond, func() { cancel(enough) })
	if _, err := io.Copy(io.Discard, l); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	testkit.WaitFor(t, "the node lets go", func() bool { return stat(t, s, "replication", "connected_slaves") == "0" })
}

func TestFollowSignsIn(t *testing.T) {
	t.Parallel()
	s, now := started(t, "--requirepass", "hidden")
	if err := s.Client().Do(t.Context(), "ACL", "SETUSER", "backup", "on", ">secret", "-@all", "+psync", "+replconf", "+info", "+ping").Err(); err != nil {
		t.Fatal(err)
	}
	src := replica.Source{Options: resp.Options{Addr: s.Addr, Username: "backup", Password: "secret"}}
	l, err := replica.Follow(t.Context(), src, now.At, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	readUntil(t, l, set(t, s, "a", "b"))
	src.Password = "wrong"
	if _, err := replica.Follow(t.Context(), src, now.At, replica.Options{}); !errors.Is(err, replica.ErrAuth) {
		t.Errorf("%v", err)
	}
	if _, err := replica.Current(t.Context(), src); !errors.Is(err, replica.ErrAuth) {
		t.Errorf("%v", err)
	}
}

func TestFollowsOverTLS(t *testing.T) {
	t.Parallel()
	certs := testkit.NewCertificates(t)
	port := fmt.Sprint(testkit.FreePort(t))
	s := testkit.Redis(t, "--tls-port", port, "--tls-cert-file", certs.Certificate, "--tls-key-file", certs.Key, "--tls-ca-cert-file", certs.CA, "--tls-auth-clients", "no")
	pem, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	src := replica.Source{Options: resp.Options{Addr: net.JoinHostPort("127.0.0.1", port), TLS: &tls.Config{RootCAs: roots}}}
	stream, err := replica.Open(t.Context(), src, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	now, err := replica.Current(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	l, err := replica.Follow(t.Context(), src, now.At, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	readUntil(t, l, set(t, s, "a", strings.Repeat("b", 300_000)))
}

// A server that has given PSYNC another name takes it for SYNC, and forks.
func TestFollowLeavesANodeWithRenamedPSYNCAlone(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, "--rename-command", "PSYNC", "hiddenpsync")
	src := of(s)
	if _, err := replica.Follow(t.Context(), src, replica.At{ReplicationID: strings.Repeat("0", 40)}, replica.Options{}); err == nil {
		t.Error("followed")
	}
	src.PSYNC = "hiddenpsync"
	_, err := replica.Follow(t.Context(), src, replica.At{ReplicationID: strings.Repeat("0", 40)}, replica.Options{})
	if !errors.Is(err, replica.ErrRenamed) || !errors.Is(err, replica.ErrNoContinue) {
		t.Errorf("%v", err)
	}
	if syncs := stat(t, s, "stats", "sync_full"); syncs != "0" {
		t.Errorf("%s full synchronisations", syncs)
	}
}

func TestFollowUnderstandsWhatANodeMayAnswer(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		"+FULLRESYNC " + mark + " 77\r\n":                       replica.ErrNoContinue,
		"\n\n$12345\r\n":                                        replica.ErrNoContinue,
		"-NOMASTERLINK Can't SYNC while not connected\r\n":      replica.ErrNoMasterLink,
		"-LOADING Redis is loading the dataset in memory\r\n":   replica.ErrLoading,
		"-NOAUTH Authentication required.\r\n":                  replica.ErrAuth,
		"-NOPERM this user has no permissions to run 'psync'":   io.ErrUnexpectedEOF,
		"-ERR unknown command 'PSYNC', with args beginning\r\n": replica.ErrRefused,
		"+CONTINUE a b\r\n":                                     resp.ErrProtocol,
		"what?\r\n":                                             resp.ErrProtocol,
		"":                                                      io.ErrUnexpectedEOF,
	} {
		n := &node{pieces: []string{answer}, hangUp: true}
		_, err := replica.Follow(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.At{ReplicationID: mark, Offset: 76}, replica.Options{})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	for answer, id := range map[string]string{"\n+CONTINUE\r\nabc": mark, "+CONTINUE " + strings.Repeat("1", 40) + "\r\nabc": strings.Repeat("1", 40)} {
		n := &node{pieces: pieces(answer, 1), hangUp: true}
		l, err := replica.Follow(t.Context(), replica.Source{Options: resp.Options{Addr: n.start(t)}}, replica.At{ReplicationID: mark, Offset: 76}, replica.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(l)
		if string(got) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) || l.Offset() != 79 || l.ReplicationID() != id {
			t.Errorf("%q, %v, at %d of %s", got, err, l.Offset(), l.ReplicationID())
		}
		l.Close()
	}
}

// With other engines, what matters most: the stream goes on where it was left.
func TestFollowsOtherEngines(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"redis-6.0", "redis-8.0", "valkey-9.1"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := testkit.Engine(t, testkit.Fetched(t, engine))
			stream, err := replica.Open(t.Context(), of(s), replica.Options{})
			if err != nil {
				t.Fatal(err)
			}
			stream.Close()
			l := follow(t, s, current(t, s).At, replica.Options{})
			got := readUntil(t, l, set(t, s, "a", "b"))
			l.Close()
			set(t, s, "c", "d")
			again := follow(t, s, replica.At{ReplicationID: l.ReplicationID(), Offset: l.Offset()}, replica.Options{})
			got += readUntil(t, again, set(t, s, "e", "f"))
			if strings.Count(got, "set") != 3 || again.Offset() != current(t, s).Offset {
				t.Errorf("%q up to %d, the node is at %d", got, again.Offset(), current(t, s).Offset)
			}
		})
	}
}
