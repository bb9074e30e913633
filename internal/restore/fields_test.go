package restore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// century is the deadline of the first field, in ms: 2100. The others follow it.
const century = 4102444800000

// withFieldsThatExpire fills hashes of which each third field has no deadline, and returns what is in them.
func withFieldsThatExpire(t *testing.T, server *testkit.Server, large int) map[string]int {
	t.Helper()
	hashes := map[string]int{"small": 3, "medium": 60, "large": large, "long": 16, "plain": 4}
	pipe := server.Client().Pipeline()
	for key, n := range hashes {
		for i := range n {
			value := fmt.Sprint("value ", i)
			if key == "long" { // not all of it stays in memory
				random := make([]byte, 500<<10)
				rand.NewChaCha8([32]byte{byte(i)}).Read(random)
				value = string(random)
			}
			pipe.HSet(t.Context(), key, field(i), value, strconv.Itoa(i), i) // a number beside each text
			if i%3 > 0 && key != "plain" {
				pipe.Do(t.Context(), "HPEXPIREAT", key, century+i*1000, "FIELDS", 1, field(i))
			}
		}
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	return hashes
}

func field(i int) string { return fmt.Sprint("field ", i) }

// fieldDeadlines are those of the fields of a hash; -1: none.
func fieldDeadlines(t *testing.T, server *testkit.Server, key string, n int) []int64 {
	t.Helper()
	args := []any{"HPEXPIRETIME", key, "FIELDS", n}
	for i := range n {
		args = append(args, field(i))
	}
	got, err := server.Client().Do(t.Context(), args...).Int64Slice()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// written is when an RDB was written.
func written(t *testing.T, data []byte) time.Time {
	t.Helper()
	header, err := rdb.ReadHeader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(header.Aux["ctime"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func TestRestoreSetsTheDeadlinesOfFieldsThatWereChosen(t *testing.T) {
	t.Parallel()
	engines := []string{"redis-8.0", "valkey-9.1"}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			source := testkit.Engine(t, testkit.Fetched(t, engine))
			hashes := withFieldsThatExpire(t, source, 5000)
			data := saved(t, source)
			later := written(t, data).Add(1000 * time.Hour)
			for name, c := range map[string]struct {
				deadlines restore.Deadlines
				want      func(ms int64) int64
			}{
				"kept":    {restore.KeepDeadlines, func(ms int64) int64 { return ms }},
				"shifted": {restore.ShiftDeadlines, func(ms int64) int64 { return ms + (1000 * time.Hour).Milliseconds() }},
				"dropped": {restore.DropDeadlines, func(int64) int64 { return -1 }},
			} {
				for _, into := range engines {
					t.Run(name+" into "+into, func(t *testing.T) {
						t.Parallel()
						target := testkit.Engine(t, testkit.Fetched(t, into), "--sanitize-dump-payload", "yes")
						options := restore.Options{Deadlines: c.deadlines, Into: targetOf(t, into), Now: func() time.Time { return later }, Spool: t.TempDir()}
						counts, err := write(t, data, options, target)
						if err != nil || counts.Written != int64(len(hashes)) {
							t.Fatalf("counted %+v: %v", counts, err)
						}
						sameFields(t, source, target, hashes, c.want)
						if err := target.Client().Do(t.Context(), "DEBUG", "RELOAD").Err(); err != nil {
							t.Fatal(err)
						}
						sameFields(t, source, target, hashes, c.want)
						stillInUse(t, target, hashes)
						files, _ := split(t, target, options, 1, data)
						startWith(t, target, files[0])
						sameFields(t, source, target, hashes, c.want)
					})
				}
			}
		})
	}
}

// targetOf is one of [testkit.Engines].
func targetOf(t *testing.T, engine string) rdb.Target {
	t.Helper()
	name, version, _ := strings.Cut(engine, "-")
	target, ok := rdb.TargetOf(name, version)
	if !ok {
		t.Fatal(engine)
	}
	return target
}

// sameFields compares hashes, and the deadlines of their fields with what is expected of those of the source.
func sameFields(t *testing.T, source, target *testkit.Server, hashes map[string]int, want func(ms int64) int64) {
	t.Helper()
	for key, n := range hashes {
		values, err := target.Client().HGetAll(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range source.Client().HGetAll(t.Context(), key).Val() {
			if values[name] != value {
				t.Errorf("%s of %s is %.20q, want %.20q", name, key, values[name], value)
			}
			delete(values, name)
		}
		if len(values) > 0 {
			t.Errorf("%s has %d fields too many", key, len(values))
		}
		before, after := fieldDeadlines(t, source, key, n), fieldDeadlines(t, target, key, n)
		for i, ms := range before {
			if ms >= 0 {
				ms = want(ms)
			}
			if after[i] != ms {
				t.Errorf("%s of %s expires at %d, want %d", field(i), key, after[i], ms)
			}
		}
	}
}

// stillInUse gives the fields of hashes deadlines, which a server can only do when it understands what it has loaded.
func stillInUse(t *testing.T, target *testkit.Server, hashes map[string]int) {
	t.Helper()
	for key, n := range hashes {
		for i := range n {
			ms := century - i*1000
			if err := target.Client().Do(t.Context(), "HPEXPIREAT", key, ms, "FIELDS", 1, field(i)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for i, ms := range fieldDeadlines(t, target, key, n) {
			if ms != int64(century-i*1000) {
				t.Errorf("%s of %s expires at %d afterwards", field(i), key, ms)
			}
		}
		if got := target.Client().HLen(t.Context(), key).Val(); got != int64(2*n) {
			t.Errorf("%s has %d fields", key, got)
		}
	}
}

// A release candidate of Redis 7.4 stored such hashes in another way, which Redis 8 still reads.
func TestRestoreSetsTheDeadlinesOfFieldsOfAReleaseCandidate(t *testing.T) {
	t.Parallel()
	path := testkit.Fetched(t, "redis-8.0")
	header := "REDIS0012\xfa\x05ctime\x0a1700000000"
	table := "\x16\x01t\x02" + length(century) + "\x07field 0\x01v" + "\x00\x07field 1\x01w"
	packed := listpack("field 0", "v", century, "field 1", "w", 0)
	body := []byte(header + table + "\x17\x01p" + string([]byte{byte(len(packed))}) + packed + "\xff")
	data := binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))
	later := written(t, data).Add(1000 * time.Hour)
	for deadlines, want := range map[restore.Deadlines]int64{restore.KeepDeadlines: century, restore.ShiftDeadlines: century + (1000 * time.Hour).Milliseconds(), restore.DropDeadlines: -1} {
		target := testkit.Engine(t, path, "--sanitize-dump-payload", "yes")
		if _, err := write(t, data, restore.Options{Deadlines: deadlines, Now: func() time.Time { return later }}, target); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"t", "p"} {
			got, values := fieldDeadlines(t, target, key, 2), target.Client().HGetAll(t.Context(), key).Val()
			if got[0] != want || got[1] != -1 || len(values) != 2 || values["field 0"] != "v" || values["field 1"] != "w" {
				t.Errorf("%s is %v and expires at %v, want %d", key, values, got, want)
			}
		}
	}
}

// length is a number as an RDB stores long ones.
func length(n uint64) string { return string(binary.BigEndian.AppendUint64([]byte{0x81}, n)) }

// listpack packs short texts and numbers.
func listpack(elements ...any) string {
	var body []byte
	for _, e := range elements {
		entry := []byte{0}
		switch e := e.(type) {
		case string:
			entry = append([]byte{0x80 | byte(len(e))}, e...)
		case int:
			if e > 127 {
				entry = binary.LittleEndian.AppendUint64([]byte{0xF4}, uint64(e))
			}
		}
		body = append(append(body, entry...), byte(len(entry)))
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+7))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(elements)))
	return string(append(append(out, body...), 0xFF))
}
