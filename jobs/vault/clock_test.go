package vault

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/models/catalog"
)

// swept is a real store that counts how often what is old in it is thrown away.
type swept struct {
	store.Store
	times atomic.Int32
}

func (s *swept) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	s.times.Add(1)
	return s.Store.Sweep(ctx, olderThan)
}

func TestNothingIsSweptForItsAgeWhileTheClockIsInDoubt(t *testing.T) {
	t.Parallel()
	folder, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	st := &swept{Store: folder}
	path := filepath.Join(t.TempDir(), "rekindle.db")
	right := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	open := func(at time.Time) (*Sweeper, *clockwork.FakeClock) {
		t.Helper()
		clock := clockwork.NewFakeClockAt(at)
		db, err := catalog.Open(t.Context(), catalog.File(path), clock, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		s := New(Config{DB: db, Store: st, Clock: clock, Logger: slog.New(slog.DiscardHandler), Life: t.Context()}).Sweeper
		s.begun = at
		close(s.looked) // as after the start
		return s, clock
	}
	sweeps := func(s *Sweeper) int32 {
		t.Helper()
		before := st.times.Load()
		s.SweepStore(t.Context())
		s.tidied.Store(false)
		s.tidy(t.Context())
		if doubted := s.DB.Clock.Doubt() != nil; s.tidied.Load() == doubted {
			t.Errorf("the clock is doubted: %t, and the store counts as tidied: %t", doubted, s.tidied.Load())
		}
		return st.times.Load() - before
	}
	s, _ := open(right)
	if n := sweeps(s); n != 2 {
		t.Errorf("with a clock that is right it was swept %d times of 2", n)
	}
	s, clock := open(right.Add(45 * 24 * time.Hour))
	if n := sweeps(s); n != 0 {
		t.Errorf("with a clock that has leapt it was swept %d times", n)
	}
	if err := s.DB.Clock.Confirm(t.Context(), "admin"); err != nil {
		t.Fatal(err)
	}
	if n := sweeps(s); n != 2 {
		t.Errorf("with a clock that was confirmed it was swept %d times of 2", n)
	}
	clock.Advance(-2 * 24 * time.Hour) // while it runs
	if n := sweeps(s); n != 0 {
		t.Errorf("with a clock that was set back it was swept %d times", n)
	}
}
