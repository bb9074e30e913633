package rdb_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

// FuzzScan: whatever comes, a scan ends with a known error or with an RDB whose end is right, has the same result however the bytes arrive, and reads
// all of them.
func FuzzScan(f *testing.F) {
	for _, where := range []string{"", "foreign/"} {
		names, err := filepath.Glob("testdata/" + where + "*.rdb")
		if err != nil || len(names) == 0 {
			f.Fatal("no RDBs in testdata", err)
		}
		for _, name := range names {
			f.Add(file(f, where+filepath.Base(name)))
		}
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

// FuzzStrict looks where FuzzScan seldom gets: into a packed value, plain and compressed, followed by a key. Whatever is in it, it is refused or
// walked over exactly.
func FuzzStrict(f *testing.F) {
	for kind, packed := range map[int][]byte{9: []byte("\x01\x01f\x01\x00v\xff"), 10: ziplist("a", 1), 11: intset(4, 1, 70000), 12: ziplist("a", 1), 13: ziplist("f", "v"),
		16: listpack("f", 1), 23: listpack("f", "v", 1, "g", "w", 0), 25: listpack("f", "v", 1), 17: listpack("a", 1), 20: listpack("a", 1, "b"), 15: listpack(1, 0, 1, "f", 0, 2, 0, 0, "v", 4)} {
		f.Add(byte(kind), len(packed), packed)
	}
	f.Fuzz(func(t *testing.T, kind byte, size int, packed []byte) {
		for _, value := range [][]byte{long(packed), lzfString(size, packed), lzfString(len(packed), literally(packed))} {
			body := join(int(kind), str("k"), value)
			switch kind {
			case 25:
				body = join(25, str("k"), soon, value)
			case 15:
				body = join(15, str("k"), 1, str(sixteen), value, 1, 1, 1, 0)
			}
			data := seal(join("REDIS0012", body, 2, str("behind"), 1, str("m")))
			strictlyTheSame(t, data)
		}
	})
}

// FuzzGroups does the same for a stream's groups, with their pending entries and consumers.
func FuzzGroups(f *testing.F) {
	bare := stream(19, 1, 1, 0, 1, "f", 0, 2, 0, 0, "v", 4)
	bare = bare[:len(bare)-1] // without its number of groups
	for _, whole := range [][]byte{grouped(19, pending(1, 2), pending(2), pending(1)), grouped(19, pending(1)), grouped(19, nil, pending(1)), grouped(19, pending(2, 1), pending(1, 2))} {
		f.Add(whole[len(bare):])
	}
	f.Fuzz(func(t *testing.T, groups []byte) {
		strictlyTheSame(t, seal(join("REDIS0012", bare, groups, 2, str("behind"), 1, str("m"))))
	})
}

// strictlyTheSame scans an RDB with a right checksum: it is accepted or refused however its bytes arrive, and if accepted, the result is that of a
// trusting scan.
func strictlyTheSame(t *testing.T, data []byte) {
	t.Helper()
	sum, err := rdb.NewScanner(bytes.NewReader(data), rdb.Strict).Scan()
	again, errAgain := rdb.NewScanner(iotest.OneByteReader(bytes.NewReader(data)), rdb.Strict).Scan()
	if err != nil || errAgain != nil || sum.StatsKnown != again.StatsKnown || sum.Unknown != again.Unknown {
		t.Fatalf("%v, %+v; in single bytes %v, %+v", err, sum, errAgain, again)
	}
	if !sum.StatsKnown {
		return
	}
	if lenient, err := rdb.NewScanner(bytes.NewReader(data)).Scan(); err != nil || lenient.Keys != sum.Keys || !lenient.StatsKnown {
		t.Errorf("strict %+v; else %v, %+v", sum, err, lenient)
	}
}

func scan(t *testing.T, data []byte) {
	if sum, err := rdb.NewScanner(bytes.NewReader(data), rdb.Strict).Scan(); err != nil && !known(err) {
		t.Errorf("strict: %v", err)
	} else if lenient, errLenient := rdb.NewScanner(bytes.NewReader(data)).Scan(); err == nil && (errLenient != nil || sum.StatsKnown && lenient.Keys != sum.Keys) {
		t.Errorf("strict: %+v; else %v, %+v", sum, errLenient, lenient)
	}
	s := rdb.NewScanner(bytes.NewReader(data))
	sum, err := s.Scan()
	if err != nil {
		if !known(err) {
			t.Errorf("Scan: %v", err)
		}
		return
	}
	end := 9
	if sum.Version < 5 {
		end = 1
	}
	if sum.Bytes != int64(len(data)) || data[len(data)-end] != 0xFF {
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
