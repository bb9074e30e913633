package find_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/find"
	"rekindle/internal/journal"
	"rekindle/internal/keyspec"
	"rekindle/internal/testkit"
)

// step is something that happens to a key, in database 0 unless it says something else, and what of it is found.
type step struct {
	does   string // commands, with ";" between those of a transaction
	script bool   // the first word behind EVAL is a script with blanks written as "_"
	finds  string // of the key "k": "command effect database[ other]", with ";" between them
}

var steps = []step{
	{does: "SET k one", finds: "SET 1 0"},
	{does: "SET other x", finds: ""},
	{does: "APPEND k two", finds: "APPEND 2 0"},
	{does: "EXPIREAT k 4102444800", finds: "PEXPIREAT 5 0"},
	{does: "PERSIST k", finds: "PERSIST 6 0"},
	{does: "GETSET k three", finds: "SET 1 0"},
	{does: "MSET a 1 k 4 b 5", finds: "MSET 1 0"},
	{does: "INCR k", finds: "INCR 2 0"},
	{does: "INCRBYFLOAT k 1.5", finds: "SET 1 0"},
	{does: "SETRANGE k 3 xyz", finds: "SETRANGE 2 0"},
	{does: "RENAME k l", finds: "RENAME 8 0 l"},
	{does: "RENAME l k", finds: "RENAME 9 0 l"},
	{does: "COPY k l DB 1", finds: "COPY 11 0 l"},
	{does: "COPY other k REPLACE", finds: "COPY 12 0 other"},
	{does: "MOVE k 2", finds: "MOVE 10 0"},
	{does: "SWAPDB 0 2", finds: "SWAPDB 0 0"},
	{does: "SET k x;DEL a k;SET k y", finds: "SET 1 0;DEL 4 0;SET 1 0"},
	{does: "UNLINK k", finds: "UNLINK 4 0"},
	{does: "RPUSH k a b c", finds: "RPUSH 2 0"},
	{does: "LMOVE k k LEFT RIGHT", finds: "LMOVE 3 0;LMOVE 2 0"},
	{does: "RPOPLPUSH other-list k", finds: ""},
	{does: "LPOP k", finds: "LPOP 3 0"},
	{does: "BLPOP k 1", finds: "LPOP 3 0"},
	{does: "DEL k", finds: "DEL 4 0"},
	{does: "SADD k a b c", finds: "SADD 2 0"},
	{does: "SMOVE k l a", finds: "SMOVE 3 0"},
	{does: "SORT k ALPHA STORE k", finds: "SORT 1 0"},
	{does: "ZADD zset 1 a 2 b", finds: ""},
	{does: "ZUNIONSTORE k 1 zset", finds: "ZUNIONSTORE 1 0"},
	{does: "ZDIFFSTORE l 2 k zset", finds: ""},
	{does: "ZPOPMIN k", finds: "ZPOPMIN 3 0"},
	{does: "GEOADD geo 1 1 x", finds: ""},
	{does: "GEORADIUS geo 1 1 5 km STORE k", finds: "GEORADIUS 1 0"},
	{does: "GEOSEARCHSTORE k geo FROMLONLAT 1 1 BYRADIUS 5 km", finds: "GEOSEARCHSTORE 1 0"},
	{does: "DEL k;HSET k f v g w", finds: "DEL 4 0;HSET 2 0"},
	{does: "HDEL k f", finds: "HDEL 3 0"},
	{does: "SET other x", finds: ""},
	{does: "BITOP NOT k other", finds: "BITOP 1 0"},
	{does: "PFADD hll a", finds: ""},
	{does: "DEL k", finds: "DEL 4 0"},
	{does: "PFMERGE k hll", finds: "PFMERGE 2 0"},
	{does: "DEL k", finds: "DEL 4 0"},
	{does: "XADD k 1-1 f v", finds: "XADD 2 0"},
	{does: "XGROUP CREATE k g 0", finds: "XGROUP 2 0"},
	{does: "XREADGROUP GROUP g c COUNT 1 STREAMS k >", finds: "XCLAIM 2 0"},
	{does: "XSETID k 5-0", finds: "XSETID 2 0"},
	{does: "XTRIM k MAXLEN 0", finds: "XTRIM 3 0"},
	{does: "EVAL return_redis.call('SET',KEYS[1],'by_script') 1 k", script: true, finds: "SET 1 0"},
	{does: "FLUSHDB", finds: "FLUSHDB 0 0"},
	{does: "RESTORE k 4102444800000 DUMPED ABSTTL", finds: "RESTORE 1 0"},
	{does: "GETDEL k", finds: "DEL 4 0"},
	{does: "SET k again PXAT 4102444800000", finds: "SET 1 0"},
	{does: "FLUSHALL", finds: "FLUSHALL 0 0"},
}

