package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Impacts is what runs cost the nodes that they read, and is removed with them.
type Impacts struct{ db *DB }

// Keep writes down what a run cost. Without anything measured there is nothing to write.
func (q Impacts) Keep(ctx context.Context, run models.Run, impact models.Impact) error {
	if len(impact.Parts) == 0 {
		return nil
	}
	text, err := json.Marshal(impact)
	if err == nil {
		row := models.RunImpact{RunID: run.ID, Impact: string(text)}
		err = q.db.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	}
	if err != nil {
		return fmt.Errorf("keep what run %d cost: %w", run.ID, err)
	}
	return nil
}

// Of returns what a run cost, if that was measured.
func (q Impacts) Of(ctx context.Context, run models.Run) (impact models.Impact, measured bool, err error) {
	row, found, err := find[models.RunImpact](q.db.with(ctx).Where("run_id = ?", run.ID))
	if err == nil && found {
		err = json.Unmarshal([]byte(row.Impact), &impact)
	}
	if err != nil {
		return impact, false, fmt.Errorf("read what run %d cost: %w", run.ID, err)
	}
	return impact, found, nil
}
