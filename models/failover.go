package models

import (
	"context"
	"fmt"
	"strconv"
)

// DefaultPromoteAfter is for how many seconds a primary that hangs is waited for when nobody chose another number.
const DefaultPromoteAfter = 60

// The range of numbers that can be chosen. A replica hears from its primary every ten seconds.
const (
	MinPromoteAfter = 10
	MaxPromoteAfter = 3600
)

// PromoteAfter is for how many seconds a primary must not have answered before a replica takes over from it; 0: never.
func (db *DB) PromoteAfter(ctx context.Context) (int, error) {
	row, found, err := find[Setting](db.with(ctx).Where("name = ?", "promote_after"))
	if err != nil || !found {
		return DefaultPromoteAfter, err
	}
	seconds, err := strconv.Atoi(row.Value)
	if err != nil {
		return 0, fmt.Errorf("read setting promote_after: %w", err)
	}
	return seconds, nil
}

// SavePromoteAfter sets for how many seconds a primary that hangs is waited for.
func (db *DB) SavePromoteAfter(ctx context.Context, seconds int) error {
	if seconds != 0 && (seconds < MinPromoteAfter || seconds > MaxPromoteAfter) {
		return refuse(CodeInvalid, "promote_after", fmt.Sprintf("Give %d to %d seconds, or 0 to leave a primary that hangs alone.", MinPromoteAfter, MaxPromoteAfter))
	}
	return db.set(ctx, "promote_after", strconv.Itoa(seconds))
}
