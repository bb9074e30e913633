package models

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A copy or an export that fails removes what it has written into another store. When that store is away, what may be left there is written
// down, and package jobs tries again for some days.

// remainsPrefix begins the names of the settings that hold what was left, by the numbers of the runs.
const remainsPrefix = "remains:"

// Remains are what a run may have left in another store. The run's options say where, and which keys.
type Remains struct {
	Run      uint            `json:"-"`
	Since    time.Time       `json:"since"`
	Manifest json.RawMessage `json:"manifest,omitempty"` // of what was written; empty when it is not known
}

// NoteRemains writes down that a run may have left something, with an event that says so.
func (db *DB) NoteRemains(ctx context.Context, run Run, manifest []byte, message string) error {
	text, err := json.Marshal(Remains{Since: db.Now(), Manifest: manifest})
	if err != nil {
		return fmt.Errorf("write down what run %d has left: %w", run.ID, err)
	}
	return db.transaction(ctx, func(tx *DB) error {
		if err := tx.set(ctx, remainsPrefix+strconv.FormatUint(uint64(run.ID), 10), string(text)); err != nil {
			return err
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message})
	})
}

// AllRemains lists what runs may have left, the oldest first.
func (db *DB) AllRemains(ctx context.Context) ([]Remains, error) {
	var rows []Setting
	if err := db.with(ctx).Where("name LIKE ?", remainsPrefix+"%").Order("length(name), name").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list what runs have left: %w", err)
	}
	all := make([]Remains, 0, len(rows))
	for _, row := range rows {
		var r Remains
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

// EndRemains forgets what a run has left, because it is gone or not looked for any more.
func (db *DB) EndRemains(ctx context.Context, run Run, severity Severity, message string) error {
	return db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Delete(&Setting{Name: remainsPrefix + strconv.FormatUint(uint64(run.ID), 10)}).Error; err != nil {
			return fmt.Errorf("forget what run %d has left: %w", run.ID, err)
		}
		return tx.AddEvent(ctx, Event{Severity: severity, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message})
	})
}
