package vault

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models/catalog"
)

// asked is a real store that counts its checks, holds them up, and fails while it is away.
type asked struct {
	store.Store
	checks atomic.Int32
	away   atomic.Bool
	begun  chan struct{} // told of each check, when not nil
	goOn   chan struct{} // waited for by each check, when not nil
}

func (s *asked) Check(ctx context.Context) error {
	s.checks.Add(1)
	if s.goOn != nil {
		s.begun <- struct{}{}
		<-s.goOn
	}
	if s.away.Load() {
		return store.ErrUnavailable
	}
	return s.Store.Check(ctx)
}

func checking(t *testing.T, st store.Store) (*Health, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(t.TempDir(), "rekindle.db")), clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return New(Config{DB: db, Store: st, Clock: clock, Logger: slog.New(slog.DiscardHandler), Life: t.Context(), Sentence: sentence}).Health, clock
}

// sentence has one for a store that is away.
func sentence(err error) (string, bool) {
	return "The snapshot store does not answer.", errors.Is(err, store.ErrUnavailable)
}

func folder(t *testing.T) store.Store {
	t.Helper()
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestCheckOfTheStoreCountsForAMoment(t *testing.T) {
	t.Parallel()
	st := &asked{Store: folder(t)}
	h, clock := checking(t, st)
	for i, step := range []struct {
		later  time.Duration
		away   bool
		checks int32 // so far
		bad    bool
	}{
		{0, false, 1, false},
		{0, true, 1, false}, // the last result is still given
		{checkGood - 1, true, 1, false},
		{1, true, 2, true},
		{checkBad - 1, false, 2, true},
		{1, false, 3, false},
		{-time.Hour, true, 4, true}, // the clock was set back
	} {
		clock.Advance(step.later)
		st.away.Store(step.away)
		err := h.Check(t.Context())
		if st.checks.Load() != step.checks || (err != nil) != step.bad {
			t.Errorf("step %d: %d checks, %v", i, st.checks.Load(), err)
		}
		if err != nil && !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("step %d: it says %v", i, err)
		}
	}
}

func TestOneCheckOfTheStoreRunsForAllWhoAsk(t *testing.T) {
	t.Parallel()
	st := &asked{Store: folder(t), begun: make(chan struct{}), goOn: make(chan struct{})}
	h, _ := checking(t, st)
	first, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- h.Check(first) }()
	<-st.begun
	cancel() // whoever asked first goes away
	if err := <-gaveUp; err == nil {
		t.Error("it is said to be good before that is known")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := h.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	close(st.goOn)
	all.Wait()
	if n := st.checks.Load(); n != 1 {
		t.Errorf("%d checks", n)
	}
}

// However often /readyz is called, it does not cause writes.
func TestChecksOfABucketWriteOnce(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("snapshots")
	proxy := testkit.Faulty(t, server.Endpoint)
	st, err := s3.Open(t.Context(), s3.Config{Bucket: "snapshots", Region: testkit.S3Region, Endpoint: proxy.Endpoint, PathStyle: true, Credentials: server.Credentials()})
	if err != nil {
		t.Fatal(err)
	}
	h, clock := checking(t, st)
	if err := h.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	puts, asks := proxy.Count("PutObject"), proxy.Count("HeadBucket")
	if puts == 0 {
		t.Fatal("nothing was written; the test means nothing")
	}
	for range 200 {
		if err := h.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := proxy.Count("PutObject") - puts; n != 0 {
		t.Errorf("200 more checks cost %d writes", n)
	}
	clock.Advance(checkGood)
	for range 200 {
		if err := h.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if wrote, n := proxy.Count("PutObject")-puts, proxy.Count("HeadBucket")-asks; wrote != 0 || n != 1 {
		t.Errorf("200 checks later cost %d writes and %d looks at the bucket", wrote, n)
	}
}
