package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// ways are the ways to fill a server with what an RDB holds.
var ways = map[string]func(t *testing.T, target *testkit.Server, data []byte){
	"as its primary": func(t *testing.T, target *testkit.Server, data []byte) {
		t.Helper()
		sum, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
		if err != nil {
			t.Fatal(err)
		}
		hash := digest.New()
		_, _ = hash.Write(data)
		dump := primary.Dump{
			Length: int64(len(data)), Digest: hash.Digest(), Version: sum.Version, Keys: sum.Keys, Expires: sum.Expires,
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
		}
		if _, err := primary.Feed(t.Context(), primary.Target{Addr: target.Addr}, dump, primary.Options{}); err != nil {
			t.Fatal(err)
		}
	},
	"by a file": func(t *testing.T, target *testkit.Server, data []byte) {
		t.Helper()
		files, contents := split(t, target, restore.Options{}, 1, data)
		sum, err := rdb.NewScanner(bytes.NewReader(files[0]), rdb.Strict).Scan()
		if err != nil || sum.Keys != contents[0].Keys || sum.Expires != contents[0].Mortal || sum.Bytes != contents[0].Bytes {
			t.Fatalf("the file has %+v, it is to have %+v: %v", sum, contents[0], err)
		}
		startWith(t, target, files[0])
	},
	"by commands": func(t *testing.T, target *testkit.Server, data []byte) {
		t.Helper()
		if _, err := write(t, data, restore.Options{Spool: t.TempDir()}, target); err != nil {
			t.Fatal(err)
		}
	},
}

