package jobs

import (
	"context"
	"log/slog"
	"time"

	"rekindle/jobs/measure"
	"rekindle/jobs/tick"
	"rekindle/models/catalog"
)

// calendar queues what the clusters' schedules make due.
type calendar struct {
	db     *catalog.DB
	logger *slog.Logger
	wake   func()
	counts *measure.Recorder
}

func (c *calendar) ticks() []tick.Tick {
	return []tick.Tick{{Name: "schedule", Every: time.Minute, Do: c.askSchedule}, {Name: "retention", Every: time.Hour, Do: c.applyRetention},
		{Name: "usage", Every: time.Hour, Do: c.sampleUsage}}
}

func (c *calendar) askSchedule(ctx context.Context) {
	queued, err := c.db.Schedule.QueueDue(ctx)
	if err == nil {
		c.counts.Asked(c.db.Now())
	} else if ctx.Err() == nil {
		c.logger.Error("ask schedule", "error", err)
	}
	if queued > 0 {
		c.wake()
	}
}

func (c *calendar) applyRetention(ctx context.Context) {
	outlived, err := c.db.Schedule.QueueOutlived(ctx)
	if err != nil && ctx.Err() == nil {
		c.logger.Error("apply retention", "error", err)
	}
	if len(outlived) > 0 {
		c.wake()
	}
}

// sampleUsage writes down how much space the snapshots take, for what storage costs and how fast it grows.
func (c *calendar) sampleUsage(ctx context.Context) {
	if err := c.db.Usage.Sample(ctx); err != nil && ctx.Err() == nil {
		c.logger.Error("sample usage", "error", err)
	}
}
