package jobs_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// distant is a real store that can be away: then every request hangs, as long as it is, and fails.
type distant struct {
	store.Store
	mu     sync.Mutex
	away   chan struct{} // closed when it fails what hangs; nil: it is there
	sweeps int           // that came through
}

func (s *distant) leave() (back func()) {
	away := make(chan struct{})
	s.mu.Lock()
	s.away = away
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.away = nil
		s.mu.Unlock()
		close(away)
	}
}

func (s *distant) reach(ctx context.Context) error {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away == nil {
		return nil
	}
	select {
	case <-away:
	case <-ctx.Done():
	}
	return fmt.Errorf("reach: %w", store.ErrUnavailable)
}

func (s *distant) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := s.reach(ctx); err != nil {
		return store.Object{}, err
	}
	return s.Store.Put(ctx, key, r)
}

func (s *distant) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

func (s *distant) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := s.reach(ctx); err != nil {
		return store.Object{}, err
	}
	return s.Store.Stat(ctx, key)
}

func (s *distant) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	if err := s.reach(ctx); err != nil {
		return func(yield func(store.Object, error) bool) { yield(store.Object{}, err) }
	}
	return s.Store.List(ctx, prefix)
}

func (s *distant) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	if err := s.reach(ctx); err != nil {
		return 0, err
	}
	n, err := s.Store.Sweep(ctx, olderThan)
	s.mu.Lock()
	s.sweeps++
	s.mu.Unlock()
	return n, err
}

func TestConsoleStartsAndSupervisesWhileItsStoreIsAway(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	real, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	st := &distant{Store: real}
	clock := clockwork.NewFakeClockAt(noon)
	c := newConsoleWith(t, clock, data, st)
	cluster := c.create(c.spec("orders", 0))[0]
	source := c.primary(cluster)
	if err := source.Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Save(t, source)
	var cut models.Run
	var back func()
	c.kill(cluster, func() { // and its console had begun a snapshot when it was killed
		if cut, err = c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test"); err != nil {
			t.Fatal(err)
		}
		if _, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(models.Run) bool { return true }); err != nil || !claimed {
			t.Fatal(claimed, err)
		}
		st.mu.Lock()
		st.sweeps = 0
		st.mu.Unlock()
		back = st.leave()
	}, cluster.Nodes...)
	testkit.WaitFor(t, "the node to be started again", func() bool { return source.Get(t.Context(), "a").Val() == "b" })
	undecided := func() {
		t.Helper()
		cluster, err := c.db.Clusters.Get(t.Context(), "orders")
		run, failed := c.db.Runs.Get(t.Context(), cut.ID)
		if err != nil || failed != nil || cluster.Status != models.ClusterSnapshotting || c.status("s1") != models.SnapshotCreating ||
			run.Status != models.RunRunning || run.Attempts != 1 {
			t.Errorf("meanwhile the cluster is %s, the snapshot %s and its run %s, begun %d times (%v, %v)", cluster.Status, c.status("s1"), run.Status, run.Attempts, err, failed)
		}
	}
	undecided()
	back() // what hung fails now; what comes later goes through
	undecided()
	testkit.WaitFor(t, "the snapshot to be settled and the store to be swept, within minutes", func() bool {
		clock.Advance(time.Minute)
		st.mu.Lock()
		defer st.mu.Unlock()
		return c.status("s1") == models.SnapshotFailed && st.sweeps >= 2 // once after the start, and the hourly one
	})
	if passed := clock.Now().Sub(noon); passed >= time.Hour {
		t.Errorf("that took %s", passed)
	}
	c.await("orders", models.ClusterAvailable)
	if snapshot := c.snapshot("orders", "s2"); snapshot.Status != models.SnapshotAvailable {
		t.Errorf("the next snapshot is %s (%s)", snapshot.Status, snapshot.StatusReason)
	}
}

// unreadable is a real store in which one object cannot be read for a while, though the store is there.
type unreadable struct {
	store.Store
	key     string
	over    atomic.Bool
	refused atomic.Int32
}

func (s *unreadable) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if key == s.key && !s.over.Load() {
		s.refused.Add(1)
		return nil, fmt.Errorf("open: %w", store.ErrUnavailable)
	}
	return s.Store.Open(ctx, key)
}

// Whether it was committed is not known before its manifest has been looked for: until then it has neither failed nor is it there.
func TestSnapshotWhoseManifestCannotBeReadIsSettledWhenItCan(t *testing.T) {
	t.Parallel()
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKilled(t)
			run := k.begin(k.db.Snapshots.Request(t.Context(), "orders", "new", false, "test"))
			at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: "new"})
			must(t, k.db.Snapshots.NoteAttempt(t.Context(), run, "new", at.ID))
			k.put(k.store, at.Keys(1)[1], k.part)
			if committed {
				k.commit(k.store, k.manifest.In(at))
			}
			st := &unreadable{Store: k.store, key: at.Keys(1)[0]}
			clock := clockwork.NewFakeClockAt(time.Now())
			k.store, k.clock = st, clock
			k.start()
			testkit.WaitFor(t, "the manifest to be looked for again", func() bool {
				clock.Advance(time.Minute)
				return st.refused.Load() >= 2
			})
			st.over.Store(true)
			testkit.WaitFor(t, "the snapshot to be settled", func() bool {
				clock.Advance(time.Minute)
				return k.status("new") != models.SnapshotCreating
			})
			run = k.awaitRun(run)
			if got := k.status("new"); committed != (got == models.SnapshotAvailable) || committed != (run.Status == models.RunSucceeded) {
				t.Errorf("the run is %s (%s), the snapshot %s", run.Status, run.Error, got)
			}
			want := 2 // the files of s1
			if committed {
				want = 4
			}
			if files := k.stored(); len(files) != want {
				t.Errorf("the store has %v", files)
			}
		})
	}
}
