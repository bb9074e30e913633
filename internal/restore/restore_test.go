package restore_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// saved is the RDB of a server's data.
func saved(t testing.TB, s *testkit.Server) []byte {
	t.Helper()
	if err := s.Client().Save(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func options(s *testkit.Server) resp.Options {
	return resp.Options{Addr: s.Addr, Password: secret.Text(s.Password())}
}

// write restores an RDB into servers.
func write(t *testing.T, data []byte, o restore.Options, servers ...*testkit.Server) (restore.Counts, error) {
	t.Helper()
	var nodes []resp.Options
	for _, s := range servers {
		nodes = append(nodes, options(s))
	}
	w, err := restore.Open(t.Context(), nodes, o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(bytes.NewReader(data))
	if failed := w.Close(); failed != nil {
		t.Error(failed)
	}
	return w.Counts(), err
}

func TestRestoreWritesAllDataOfAServer(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	keys := testkit.Fill(t, source.Client(), 3000)
	// More than is kept in memory, and incompressible.
	large := bytes.Repeat([]byte("0123456789abcdef"), 640<<10)
	if err := source.Client().ConfigSet(t.Context(), "rdbcompression", "no").Err(); err != nil {
		t.Fatal(err)
	}
	if err := source.Client().Set(t.Context(), "large", large, 0).Err(); err != nil {
		t.Fatal(err)
	}
	spool := t.TempDir()
	counts, err := write(t, saved(t, source), restore.Options{Spool: spool}, target)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Written != int64(keys)+1 || counts.Kept != 0 || counts.Libraries != 1 {
		t.Errorf("counted %+v, want %d keys", counts, keys+1)
	}
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, target.Client())); diff != "" {
		t.Error(diff)
	}
	if left, _ := os.ReadDir(spool); len(left) > 0 {
		t.Errorf("%d files are left in the spool", len(left))
	}
}

func TestRestoreBringsEachKeyToItsSlot(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	if err := source.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if err := source.Client().Set(t.Context(), "key:"+strconv.Itoa(i), i, time.Hour*time.Duration(i%2)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.Client().FunctionLoad(t.Context(), "#!lua name=one\nredis.register_function('f', function() return 1 end)").Err(); err != nil {
		t.Fatal(err)
	}
	shards := testkit.InClusterMode(t, 3, 0)
	data := saved(t, source)
	w, err := restore.Open(t.Context(), []resp.Options{options(shards[0]), options(shards[1]), options(shards[2])}, restore.Options{Route: route(t, shards)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, s := range shards {
		if n := s.Client().DBSize(t.Context()).Val(); n < 100 {
			t.Errorf("a shard has %d keys of 500", n)
		}
		maps.Copy(all, testkit.Digests(t, s.Client()))
	}
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), all); diff != "" {
		t.Error(diff)
	}
	if counts := w.Counts(); counts.Written != 500 || counts.Libraries != 3 {
		t.Errorf("counted %+v", counts)
	}
}

// route asks the first shard which of them has a slot.
func route(t *testing.T, shards []*testkit.Server) func(slot int) int {
	t.Helper()
	known, err := shards[0].Client().ClusterShards(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return func(slot int) int {
		for _, shard := range known {
			for i, s := range shards {
				if has := shard.Slots[0]; int64(slot) >= has.Start && int64(slot) <= has.End && shard.Nodes[0].Port == int64(s.Port) {
					return i
				}
			}
		}
		return -1
	}
}

func TestRestoreTreatsKeysThatExistAsItWasTold(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	library := func(c *redis.Client, body string) {
		if err := c.FunctionLoadReplace(t.Context(), "#!lua name=lib\nredis.register_function('f', function() return "+body+" end)").Err(); err != nil {
			t.Fatal(err)
		}
	}
	source.Client().MSet(t.Context(), "both", "new", "fresh", "new")
	source.Client().ExpireAt(t.Context(), "both", time.Now().Add(time.Hour))
	library(source.Client(), "1")
	data := saved(t, source)
	for name, c := range map[string]struct {
		policy             restore.Policy
		err                error
		written, kept      int64
		both, answer, mine string
	}{
		"refused":  {restore.Refuse, restore.ErrExists, 0, 0, "old", "2", "old"},
		"kept":     {restore.Keep, nil, 1, 1, "old", "2", "old"},
		"replaced": {restore.Replace, nil, 2, 0, "new", "1", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			target.Client().MSet(t.Context(), "both", "old", "mine", "old")
			library(target.Client(), "2")
			counts, err := write(t, data, restore.Options{Policy: c.policy}, target)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("restore: %v, want %v", err, c.err)
			}
			if c.err == nil && (counts.Written != c.written || counts.Kept != c.kept) {
				t.Errorf("counted %+v", counts)
			}
			both, mine := target.Client().Get(t.Context(), "both").Val(), target.Client().Get(t.Context(), "mine").Val()
			answer := target.Client().FCall(t.Context(), "f", nil).String()
			if both != c.both || mine != c.mine || !strings.HasSuffix(answer, c.answer) {
				t.Errorf("both is %q, mine is %q, the function says %q", both, mine, answer)
			}
		})
	}
}

func TestRestoreCountsWhatHasExpired(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	source.Client().Set(t.Context(), "gone", 1, time.Hour)
	source.Client().Set(t.Context(), "stays", 1, 0)
	deadline := time.Now().Add(2 * time.Hour)
	counts, err := write(t, saved(t, source), restore.Options{Now: func() time.Time { return deadline }}, target)
	if err != nil || counts.Written != 2 || counts.Expired != 1 {
		t.Errorf("counted %+v: %v", counts, err)
	}
}

func TestRestoreSetsTheDeadlinesThatWereChosen(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	deadline := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	source.Client().Set(t.Context(), "mortal", 1, 0)
	source.Client().PExpireAt(t.Context(), "mortal", deadline)
	source.Client().Set(t.Context(), "immortal", 1, 0)
	data := saved(t, source)
	header, err := rdb.ReadHeader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(header.Aux["ctime"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(72 * time.Hour).Truncate(time.Millisecond) // when its time has long passed
	for name, c := range map[string]struct {
		deadlines restore.Deadlines
		now       time.Time
		want      int64 // ms; -1: none, -2: no key
		expired   int64
	}{
		"kept":       {restore.KeepDeadlines, time.Now(), deadline.UnixMilli(), 0},
		"kept, gone": {restore.KeepDeadlines, later, deadline.UnixMilli(), 1}, // the node's own clock is not as far
		"shifted":    {restore.ShiftDeadlines, later, later.Add(deadline.Sub(time.Unix(seconds, 0))).UnixMilli(), 0},
		"dropped":    {restore.DropDeadlines, later, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			counts, err := write(t, data, restore.Options{Deadlines: c.deadlines, Now: func() time.Time { return c.now }}, target)
			if err != nil || counts.Written != 2 || counts.Expired != c.expired {
				t.Fatalf("counted %+v: %v", counts, err)
			}
			for key, want := range map[string]int64{"mortal": c.want, "immortal": -1} {
				if got, err := target.Client().Do(t.Context(), "PEXPIRETIME", key).Int64(); err != nil || got != want {
					t.Errorf("%s expires at %d, want %d (%v)", key, got, want, err)
				}
			}
		})
	}
}

func TestRestoreSaysWhatANodeRefuses(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	pipe := source.Client().Pipeline()
	for i := range 2000 {
		pipe.Set(t.Context(), "k"+strconv.Itoa(i), strings.Repeat("x", 1000), 0)
	}
	pipe.Do(t.Context(), "SELECT", 9)
	pipe.Set(t.Context(), "elsewhere", 1, 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	data := saved(t, source)
	damaged := bytes.Clone(data)
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		args  []string
		set   []any
		data  []byte
		want  error
		names string
	}{
		"no such database": {[]string{"--databases", "2"}, nil, data, restore.ErrDatabase, "database 9"},
		"memory is full":   {[]string{"--maxmemory", "1mb"}, nil, data, restore.ErrFull, `string "k`},
		"it is a replica":  {nil, []any{"REPLICAOF", "127.0.0.1", "1"}, data, restore.ErrNotPrimary, `string "k`},
		"damaged":          {nil, nil, damaged, rdb.ErrChecksum, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, c.args...)
			if c.set != nil {
				if err := target.Client().Do(t.Context(), c.set...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := write(t, c.data, restore.Options{}, target)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.names) {
				t.Errorf("restore: %v, want %v", err, c.want)
			}
		})
	}
}

const diskEnv = "REKINDLE_TEST_RESTORE_DISK"

func TestALargeValueWithoutRoomEndsTheRestore(t *testing.T) {
	t.Parallel()
	if os.Getenv(diskEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, "^TestInChildWithoutRoom$", diskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || !strings.Contains(output, "--- PASS: TestInChildWithoutRoom") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestInChildWithoutRoom(t *testing.T) {
	if os.Getenv(diskEnv) == "" {
		t.Skip("run by TestALargeValueWithoutRoomEndsTheRestore")
	}
	spool := t.TempDir()
	testkit.MountTmpfs(t, spool, "1m")
	source, target := testkit.Redis(t, "--rdbcompression", "no"), testkit.Redis(t)
	if err := source.Client().MSet(t.Context(), "large", strings.Repeat("x", 8<<20)).Err(); err != nil {
		t.Fatal(err)
	}
	data := saved(t, source)
	if _, err := write(t, data, restore.Options{Spool: spool}, target); !errors.Is(err, restore.ErrSpool) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	if _, err := write(t, data, restore.Options{Spool: filepath.Join(spool, "gone")}, target); !errors.Is(err, restore.ErrSpool) {
		t.Errorf("no folder: %v", err)
	}
	if n := target.Client().DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

func TestRestoreEndsWithItsContextAndWithItsNode(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 2000)
	data := saved(t, source)
	for name, c := range map[string]struct {
		end  func(cancel context.CancelCauseFunc, target *testkit.Server)
		want error
	}{
		"context": {func(cancel context.CancelCauseFunc, _ *testkit.Server) { cancel(errTold) }, errTold},
		"node":    {func(_ context.CancelCauseFunc, target *testkit.Server) { target.Kill() }, restore.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			w, err := restore.Open(ctx, []resp.Options{options(target)}, restore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			_, err = w.Write(&half{data: data, then: func() { c.end(cancel, target) }})
			if !errors.Is(err, c.want) {
				t.Errorf("restore: %v, want %v", err, c.want)
			}
		})
	}
}

var errTold = errors.New("told to end")

// half does something after half of the data.
type half struct {
	data []byte
	at   int
	then func()
}

func (h *half) Read(p []byte) (int, error) {
	if h.at >= len(h.data)/2 && h.then != nil {
		h.then()
		h.then = nil
	}
	if h.at == len(h.data) {
		return 0, errors.New("the data has ended, and nobody was told")
	}
	n := copy(p[:min(len(p), 4096)], h.data[h.at:])
	h.at += n
	return n, nil
}