// said is a change as the steps have it.
func said(c find.Change) string {
	text := fmt.Sprint(c.Command, " ", c.Effect, " ", c.Database)
	if len(c.Other) > 0 {
		text += " " + string(c.Other)
	}
	return text
}

// ownRedis is this host's Redis: what others pass on of the steps may be other commands.
func ownRedis(t *testing.T) *testkit.Server {
	t.Helper()
	if engine, _ := testkit.Chosen(t); engine != "" {
		t.Skip("the commands are those that this host's Redis passes on")
	}
	return testkit.Redis(t)
}

// carryOut does a step.
func carryOut(t *testing.T, client *redis.Client, s step) {
	t.Helper()
	_, err := client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		for line := range strings.SplitSeq(s.does, ";") {
			var args []any
			for i, word := range strings.Fields(line) {
				switch {
				case word == "DUMPED":
					word = dumped(t, client)
				case s.script && i == 1:
					word = strings.ReplaceAll(word, "_", " ")
				}
				args = append(args, word)
			}
			p.Do(t.Context(), args...)
		}
		return nil
	})
	if err != nil && err != redis.Nil {
		t.Fatalf("%s: %v", s.does, err)
	}
}

// dumped is a value that RESTORE takes.
func dumped(t *testing.T, client *redis.Client) string {
	t.Helper()
	if err := client.Set(t.Context(), "source", "dumped", 0).Err(); err != nil {
		t.Fatal(err)
	}
	text, err := client.Dump(t.Context(), "source").Result()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// state is what k is now, with its expiry; "" when it is not there.
func state(t *testing.T, client *redis.Client) string {
	t.Helper()
	return testkit.Digests(t, client)["db0 k"]
}

// Everything that happens to a key is found, at places before and behind which it is what it was.
func TestEachChangeOfAKeyIsFoundAtItsExactPlace(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	client := server.Client()
	if err := client.RPush(t.Context(), "other-list", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Del(t.Context(), "other-list").Err(); err != nil {
		t.Fatal(err)
	}
	r := record(t, server, 333) // in the middle of commands, mostly
	states, places := []string{""}, []int64{r.offset()}
	for _, s := range steps {
		carryOut(t, client, s)
		states, places = append(states, state(t, client)), append(places, r.offset())
	}
	segments := r.ends()
	changes := r.search(segments, find.Exact("k"))
	if byPattern := r.search(segments, find.Pattern("[k]")); len(byPattern) != len(changes) {
		t.Errorf("%d changes by the name, %d by a pattern", len(changes), len(byPattern))
	}
	twin := follow(t, r, segments)
	for i, s := range steps {
		var got []string
		for len(changes) > 0 && changes[0].After <= places[i+1] {
			c := changes[0]
			changes = changes[1:]
			got = append(got, said(c))
			if c.Before < places[i] || c.After <= c.Before || c.At.IsZero() {
				t.Errorf("%s: it is %+v, between %d and %d", s.does, c, places[i], places[i+1])
			}
			if last := len(changes) == 0 || changes[0].Before >= c.After; len(got) > 1 && !last {
				continue
			}
			if twin.at <= c.Before {
				if twin.upTo(c.Before); len(got) == 1 && state(t, twin.Client()) != states[i] {
					t.Errorf("%s: just before it is %q, was %q", s.does, state(t, twin.Client()), states[i])
				}
				twin.upTo(c.After)
			}
		}
		if joined := strings.Join(got, ";"); joined != s.finds {
			t.Errorf("%s: found %q, want %q", s.does, joined, s.finds)
		}
		if now := state(t, twin.Client()); now != states[i+1] {
			t.Errorf("%s: just after it is %q, was %q", s.does, now, states[i+1])
		}
	}
}

// The commands say more than that something changes.
func TestChangesSayWhatTheCommandsSay(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	client := server.Client()
	r := record(t, server, 1<<20)
	for _, line := range []string{"SET k v PXAT 4102444800000", "EXPIREAT k 4102444801", "COPY k l DB 3", "SET m 1", "MOVE m 4", "SWAPDB 0 5", "SET k w KEEPTTL"} {
		carryOut(t, client, step{does: line})
	}
	long := strings.Repeat("n", 1000)
	carryOut(t, client, step{does: "SET " + long + " " + strings.Repeat("v", 200_000)})
	segments := r.ends()
	var got []string
	for _, c := range r.search(segments, find.Pattern("*")) {
		text := fmt.Sprintf("%s %.3s %d>%d", c.Command, c.Name, c.Database, c.OtherDatabase)
		if !c.Expires.IsZero() {
			text += fmt.Sprint(" ", c.Expires.Unix())
		}
		if c.Length > find.MaxName {
			text += fmt.Sprint(" ", c.Length, " ", len(c.Name), " ", c.Bytes > 200_000)
		}
		got = append(got, text)
	}
	want := []string{"SET k 0>-1 4102444800", "PEXPIREAT k 0>-1 4102444801", "COPY k 0>3", "COPY l 3>0", "SET m 0>-1", "MOVE m 0>4", "SWAPDB  0>5", "SET k 0>-1", "SET nnn 0>-1 1000 256 true"}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if exact := r.search(segments, find.Exact(long)); len(exact) != 2 { // and SWAPDB
		t.Errorf("by its long name it has %d changes", len(exact))
	}
	if some := r.search(segments, find.Pattern("n*n?n*")); len(some) != 2 {
		t.Errorf("by a pattern for its long name it has %d changes", len(some))
	}
}

// moment is what a server has at a place of its stream.
type moment struct {
	place int64
	keys  map[string]string
}

// now is what the server has, by its own digests of values. Reading can make keys go whose time has passed, and then it is read again.
func (r *recorded) now() moment {
	r.t.Helper()
	for {
		before := r.offset()
		m := moment{before, map[string]string{}}
		names := slices.Collect(maps.Keys(testkit.Digests(r.t, r.server.Client()))) // reads them all
		for database := range 2 {
			m.read(r.t, r.server, database, names)
		}
		if r.offset() == before {
			return m
		}
	}
}

func (m *moment) read(t *testing.T, server *testkit.Server, database int, names []string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr, DB: database, Protocol: 2})
	defer client.Close()
	for _, key := range names {
		name, is := strings.CutPrefix(key, fmt.Sprintf("db%d ", database))
		if !is {
			continue
		}
		digest, err := client.Do(t.Context(), "DEBUG", "DIGEST-VALUE", name).StringSlice()
		if err != nil {
			t.Fatal(err)
		}
		m.keys[key] = digest[0]
	}
}

