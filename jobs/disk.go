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
	host   string // of the disk; "": it has no name
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
	e := models.Event{Severity: models.SeverityInfo, Message: "There is free space again on the disk of the data folder.", Ends: []models.Condition{models.ConditionFull}}
	switch {
	case space.Low():
		e = models.Event{Severity: models.SeverityWarning, Message: space.Sentence(), Raises: models.ConditionFull}
	case !space.Ample():
		return
	}
	e.Place = "The disk of the data folder"
	if d.host != "" {
		e.Place += " on " + d.host
	}
	if err := d.db.Alarms.Turn(ctx, e); err != nil && ctx.Err() == nil {
		d.logger.Error("report on the disk of the data folder", "free", space.Free, "total", space.Total, "error", err)
	}
}
