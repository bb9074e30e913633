package primary_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/digest"
	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// fastLoad is how launched nodes are configured: load from the socket. The other way is Redis's default.
var loads = map[string][]string{
	"from the socket": {"--repl-diskless-load", "on-empty-db"},
	"from a file":     {"--repl-diskless-load", "disabled"},
}

// saved returns the RDB that a server saves.
func saved(t *testing.T, s *testkit.Server) []byte {
	t.Helper()
	if err := s.Client().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// dumpOf describes an RDB that is whole.
func dumpOf(t testing.TB, data []byte) primary.Dump {
	t.Helper()
	sum, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
	if err != nil {
		t.Fatal(err)
	}
	hash := digest.New()
	_, _ = hash.Write(data)
	return primary.Dump{
		Length: int64(len(data)), Digest: hash.Digest(), Version: sum.Version, Keys: sum.Keys, Expires: sum.Expires,
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

// reading is the dump with other readers, each in its turn behind the others.
func reading(d primary.Dump, readers func() []io.Reader) primary.Dump {
	d.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(readers()...)), nil }
	return d
}

func targetOf(s *testkit.Server) primary.Target {
	return primary.Target{Addr: s.Addr, Password: secret.Text(s.Password())}
}

// wantAsBefore fails when a living target is not the empty primary that it was, or its settings were not put back.
func wantAsBefore(t *testing.T, s *testkit.Server, masterauth string) {
	t.Helper()
	if role := field(t, s, "role"); role != "master" {
		t.Errorf("the target is a %s, want a master as before", role)
	}
	wantNoKeys(t, s)
	wantMasterauth(t, s, masterauth)
}

func wantNoKeys(t *testing.T, s *testkit.Server) {
	t.Helper()
	info, err := s.Client().Info(t.Context(), "keyspace").Result()
	if err != nil || strings.Contains(info, "keys=") {
		t.Errorf("the target holds %q, %v; want nothing", info, err)
	}
}

func wantMasterauth(t *testing.T, s *testkit.Server, want string) {
	t.Helper()
	got, err := s.Client().ConfigGet(t.Context(), "masterauth").Result()
	if err != nil || got["masterauth"] != want {
		t.Errorf("masterauth is %q, %v; want %q as before", got["masterauth"], err, want)
	}
}

func field(t testing.TB, s *testkit.Server, name string) string {
	t.Helper()
	info, err := s.Client().Info(t.Context(), "everything").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}

func TestFeedMakesAnEqualPrimary(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	keys := testkit.Fill(t, source.Client(), 2000)
	dump := dumpOf(t, saved(t, source))
	want := testkit.Digests(t, source.Client())
	for name, args := range loads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, append(args, "--requirepass", "open sesame", "--masterauth", "as before", "--masteruser", "somebody")...)
			var progress []int64
			result, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{OnProgress: func(sent int64) { progress = append(progress, sent) }})
			if err != nil || result.Keys != int64(keys) || result.Expired != 0 {
				t.Fatalf("Feed = %+v, %v; want %d keys", result, err, keys)
			}
			if diff := testkit.Diff(want, testkit.Digests(t, target.Client())); diff != "" {
				t.Error(diff)
			}
			if role := field(t, target, "role"); role != "master" {
				t.Errorf("role %s", role)
			}
			wantMasterauth(t, target, "as before")
			if user, err := target.Client().ConfigGet(t.Context(), "masteruser").Result(); err != nil || user["masteruser"] != "somebody" {
				t.Errorf("masteruser is %v, %v", user, err)
			}
			if len(progress) == 0 || progress[len(progress)-1] != dump.Length || int64(len(progress)) > 2+dump.Length/(256<<10) {
				t.Errorf("progress %v of %d", progress, dump.Length)
			}
		})
	}
}

func TestFeedCountsKeysWhoseTimeHasPassed(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 100)
	client := source.Client()
	if err := client.Do(t.Context(), "DEBUG", "SET-ACTIVE-EXPIRE", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := client.Set(t.Context(), fmt.Sprintf("short:%d", i), "x", time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
	}
	dump := dumpOf(t, saved(t, source))
	target := testkit.Redis(t)
	result, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{})
	if err != nil || result.Keys+result.Expired != dump.Keys || result.Expired > 50 {
		t.Fatalf("Feed = %+v, %v; want %d keys together", result, err, dump.Keys)
	}
}

func TestFeedRefusesBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 10)
	good := dumpOf(t, saved(t, source))
	newer, unhashed := good, good
	newer.Version = 999
	unhashed.Digest = "?"
	for name, test := range map[string]struct {
		args []string
		dump primary.Dump
		fill bool
		want error
	}{
		"target with keys":       {dump: good, fill: true, want: primary.ErrNotEmpty},
		"RDB of a newer version": {dump: newer, want: primary.ErrVersion},
		"dump without a hash":    {dump: unhashed, want: primary.ErrHash},
		"target in cluster mode": {dump: good, args: []string{"--cluster-enabled", "yes"}, want: primary.ErrRefused},
		"target without CONFIG":  {dump: good, args: []string{"--rename-command", "CONFIG", ""}, want: primary.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, test.args...)
			if test.fill {
				if err := target.Client().Set(t.Context(), "precious", "x", 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			test.dump.Open = func(context.Context) (io.ReadCloser, error) {
				t.Error("the dump was opened")
				return nil, errors.New("opened")
			}
			if _, err := primary.Feed(t.Context(), targetOf(target), test.dump, primary.Options{}); !errors.Is(err, test.want) {
				t.Errorf("Feed = %v, want %v", err, test.want)
			}
			if role := field(t, target, "role"); role != "master" {
				t.Errorf("the target is a %s now", role)
			}
			if strings.Contains(target.Log(), "REPLICAOF") {
				t.Error("the target was told REPLICAOF")
			}
			if n, err := target.Client().DBSize(t.Context()).Result(); err != nil || test.fill != (n == 1) {
				t.Errorf("the target holds %d keys, %v", n, err)
			}
		})
	}
}

func TestFeedSaysWhichRightsTheUserLacks(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	dump := dumpOf(t, saved(t, source))
	for _, lacking := range []string{"config|set", "config|get", "replicaof", "info"} {
		if err := target.Client().Do(t.Context(), "ACL", "SETUSER", "restorer", "reset", "on", ">pw", "+@all", "-"+lacking).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := primary.Feed(t.Context(), primary.Target{Addr: target.Addr, Username: "restorer", Password: "pw"}, dump, primary.Options{})
		if !errors.Is(err, primary.ErrRefused) || !strings.Contains(err.Error(), "+"+lacking) {
			t.Errorf("Feed without %s = %v, want ErrRefused and the rights", lacking, err)
		}
		wantAsBefore(t, target, "")
	}
}

func TestFeedRefusesAReplica(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	dump := dumpOf(t, saved(t, source))
	replica := testkit.Redis(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(source.Port))
	if _, err := primary.Feed(t.Context(), targetOf(replica), dump, primary.Options{}); !errors.Is(err, primary.ErrRefused) {
		t.Errorf("Feed of a replica = %v, want ErrRefused", err)
	}
	testkit.WaitFor(t, "the replica's link", func() bool { return field(t, source, "connected_slaves") == "1" })
	if _, err := primary.Feed(t.Context(), targetOf(source), dump, primary.Options{}); !errors.Is(err, primary.ErrRefused) {
		t.Errorf("Feed of a primary with a replica = %v, want ErrRefused", err)
	}
}

