package local

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/authority"
	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

// secured connects to a node as a client that trusts these authorities.
func secured(t *testing.T, n launch.Node, trusted string) (*resp.Conn, error) {
	t.Helper()
	config, err := authority.Trust(trusted)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := resp.Dial(t.Context(), resp.Options{Addr: record{Host: n.Host, Port: n.Port}.addr(), Password: n.Password, TLS: config})
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// ask has a node do a command and returns its answer.
func ask(t *testing.T, conn *resp.Conn, args ...string) string {
	t.Helper()
	v, err := conn.Do(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return v.Str
}

func trusted(t *testing.T, l *Launcher) string {
	t.Helper()
	certificates, err := l.Authority(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return certificates
}

func TestANodeThatEncryptsSpeaksTLSAndNothingElse(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	first := start(t, l, launch.Node{Host: "127.0.0.1", TLS: true, Password: "geheim"})
	second := start(t, l, launch.Node{Name: "shop-002", Host: "127.0.0.1", TLS: true, Password: "geheim", PrimaryHost: "127.0.0.1", PrimaryPort: first.Port, SavePoints: true})

	conn, err := secured(t, first, trusted(t, l))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, conn, "SET", "key", "value")
	replica, err := secured(t, second, trusted(t, l))
	if err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the replica to have the key", func() bool { return ask(t, replica, "GET", "key") == "value" })

	other := newLocal(t, t.TempDir())
	if _, err := secured(t, first, trusted(t, other)); err == nil {
		t.Error("a client that trusts another authority connects")
	}
	if plain, err := resp.Dial(t.Context(), resp.Options{Addr: record{Host: "127.0.0.1", Port: first.Port}.addr(), Password: "geheim", Timeout: 5 * time.Second}); err == nil {
		_ = plain.Close()
		t.Error("it answers without TLS")
	}
	found, err := newLocal(t, l.dir).Describe(t.Context(), first.Cluster, first.Name)
	if err != nil || !found.TLS || found.CA != trusted(t, l) {
		t.Errorf("described as TLS %v with CA %q: %v", found.TLS, found.CA, err)
	}
	for _, file := range []string{certFile, caFile} {
		if info, err := os.Stat(filepath.Join(dirOf(l, first), file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", file, info.Mode(), err)
		}
	}
	for _, n := range []launch.Node{second, first} {
		if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
			t.Error(err)
		}
	}
	if saved, err := l.Saved(t.Context(), second.Cluster, second.Name); err != nil || !saved.Exists {
		t.Errorf("asked to save, it has saved %v, %v", saved.Exists, err)
	}
}

// certificate is the one by which a node proves itself to a client.
func certificate(t *testing.T, n launch.Node) (begins time.Time, serial string) {
	t.Helper()
	conn, err := tls.Dial("tcp", record{Host: n.Host, Port: n.Port}.addr(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	leaf := conn.ConnectionState().PeerCertificates[0]
	return leaf.NotBefore, leaf.SerialNumber.String()
}

// renew has a node's certificate renewed, if that is due.
func renew(t *testing.T, l *Launcher, n launch.Node) bool {
	t.Helper()
	renewed, err := l.Renew(t.Context(), n.Cluster, n.Name)
	if err != nil {
		t.Fatal(err)
	}
	return renewed
}

func TestACertificateIsRenewedWhileTheNodeRuns(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, c := range []struct {
		what    string
		age     time.Duration
		renewed bool
	}{
		{"fresh", 0, false},
		{"that ends soon", 300 * day, true},
		{"that has ended while no console was there", 400 * day, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			old := newLocal(t, t.TempDir())
			old.opts.Now = func() time.Time { return time.Now().Add(-c.age) }
			n := start(t, old, launch.Node{Host: "127.0.0.1", TLS: true, Password: "geheim"})
			pid := server(t, old, n)
			_, before := certificate(t, n)

			l := newLocal(t, old.dir)
			if got := renew(t, l, n); got != c.renewed {
				t.Errorf("renewed: %v, want %v", got, c.renewed)
			}
			began, after := certificate(t, n)
			if (before != after) != c.renewed || time.Since(began) > day {
				t.Errorf("it proves itself by a certificate of %v, changed: %v", began, before != after)
			}
			if renew(t, l, n) {
				t.Error("it is renewed again and again")
			}
			if conn, err := secured(t, n, trusted(t, l)); err != nil || ask(t, conn, "PING") != "PONG" {
				t.Error(err)
			}
			if now := server(t, l, n); now != pid {
				t.Error("it was started again")
			}
		})
	}
}

func TestACertificateThatWasWrittenAndNotLoadedIsLoaded(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Host: "127.0.0.1", TLS: true})
	if err := os.Remove(filepath.Join(dirOf(l, n), certFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.certify(dirOf(l, n), n.Host); err != nil { // and here the console is killed
		t.Fatal(err)
	}
	_, before := certificate(t, n)
	if renewed := renew(t, l, n); !renewed {
		t.Error("it was not renewed")
	}
	if _, after := certificate(t, n); after == before {
		t.Error("it proves itself by the old certificate still")
	}
}

func TestAnAuthorityIsReplacedUnderRunningNodes(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	first := start(t, l, launch.Node{Host: "127.0.0.1", TLS: true, Password: "geheim"})
	second := start(t, l, launch.Node{Name: "shop-002", Host: "127.0.0.1", TLS: true, Password: "geheim", PrimaryHost: "127.0.0.1", PrimaryPort: first.Port})
	before := trusted(t, l)
	if err := l.ReplaceAuthority(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := trusted(t, l); now == before || !strings.Contains(now, before) {
		t.Error("the new authority does not name the old one")
	}
	if !renew(t, l, first) { // the replica has its old certificate still
		t.Error("not renewed by the new authority")
	}
	for _, ca := range []string{before, trusted(t, l)} {
		for _, n := range []launch.Node{first, second} {
			if conn, err := secured(t, n, ca); err != nil || ask(t, conn, "PING") != "PONG" {
				t.Errorf("%s: %v", n.Name, err)
			}
		}
	}
	replica, err := secured(t, second, before)
	if err != nil {
		t.Fatal(err)
	}
	primary, err := secured(t, first, before)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, primary, "CLIENT", "KILL", "TYPE", "replica") // so that it connects anew, and judges the new certificate
	ask(t, primary, "SET", "key", "value")
	testkit.WaitFor(t, "the replica to connect to a primary with a certificate by the new authority", func() bool { return ask(t, replica, "GET", "key") == "value" })
}

func TestOnlyRunningNodesThatEncryptAreCertifiedAnew(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	plain := start(t, l, launch.Node{Host: "127.0.0.1"})
	stopped := start(t, l, launch.Node{Name: "shop-002", Host: "127.0.0.1", TLS: true})
	if err := l.Stop(context.Background(), stopped.Cluster, stopped.Name, launch.NoSave); err != nil {
		t.Fatal(err)
	}
	for _, n := range []launch.Node{plain, stopped, {Cluster: "shop", Name: "none"}} {
		if renew(t, l, n) {
			t.Errorf("%s was certified anew", n.Name)
		}
	}
}

func TestWhatANodeIsReachedBy(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][]string{"10.0.0.7": {"10.0.0.7", "localhost", "127.0.0.1", "::1"}, "127.0.0.1": {"127.0.0.1", "localhost", "::1"},
		"db.test": {"db.test", "localhost", "127.0.0.1", "::1"}} {
		if got := names(host); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
	announced := New(t.TempDir(), nil, Options{Announce: "db.example.com"})
	if got := announced.names("127.0.0.1"); !slices.Equal(got, []string{"127.0.0.1", "localhost", "::1", "db.example.com"}) {
		t.Errorf("with an announced host: %v", got)
	}
	if everywhere := names("0.0.0.0"); !slices.Contains(everywhere, "0.0.0.0") || !slices.Contains(everywhere, "127.0.0.1") || len(everywhere) < 4 {
		t.Errorf("everywhere: %v", everywhere)
	}
}

func TestAnEngineWithoutTLSIsSaidClearly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "redis-server") // says what one says that does not know the directive
	script := "#!/bin/sh\n[ \"$1\" = --version ] && echo 'Redis server v=6.9.9 sha=0' && exit\nprintf \"*** FATAL CONFIG FILE ERROR (Redis 6.9.9) ***\\n" +
		"Reading the configuration file, at line 4\\n>>> 'tls-port 1234'\\nBad directive or wrong number of arguments\\n\"; exit 1\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	l := New(filepath.Join(dir, "nodes"), nil, Options{EnginePaths: []string{path}})
	err := l.Start(t.Context(), launch.Node{Cluster: "shop", Name: "shop-001", Version: "6.9.9", Port: testkit.FreePort(t), TLS: true})
	if !errors.Is(err, launch.ErrNoTLS) {
		t.Errorf("got %v", err)
	}
}
