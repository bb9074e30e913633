package contents_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/contents"
	"rekindle/internal/rdb"
)

// key tells a collector about a string.
func key(c *contents.Collector, name string, bytes int64) {
	c.Key(&rdb.Observed{Name: []byte(name[:min(len(name), rdb.MaxObservedName)]), Length: int64(len(name)), Bytes: bytes})
}

func ended(c *contents.Collector) contents.Contents {
	c.End(rdb.Summary{StatsKnown: true})
	return c.Contents()
}

func TestPrefixesAreKindsOfKeysAndNotIDs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"user:1001:cart":   "user:",
		"user:alice":       "user:",
		"cache:page:/home": "cache: cache:page: cache:page:/",
		"session-550e8400-e29b-41d4-a716-446655440000": "session-",
		"user_profile:17":                     "user_profile:",
		"user_17":                             "user_",
		"mail:bob.smith":                      "mail:",
		"v2:user:7":                           "v2: v2:user:",
		"{user1000}.following":                "",
		"counter":                             "",
		"":                                    "",
		"7":                                   "",
		"a:b:c:d:e":                           "a: a:b: a:b:c:",
		"x:\x00\x01:y":                        "x:",
		"用户:17":                               "用户:",
		"t:" + strings.Repeat("q", 40) + ":y": "t:",
		strings.Repeat("long-", 20) + ":x":    "",
	} {
		c := contents.New(true)
		key(c, name, 10)
		var got []string
		for _, p := range ended(c).Prefixes {
			got = append(got, p.Name.String())
		}
		if words := strings.Fields(want); !sameWords(got, words) {
			t.Errorf("%q has the prefixes %q, want %q", name, got, words)
		}
	}
}