// The end of bad data is never sent, so the target has nothing to promote: it is empty, or it has exited over the cut.
func TestFeedNeverFinishesBadData(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 2000)
	data := saved(t, source)
	good := dumpOf(t, data)
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	lastByte := bytes.Clone(data)
	lastByte[len(lastByte)-1] ^= 1
	broken := errors.New("the store broke")
	of := func(texts ...[]byte) func() []io.Reader {
		return func() (readers []io.Reader) {
			for _, text := range texts {
				readers = append(readers, bytes.NewReader(text))
			}
			return readers
		}
	}
	breaking := func(err error, text []byte) func() []io.Reader {
		return func() []io.Reader { return []io.Reader{bytes.NewReader(text), failing{err}} }
	}
	for name, test := range map[string]struct {
		readers func() []io.Reader // new ones for each feed
		want    error
	}{
		"a flipped bit":         {of(flipped), primary.ErrHash},
		"a flipped last bit":    {of(lastByte), primary.ErrHash},
		"a cut":                 {of(data[:len(data)/2]), primary.ErrHash},
		"a missing last byte":   {of(data[:len(data)-1]), primary.ErrHash},
		"a byte too many":       {of(data, []byte("x")), primary.ErrHash},
		"nothing":               {of(), primary.ErrHash},
		"an error in the midst": {breaking(broken, data[:len(data)/2]), broken},
		"an error at the end":   {breaking(broken, data), broken},
	} {
		for load, args := range loads {
			t.Run(name+", loaded "+load, func(t *testing.T) {
				t.Parallel()
				target := testkit.Redis(t, append(args, "--masterauth", "as before")...)
				if _, err := primary.Feed(t.Context(), targetOf(target), reading(good, test.readers), primary.Options{}); !errors.Is(err, test.want) {
					// A target that parses as it receives may come upon the damage first, and exit.
					if load != "from the socket" || !errors.Is(err, primary.ErrGone) {
						t.Errorf("Feed = %v, want %v", err, test.want)
					}
				}
				if strings.Contains(target.Log(), "Finished with success") {
					t.Error("the target has loaded it")
				}
				if target.Client().Ping(t.Context()).Err() == nil {
					wantAsBefore(t, target, "as before")
				} else if load == "from a file" {
					t.Error("the target died")
				}
			})
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFeedStopsWhenOpenFails(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	dump := dumpOf(t, saved(t, source))
	missing := errors.New("no such part")
	dump.Open = func(context.Context) (io.ReadCloser, error) { return nil, missing }
	if _, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{}); !errors.Is(err, missing) {
		t.Errorf("Feed = %v", err)
	}
	wantAsBefore(t, target, "")
}

// What filled its node before is taken into one like it, whole, though it is somewhat more than maxmemory now.
func TestFeedTakesWhatFittedBefore(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	if err := source.Client().Do(t.Context(), "DEBUG", "POPULATE", "20000", "key", "300").Err(); err != nil {
		t.Fatal(err)
	}
	dump := dumpOf(t, saved(t, source))
	dump.Fitted = true
	target := testkit.Redis(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction", "--masterauth", "as before")
	result, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{})
	if err != nil || result.Keys != 20000 || result.Memory <= 4<<20 {
		t.Errorf("Feed = %+v, %v", result, err)
	}
	if got := target.Client().ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "4194304" {
		t.Errorf("maxmemory is %s, want it put back", got)
	}
	if got := target.Client().DBSize(t.Context()).Val(); got != 20000 {
		t.Errorf("the target has %d keys", got)
	}
	wantMasterauth(t, target, "as before")
}

// A target that takes no writes before its data is there takes none after a failure either.
func TestFeedHoldsATargetThatWasHeld(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 100)
	want := testkit.Fingerprint(t, source.Client())
	good := dumpOf(t, saved(t, source))
	cut := good
	cut.Length--
	target := testkit.Redis(t, "--replicaof", primary.Nobody.Host+" "+strconv.Itoa(primary.Nobody.Port))
	held := func() {
		t.Helper()
		if role, port := field(t, target, "role"), field(t, target, "master_port"); role != "slave" || port != "1" {
			t.Errorf("the target is a %s of port %q, want a replica of nobody", role, port)
		}
		if err := target.Client().Set(t.Context(), "a", "b", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
			t.Errorf("a write is answered with %v, want READONLY", err)
		}
	}
	held()
	if _, err := primary.Feed(t.Context(), targetOf(target), cut, primary.Options{}); !errors.Is(err, primary.ErrHash) {
		t.Errorf("Feed = %v, want %v", err, primary.ErrHash)
	}
	held()
	wantNoKeys(t, target)
	if _, err := primary.Feed(t.Context(), targetOf(target), good, primary.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := testkit.Fingerprint(t, target.Client()); got != want || field(t, target, "role") != "master" {
		t.Errorf("the target is a %s, or has other data", field(t, target, "role"))
	}
}

// Data that is too big, or not what was counted, stays behind in a read-only replica of nobody.
func TestFeedDoesNotPromoteWhatIsNotRight(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	if err := source.Client().Do(t.Context(), "DEBUG", "POPULATE", "20000", "key", "300").Err(); err != nil {
		t.Fatal(err)
	}
	good := dumpOf(t, saved(t, source))
	more, unknown := good, good
	more.Keys++
	unknown.Keys, unknown.Expires = -1, -1
	for name, test := range map[string]struct {
		dump primary.Dump
		args []string
		want error
	}{
		"too big under allkeys-lru":                  {good, []string{"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"}, primary.ErrTooBig},
		"too big under noeviction":                   {good, []string{"--maxmemory", "4mb", "--maxmemory-policy", "noeviction"}, primary.ErrTooBig},
		"too big, and its keys are unknown":          {unknown, []string{"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"}, primary.ErrTooBig},
		"too big for a replica that heeds maxmemory": {unknown, []string{"--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru", "--replica-ignore-maxmemory", "no"}, primary.ErrTooBig},
		"another number of keys":                     {more, nil, primary.ErrCount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, append(test.args, "--masterauth", "as before")...)
			if _, err := primary.Feed(t.Context(), targetOf(target), test.dump, primary.Options{}); !errors.Is(err, test.want) {
				t.Errorf("Feed = %v, want %v", err, test.want)
			}
			if role, port := field(t, target, "role"), field(t, target, "master_port"); role != "slave" || port != "1" {
				t.Errorf("the target is a %s of port %q, want a replica of nobody", role, port)
			}
			wantMasterauth(t, target, "as before")
			if err := target.Client().Set(t.Context(), "a", "b", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
				t.Errorf("a write is answered with %v, want READONLY", err)
			}
		})
	}
}

