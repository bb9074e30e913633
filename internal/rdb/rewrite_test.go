package rdb_test

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/rdb"
)

func engine(t testing.TB, name string) rdb.Target {
	t.Helper()
	if name == "" {
		return rdb.Target{}
	}
	kind, version, _ := strings.Cut(name, "-")
	target, ok := rdb.TargetOf(kind, version)
	if !ok {
		t.Fatal(name)
	}
	return target
}

// score is one in binary.
func score(n float64) []byte { return little(math.Float64bits(n), 8) }

// idOf is a stream's ID as it is stored in a list of pending entries.
func idOf(n int) []byte { return join(make([]byte, 15), n) }

// streamOf is a stream of one entry with a group and a consumer that has not acknowledged it, as a type stores it.
func streamOf(kind int) []byte {
	entries := listpack(1, 0, 1, "n", 0, 2, 0, 0, "one", 4)
	out := join(1, 16, idOf(1), str(string(entries)), 1, 1, 0)
	if kind >= 19 {
		out = join(out, 1, 0, 0x40, 77, 3, 9) // first ID, greatest deleted ID, entries ever added
	}
	out = join(out, 1, str("group"), 1, 0)
	if kind >= 19 {
		out = join(out, 1) // entries read
	}
	out = join(out, 1, idOf(1), little(noon, 8), 3, 1, str("alice"), little(noon+1, 8))
	if kind >= 21 {
		out = join(out, little(noon+2, 8)) // active
	}
	return join(out, 1, idOf(1))
}

