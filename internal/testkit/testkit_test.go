package testkit

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFillWritesWhatItSaysAndTwiceTheSame(t *testing.T) {
	t.Parallel()
	a, b := Redis(t), Redis(t)
	keys := Fill(t, a.Client(), 300)
	Fill(t, b.Client(), 300)
	if got := len(Digests(t, a.Client())); got != keys+1 {
		t.Errorf("%d digests, want %d keys and 1 library", got, keys)
	}
	if diff := Diff(Digests(t, a.Client()), Digests(t, b.Client())); diff != "" {
		t.Errorf("two fills differ:\n%s", diff)
	}
}

func TestFingerprintSurvivesSaveAndLoad(t *testing.T) {
	t.Parallel()
	s := Redis(t, "--save", "3600 1", "--requirepass", "geheim")
	Fill(t, s.Client(), 500)
	before := Digests(t, s.Client())
	want := Fingerprint(t, s.Client())
	s.Stop()
	if _, err := os.Stat(filepath.Join(s.Dir, "dump.rdb")); err != nil {
		t.Fatalf("a server with save points did not save at its stop: %v", err)
	}
	s.Restart()
	if got := Fingerprint(t, s.Client()); got != want {
		t.Errorf("the fingerprint changed:\n%s", Diff(before, Digests(t, s.Client())))
	}
}

func TestFingerprintSeesEveryChange(t *testing.T) {
	t.Parallel()
	changes := map[string][]any{
		"value":            {"SET", "key:0000000", "other"},
		"expire time":      {"PEXPIREAT", "special:with expire", farFuture + 1},
		"list order":       {"LMOVE", "special:list big", "special:list big", "LEFT", "RIGHT"},
		"set member":       {"SREM", "special:set big", "member 77"},
		"score":            {"ZADD", "special:zset big", 0.5, "member 77"},
		"hash field":       {"HSET", "special:hash big", "field 77", "other"},
		"stream entry":     {"XDEL", "special:stream big", "1010-1"},
		"pending entry":    {"XACK", "special:stream big", "workers", "1001-1"},
		"group":            {"XGROUP", "DESTROY", "special:stream big", "idle"},
		"bit":              {"SETBIT", "special:bitmap", 5, 1},
		"function library": {"FUNCTION", "DELETE", "rekindle"},
		"key":              {"DEL", "special:empty"},
	}
	s := Redis(t)
	Fill(t, s.Client(), 20)
	seen := []string{Fingerprint(t, s.Client())}
	for name, command := range changes {
		if err := s.Client().Do(context.Background(), command...).Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		now := Fingerprint(t, s.Client())
		if slices.Contains(seen, now) {
			t.Errorf("a changed %s is not seen", name)
		}
		seen = append(seen, now)
	}
}