// What goes on behind a whole RDB is not that RDB: the target must not get the end of it, however much comes behind.
func TestFeedNeverSendsTheEndOfWhatIsTooLong(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 100)
	data := saved(t, source)
	for load, args := range loads {
		t.Run(load, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, append(args, "--masterauth", "as before")...)
			long := reading(dumpOf(t, data), func() []io.Reader {
				return []io.Reader{bytes.NewReader(data), strings.NewReader(strings.Repeat("x", 4<<10))}
			})
			if _, err := primary.Feed(t.Context(), targetOf(target), long, primary.Options{}); !errors.Is(err, primary.ErrHash) {
				t.Errorf("Feed = %v, want %v", err, primary.ErrHash)
			}
			if strings.Contains(target.Log(), "Finished with success") {
				t.Error("the target has loaded it")
			}
			if target.Client().Ping(t.Context()).Err() == nil {
				wantAsBefore(t, target, "as before")
			} else if load == "from a file" { // the other way it may exit over the cut
				t.Error("the target died")
			}
		})
	}
}

// meddler stands before a target and does something to it in the moment in which it has been promoted.
func meddler(t *testing.T, target *testkit.Server, meddle func()) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target.Addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			t.Cleanup(func() { _, _ = client.Close(), server.Close() })
			var promoted atomic.Bool
			pass := func(to, from net.Conn, look func([]byte)) {
				defer to.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := from.Read(buf)
					look(buf[:n])
					if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
						return
					}
				}
			}
			go pass(server, client, func(sent []byte) {
				promoted.Store(promoted.Load() || bytes.Contains(sent, []byte("$2\r\nNO\r\n$3\r\nONE\r\n")))
			})
			go pass(client, server, func([]byte) {
				if promoted.CompareAndSwap(true, false) {
					meddle()
				}
			})
		}
	}()
	return listener.Addr().String()
}

// Keys that go for another reason than their age are missing: the target is not handed over.
func TestFeedNoticesKeysThatGoWhenItIsPromoted(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	for _, name := range []string{"a", "b", "c"} {
		if err := source.Client().Set(t.Context(), name, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	dump := dumpOf(t, saved(t, source))
	for name, test := range map[string]struct {
		meddle func(ctx context.Context, client *redis.Client) error
		want   error
	}{
		"one is deleted": {func(ctx context.Context, client *redis.Client) error { return client.Del(ctx, "b").Err() }, primary.ErrCount},
		"one is added":   {func(ctx context.Context, client *redis.Client) error { return client.Set(ctx, "d", "x", 0).Err() }, primary.ErrCount},
		"one has passed": {func(ctx context.Context, client *redis.Client) error {
			return client.PExpire(ctx, "b", time.Millisecond).Err()
		}, nil},
		"none": {func(context.Context, *redis.Client) error { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			to := targetOf(target)
			to.Addr = meddler(t, target, func() {
				if err := test.meddle(context.WithoutCancel(t.Context()), target.Client()); err != nil {
					t.Error(err)
				}
			})
			if result, err := primary.Feed(t.Context(), to, dump, primary.Options{}); !errors.Is(err, test.want) {
				t.Errorf("Feed = %+v, %v; want %v", result, err, test.want)
			}
			if role, want := field(t, target, "role"), map[bool]string{true: "master", false: "slave"}[test.want == nil]; role != want {
				t.Errorf("the target is a %s, want a %s", role, want)
			}
		})
	}
}

func TestATargetThatReplicatesByTLSIsFedByTLS(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	keys := testkit.Fill(t, source.Client(), 2000)
	dump := dumpOf(t, saved(t, source))
	files := testkit.NewCertificates(t)
	own, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	encrypts := []string{"--tls-port", strconv.Itoa(testkit.FreePort(t)), "--tls-cert-file", files.Certificate, "--tls-key-file", files.Key, "--tls-ca-cert-file", files.CA, "--tls-replication", "yes"}
	target := testkit.Redis(t, append(encrypts, "--repl-diskless-load", "on-empty-db", "--requirepass", "open sesame")...)
	short := primary.Options{ConnectTimeout: time.Second}
	if _, err := primary.Feed(t.Context(), targetOf(target), dump, short); err == nil {
		t.Error("it was fed without TLS")
	}
	others := testkit.NewCertificates(t)
	foreign, err := tls.LoadX509KeyPair(others.Certificate, others.Key)
	if err != nil {
		t.Fatal(err)
	}
	short.Certificate = &foreign
	if _, err := primary.Feed(t.Context(), targetOf(target), dump, short); err == nil {
		t.Error("it was fed by somebody with a certificate by another authority")
	}
	result, err := primary.Feed(t.Context(), targetOf(target), dump, primary.Options{Certificate: &own})
	if err != nil || result.Keys != int64(keys) {
		t.Fatalf("Feed = %+v, %v; want %d keys", result, err, keys)
	}
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, target.Client())); diff != "" {
		t.Error(diff)
	}
}
