package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/find"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// matching chooses keys by a pattern.
func matching(pattern string) restore.Choice {
	return restore.Choice{Database: -1, Matches: find.Pattern(pattern).Matches}
}

// bring brings keys back into servers.
func bring(t *testing.T, data []byte, o restore.BringOptions, servers ...*testkit.Server) (restore.Brought, error) {
	t.Helper()
	var nodes []resp.Options
	for _, s := range servers {
		nodes = append(nodes, options(s))
	}
	b := restore.OpenBringer(t.Context(), nodes, o)
	_, err := b.Write(bytes.NewReader(data))
	if failed := b.Close(); failed != nil {
		t.Error(failed)
	}
	return b.Brought(), err
}

// count looks for the chosen keys before anything is written.
func count(t *testing.T, data []byte, c restore.Choice) (restore.Chosen, error) {
	t.Helper()
	s := restore.NewSelection(c, 1<<20)
	keys, err := s.Read(bytes.NewReader(data))
	if failed := s.Close(); failed != nil || err == nil && keys != s.Chosen().Keys {
		t.Error(keys, failed)
	}
	return s.Chosen(), err
}

func do(t *testing.T, c *redis.Client, args ...any) any {
	t.Helper()
	v, err := c.Do(t.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("%v: %v", args, err)
	}
	return v
}

// chosenOf are the digests of the keys that fit.
func chosenOf(digests map[string]string, fits func(name string) bool) map[string]string {
	out := maps.Clone(digests)
	maps.DeleteFunc(out, func(name, _ string) bool { return !fits(name) })
	return out
}

func TestDeletedKeysOfAllTypesComeBackAndNothingElseIsTouched(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	keys := testkit.Fill(t, s.Client(), 600)
	before := testkit.Digests(t, s.Client())
	data := saved(t, s)
	do(t, s.Client(), "FLUSHALL")
	do(t, s.Client(), "FUNCTION", "FLUSH")
	do(t, s.Client(), "SET", "somebody:else", "new")
	counted, err := count(t, data, matching("*"))
	if err != nil || counted.Keys != int64(keys) || counted.Bytes == 0 || counted.Databases < 1 {
		t.Fatalf("counted %+v, %v; want %d keys", counted, err, keys)
	}
	brought, err := bring(t, data, restore.BringOptions{Choice: matching("*")}, s)
	if err != nil || brought.Added != int64(keys) || brought.Done() != int64(keys) || len(brought.Keys) != restore.KeysNamed {
		t.Fatalf("brought %+v, %v", brought, err)
	}
	after := testkit.Digests(t, s.Client())
	isKey := func(name string) bool {
		return !strings.Contains(name, "somebody:else") && !strings.HasPrefix(name, "function")
	}
	if diff := testkit.Diff(chosenOf(before, isKey), chosenOf(after, isKey)); diff != "" {
		t.Error(diff)
	}
	if got := do(t, s.Client(), "GET", "somebody:else"); got != "new" {
		t.Errorf("another key is now %v", got)
	}
	if libraries := do(t, s.Client(), "FUNCTION", "LIST"); len(libraries.([]any)) != 0 {
		t.Errorf("functions were written: %v", libraries)
	}
}

