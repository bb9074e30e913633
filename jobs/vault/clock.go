package vault

import (
	"context"
	"time"

	"rekindle/internal/store"
)

// clocks looks at the console's clock and at the store's.
type clocks struct{ kit }

// watch is the minute tick that remembers what the clock says. While the clock is in doubt, it also asks the store for the time.
func (c *clocks) watch(ctx context.Context) {
	if c.DB.Clock.Doubt() != nil {
		_ = c.health.Present(ctx) // only for the time in its answer
	}
	c.agree(ctx)
}

// agree looks at the clock and tells whether what is old may be deleted.
func (c *clocks) agree(ctx context.Context) bool {
	var witness time.Time
	if clock, ok := c.Store.(store.Clock); ok {
		witness = clock.Now()
	}
	doubt, err := c.DB.Clock.Look(ctx, witness)
	if err != nil && ctx.Err() == nil {
		c.Logger.Error("look at the clock", "error", err)
	}
	return err == nil && doubt == nil
}
