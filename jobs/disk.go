package jobs

import (
	"context"
	"log/slog"
	"time"

	"rekindle/jobs/tick"
	"rekindle/models"
	"rekindle/models/catalog"
)

// disk warns before the disk of the data folder is full.
type disk struct {
	db     *catalog.DB
	logger *slog.Logger
	low    bool // it was low when last looked at
}

func (d *disk) ticks() []tick.Tick {
	return []tick.Tick{{Name: "disk", Every: time.Minute, Do: d.look}}
}

func (d *disk) look(ctx context.Context) {
	space, err := d.db.Disk.Space()
	if err != nil {
		d.logger.Error("look at the disk of the data folder", "error", err)
		return
	}
	switch low := space.Low(); {
	case low && !d.low:
		d.low = true
		d.logger.Warn("the disk of the data folder is nearly full", "free", space.Free, "total", space.Total)
		d.say(ctx, models.SeverityWarning, space.Sentence())
	case d.low && space.Free > space.Total/8: // well above the limit, so that the messages do not alternate
		d.low = false
		d.say(ctx, models.SeverityInfo, "There is free space again on the disk of the data folder.")
	}
}

func (d *disk) say(ctx context.Context, severity models.Severity, message string) {
	if err := d.db.Events.Add(ctx, models.Event{Severity: severity, Message: message}); err != nil {
		d.logger.Error("write event", "message", message, "error", err)
	}
}
