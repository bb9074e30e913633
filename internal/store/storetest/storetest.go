// Package storetest has the tests that every store.Store must pass: the folder, and any other implementation.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return openEmptyStore(t) })
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/store"
)

// Option adds to what Run can test.
type Option func(*suite)

// WithRemains tells Run how to leave what a console killed in the middle of a Put leaves, last written just now, so that Sweep can be tested. Without
// it only "nothing to sweep" is tested.
func WithRemains(leave func(t *testing.T, s store.Store)) Option {
	return func(s *suite) { s.leaveRemains = leave }
}

// WithProbe tells Run how to leave what a console killed in the middle of a Check leaves, last written just now.
func WithProbe(leave func(t *testing.T, s store.Store)) Option {
	return func(s *suite) { s.leaveProbe = leave }
}

type suite struct {
	open                     func(t *testing.T) store.Store
	leaveRemains, leaveProbe func(t *testing.T, s store.Store)
}

// Run runs the suite. open returns a new, empty store for each test, and cleans up after it.
func Run(t *testing.T, open func(t *testing.T) store.Store, options ...Option) {
	s := suite{open: open}
	for _, option := range options {
		option(&s)
	}
	t.Run("big stream takes bounded memory", s.bigStream) // first and alone, as it looks at the heap
	s.run(t, s.creates())
	if s.leaveProbe != nil {
		s.run(t, map[string]func(*testing.T){"sweep takes what a killed check left": s.sweepProbe})
	}
	s.run(t, map[string]func(*testing.T){
		"put and read back":                        s.roundTrip,
		"put replaces in one step":                 s.overwrite,
		"put is invisible until it is whole":       s.invisible,
		"error of the reader aborts put":           s.readerError,
		"cancel aborts put":                        s.cancelPut,
		"cancelled context does nothing":           s.cancelled,
		"cancel ends a reader":                     s.cancelRead,
		"puts of one key at once leave one, whole": s.concurrentPuts,
		"puts beside deletes in one folder":        s.putsBesideDeletes,
		"list is in order and by prefix":           s.list,
		"list can be left early":                   s.listBreak,
		"list can begin behind a key":              s.listAfter,
		"delete twice":                             s.deleteTwice,
		"what is not there":                        s.missing,
		"bad keys are refused everywhere":          s.badKeys,
		"sweep takes only old remains":             s.sweep,
		"check leaves nothing":                     s.check,
		"checks beside sweeps":                     s.checksBesideSweeps,
		"location says the kind":                   s.location,
	})
}

// RunCreates runs only the tests of Create.
func RunCreates(t *testing.T, open func(t *testing.T) store.Store) {
	s := suite{open: open}
	s.run(t, s.creates())
}

func (x suite) creates() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"create takes a free key only":           x.create,
		"of creates of one key at once one wins": x.concurrentCreates,
		"create that fails leaves the key free":  x.createFails,
		"creates beside deletes in one folder":   x.createsBesideDeletes,
	}
}

func (x suite) run(t *testing.T, tests map[string]func(*testing.T)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// --- helpers ---

func put(t *testing.T, s store.Store, key, text string) store.Object {
	t.Helper()
	object, err := s.Put(t.Context(), key, strings.NewReader(text))
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return object
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(data)
}

func keys(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	found := []string{}
	for object, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		found = append(found, object.Key)
	}
	return found
}

func wantKeys(t *testing.T, s store.Store, prefix string, want ...string) {
	t.Helper()
	if got := keys(t, s, prefix); !slices.Equal(got, want) {
		t.Errorf("List(%q) = %q, want %q", prefix, got, want)
	}
}

// wantNoRemains fails when something is left to sweep, however new.
func wantNoRemains(t *testing.T, s store.Store) {
	t.Helper()
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("Sweep found %d remains, %v; want none", n, err)
	}
}

// --- tests ---

func (x suite) roundTrip(t *testing.T) {
	s := x.open(t)
	random := make([]byte, 1<<20+7)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	before := time.Now().Add(-time.Minute)
	for key, text := range map[string]string{
		"empty": "", "top": "x", "orders/nightly/part-0001.rdb.zst": string(random), "orders/nightly/manifest.json": "{}",
		"with space/ü": "umlaut", strings.Repeat("long/", 100) + "key": "deep",
	} {
		object := put(t, s, key, text)
		if object.Key != key || object.Size != int64(len(text)) {
			t.Errorf("Put(%q) = %+v, want size %d", key, object, len(text))
		}
		if got := get(t, s, key); got != text {
			t.Errorf("%q: %d bytes came back other than the %d put in", key, len(got), len(text))
		}
		stat, err := s.Stat(t.Context(), key)
		if err != nil || stat.Key != key || stat.Size != int64(len(text)) ||
			stat.Modified.Before(before) || stat.Modified.After(time.Now().Add(time.Minute)) {
			t.Errorf("Stat(%q) = %+v, %v", key, stat, err)
		}
	}
	wantNoRemains(t, s)
}

