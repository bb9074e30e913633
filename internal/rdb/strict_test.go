package rdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/rdb"
)

// A strict scan takes no more memory than this, whatever is claimed: its buffer, the window of the compression, and small change.
const strictMemory = 512 << 10

// strictTime is far more than any of these files takes, even with the race detector on a busy machine, and far less than their claims would take.
const strictTime = 15 * time.Second

// strictly scans data strictly, and checks what that takes. Not for parallel tests: it counts the process's allocations.
func strictly(t *testing.T, r io.Reader) (rdb.Summary, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	sum, err := rdb.NewScanner(r, rdb.Strict).Scan()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > strictMemory {
		t.Errorf("%d bytes allocated", got)
	}
	if took > strictTime {
		t.Errorf("it took %s", took)
	}
	return sum, err
}

// stream is a stream of one node with these elements, and as many entries as it is told.
func stream(kind, length int, elements ...any) []byte {
	body := join(kind, str("k"), 1, str(sixteen), long(listpack(elements...)), length, 2, 0)
	if kind >= 19 {
		body = append(body, 1, 0, 0, 0, 2)
	}
	return append(body, 0) // groups
}

// soon is a time at which fields of a hash can expire.
var soon = string(little(1, 8))

func pending(ids ...int) []int { return ids }

// grouped is a stream with a group that has delivered these entries, and its consumers with the entries that each has not acknowledged.
func grouped(kind int, group []int, consumers ...[]int) []byte {
	id := func(n int) string { return strings.Repeat("\x00", 15) + string(rune(n)) }
	body := stream(kind, 1, 1, 0, 1, "f", 0, 2, 0, 0, "v", 4)
	body = join(body[:len(body)-1], 1, str("g"), 1, 1)
	if kind >= 19 {
		body = append(body, 1) // entries read
	}
	body = append(body, byte(len(group)))
	for _, n := range group {
		body = join(body, id(n), eight, 1)
	}
	body = append(body, byte(len(consumers)))
	for i, ids := range consumers {
		body = join(body, str("consumer "+string(rune('a'+i))), eight)
		if kind >= 21 {
			body = join(body, eight)
		}
		body = append(body, byte(len(ids)))
		for _, n := range ids {
			body = join(body, id(n))
		}
	}
	return body
}

