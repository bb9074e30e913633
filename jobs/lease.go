package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"rekindle/internal/store"
	"rekindle/models"
)

// A console works on runs for as long as it renews its lease in the catalog. This file renews it, and ends the leases of consoles that do
// not renew theirs, so that what they had begun goes on here.
//
// What the catalog says is fenced by the lease's ID. What the store holds is not, so a console looks at its lease before it commits or
// removes anything there: one that was frozen finds out then that it has lost it.

// tenure is the time between taking a lease and losing it.
type tenure struct {
	id   string
	ctx  context.Context // ends with models.ErrLeaseLost
	lose context.CancelCauseFunc

	mu      sync.Mutex
	renewed time.Time // when the last renewal was asked for that succeeded, by this host's steady clock
}

// enroll takes a lease. The runs of consoles that are known to be gone are nobody's then.
func (m *Manager) enroll(ctx context.Context) error {
	asked := time.Now()
	owner, err := m.DB.Owners.Enroll(ctx, m.Host.Home(), m.Lease)
	if err != nil {
		return err
	}
	t := &tenure{id: owner.ID, renewed: asked}
	t.ctx, t.lose = context.WithCancelCause(context.WithValue(m.run, tenureKey{}, t))
	m.tenure.Store(t)
	return nil
}

type tenureKey struct{}

// Owner is the id of the lease that this console has.
func (m *Manager) Owner() string { return m.owner() }

// owner names this console in the catalog, until it loses its lease.
func (m *Manager) owner() string { return m.tenure.Load().id }

// startLease takes a lease and renews it from then on.
func (m *Manager) startLease(ctx context.Context) error {
	if err := m.enroll(ctx); err != nil {
		return err
	}
	keeping, dismiss := context.WithCancel(context.Background())
	m.dismiss = dismiss
	m.keeper.Go(func() { m.keepLease(keeping) })
	return nil
}

// endLease gives the lease back, when there is one.
func (m *Manager) endLease(ctx context.Context) error {
	m.dismiss()
	m.keeper.Wait()
	if t := m.tenure.Load(); t != nil {
		return m.DB.Owners.Leave(ctx, t.id)
	}
	return nil
}

// hold fails with models.ErrLeaseLost when the tenure that this work was begun in has ended. A lease that was not renewed for so long
// that it may have been ended is renewed first.
func (m *Manager) hold(ctx context.Context) error {
	t, _ := ctx.Value(tenureKey{}).(*tenure)
	if t == nil {
		t = m.tenure.Load() // a tick's work
	}
	return m.renew(ctx, t, m.Lease)
}

// renew renews a lease that was not renewed for this long.
func (m *Manager) renew(ctx context.Context, t *tenure, after time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := time.Now()
	if errors.Is(context.Cause(t.ctx), models.ErrLeaseLost) {
		return models.ErrLeaseLost
	} else if asked.Sub(t.renewed) < after {
		return nil
	}
	err := m.DB.Owners.Renew(ctx, t.id)
	switch {
	case err == nil:
		t.renewed = asked
	case errors.Is(err, models.ErrLeaseLost):
		t.lose(err)
	}
	return err
}

// sighting is another owner as it was seen, and since when it has looked like that.
type sighting struct {
	owner models.Owner
	since time.Time
}

// keepLease renews the lease until ctx ends, and watches those of others.
func (m *Manager) keepLease(ctx context.Context) {
	seen := map[string]sighting{}
	for m.pause(ctx, m.Lease/5) {
		t := m.tenure.Load()
		err := m.renew(ctx, t, 0)
		if errors.Is(err, models.ErrLeaseLost) {
			m.Logger.Error("this console was frozen or cut off from the catalog for too long; another one goes on with what it had begun", "owner", t.id)
			err = m.enroll(ctx)
		}
		if err == nil {
			err = m.watchOthers(ctx, seen)
		}
		if err != nil && ctx.Err() == nil {
			m.Logger.Error("keep lease", "error", err)
		}
	}
}

// watchOthers ends the leases of owners that were not seen to renew them for as long as a lease lasts, and goes on with their runs.
func (m *Manager) watchOthers(ctx context.Context, seen map[string]sighting) error {
	owners, err := m.DB.Owners.All(ctx)
	if err != nil {
		return err
	}
	now, me := time.Now(), m.owner()
	still := make(map[string]bool, len(owners))
	for _, owner := range owners {
		still[owner.ID] = true
		before, known := seen[owner.ID]
		switch {
		case owner.ID == me:
		case !known || before.owner.Beat != owner.Beat:
			seen[owner.ID] = sighting{owner, now}
		case now.Sub(before.since) >= owner.Lease:
			ended, err := m.DB.Owners.End(ctx, owner)
			if err != nil {
				return err
			} else if !ended {
				continue // it has renewed it after all, or a third one was faster
			}
			m.Logger.Warn("a console did not renew its lease; this one goes on with its runs", "owner", owner.ID, "home", owner.Home)
			if err := m.goOn(ctx); err != nil {
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

// goOn goes on with runs that were cut off.
func (m *Manager) goOn(ctx context.Context) error {
	if err := m.requeueCutOff(ctx); err != nil {
		return err
	}
	m.Wake()
	for _, job := range m.scheduler.Jobs() {
		if job.Name() == "recover" {
			return job.RunNow()
		}
	}
	return nil
}

// alone tells whether no other console has a lease.
func (m *Manager) alone(ctx context.Context) (bool, error) {
	owners, err := m.DB.Owners.All(ctx)
	for _, owner := range owners {
		if owner.ID != m.owner() {
			return false, err
		}
	}
	return true, err
}

// leasedStore is the snapshot store for as long as the lease is held: what commits or removes looks at the lease first.
type leasedStore struct {
	store.Store
	manager *Manager
}

func (s leasedStore) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := s.manager.hold(ctx); err != nil {
		return store.Object{}, fmt.Errorf("create %s: %w", key, err)
	}
	return s.Store.Create(ctx, key, r)
}

func (s leasedStore) Delete(ctx context.Context, key string) error {
	if err := s.manager.hold(ctx); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return s.Store.Delete(ctx, key)
}