func (x suite) overwrite(t *testing.T) {
	s := x.open(t)
	old, newer := strings.Repeat("old ", 100_000), strings.Repeat("new", 100_000)
	put(t, s, "a/key", old)
	r, err := s.Open(t.Context(), "a/key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, s, "a/key", newer)
	if got := get(t, s, "a/key"); got != newer {
		t.Errorf("after overwriting %d bytes, want the %d new ones", len(got), len(newer))
	}
	// A reader that had it open goes on with the old bytes, or gets an error: never a mixture.
	if data, err := io.ReadAll(r); err == nil && string(data) != old && string(data) != newer {
		t.Errorf("a reader across an overwrite got a mixture of %d bytes", len(data))
	}
	wantKeys(t, s, "", "a/key")
}

func (x suite) invisible(t *testing.T) {
	s := x.open(t)
	put(t, s, "kept", "old")
	for _, key := range []string{"fresh/key", "kept"} {
		looked := false
		_, err := s.Put(t.Context(), key, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), lookReader(func() {
			looked = true
			wantKeys(t, s, "", slices.Compact([]string{map[bool]string{true: "fresh/key", false: "kept"}[key == "kept"], "kept"})...)
			if n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
				t.Errorf("Sweep beside a Put = %d, %v", n, err)
			}
			if key == "kept" && get(t, s, "kept") != "old" {
				t.Error("the old object changed before the new one was whole")
			}
		})))
		if err != nil || !looked {
			t.Errorf("Put(%q): %v", key, err)
		}
	}
	wantKeys(t, s, "", "fresh/key", "kept")
}

// lookReader calls the function when it is read, and is empty.
type lookReader func()

func (f lookReader) Read([]byte) (int, error) { f(); return 0, io.EOF }

func (x suite) readerError(t *testing.T) {
	s := x.open(t)
	put(t, s, "kept/key", "old")
	broken := errors.New("the source broke")
	for _, size := range []int{0, 1, 300_000, 20 << 20} {
		for _, key := range []string{"fresh/key", "kept/key"} {
			_, err := s.Put(t.Context(), key, io.MultiReader(io.LimitReader(endless{}, int64(size)), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("Put(%q) of %d bytes and an error = %v, want the reader's error", key, size, err)
			}
		}
		_, err := s.Put(t.Context(), "fresh/key", io.MultiReader(io.LimitReader(endless{}, int64(size)), iotest.ErrReader(io.ErrUnexpectedEOF)))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Put of a stream cut after %d bytes = %v, want unexpected EOF", size, err)
		}
	}
	wantKeys(t, s, "", "kept/key")
	if got := get(t, s, "kept/key"); got != "old" {
		t.Errorf("the object from before is now %q", got)
	}
	wantNoRemains(t, s)
}

func (x suite) cancelPut(t *testing.T) {
	s := x.open(t)
	for _, size := range []int64{0, 300_000, 20 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		// The reader cancels while it is read and goes on: only Put's own check of ctx ends it.
		_, err := s.Put(ctx, "fresh/key", io.MultiReader(io.LimitReader(endless{}, size), lookReader(cancel), io.LimitReader(endless{}, 1<<20)))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Put cancelled after %d bytes = %v", size, err)
		}
		// The same at the very end of the stream: nothing has been promised yet.
		ctx, cancel = context.WithCancel(t.Context())
		_, err = s.Put(ctx, "fresh/key", io.MultiReader(io.LimitReader(endless{}, size), lookReader(cancel)))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Put cancelled at the end of %d bytes = %v", size, err)
		}
	}
	wantKeys(t, s, "")
	wantNoRemains(t, s)
}

func (x suite) cancelled(t *testing.T) {
	s := x.open(t)
	put(t, s, "key", "kept")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, putErr := s.Put(ctx, "key", strings.NewReader("new"))
	_, createErr := s.Create(ctx, "free", strings.NewReader("new"))
	_, openErr := s.Open(ctx, "key")
	_, statErr := s.Stat(ctx, "key")
	deleteErr := s.Delete(ctx, "key")
	checkErr := s.Check(ctx)
	var listErr error
	for _, err := range s.List(ctx, "") {
		listErr = err
	}
	for name, err := range map[string]error{"Put": putErr, "Create": createErr, "Open": openErr, "Stat": statErr, "Delete": deleteErr, "Check": checkErr, "List": listErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v", name, err)
		}
	}
	if got := get(t, s, "key"); got != "kept" {
		t.Errorf("the object is now %q", got)
	}
}

