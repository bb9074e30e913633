package models

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sort"
	"strconv"
	"time"

	"gorm.io/gorm"
)

// Verifying reads every byte of a snapshot back from the store. The snapshot stays what it is meanwhile: what is found out changes it
// at the end, in one transaction with the end of the run.

// DefaultVerifyEvery is after how many days a snapshot is verified again when nobody chose another number.
const DefaultVerifyEvery = 7

// MaxVerifyEvery is the greatest number of days that can be chosen.
const MaxVerifyEvery = 365

// verifyAgainAfter is the pause after a scheduled verification that came to no result, such as when the store was away.
const verifyAgainAfter = 6 * time.Hour

// maxScrubs is how many scheduled verifications wait or run at a time: they are spread, and one by hand is soon its turn.
const maxScrubs = 3

// VerifyBySchedule is who has asked for the verifications of the schedule.
const VerifyBySchedule = "schedule"

// Verifiable tells whether it can be verified: it is whole as far as anybody knows, or it was, and may be so again when the store has
// been repaired.
func (s Snapshot) Verifiable() bool { return s.Usable() || s.Damaged() }

// Damaged tells whether it was once whole and what is stored of it is not any more.
func (s Snapshot) Damaged() bool { return s.Status == SnapshotFailed && s.Damage != "" }

// Scrubbed is what [VerifyDue] needs to know of a snapshot.
type Scrubbed struct {
	ID       uint
	Name     string
	Verified time.Time // zero: never
	Tried    time.Time // zero: never
}

// VerifyDue is the whole schedule of verifications: which snapshots are to be verified at this instant, those first that have waited
// longest. It has no state and no side effects.
//
// A snapshot is due between six sevenths of the time and all of it after it was last verified, each by its name at a moment of its
// own, so that those of one day (or of a rebuilt catalog) do not all come at once again. A time in the future is from a clock that
// stood wrong, and does not count.
func VerifyDue(now time.Time, every time.Duration, snapshots []Scrubbed) []Scrubbed {
	if every <= 0 {
		return nil
	}
	var due []Scrubbed
	for _, s := range snapshots {
		tried := !s.Tried.IsZero() && !s.Tried.After(now) && now.Sub(s.Tried) < min(verifyAgainAfter, every/2)
		verified := !s.Verified.IsZero() && !s.Verified.After(now) && now.Before(s.Verified.Add(every-spread(s.Name, every/7)))
		if !tried && !verified {
			due = append(due, s)
		}
	}
	sort.SliceStable(due, func(i, j int) bool { return due[i].Verified.Before(due[j].Verified) })
	return due
}

// spread is a part of the span that belongs to this name.
func spread(name string, span time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("verify " + name))
	return time.Duration(int64(hash.Sum32()) % max(1, int64(span/time.Second)) * int64(time.Second))
}

// VerifyEvery is after how many days snapshots are verified again; 0: only by hand.
func (db *DB) VerifyEvery(ctx context.Context) (int, error) {
	row, found, err := find[Setting](db.with(ctx).Where("name = ?", "verify_every"))
	if err != nil || !found {
		return DefaultVerifyEvery, err
	}
	days, err := strconv.Atoi(row.Value)
	if err != nil {
		return 0, fmt.Errorf("read setting verify_every: %w", err)
	}
	return days, nil
}

// SaveVerifyEvery sets after how many days snapshots are verified again.
func (db *DB) SaveVerifyEvery(ctx context.Context, days int) error {
	if days < 0 || days > MaxVerifyEvery {
		return refuse(CodeInvalid, "verify_every", fmt.Sprintf("Give 1 to %d days, or 0 to verify only by hand.", MaxVerifyEvery))
	}
	return db.set(ctx, "verify_every", strconv.Itoa(days))
}