func TestValuesTakeTheFormThatAnEngineReads(t *testing.T) {
	t.Parallel()
	number := []byte{0xF2, 0x40, 0xE2, 0x01} // 123456
	pairs := listpack("f", "v", 7, number)
	scores := listpack("a", "-1.5", 7, 3, "b", "inf", "c", "1e-300")
	mixed := listpack("a", 7, []byte{0xC1, 0x00}, number, []byte{0xDF, 0xFF})
	none := uint64(math.MaxUint64)
	ttls := listpack("f", "v", at(noon), "g", 7, at(noon+5), "h", "x", 0)
	valkeys := func(first, second uint64) []byte {
		return join(22, far(3), str("f"), str("v"), little(first, 8), str("g"), str("7"), little(second, 8), str("h"), str("x"), little(none, 8))
	}
	table := join(2, 6, str("f"), str("v"), 0, str("g"), join(0xC0, 7))
	tableOfValkey := func(at uint64) []byte {
		return join(22, 2, str("f"), str("v"), little(at, 8), str("g"), join(0xC0, 7), little(none, 8))
	}
	later := rdb.FieldDeadlines{Later: time.Hour}
	drop := rdb.FieldDeadlines{Drop: true}
	for name, c := range map[string]struct {
		header, into string
		change       rdb.FieldDeadlines
		from, want   []byte
	}{
		"a hash":                    {"REDIS0010", "redis-6.0", later, join(16, str(string(pairs))), join(4, far(2), str("f"), str("v"), str("7"), str("123456"))},
		"a hash that is read":       {"REDIS0010", "redis-7.0", later, join(16, str(string(pairs))), join(16, str(string(pairs)))},
		"a compressed hash":         {"REDIS0010", "redis-6.0", later, join(16, lzfString(len(pairs), literally(pairs))), join(4, far(2), str("f"), str("v"), str("7"), str("123456"))},
		"a sorted set":              {"REDIS0010", "redis-6.0", later, join(17, str(string(scores))), join(5, far(4), str("a"), score(-1.5), str("7"), score(3), str("b"), score(math.Inf(1)), str("c"), score(1e-300))},
		"a set":                     {"REDIS0011", "redis-7.0", later, join(20, str(string(mixed))), join(2, far(5), str("a"), str("7"), str("256"), str("123456"), str("-1"))},
		"a set that is read":        {"REDIS0011", "valkey-8.0", later, join(20, str(string(mixed))), join(20, str(string(mixed)))},
		"a list":                    {"REDIS0010", "redis-6.0", later, join(18, 3, 2, str(string(mixed)), 1, lzfString(3, literally([]byte("xyz"))), 2, str(string(listpack("z")))), join(1, far(7), str("a"), str("7"), str("256"), str("123456"), str("-1"), lzfString(3, literally([]byte("xyz"))), str("z"))},
		"a list with an empty node": {"REDIS0010", "redis-6.0", later, join(18, 2, 2, str(string(listpack())), 2, str(string(listpack("z")))), join(1, far(1), str("z"))},
		"a stream of 7.0 into 6.0":  {"REDIS0010", "redis-6.0", later, join(19, streamOf(19)), join(15, streamOf(15))},
		"a stream of 7.2 into 6.0":  {"REDIS0011", "redis-6.0", later, join(21, streamOf(21)), join(15, streamOf(15))},
		"a stream of 7.2 into 7.0":  {"REDIS0011", "redis-7.0", later, join(21, streamOf(21)), join(19, streamOf(19))},
		"a stream of 7.2 into 7.2":  {"REDIS0011", "valkey-7.2", later, join(21, streamOf(21)), join(21, streamOf(21))},

		"packed fields into Valkey, kept":        {"REDIS0012", "valkey-9.1", rdb.FieldDeadlines{}, join(25, little(noon, 8), str(string(ttls))), valkeys(noon, noon+5)},
		"packed fields into Valkey, later":       {"REDIS0012", "valkey-9.1", later, join(25, little(noon, 8), str(string(ttls))), valkeys(noon+hour, noon+5+hour)},
		"packed fields of rc into Valkey":        {"REDIS0012", "valkey-9.1", rdb.FieldDeadlines{}, join(23, str(string(ttls))), valkeys(noon, noon+5)},
		"packed fields into Valkey, dropped":     {"REDIS0012", "valkey-9.1", drop, join(25, little(noon, 8), str(string(ttls))), join(4, far(3), str("f"), str("v"), str("g"), str("7"), str("h"), str("x"))},
		"packed fields into Redis 7, dropped":    {"REDIS0012", "redis-7.0", drop, join(25, little(noon, 8), str(string(ttls))), join(4, far(3), str("f"), str("v"), str("g"), str("7"), str("h"), str("x"))},
		"packed fields into Redis 8, kept":       {"REDIS0012", "redis-8.0", rdb.FieldDeadlines{}, join(25, little(noon, 8), str(string(ttls))), join(25, little(noon, 8), str(string(ttls)))},
		"fields into Valkey, kept":               {"REDIS0012", "valkey-9.1", rdb.FieldDeadlines{}, join(24, little(noon, 8), table), tableOfValkey(noon + 5)},
		"fields into Valkey, later":              {"REDIS0012", "valkey-9.1", later, join(24, little(noon, 8), table), tableOfValkey(noon + 5 + hour)},
		"fields of rc into Valkey":               {"REDIS0012", "valkey-9.1", rdb.FieldDeadlines{}, join(22, 2, far(noon), str("f"), str("v"), 0, str("g"), join(0xC0, 7)), tableOfValkey(noon)},
		"fields into Valkey 8, dropped":          {"REDIS0012", "valkey-8.1", drop, join(24, little(noon, 8), table), join(4, 2, str("f"), str("v"), str("g"), join(0xC0, 7))},
		"fields of Valkey into Redis, kept":      {"VALKEY080", "redis-8.0", rdb.FieldDeadlines{}, tableOfValkey(noon), join(24, little(1, 8), 2, far(noon), str("f"), str("v"), far(0), str("g"), join(0xC0, 7))},
		"fields of Valkey into Redis, later":     {"VALKEY080", "redis-8.0", later, tableOfValkey(noon), join(24, little(1, 8), 2, far(noon+hour), str("f"), str("v"), far(0), str("g"), join(0xC0, 7))},
		"fields of Valkey into Redis, beyond it": {"VALKEY080", "redis-8.0", rdb.FieldDeadlines{}, tableOfValkey(1 << 60), join(24, little(1, 8), 2, far(last), str("f"), str("v"), far(0), str("g"), join(0xC0, 7))},
		"fields of Valkey into Redis, in 1970":   {"VALKEY080", "redis-8.0", later, tableOfValkey(0), join(24, little(1, 8), 2, far(1), str("f"), str("v"), far(0), str("g"), join(0xC0, 7))},
		"fields of Valkey into Redis, dropped":   {"VALKEY080", "redis-6.0", drop, tableOfValkey(noon), join(4, 2, str("f"), str("v"), str("g"), join(0xC0, 7))},
		"fields of Valkey that nobody reads":     {"VALKEY080", "redis-7.2", rdb.FieldDeadlines{}, tableOfValkey(noon), tableOfValkey(noon)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := seal(join(c.header, int(c.from[0]), str("key"), c.from[1:], 0, str("behind"), str("it")))
			for i, r := range []interface {
				Read([]byte) (int, error)
			}{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
				w := rewriter{change: c.change, target: engine(t, c.into)}
				_, err := rdb.Visit(r, &w)
				if err != nil || len(w.values) != 2 || !bytes.Equal(join(int(w.types[0]), w.values[0]), c.want) {
					t.Fatalf("%d: %v\n%x %x, want\n%x", i, err, w.types, w.values, c.want)
				}
			}
		})
	}
}

