package primary_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

func TestANodeThatIsFedUpToAMomentServesAsTheServerDidThen(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, start func(args ...string) *testkit.Server) {
		source, seed := start(), seeded(t)
		random := rand.New(rand.NewPCG(seed, 3))
		writer := testkit.NewWriter(t, source.Client(), seed, 0, 3, 5)
		writer.Write(300)
		history := testkit.NewHistory(t, source)
		writer.Write(random.IntN(300))
		writer.Settle()
		do(t, source, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
		do(t, source, "EVAL", persistShort, 0) // what would expire before the test is over
		do(t, source, "SET", "brief", "gone", "PX", 1)
		do(t, source, "SET", "last", "one")
		at, set := offsetOf(t, source), time.Now()
		testkit.WaitFor(t, "the key's time to pass", func() bool { return time.Since(set) > 5*time.Millisecond })
		want := testkit.Digests(t, source.Client()) // which removes the key, behind the moment
		target := start("--requirepass", "secret", "--masterauth", "as before")
		var sent int64
		result, err := primary.FeedUpTo(t.Context(), targetOf(target), dumpOf(t, history.RDB), streamOf(bytes.NewReader(history.UpTo(t, at))),
			primary.Options{OnProgress: func(n int64) { sent = n }})
		if err != nil {
			t.Fatal(err)
		}
		// Fields of hashes expire in newer engines, each server removing them in its own time. Held nodes are compared with them.
		unlike := func(key, _ string) bool { return strings.Contains(key, "{w}hash:") }
		got := testkit.Digests(t, target.Client())
		maps.DeleteFunc(want, unlike)
		maps.DeleteFunc(got, unlike)
		if diff := testkit.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if keys := int64(len(keysOf(want))); result.Keys+result.Expired <= keys || result.Memory <= 0 {
			t.Errorf("%+v, want %d keys and at least one whose time has passed", result, keys)
		}
		if stream := at - history.From; sent != int64(len(history.RDB))+stream {
			t.Errorf("it reports %d bytes, want %d of the dump and %d behind it", sent, len(history.RDB), stream)
		}
		if role := field(t, target, "role"); role != "master" {
			t.Errorf("it is a %s", role)
		}
		for _, name := range []string{"master_replid", "master_replid2"} {
			if field(t, target, name) == history.ReplicationID {
				t.Errorf("its %s is that of the server that it is not", name)
			}
		}
		wantMasterauth(t, target, "as before")
		do(t, target, "SET", "new", "write")
	})
}

const persistShort = `for _, db in ipairs({0, 3, 5}) do
	redis.call('SELECT', db)
	for _, key in ipairs(redis.call('KEYS', '*')) do
		local left = redis.call('PTTL', key)
		if left >= 0 and left < 3600000 then redis.call('PERSIST', key) end
	end
end
return 1`

func TestFeedUpToLeavesNoPrimaryWithHalfOfTheData(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 200)
	history := testkit.NewHistory(t, source)
	for i := range 64 {
		do(t, source, "SET", fmt.Sprintf("noise:%d", i), strings.Repeat("x", 100<<10))
	}
	whole := bytes.Clone(history.UpTo(t, offsetOf(t, source)))
	away := errors.New("the store is away")
	for name, c := range map[string]struct {
		stream io.Reader
		args   []string
		want   error
	}{
		"it ends within a command": {bytes.NewReader(whole[:len(whole)-20]), nil, primary.ErrTorn},
		"its reader fails":         {io.MultiReader(bytes.NewReader(whole), failing{away}), nil, away},
		"a command is refused":     {bytes.NewReader(append(bytes.Clone(whole), resp.AppendCommand(nil, "LPUSH", "noise:1", "x")...)), nil, primary.ErrStream},
		"it is more than fits":     {bytes.NewReader(whole), []string{"--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru"}, primary.ErrTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t, c.args...)
			_, err := primary.FeedUpTo(t.Context(), targetOf(target), dumpOf(t, history.RDB), streamOf(c.stream), primary.Options{StallTimeout: 10 * time.Second})
			if !errors.Is(err, c.want) {
				t.Errorf("FeedUpTo = %v, want %v", err, c.want)
			}
			if host := field(t, target, "master_host"); host != primary.Nobody.Host {
				t.Errorf("it is a replica of %q, want of nobody", host)
			}
			wantMasterauth(t, target, "")
		})
	}
}

func TestFeedUpToWithoutAStreamIsFeed(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	testkit.Fill(t, source.Client(), 100)
	history := testkit.NewHistory(t, source)
	result, err := primary.FeedUpTo(t.Context(), targetOf(target), dumpOf(t, history.RDB), nil, primary.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := testkit.Diff(testkit.Digests(t, source.Client()), testkit.Digests(t, target.Client())); diff != "" || result.Keys == 0 {
		t.Errorf("%+v: %s", result, diff)
	}
	if _, err := primary.FeedUpTo(t.Context(), targetOf(target), dumpOf(t, history.RDB), nil, primary.Options{}); !errors.Is(err, primary.ErrNotEmpty) {
		t.Errorf("into the same again: %v, want ErrNotEmpty", err)
	}
}
