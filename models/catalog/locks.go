package catalog

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Locks keeps who works on which cluster.
type Locks struct{ db *DB }

// Try takes the lock of this name for an owner with a lease, and tells whether it was free.
func (q Locks) Try(ctx context.Context, name, owner string) (bool, error) {
	var got bool
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Owners.leased(ctx, owner); err != nil {
			return err
		}
		taken := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Lock{Name: name, Owner: owner, At: tx.Now()})
		got = taken.RowsAffected == 1
		return taken.Error
	})
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", name, err)
	}
	return got, nil
}

// Release gives the lock back.
func (q Locks) Release(ctx context.Context, name, owner string) error {
	if err := q.db.with(ctx).Where("name = ? AND owner = ?", name, owner).Delete(&models.Lock{}).Error; err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}