func (x suite) cancelRead(t *testing.T) {
	s := x.open(t)
	if _, err := s.Put(t.Context(), "key", io.LimitReader(endless{}, 20<<20)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := s.Open(ctx, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on after cancel = %v", err)
	}
}

func (x suite) concurrentPuts(t *testing.T) {
	s := x.open(t)
	var texts []string
	var wait sync.WaitGroup
	for i := range 8 {
		text := strings.Repeat(fmt.Sprint(i), 200_000+i)
		texts = append(texts, text)
		wait.Go(func() { put(t, s, "one/key", text) })
	}
	wait.Wait()
	if got := get(t, s, "one/key"); !slices.Contains(texts, got) {
		t.Errorf("%d bytes that nobody put", len(got))
	}
	wantKeys(t, s, "", "one/key")
	wantNoRemains(t, s)
}

func (x suite) putsBesideDeletes(t *testing.T) {
	s := x.open(t)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for range 25 {
				put(t, s, fmt.Sprintf("a/b/%d", i), "x")
				if err := s.Delete(t.Context(), fmt.Sprintf("a/b/%d", i)); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
			put(t, s, fmt.Sprintf("a/b/%d", i), "last")
		})
	}
	wait.Wait()
	wantKeys(t, s, "", "a/b/0", "a/b/1", "a/b/2", "a/b/3")
}

func (x suite) list(t *testing.T) {
	s := x.open(t)
	wantKeys(t, s, "")
	sorted := []string{"a-b/x", "a.b", "a/b", "a/b-c/d", "a/b.c", "a/c/d", "a0", "ab/c", "b"}
	for _, i := range rand.Perm(len(sorted)) {
		put(t, s, sorted[i], "text")
	}
	wantKeys(t, s, "", sorted...)
	for _, prefix := range []string{"a", "a/", "a/b", "a/b-c/", "a/c/d", "a-", "ab", "b", "c", "a/c/d/", "/", ".", ".."} {
		want := slices.DeleteFunc(slices.Clone(sorted), func(key string) bool { return !strings.HasPrefix(key, prefix) })
		wantKeys(t, s, prefix, want...)
	}
	for object, err := range s.List(t.Context(), "a/") {
		if err != nil || object.Size != 4 || object.Modified.IsZero() {
			t.Errorf("List yields %+v, %v", object, err)
		}
	}
}

func (x suite) listAfter(t *testing.T) {
	s := x.open(t)
	all := []string{"a-b/one", "a/b/c/one", "a/b/c/two", "a/b/d", "a/c", "b", "c/0/x", "c/1/x", "c/a"}
	for _, key := range all {
		put(t, s, key, "x")
	}
	for _, test := range []struct{ prefix, after string }{
		{"", ""}, {"", "a"}, {"", "a/b/c/one"}, {"", "a/b/c/onf"}, {"", "a/b/c"}, {"", "a/b/c/"}, {"", "a/b/c~"}, {"", "a-b/one"}, {"", "c/:"}, {"", "c/a"}, {"", "z"}, {"a/", "a/b/c/two"},
		{"a/", "b"}, {"c", "b"}, {"c/1", "c/0/x"}, {"b", "b"},
	} {
		want := []string{}
		for _, key := range all {
			if strings.HasPrefix(key, test.prefix) && key > test.after {
				want = append(want, key)
			}
		}
		got := []string{}
		for object, err := range store.ListAfter(t.Context(), s, test.prefix, test.after) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, object.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %q behind %q there are %q, want %q", test.prefix, test.after, got, want)
		}
	}
}

func (x suite) listBreak(t *testing.T) {
	s := x.open(t)
	put(t, s, "a/1", "")
	put(t, s, "a/2", "")
	put(t, s, "b/1", "")
	n := 0
	for range s.List(t.Context(), "") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d objects after a break", n)
	}
}

