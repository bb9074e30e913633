package jobs

import (
	"context"
	"time"

	"rekindle/internal/store"
)

// watchClock is the minute tick that remembers what the clock says; while that is in doubt, the store is asked what its own clock says.
func (m *Manager) watchClock(ctx context.Context) {
	if m.DB.Clock.Doubt() != nil {
		_ = m.present(ctx) // for the time of its answer
	}
	m.clockAgrees(ctx)
}

// clockAgrees looks at the clock and tells whether what is old may be deleted.
func (m *Manager) clockAgrees(ctx context.Context) bool {
	var witness time.Time
	if clock, ok := m.Store.(store.Clock); ok {
		witness = clock.Now()
	}
	doubt, err := m.DB.Clock.Look(ctx, witness)
	if err != nil && ctx.Err() == nil {
		m.Logger.Error("look at the clock", "error", err)
	}
	return err == nil && doubt == nil
}
