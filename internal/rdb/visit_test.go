package rdb_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/rdb"
)

// told keeps what a visit reports.
type told struct {
	keys      map[string]string // database and name to type, attributes and a hash of the value
	libraries int
	types     map[string]int64
	fail      error // at the first key
	skip      bool  // values are not read
}

func (v *told) Library([]byte) error {
	v.libraries++
	return nil
}

func (v *told) Key(key rdb.Key, value rdb.Value) error {
	if v.fail != nil {
		return v.fail
	}
	sum := sha256.New()
	var n int64
	if !v.skip {
		var err error
		if n, err = value.WriteTo(sum); err != nil {
			return err
		}
		if _, err := value.WriteTo(sum); err == nil {
			return errors.New("a value can be read twice")
		}
	}
	if v.keys == nil {
		v.keys, v.types = map[string]string{}, map[string]int64{}
	}
	v.types[key.TypeName()]++
	v.keys[fmt.Sprintf("%d %s", key.Database, key.Name)] = fmt.Sprintf("%d %v %d %d %d %x", key.Type, key.Expires, key.Idle, key.Freq, n, sum.Sum(nil))
	return nil
}

func TestVisitTellsOfEveryKeyHoweverTheBytesArrive(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.rdb")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data := file(t, filepath.Base(name))
			want, err := rdb.NewScanner(bytes.NewReader(data)).Scan()
			if err != nil {
				t.Fatal(err)
			}
			var whole, trickling, skipped told
			got, err := rdb.Visit(bytes.NewReader(data), &whole)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(whole.keys)) != want.Keys || int64(whole.libraries) != want.Functions || !maps.Equal(whole.types, want.Types) || got.CRC64 != want.CRC64 {
				t.Errorf("told of %d keys of %v and %d libraries, the scan counted %d of %v and %d", len(whole.keys), whole.types, whole.libraries, want.Keys, want.Types, want.Functions)
			}
			if _, err := rdb.Visit(iotest.OneByteReader(bytes.NewReader(data)), &trickling); err != nil || !maps.Equal(whole.keys, trickling.keys) {
				t.Errorf("byte by byte something else is told (%v)", err)
			}
			skipped.skip = true
			if _, err := rdb.Visit(bytes.NewReader(data), &skipped); err != nil || len(skipped.keys) != len(whole.keys) {
				t.Errorf("without values %d keys are told of (%v)", len(skipped.keys), err)
			}
		})
	}
}

func TestVisitEndsWithItsReason(t *testing.T) {
	t.Parallel()
	key := join(0, str("name"), str("value"))
	own := errors.New("the visitor's own")
	damaged := seal(join("REDIS0010", key))
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		data    []byte
		visitor told
		want    error
	}{
		"its own":                         {seal(join("REDIS0010", key)), told{fail: own}, own},
		"a wrong checksum":                {damaged, told{}, rdb.ErrChecksum},
		"cut off within a value":          {join("REDIS0010", 0, str("name"), 20, "val"), told{}, rdb.ErrTruncated},
		"a type that is not known":        {seal(join("REDIS0010", 99, str("name"), str("value"))), told{}, rdb.ErrUnknown},
		"metadata of modules":             {seal(join("REDIS0013", 243, 1, "abcd", 0, key)), told{}, rdb.ErrUnknown},
		"a slot that is moving":           {seal(join("VALKEY080", 243, str("job"), 1, 1, 2, key)), told{}, rdb.ErrUnknown},
		"functions of release candidates": {seal(join("REDIS0010", 246, str("name"), str("LUA"), 0, str("code"), key)), told{}, rdb.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := rdb.Visit(bytes.NewReader(c.data), &c.visitor); !errors.Is(err, c.want) {
				t.Errorf("visit: %v, want %v", err, c.want)
			}
		})
	}
}

func TestVisitReadsLongAndCompressedNames(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("k"), 700<<10) // longer than the buffer
	size := []byte{0x80, 0, 0x0A, 0xF0, 0}
	compressed := join(0xC3, 5, 40, 0, "a", 0xE0, 30, 0) // an "a", and 39 times the byte before
	data := seal(join("REDIS0010", 0, size, long, str("1"), 0, compressed, str("2"), 0, 0xC0, 7, str("3"), 0, str("large"), size, long))
	var v told
	if _, err := rdb.Visit(bytes.NewReader(data), &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{string(long), string(bytes.Repeat([]byte("a"), 40)), "7"} {
		if v.keys["0 "+name] == "" {
			t.Errorf("not told of the key %.20q of %d bytes", name, len(name))
		}
	}
	value := append(size, long...)
	if told, want := v.keys["0 large"], fmt.Sprintf("%d %x", len(value), sha256.Sum256(value)); !strings.HasSuffix(told, want) {
		t.Errorf("told of a large value: %s, want %s", told, want)
	}
}

func FuzzVisit(f *testing.F) {
	for _, name := range []string{"redis-7.0.rdb", "redis-8.0.rdb", "valkey-9.1.rdb"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, scanned := rdb.NewScanner(bytes.NewReader(data), rdb.Strict).Scan()
		var v told
		got, visited := rdb.Visit(bytes.NewReader(data), &v, rdb.Strict)
		if visited == nil && (scanned != nil || !want.StatsKnown || got.Keys != want.Keys) {
			t.Errorf("visited %d keys; scanned %d (%v)", got.Keys, want.Keys, scanned)
		}
	})
}
