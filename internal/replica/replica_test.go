package replica_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// receive reads a whole RDB and has it checked twice: by this project's scanner and by redis-check-rdb.
func receive(t *testing.T, src replica.Source) ([]byte, rdb.Summary, replica.Origin) {
	t.Helper()
	s, err := replica.Open(t.Context(), src, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var data bytes.Buffer
	sum, err := rdb.NewScanner(io.TeeReader(s, &data)).Scan()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read behind the end: %d, %v", n, err)
	}
	path := filepath.Join(t.TempDir(), "dump.rdb")
	if err := os.WriteFile(path, data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.CheckRDB(t, path)
	return data.Bytes(), sum, s.Origin()
}

func TestReceivesEverythingFromAPrimary(t *testing.T) {
	t.Parallel()
	for _, compression := range []string{"yes", "no"} {
		t.Run("rdbcompression "+compression, func(t *testing.T) {
			t.Parallel()
			source := testkit.Redis(t, "--rdbcompression", compression)
			keys := int64(testkit.Fill(t, source.Client(), 2000))
			data, sum, origin := receive(t, replica.Source{Options: resp.Options{Addr: source.Addr}})
			if !sum.StatsKnown || sum.Keys != keys || origin.Keys != keys {
				t.Errorf("%d keys written, INFO said %d, scanned %+v", keys, origin.Keys, sum)
			}
			if origin.Engine != testkit.EngineName(t) || origin.Version != sum.Aux[origin.Engine+"-ver"] || origin.Role != "primary" ||
				len(origin.ReplicationID) != 40 || origin.UsedMemory == 0 || origin.Length != -1 {
				t.Errorf("origin %+v", origin)
			}
			restored := load(t, data)
			if diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, restored.Client())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// load starts a server on an RDB.
func load(t *testing.T, data []byte) *testkit.Server {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "copy.rdb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return testkit.Redis(t, "--dir", dir, "--dbfilename", "copy.rdb")
}

func TestReceivesFromAReadReplica(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	keys := int64(testkit.Fill(t, primary.Client(), 300))
	node := replicaOf(t, primary)
	_, sum, origin := receive(t, replica.Source{Options: resp.Options{Addr: node.Addr}})
	if sum.Keys != keys || origin.Role != "replica" {
		t.Errorf("%d keys written, %+v from %+v", keys, sum, origin)
	}
}

func replicaOf(t *testing.T, primary *testkit.Server) *testkit.Server {
	t.Helper()
	node := testkit.Redis(t)
	if err := node.Client().ReplicaOf(t.Context(), "127.0.0.1", strings.TrimPrefix(primary.Addr, "127.0.0.1:")).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the replica's link", func() bool {
		return strings.Contains(node.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return node
}

func TestReceivesWithALengthFromANodeThatWritesAFileFirst(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t, "--repl-diskless-sync", "no")
	keys := int64(testkit.Fill(t, source.Client(), 500))
	data, sum, origin := receive(t, replica.Source{Options: resp.Options{Addr: source.Addr}})
	if sum.Keys != keys || origin.Length != int64(len(data)) {
		t.Errorf("%d keys and %d bytes, %+v from %+v", keys, len(data), sum, origin)
	}
}

func TestReceivesFromAnEmptyNode(t *testing.T) {
	t.Parallel()
	_, sum, origin := receive(t, replica.Source{Options: resp.Options{Addr: testkit.Redis(t).Addr}})
	if sum.Keys != 0 || origin.Keys != 0 {
		t.Errorf("%+v from %+v", sum, origin)
	}
}

func TestReceivesThroughSmallReads(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	keys := int64(testkit.Fill(t, source.Client(), 200))
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var data bytes.Buffer
	for p := make([]byte, 7); ; {
		n, err := s.Read(p)
		data.Write(p[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := rdb.NewScanner(&data).Scan(); err != nil || sum.Keys != keys {
		t.Errorf("%d keys written, %+v, %v", keys, sum, err)
	}
}

func TestSignsIn(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t, "--requirepass", "s3cret")
	ctx := t.Context()
	rules := []any{"ACL", "SETUSER", "backup", "on", ">pw", "+psync", "+replconf", "+info", "+ping"}
	for _, args := range [][]any{rules, {"ACL", "SETUSER", "reader", "on", ">pw", "+@read", "+info"}} {
		if err := source.Client().Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		user, password string
		want           error
	}{
		"with the password":           {"", "s3cret", nil},
		"as a user with few rights":   {"backup", "pw", nil},
		"not with a wrong one":        {"", "guess", replica.ErrAuth},
		"not without":                 {"", "", replica.ErrAuth},
		"not without the right to it": {"reader", "pw", replica.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := replica.Source{Options: resp.Options{Addr: source.Addr, Username: c.user, Password: secret.Text(c.password)}}
			s, err := replica.Open(ctx, src, replica.Options{})
			if s != nil {
				defer s.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestSaysWhatIsWrongWithTheNode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		password string
		want     error
	}{
		"PSYNC renamed":     {[]string{"--rename-command", "PSYNC", "XPSYNC"}, "", replica.ErrRefused},
		"REPLCONF disabled": {[]string{"--rename-command", "REPLCONF", ""}, "", replica.ErrRefused},
		"cut replica":       {[]string{"--replicaof", "127.0.0.1 1"}, "", replica.ErrNoMasterLink},
		"cut and silent":    {[]string{"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"}, "", replica.ErrNoMasterLink},
		"needs no password": {nil, "s3cret", replica.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Redis(t, c.args...)
			_, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: node.Addr, Password: secret.Text(c.password)}}, replica.Options{})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	if _, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: "127.0.0.1:1"}}, replica.Options{}); err == nil {
		t.Error("accepted")
	}
}

// slow is a node whose RDB takes long: rdb-key-save-delay makes the child wait after each key.
func slow(t *testing.T) *testkit.Server {
	t.Helper()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 2000)
	if err := source.Client().ConfigSet(t.Context(), "rdb-key-save-delay", "2000").Err(); err != nil {
		t.Fatal(err)
	}
	return source
}

func TestSourceKilledWhileItSends(t *testing.T) {
	t.Parallel()
	source := slow(t)
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := io.ReadFull(s, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	source.Kill()
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestSourceKilledWhileItWritesItsFile(t *testing.T) {
	t.Parallel()
	source := slow(t)
	if err := source.Client().ConfigSet(t.Context(), "repl-diskless-sync", "no").Err(); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error)
	go func() {
		_, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{})
		opened <- err
	}()
	testkit.WaitFor(t, "the sync to begin", func() bool { return strings.Contains(source.Log(), "BGSAVE for SYNC") })
	source.Kill()
	if err := <-opened; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestCancelEndsItAtOnce(t *testing.T) {
	t.Parallel()
	source := slow(t)
	stopped := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := replica.Open(ctx, replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begun := time.Now()
	time.AfterFunc(30*time.Millisecond, func() { cancel(stopped) })
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	// The node must notice too: a child that nobody listens to costs it memory.
	testkit.WaitFor(t, "the node to end the child", func() bool {
		return strings.Contains(source.Client().Info(t.Context(), "persistence").Val(), "rdb_bgsave_in_progress:0")
	})
	if _, err := replica.Open(ctx, replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{}); !errors.Is(err, stopped) {
		t.Errorf("Open with a dead context: %v", err)
	}
}

func TestCloseEndsIt(t *testing.T) {
	t.Parallel()
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: slow(t).Addr}}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := io.Copy(io.Discard, s); err == nil {
		t.Error("a closed stream ended well")
	}
}

func TestReceivesOverTLSAndUnderARenamedCommand(t *testing.T) {
	t.Parallel()
	files := testkit.NewCertificates(t)
	port := strconv.Itoa(testkit.FreePort(t))
	source := testkit.Redis(t, "--tls-port", port, "--tls-cert-file", files.Certificate, "--tls-key-file", files.Key, "--tls-ca-cert-file", files.CA,
		"--rename-command", "PSYNC", "COPY-ALL")
	keys := int64(testkit.Fill(t, source.Client(), 20_000))
	own, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	secured := resp.Options{Addr: net.JoinHostPort("127.0.0.1", port), TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}}
	if _, err := replica.Open(t.Context(), replica.Source{Options: secured}, replica.Options{}); !errors.Is(err, replica.ErrRefused) {
		t.Errorf("by its usual name: %v", err)
	}
	if _, sum, _ := receive(t, replica.Source{Options: secured, PSYNC: "COPY-ALL"}); sum.Keys != keys {
		t.Errorf("%d keys came, %d were written", sum.Keys, keys)
	}
}
