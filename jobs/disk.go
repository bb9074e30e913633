package jobs

import (
	"context"

	"rekindle/models"
)

// watchDisk is the minute tick that warns before the disk of the data folder is full.
func (m *Manager) watchDisk(ctx context.Context) {
	space, err := m.DB.Disk.Space()
	if err != nil {
		m.Logger.Error("look at the disk of the data folder", "error", err)
		return
	}
	switch low := space.Low(); {
	case low && !m.low:
		m.low = true
		m.Logger.Warn("the disk of the data folder is nearly full", "free", space.Free, "total", space.Total)
		m.event(ctx, models.SeverityWarning, "", space.Sentence())
	case m.low && space.Free > space.Total/8: // well beyond, so that nothing is said to and fro
		m.low = false
		m.event(ctx, models.SeverityInfo, "", "There is free space again on the disk of the data folder.")
	}
}
