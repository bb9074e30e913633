package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"rekindle/internal/drain"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Config is what a [Queue] is built from.
type Config struct {
	DB     *catalog.DB
	Kinds  Kinds
	Lease  *Lease
	Logger *slog.Logger

	Transfers int             // how many of these and uploads may go on at once
	Chores    int             // how many of these may go on at once
	Ready     <-chan struct{} // nothing moves data before it is closed

	Sentence   func(error) string                                  // words an error for people
	Reachable  func(ctx context.Context) error                     // fails when what recoveries look at is away, so that not each of them waits for it
	Tracer     trace.Tracer                                        // is told of runs and their stages; nil: nobody is
	Ended      func(run models.Run, took time.Duration, err error) // is told of each run that was worked on; nil: nobody wants to know
	ClearsAway func(ctx context.Context, run models.Run)           // removes what a run has stored when another console has settled the run meanwhile
}

// Queue works on runs. Start it once, when there is a lease, and stop it once.
type Queue struct {
	Config
	loops    *drain.Loops
	wake     chan struct{}
	slots    chan struct{} // one for each run or upload that moves data
	claiming sync.Mutex    // held while a run is taken
	working  sync.Map      // runs that this console works on, by their ids
	moving   atomic.Int64  // runs and uploads that move data
}

// New builds a queue; nothing happens before [Queue.Start].
func New(config Config) *Queue {
	return &Queue{Config: config, loops: drain.NewLoops(), wake: make(chan struct{}, 1), slots: make(chan struct{}, config.Transfers)}
}

// Start requeues the runs that were cut off and need no more than that, and begins to work on what is queued.
func (q *Queue) Start(ctx context.Context) error {
	if err := q.Requeue(ctx); err != nil {
		return err
	}
	q.loops.Go(q.dispatch)
	return nil
}

// Stop cuts off the runs and waits until they are settled, or ctx ends.
func (q *Queue) Stop(ctx context.Context) error { return q.loops.Stop(ctx) }

// Wake tells the queue that runs were queued.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Moving is how many runs and uploads move data now.
func (q *Queue) Moving() int64 { return q.moving.Load() }

// Working tells whether this console works on a run.
func (q *Queue) Working(run uint) bool {
	_, works := q.working.Load(run)
	return works
}

// Upload carries out a run for somebody who waits for it and sends what it needs. claim writes the run into the catalog as this owner's. When ctx
// ends, the run is cut off, with cut as the cause. A run without an ID has not begun.
func (q *Queue) Upload(ctx context.Context, cut error, claim func(owner string) (models.Run, error), body func(context.Context, models.Run, *Report) error) (models.Run, error) {
	if !q.loops.Enter() { // before the wait for a slot, so that Stop waits for it
		return models.Run{}, drain.ErrStopping
	}
	defer q.loops.Leave()
	release, err := q.slot(ctx)
	if err != nil {
		return models.Run{}, err
	}
	defer release()
	tenure := q.Lease.now()
	run, claimed, err := q.begin(func() (models.Run, bool, error) {
		run, err := claim(tenure.id)
		return run, err == nil, err
	})
	if !claimed {
		return models.Run{}, err
	}
	working, cancel := tenure.within(q.loops.Context())
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(cut) })()
	return run, q.conduct(working, cancel, run, func(report *Report) error { return body(working, run, report) })
}

var (
	// ErrCancelled is why a run ends when somebody asked for it.
	ErrCancelled = errors.New("cancelled by request")
	// ErrTooOften is why a run is not begun again.
	ErrTooOften = errors.New("it was begun several times, and each time the console ended in the middle of it")
	// ErrNotReady refuses an upload while nothing may move data yet.
	ErrNotReady = errors.New("no data may be moved yet")
	// ErrFull refuses an upload for which no slot became free in time.
	ErrFull = errors.New("too many runs are already moving data")
)