// applies tells whether a change can be one of a key of a database.
func applies(c find.Change, database int, name string) bool {
	switch c.Sweep {
	case keyspec.FlushesAll:
		return true
	case keyspec.FlushesDatabase:
		return c.Database == database
	case keyspec.Swaps:
		return c.Database == database || c.OtherDatabase == database
	}
	return string(c.Name) == name && (c.Database == database || c.Database == journal.Unknown || c.Effect == keyspec.MovedTo && c.OtherDatabase == database)
}

// Whatever is written: a key that is another one at a later moment has a change in between, and so a key without one is the same.
func TestNoKeyChangesWithoutAChangeThatIsFound(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"", "redis-6.0", "redis-8.0", "valkey-9.1"} {
		t.Run("engine "+engine, func(t *testing.T) {
			t.Parallel()
			server := (*testkit.Server)(nil)
			if engine == "" {
				server = testkit.Redis(t)
			} else {
				server = testkit.Engine(t, testkit.Fetched(t, engine))
			}
			r := record(t, server, 20_000)
			w := testkit.NewWriter(t, server.Client(), 7, 0, 1)
			moments := []moment{r.now()}
			for range 40 {
				w.Write(25)
				w.Settle()
				moments = append(moments, r.now())
			}
			segments := r.ends()
			changes := r.search(segments, find.Pattern("*"))
			differ := 0
			for i := 1; i < len(moments); i++ {
				before, after := moments[i-1], moments[i]
				all := maps.Clone(before.keys)
				maps.Copy(all, after.keys)
				for key := range all {
					if before.keys[key] == after.keys[key] {
						continue
					}
					differ++
					var database int
					var name string
					_, _ = fmt.Sscanf(key, "db%d %s", &database, &name)
					if !slices.ContainsFunc(changes, func(c find.Change) bool {
						return c.After > before.place && c.After <= after.place && applies(c, database, name)
					}) {
						t.Errorf("%s is another one at %d than at %d, and no change is found", key, after.place, before.place)
					}
				}
			}
			if differ < 200 || len(changes) < 500 {
				t.Errorf("only %d keys differed, and %d changes were found", differ, len(changes))
			}
		})
	}
}

