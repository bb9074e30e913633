package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"rekindle/internal/drain"
	"rekindle/models"
)

// pollEvery is how long a run queued by another console may wait before this one notices it.
const pollEvery = time.Second

// dispatch claims runs as long as there are any and the limits allow, then waits to be woken.
func (q *Queue) dispatch(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	var chores atomic.Int64
	for ctx.Err() == nil {
		transfers := len(q.slots)
		slot := q.trySlot() // before a run is chosen: an upload may want the last one too
		allowed := func(run models.Run) bool {
			kind := q.Kind(run)
			room := slot
			if kind.Weighs(run) == Chore {
				room = chores.Load() < int64(q.Chores)
			}
			return room && kind.May(ctx, run, transfers)
		}
		tenure := q.Lease.now()
		run, claimed, err := q.begin(func() (models.Run, bool, error) { return q.DB.Runs.Claim(ctx, tenure.id, allowed) })
		if slot && !(claimed && q.Kind(run).Weighs(run) == Transfer) {
			q.freeSlot()
		}
		switch {
		case err != nil && ctx.Err() == nil:
			q.Logger.Error("claim run", "error", err)
			drain.Pause(ctx, time.Second)
		case claimed:
			release := q.freeSlot
			if q.Kind(run).Weighs(run) == Chore {
				chores.Add(1)
				release = func() { chores.Add(-1) }
			}
			running.Go(func() {
				defer q.Wake()
				defer release()
				q.execute(tenure, run)
			})
		default:
			select {
			case <-q.wake:
			case <-time.After(pollEvery): // another console may have queued one, or the catalog may have changed since this look
			case <-ctx.Done():
			}
		}
	}
}

// begin claims a run and marks it as being worked on. Both happen in one step, for whoever looks for runs that nobody works on.
func (q *Queue) begin(claim func() (models.Run, bool, error)) (models.Run, bool, error) {
	q.claiming.Lock()
	defer q.claiming.Unlock()
	run, claimed, err := claim()
	if claimed {
		q.working.Store(run.ID, true)
	}
	return run, claimed, err
}
