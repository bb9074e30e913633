package jobs_test

import (
	"context"
	"errors"
	"io"
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
	"rekindle/internal/testkit"
	"rekindle/jobs"
	"rekindle/models"
)

// halting is a real store that holds one call up, as a console is that is frozen in it: it goes on whatever has been cancelled meanwhile.
type halting struct {
	store.Store
	call    string // "put", "stat", "created" or "delete", each when it is done but for the last
	key     string // the end of the object's
	fails   error  // of the manifest that has been created, or of the file that has been put, although it is there
	once    sync.Once
	commits atomic.Int32
	reached chan struct{}
	goOn    chan struct{}
}

func (s *halting) halt(call, key string) {
	if s.call == call && strings.HasSuffix(key, s.key) {
		s.once.Do(func() {
			close(s.reached)
			<-s.goOn
		})
	}
}

func (s *halting) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	object, err := s.Store.Put(ctx, key, r)
	s.halt("put", key)
	if err == nil && s.call == "put" && strings.HasSuffix(key, s.key) {
		err = s.fails
	}
	return object, err
}

func (s *halting) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if strings.HasSuffix(key, "manifest.json") {
		s.commits.Add(1)
	}
	object, err := s.Store.Create(ctx, key, r)
	s.halt("created", key)
	if err == nil && strings.HasSuffix(key, "manifest.json") {
		err = s.fails
	}
	return object, err
}

func (s *halting) Stat(ctx context.Context, key string) (store.Object, error) {
	object, err := s.Store.Stat(ctx, key)
	if err == nil {
		s.halt("stat", key)
	}
	return object, err
}

func (s *halting) Delete(ctx context.Context, key string) error {
	s.halt("delete", key)
	return s.Store.Delete(ctx, key)
}

// beside starts another console on the same catalog and store.
func (c *console) beside(home string, lease time.Duration) *jobs.Manager {
	c.t.Helper()
	st, err := dir.Open(filepath.Join(c.data, "snapshots"))
	must(c.t, err)
	logger := slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("console", home)
	manager, err := jobs.New(jobs.Config{DB: c.db, Store: st, Launcher: c.nodes, Host: jobs.NewHost(c.nodes, home), Clock: c.clock, Logger: logger,
		SuperviseEvery: 50 * time.Millisecond, Lease: lease})
	must(c.t, err)
	must(c.t, manager.Start(c.t.Context()))
	c.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := manager.Stop(ctx); err != nil {
			c.t.Error(err)
		}
	})
	return manager
}

// A console is frozen in the middle of a snapshot for longer than its lease, and thaws when another one has settled it.
func TestSnapshotOfAFrozenConsoleIsSettledOnceByAnother(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call, key string
		fails     error
		available bool
	}{
		"when it has stored a part":         {"put", ".zst", nil, false},
		"right before it commits":           {"stat", ".zst", nil, false},
		"after it was written":              {"created", "manifest.json", nil, true},
		"while it removes what it gave up":  {"delete", "manifest.json", store.ErrDenied, false},
		"while it removes it, a part later": {"delete", ".zst", store.ErrDenied, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			real, err := dir.Open(filepath.Join(data, "snapshots"))
			must(t, err)
			st := &halting{Store: real, call: test.call, key: test.key, fails: test.fails, reached: make(chan struct{}), goOn: make(chan struct{})}
			c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
			c.stop()
			c.lease = time.Second
			c.start()
			source := c.primary(c.create(c.spec("orders", 0))[0])
			testkit.Fill(t, source, 50)
			want := testkit.Fingerprint(t, source)
			run, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test")
			must(t, err)
			c.manager.Wake()
			<-st.reached
			thaw := sync.OnceFunc(func() { close(st.goOn) })
			defer thaw()
			c.manager.Freeze()
			other := c.beside("another", c.lease)
			run = c.ended(run.ID)
			settled := c.status("s1")
			thaw()
			c.manager.Settled(run.ID)
			if (settled == models.SnapshotAvailable) != test.available || c.status("s1") != settled || (run.Status == models.RunSucceeded) != test.available {
				t.Fatalf("the snapshot is %s, then %s; the run %s (%s)", settled, c.status("s1"), run.Status, run.Error)
			}
			testkit.WaitFor(t, "the other one to say that it cannot look after the nodes", func() bool { // the one that thawed says what it sees, too
				cluster, err := c.db.Clusters.Get(t.Context(), "orders")
				return err == nil && cluster.Status == models.ClusterUnreachable && strings.HasPrefix(cluster.StatusReason, "The console on the host of its nodes is away.")
			})
			if wrote := st.commits.Load() > 0; wrote != (test.available || test.fails != nil) {
				t.Errorf("a manifest was written: %t", wrote)
			}
			if err := c.manager.Hold(t.Context()); !errors.Is(err, models.ErrLeaseLost) {
				t.Errorf("the one that was frozen believes in its lease: %v", err)
			}
			other.Sweep(t.Context())
			for object, err := range real.List(t.Context(), "orders/s1/") {
				if !test.available {
					t.Errorf("left in the store: %+v, %v", object, err)
				}
			}
			c.stop()
			c.start() // the host is back
			c.await("orders", models.ClusterAvailable)
			if test.available && c.restored("s1", "copy") != want {
				t.Error("what is restored is something else")
			}
		})
	}
}