func TestKeysThatAreThereAreSkippedOrReplacedAsRehearsed(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprint(replace), func(t *testing.T) {
			t.Parallel()
			s := testkit.Redis(t)
			do(t, s.Client(), "FLUSHALL")
			for _, name := range []string{"cart:changed", "cart:gone", "cart:same", "other"} {
				do(t, s.Client(), "HSET", name, "apples", "3")
			}
			do(t, s.Client(), "SET", "cart:past", "x", "PXAT", time.Now().Add(time.Hour).UnixMilli())
			data := saved(t, s)
			do(t, s.Client(), "DEL", "cart:gone")
			do(t, s.Client(), "HSET", "cart:changed", "apples", "4")
			do(t, s.Client(), "HSET", "other", "apples", "5")
			before := testkit.Digests(t, s.Client())
			o := restore.BringOptions{Choice: matching("cart:*"), Replace: replace, Rehearse: true}
			o.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } // cart:past has expired by then
			want := restore.Brought{Added: 1, Skipped: 2, Expired: 1}
			if replace {
				want = restore.Brought{Added: 1, Replaced: 2, Expired: 1}
			}
			check := func(got restore.Brought, err error) {
				t.Helper()
				if got.Keys, got.Memory = nil, nil; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("brought %+v, %v; want %+v", got, err, want)
				}
			}
			want.Alike = 1
			check(bring(t, data, o, s))
			if diff := testkit.Diff(before, testkit.Digests(t, s.Client())); diff != "" {
				t.Errorf("the rehearsal has changed %s", diff)
			}
			o.Rehearse, want.Alike = false, 0
			check(bring(t, data, o, s))
			apples := "4"
			if replace {
				apples = "3"
			}
			for name, value := range map[string]string{"cart:changed": apples, "cart:gone": "3", "other": "5"} {
				if got := do(t, s.Client(), "HGET", name, "apples"); got != value {
					t.Errorf("%s has %v, want %s", name, got, value)
				}
			}
			if do(t, s.Client(), "EXISTS", "cart:past") != int64(1) {
				t.Error("a key of the cluster was deleted because the snapshot's had expired")
			}
		})
	}
}

func TestKeysComeBackUnderAnotherNameFromOneDatabaseWithAnotherDeadline(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	do(t, s.Client(), "FLUSHALL")
	do(t, s.Client(), "SET", "a", "0", "EX", 100)
	other := s.Client().Conn()
	defer other.Close()
	for _, args := range [][]any{{"SELECT", 3}, {"SET", "a", "3", "EX", 100}} {
		if err := other.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	data := saved(t, s)
	choice := matching("a")
	choice.Database, choice.Deadlines = 3, restore.DropDeadlines
	choice.Rename = func(name []byte) ([]byte, error) { return append([]byte("restored:"), name...), nil }
	brought, err := bring(t, data, restore.BringOptions{Choice: choice}, s)
	if err != nil || brought.Added != 1 || string(brought.Keys[0].Name) != "restored:a" || brought.Keys[0].Database != 3 || brought.Keys[0].Type != "string" {
		t.Fatalf("brought %+v, %v", brought, err)
	}
	if value, ttl := other.Get(t.Context(), "restored:a").Val(), other.TTL(t.Context(), "restored:a").Val(); value != "3" || ttl != -1 {
		t.Errorf("it has %q and %v left", value, ttl)
	}
	if n := do(t, s.Client(), "DBSIZE"); n != int64(1) {
		t.Errorf("database 0 has %v keys", n)
	}
	refused := errors.New("no")
	choice.Rename = func([]byte) ([]byte, error) { return nil, refused }
	if _, err := count(t, data, choice); !errors.Is(err, refused) {
		t.Errorf("counting says %v", err)
	}
}

func TestKeysAreBroughtToTheNodesThatHaveTheirSlotsNow(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	do(t, source.Client(), "FLUSHALL")
	for i := range 300 {
		do(t, source.Client(), "SET", "key:"+strconv.Itoa(i), i)
	}
	data := saved(t, source)
	shards := testkit.InClusterMode(t, 3, 0)
	// The slot of key:7 is being moved from its node to another one, which has to be asked for keys that the first one does not have.
	slot := do(t, shards[0].Client(), "CLUSTER", "KEYSLOT", "key:7").(int64)
	from := route(t, shards)(int(slot))
	to := (from + 1) % 3
	id := func(i int) string { return do(t, shards[i].Client(), "CLUSTER", "MYID").(string) }
	do(t, shards[to].Client(), "CLUSTER", "SETSLOT", slot, "IMPORTING", id(from))
	do(t, shards[from].Client(), "CLUSTER", "SETSLOT", slot, "MIGRATING", id(to))
	stale := func(int) int { return 0 } // what was known is wrong for two thirds of the slots
	o := restore.BringOptions{Choice: matching("key:*")}
	o.Route, o.Rehearse = stale, true
	if brought, err := bring(t, data, o, shards...); err != nil || brought.Added != 300 {
		t.Fatalf("rehearsed %d, %v", brought.Added, err)
	}
	o.Rehearse = false
	if brought, err := bring(t, data, o, shards...); err != nil || brought.Added != 300 {
		t.Fatalf("brought %d, %v", brought.Added, err)
	}
	all := map[string]string{}
	for i, s := range shards {
		if n := do(t, s.Client(), "DBSIZE").(int64); n < 60 {
			t.Errorf("shard %d has %d keys of 300", i, n)
		}
	}
	if n := do(t, shards[to].Client(), "CLUSTER", "COUNTKEYSINSLOT", slot); n == int64(0) {
		t.Error("the key whose slot is moving is not at the node that it moves to")
	}
	for _, i := range []int{from, to} {
		do(t, shards[i].Client(), "CLUSTER", "SETSLOT", slot, "NODE", id(to))
	}
	for _, s := range shards {
		maps.Copy(all, testkit.Digests(t, s.Client()))
	}
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), all); diff != "" {
		t.Error(diff)
	}
}

