package jobs

import (
	"context"
	"fmt"
	"time"

	"rekindle/models"
)

// Everything that moves data needs memory: the runs that do, and uploads from browsers, share the same few slots.

// slotPatience is how long an upload waits for a slot, while a browser waits for the answer.
const slotPatience = 30 * time.Second

// trySlot takes a slot when one is free. None is before the store was tidied.
func (m *Manager) trySlot() bool {
	select {
	case <-m.looked:
	default:
		return false
	}
	select {
	case m.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// freeSlot gives a slot back.
func (m *Manager) freeSlot() { <-m.slots }

// slot waits for a slot for an upload. An error is a refusal in words.
func (m *Manager) slot(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, slotPatience)
	defer cancel()
	defer context.AfterFunc(m.run, cancel)()
	select {
	case <-m.looked:
	case <-ctx.Done():
	}
	select {
	case <-m.looked:
	default:
		return nil, models.Faults{{Code: models.CodeRunState, Message: "The snapshot store does not answer yet. Try again in a minute."}}
	}
	select {
	case m.slots <- struct{}{}:
		return func() { m.freeSlot(); m.Wake() }, nil
	case <-ctx.Done():
		return nil, models.Faults{{Code: models.CodeRunState, Message: fmt.Sprintf(
			"%d snapshots, restores, copies or uploads are under way, which is the limit. Try again when one of them has ended.", cap(m.slots))}}
	}
}
