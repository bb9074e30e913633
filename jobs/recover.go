package jobs

import (
	"context"
	"fmt"
	"time"

	"rekindle/models"
)

// recover puts right what a console that was killed left behind. It runs before the loops begin, with the data folder's lock held, so
// whatever is marked as running by another owner belongs to nobody any more.
//
// A snapshot's moment cannot be had again: if its manifest was written it is available, for the manifest is the commit; else it
// failed, and its remains are removed. Everything else is begun again, because its steps may be repeated.
func (m *Manager) recover(ctx context.Context) error {
	if err := m.DB.BreakLocks(ctx, m.Owner); err != nil {
		return err
	}
	if _, err := m.Store.Sweep(ctx, time.Now()); err != nil {
		m.Logger.Error("sweep store", "error", err) // it may be away; the hourly sweep tries again
	}
	return m.recoverRuns(ctx)
}

// recoverRuns settles the runs of consoles that are gone, or puts them back into the queue.
func (m *Manager) recoverRuns(ctx context.Context) error {
	leftover, err := m.DB.LeftoverRuns(ctx, m.Owner)
	if err != nil {
		return err
	}
	for _, run := range leftover {
		m.Logger.Warn("run was cut off", "run", run.ID, "kind", run.Kind, "cluster", run.ClusterName, "snapshot", run.SnapshotName)
		if (run.Kind == models.RunCopy || run.Kind == models.RunImport) && !elsewhere(run) {
			if err := m.recoverMove(ctx, run); err != nil {
				return err
			}
			continue
		}
		if run.Kind != models.RunSnapshot {
			if err := m.DB.Requeue(ctx, run.ID); err != nil {
				return err
			}
			continue
		}
		if err := m.recoverSnapshot(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) recoverSnapshot(ctx context.Context, run models.Run) error {
	row, err := m.DB.Snapshot(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	manifest, committed, foreign, err := m.stored(ctx, row)
	switch {
	case err == nil && committed && !foreign:
		if err := m.DB.CompleteSnapshot(ctx, run, measuredBy(manifest)); err != nil {
			return fmt.Errorf("complete snapshot %s: %w", run.SnapshotName, err)
		}
		return nil
	case err != nil:
		// The store does not answer: whether the snapshot was committed is known when it does. The next tick asks again.
		m.Logger.Error("look for the manifest of a snapshot that was cut off", "snapshot", run.SnapshotName, "error", err)
		return nil
	}
	if err := m.discard(ctx, run); err != nil {
		return err
	}
	return m.DB.FailSnapshot(ctx, run, models.RunFailed, "Rekindle ended in the middle of it. What had been stored was removed.")
}