// QueueVerifications asks the schedule which snapshots are due and queues a run for the first of them. It may be called by several
// ticks or consoles at once: a conditional update decides. What finds no room now is asked for at the next tick.
func (db *DB) QueueVerifications(ctx context.Context) (queued int, err error) {
	days, err := db.VerifyEvery(ctx)
	if err != nil || days == 0 {
		return 0, err
	}
	var active int64
	err = db.with(ctx).Model(&Run{}).Where("kind = ? AND requested_by = ? AND status IN ?", RunVerify, VerifyBySchedule,
		[]RunStatus{RunQueued, RunRunning}).Count(&active).Error
	if err != nil {
		return 0, fmt.Errorf("count verifications: %w", err)
	}
	room := maxScrubs - int(active)
	if room <= 0 {
		return 0, nil
	}
	now, every := db.Now(), time.Duration(days)*24*time.Hour
	var rows []Snapshot
	// Only those that can be due: this is asked every minute.
	err = db.with(ctx).Select("id", "name", "verified_at", "verify_tried_at").
		Where("status IN ? AND (verified_at IS NULL OR verified_at <= ? OR verified_at > ?)", usable, now.Add(-every*6/7), now).Find(&rows).Error
	if err != nil {
		return 0, fmt.Errorf("list snapshots to verify: %w", err)
	}
	scrubbed := make([]Scrubbed, len(rows))
	for i, row := range rows {
		scrubbed[i] = Scrubbed{ID: row.ID, Name: row.Name, Verified: orZero(row.VerifiedAt), Tried: orZero(row.VerifyTriedAt)}
	}
	var failures []error
	for _, due := range VerifyDue(now, every, scrubbed) {
		if queued == room {
			break
		}
		ok, err := db.queueScrub(ctx, due, now)
		if ok {
			queued++
		}
		failures = append(failures, err)
	}
	return queued, errors.Join(failures...)
}

var usable = []SnapshotStatus{SnapshotAvailable, SnapshotRestoring, SnapshotCopying}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func (db *DB) queueScrub(ctx context.Context, due Scrubbed, now time.Time) (bool, error) {
	err := db.transaction(ctx, func(tx *DB) error {
		claim := tx.with(ctx).Model(&Snapshot{}).Where("id = ? AND status IN ?", due.ID, usable)
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
		_, err := tx.RequestVerify(ctx, due.Name, VerifyBySchedule)
		return err
	})
	if _, refused := AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("queue verification of %s: %w", due.Name, err)
	}
	return true, nil
}

// RequestVerify queues a verification of this snapshot. One at a time is enough.
func (db *DB) RequestVerify(ctx context.Context, name, requestedBy string) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshot(ctx, name)
		if err != nil {
			return err
		}
		if !snapshot.Verifiable() {
			return refuse(CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s; only one that is available can be verified.", name, snapshot.Status))
		}
		if _, found, err := find[Run](tx.activeVerify(ctx, name)); err != nil {
			return fmt.Errorf("look for a verification of %s: %w", name, err)
		} else if found {
			return refuse(CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is being verified already.", name))
		}
		run, err = tx.enqueue(ctx, Run{Kind: RunVerify, ClusterName: snapshot.ClusterName, ClusterID: snapshot.ClusterID, SnapshotName: name,
			RequestedBy: requestedBy}, NoArgs{})
		return err
	})
	return run, err
}

func (db *DB) activeVerify(ctx context.Context, name string) *gorm.DB {
	return db.with(ctx).Where("kind = ? AND snapshot_name = ? AND status IN ?", RunVerify, name, []RunStatus{RunQueued, RunRunning})
}

// stopVerify ends the verification of a snapshot that goes: at once when it waits, else as soon as its worker sees it. Call it in the
// transaction that turns the snapshot deleting.
func (db *DB) stopVerify(ctx context.Context, name string) error {
	now := db.Now()
	waiting := db.activeVerify(ctx, name).Model(&Run{}).Where("status = ?", RunQueued).
		Updates(map[string]any{"status": RunCancelled, "error": "The snapshot is being deleted.", "ended_at": now})
	running := db.activeVerify(ctx, name).Model(&Run{}).Where("status = ?", RunRunning).Update("cancel_requested", true)
	if err := errors.Join(waiting.Error, running.Error); err != nil {
		return fmt.Errorf("end the verification of %s: %w", name, err)
	}
	return nil
}