// These are refused although every length around them is right, and the checksum too.
func TestStrictRefusesWhatAServerWouldChokeOn(t *testing.T) {
	key := str("k")
	pack, zip := listpack("a", 1, "b", 2), ziplist("a", 1, "b", 2)
	const tebibyte = 1 << 40
	for name, body := range map[string][]byte{
		"LZF of a tebibyte":                     join(0, key, lzfString(tebibyte, "\x00a")),
		"LZF of a tebibyte in a key":            join(0, lzfString(tebibyte, "\x00a"), key),
		"LZF of a tebibyte in a field":          join(4, key, 1, lzfString(tebibyte, "\x00a"), key),
		"LZF of a tebibyte in an aux field":     join(250, key, lzfString(tebibyte, "\x00a")),
		"LZF of a tebibyte in a listpack":       join(16, key, lzfString(tebibyte, "\x00a")),
		"LZF of a tebibyte in a function":       join(245, lzfString(tebibyte, "\x00a")),
		"LZF of a tebibyte in a module":         join(7, key, 0x81, eight, 5, lzfString(tebibyte, "\x00a"), 0),
		"LZF of more than it can become":        join(0, key, lzfString(89*4, "\x00a\xE0\xFF\x00")),
		"LZF of nothing":                        join(0, key, lzfString(0, "\x00a")),
		"LZF from nothing":                      join(0, key, lzfString(1)),
		"LZF that is shorter":                   join(0, key, lzfString(3, "\x01ab")),
		"LZF that is longer":                    join(0, key, lzfString(1, "\x01ab")),
		"LZF that refers to before":             join(0, key, lzfString(4, "\x00a\x20\x01")),
		"LZF whose literals are missing":        join(0, key, lzfString(9, "\x08a")),
		"LZF whose reference is cut":            join(0, key, lzfString(4, "\x00a\x20")),
		"LZF that goes on in a listpack":        join(16, key, lzfString(len(pack), literally(pack), "\x00a")),
		"a listpack of garbage":                 join(16, key, str("garbage, no listpack")),
		"a listpack of nothing":                 join(16, key, 0),
		"a listpack as a number":                join(16, key, 0xC0, 5),
		"a listpack that is longer":             join(16, key, long(change(pack, 0, little(99, 4)))),
		"a listpack of other elements":          join(16, key, long(change(pack, 4, 6, 0))),
		"a listpack without its end":            join(16, key, long(change(pack, -1, 0))),
		"a listpack that goes on":               join(16, key, long(join(little(uint64(len(pack)+1), 4), pack[4:], "x"))),
		"a listpack's element beyond its end":   join(16, key, long(change(pack, 6, 0x80|0x3F))),
		"a listpack's element of 4 GiB":         join(16, key, long(change(listpack("abcdef", 1), 6, 0xF0, 0xFF, 0xFF, 0xFF, 0xFF))),
		"a listpack with a wrong way back":      join(16, key, long(change(pack, 8, 9))),
		"a listpack's element of no kind":       join(16, key, long(change(pack, 6, 0xF7))),
		"a hash of a field without a value":     join(16, key, long(listpack("a", 1, "b"))),
		"a hash of none, in a listpack":         join(16, key, long(listpack())),
		"a sorted set of three":                 join(17, key, long(listpack("a", 1, "b"))),
		"a set of none, in a listpack":          join(20, key, long(listpack())),
		"field TTLs that do not go by three":    join(25, key, soon, long(pack)),
		"a field's TTL of text":                 join(25, key, soon, long(listpack("f", "v", "abc"))),
		"a field's TTL of digits as text":       join(25, key, soon, long(listpack("f", "v", "1234"))),
		"a field's TTL below zero":              join(25, key, soon, long(listpack("f", "v", []byte{0xDF, 0xFF}))),
		"a field's TTL beyond time":             join(25, key, soon, long(listpack("f", "v", join(0xF4, little(1<<48, 8))))),
		"field TTLs out of order":               join(25, key, soon, long(listpack("f", "v", 2, "g", "w", 1))),
		"a field's TTL behind none":             join(25, key, soon, long(listpack("f", "v", 0, "g", "w", 1))),
		"field TTLs of rc, out of order":        join(23, key, long(listpack("f", "v", 0, "g", "w", 1))),
		"an earliest TTL beyond time":           join(25, key, little(1<<48+1, 8), long(listpack("f", "v", 1))),
		"an earliest TTL below zero":            join(24, key, little(1<<63, 8), 1, 1, str("f"), str("v")),
		"a large hash's TTL beyond time":        join(24, key, little(1<<48-3, 8), 1, 4, str("f"), str("v")),
		"a large hash's TTL that wraps":         join(24, key, soon, 1, 0x81, "\xff\xff\xff\xff\xff\xff\xff\xff", str("f"), str("v")),
		"a TTL of rc beyond time":               join(22, key, 1, 0x81, "\x00\x01\x00\x00\x00\x00\x00\x00", str("f"), str("v")),
		"a zipmap of 255":                       join(9, key, str("\xff\x01f\x01\x00v\xff")),
		"a quicklist's plain node of nothing":   join(18, key, 2, 1, str("long"), 1, str("")),
		"a pending entry of nobody":             grouped(19, pending(1)),
		"a pending entry of a consumer alone":   grouped(19, nil, pending(1)),
		"a pending entry of another id":         grouped(21, pending(1, 2), pending(1), pending(3)),
		"a pending entry of two consumers":      grouped(15, pending(1), pending(1), pending(1)),
		"one of two, another of nobody":         grouped(19, pending(1, 2), pending(1), pending(1)),
		"a pending entry twice in a group":      grouped(19, pending(1, 1), pending(1), pending(1)),
		"pending entries out of order":          grouped(19, pending(2, 1), pending(1, 2)),
		"a consumer's entries out of order":     grouped(19, pending(1, 2), pending(2, 1)),
		"a ziplist of garbage":                  join(13, key, str("garbage, no ziplist!!")),
		"a ziplist that is longer":              join(13, key, long(change(zip, 0, little(99, 4)))),
		"a ziplist with another tail":           join(13, key, long(change(zip, 4, 11))),
		"a ziplist of other elements":           join(13, key, long(change(zip, 8, 6, 0))),
		"a ziplist without its end":             join(13, key, long(change(zip, -1, 0))),
		"a ziplist with a wrong way back":       join(13, key, long(change(zip, 13, 9))),
		"a ziplist's element beyond its end":    join(13, key, long(change(zip, 11, 0x3F))),
		"a ziplist's element of 4 GiB":          join(13, key, long(change(ziplist("abcdef", 1), 11, 0x80, 0xFF, 0xFF, 0xFF, 0xFF))),
		"a ziplist's element of no kind":        join(13, key, long(change(zip, 11, 0xC1))),
		"a list of none, in a ziplist":          join(10, key, long(ziplist())),
		"a sorted set of three, in a ziplist":   join(12, key, long(ziplist("a", 1, "b"))),
		"an intset of garbage":                  join(11, key, str("garbage, no intset")),
		"an intset of none":                     join(11, key, long(intset(2))),
		"an intset of 3 bytes each":             join(11, key, long(intset(3, 1, 2))),
		"an intset of more than it has":         join(11, key, long(change(intset(2, 1, 2), 4, little(1<<31, 4)))),
		"an intset of less than it has":         join(11, key, long(change(intset(2, 1, 2), 4, 1))),
		"an intset that is not in order":        join(11, key, long(intset(2, 2, 1))),
		"an intset with a number twice":         join(11, key, long(intset(8, 7, 7))),
		"a zipmap of garbage":                   join(9, key, str("garbage")),
		"a zipmap of none":                      join(9, key, str("\x00\xff")),
		"a zipmap's field without a value":      join(9, key, str("\x01\x01f\xff")),
		"a zipmap that says more":               join(9, key, str("\x02\x01f\x01\x00v\xff")),
		"a zipmap's value of 4 GiB":             join(9, key, str("\x01\x01f\xfe\xff\xff\xff\xff\x00v\xff")),
		"a quicklist of none":                   join(14, key, 0),
		"a quicklist of empty nodes":            join(14, key, 2, long(ziplist()), long(ziplist())),
		"a quicklist with a node of garbage":    join(14, key, 1, str("garbage, no ziplist")),
		"a quicklist in container 0":            join(18, key, 1, 0, long(pack)),
		"a quicklist in container 3":            join(18, key, 1, 3, long(pack)),
		"a quicklist in a container of 2^63":    join(18, key, 1, 0x81, "\x80\x00\x00\x00\x00\x00\x00\x02", long(pack)),
		"a quicklist with a listpack's garbage": join(18, key, 1, 2, str("garbage, no listpack")),
		"a stream whose id is short":            join(15, key, 1, str("1234"), long(pack), 1, 1, 1, 0),
		"a stream of garbage":                   join(15, key, 1, str(sixteen), str("garbage, no listpack"), 1, 1, 1, 0),
		"a stream of an empty listpack":         stream(15, 1),
		"a stream without entries":              join(15, key, 0, 1, 1, 1, 0),
		"a stream of a listpack of no stream":   stream(15, 1, "a", "b"),
		"a stream that counts more":             stream(15, 1, 2, 0, 1, "f", 0, 2, 0, 0, "v", 4),
		"a stream that counts less":             stream(15, 1, 0, 0, 1, "f", 0, 2, 0, 0, "v", 4),
		"a stream with a wrong way back":        stream(15, 1, 1, 0, 1, "f", 0, 2, 0, 0, "v", 5),
		"a stream of a field without a value":   stream(15, 1, 1, 0, 1, "f", 0, 0, 0, 0, 1, "f", 5),
		"a stream without the end of its head":  stream(15, 1, 1, 0, 1, "f", 1, 2, 0, 0, "v", 4),
		"a stream with text for a number":       stream(15, 1, 1, 0, 1, "f", 0, "2", 0, 0, "v", 4),
		"a list of none":                        join(1, key, 0),
		"a set of none":                         join(2, key, 0),
		"a sorted set of none":                  join(5, key, 0),
		"an old sorted set of none":             join(3, key, 0),
		"a hash of none":                        join(4, key, 0),
		"a hash with TTLs of none":              join(24, key, eight, 0),
		"a score that is not a number":          join(5, key, 1, str("a"), "\x00\x00\x00\x00\x00\x00\xf8\x7f"),
		"an old score that is no number":        join(3, key, 1, str("a"), 253),
		"an old score of letters":               join(3, key, 1, str("a"), 3, "abc"),
		"an expiry before the end":              join(252, eight),
		"an expiry in seconds before the end":   join(253, "1234"),
		"an expiry before another one":          join(252, eight, 252, eight, 0, key, key),
		"an expiry before one in seconds":       join(252, eight, 253, "1234", 0, key, key),
		"an expiry before another database":     join(252, eight, 254, 1, 0, key, key),
		"an idle time before the end":           join(248, 1),
		"a frequency before another one":        join(249, 1, 249, 1, 0, key, key),
		"database 2^31":                         join(254, 0x80, 0x80, 0, 0, 0, 0, key, key),
		"room for 2^40 keys":                    join(254, 0, 251, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, key, key),
		"room for 2^32 expiries":                join(254, 0, 251, 1, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0, key, key),
		"room in a slot":                        join(254, 0, 244, 1, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, key, key),
		"room, then another database":           join(254, 0, 251, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0, 254, 1, 0, key, key),
		"slot 16384":                            join(244, 0x80, 0, 0, 0x40, 0, 1, 0, 0, key, key),
		"a type that no such version has":       join(26, key, key),
		"an opcode that no such version has":    join(242, "and whatever may be behind it"),
	} {
		t.Run(name, func(t *testing.T) {
			// As a server that computes checksums ends it, and as one that does not.
			data := seal(join("REDIS0012", 0, str("before"), str("v"), body))
			if sum, err := strictly(t, bytes.NewReader(data)); err != nil || !sum.Nonsense || sum.StatsKnown {
				t.Errorf("got %v, %+v", err, sum)
			}
			data = sealUnchecked(join("REDIS0012", 0, str("before"), str("v"), body))
			if sum, err := strictly(t, iotest.HalfReader(bytes.NewReader(data))); !errors.Is(err, rdb.ErrCorrupt) && !errors.Is(err, rdb.ErrTruncated) {
				t.Errorf("without a checksum: %v, %+v", err, sum)
			}
			// The same from a node is accepted.
			if sum, err := rdb.NewScanner(bytes.NewReader(seal(join("REDIS0012", body)))).Scan(); err != nil {
				t.Errorf("from a node: %v, %+v", err, sum)
			}
		})
	}
}

