package vault

import (
	"context"
	"errors"
	"time"

	"rekindle/internal/drain"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// Remover removes snapshots that nobody wants any more.
type Remover struct {
	kit
	keeper *Keeper
}

// Delete is the body of a run that removes a snapshot: the manifest first, then the parts, then the row.
func (r *Remover) Delete(ctx context.Context, run models.Run, report *queue.Report) error {
	report.Stage("Removing it from the store", nil)
	row, err := r.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	if err := r.remove(ctx, row); err != nil {
		return err
	}
	return r.DB.Settle.SnapshotDeletion(context.WithoutCancel(ctx), run)
}

// Settle ends the removal of a snapshot when the store refused it. The manifest goes first: while that is there nothing was removed, and the snapshot
// is what it was.
func (r *Remover) Settle(ctx context.Context, run models.Run, f queue.Failure) error {
	row, err := r.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil && (errors.Is(f.Err, errUnmarked) || r.keeper.whole(ctx, row)) {
		return r.DB.Snapshots.Keep(ctx, run, f.Reason)
	}
	return f.Settle(ctx, r.DB, run)
}

// RemoveAutomatic removes an automatic snapshot of a cluster that is being deleted. It waits for one that is being restored.
func (r *Remover) RemoveAutomatic(ctx context.Context, name string) error {
	for {
		free, err := r.DB.Snapshots.ClaimForRemoval(ctx, name)
		if err != nil {
			return err
		}
		if free {
			break
		}
		if !drain.Pause(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
	row, err := r.DB.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	if err := r.remove(ctx, row); err != nil {
		return err
	}
	return r.DB.Snapshots.RemoveRow(ctx, name)
}

// remove removes a snapshot from a store that is where it should be.
func (r *Remover) remove(ctx context.Context, row models.Snapshot) error {
	if err := r.health.unmoved(ctx); err != nil {
		return err
	}
	return r.keeper.remove(ctx, row)
}