func TestADamagedValueIsNotRewritten(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][]byte{
		"half a pair":              join(16, str("k"), str(string(listpack("f", "v", "g")))),
		"no elements":              join(20, str("k"), str(string(listpack()))),
		"a score that is none":     join(17, str("k"), str(string(listpack("a", "nan")))),
		"a score of no number":     join(17, str("k"), str(string(listpack("a", "1x")))),
		"a score that is too long": join(17, str("k"), long(listpack("a", join(0xE0, 129, "1", strings.Repeat("0", 128), 0x81)))),
		"a list of nothing":        join(18, str("k"), 0),
		"a node of another kind":   join(18, str("k"), 1, 3, str("x")),
		"a length that is wrong":   join(20, str("k"), str("lp")),
		"fields out of order":      join(25, str("k"), little(noon, 8), long(listpack("f", "v", at(noon+1), "g", "w", at(noon)))),
		"no deadline":              join(25, str("k"), little(noon, 8), long(listpack("f", "v", "soon"))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, into := range []string{"redis-6.0", "valkey-9.1"} {
				w := rewriter{target: engine(t, into), change: rdb.FieldDeadlines{Drop: into == "redis-6.0"}}
				if into == "valkey-9.1" && value[0] != 25 {
					continue // it gets that as it is
				}
				if _, err := rdb.Visit(bytes.NewReader(seal(join("REDIS0012", value))), &w); !errors.Is(err, rdb.ErrUnknown) {
					t.Errorf("into %s: %v", into, err)
				}
			}
		})
	}
}

// A value that is larger than what is gathered of it is changed where it has been written.
func TestALargeValueIsRewrittenPieceByPiece(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 60)
	var elements []any
	list, set := []byte{}, []byte{}
	for i := range 70_000 { // more than the header of a listpack can count
		elements = append(elements, text+strconv.Itoa(i%10))
		set = append(set, str(text+strconv.Itoa(i%10))...)
	}
	packed := listpack(elements...)
	copy(packed[4:], []byte{0xFF, 0xFF})
	for range 300 {
		list = join(list, 2, long(listpack(elements[:300]...)))
	}
	huge := strings.Repeat("v", 100<<10)
	for name, c := range map[string]struct {
		header, into string
		from, want   []byte
	}{
		"a set":            {"REDIS0011", "redis-7.0", join(20, long(packed)), join(2, far(70_000), set)},
		"a list":           {"REDIS0011", "redis-6.0", join(18, 0x41, 300-256, list), join(1, far(90_000), bytes.Repeat(set[:300*62], 300))},
		"a field's value":  {"VALKEY080", "redis-8.0", join(22, 1, str("f"), long([]byte(huge)), little(noon, 8)), join(24, little(1, 8), 1, far(noon), str("f"), long([]byte(huge)))},
		"a field's value2": {"REDIS0012", "valkey-9.1", join(24, little(noon, 8), 1, 1, str("f"), long([]byte(huge))), join(22, 1, str("f"), long([]byte(huge)), little(noon, 8))},
	} {
		w := rewriter{target: engine(t, c.into)}
		_, err := rdb.Visit(bytes.NewReader(seal(join(c.header, int(c.from[0]), str("k"), c.from[1:]))), &w)
		if err != nil || !bytes.Equal(join(int(w.types[0]), w.values[0]), c.want) {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(w.values[0])+1, len(c.want))
		}
	}
}

