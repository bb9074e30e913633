package fuse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"rekindle/internal/fuse"
)

const rdb = "xxh128:b5e9c1ad071b3e7fc779cfaa5e523818"

// filterOf is the filter of these names, each added as often as it is there.
func filterOf(t testing.TB, names func(add func([]byte))) []byte {
	t.Helper()
	w := fuse.NewWriter()
	go func() {
		names(w.Add)
		w.End(rdb, nil)
	}()
	data, err := io.ReadAll(w)
	w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func numbered(from, to int) func(add func([]byte)) {
	return func(add func([]byte)) {
		for i := from; i < to; i++ {
			add(fmt.Appendf(nil, "key:%d", i))
		}
	}
}

func mayHave(t *testing.T, filter []byte, name string) bool {
	t.Helper()
	may, err := fuse.MayHave(bytes.NewReader(filter), rdb, []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return may
}

func TestAFilterNeverDeniesANameThatIsThere(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 100, 4096, 50_000, 1<<20 + 3} { // the last one has two blocks
		filter := filterOf(t, numbered(0, n))
		for i := 0; i < n; i += max(1, n/100) {
			if !mayHave(t, filter, fmt.Sprintf("key:%d", i)) {
				t.Fatalf("of %d names, key:%d is denied", n, i)
			}
		}
		if !mayHave(t, filter, fmt.Sprintf("key:%d", n-1)) {
			t.Fatalf("of %d names, the last one is denied", n)
		}
	}
}

func TestAFilterDeniesNearlyEveryNameThatIsNotThere(t *testing.T) {
	t.Parallel()
	filter := filterOf(t, numbered(0, 20_000))
	if bits := float64(len(filter)) * 8 / 20_000; bits > 11 {
		t.Errorf("it has %.1f bits a name", bits)
	}
	maybe := 0
	for i := range 2000 {
		if mayHave(t, filter, fmt.Sprintf("absent:%d", i)) {
			maybe++
		}
	}
	if maybe > 40 { // 8 are expected
		t.Errorf("of 2000 names that are not there, %d may be", maybe)
	}
	if mayHave(t, filterOf(t, func(func([]byte)) {}), "anything") {
		t.Error("an empty RDB may have a key")
	}
}

func TestAMillionNamesTakeNineBitsEach(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	if bits := float64(len(filterOf(t, numbered(0, n)))) * 8 / n; bits > 9.6 {
		t.Errorf("it has %.2f bits a name", bits)
	}
}

func TestANameInManyDatabasesIsOneName(t *testing.T) {
	t.Parallel()
	filter := filterOf(t, func(add func([]byte)) {
		for range 5000 {
			add([]byte("config"))
			add([]byte("queue"))
		}
	})
	if !mayHave(t, filter, "config") || !mayHave(t, filter, "queue") {
		t.Error("a name is denied")
	}
}

func TestLongNamesCountByTheirBeginning(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("n", 5000)
	filter := filterOf(t, func(add func([]byte)) { add([]byte(name[:fuse.MaxName])) }) // as an observer of a scan gets it
	if !mayHave(t, filter, name) {
		t.Error("a long name is denied")
	}
}

func TestAFilterThatMissedANameDeniesNone(t *testing.T) {
	t.Parallel()
	w := fuse.NewWriter()
	go func() {
		w.Add([]byte("there"))
		w.Miss()
		w.End(rdb, nil)
	}()
	data, err := io.ReadAll(w)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if !mayHave(t, data, fmt.Sprintf("absent:%d", i)) {
			t.Fatal("a name is denied")
		}
	}
}

func TestAWriterThatNobodyReadsDoesNotWait(t *testing.T) {
	t.Parallel()
	w := fuse.NewWriter()
	w.Stop()
	numbered(0, 3<<20)(w.Add)
	w.End(rdb, nil)
}

func TestAFailureReachesTheReader(t *testing.T) {
	t.Parallel()
	w, broken := fuse.NewWriter(), errors.New("the source is gone")
	go func() {
		numbered(0, 1000)(w.Add)
		w.End("", broken)
	}()
	if _, err := io.ReadAll(w); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestADamagedFilterDeniesNothing(t *testing.T) {
	t.Parallel()
	whole := filterOf(t, numbered(0, 500))
	check := func(what string, data []byte) {
		t.Helper()
		for _, name := range []string{"key:7", "absent"} {
			if _, err := fuse.MayHave(bytes.NewReader(data), rdb, []byte(name)); !errors.Is(err, fuse.ErrDamaged) && !errors.Is(err, fuse.ErrNewer) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d flipped", i), flipped)
	}
	for i := range whole {
		check(fmt.Sprintf("cut at %d", i), whole[:i])
	}
	check("something behind it", append(slices.Clone(whole), 0))
	if err := fuse.Check(bytes.NewReader(whole), "xxh128:00000000000000000000000000000000"); !errors.Is(err, fuse.ErrDamaged) {
		t.Errorf("of another RDB: %v", err)
	}
	newer := slices.Clone(whole)
	newer[6] = 2
	if err := fuse.Check(bytes.NewReader(newer), rdb); !errors.Is(err, fuse.ErrNewer) {
		t.Errorf("newer: %v", err)
	}
	away := errors.New("the store is away")
	if err := fuse.Check(io.MultiReader(bytes.NewReader(whole[:100]), iotest.ErrReader(away)), rdb); !errors.Is(err, away) || errors.Is(err, fuse.ErrDamaged) {
		t.Errorf("the store's own failure: %v", err)
	}
	if err := fuse.Check(bytes.NewReader(whole), rdb); err != nil {
		t.Error(err)
	}
}

// Whatever is in the store, reading it ends, and with little memory.
func FuzzMayHave(f *testing.F) {
	f.Add(filterOf(f, numbered(0, 3)))
	f.Add(filterOf(f, func(func([]byte)) {}))
	f.Add([]byte("RKFUSE\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if may, err := fuse.MayHave(bytes.NewReader(data), rdb, []byte("key:1")); may && err != nil {
			t.Error("an answer and an error")
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	const n = 1 << 20
	names := make([][]byte, n)
	for i := range names {
		names[i] = fmt.Appendf(nil, "session:%016d", i)
	}
	for b.Loop() {
		w := fuse.NewWriter()
		go func() {
			for _, name := range names {
				w.Add(name)
			}
			w.End(rdb, nil)
		}()
		if _, err := io.Copy(io.Discard, w); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/name")
}
