package logical_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/logical"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// receive reads a whole RDB and has it checked, as strictly as one from elsewhere.
func receive(t *testing.T, from resp.Options, options logical.Options) ([]byte, rdb.Summary, *logical.Stream) {
	t.Helper()
	s, err := logical.Open(t.Context(), from, options)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var data bytes.Buffer
	sum, err := rdb.NewScanner(io.TeeReader(s, &data), rdb.Strict).Scan()
	if err != nil {
		t.Fatal(err)
	}
	if !sum.StatsKnown || sum.ChecksumDisabled {
		t.Errorf("%+v", sum)
	}
	return data.Bytes(), sum, s
}

// load starts a server on an RDB.
func load(t *testing.T, program string, data []byte) *testkit.Server {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.rdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return testkit.Engine(t, program, "--dir", dir, "--dbfilename", "copy.rdb")
}

func TestReadsEverythingFromEachEngine(t *testing.T) {
	t.Parallel()
	for _, engine := range testkit.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			program := testkit.Fetched(t, engine)
			source := testkit.Engine(t, program)
			keys := testkit.Fill(t, source.Client(), 600)
			keys += timedFields(t, source.Client())
			data, sum, s := receive(t, resp.Options{Addr: source.Addr}, logical.Options{})
			origin := s.Origin()
			if sum.Keys != int64(keys) || origin.Keys != int64(keys) || origin.Role != "primary" || engine[:strings.LastIndex(engine, ".")+2] != origin.Engine+"-"+origin.Version[:3] {
				t.Errorf("%d keys written, scanned %+v from %+v", keys, sum, origin)
			}
			if sum.Version != rdb.Written(origin.Engine, origin.Version) || sum.Aux["rekindle-read"] == "" || sum.Aux["ctime"] == "" {
				t.Errorf("%+v", sum)
			}
			if err := s.Missing(); err != nil {
				t.Error(err)
			}
			restored := load(t, program, data)
			diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, restored.Client()))
			if engine == "redis-6.0" { // tells the time that a key has left, from which nobody knows its expiry to the millisecond
				diff = ""
			}
			if diff != "" {
				t.Error(diff)
			}
		})
	}
}

// timedFields writes a hash whose fields expire, where there is such a thing.
func timedFields(t *testing.T, client *redis.Client) (keys int) {
	t.Helper()
	client.HSet(t.Context(), "fields", "short", "1", "lasting", "2")
	if err := client.Do(t.Context(), "HPEXPIREAT", "fields", 4102444800000, "FIELDS", 1, "short").Err(); err != nil && !strings.Contains(err.Error(), "unknown command") {
		t.Fatal(err)
	}
	return 1
}

func TestKeepsExpiriesWhereOnlyTheTimeLeftIsKnown(t *testing.T) {
	t.Parallel()
	program := testkit.Fetched(t, "redis-6.0")
	source := testkit.Engine(t, program)
	const at = 4102444800000
	source.Client().Set(t.Context(), "k", "v", 0)
	source.Client().Do(t.Context(), "PEXPIREAT", "k", at)
	source.Client().Set(t.Context(), "lasting", "v", 0)
	data, sum, _ := receive(t, resp.Options{Addr: source.Addr}, logical.Options{})
	if sum.Keys != 2 || sum.Expires != 1 {
		t.Errorf("%+v", sum)
	}
	var got int64
	if _, err := rdb.Visit(bytes.NewReader(data), expiries{&got}); err != nil || got < at-1000 || got > at+1000 {
		t.Errorf("expires at %d, %v", got, err)
	}
}

// expiries keeps when a key expires.
type expiries struct{ at *int64 }

func (e expiries) Library([]byte) error { return nil }

func (e expiries) Key(k rdb.Key, _ rdb.Value) error {
	if !k.Expires.IsZero() {
		*e.at = k.Expires.UnixMilli()
	}
	return nil
}

func TestReadsAReplicaInClusterMode(t *testing.T) {
	t.Parallel()
	nodes := testkit.InClusterMode(t, 2, 2)
	for i, node := range nodes[:2] {
		client := node.Client()
		for n := 0; n < 400; n++ {
			// Only what belongs to this node.
			if err := client.Set(t.Context(), fmt.Sprint("key ", n), n, 0).Err(); err != nil && !redis.HasErrorPrefix(err, "MOVED") {
				t.Fatal(err)
			}
		}
		if err := client.Do(t.Context(), "WAIT", 1, 10000).Err(); err != nil {
			t.Fatal(err)
		}
		_, sum, s := receive(t, resp.Options{Addr: nodes[2+i].Addr}, logical.Options{})
		if want := client.DBSize(t.Context()).Val(); sum.Keys != want || want == 0 || s.Origin().Role != "replica" {
			t.Errorf("shard %d: %d of %d keys", i, sum.Keys, want)
		}
	}
}

