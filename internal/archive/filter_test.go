package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
)

// filtered is a committed snapshot of two parts, with a filter beside each.
func filtered(t *testing.T) (*archive.Archive, archive.Manifest, string) {
	t.Helper()
	a, _, folder := setUp(t)
	return a, store2(t, a), filepath.Join(folder, ref.Cluster, ref.Snapshot)
}

func store2(t *testing.T, a *archive.Archive) archive.Manifest {
	t.Helper()
	into := a.NewGathering(true)
	var parts []archive.Part
	for i, data := range twoShards(t) {
		part, err := a.WritePart(t.Context(), attempt, i+1, "", bytes.NewReader(data), nil, archive.Into(into))
		must(t, err)
		parts = append(parts, part)
	}
	m := manifestOf(parts...)
	must(t, a.WriteContents(t.Context(), m, into))
	_, err := a.Commit(t.Context(), m)
	must(t, err)
	return m
}

func mayHave(t *testing.T, a *archive.Archive, m archive.Manifest, part int, name string) bool {
	t.Helper()
	may, err := a.MayHave(t.Context(), m.Ref(), m.Parts[part-1], []byte(name))
	must(t, err)
	return may
}

func TestAFilterKnowsTheKeysOfItsPart(t *testing.T) {
	t.Parallel()
	a, m, _ := filtered(t)
	for _, name := range []string{"cart:1", "cart:item:7", "\xff\x00", strings.Repeat("n", 300)} {
		if !mayHave(t, a, m, 2, name) {
			t.Errorf("%.20q is denied", name)
		}
	}
	maybe := 0
	for i := range 300 {
		if mayHave(t, a, m, 1, fmt.Sprintf("absent:%d", i)) {
			maybe++
		}
	}
	if maybe > 20 {
		t.Errorf("of 300 names that are not there, %d may be", maybe)
	}
	must(t, a.CheckFilters(t.Context(), ref, m.Parts))
}

func TestAVerificationMakesTheFiltersThatAreMissingOrDamaged(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, string){
		"missing": func(t *testing.T, object string) { must(t, os.Remove(object)) },
		"flipped": change(func(text string) string { return text[:40] + "x" + text[41:] }),
		"cut":     change(func(text string) string { return text[:20] }),
		"another": change(func(string) string { return "" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, m, folder := filtered(t)
			spoil(t, filepath.Join(folder, m.At().Filter(2)))
			if err := a.CheckFilters(t.Context(), ref, m.Parts); !errors.Is(err, archive.ErrMissing) && !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("got %v", err)
			}
			if _, err := a.MayHave(t.Context(), ref, m.Parts[1], []byte("cart:1")); err == nil {
				t.Error("it says something about a name")
			}
			into := a.NewGathering(true)
			for _, part := range m.Parts {
				must(t, a.VerifyPart(t.Context(), ref, part, nil, archive.Into(into)))
			}
			must(t, a.AddContents(t.Context(), m, into))
			must(t, a.CheckFilters(t.Context(), ref, m.Parts))
			if !mayHave(t, a, m, 2, "cart:1") {
				t.Error("a key is denied")
			}
		})
	}
}

func TestFiltersOfASnapshotThatIsRemovedMeanwhileAreNotLeftBehind(t *testing.T) {
	t.Parallel()
	a, m, _ := filtered(t)
	removed := false
	removing := archive.New(&overtaken{Store: a.Store(), before: func(ctx context.Context) error {
		if removed {
			return nil
		}
		removed = true
		return a.Remove(ctx, m.At(), true)
	}})
	into := removing.NewGathering(true)
	for _, part := range slices.Backward(m.Parts) {
		removed = part.Number != 1 // it is removed right before the last filter is written
		must(t, a.VerifyPart(t.Context(), ref, part, nil, archive.Into(into)))
	}
	must(t, removing.AddContents(t.Context(), m, into))
	wantEmpty(t, a.Store())
}

