package rdb_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rekindle/internal/rdb"
)

func TestKindsNameWhatNotEveryEngineReads(t *testing.T) {
	t.Parallel()
	key := str("key")
	for name, c := range map[string]struct {
		data []byte
		want rdb.Kinds
	}{
		"nothing":          {seal(join("REDIS0009")), "none"},
		"what all read":    {seal(join("REDIS0009", 0, key, str("v"), 0, str("k2"), str("v"))), "0"},
		"hashes of 7.0":    {seal(join("REDIS0010", 16, str("a b"), str("x"), 16, str("c,d"), str("x"), 16, str("e=f"), str("x"), 16, str("g"), str("x"))), "16=a+b,c%2Cd,e%3Df"},
		"a long name":      {seal(join("REDIS0010", 16, 0x40, 65, strings.Repeat("k", 65), str("x"))), "16"},
		"functions":        {seal(join("REDIS0010", 245, str("#!lua name=x"), 0, key, str("v"))), "0 245"},
		"fields of Valkey": {seal(join("VALKEY080", 22, key, 1, str("f"), str("v"), 1, 2, 3, 4, 5, 6, 7, 0)), "V22=key"},
	} {
		sum, err := rdb.NewScanner(bytes.NewReader(c.data)).Scan()
		if err != nil || !sum.StatsKnown || sum.Kinds != c.want || !sum.Kinds.Valid() {
			t.Errorf("%s: %q, want %q (%s, %v)", name, sum.Kinds, c.want, sum.Unknown, err)
		}
	}
}

// What RESTORE refuses was found by trying: see TRAPS.md, and the matrix in package jobs.
func TestObstaclesAreWhatAnEngineCannotGet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine, version string
		rdb             int
		kinds           rdb.Kinds
		want            string
	}{
		{"redis", "6.0.16", 10, "0 15", "[]"},
		{"redis", "6.0.16", 10, "none", "[]"},
		{"redis", "6.0.16", 10, "16=a,b 245", "[{functions []}]"},
		{"redis", "6.0.16", 11, "16=a 17=b 18=c 19=d 20=e 21=f", "[]"},
		{"redis", "4.0.14", 11, "16=a 20=e 21=f", "[{streams [f]}]"},
		{"redis", "3.2.0", 11, "16=a", "[{hashes [a]}]"},
		{"redis", "7.0.15", 12, "16=a 19=b 245", "[]"},
		{"redis", "7.0.15", 12, "20=a 21=b", "[]"},
		{"redis", "7.0.15", 12, "24=a 25=b", "[{hashes whose fields expire [a b]}]"},
		{"redis", "7.2.4", 80, "20=a 21=b V22=c", "[{hashes whose fields expire [c]}]"},
		{"redis", "8.0.2", 80, "20=a 21=b V22=c", "[]"},
		{"redis", "8.0.2", 12, "24 25=a 22", "[]"},
		{"valkey", "8.1.1", 12, "20=a 24=b 25=c", "[{hashes whose fields expire [b c]}]"},
		{"valkey", "9.1.2", 12, "22=a 23=b 24=c 25=d", "[]"},
		{"valkey", "9.1.2", 80, "V22=a V243", "[{a slot that is moving between shards []}]"},
		{"valkey", "8.1.1", 80, "21=a V22=a%2Cb", "[{hashes whose fields expire [a,b]}]"},
		{"redis", "8.0.2", 12, "7=v", "[]"},
		{"valkey", "9.1.2", 12, "7=v 99=w 300=x", "[{keys of modules [v]} {what is not known here [w x]}]"},
		{"keydb", "6.3.4", 9, "0", "[{what is not known here []}]"},
	} {
		got, known := rdb.Obstacles(c.engine, c.version, c.rdb, c.kinds, rdb.FieldDeadlines{})
		if !known || fmt.Sprint(got) != c.want {
			t.Errorf("%q into %s %s: %v (%t), want %s", c.kinds, c.engine, c.version, got, known, c.want)
		}
	}
	for _, k := range []rdb.Kinds{"", "0 16=%zz"} {
		if got, known := rdb.Obstacles("redis", "8.0.2", 12, k, rdb.FieldDeadlines{}); known {
			t.Errorf("%q: %v", k, got)
		}
	}
}

func TestHashesThatLoseTheDeadlinesOfTheirFieldsAreNoObstacle(t *testing.T) {
	t.Parallel()
	for kinds, engines := range map[rdb.Kinds][]string{"22=a 23=b 24=c 25=d": {"redis 6.0", "redis 7.0", "valkey 8.1"}, "V22=a": {"redis 6.0", "valkey 8.1", "redis 8.0"}} {
		for _, engine := range engines {
			name, version, _ := strings.Cut(engine, " ")
			if got, known := rdb.Obstacles(name, version, 80, kinds, rdb.FieldDeadlines{Drop: true}); !known || len(got) > 0 {
				t.Errorf("%s into %s: %v", kinds, engine, got)
			}
		}
	}
}

func TestKindsTellWhetherFieldsExpire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kinds rdb.Kinds
		rdb   int
		want  bool
	}{
		{"none", 12, false}, {"0 16=a 245", 12, false}, {"0 25=a", 12, true}, {"24=a", 12, true}, {"22", 12, true}, {"23", 12, true}, {"V22=a", 80, true},
		{"", 11, false}, {"", 12, true}, {"", 80, true},
	} {
		if got := c.kinds.FieldsExpire(c.rdb); got != c.want {
			t.Errorf("%q of RDB %d: %t", c.kinds, c.rdb, got)
		}
	}
}

func TestKindsOfSeveralPartsComeTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want rdb.Kinds }{
		{"none", "none", "none"}, {"none", "0", "0"}, {"0 16=a,b", "15 16=c,d", "0 15 16=a,b,c"}, {"", "0", ""}, {"0", "", ""},
	} {
		if got := c.a.And(c.b); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}