func TestStrictTakesWhatServersWrite(t *testing.T) {
	names, err := filepath.Glob("testdata/*.rdb")
	if err != nil || len(names) < 8 {
		t.Fatal("no RDBs in testdata", names, err)
	}
	for _, name := range names {
		data := file(t, filepath.Base(name))
		want, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
		if err != nil {
			t.Fatal(err)
		}
		for how, r := range map[string]io.Reader{"at once": bytes.NewReader(data), "one byte": iotest.OneByteReader(bytes.NewReader(data))} {
			if sum, err := strictly(t, r); err != nil || !sum.StatsKnown || sum.Keys != want.Keys || sum.CRC64 != want.CRC64 {
				t.Errorf("%s, %s: %v, %+v", name, how, err, sum)
			}
		}
	}
}

// What today's servers seldom or no longer write is accepted all the same: each case is something whole, followed by a key.
func TestStrictTakesRareThings(t *testing.T) {
	key := str("k")
	wide := make([]any, 3000)
	for i := range wide {
		wide[i] = i % 128
	}
	many := listpack(wide...)
	texts := listpack(slices.Repeat([]any{"the same again and again"}, 2000)...)
	for name, body := range map[string][]byte{
		"LZF":                         join(0, key, lzfString(265, "\x00a\xE0\xFF\x00")),
		"LZF, the most it can become": join(0, key, lzfString(2+10*264, "\x01ab", bytes.Repeat([]byte("\xE0\xFF\x00"), 10))),
		"a listpack in LZF":           join(16, key, lzfString(len(many), literally(many))),
		"a long listpack in LZF":      join(20, key, lzfString(len(texts), literally(texts))),
		"a listpack of unknown count": join(20, key, long(change(many, 4, 0xFF, 0xFF))),
		"integers of every width": join(20, key, long(join(little(7+3+4+5+6+10+4, 4), little(6, 2), 0xDF, 0xFF, 2, 0xF1, 1, 2, 3, 0xF2, 1, 2, 3, 4,
			0xF3, 1, 2, 3, 4, 5, 0xF4, eight, 9, 0xE0, 1, "x", 3, 0xFF))),
		"a ziplist's integers": join(10, key, long(join(little(11+4+6+10+5+3, 4), little(10+4+6+10+5, 4), little(5, 2), 0, 0xC0, 1, 2, 4, 0xD0, 1, 2, 3, 4, 6, 0xE0, eight,
			10, 0xF0, 1, 2, 3, 5, 0xFE, 7, 0xFF))),
		"a ziplist with a long way back": join(10, key, long(join(little(11+3+7, 4), little(13, 4), little(2, 2), 0, 1, "x", 0xFE, little(3, 4), 1, "y", 0xFF))),
		"negative numbers in an intset":  join(11, key, long(intset(2, -5, -1, 0, 7))),
		"a zipmap":                       join(9, key, str("\x02\x01f\x01\x00v\x01g\x02\x01vw \xff")),
		"an empty node beside others":    join(14, key, 2, long(ziplist()), long(ziplist("a"))),
		"plain and packed nodes":         join(18, key, 2, 1, str("long"), 2, long(listpack("a"))),
		"a stream":                       stream(19, 3, 2, 1, 1, "f", 0, 2, 0, 0, "v", 4, 0, 1, 0, 2, "f", "v", "g", "w", 8, 3, 1, 1, "v", 4),
		"an empty stream":                join(15, key, 0, 0, 1, 1, 0),
		"old scores":                     join(3, key, 3, str("a"), 4, "-2.5", str("b"), 254, str("c"), 255),
		"field TTLs in a listpack":       join(25, key, soon, long(listpack("f", "v", 1, "h", "x", 1, "i", "y", 2, "g", "w", 0))),
		"field TTLs, none of them set":   join(25, key, little(1<<48, 8), long(listpack("f", "v", 0, "g", "w", 0))),
		"field TTLs of a large hash":     join(24, key, little(1<<48-3, 8), 3, 3, str("f"), str("v"), 0, str("g"), str("w"), 1, str("h"), str("x")),
		"a group and its consumers":      grouped(19, pending(1, 2, 5), pending(2), pending(), pending(1, 5)),
		"a group of today":               grouped(21, pending(1), pending(1)),
		"a group of which none waits":    grouped(15, nil, pending()),
		"expiry, frequency, idle time":   join(252, eight, 249, 1, 248, 1, 0, key, key),
		"an expiry before a field":       join(252, eight, 250, key, key, 0, key, key),
		"a frequency before fields":      join(249, 1, 250, key, key, 250, str("other"), key, 0, key, key),
		"database 65536":                 join(254, 0x80, 0, 1, 0, 0, 0, key, key),
		"room for four million":          join(251, 0x80, 0, 0x3F, 0, 0, 0, 0, key, key),
		"a module's key":                 join(7, key, 0x81, eight, 2, 1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			data := seal(join("REDIS0012", body, 2, str("behind"), 1, str("m")))
			for _, r := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
				if sum, err := strictly(t, r); err != nil || !sum.StatsKnown || sum.Keys != 2 {
					t.Errorf("got %v, %+v", err, sum)
				}
			}
		})
	}
}

