package rdb_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

func TestPeekVersion(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"REDIS0001": 1, "REDIS0006": 6, "REDIS0011 and more": 11, "VALKEY080": 80, "VALKEY081": 81} {
		if got, err := rdb.PeekVersion([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for in, want := range map[string]error{
		"": rdb.ErrTruncated, "RED": rdb.ErrTruncated, "VALKEY08": rdb.ErrTruncated, "RADIS": rdb.ErrNotRDB,
		"REDIS+010": rdb.ErrNotRDB, "redis0010": rdb.ErrNotRDB, "REDIS0000": rdb.ErrNotRDB,
	} {
		if _, err := rdb.PeekVersion([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

// The measured ones of TRAPS.md, and the borders.
func TestCanLoad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine, version string
		rdb             int
		want            bool
	}{
		{"redis", "6.0.16", 9, true}, {"redis", "6.0.16", 10, false}, {"redis", "6.2", 9, true},
		{"redis", "7.0.15", 9, true}, {"redis", "7.0.15", 10, true}, {"redis", "7.0.15", 11, false}, {"redis", "7.0.15", 1, true}, {"valkey", "9.1.2", 3, true},
		{"redis", "7.2.4", 11, true}, {"redis", "7.2.4", 12, false},
		{"redis", "7.4.0", 12, true}, {"redis", "8.0.2", 12, true}, {"redis", "8.0.2", 11, true},
		{"redis", "8.0.2", 13, false}, {"redis", "8.6.0", 13, true}, {"redis", "9", 13, true},
		{"redis", "8.0.2", 80, false}, {"redis", "8.10.1", 14, true},
		{"valkey", "7.2.5", 11, true}, {"valkey", "8.0.1", 10, true}, {"valkey", "8.1.1", 11, true},
		{"valkey", "8.1.1", 12, false}, {"valkey", "8.1.1", 80, false},
		{"valkey", "9.1.2", 9, true}, {"valkey", "9.1.2", 11, true}, {"valkey", "9.1.2", 12, false},
		{"valkey", "9.1.2", 79, false}, {"valkey", "9.1.2", 80, true}, {"valkey", "9.1.2", 81, false},
		{"valkey", "9.2.0", 81, true}, {"valkey", "10.0.0", 13, false},
		{"redis", "", 9, false}, {"redis", "unstable", 9, false}, {"redis", "7.x", 9, false},
		{"keydb", "6.3.4", 9, false}, {"redis", "7.0.15", 0, false}, {"redis", "7.0.15", -1, false},
	} {
		if got := rdb.CanLoad(c.engine, c.version, c.rdb); got != c.want {
			t.Errorf("CanLoad(%q, %q, %d) = %t", c.engine, c.version, c.rdb, got)
		}
	}
}

func TestWhatEnginesWrite(t *testing.T) {
	t.Parallel()
	for engine, want := range map[[2]string]int{{"redis", "2.8.21"}: 6, {"redis", "6.2.7"}: 9, {"redis", "7.0.15"}: 10, {"redis", "8.0.2"}: 12, {"redis", "99.0"}: 14,
		{"valkey", "8.1.1"}: 11, {"valkey", "9.1.2"}: 80, {"redis", "?"}: 0, {"valkey", "6.0"}: 0, {"keydb", "7.0"}: 0} {
		if got := rdb.Written(engine[0], engine[1]); got != want {
			t.Errorf("%v writes %d, want %d", engine, got, want)
		}
	}
}

func TestReadHeader(t *testing.T) {
	t.Parallel()
	h, err := rdb.ReadHeader(bytes.NewReader(file(t, "valkey-9.1.rdb")))
	if err != nil || h.Version != 80 || h.EngineVersion != "9.1.2" || h.UsedMemory == 0 || h.ReplicationID != "" {
		t.Errorf("got %+v, %v", h, err)
	}

	// What a primary writes for a replica. The id is compressed: "0" and 39 times the same again.
	id := join(0xC3, 5, 40, 0, "0", 0xE0, 30, 0)
	data := seal(join("REDIS0011", 250, str("redis-ver"), str("7.2.4"), 250, str("repl-id"), id,
		250, str("repl-offset"), 0xC2, "\x00\x00\x01\x00", 250, str("used-mem"), 0xC1, "\x00\x10", 254, 0))
	h, err = rdb.ReadHeader(iotest.OneByteReader(bytes.NewReader(data)))
	if err != nil || h.EngineVersion != "7.2.4" || h.ReplicationOffset != 65536 || h.UsedMemory != 4096 ||
		h.ReplicationID != "0000000000000000000000000000000000000000" {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestReadHeaderRefusesDamage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"no RDB":     {[]byte("PNG and so on"), rdb.ErrNotRDB},
		"cut":        {join("REDIS0010", 250, str("redis-ver"), 9, "7."), rdb.ErrTruncated},
		"only magic": {join("REDIS0010"), rdb.ErrTruncated},
		"nonsense":   {join("REDIS0010", 250, 0x8F), rdb.ErrCorrupt},
	} {
		if _, err := rdb.ReadHeader(bytes.NewReader(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := rdb.ReadHeader(iotest.ErrReader(iotest.ErrTimeout)); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a failing reader: %v", err)
	}
}
