package authority

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// open opens the authority in a file.
func open(t *testing.T, path string, now time.Time) *Authority {
	t.Helper()
	a, err := Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue hands out a certificate for this host.
func issue(t *testing.T, a *Authority, now time.Time, hosts ...string) []byte {
	t.Helper()
	issued, err := a.Issue(hosts, now)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// connect has a client that trusts these authorities connect to a server with this certificate at an instant.
func connect(t *testing.T, trusted string, issued []byte, host string, at time.Time) error {
	t.Helper()
	own, err := tls.X509KeyPair(issued, issued)
	if err != nil {
		t.Fatal(err)
	}
	client, err := Trust(trusted)
	if err != nil {
		t.Fatal(err)
	}
	client.ServerName, client.Time = host, func() time.Time { return at }
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func TestACertificateProvesItsHostsToWhoTrustsTheAuthority(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	path := filepath.Join(dir, "nodes", "authority.pem")
	a := open(t, path, now)
	issued := issue(t, a, now, "10.0.0.7", "db.test")
	if again := open(t, path, now); again.Certificates() != a.Certificates() {
		t.Error("opened again, it is another authority")
	}
	other := open(t, filepath.Join(dir, "other.pem"), now)
	for _, c := range []struct {
		what, trusted, host string
		at                  time.Time
		good                bool
	}{
		{"the address", a.Certificates(), "10.0.0.7", now, true},
		{"the name", a.Certificates(), "db.test", now, true},
		{"its last day", a.Certificates(), "db.test", now.Add(leafLifetime - day), true},
		{"another address", a.Certificates(), "10.0.0.8", now, false},
		{"another authority", other.Certificates(), "10.0.0.7", now, false},
		{"when it has ended", a.Certificates(), "10.0.0.7", now.Add(leafLifetime + day), false},
	} {
		if err := connect(t, c.trusted, issued, c.host, c.at); (err == nil) != c.good {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode(), err, mode)
		}
	}
	if strings.Contains(a.Certificates(), "PRIVATE") {
		t.Error("the private key is given out")
	}
}

func TestACertificateIsReplacedInGoodTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "authority.pem")
	a := open(t, path, now)
	issued := issue(t, a, now, "10.0.0.7", "localhost")
	replaced, err := Replace(filepath.Join(path), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		by    *Authority
		hosts []string
		at    time.Time
		want  bool
	}{
		{"fresh", a, []string{"10.0.0.7"}, now, true},
		{"two thirds later", a, []string{"10.0.0.7", "localhost"}, now.Add(leafLifetime - leafRenewBefore), true},
		{"a day later", a, []string{"10.0.0.7"}, now.Add(leafLifetime - leafRenewBefore + day), false},
		{"another host", a, []string{"10.0.0.7", "10.0.0.8"}, now, false},
		{"another authority", replaced, []string{"10.0.0.7"}, now, false},
	} {
		if got := c.by.Serves(issued, c.hosts, c.at); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if a.Serves([]byte("nonsense"), nil, now) {
		t.Error("nonsense serves")
	}
}

func TestAnAuthorityVouchesForTheOneThatReplacesIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "authority.pem")
	first := open(t, path, now)
	before := issue(t, first, now, "10.0.0.7")
	if _, err := Replace(path, now); err != nil {
		t.Fatal(err)
	}
	second := open(t, path, now)
	third, err := Replace(path, now)
	if err != nil {
		t.Fatal(err)
	}
	issued := issue(t, third, now, "10.0.0.7")
	for what, trusted := range map[string]string{"the first one": first.Certificates(), "the first two": second.Certificates(), "all": third.Certificates(),
		"the newest alone": string(encode(third.own)), "the second alone": string(encode(second.own))} {
		if err := connect(t, trusted, issued, "10.0.0.7", now); err != nil {
			t.Errorf("who knows %s: %v", what, err)
		}
	}
	if err := connect(t, third.Certificates(), before, "10.0.0.7", now); err != nil {
		t.Errorf("a node that still has its old certificate: %v", err)
	}
}

func TestAnAuthorityGrowsOld(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "authority.pem")
	first := open(t, path, now)
	if later := open(t, path, now.Add(lifetime-renewBefore-day)); later.Certificates() != first.Certificates() {
		t.Error("it was replaced too early")
	}
	then := now.Add(lifetime - renewBefore + day)
	second := open(t, path, then)
	if second.own.Equal(first.own) || len(second.former) != 1 {
		t.Fatal("it was not replaced")
	}
	if third := open(t, path, then.Add(lifetime-renewBefore+day)); len(third.former) != 1 || !third.former[0].Equal(second.own) {
		t.Errorf("%d authorities before it, want the last one alone: the first has ended", len(third.former))
	}
}

func TestOpenedByManyAtOnceItIsOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authority.pem")
	var opens sync.WaitGroup
	got := make([]string, 20)
	for i := range got {
		opens.Go(func() {
			if a, err := Open(path, time.Now()); err != nil {
				t.Error(err)
			} else {
				got[i] = a.Certificates()
			}
		})
	}
	opens.Wait()
	for _, certificates := range got {
		if certificates != got[0] {
			t.Fatal("there were two authorities")
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files, %v; want one", len(left), err)
	}
}

func TestADamagedAuthorityIsNotReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authority.pem")
	whole := open(t, path, time.Now())
	for what, text := range map[string]string{"empty": "", "without its key": whole.Certificates(), "a key alone": string(encodeKey(whole.key)),
		"cut": strings.ReplaceAll(string(whole.file()), "\nM", "\nA")} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, time.Now()); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%s: the file was changed (%v)", what, err)
		}
	}
	if _, err := Trust("nonsense"); err == nil {
		t.Error("nonsense is trusted")
	}
}