func TestCopiesHaveTheFilters(t *testing.T) {
	t.Parallel()
	a, m, folder := filtered(t)
	to, _, _ := setUp(t)
	must(t, a.CopyFilters(t.Context(), ref, m.Parts, to, attempt))
	may, err := to.MayHave(t.Context(), ref, m.Parts[1], []byte("cart:1"))
	if err != nil || !may {
		t.Errorf("got %t, %v", may, err)
	}
	must(t, os.Remove(filepath.Join(folder, m.At().Filter(1))))
	must(t, a.CopyFilters(t.Context(), ref, m.Parts, to, attempt)) // it is fine if there is none
}

// A part that fails has no filter, also when some of that is on its way to the store already.
func TestAPartThatFailsHasNoFilter(t *testing.T) {
	t.Parallel()
	a, _, _ := setUp(t)
	gone := errors.New("the source is gone")
	names := manyNames(1<<20 + 10)
	src := io.MultiReader(bytes.NewReader(names[:len(names)-20]), iotest.ErrReader(gone))
	if _, err := a.WritePart(t.Context(), attempt, 1, "", src, nil, archive.Into(a.NewGathering(true))); !errors.Is(err, gone) {
		t.Fatalf("got %v", err)
	}
	wantEmpty(t, a.Store())
	part, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(names), nil, archive.Into(a.NewGathering(true)))
	must(t, err)
	for _, name := range []string{"0000001", "1048585"} {
		if may, err := a.MayHave(t.Context(), ref, part, []byte(name)); err != nil || !may {
			t.Errorf("%s: %t, %v", name, may, err)
		}
	}
}

// manyNames is an RDB with n keys.
func manyNames(n int) []byte {
	body := []byte("REDIS0010\xFE\x00")
	for i := range n {
		body = fmt.Appendf(append(body, 0, 7), "%07d\x01v", i)
	}
	body = append(body, 0xFF)
	return binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))
}

// A store that takes no filter loses the snapshot nothing.
func TestAFilterThatCannotBeWrittenIsSaidAndHarmless(t *testing.T) {
	t.Parallel()
	plain, _, _ := setUp(t)
	full := errors.New("no space")
	a := archive.New(filterless{plain.Store(), full})
	into := a.NewGathering(true)
	data := twoShards(t)[1]
	part, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(data), nil, archive.Into(into))
	must(t, err)
	m := manifestOf(part)
	if err := a.WriteContents(t.Context(), m, into); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if _, err := a.Commit(t.Context(), m); err != nil {
		t.Error(err)
	}
	if _, err := a.Contents(t.Context(), m.At(), m.Parts); err != nil {
		t.Error(err)
	}
}

type filterless struct {
	store.Store
	err error
}

func (s filterless) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if strings.HasSuffix(key, ".fuse") {
		return store.Object{}, s.err
	}
	return s.Store.Put(ctx, key, r)
}

func TestKeysOfAnAttemptHaveItsFilters(t *testing.T) {
	t.Parallel()
	keys := attempt.Keys(2)
	for number := 1; number <= 2; number++ {
		if !slices.Contains(keys, ref.String()+"/"+attempt.Filter(number)) {
			t.Errorf("%q has no filter of part %d", keys, number)
		}
	}
}

// BenchmarkFilterOfPart writes the same part with and without a filter of its keys, in turn, and compares the CPU of the two: what is printed is the median
// of the rounds' ratios.
func BenchmarkFilterOfPart(b *testing.B) {
	data := strings300k()
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	a := archive.New(st)
	write := func(into *archive.Gathering) time.Duration {
		at := archive.NewAttempt(ref)
		before := cpu()
		_, err := a.WritePart(b.Context(), at, 1, "", bytes.NewReader(data), nil, archive.Into(into))
		took := cpu() - before
		if err = errors.Join(err, a.Remove(b.Context(), at, false)); err != nil {
			b.Fatal(err)
		}
		runtime.GC() // whose turn it is must not pay for the other's garbage
		return took
	}
	write(archive.NewGathering(true))
	var ratios []float64
	for b.Loop() {
		without := write(archive.NewGathering(true))
		ratios = append(ratios, float64(write(a.NewGathering(true)))/float64(without))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "CPU-ratio")
}