// Content of a version that is not completely known here is not refused: it costs the statistics.
func TestStrictKeepsWhatANewerVersionAdds(t *testing.T) {
	for _, header := range []string{"REDIS0013", "REDIS0014", "VALKEY081"} {
		sum, err := strictly(t, bytes.NewReader(seal(join(header, 0, str("k"), str("v"), 26, "whatever"))))
		if err != nil || sum.StatsKnown || sum.Nonsense {
			t.Errorf("%s: %v, %+v", header, err, sum)
		}
	}
}

// Many bytes of highly compressed data, a thousand times: no more memory, and time only for the bytes that are there.
func TestStrictTimeAndMemoryDoNotDependOnClaims(t *testing.T) {
	unit := join(0, str("k"), lzfString(2+1000*264, "\x01ab", bytes.Repeat([]byte("\xE0\xFF\x00"), 1000))) // 3 KiB for 258
	end := seal(nil)                                                                                       // a wrong checksum: it is walked all the same
	sum, err := strictly(t, io.MultiReader(endless(join("REDIS0010"), unit, 1000), bytes.NewReader(end)))
	if !errors.Is(err, rdb.ErrChecksum) || sum.Keys != 1000 {
		t.Errorf("%d keys, %v", sum.Keys, err)
	}
}

// Content of versions for which no server is at hand: what Redis 2.6 to 4.0 wrote, and 8.6.
func TestOldAndNewVersions(t *testing.T) {
	old := join(254, 0, 252, eight, 0, str("text"), str("hello"), 0, str("int"), 0xC1, 1, 2, 0, str("lzf"), lzfString(265, "\x00a\xE0\xFF\x00"),
		1, str("list"), 2, str("a"), 0xC0, 5, 2, str("set"), 1, str("m"), 3, str("zset"), 2, str("a"), 3, "1.5", str("b"), 254, 4, str("hash"), 1, str("f"), str("v"),
		10, str("ziplist"), long(ziplist("a", 1)), 11, str("intset"), long(intset(4, 1, 70000)), 12, str("smallzset"), long(ziplist("a", 1)), 13, str("smallhash"), long(ziplist("f", "v")))
	quick := join(14, str("quicklist"), 1, long(ziplist("a", "b", 3)))
	four := join(5, str("zset2"), 1, str("a"), eight, 7, str("module"), 0x81, eight, 2, 5, 5, str("x"), 0, 249, 3, 0, str("lfu"), str("v"))
	aux, sizes := join(250, str("redis-ver"), str("3.2.0")), join(251, 20, 1)
	for _, c := range []struct {
		header  string
		body    []byte
		keys    int64
		unknown bool
	}{
		{"REDIS0006", join(old, 9, str("zipmap"), str("\x01\x01f\x01\x00v\xff")), 12, false},
		{"REDIS0007", join(aux, old, sizes, quick), 12, false},
		{"REDIS0008", join(aux, old, sizes, quick, four), 15, false},
		{"REDIS0013", join(aux, old, 252, eight, 243, 1, "spec", 2, 1, 0, 0, str("meta"), str("v"), stream(21, 1, 1, 0, 1, "f", 0, 2, 0, 0, "v", 4)), 13, false},
		{"REDIS0013", join(aux, old, 26, str("stream of 8.6"), "whatever"), 11, true},
	} {
		for _, options := range [][]rdb.Option{nil, {rdb.Strict}} {
			name := fmt.Sprintf("%s, %d keys, strict %t", c.header, c.keys, options != nil)
			sum, err := rdb.NewScanner(iotest.HalfReader(bytes.NewReader(seal(join(c.header, c.body)))), options...).Scan()
			if err != nil || sum.Keys != c.keys || sum.StatsKnown == c.unknown || sum.Nonsense {
				t.Errorf("%s: %v, %+v", name, err, sum)
			}
			if sum.Types["list"] < 2 || sum.Types["hash"] < 2 || sum.Types["zset"] < 2 || sum.Types["set"] != 2 || sum.Expires < 1 {
				t.Errorf("%s: %v", name, sum.Types)
			}
		}
	}
}