// What a run writes into another store has the same names whoever begins it again.
func TestExportOfAFrozenConsoleIsNotTakenBackFromTheOneThatFinishedIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")
	c.stop()
	folder := filepath.Join(t.TempDir(), "exports")
	st := &halting{call: "put", key: ".rdb", fails: store.ErrFull, reached: make(chan struct{}), goOn: make(chan struct{})}
	c.open = func(context.Context, string) (store.Store, error) {
		var err error
		st.Store, err = dir.Open(folder)
		return st, err
	}
	c.lease = time.Second
	c.start()
	run, err := c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "out", Store: "dir:" + folder, RequestedBy: "test"})
	must(t, err)
	c.manager.Wake()
	<-st.reached
	thaw := sync.OnceFunc(func() { close(st.goOn) })
	defer thaw()
	c.manager.Freeze()
	c.beside("another", c.lease)
	if run = c.ended(run.ID); run.Status != models.RunSucceeded || run.Attempts != 2 {
		t.Fatalf("the run is %s after %d attempts: %s", run.Status, run.Attempts, run.Error)
	}
	thaw()
	c.manager.Settled(run.ID)
	if files, err := filepath.Glob(filepath.Join(folder, "*.rdb")); err != nil || len(files) != 1 {
		t.Errorf("of the export there is %q, %v", files, err)
	}
}

func TestRunsOfOthersAreNeitherSettledNorQueuedAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")
	c.stop()
	lives, err := c.db.Owners.Enroll(t.Context(), "there", time.Minute)
	must(t, err)
	asked, err := c.db.Verifications.Request(t.Context(), "s1", "test")
	must(t, err)
	if _, claimed, err := c.db.Runs.Claim(t.Context(), lives.ID, func(models.Run) bool { return true }); err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	c.start()
	c.manager.Recover(t.Context())
	if run, err := c.db.Runs.Get(t.Context(), asked.ID); err != nil || run.Status != models.RunRunning || run.Owner != lives.ID {
		t.Errorf("the run is %s of %q, %v", run.Status, run.Owner, err)
	}
	must(t, c.db.Owners.Leave(t.Context(), lives.ID))
	c.manager.Recover(t.Context())
	if run := c.ended(asked.ID); run.Status != models.RunSucceeded {
		t.Errorf("after its console has gone the run is %s: %s", run.Status, run.Error)
	}
}

// Consoles that renew their leases leave each other's runs alone, however long these take.
func TestRunOfAConsoleThatLivesIsLeftAlone(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	st.mu.Lock()
	st.reached, st.goOn = make(chan struct{}), make(chan struct{})
	reached := st.reached
	st.mu.Unlock()
	run, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test")
	must(t, err)
	c.manager.Wake()
	<-reached
	c.beside("another", 20*time.Second) // whose start is when earlier consoles took every other one for dead
	other := c.beside("a third", 20*time.Second)
	other.Recover(t.Context())
	if now, err := c.db.Runs.Get(t.Context(), run.ID); err != nil || now.Status != models.RunRunning || now.Owner == "" {
		t.Errorf("the run is %s of %q, %v", now.Status, now.Owner, err)
	}
	close(st.goOn)
	if s := c.awaitSnapshot("s1"); s.Status != models.SnapshotAvailable {
		t.Errorf("the snapshot is %s: %s", s.Status, s.StatusReason)
	}
}
