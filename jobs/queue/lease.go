package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rekindle/internal/drain"
	"rekindle/models"
	"rekindle/models/catalog"
)

// A console works on runs for as long as it renews its lease in the catalog. This file renews it, and ends the leases of consoles that do not renew
// theirs, so that their runs go on here.
//
// What is in the catalog is fenced by the lease's ID. What is in the store is not, so a console checks its lease before it commits or removes
// anything there: a console that was frozen finds out then that it has lost its lease.

// tenure is the time between taking a lease and losing it.
type tenure struct {
	id   string
	ctx  context.Context // ends with models.ErrLeaseLost
	lose context.CancelCauseFunc

	mu      sync.Mutex
	renewed time.Time // when the last successful renewal was requested, by this host's steady clock
}

// within derives the context of work that is begun in this tenure. It ends with the tenure.
func (t *tenure) within(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, tenureKey{}, t))
	leave := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	context.AfterFunc(ctx, func() { leave() })
	return ctx, cancel
}

type tenureKey struct{}

// LeaseConfig is what a [Lease] is built from.
type LeaseConfig struct {
	DB     *catalog.DB
	Home   string        // of this console
	Lasts  time.Duration // a console that says nothing for this long is taken for gone; the catalog tells the others
	Logger *slog.Logger

	TakesOver func(ctx context.Context) error // takes over the runs of a console whose lease has ended
}

// Lease is this console's right to work on runs. Start it before anything that works, and stop it when all of that has ended.
type Lease struct {
	LeaseConfig
	tenure atomic.Pointer[tenure]
	keeper *drain.Loops
}

// NewLease builds a lease; nothing happens before [Lease.Start].
func NewLease(config LeaseConfig) *Lease {
	return &Lease{LeaseConfig: config, keeper: drain.NewLoops()}
}

// Start takes the lease and renews it from then on. Runs of consoles that are known to be gone then belong to nobody.
func (l *Lease) Start(ctx context.Context) error {
	if err := l.enroll(ctx); err != nil {
		return err
	}
	l.keeper.Go(l.keep)
	return nil
}

// Stop gives the lease back, when there is one.
func (l *Lease) Stop(ctx context.Context) error {
	if err := l.keeper.Stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if t := l.now(); t != nil {
		return l.DB.Owners.Leave(ctx, t.id)
	}
	return nil
}

// enroll takes a lease.
func (l *Lease) enroll(ctx context.Context) error {
	asked := time.Now()
	owner, err := l.DB.Owners.Enroll(ctx, l.Home, l.Lasts)
	if err != nil {
		return err
	}
	t := &tenure{id: owner.ID, renewed: asked}
	t.ctx, t.lose = context.WithCancelCause(context.Background())
	l.tenure.Store(t)
	return nil
}

// now returns the current tenure.
func (l *Lease) now() *tenure { return l.tenure.Load() }

// Owner names this console in the catalog, until it loses its lease.
func (l *Lease) Owner() string { return l.now().id }

// Within derives the context of work that is begun now, beside the queue. It ends when the lease is lost, and Hold knows by it in which tenure the work was
// begun.
func (l *Lease) Within(parent context.Context) (context.Context, context.CancelCauseFunc) {
	return l.now().within(parent)
}

// Hold fails with models.ErrLeaseLost when the tenure in which this work was begun has ended. A lease that was last renewed so long ago that others
// may have ended it is renewed first.
func (l *Lease) Hold(ctx context.Context) error {
	t, _ := ctx.Value(tenureKey{}).(*tenure)
	if t == nil {
		t = l.now() // a tick's work
	}
	return l.renew(ctx, t, l.Lasts)
}

// renew renews a lease that was last renewed at least this long ago.
func (l *Lease) renew(ctx context.Context, t *tenure, after time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := time.Now()
	if errors.Is(context.Cause(t.ctx), models.ErrLeaseLost) {
		return models.ErrLeaseLost
	} else if asked.Sub(t.renewed) < after {
		return nil
	}
	err := l.DB.Owners.Renew(ctx, t.id)
	switch {
	case err == nil:
		t.renewed = asked
	case errors.Is(err, models.ErrLeaseLost):
		t.lose(err)
	}
	return err
}

// sighting is what another owner looked like, and since when.
type sighting struct {
	owner models.Owner
	since time.Time
}

// keep renews the lease until ctx ends, and watches those of others.
func (l *Lease) keep(ctx context.Context) {
	seen := map[string]sighting{}
	for drain.Pause(ctx, l.Lasts/5) {
		t := l.now()
		err := l.renew(ctx, t, 0)
		if errors.Is(err, models.ErrLeaseLost) {
			l.Logger.Error("this console was frozen or cut off from the catalog for too long; another one has taken over its runs", "owner", t.id)
			err = l.enroll(ctx)
		}
		if err == nil {
			err = l.watchOthers(ctx, seen)
		}
		if err != nil && ctx.Err() == nil {
			l.Logger.Error("keep lease", "error", err)
		}
	}
}

// watchOthers ends the leases of owners that have not renewed them for as long as a lease lasts, and takes over their runs.
func (l *Lease) watchOthers(ctx context.Context, seen map[string]sighting) error {
	owners, err := l.DB.Owners.All(ctx)
	if err != nil {
		return err
	}
	now, me := time.Now(), l.Owner()
	still := make(map[string]bool, len(owners))
	for _, owner := range owners {
		still[owner.ID] = true
		before, known := seen[owner.ID]
		switch {
		case owner.ID == me:
		case !known || before.owner.Beat != owner.Beat:
			seen[owner.ID] = sighting{owner, now}
		case now.Sub(before.since) >= owner.Lease:
			ended, err := l.DB.Owners.End(ctx, owner)
			if err != nil {
				return err
			} else if !ended {
				continue // it renewed the lease after all, or a third console was faster
			}
			l.Logger.Warn("a console did not renew its lease; this one takes over its runs", "owner", owner.ID, "home", owner.Home)
			if err := l.TakesOver(ctx); err != nil {
				return err
			}
		}
	}
	for id := range seen {
		if !still[id] {
			delete(seen, id)
		}
	}
	return nil
}

// Alone tells whether no other console has a lease.
func (l *Lease) Alone(ctx context.Context) (bool, error) {
	owners, err := l.DB.Owners.All(ctx)
	for _, owner := range owners {
		if owner.ID != l.Owner() {
			return false, err
		}
	}
	return true, err
}
