package restore_test

import (
	"fmt"
	"strings"
	"testing"

	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// Values that an older engine does not read as they are stored come to it in a form that it reads, large ones too.
func TestRestoreWritesValuesInTheFormThatAnOlderEngineReads(t *testing.T) {
	t.Parallel()
	for from, older := range map[string][]string{"redis-7.0": {"redis-6.0"}, "redis-8.0": {"redis-6.0", "redis-7.0"}, "valkey-9.1": {"redis-6.0", "redis-7.0", "valkey-8.0"}} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			source := testkit.Engine(t, testkit.Fetched(t, from))
			keys := testkit.Fill(t, source.Client(), 300)
			keys += fillPacked(t, source)
			if err := source.Client().FunctionFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			data := saved(t, source)
			want := testkit.Digests(t, source.Client())
			for _, into := range older {
				t.Run("into "+into, func(t *testing.T) {
					t.Parallel()
					settings := []string{"--sanitize-dump-payload", "yes"}
					if into == "redis-6.0" {
						settings = nil // it looks into nothing
					}
					target := testkit.Engine(t, testkit.Fetched(t, into), settings...)
					same := func(when string) {
						t.Helper()
						if diff := testkit.Diff(want, testkit.Digests(t, target.Client())); diff != "" {
							t.Errorf("other data %s:\n%s", when, diff)
						}
					}
					options := restore.Options{Into: targetOf(t, into), Spool: t.TempDir()}
					counts, err := write(t, data, options, target)
					if err != nil || counts.Written != int64(keys) {
						t.Fatalf("counted %+v, want %d keys: %v", counts, keys, err)
					}
					same("by commands")
					if err := target.Client().Do(t.Context(), "DEBUG", "RELOAD").Err(); err != nil {
						t.Fatal(err)
					}
					same("after the server has saved and loaded it")
					files, _ := split(t, target, options, 1, data)
					startWith(t, target, files[0])
					same("by a file")
				})
			}
		})
	}
}

// fillPacked writes values whose packed elements are numbers of each size, and texts of each, and returns how many keys those are.
func fillPacked(t *testing.T, server *testkit.Server) int {
	t.Helper()
	var elements, pairs, scores []any
	for i, n := range []int64{0, 1, 127, 128, -1, 4095, -4096, 4096, 1<<15 - 1, -1 << 15, 1 << 15, 1<<23 - 1, -1 << 23, 1 << 23, 1<<31 - 1, -1 << 31, 1 << 31, 1<<63 - 1, -1 << 63} {
		elements = append(elements, n, fmt.Sprint("text ", i), strings.Repeat("y", 3*i))
		pairs = append(pairs, n, -n, fmt.Sprint("text ", i), n)
		scores = append(scores, n, n, float64(n)/3, fmt.Sprint("text ", i))
	}
	scores = append(scores, "inf", "most", "-inf", "least", "1e-300", "little", "-0", "zero", "1.7976931348623157e308", "much")
	list := []any{"RPUSH", "packed:list", strings.Repeat("long", 5000)}
	for range 3000 {
		list = append(list, elements...)
	}
	for _, command := range [][]any{
		append([]any{"SADD", "packed:set"}, elements...),
		append([]any{"HSET", "packed:hash"}, pairs...),
		append([]any{"ZADD", "packed:zset"}, scores...),
		append(list, strings.Repeat("long", 2<<20)),
		append([]any{"RPUSH", "packed:short"}, elements...),
		{"XADD", "packed:stream", "5-1", "n", 1, "text", "x"},
		{"XADD", "packed:stream", "5-2", "n", 300, "text", strings.Repeat("x", 5000)},
		{"XADD", "packed:stream", "6-1", "other", ""},
		{"XDEL", "packed:stream", "5-2"},
		{"XGROUP", "CREATE", "packed:stream", "workers", "0"},
		{"XREADGROUP", "GROUP", "workers", "alice", "COUNT", 1, "STREAMS", "packed:stream", ">"},
		{"XREADGROUP", "GROUP", "workers", "bob", "STREAMS", "packed:stream", ">"},
		{"XGROUP", "CREATE", "packed:empty stream", "workers", "$", "MKSTREAM"},
	} {
		if err := server.Client().Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(command[:2], err)
		}
	}
	return 7
}