func (x suite) deleteTwice(t *testing.T) {
	s := x.open(t)
	put(t, s, "a/b/c", "1")
	put(t, s, "a/d", "2")
	for range 2 {
		if err := s.Delete(t.Context(), "a/b/c"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	wantKeys(t, s, "", "a/d")
	if err := s.Delete(t.Context(), "a"); err != nil { // no object of that name: fine, and no harm to those below it
		t.Errorf("Delete of a folder's name: %v", err)
	}
	wantKeys(t, s, "", "a/d")
	if err := s.Delete(t.Context(), "a/d"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	wantKeys(t, s, "")
	put(t, s, "a", "now a name of its own")
	wantKeys(t, s, "", "a")
}

func (x suite) missing(t *testing.T) {
	s := x.open(t)
	put(t, s, "a/b", "x")
	for _, key := range []string{"none", "a", "a/c", "none/at/all"} {
		if _, err := s.Open(t.Context(), key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Open(%q) = %v, want ErrNotExist", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Stat(%q) = %v, want ErrNotExist", key, err)
		}
	}
}

func (x suite) badKeys(t *testing.T) {
	s := x.open(t)
	for _, key := range []string{"", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", ".tmp/x", `a\b`, "a\x00", "a\n", "\xff"} {
		_, putErr := s.Put(t.Context(), key, strings.NewReader("x"))
		_, createErr := s.Create(t.Context(), key, strings.NewReader("x"))
		_, openErr := s.Open(t.Context(), key)
		_, statErr := s.Stat(t.Context(), key)
		deleteErr := s.Delete(t.Context(), key)
		for name, err := range map[string]error{"Put": putErr, "Create": createErr, "Open": openErr, "Stat": statErr, "Delete": deleteErr} {
			if !errors.Is(err, store.ErrKey) {
				t.Errorf("%s(%q) = %v, want ErrKey", name, key, err)
			}
		}
	}
	wantKeys(t, s, "")
}

func (x suite) sweep(t *testing.T) {
	s := x.open(t)
	put(t, s, "a/kept", "x")
	wantNoRemains(t, s)
	if x.leaveRemains != nil {
		x.leaveRemains(t, s)
		if n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
			t.Errorf("Sweep of what is older than an hour = %d, %v; the remains are new", n, err)
		}
		wantKeys(t, s, "", "a/kept")
		if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("Sweep = %d, %v; want the one remain gone", n, err)
		}
		wantNoRemains(t, s)
	}
	wantKeys(t, s, "", "a/kept")
}

func (x suite) check(t *testing.T) {
	s := x.open(t)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	wantKeys(t, s, "")
	wantNoRemains(t, s)
}

// What is being tried out is under way, and not a leftover of a killed console.
func (x suite) checksBesideSweeps(t *testing.T) {
	s := x.open(t)
	var checks, sweeps sync.WaitGroup
	done := make(chan struct{})
	sweeps.Go(func() {
		for {
			if _, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
				t.Errorf("Sweep: %v", err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 4 {
		checks.Go(func() {
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
	checks.Wait()
	close(done)
	sweeps.Wait()
}

func (x suite) sweepProbe(t *testing.T) {
	s := x.open(t)
	x.leaveProbe(t, s)
	wantKeys(t, s, "")
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check beside a probe of another console's: %v", err)
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("Sweep of what is older than an hour = %d, %v; the probe may be in use", n, err)
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v; want the probe gone", n, err)
	}
	wantNoRemains(t, s)
}

func (x suite) location(t *testing.T) {
	if location := x.open(t).Location(); !strings.Contains(location, ":") {
		t.Errorf("Location() = %q, want kind:place", location)
	}
}

// endless gives bytes for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); n += copy(p[n:], pattern) { // not byte by byte: the race detector records each access
	}
	return len(p), nil
}

var pattern = bytes.Repeat([]byte("0123456789abcdef"), 4<<10)

func (x suite) bigStream(t *testing.T) {
	const size, allowed = 96 << 20, 48 << 20
	s := x.open(t)
	source := &heapWatch{Reader: io.LimitReader(endless{}, size)}
	source.base = heap()
	object, err := s.Put(t.Context(), "big", source)
	if err != nil || object.Size != size {
		t.Fatalf("Put of %d bytes = %+v, %v", size, object, err)
	}
	if source.peak > allowed {
		t.Errorf("the heap grew by %d MiB while %d MiB were stored, %d are allowed", source.peak>>20, size>>20, allowed>>20)
	}
	r, err := s.Open(t.Context(), "big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	back := &heapWatch{Reader: r, base: heap()}
	if n, err := io.Copy(io.Discard, back); n != size || err != nil {
		t.Errorf("read back %d bytes, %v", n, err)
	}
	if back.peak > allowed {
		t.Errorf("the heap grew by %d MiB while %d MiB were read, %d are allowed", back.peak>>20, size>>20, allowed>>20)
	}
}