func TestALargeValueComesBackInLittleMemory(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	do(t, s.Client(), "CONFIG", "SET", "rdbcompression", "no")
	large := make([]byte, 100<<20)
	for i := 0; i < len(large); i += 1 << 10 {
		large[i] = byte(rand.IntN(256))
	}
	do(t, s.Client(), "SET", "large", large)
	data := saved(t, s)
	o := restore.BringOptions{Choice: matching("large"), Rehearse: true}
	o.Spool = t.TempDir()
	if brought, err := bring(t, data, o, s); err != nil || brought.Skipped != 1 || brought.Alike != 1 {
		t.Fatalf("rehearsed %+v, %v", brought, err)
	}
	do(t, s.Client(), "SETRANGE", "large", len(large)-1, "!")
	if brought, err := bring(t, data, o, s); err != nil || brought.Skipped != 1 || brought.Alike != 0 {
		t.Fatalf("rehearsed %+v, %v", brought, err)
	}
	o.Rehearse, o.Replace = false, true
	if brought, err := bring(t, data, o, s); err != nil || brought.Replaced != 1 {
		t.Fatalf("brought %+v, %v", brought, err)
	}
	if got, err := s.Client().Get(t.Context(), "large").Bytes(); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestBringingBackSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	do(t, s.Client(), "FLUSHALL")
	do(t, s.Client(), "RPUSH", "list", "a", "b")
	data := saved(t, s)
	do(t, s.Client(), "DEL", "list")
	o := restore.BringOptions{Choice: matching("*")}
	do(t, s.Client(), "ACL", "SETUSER", "default", "-restore")
	if brought, err := bring(t, data, o, s); !errors.Is(err, restore.ErrDenied) || brought.Done() != 0 {
		t.Errorf("without the right: %v", err)
	}
	do(t, s.Client(), "ACL", "SETUSER", "default", "-@all", "+restore", "+acl|setuser", "+auth", "+hello", "+client", "+ping")
	if brought, err := bring(t, data, o, s); err != nil || brought.Added != 1 {
		t.Errorf("with no other right: %v", err)
	}
	o.Rehearse = true
	if _, err := bring(t, data, o, s); !errors.Is(err, restore.ErrDenied) {
		t.Errorf("a rehearsal without DUMP: %v", err)
	}
	o.Rehearse = false
	do(t, s.Client(), "ACL", "SETUSER", "default", "+@all")
	do(t, s.Client(), "DEL", "list")
	do(t, s.Client(), "CONFIG", "SET", "maxmemory", "1")
	if _, err := bring(t, data, o, s); !errors.Is(err, restore.ErrFull) {
		t.Errorf("without memory: %v", err)
	}
	do(t, s.Client(), "CONFIG", "SET", "maxmemory", "0")
	do(t, s.Client(), "REPLICAOF", "127.0.0.1", "1")
	if _, err := bring(t, data, o, s); !errors.Is(err, restore.ErrNotPrimary) {
		t.Errorf("a replica: %v", err)
	}
	into, _ := rdb.TargetOf("redis", "6.0.0")
	old := matching("*")
	old.Into = into
	if _, err := count(t, data, old); err != nil {
		t.Errorf("a list can take an older form, but: %v", err)
	}
}