func sameWords(a, b []string) bool {
	seen := map[string]int{}
	for _, word := range a {
		seen[word]++
	}
	for _, word := range b {
		seen[word]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

// word is a text without a digit that stands for a number.
func word(n int) string {
	text := []byte{}
	for ; n > 0 || len(text) == 0; n /= 20 {
		text = append(text, byte('a'+n%20))
	}
	return string(text)
}

func TestSketchesStayWithinTheErrorThatTheyState(t *testing.T) {
	t.Parallel()
	const shards, keys = 3, 70_000
	random := rand.New(rand.NewPCG(1, 2))
	truth, all := map[string]contents.Sum{}, contents.Sum{}
	whole := contents.New(true)
	for range shards {
		part := contents.New(true)
		for range keys {
			name := word(int(random.ExpFloat64()*random.ExpFloat64()*8000)) + ":"
			bytes := int64(random.ExpFloat64() * 1000)
			key(part, name+"1", bytes)
			sum := truth[name]
			truth[name] = contents.Sum{Keys: sum.Keys + 1, Bytes: sum.Bytes + bytes}
			all = contents.Sum{Keys: all.Keys + 1, Bytes: all.Bytes + bytes}
		}
		part.End(rdb.Summary{StatsKnown: true})
		whole.Merge(part)
	}
	got := whole.Contents()
	if len(truth) < 5*4096 || len(got.Prefixes) < 1000 {
		t.Fatalf("%d prefixes were to be counted, and %d were listed", len(truth), len(got.Prefixes))
	}
	within := func(name string, low, over, sum contents.Sum) {
		if low.Keys > sum.Keys || sum.Keys > low.Keys+over.Keys || low.Bytes > sum.Bytes || sum.Bytes > low.Bytes+over.Bytes {
			t.Errorf("%s has %+v, stated is %+v and at most %+v more", name, sum, low, over)
		}
		if over.Keys > all.Keys/contents.Precision || over.Bytes > all.Bytes/contents.Precision {
			t.Errorf("%s is known to %+v, of %+v", name, over, all)
		}
	}
	for _, p := range got.Prefixes {
		within(p.Name.String(), p.Sum, p.Over, truth[p.Name.String()])
		delete(truth, p.Name.String())
	}
	for name, sum := range truth {
		if sum.Keys > got.Unlisted.Keys || sum.Bytes > got.Unlisted.Bytes {
			t.Errorf("%s has %+v and is not listed, although only %+v may be missing", name, sum, got.Unlisted)
		}
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestPrefixesThatAreNotListedAreSaidToBeRare(t *testing.T) {
	t.Parallel()
	c := contents.New(true)
	for i := range 2500 {
		for range 2 {
			key(c, word(i)+":1", 10)
		}
	}
	got := ended(c)
	if len(got.Prefixes) != 2000 || got.Unlisted != (contents.Sum{Keys: 2, Bytes: 20}) || got.Prefixes[0].Over != (contents.Sum{}) {
		t.Errorf("%d are listed, the first is %+v, others can have %+v", len(got.Prefixes), got.Prefixes[0], got.Unlisted)
	}
}

func TestContentsAreTheSameForOnePartAndForMany(t *testing.T) {
	t.Parallel()
	whole, parts := contents.New(true), []*contents.Collector{contents.New(true), contents.New(true), contents.New(true)}
	for i := range 5000 {
		name, bytes := fmt.Sprintf("%s:%s:%d", word(i%30), word(i%7), i), int64(40+i)
		key(whole, name, bytes)
		key(parts[i%3], name, bytes)
	}
	sum := contents.New(true)
	for _, part := range parts {
		sum.Merge(part)
	}
	if one, many := ended(whole), ended(sum); !reflect.DeepEqual(one, many) {
		t.Errorf("one part has\n%+v\nthree have\n%+v", one, many)
	} else if len(one.Biggest) != 100 || one.Biggest[0].Bytes != 5039 || one.Biggest[99].Bytes != 4940 || one.Unlisted != (contents.Sum{}) {
		t.Errorf("the biggest are %+v, unlisted %+v", one.Biggest, one.Unlisted)
	}
}

func TestWithoutNamesNothingOfANameIsKept(t *testing.T) {
	t.Parallel()
	c := contents.New(false)
	key(c, "secret:topsecret", 70)
	merged, other := contents.New(false), contents.New(true)
	key(other, "secret:topsecret", 70)
	merged.Merge(other)
	for name, got := range map[string]contents.Contents{"gathered so": ended(c), "taken out": named().WithoutNames(), "merged": ended(merged)} {
		text, err := json.Marshal(got)
		if err != nil || strings.Contains(string(text), "secret") || got.Named || len(got.Biggest) != 1 || got.Biggest[0].Bytes != 70 {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func named() contents.Contents {
	c := contents.New(true)
	key(c, "secret:topsecret", 70)
	return ended(c)
}

// Not parallel: it looks at the heap.
func TestACollectorTakesLittleMemoryWhateverTheKeysAreCalled(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	base := heap()
	whole, c := contents.New(true), contents.New(true)
	long := strings.Repeat("z", 17)
	for shard := range 2 {
		c = contents.New(true)
		for i := range 60_000 {
			n := word(i + shard*1_000_000)
			c.Key(&rdb.Observed{Database: i, Name: []byte(n + long + ":" + n + long + ":" + n + ":" + long + long), Length: 1 << 40, Bytes: int64(i)})
		}
		if shard == 0 {
			whole.Merge(c)
		}
	}
	if grown := heap() - base; grown > 8<<20 {
		t.Errorf("two collectors take %d KiB, 8192 are allowed", grown>>10)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(whole)
	whole.Merge(c)
	got := ended(whole)
	if len(got.ByDatabase()) != 65 || len(got.Prefixes) != 2000 {
		t.Errorf("%d databases, %d prefixes", len(got.ByDatabase()), len(got.Prefixes))
	}
	if text, err := json.Marshal(got); err != nil || len(text) > 2<<20 {
		t.Errorf("as JSON it has %d bytes, %v", len(text), err)
	}
}

// TestWhatRealServersWroteIsCountedAsTheSummaryDoes scans every RDB that package rdb has of real servers, in one piece and byte by byte.
func TestWhatRealServersWroteIsCountedAsTheSummaryDoes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../rdb/testdata/*.rdb")
	if err != nil || len(files) == 0 {
		t.Fatal("no RDBs", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all [2]contents.Contents
		plain, err := rdb.NewScanner(strings.NewReader(string(data))).Scan()
		if err != nil {
			t.Fatal(file, err)
		}
		for i, strict := range []bool{false, true} {
			c := contents.New(true)
			options := []rdb.Option{rdb.Observe(c)}
			if strict {
				options = append(options, rdb.Strict)
			}
			sum, err := rdb.NewScanner(iotest.OneByteReader(strings.NewReader(string(data))), options...).Scan()
			if err != nil || !reflect.DeepEqual(sum, plain) {
				t.Errorf("%s: observed it is %+v, %v\nbefore %+v", file, sum, err, plain)
			}
			c.End(sum)
			all[i] = c.Contents()
		}
		if !reflect.DeepEqual(all[0], all[1]) {
			t.Errorf("%s: a strict scan counts otherwise", file)
		}
		agrees(t, file, all[0], plain)
	}
}

func agrees(t *testing.T, file string, got contents.Contents, sum rdb.Summary) {
	t.Helper()
	if total, expires := got.Total(); total.Keys != sum.Keys || expires != sum.Expires || total.Bytes > sum.Bytes || sum.Keys > 100 && total.Bytes < sum.Bytes/2 {
		t.Errorf("%s: %+v, %d expire; the summary has %d keys, %d expire, %d bytes", file, total, expires, sum.Keys, sum.Expires, sum.Bytes)
	}
	for _, h := range got.ByType() {
		if h.Keys != sum.Types[h.Type] {
			t.Errorf("%s: %d keys of the type %s, the summary has %d", file, h.Keys, h.Type, sum.Types[h.Type])
		}
	}
	for _, h := range got.ByDatabase() {
		if h.Keys != sum.DatabaseKeys[h.Database] {
			t.Errorf("%s: %d keys in database %d, the summary has %d", file, h.Keys, h.Database, sum.DatabaseKeys[h.Database])
		}
	}
	if err := got.Check(); err != nil || got.Libraries != sum.Functions {
		t.Errorf("%s: %v; %d libraries", file, err, got.Libraries)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back contents.Contents
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, got) {
		t.Errorf("%s: read back it is %+v, %v\nwas %+v", file, back, err, got)
	}
}

func TestComparisonsConsiderWhatMayNotHaveBeenListed(t *testing.T) {
	t.Parallel()
	name := func(text string) contents.Name { return contents.NameOf([]byte(text), int64(len(text))) }
	before := contents.Contents{Named: true, Prefixes: []contents.Prefix{
		{Name: name("a:"), Level: 1, Sum: contents.Sum{Keys: 10, Bytes: 100}}, {Name: name("b:"), Level: 1, Sum: contents.Sum{Keys: 5, Bytes: 50}}, {Name: name("same:"), Level: 1, Sum: contents.Sum{Keys: 1, Bytes: 1}}},
		Holdings: []contents.Holding{{Type: "string", Sum: contents.Sum{Keys: 16, Bytes: 151}}}}
	after := contents.Contents{Named: true, Unlisted: contents.Sum{Keys: 3, Bytes: 9}, Prefixes: []contents.Prefix{
		{Name: name("a:"), Level: 1, Sum: contents.Sum{Keys: 30, Bytes: 300}}, {Name: name("c:"), Level: 1, Sum: contents.Sum{Keys: 7, Bytes: 70}}, {Name: name("same:"), Level: 1, Sum: contents.Sum{Keys: 1, Bytes: 1}}},
		Holdings: []contents.Holding{{Type: "hash", Sum: contents.Sum{Keys: 38, Bytes: 371}}}}
	got := contents.Compare(before, after)
	var words []string
	for _, p := range got.Prefixes {
		words = append(words, fmt.Sprintf("%s%+d new=%t gone=%t certain=%t", p.Name, p.Grown().Bytes, p.New, p.Gone, p.Certain()))
	}
	want := "a:+200 new=false gone=false certain=true, c:+70 new=true gone=false certain=true, b:-50 new=false gone=true certain=false"
	if text := strings.Join(words, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if len(got.Types) != 2 || got.Types[0].Type != "hash" || got.All.Grown() != (contents.Sum{Keys: 22, Bytes: 220}) {
		t.Errorf("types %+v, all %+v", got.Types, got.All)
	}
	if hidden := contents.Compare(before.WithoutNames(), after); hidden.Named || len(hidden.Prefixes) > 0 {
		t.Errorf("names of one that has none: %+v", hidden)
	}
}

// FuzzName: any name comes back from JSON as it was, and nothing that JSON claims makes a name that is longer than it says.
func FuzzName(f *testing.F) {
	for _, text := range []string{"user:1", "\xff\x00", "", `{"text":"a","length":300}`, `{"base64":"/wA="}`, `"\ud800"`} {
		f.Add([]byte(text), int64(len(text)))
	}
	f.Fuzz(func(t *testing.T, text []byte, length int64) {
		name := contents.NameOf(text, max(length, int64(len(text))))
		data, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		var back contents.Name
		if err := json.Unmarshal(data, &back); err != nil || back != name {
			t.Errorf("%q of %d comes back as %q, %v", text, length, back, err)
		}
		var any contents.Name
		if json.Unmarshal(text, &any) == nil {
			if whole, cut := any.Cut(); cut && whole <= int64(len(any.String())) {
				t.Errorf("%q is cut to %q of %d", text, any, whole)
			}
		}
	})
}
