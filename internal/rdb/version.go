package rdb

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// headerSize is the length of the magic and version that every RDB starts with.
const headerSize = 9

// oldest is the first version. checksummed is the first one with a checksum at its end (Redis 2.6).
const (
	oldest      = 1
	checksummed = 5
)

// Valkey 9 left the numbers 12-79 to Redis and counts from 80.
const valkeyFirst = 80

// PeekVersion reads the RDB version from the first 9 bytes: "REDIS0010" is 10, "VALKEY080" is 80.
// Errors: [ErrNotRDB], or [ErrTruncated] when there are fewer bytes.
func PeekVersion(first9 []byte) (int, error) {
	if len(first9) < headerSize {
		if startsLike(first9, "REDIS") || startsLike(first9, "VALKEY") {
			return 0, fmt.Errorf("%d bytes, no whole header: %w", len(first9), ErrTruncated)
		}
		return 0, fmt.Errorf("it starts with %q: %w", first9, ErrNotRDB)
	}
	head := first9[:headerSize]
	digits, ok := bytes.CutPrefix(head, []byte("REDIS"))
	if !ok {
		digits, ok = bytes.CutPrefix(head, []byte("VALKEY"))
	}
	// Unlike Atoi, ParseUint accepts no sign.
	n, err := strconv.ParseUint(string(digits), 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("it starts with %q: %w", head, ErrNotRDB)
	}
	if n < oldest {
		return 0, fmt.Errorf("there is no RDB version %d: %w", n, ErrNotRDB)
	}
	return int(n), nil
}

// startsLike reports whether b could become magic with more bytes.
func startsLike(b []byte, magic string) bool {
	n := min(len(b), len(magic))
	return string(b[:n]) == magic[:n]
}

// release is the first engine version that reads RDBs up to this version.
type release struct{ major, minor, rdb int }

// Newest first. Measured where TRAPS.md says so, otherwise from RDB_VERSION in the engines' rdb.h. An engine newer than the list counts as the list's
// newest: so nothing is refused that it certainly can load.
var (
	redisReads = []release{{8, 8, 14}, {8, 6, 13}, {7, 4, 12}, {7, 2, 11}, {7, 0, 10}, {5, 0, 9}, {4, 0, 8},
		{3, 2, 7}, {2, 6, 6}, {2, 4, 2}}
	valkeyReads = []release{{9, 2, 81}, {9, 0, 80}, {7, 2, 11}}
)

// CanLoad reports whether an engine ("redis" or "valkey", version as "7.0.15") loads an RDB of that version. A false is certain: the engine would
// exit or come up empty. It is also the answer for an engine or a version that is not understood here. Valkey refuses 12-79, which are Redis's own.
func CanLoad(engine, engineVersion string, rdbVersion int) bool {
	t, ok := TargetOf(engine, engineVersion)
	return ok && t.loads(rdbVersion)
}

func (t Target) loads(rdbVersion int) bool {
	reads := redisReads
	if t.engine == "valkey" {
		if rdbVersion > 11 && rdbVersion < valkeyFirst {
			return false
		}
		reads = valkeyReads
	}
	if rdbVersion < oldest {
		return false
	}
	for _, r := range reads {
		if t.major > r.major || t.major == r.major && t.minor >= r.minor {
			return rdbVersion <= r.rdb
		}
	}
	return false
}

// Written is the version of the RDBs that an engine writes; 0 if the engine or its version is not understood here.
func Written(engine, engineVersion string) int {
	reads := redisReads
	if engine == "valkey" {
		reads = valkeyReads
	} else if engine != "redis" {
		return 0
	}
	major, minor, ok := parseVersion(engineVersion)
	for _, r := range reads {
		if ok && (major > r.major || major == r.major && minor >= r.minor) {
			return r.rdb
		}
	}
	return 0
}

// Known reports whether an RDB of this version can be written by an engine that is known here.
func Known(rdbVersion int) bool {
	return rdbVersion >= oldest && rdbVersion <= redisReads[0].rdb || rdbVersion >= valkeyFirst && rdbVersion <= valkeyReads[0].rdb
}

// OldestReader returns the first engine that loads an RDB of a version, with its version; empty when none is known.
func OldestReader(rdbVersion int) (engine, version string) {
	reads := redisReads
	engine = "redis"
	if rdbVersion >= valkeyFirst {
		reads, engine = valkeyReads, "valkey"
	}
	for i := len(reads) - 1; i >= 0; i-- {
		if rdbVersion <= reads[i].rdb {
			return engine, fmt.Sprintf("%d.%d", reads[i].major, reads[i].minor)
		}
	}
	return "", ""
}

func parseVersion(text string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(text, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0, 0, false
	}
	if second == "" {
		return major, 0, true
	}
	minor, err = strconv.Atoi(second)
	return major, minor, err == nil
}
