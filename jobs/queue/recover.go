package queue

import (
	"context"
	"errors"
	"slices"

	"rekindle/models"
)

// This file deals with what a console left behind that was killed, or that lost its lease: runs that are marked as running and belong to nobody. Most
// are begun again, because their steps can be repeated. The others are settled by what is in the store. The store may be away: such a run stays as it
// is until the store answers.

// cutOff returns the runs that are marked as running although nobody works on them.
func (q *Queue) cutOff(ctx context.Context) ([]models.Run, error) {
	q.claiming.Lock()
	defer q.claiming.Unlock()
	runs, err := q.DB.Runs.CutOff(ctx, q.Lease.Owner())
	return slices.DeleteFunc(runs, func(run models.Run) bool { return q.Working(run.ID) }), err
}

// Requeue requeues the runs that were cut off and need no more than that.
func (q *Queue) Requeue(ctx context.Context) error {
	runs, err := q.cutOff(ctx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		q.Logger.Warn("run was cut off", "run", run.ID, "kind", run.Kind, "cluster", run.ClusterName, "snapshot", run.SnapshotName)
		if q.Kind(run).Recovers(run) != nil {
			continue
		}
		if err := q.DB.Runs.Requeue(ctx, run); err != nil && !errors.Is(err, models.ErrRunEnded) { // if it has ended, another console was faster
			return err
		}
	}
	return nil
}

// Recover deals with all runs that were cut off. Calls must not overlap.
func (q *Queue) Recover(ctx context.Context) error {
	if err := q.Requeue(ctx); err != nil {
		return err
	}
	leftover, err := q.cutOff(ctx)
	if err != nil || len(leftover) == 0 {
		return err
	}
	defer q.Wake()
	if err := q.Reachable(ctx); err != nil {
		return err
	}
	for _, run := range leftover {
		if recovery := q.Kind(run).Recovers(run); recovery != nil {
			if err := q.adopt(ctx, run, recovery); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopt settles a run that was cut off, unless another console is faster.
func (q *Queue) adopt(ctx context.Context, run models.Run, recovery Recovery) error {
	run, adopted, err := q.DB.Runs.Adopt(ctx, run, q.Lease.Owner())
	if err != nil || !adopted {
		return err
	}
	return recovery(ctx, run)
}