// What is damaged or missing is named, and everything else is found.
func TestTheSearchGoesOnBehindDamage(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	client := server.Client()
	r := record(t, server, 2_000)
	for i := range 400 {
		if err := client.Set(t.Context(), "k", fmt.Sprint("value ", i), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	segments := r.ends()
	whole := r.search(segments, find.Exact("k"))
	damaged, missing := segments[2], segments[4]
	path := filepath.Join(r.folder, filepath.FromSlash(damaged.Key))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-9] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Delete(t.Context(), missing.Key); err != nil {
		t.Fatal(err)
	}
	unlisted := segments[6]
	left := slices.DeleteFunc(slices.Clone(segments), func(s journal.Segment) bool { return s.Key == unlisted.Key })
	done := int64(0)
	st := stream(r.store, left)
	st.Done = func(n int64) { done += n }
	found, err := find.Exact("k").SearchStream(t.Context(), st, r.from, r.until, 1000)
	if err != nil || len(found.Holes) != 3 || done != r.until-r.from {
		t.Fatalf("%v, holes %+v, %d of %d bytes", err, found.Holes, done, r.until-r.from)
	}
	for i, s := range []journal.Segment{damaged, missing, unlisted} {
		if h := found.Holes[i]; h.From != s.From || h.To != s.To || i < 2 && h.Key != s.Key {
			t.Errorf("the hole %+v is not %v", h, s)
		}
	}
	// All changes are found but those that have a byte in a hole.
	var want []find.Change
	for _, c := range whole {
		if !slices.ContainsFunc(found.Holes, func(h find.Hole) bool { return c.Before < h.To && c.After > h.From }) {
			want = append(want, c)
		}
	}
	if len(want) != len(found.Newest) || len(want) > 390 {
		t.Errorf("%d changes are found, want %d of %d", len(found.Newest), len(want), len(whole))
	}
}

// Only the newest changes are held; the others are counted. A cancelled search ends.
func TestOnlyTheNewestChangesAreHeld(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	client := server.Client()
	r := record(t, server, 100_000)
	names := make([]string, 3000)
	for i := range names {
		names[i] = fmt.Sprint("k:", i)
	}
	if err := client.Del(t.Context(), "absent").Err(); err != nil {
		t.Fatal(err)
	}
	args := []any{"MSET"}
	for _, name := range names {
		args = append(args, name, "v")
	}
	if err := client.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Del(t.Context(), names...).Err(); err != nil {
		t.Fatal(err)
	}
	segments := r.ends()
	found, err := find.Pattern("k:*").SearchStream(t.Context(), stream(r.store, segments), r.from, r.until, 10)
	if err != nil || found.Count != 6000 || len(found.Newest) != 10 || string(found.Newest[9].Name) != "k:2999" || found.Newest[0].Word != 2991 {
		t.Errorf("%d changes, %d held, %v", found.Count, len(found.Newest), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := find.Exact("k").SearchStream(ctx, stream(r.store, segments), r.from, r.until, 10); err == nil {
		t.Error("a cancelled search did not end")
	}
}