// FuzzRewrite: whatever a value is, it is refused, or becomes one that the engine reads, that stands a strict scan, and that is the same however its
// bytes arrive.
func FuzzRewrite(f *testing.F) {
	f.Add(byte(25), false, int64(hour), false, byte(0), join(little(noon, 8), long(listpack("f", "v", at(noon), "g", "w", 0))))
	f.Add(byte(23), false, int64(-hour), false, byte(2), join(lzfString(20, literally(listpack("f", "v", 1)))))
	f.Add(byte(24), false, int64(hour), true, byte(2), join(little(noon, 8), 2, 1, str("f"), str("v"), 0, str("g"), str("w")))
	f.Add(byte(22), true, int64(hour), false, byte(1), join(1, str("f"), str("v"), little(noon, 8)))
	f.Add(byte(22), false, int64(hour), false, byte(2), join(1, far(noon), str("f"), str("v")))
	f.Add(byte(16), false, int64(0), false, byte(3), str(string(listpack("f", 7))))
	f.Add(byte(17), false, int64(0), false, byte(3), str(string(listpack("f", "1.5", "g", 7))))
	f.Add(byte(18), false, int64(0), false, byte(3), join(2, 1, str("x"), 2, str(string(listpack("f", 7)))))
	f.Add(byte(20), false, int64(0), false, byte(4), str(string(listpack("f", 7))))
	f.Add(byte(21), false, int64(0), false, byte(3), streamOf(21))
	f.Add(byte(19), false, int64(0), false, byte(3), streamOf(19))
	engines := []string{"", "redis-8.0", "valkey-9.1", "redis-6.0", "redis-7.0", "valkey-8.1"}
	f.Fuzz(func(t *testing.T, kind byte, valkey bool, later int64, drop bool, into byte, value []byte) {
		header, name := "REDIS0012", engines[int(into)%len(engines)]
		if valkey {
			header = "VALKEY080"
		}
		data := seal(join(header, int(kind), str("k"), value))
		change := rdb.FieldDeadlines{Drop: drop, Later: time.Duration(later) * time.Millisecond}
		w := rewriter{change: change, target: engine(t, name)}
		slow := w
		sum, err := rdb.Visit(bytes.NewReader(data), &w, rdb.Strict)
		if _, errSlow := rdb.Visit(iotest.OneByteReader(bytes.NewReader(data)), &slow, rdb.Strict); (err == nil) != (errSlow == nil) {
			t.Fatalf("%v, byte by byte %v", err, errSlow)
		}
		if err != nil || sum.Keys == 0 {
			return
		}
		for i, value := range w.values {
			if !bytes.Equal(value, slow.values[i]) {
				t.Errorf("%x, byte by byte %x", value, slow.values[i])
			}
			written(t, header, name, change, join(int(w.types[i]), str("k"), value))
		}
	})
}

// written judges a value that was written for an engine.
func written(t *testing.T, header, into string, change rdb.FieldDeadlines, key []byte) {
	t.Helper()
	kind, version, _ := strings.Cut(into, "-")
	if key[0] == 22 && kind != "" { // whose it is depends on the engine
		header = map[string]string{"redis": "REDIS0012", "valkey": "VALKEY080"}[kind]
	}
	again, err := rdb.NewScanner(bytes.NewReader(seal(join(header, key))), rdb.Strict).Scan()
	if err != nil || !again.StatsKnown || again.Keys != 1 {
		t.Errorf("%x: %s (%v)", key, again.Unknown, err)
	}
	if obstacles, _ := rdb.Obstacles(kind, version, 12, again.Kinds, change); into != "" && key[0] != 7 && len(obstacles) == 0 {
		if exact, _ := rdb.Obstacles(kind, version, 12, again.Kinds, rdb.FieldDeadlines{}); len(exact) > 0 {
			t.Errorf("%x into %s: %v", key, into, exact)
		}
	}
}
