package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// This file puts right in the store what a console left behind that was killed, or that has lost its lease. The queue finds the runs.
//
// A snapshot's moment cannot be had again: if its manifest was written it is available, for the manifest is the commit; else it
// failed, and its remains are removed. What is not settled by the store is begun again, because its steps may be repeated.
//
// The store may be away, so this is done beside the loops: until it answers such a run stays as it is, its cluster goes on being snapshotting,
// and a tick tries again.

// tidyTimeout bounds how long snapshots and restores wait at the start for the store to be tidied.
const tidyTimeout = time.Minute

// tidyMargin is how far the clocks of the store and of the console may differ.
const tidyMargin = 5 * time.Minute

// recoverStored is the tick that tidies the store after a start, once, and settles what takes the store. Ticks never overlap.
func (m *Manager) recoverStored(ctx context.Context) {
	if !m.tidied.Load() {
		m.tidy(ctx)
	}
	if err := m.queue.Recover(ctx); err != nil && ctx.Err() == nil {
		m.Logger.Error("settle runs that were cut off; tried again in a minute", "error", err)
	}
}

// tidy removes from the store what earlier consoles had half written. At first nothing of this console's own is there; later, when the store
// was away then, only what is certainly older is touched.
func (m *Manager) tidy(ctx context.Context) {
	before := m.begun.Add(-tidyMargin)
	select {
	case <-m.looked:
		if !m.clockAgrees(ctx) {
			return // what is this console's own could look older than it
		}
	default:
		if alone, err := m.lease.Alone(ctx); err != nil || alone { // else another console's uploads could be older than this look
			before = time.Now()
		}
		defer m.Wake()
		defer close(m.looked)
		limited, cancel := context.WithTimeout(ctx, tidyTimeout)
		defer cancel()
		ctx = limited
	}
	switch _, err := m.Store.Sweep(ctx, before); {
	case errors.Is(err, store.ErrCannotSweep):
		m.Logger.Warn("sweep store", "error", err)
	case err != nil:
		if m.run.Err() == nil {
			m.Logger.Error("sweep store; tried again in a minute", "error", err)
		}
		return
	}
	m.tidied.Store(true)
	m.judgeStore(ctx)
}

// sweepHourly is the tick of the sweep: once an hour, and as soon as the store is back when it was away then.
func (m *Manager) sweepHourly(ctx context.Context) {
	now := m.DB.Now()
	if age := now.Sub(m.swept); age >= 0 && age < time.Hour {
		return
	}
	if err := m.present(ctx); err != nil {
		if ctx.Err() == nil {
			m.Logger.Error("sweep store; tried again in a minute", "error", err)
		}
		return
	}
	m.swept = now
	m.sweep(ctx)
}

func (m *Manager) recoverSnapshot(ctx context.Context, run models.Run) error {
	if run.GivenUp != "" { // its remains may be removed in part
		return m.settleSnapshot(ctx, run, queue.Failure{Status: run.GivenUp, Reason: run.Error})
	}
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	manifest, committed, foreign, err := m.stored(ctx, row)
	switch {
	case err != nil:
		// The store does not answer: whether the snapshot was committed is known when it does.
		return fmt.Errorf("look for the manifest of snapshot %s, which was cut off: %w", run.SnapshotName, err)
	case committed && !foreign:
		if err := m.DB.Settle.Snapshot(ctx, run, measuredBy(manifest)); err != nil {
			return fmt.Errorf("complete snapshot %s: %w", run.SnapshotName, err)
		}
		return nil
	}
	if err := m.discard(ctx, run); err != nil {
		return err
	}
	return m.DB.Settle.Fail(ctx, run, models.RunFailed, "Rekindle ended in the middle of it. What had been stored was removed.")
}
