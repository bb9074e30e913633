package jobs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// refusing is a store that refuses to delete, and perhaps to read, as long as the test wants.
type refusing struct {
	store.Store
	mu      sync.Mutex
	deletes error
	reads   error
}

func (s *refusing) refuse(deletes, reads error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletes, s.reads = deletes, reads
}

func (s *refusing) Delete(ctx context.Context, key string) error {
	s.mu.Lock()
	err := s.deletes
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

func (s *refusing) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	s.mu.Lock()
	err := s.reads
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key)
}

func newRefusing(t *testing.T) (*console, *refusing) {
	t.Helper()
	data := t.TempDir()
	folder, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	st := &refusing{Store: folder}
	return newConsoleWith(t, clockwork.NewRealClock(), data, st), st
}

func (c *console) deleteSnapshot(name string) models.Run {
	c.t.Helper()
	cluster := mustSnapshot(c, name).ClusterName
	must(c.t, c.db.Snapshots.Delete(c.t.Context(), []string{name}, "test"))
	c.manager.Wake()
	run, found, err := c.db.Runs.Last(c.t.Context(), cluster, models.RunDeleteSnapshot, c.db.Now().AddDate(-1, 0, 0))
	if err != nil || !found {
		c.t.Fatalf("no run deletes %s: %v", name, err)
	}
	return c.ended(run.ID)
}

func TestRefusedDeletionKeepsTheSnapshot(t *testing.T) {
	t.Parallel()
	c, st := newRefusing(t)
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	for _, name := range []string{"locked", "away", "half"} {
		c.snapshot("orders", name)
	}
	st.refuse(fmt.Errorf("delete: %w", store.ErrLocked), nil)
	if run := c.deleteSnapshot("locked"); run.Status != models.RunFailed || !strings.Contains(run.Error, "Object Lock") {
		t.Errorf("the run is %s: %s", run.Status, run.Error)
	}
	if s := mustSnapshot(c, "locked"); s.Status != models.SnapshotAvailable || s.StatusReason != "" || !strings.Contains(c.events(), "could not be deleted. Nothing of it was removed") {
		t.Errorf("it is %s (%s)\n%s", s.Status, s.StatusReason, c.events())
	}
	if c.restored("locked", "copy") == "" {
		t.Error("it cannot be restored")
	}
	// The store does not even say how far it has come. When it answers again, it turns out that nothing has happened.
	away := fmt.Errorf("away: %w", store.ErrUnavailable)
	st.refuse(away, away)
	c.deleteSnapshot("away")
	if s := mustSnapshot(c, "away"); s.Status != models.SnapshotFailed {
		t.Errorf("it is %s", s.Status)
	}
	// Of this one only the manifest is gone: it is no snapshot any more.
	c.deleteSnapshot("half")
	must(t, os.Remove(c.file("orders", "half", "manifest.json")))
	st.refuse(nil, nil)
	c.stop()
	c.start()
	testkit.WaitFor(t, "it to be available again", func() bool { return mustSnapshot(c, "away").Status == models.SnapshotAvailable })
	if s := mustSnapshot(c, "half"); s.Status != models.SnapshotFailed {
		t.Errorf("the half removed one is %s", s.Status)
	}
	if run := c.deleteSnapshot("away"); run.Status != models.RunSucceeded {
		t.Errorf("deleted again the run is %s: %s", run.Status, run.Error)
	}
}

// midway lets the test do something when the first part has begun to be written.
type midway struct {
	store.Store
	dir  *dir.Store
	once sync.Once
	do   func()
}

func (s *midway) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	object, err := s.Store.Put(ctx, key, r)
	if strings.HasSuffix(key, ".zst") && s.do != nil {
		s.once.Do(s.do)
	}
	return object, err
}

func (s *midway) Present(ctx context.Context) error { return s.dir.Present(ctx) }

// A folder that is moved away while it is open takes with it what is written: nothing in it is called available.
func TestSnapshotIntoAMovedFolderFails(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "during"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			path := filepath.Join(data, "snapshots")
			folder, err := dir.Open(path)
			must(t, err)
			st := &midway{Store: folder, dir: folder}
			c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
			testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
			move := func() { must(t, os.Rename(path, path+"gone")) }
			if when == "before" {
				move()
			} else {
				st.do = move
			}
			s := c.snapshot("orders", "s1")
			if s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, path+" is no longer the one that Rekindle was started with") {
				t.Errorf("it is %s: %s", s.Status, s.StatusReason)
			}
			if left, err := filepath.Glob(path + "gone/orders/s1/*"); err != nil || len(left) != 0 {
				t.Errorf("the moved folder has %v (%v)", left, err)
			}
			if err := c.upload("orders", "up", fakeRDB("REDIS0010", oneKey...)); err == nil || !strings.Contains(err.Error(), "is no longer the one") {
				t.Errorf("an upload: %v", err)
			}
			must(t, os.Rename(path+"gone", path))
			if again := c.snapshot("orders", "s2"); again.Status != models.SnapshotAvailable {
				t.Errorf("after it is back: %s (%s)", again.Status, again.StatusReason)
			}
		})
	}
}

func TestSnapshotSaysWhyThePrimaryServed(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("alone", 0))
	if s := c.snapshot("alone", "s1"); s.Warning != "It was taken from the primary, because the cluster has no replica." {
		t.Errorf("of a cluster without replicas it says %q", s.Warning)
	}
}