// halfway reads an RDB, and calls back once so many bytes of it were read.
type halfway struct {
	io.Reader
	left int
	call func()
}

func (h *halfway) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p[:min(len(p), 1<<10)])
	if h.left -= n; h.left <= 0 && h.call != nil {
		h.call()
		h.call = nil
	}
	return n, err
}

func TestAnEndInTheMiddleLeavesWhatWasBroughtAndSaysHowMuch(t *testing.T) {
	t.Parallel()
	cancelled := errors.New("cancelled")
	for name, end := range map[string]struct {
		how  func(s *testkit.Server, cancel context.CancelCauseFunc)
		want error
	}{
		"the node is killed": {func(s *testkit.Server, _ context.CancelCauseFunc) { s.Kill() }, restore.ErrGone},
		"it is cancelled":    {func(_ *testkit.Server, cancel context.CancelCauseFunc) { cancel(cancelled) }, cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := testkit.Redis(t), testkit.Redis(t)
			do(t, source.Client(), "FLUSHALL")
			do(t, source.Client(), "DEBUG", "POPULATE", 30_000, "key", 100)
			do(t, target.Client(), "FLUSHALL")
			data := saved(t, source)
			ctx, cancel := context.WithCancelCause(t.Context())
			b := restore.OpenBringer(ctx, []resp.Options{options(target)}, restore.BringOptions{Choice: matching("*")})
			defer b.Close()
			var held int64
			_, err := b.Write(&halfway{bytes.NewReader(data), len(data) / 2, func() {
				held = do(t, target.Client(), "DBSIZE").(int64)
				end.how(target, cancel)
			}})
			got := b.Brought()
			if !errors.Is(err, end.want) || got.Added == 0 || held == 0 || got.Done()+got.Unsure > 30_000 {
				t.Errorf("%d keys were brought, %d perhaps, %d seen there: %v", got.Added, got.Unsure, held, err)
			}
			if errors.Is(end.want, cancelled) && (got.Unsure != 0 || do(t, target.Client(), "DBSIZE") != got.Added) {
				t.Errorf("it says %d and perhaps %d, but there are %v", got.Added, got.Unsure, do(t, target.Client(), "DBSIZE"))
			}
		})
	}
}

func TestKeysThatANodeHasNotAnsweredForAreSaidToBeUnsure(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	do(t, source.Client(), "FLUSHALL")
	do(t, source.Client(), "DEBUG", "POPULATE", 100, "key", 100)
	data := saved(t, source)
	do(t, target.Client(), "FLUSHALL")
	do(t, target.Client(), "CLIENT", "PAUSE", 600_000, "WRITE")
	cancelled := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	b := restore.OpenBringer(ctx, []resp.Options{options(target)}, restore.BringOptions{Choice: matching("*")})
	defer b.Close()
	ended := make(chan error)
	go func() {
		_, err := b.Write(bytes.NewReader(data))
		ended <- err
	}()
	testkit.WaitFor(t, "the node to hold the keys back", func() bool {
		return strings.Contains(do(t, target.Client(), "INFO", "clients").(string), "blocked_clients:1")
	})
	cancel(cancelled)
	if err := <-ended; !errors.Is(err, cancelled) || b.Brought().Unsure != 100 || b.Brought().Done() != 0 {
		t.Errorf("%+v, %v", b.Brought(), err)
	}
}