// split writes the keys of RDBs into so many files for servers like this one.
func split(t testing.TB, like *testkit.Server, o restore.Options, n int, rdbs ...[]byte) ([][]byte, []restore.Content) {
	t.Helper()
	outputs := make([]bytes.Buffer, n)
	var to []io.Writer
	for i := range outputs {
		to = append(to, &outputs[i])
	}
	engine, version := engineOf(t, like)
	files := restore.NewFiles(to, rdb.Written(engine, version), o)
	for _, data := range rdbs {
		if _, err := files.Write(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	contents, err := files.Close()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for i := range outputs {
		all = append(all, outputs[i].Bytes())
	}
	return all, contents
}

func engineOf(t testing.TB, s *testkit.Server) (name, version string) {
	t.Helper()
	info, err := s.Client().InfoMap(context.Background(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	if server := info["Server"]; server["valkey_version"] != "" {
		return "valkey", server["valkey_version"]
	}
	return "redis", info["Server"]["redis_version"]
}

// startWith starts a server anew with this RDB.
func startWith(t testing.TB, s *testkit.Server, data []byte) {
	t.Helper()
	s.Kill()
	if err := os.WriteFile(filepath.Join(s.Dir, "dump.rdb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart()
}

func TestEachWayToFillAServerBringsTheSameData(t *testing.T) {
	t.Parallel()
	policies := []string{"LRU", "LFU"} // each engine is tried with one of them, and both kinds of engine with both
	for i, engine := range testkit.Engines {
		policy := policies[i%2]
		args := []string{"--maxmemory", "2gb", "--maxmemory-policy", "allkeys-" + strings.ToLower(policy)}
		t.Run(engine+" "+policy, func(t *testing.T) {
			t.Parallel()
			path := testkit.Fetched(t, engine)
			source := testkit.Engine(t, path, args...)
			testkit.Fill(t, source.Client(), 1500)
			big := bytes.Repeat([]byte("0123456789abcdef"), 320<<10) // more than any buffer has room for
			if err := source.Client().Set(t.Context(), "big", big, 0).Err(); err != nil {
				t.Fatal(err)
			}
			if err := source.Client().Set(t.Context(), "mortal", 1, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
			want := testkit.Digests(t, source.Client())
			for range 1000 { // a new key begins with 5
				source.Client().StrLen(t.Context(), "big")
			}
			used, data := use(t, source, policy, "big"), saved(t, source)
			if policy == "LFU" && used < 9 {
				t.Fatalf("a key that was used a thousand times was used %d times on the scale of LFU", used)
			}
			for way, fill := range ways {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					target := testkit.Engine(t, path, args...)
					fill(t, target, data)
					if now := use(t, target, policy, "big"); policy == "LFU" && now < min(used, 7) {
						t.Errorf("a key that was used %d times on the scale of LFU was used %d times", used, now)
					}
					if diff := testkit.Diff(want, testkit.Digests(t, target.Client())); diff != "" {
						t.Error(diff)
					}
				})
			}
		})
	}
}

// use is how often a key is used, or seconds since it was.
func use(t *testing.T, s *testkit.Server, policy, key string) int64 {
	t.Helper()
	ask := map[string]string{"LRU": "IDLETIME", "LFU": "FREQ"}[policy]
	n, err := s.Client().Do(t.Context(), "OBJECT", ask, key).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// evenly finds the shard of a slot among n that share the slots evenly.
func evenly(n int) func(slot int) int {
	return func(slot int) int { return slot * n / 16384 }
}

func TestAnRDBIsSplitAndJoinedAgainWithoutLosingAnything(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 2000)
	now, want := [][]byte{saved(t, source)}, testkit.Digests(t, source.Client())
	for _, shards := range []int{3, 5, 1, 3} {
		files, contents := split(t, source, restore.Options{Route: evenly(shards)}, shards, now...)
		var keys int64
		for i, file := range files {
			sum, err := rdb.NewScanner(bytes.NewReader(file), rdb.Strict).Scan()
			if err != nil || sum.Keys != contents[i].Keys || sum.Functions != 1 {
				t.Fatalf("part %d of %d: %d keys of %d, %d libraries: %v", i, shards, sum.Keys, contents[i].Keys, sum.Functions, err)
			}
			keys += sum.Keys
		}
		if keys != int64(len(want)-1) { // a library is among them
			t.Fatalf("%d shards have %d keys of %d", shards, keys, len(want)-1)
		}
		now = files
	}
	got := make(map[string]string)
	for _, file := range now {
		target := testkit.Redis(t)
		startWith(t, target, file)
		maps.Copy(got, testkit.Digests(t, target.Client()))
	}
	if diff := testkit.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAServerRefusesAFileMadeOfTwoPartsThatHaveTheSameKey(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	source.Client().Set(t.Context(), "twice", 1, 0)
	data := saved(t, source)
	files, _ := split(t, source, restore.Options{}, 1, data, data)
	source.Kill()
	if err := os.WriteFile(filepath.Join(source.Dir, "dump.rdb"), files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := source.TryRestart(); err == nil {
		t.Error("it has loaded it")
	}
	if !strings.Contains(source.Log(), "RDB has duplicated key 'twice' in DB 0") {
		t.Errorf("the log: %s", source.Log())
	}
}

func TestFilesHaveTheDeadlinesThatWereChosen(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	deadline := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	source.Client().Set(t.Context(), "mortal", 1, 0)
	source.Client().PExpireAt(t.Context(), "mortal", deadline)
	source.Client().Set(t.Context(), "immortal", 1, 0)
	data := saved(t, source)
	later := time.Now().Add(72 * time.Hour).Truncate(time.Millisecond)
	shifted := later.Add(deadline.Sub(written(t, data)))
	for name, c := range map[string]struct {
		deadlines restore.Deadlines
		want      time.Time
		mortal    int64
	}{
		"kept":    {restore.KeepDeadlines, deadline, 1},
		"shifted": {restore.ShiftDeadlines, shifted, 1},
		"dropped": {restore.DropDeadlines, time.Time{}, 0},
	} {
		files, contents := split(t, source, restore.Options{Deadlines: c.deadlines, Now: func() time.Time { return later }}, 1, data)
		found := &listing{}
		if _, err := rdb.Visit(bytes.NewReader(files[0]), found); err != nil {
			t.Fatal(err)
		}
		if contents[0].Mortal != c.mortal || !found.expires["mortal"].Equal(c.want) || !found.expires["immortal"].IsZero() {
			t.Errorf("%s: %+v with %v, want %v", name, contents[0], found.expires, c.want)
		}
	}
}

// listing is when each key expires.
type listing struct{ expires map[string]time.Time }

func (l *listing) Library([]byte) error { return nil }
func (l *listing) Key(key rdb.Key, _ rdb.Value) error {
	if l.expires == nil {
		l.expires = map[string]time.Time{}
	}
	l.expires[string(key.Name)] = key.Expires
	return nil
}

func TestAFileThatCannotBeWrittenEndsTheSplitting(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t, "--rdbcompression", "no")
	for i := range 100 {
		source.Client().Set(t.Context(), "k"+strconv.Itoa(i), strings.Repeat("x", 100<<10), 0)
	}
	data := saved(t, source)
	for _, room := range []int{0, 1 << 20} {
		files := restore.NewFiles([]io.Writer{&full{room}}, 9, restore.Options{})
		_, err := files.Write(bytes.NewReader(data))
		if err == nil {
			_, err = files.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
}

// full is a disk with so much room.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, fmt.Errorf("no room")
	}
	f.room -= len(p)
	return len(p), nil
}
