package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/testkit"
	"rekindle/jobs/queue"
	"rekindle/models"
	"rekindle/models/catalog"
)

// bench is a real catalog with queues on it, whose kinds do what a test tells them.
type bench struct {
	t    *testing.T
	db   *catalog.DB
	home string // of the next console
	n    int    // of imports that were asked for
}

func newBench(t *testing.T) *bench {
	t.Helper()
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(t.TempDir(), "rekindle.db")), clockwork.NewRealClock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{t: t, db: db, home: "here"}
}

// kind is one that may begin at once, is begun again, and fails without a trace.
func (b *bench) kind(weight queue.Weight, does func(context.Context, models.Run) error) queue.Kind {
	return queue.Kind{
		Weighs:   func(models.Run) queue.Weight { return weight },
		May:      func(context.Context, models.Run, int) bool { return true },
		Does:     func(ctx context.Context, run models.Run, _ *queue.Report) error { return does(ctx, run) },
		Again:    func(models.Run) bool { return true },
		Removes:  func(models.Run, error) bool { return false },
		Settles:  b.fail,
		Recovers: func(models.Run) queue.Recovery { return nil },
	}
}

func (b *bench) fail(ctx context.Context, run models.Run, f queue.Failure) error {
	return b.db.Settle.Fail(ctx, run, f.Status, f.Reason)
}

// done is the body of a kind that has nothing to do.
func (b *bench) done(ctx context.Context, run models.Run) error {
	return b.db.Settle.Rebuild(ctx, run, models.Rebuilt{})
}

// start starts a queue with its lease; both end with the test, unless that has stopped them.
func (b *bench) start(kinds queue.Kinds, with func(*queue.Config)) (*queue.Queue, *queue.Lease) {
	b.t.Helper()
	ready := make(chan struct{})
	close(ready)
	logger := slog.New(slog.NewTextHandler(b.t.Output(), nil))
	config := queue.Config{DB: b.db, Kinds: kinds, Logger: logger, Transfers: 1, Chores: 1, Ready: ready,
		Sentence: error.Error, Reachable: func(context.Context) error { return nil }, ClearsAway: func(context.Context, models.Run) {}}
	var q *queue.Queue
	config.Lease = queue.NewLease(queue.LeaseConfig{DB: b.db, Home: b.home, Lasts: time.Second, Logger: logger,
		TakesOver: func(ctx context.Context) error { return q.Recover(ctx) }})
	if with != nil {
		with(&config)
	}
	q = queue.New(config)
	if err := errors.Join(config.Lease.Start(b.t.Context()), q.Start(b.t.Context())); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := errors.Join(q.Stop(context.Background()), config.Lease.Stop(context.Background())); err != nil {
			b.t.Error(err)
		}
	})
	return q, config.Lease
}

