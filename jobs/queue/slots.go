package queue

import (
	"context"
	"time"

	"rekindle/internal/drain"
)

// Moving data needs memory: the runs that do, and uploads from browsers, share the same few slots.

// slotPatience is how long an upload waits for a slot, while a browser waits for the answer.
const slotPatience = 30 * time.Second

// trySlot takes a slot if one is free. None is before data may be moved.
func (q *Queue) trySlot() bool {
	select {
	case <-q.Ready:
	default:
		return false
	}
	select {
	case q.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// freeSlot gives a slot back.
func (q *Queue) freeSlot() { <-q.slots }

// slot waits for a slot for an upload.
func (q *Queue) slot(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, slotPatience)
	defer cancel()
	defer context.AfterFunc(q.loops.Context(), cancel)()
	select {
	case <-q.Ready:
	case <-ctx.Done():
	}
	select {
	case <-q.Ready:
	default:
		return nil, q.refusal(ErrNotReady)
	}
	select {
	case q.slots <- struct{}{}:
		if q.loops.Context().Err() != nil { // a run that was cut off has just freed it
			q.freeSlot()
			return nil, drain.ErrStopping
		}
		return func() { q.freeSlot(); q.Wake() }, nil
	case <-ctx.Done():
		return nil, q.refusal(ErrFull)
	}
}

// refusal returns why an upload does not begin: this reason, unless the console is being stopped.
func (q *Queue) refusal(reason error) error {
	if q.loops.Context().Err() != nil {
		return drain.ErrStopping
	}
	return reason
}