func TestWhatASelectionKeepsNeedNotBeReadAgain(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]int{"all of it": 16 << 20, "too much": 1 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Redis(t)
			keys := testkit.Fill(t, s.Client(), 600)
			before := testkit.Digests(t, s.Client())
			data := saved(t, s)
			do(t, s.Client(), "FLUSHALL")
			choice := matching("*")
			selection := restore.NewSelection(choice, room)
			defer selection.Close()
			if n, err := selection.Read(bytes.NewReader(data)); err != nil || n != int64(keys) {
				t.Fatal(n, err)
			}
			if selection.Whole() != (name == "all of it") {
				t.Fatalf("whole: %v", selection.Whole())
			}
			if !selection.Whole() {
				return
			}
			b := restore.OpenBringer(t.Context(), []resp.Options{options(s)}, restore.BringOptions{Choice: choice})
			defer b.Close()
			if err := b.Keep(selection); err != nil || b.Brought().Added != int64(keys) {
				t.Fatal(b.Brought().Added, err)
			}
			isKey := func(name string) bool { return !strings.HasPrefix(name, "function") }
			if diff := testkit.Diff(chosenOf(before, isKey), chosenOf(testkit.Digests(t, s.Client()), isKey)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What keys take in memory is foretold, so that nothing is begun that does not fit.
func TestTheMemoryThatKeysTakeIsForetold(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t)
	for name, script := range map[string]string{
		"short strings":     "for i = 1, 50000 do redis.call('SET', 'session:' .. i, 'value ' .. i) end",
		"numbers":           "for i = 1, 50000 do redis.call('SET', 'counter:' .. i, i * 1000) end",
		"documents":         "for i = 1, 20000 do redis.call('SET', 'document:' .. i, string.rep('some text ', 60)) end",
		"mortal ones":       "for i = 1, 50000 do redis.call('SET', 'session:' .. i, 'value ' .. i, 'EX', 10000) end",
		"small hashes":      "for i = 1, 20000 do redis.call('HSET', 'user:' .. i, 'name', 'user ' .. i, 'email', i .. '@example.com') end",
		"large hashes":      "for i = 1, 10 do for j = 1, 5000 do redis.call('HSET', 'hash:' .. i, 'field:' .. j, 'the value of ' .. j) end end",
		"large sets":        "for i = 1, 10 do for j = 1, 5000 do redis.call('SADD', 'set:' .. i, 'member:' .. j) end end",
		"large sorted sets": "for i = 1, 10 do for j = 1, 5000 do redis.call('ZADD', 'zset:' .. i, j, 'member:' .. j) end end",
		"lists":             "for i = 1, 10 do for j = 1, 5000 do redis.call('RPUSH', 'list:' .. i, 'the element ' .. j) end end",
		"streams":           "for i = 1, 10 do for j = 1, 5000 do redis.call('XADD', 'stream:' .. i, j .. '-1', 'field', 'the value ' .. j) end end",
	} {
		do(t, s.Client(), "FLUSHALL")
		used := func() int64 { return resp.ParseInfo(s.Client().Info(t.Context(), "memory").Val()).Int("used_memory") }
		do(t, s.Client(), "SET", "first", "1")
		before := used()
		do(t, s.Client(), "EVAL", script+" return 1", 0)
		took := used() - before
		chosen, err := count(t, saved(t, s), matching("*"))
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(chosen.Memory[0]) / float64(took); ratio < 0.8 || ratio > 1.4 {
			t.Errorf("%s: %d bytes were foretold, %d were taken: %.2f", name, chosen.Memory[0], took, ratio)
		} else {
			t.Logf("%s: %.2f", name, ratio)
		}
	}
}
