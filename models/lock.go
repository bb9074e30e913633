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

// TryLock takes the lock of this name, and tells whether it was free.
func (db *DB) TryLock(ctx context.Context, name, owner string) (bool, error) {
	taken := db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&Lock{Name: name, Owner: owner, At: db.Now()})
	if taken.Error != nil {
		return false, fmt.Errorf("lock %s: %w", name, taken.Error)
	}
	return taken.RowsAffected == 1, nil
}

// Unlock gives the lock back.
func (db *DB) Unlock(ctx context.Context, name, owner string) error {
	if err := db.with(ctx).Where("name = ? AND owner = ?", name, owner).Delete(&Lock{}).Error; err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}

// BreakLocks removes the locks of consoles that are gone: all but this owner's.
func (db *DB) BreakLocks(ctx context.Context, owner string) error {
	if err := db.with(ctx).Where("owner <> ?", owner).Delete(&Lock{}).Error; err != nil {
		return fmt.Errorf("remove old locks: %w", err)
	}
	return nil
}
