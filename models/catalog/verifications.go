package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Verifications says which snapshots are to be read back, and queues that.
type Verifications struct{ db *DB }

// maxScrubs is how many scheduled verifications wait or run at a time, so that they are spread, and one requested by hand soon gets its turn.
const maxScrubs = 3

// Queue asks the schedule which snapshots are due and queues a run for the first of them. Several ticks or consoles may call it at once: a
// conditional update decides. What finds no room now is asked for at the next tick.
func (q Verifications) Queue(ctx context.Context) (queued int, err error) {
	days, err := q.db.Settings.VerifyEvery(ctx)
	if err != nil || days == 0 {
		return 0, err
	}
	var active int64
	err = q.db.with(ctx).Model(&models.Run{}).Where("kind = ? AND requested_by = ? AND status IN ?", models.RunVerify, models.VerifyBySchedule,
		[]models.RunStatus{models.RunQueued, models.RunRunning}).Count(&active).Error
	if err != nil {
		return 0, fmt.Errorf("count verifications: %w", err)
	}
	room := maxScrubs - int(active)
	if room <= 0 {
		return 0, nil
	}
	now, every := q.db.Now(), time.Duration(days)*24*time.Hour
	// This is asked every minute, so only snapshots that can be due are read, those first that have waited longest, and no more than needed. Times in
	// the future come from a clock that was wrong.
	var failures []error
	for _, those := range []struct {
		where string
		args  []any
	}{{"verified_at IS NULL", nil}, {"verified_at <= ?", []any{now.Add(-every * 6 / 7)}}, {"verified_at > ?", []any{now}}} {
		for after := new(models.Snapshot); after != nil && queued < room; {
			var waiting []models.Scrubbed
			if waiting, after, err = q.waiting(ctx, *after, those.where, those.args...); err != nil {
				return queued, errors.Join(append(failures, err)...)
			}
			for _, due := range models.VerifyDue(now, every, waiting) {
				if queued == room {
					break
				}
				ok, err := q.queueScrub(ctx, due, now)
				if ok {
					queued++
				}
				failures = append(failures, err)
			}
		}
	}
	return queued, errors.Join(failures...)
}

// waiting returns the next usable snapshots after one, in the order of their last verification, and the last of them, which is nil when there are no
// more.
func (q Verifications) waiting(ctx context.Context, after models.Snapshot, where string, args ...any) ([]models.Scrubbed, *models.Snapshot, error) {
	const some = 2000
	query := q.db.with(ctx).Table(q.db.kind.using("snapshots", "idx_snapshots_verified_at")).Select("id", "name", "verified_at", "verify_tried_at").Where("status IN ?", usable).Where(where, args...)
	switch {
	case after.VerifiedAt != nil:
		query = query.Where("(verified_at, id) > (?, ?)", catalogTime(*after.VerifiedAt), after.ID)
	case after.ID > 0:
		query = query.Where("id > ?", after.ID)
	}
	var rows []models.Snapshot
	if err := query.Order("verified_at, id").Limit(some).Find(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("list snapshots to verify: %w", err)
	}
	scrubbed := make([]models.Scrubbed, len(rows))
	for i, row := range rows {
		scrubbed[i] = models.Scrubbed{ID: row.ID, Name: row.Name, Verified: orZero(row.VerifiedAt), Tried: orZero(row.VerifyTriedAt)}
	}
	if len(rows) < some {
		return scrubbed, nil, nil
	}
	return scrubbed, &rows[some-1], nil
}

var usable = []models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func (q Verifications) queueScrub(ctx context.Context, due models.Scrubbed, now time.Time) (bool, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		claim := tx.with(ctx).Model(&models.Snapshot{}).Where("id = ? AND status IN ?", due.ID, usable)
		if due.Tried.IsZero() {
			claim = claim.Where("verify_tried_at IS NULL")
		} else {
			claim = claim.Where("verify_tried_at = ?", due.Tried)
		}
		claimed := claim.UpdateColumn("verify_tried_at", now)
		if claimed.Error != nil {
			return claimed.Error
		} else if claimed.RowsAffected == 0 {
			return gorm.ErrDuplicatedKey // somebody else was first
		}
		_, err := tx.Verifications.Request(ctx, due.Name, models.VerifyBySchedule)
		return err
	})
	if _, refused := models.AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("queue verification of %s: %w", due.Name, err)
	}
	return true, nil
}

// Request queues a verification of this snapshot. One at a time is enough.
func (q Verifications) Request(ctx context.Context, name, requestedBy string) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshots.Get(ctx, name)
		if err != nil {
			return err
		}
		if !snapshot.Verifiable() {
			return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s; only one that is available can be verified.", name, snapshot.Status))
		}
		if _, found, err := find[models.Run](tx.Verifications.active(ctx, name)); err != nil {
			return fmt.Errorf("look for a verification of %s: %w", name, err)
		} else if found {
			return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is already being verified.", name))
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunVerify, ClusterName: snapshot.ClusterName, ClusterID: snapshot.ClusterID, SnapshotName: name,
			RequestedBy: requestedBy}, models.NoArgs{})
		return err
	})
	return run, err
}

func (q Verifications) active(ctx context.Context, name string) *gorm.DB {
	return q.db.Runs.active(ctx, name, models.RunVerify)
}

// active are the runs of these kinds that read a snapshot, or are to.
func (q Runs) active(ctx context.Context, snapshot string, kinds ...models.RunKind) *gorm.DB {
	return q.db.with(ctx).Where("kind IN ? AND snapshot_name = ? AND status IN ?", kinds, snapshot, []models.RunStatus{models.RunQueued, models.RunRunning})
}

// stopReading ends the verification, the drill and the searches of a snapshot that is being deleted: at once while it is queued, else as soon as its worker sees it.
// Call it in the transaction that marks the snapshot as deleting.
func (q Runs) stopReading(ctx context.Context, name string) error {
	now := q.db.Now()
	reading := []models.RunKind{models.RunVerify, models.RunDrill, models.RunCompare, models.RunFind}
	waiting := q.active(ctx, name, reading...).Model(&models.Run{}).Where("status = ?", models.RunQueued).
		Updates(map[string]any{"status": models.RunCancelled, "error": "The snapshot is being deleted.", "ended_at": now})
	running := q.active(ctx, name, reading...).Model(&models.Run{}).Where("status = ?", models.RunRunning).Update("cancel_requested", true)
	if err := errors.Join(waiting.Error, running.Error); err != nil {
		return fmt.Errorf("end what reads %s: %w", name, err)
	}
	return nil
}

// MayRun tells whether this verification may begin now: one at a time, and those requested by hand before scheduled ones.
func (q Verifications) MayRun(ctx context.Context, run models.Run) (bool, error) {
	var before int64
	query := q.db.with(ctx).Model(&models.Run{}).Where("kind = ? AND id <> ?", models.RunVerify, run.ID)
	if run.RequestedBy == models.VerifyBySchedule {
		query = query.Where("status = ? OR (status = ? AND requested_by <> ?)", models.RunRunning, models.RunQueued, models.VerifyBySchedule)
	} else {
		query = query.Where("status = ?", models.RunRunning)
	}
	if err := query.Count(&before).Error; err != nil {
		return false, fmt.Errorf("count verifications: %w", err)
	}
	return before == 0, nil
}
