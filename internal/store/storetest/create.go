package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"rekindle/internal/store"
)

func create(t *testing.T, s store.Store, key, text string) error {
	t.Helper()
	object, err := s.Create(t.Context(), key, strings.NewReader(text))
	if err == nil && (object.Key != key || object.Size != int64(len(text))) {
		t.Errorf("Create(%q) = %+v, want size %d", key, object, len(text))
	}
	return err
}

func (x suite) create(t *testing.T) {
	s := x.open(t)
	put(t, s, "a/put", "put")
	for _, text := range []string{"", "short", strings.Repeat("long ", 3<<20)} {
		key := fmt.Sprintf("a/b/created-%d", len(text))
		if err := create(t, s, key, text); err != nil {
			t.Fatalf("Create of %d bytes: %v", len(text), err)
		}
		for _, again := range []string{text, "other", strings.Repeat("other ", 3<<20)} {
			if err := create(t, s, key, again); !errors.Is(err, store.ErrExist) {
				t.Errorf("Create of %d bytes over %d = %v, want ErrExist", len(again), len(text), err)
			}
		}
		if got := get(t, s, key); got != text {
			t.Errorf("%d bytes are there now of %d", len(got), len(text))
		}
	}
	if err := create(t, s, "a/put", "created"); !errors.Is(err, store.ErrExist) || get(t, s, "a/put") != "put" {
		t.Errorf("Create over what was put = %v", err)
	}
	put(t, s, "a/b/created-0", "put over it")
	if err := s.Delete(t.Context(), "a/put"); err != nil {
		t.Fatal(err)
	}
	if err := create(t, s, "a/put", "created"); err != nil || get(t, s, "a/put") != "created" {
		t.Errorf("Create after Delete = %v", err)
	}
	wantNoRemains(t, s)
}

// concurrentCreates lets many claim one key at once. Whoever reads it meanwhile finds nothing or the winner's bytes.
func (x suite) concurrentCreates(t *testing.T) {
	s := x.open(t)
	exclusive := s.Exclusive(t.Context())
	wantNoRemains(t, s)
	for round, test := range []struct{ creators, size int }{{16, 1000}, {16, 300_000}, {4, 9 << 20}} {
		key := fmt.Sprintf("round/%d/key", round)
		errs := make([]error, test.creators)
		var creating, reading sync.WaitGroup
		over, begin := make(chan struct{}), make(chan struct{})
		reading.Go(func() { x.readWhole(t, s, key, test.size, over) })
		for i := range test.creators {
			creating.Go(func() {
				<-begin
				errs[i] = create(t, s, key, strings.Repeat(string(rune('a'+i)), test.size))
			})
		}
		close(begin)
		creating.Wait()
		close(over)
		reading.Wait()
		won := []int{}
		for i, err := range errs {
			if err == nil {
				won = append(won, i)
			} else if !errors.Is(err, store.ErrExist) {
				t.Errorf("Create beside others = %v, want ErrExist", err)
			}
		}
		if !exclusive {
			t.Logf("not exclusive: %d of %d Creates say that they won", len(won), test.creators)
			continue
		}
		if len(won) != 1 {
			t.Fatalf("%d of %d Creates won", len(won), test.creators)
		}
		if got := get(t, s, key); got != strings.Repeat(string(rune('a'+won[0])), test.size) {
			t.Errorf("%d bytes are there, and not the winner's", len(got))
		}
	}
	wantNoRemains(t, s)
}

// readWhole reads a key again and again: there is nothing yet, or size equal bytes.
func (x suite) readWhole(t *testing.T, s store.Store, key string, size int, over chan struct{}) {
	for {
		r, err := s.Open(t.Context(), key)
		if err == nil {
			data, readErr := io.ReadAll(r)
			_ = r.Close()
			if err = readErr; err == nil && (len(data) != size || len(slices.Compact(data)) != 1) {
				t.Errorf("a reader got %d bytes of %d, or a mixture", len(data), size)
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			t.Errorf("read beside Creates: %v", err)
		}
		select {
		case <-over:
			return
		default:
		}
	}
}

func (x suite) createFails(t *testing.T) {
	s := x.open(t)
	broken := errors.New("the source broke")
	for _, size := range []int64{0, 1000, 20 << 20} {
		_, err := s.Create(t.Context(), "a/key", io.MultiReader(io.LimitReader(endless{}, size), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("Create of %d bytes and an error = %v, want the reader's error", size, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = s.Create(ctx, "a/key", io.MultiReader(io.LimitReader(endless{}, size), lookReader(cancel)))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Create cancelled at the end of %d bytes = %v", size, err)
		}
	}
	wantKeys(t, s, "")
	wantNoRemains(t, s)
	if err := create(t, s, "a/key", "x"); err != nil {
		t.Errorf("Create after those that failed: %v", err)
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil || get(t, s, "a/key") != "x" {
		t.Errorf("Sweep = %d, %v", n, err)
	}
}

func (x suite) createsBesideDeletes(t *testing.T) {
	s := x.open(t)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			key := fmt.Sprintf("a/b/%d", i)
			for range 25 {
				if err := create(t, s, key, "x"); err != nil {
					t.Errorf("Create: %v", err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
			if err := create(t, s, key, "last"); err != nil {
				t.Errorf("Create: %v", err)
			}
		})
	}
	wait.Wait()
	wantKeys(t, s, "", "a/b/0", "a/b/1", "a/b/2", "a/b/3")
}