// VerifyMayRun tells whether this verification may begin now: one at a time, and those by hand before those of the schedule.
func (db *DB) VerifyMayRun(ctx context.Context, run Run) (bool, error) {
	var before int64
	query := db.with(ctx).Model(&Run{}).Where("kind = ? AND id <> ?", RunVerify, run.ID)
	if run.RequestedBy == VerifyBySchedule {
		query = query.Where("status = ? OR (status = ? AND requested_by <> ?)", RunRunning, RunQueued, VerifyBySchedule)
	} else {
		query = query.Where("status = ?", RunRunning)
	}
	if err := query.Count(&before).Error; err != nil {
		return false, fmt.Errorf("count verifications: %w", err)
	}
	return before == 0, nil
}

// CompleteVerify ends a verification that came to a result: the snapshot is verified, or damage says in sentences what is wrong. The
// given row is what was verified; when the snapshot was deleted or made anew in the meantime, nothing is said about that one.
func (db *DB) CompleteVerify(ctx context.Context, run Run, verified Snapshot, damage string) error {
	return db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshot(ctx, run.SnapshotName)
		if err != nil && !HasCode(err, CodeSnapshotNotFound) {
			return err
		}
		if err != nil || present.ID != verified.ID || !present.Verifiable() {
			return tx.endRun(ctx, run, RunCancelled, "The snapshot was deleted in the meantime.")
		}
		if damage != "" {
			return errors.Join(tx.markDamaged(ctx, present, damage), tx.endRun(ctx, run, RunSucceeded, ""))
		}
		changes := map[string]any{"verified_at": tx.Now()}
		if present.ManifestSHA256 == "" { // of a snapshot from before manifests were remembered
			changes["manifest_sha256"] = verified.ManifestSHA256
		}
		var failures []error
		if present.Damaged() {
			changes["status"], changes["status_reason"], changes["damage"] = SnapshotAvailable, "", ""
			failures = append(failures, tx.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: present.ClusterName, SnapshotName: present.Name,
				Message: fmt.Sprintf("The snapshot %s of %s is whole again: every byte was read back and is right.", present.Name, present.ClusterName)}))
		}
		failures = append(failures, tx.with(ctx).Model(&Snapshot{ID: present.ID}).UpdateColumns(changes).Error, tx.endRun(ctx, run, RunSucceeded, ""))
		return errors.Join(failures...)
	})
}

// markDamaged turns a snapshot failed because of what is, or is no longer, in the store. What is there stays there.
func (db *DB) markDamaged(ctx context.Context, s Snapshot, damage string) error {
	if err := checkMoves(snapshotMoves, SnapshotFailed, s.Status); err != nil {
		return fmt.Errorf("mark snapshot %s as damaged: %w", s.Name, err)
	}
	changed := db.with(ctx).Model(&Snapshot{ID: s.ID}).UpdateColumns(map[string]any{"status": SnapshotFailed, "status_reason": damage, "damage": damage})
	if changed.Error != nil {
		return fmt.Errorf("mark snapshot %s as damaged: %w", s.Name, changed.Error)
	}
	if s.Damage == damage {
		return nil // as it was known
	}
	return db.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: s.ClusterName, SnapshotName: s.Name,
		Message: fmt.Sprintf("The snapshot %s of %s is damaged and is not used any more. %s What is left of it stays in the store until you delete it.",
			s.Name, s.ClusterName, damage)})
}

// freeVerified says nothing about the snapshot, which stays as it is: its verification came to no result.
func freeVerified(ctx context.Context, tx *DB, run Run, e *ending) error {
	if e.status != RunCancelled {
		return nil
	}
	if snapshot, err := tx.Snapshot(ctx, run.SnapshotName); HasCode(err, CodeSnapshotNotFound) || err == nil && snapshot.Status == SnapshotDeleting {
		e.reason = "The snapshot was deleted in the meantime."
	}
	return nil
}
