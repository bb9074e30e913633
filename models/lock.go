package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm/clause"
)

// Lock is held by whoever changes the nodes of a cluster, so that the supervisor and a run never do it at once.
type Lock struct {
	Name  string `gorm:"primaryKey"`
	Owner string
	At    time.Time
}

// TryLock takes the lock of this name for an owner that has a lease, and tells whether it was free.
func (db *DB) TryLock(ctx context.Context, name, owner string) (bool, error) {
	var got bool
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.leased(ctx, owner); err != nil {
			return err
		}
		taken := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&Lock{Name: name, Owner: owner, At: tx.Now()})
		got = taken.RowsAffected == 1
		return taken.Error
	})
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", name, err)
	}
	return got, nil
}

// Unlock gives the lock back.
func (db *DB) Unlock(ctx context.Context, name, owner string) error {
	if err := db.with(ctx).Where("name = ? AND owner = ?", name, owner).Delete(&Lock{}).Error; err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}
