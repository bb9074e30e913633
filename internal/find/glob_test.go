package find_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/find"
	"rekindle/internal/testkit"
)

// globs are patterns with names that match them, and names that do not.
var globs = []struct{ pattern, matching, others string }{
	{"*", "a bb ccc", ""},
	{"cart:*", "cart: cart:1", "cart xcart:1"},
	{"h?llo", "hello hallo", "hllo heello"},
	{"h[ae]llo", "hello hallo", "hillo"},
	{"h[^e]llo", "hallo hbllo", "hello"},
	{"h[a-c]llo", "hallo hbllo", "hello hdllo"},
	{"h[c-a]llo", "hallo", "hdllo"},
	{`h\*llo`, "h*llo", "hello"},
	{`[\]]x`, "]x", "ax"},
	{"[abc", "a c", "d ab"},
	{`x\`, `x\`, "x"},
	{"*a*b*c", "abc xxaxbxc", "acb"},
	{"[]x", "", "x ]x"},
	{"[^]x", "ax", "x"},
	{"[a-]", "a ]", "b^ "},
}

func TestPatternsMatchByRedisRules(t *testing.T) {
	t.Parallel()
	for _, g := range globs {
		for _, name := range strings.Fields(g.matching) {
			if !find.Pattern(g.pattern).Matches([]byte(name)) {
				t.Errorf("%q does not match %q", g.pattern, name)
			}
		}
		for _, name := range strings.Fields(g.others) {
			if find.Pattern(g.pattern).Matches([]byte(name)) {
				t.Errorf("%q matches %q", g.pattern, name)
			}
		}
	}
}

func TestAHostilePatternTakesNoTime(t *testing.T) {
	t.Parallel()
	pattern, name := strings.Repeat("a*", 500)+"b", strings.Repeat("a", 2000)
	if find.Pattern(pattern).Matches([]byte(name)) {
		t.Error("it matches")
	}
}

// A real server is the judge: what KEYS answers with is what matches.
func FuzzPatternsMatchAsInRedis(f *testing.F) {
	for _, g := range globs {
		for _, name := range strings.Fields(g.matching + " " + g.others) {
			f.Add(g.pattern, name)
		}
	}
	f.Add("**", "")
	f.Add("*[", "x")
	f.Add(`\`, "")
	client := testkit.Redis(f).Client()
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if name == "" || len(pattern) > 200 || len(name) > 200 {
			t.Skip("a server of version 7.0 does not even find the key without a name by **, and long ones only take time")
		}
		want := asServer(t, client, pattern, name)
		if got := find.Pattern(pattern).Matches([]byte(name)); got != want {
			t.Errorf("%q matches %q: %t, and the server says %t", pattern, name, got, want)
		}
	})
}

func asServer(t *testing.T, client *redis.Client, pattern, name string) bool {
	t.Helper()
	ctx := context.Background()
	var found *redis.StringSliceCmd
	if _, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.FlushAll(ctx)
		p.Set(ctx, name, "x", 0)
		found = p.Keys(ctx, pattern)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return len(found.Val()) == 1
}
