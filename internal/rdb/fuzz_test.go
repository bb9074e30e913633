package rdb_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

// FuzzScan: whatever comes, a scan ends with a known error or with an RDB whose end is right, says the same however the
// bytes arrive, and reads all of them.
func FuzzScan(f *testing.F) {
	names, err := filepath.Glob("testdata/*.rdb")
	if err != nil || len(names) == 0 {
		f.Fatal("no RDBs in testdata", err)
	}
	for _, name := range names {
		f.Add(file(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		scan(t, data)
		// Most random bytes fail at the checksum. A server that computes none lets them through to the walk's end.
		if len(data) > 9 {
			scan(t, sealUnchecked(data))
			scan(t, seal(data))
		}
		if _, err := rdb.ReadHeader(bytes.NewReader(data)); err != nil && !known(err) {
			t.Errorf("ReadHeader: %v", err)
		}
	})
}

func scan(t *testing.T, data []byte) {
	s := rdb.NewScanner(bytes.NewReader(data))
	sum, err := s.Scan()
	if err != nil {
		if !known(err) {
			t.Errorf("Scan: %v", err)
		}
		return
	}
	if sum.Bytes != int64(len(data)) || data[len(data)-9] != 0xFF {
		t.Errorf("accepted, but %d of %d bytes, %x", sum.Bytes, len(data), data[max(0, len(data)-9):])
	}
	if sum.StatsKnown == (sum.Unknown != "") {
		t.Errorf("StatsKnown %t, Unknown %q", sum.StatsKnown, sum.Unknown)
	}
	again, err := rdb.NewScanner(iotest.HalfReader(bytes.NewReader(data))).Scan()
	if err != nil || again.Keys != sum.Keys || again.CRC64 != sum.CRC64 {
		t.Errorf("in halves: %v, %+v; at once %+v", err, again, sum)
	}
}

func known(err error) bool {
	for _, e := range []error{rdb.ErrNotRDB, rdb.ErrTruncated, rdb.ErrChecksum, rdb.ErrCorrupt} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