// rebuild queues a chore.
func (b *bench) rebuild() models.Run {
	b.t.Helper()
	run, err := b.db.Rebuild.Request(b.t.Context(), "test")
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// imports queues a run that moves data.
func (b *bench) imports() models.Run {
	b.t.Helper()
	b.n++
	run, err := b.db.Copies.Import(b.t.Context(), models.ImportSpec{Cluster: "orders", Name: fmt.Sprintf("s%d", b.n), Sources: []string{"dir:/there/dump.rdb"}, RequestedBy: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

func (b *bench) get(run models.Run) models.Run {
	b.t.Helper()
	run, err := b.db.Runs.Get(b.t.Context(), run.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return run
}

// await waits until a run has this status.
func (b *bench) await(run models.Run, status models.RunStatus) models.Run {
	b.t.Helper()
	testkit.WaitFor(b.t, fmt.Sprintf("run %d to be %s", run.ID, status), func() bool { return b.get(run).Status == status })
	return b.get(run)
}

func TestRunsBeginWithinTheirLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ready, begun, goOn := make(chan struct{}), make(chan uint), make(chan struct{})
	q, _ := b.start(queue.Kinds{
		models.RunRebuild: b.kind(queue.Chore, b.done),
		models.RunImport: b.kind(queue.Transfer, func(context.Context, models.Run) error {
			begun <- 1
			<-goOn
			return errors.New("no such file")
		}),
	}, func(c *queue.Config) { c.Ready = ready })
	first, second := b.imports(), b.imports()
	q.Wake()
	b.await(b.rebuild(), models.RunSucceeded)
	if run := b.get(first); run.Status != models.RunQueued {
		t.Errorf("before data may be moved, a run that does is %s", run.Status)
	}
	close(ready)
	<-begun
	b.await(b.rebuild(), models.RunSucceeded)
	if run := b.get(second); run.Status != models.RunQueued || q.Moving() != 1 {
		t.Errorf("while the only slot is taken, the next run is %s, and %d move data", run.Status, q.Moving())
	}
	goOn <- struct{}{}
	if run := b.await(first, models.RunFailed); run.Error != "no such file" {
		t.Errorf("it failed because of %q", run.Error)
	}
	<-begun
	goOn <- struct{}{}
	b.await(second, models.RunFailed)
}

func TestRunThatMayNotBeginWaitsWithoutAPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var may atomic.Bool
	waits := b.kind(queue.Transfer, b.done)
	waits.May = func(context.Context, models.Run, int) bool { return may.Load() }
	waits.Does = func(context.Context, models.Run, *queue.Report) error { return errors.New("begun") }
	q, _ := b.start(queue.Kinds{models.RunImport: waits}, nil)
	run := b.imports()
	_, err := q.Upload(t.Context(), errors.New("cut"), func(string) (models.Run, error) { return models.Run{}, errors.New("claimed") }, nil)
	if err == nil || err.Error() != "claimed" {
		t.Errorf("an upload beside a run that may not begin: %v", err)
	}
	if run := b.get(run); run.Status != models.RunQueued {
		t.Errorf("a run that may not begin is %s", run.Status)
	}
	may.Store(true)
	q.Wake()
	b.await(run, models.RunFailed)
}

func TestHowRunsEnd(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	waits := func(ctx context.Context, _ models.Run) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	for name, test := range map[string]struct {
		does     func(context.Context, models.Run) error
		attempts int // before this one
		cancel   bool
		status   models.RunStatus
		reason   string
	}{
		"it fails":                {does: func(context.Context, models.Run) error { return errors.New("broken") }, status: models.RunFailed, reason: "broken"},
		"it panics":               {does: func(context.Context, models.Run) error { panic("lost") }, status: models.RunFailed, reason: "panic: lost"},
		"it is cancelled":         {does: waits, cancel: true, status: models.RunCancelled, reason: "It was cancelled."},
		"it was begun too often":  {does: waits, attempts: 10, status: models.RunFailed, reason: queue.ErrTooOften.Error()},
		"nobody knows such a run": {status: models.RunFailed, reason: `unknown kind of run "import"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.imports()
			for range test.attempts {
				killed, err := b.db.Owners.Enroll(t.Context(), "here", time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				claimed, _, err := b.db.Runs.Claim(t.Context(), killed.ID, func(models.Run) bool { return true })
				if err := errors.Join(err, b.db.Runs.Requeue(t.Context(), claimed)); err != nil {
					t.Fatal(err)
				}
			}
			kinds := queue.Kinds{}
			if test.does != nil {
				kinds[models.RunImport] = b.kind(queue.Transfer, test.does)
			}
			b.start(kinds, nil)
			if test.cancel {
				<-begun
				if err := b.db.Runs.Cancel(t.Context(), run.ID); err != nil {
					t.Fatal(err)
				}
			}
			run = b.await(run, test.status)
			if !strings.HasPrefix(run.Error, test.reason) {
				t.Errorf("it is %s because of %q", run.Status, run.Error)
			}
		})
	}
}

func TestArgumentsOfARunAreReadBeforeItBegins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	told := make(chan models.ImportArgs, 1)
	imports := b.kind(queue.Transfer, nil)
	imports.Does = queue.With(func(_ context.Context, _ models.Run, args models.ImportArgs, _ *queue.Report) error {
		told <- args
		return errors.New("done")
	})
	others := b.kind(queue.Chore, nil)
	others.Does = queue.With(func(context.Context, models.Run, models.ImportArgs, *queue.Report) error {
		t.Error("a run begins with arguments of another kind")
		return nil
	})
	b.start(queue.Kinds{models.RunImport: imports, models.RunRebuild: others}, nil)
	run, other := b.imports(), b.rebuild()
	if args := <-told; args.Target != run.SnapshotName || len(args.Sources) != 1 {
		t.Errorf("it was told %+v", args)
	}
	if run := b.await(other, models.RunFailed); !strings.Contains(run.Error, "a rebuild has no models.ImportArgs") {
		t.Errorf("it failed because of %q", run.Error)
	}
}

func TestStoppedQueueQueuesAgainWhatItCutsOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun := make(chan struct{}, 2)
	waits := func(ctx context.Context, _ models.Run) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	once := b.kind(queue.Transfer, waits)
	once.Again = func(models.Run) bool { return false }
	q, _ := b.start(queue.Kinds{models.RunRebuild: b.kind(queue.Chore, waits), models.RunImport: once}, nil)
	again, never := b.rebuild(), b.imports()
	q.Wake()
	<-begun
	<-begun
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run := b.get(again); run.Status != models.RunQueued || run.Attempts != 1 {
		t.Errorf("what can be begun again is %s after %d attempts", run.Status, run.Attempts)
	}
	if run := b.get(never); run.Status != models.RunFailed {
		t.Errorf("what cannot be is %s", run.Status)
	}
}

// Stop waits for uploads. One that came in while it waits would find the catalog closed under it.
func TestUploadThatComesWhileTheQueueStopsIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	q, lease := b.start(queue.Kinds{models.RunImport: b.kind(queue.Transfer, b.done)}, func(c *queue.Config) { c.Transfers = 2 })
	upload := func(name string, body func(context.Context)) (models.Run, error) {
		return q.Upload(t.Context(), errors.New("cut"), func(owner string) (models.Run, error) {
			return b.db.Copies.BeginUpload(t.Context(), models.ImportSpec{Cluster: "orders", Name: name, RequestedBy: "test"}, owner)
		}, func(ctx context.Context, _ models.Run, _ *queue.Report) error {
			body(ctx)
			return context.Cause(ctx)
		})
	}
	begun, cut, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := upload("first", func(ctx context.Context) {
			close(begun)
			<-ctx.Done()
			close(cut)
			<-goOn
		})
		ended <- err
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- q.Stop(t.Context()) }()
	<-cut
	run, err := upload("second", func(context.Context) { t.Error("an upload begins while the queue stops") })
	if !errors.Is(err, drain.ErrStopping) || run.ID != 0 {
		t.Errorf("an upload that comes while the queue stops: run %d, %v", run.ID, err)
	}
	if _, err := b.db.Snapshots.Get(t.Context(), "second"); !models.HasCode(err, models.CodeSnapshotNotFound) {
		t.Errorf("its snapshot: %v", err)
	}
	select {
	case err := <-stopped:
		t.Errorf("Stop = %v while an upload goes on", err)
	default:
	}
	close(goOn)
	if err := errors.Join(<-stopped, lease.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, drain.ErrStopping) {
		t.Errorf("the first upload: %v", err)
	}
}

func TestUploadThatWaitsForASlotIsRefusedWhenTheQueueStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun := make(chan struct{})
	q, _ := b.start(queue.Kinds{models.RunImport: b.kind(queue.Transfer, func(ctx context.Context, _ models.Run) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	})}, nil)
	b.imports()
	q.Wake()
	<-begun
	refused := make(chan error, 1)
	go func() {
		_, err := q.Upload(t.Context(), errors.New("cut"), func(string) (models.Run, error) { return models.Run{}, errors.New("claimed") }, nil)
		refused <- err
	}()
	impatient, leave := context.WithCancel(t.Context())
	leave()
	if _, err := q.Upload(impatient, errors.New("cut"), nil, nil); !errors.Is(err, queue.ErrFull) {
		t.Errorf("without a slot it is refused because of %v", err)
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, drain.ErrStopping) { // even when it gets the slot that becomes free
		t.Errorf("it is refused because of %v", err)
	}
}