// Under a load that makes the tables of keys grow and shrink, every key that is there throughout is in it, and none is twice: the server would not load
// it.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"redis-7.0", "redis-8.0", "valkey-9.1"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			program := testkit.Fetched(t, engine)
			source := testkit.Engine(t, program)
			keys := testkit.Fill(t, source.Client(), 3000)
			want := testkit.Digests(t, source.Client())
			var ended atomic.Bool
			rounds := make(chan int)
			go func() { rounds <- churn(source.Client(), &ended) }()
			s, err := logical.Open(t.Context(), resp.Options{Addr: source.Addr}, logical.Options{BatchBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			data, err := io.ReadAll(s)
			ended.Store(true)
			if done := <-rounds; done == 0 {
				t.Error("nothing was written meanwhile")
			}
			if err != nil {
				t.Fatal(err)
			}
			got := testkit.Digests(t, load(t, program, data).Client())
			for key := range got {
				if strings.HasPrefix(key, "db0 passing:") {
					delete(got, key)
				}
			}
			if diff := testkit.Diff(want, got); diff != "" {
				t.Errorf("of %d keys:\n%s", keys, diff)
			}
		})
	}
}

// churn writes and removes thousands of keys again and again.
func churn(client *redis.Client, ended *atomic.Bool) (rounds int) {
	ctx := context.Background()
	for remove := false; ; remove = !remove {
		for first := 0; first < 20000; first += 1000 {
			pipe := client.Pipeline()
			for i := range 1000 {
				name := fmt.Sprint("passing:", first+i)
				if remove {
					pipe.Unlink(ctx, name)
				} else {
					pipe.Set(ctx, name, "x", 0)
				}
			}
			if _, err := pipe.Exec(ctx); err != nil || ended.Load() {
				return rounds
			}
			rounds++
		}
	}
}

func TestReadsAnEmptyNode(t *testing.T) {
	t.Parallel()
	data, sum, _ := receive(t, resp.Options{Addr: testkit.Redis(t).Addr}, logical.Options{})
	if sum.Keys != 0 {
		t.Errorf("%+v", sum)
	}
	path := filepath.Join(t.TempDir(), "dump.rdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.CheckRDB(t, path)
}

// A user needs no more than this, and without FUNCTION DUMP the functions are missing, which is said.
func TestRights(t *testing.T) {
	t.Parallel()
	source := testkit.Engine(t, testkit.Fetched(t, "redis-7.0"))
	keys := testkit.Fill(t, source.Client(), 50)
	const rights = "+scan +dump +pexpiretime +pttl +time +multi +exec +select +info"
	tests := map[string]struct {
		rights  string
		err     error
		missing bool
	}{
		"least":          {rights + " ~*", nil, true},
		"with functions": {rights + " +function|dump ~*", nil, false},
		"no scan":        {strings.Replace(rights, "+scan", "", 1) + " ~*", logical.ErrRefused, false},
		"no dump":        {strings.Replace(rights, "+dump", "", 1) + " ~*", logical.ErrRefused, false},
		"no info":        {strings.Replace(rights, "+info", "", 1) + " ~*", logical.ErrRefused, false},
		"no MULTI":       {strings.Replace(rights, "+multi", "", 1) + " ~*", logical.ErrUntied, false},
		"no EXEC":        {strings.Replace(rights, "+exec", "", 1) + " ~*", logical.ErrUntied, false},
		"some keys":      {rights + " ~special:*", logical.ErrRefused, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := strings.ReplaceAll(name, " ", "")
			args := []any{"ACL", "SETUSER", user, "on", ">p", "-@all"}
			for word := range strings.FieldsSeq(test.rights) {
				args = append(args, word)
			}
			if err := source.Client().Do(t.Context(), args...).Err(); err != nil {
				t.Fatal(err)
			}
			from := resp.Options{Addr: source.Addr, Username: user, Password: secret.Text("p")}
			s, err := logical.Open(t.Context(), from, logical.Options{})
			if err == nil {
				_, err = io.Copy(io.Discard, s)
				s.Close()
			}
			if !errors.Is(err, test.err) {
				t.Fatalf("%v instead of %v", err, test.err)
			}
			if test.err != nil {
				return
			}
			if missing := s.Missing(); (missing != nil) != test.missing {
				t.Errorf("missing: %v", missing)
			}
			if _, sum, _ := receive(t, from, logical.Options{}); sum.Keys != int64(keys) || (sum.Functions == 0) != test.missing {
				t.Errorf("%+v", sum)
			}
		})
	}
}

func TestEndsWithItsContextAndWithItsNode(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 20000)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := logical.Open(ctx, resp.Options{Addr: source.Addr}, logical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel(stopped)
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, stopped) {
		t.Errorf("after the context's end: %v", err)
	}

	s, err = logical.Open(t.Context(), resp.Options{Addr: source.Addr}, logical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	source.Kill()
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the node's end: %v", err)
	}
}
