package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// unread are segments that were never read back.
const unread = "damage = '' AND verified_at IS NULL"

// Unverified returns segments that have to be read back: those that never were, and then those for which that was so long ago as verified snapshots are
// verified again.
func (q Journal) Unverified(ctx context.Context, limit int) ([]models.JournalSegment, error) {
	var segments []models.JournalSegment
	if err := q.db.with(ctx).Where(unread).Order("id").Limit(limit).Find(&segments).Error; err != nil {
		return nil, fmt.Errorf("list segments of journals that were never read back: %w", err)
	}
	days, err := q.db.Settings.VerifyEvery(ctx)
	if err != nil || days == 0 || len(segments) > 0 {
		return segments, err
	}
	err = q.db.with(ctx).Where("damage = '' AND verified_at <= ?", catalogTime(q.db.Now().AddDate(0, 0, -days))).Order("verified_at").Limit(limit).Find(&segments).Error
	if err != nil {
		return nil, fmt.Errorf("list segments of journals to read back: %w", err)
	}
	return segments, nil
}

// Verified writes down that a segment was read back, and is what was written. If it was found in the store, writes and events are what it said.
func (q Journal) Verified(ctx context.Context, s models.JournalSegment, writes int64, events []models.JournalEvent) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		read := tx.with(ctx).Model(&models.JournalSegment{}).Where("id = ? AND writes = -1", s.ID).UpdateColumn("writes", writes)
		if read.Error != nil {
			return read.Error
		}
		if read.RowsAffected > 0 {
			more := talliedOf(s.ClusterID, s.End)
			more.Writes = max(0, writes)
			if err := tx.Journal.tally(ctx, more); err != nil {
				return err
			}
			if err := tx.Journal.happened(ctx, s, events); err != nil {
				return err
			}
		}
		return tx.with(ctx).Model(&models.JournalSegment{}).Where("id = ?", s.ID).UpdateColumn("verified_at", catalogTime(tx.Now())).Error
	})
	if err != nil {
		return fmt.Errorf("write down that a segment of a journal was read back: %w", err)
	}
	return nil
}
