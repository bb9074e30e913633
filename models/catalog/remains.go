package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"rekindle/models"
)

// Remains remembers what runs have left in other stores.
type Remains struct{ db *DB }

// A copy or an export that fails removes what it has written into another store. If that store is away, what may be left there is written down, and
// package jobs tries again for some days.

// remainsPrefix begins the names of the settings that hold what was left; the run's number follows.
const remainsPrefix = "remains:"

// Note writes down that a run may have left something, and an event about it.
func (q Remains) Note(ctx context.Context, run models.Run, manifest []byte, message string) error {
	text, err := json.Marshal(models.Remains{Since: q.db.Now(), Manifest: manifest})
	if err != nil {
		return fmt.Errorf("write down what run %d has left: %w", run.ID, err)
	}
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Settings.set(ctx, remainsPrefix+strconv.FormatUint(uint64(run.ID), 10), string(text)); err != nil {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message})
	})
}

// All lists what runs may have left, the oldest first.
func (q Remains) All(ctx context.Context) ([]models.Remains, error) {
	var rows []models.Setting
	if err := q.db.with(ctx).Where("name LIKE ?", remainsPrefix+"%").Order("length(name), name").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list what runs have left: %w", err)
	}
	all := make([]models.Remains, 0, len(rows))
	for _, row := range rows {
		var r models.Remains
		id, err := strconv.ParseUint(strings.TrimPrefix(row.Name, remainsPrefix), 10, 64)
		if err == nil {
			err = json.Unmarshal([]byte(row.Value), &r)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", row.Name, err)
		}
		r.Run = uint(id)
		all = append(all, r)
	}
	return all, nil
}

// End forgets what a run has left, because it is gone or no longer looked for.
func (q Remains) End(ctx context.Context, run models.Run, severity models.Severity, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Delete(&models.Setting{Name: remainsPrefix + strconv.FormatUint(uint64(run.ID), 10)}).Error; err != nil {
			return fmt.Errorf("forget what run %d has left: %w", run.ID, err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: severity, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message})
	})
}
