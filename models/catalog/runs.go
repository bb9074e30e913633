package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rekindle/models"
)

// Runs is the queue, and the record of finished work.
type Runs struct{ db *DB }

// List filters by kind, status, cluster and the time since a run was requested; the newest come first.
func (q Runs) List(ctx context.Context, l models.List) (models.Rows[models.Run], error) {
	query := q.db.with(ctx)
	if since, known := models.FilterSince[l.Equal["since"]]; known {
		query = query.Where("created_at >= ?", catalogTime(q.db.Now().Add(-since)))
	}
	return list[models.Run](q.db, query, table{
		text:    []string{"cluster_name", "snapshot_name"},
		filters: map[string]string{"kind": "kind", "status": "status", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts:   map[string]string{"started": "created_at", "kind": "kind", "status": "status", "cluster": "cluster_name"},
		order:   []ordering{byID},
	}, l)
}

// Last returns the newest run of a kind for a cluster since an instant.
func (q Runs) Last(ctx context.Context, cluster string, kind models.RunKind, since time.Time) (models.Run, bool, error) {
	return find[models.Run](q.db.with(ctx).Where("cluster_name = ? AND kind = ? AND created_at >= ?", cluster, kind, catalogTime(since)).Order("id DESC"))
}

// Restores says how long the last restores into new clusters took, of snapshots that are still there.
func (q Runs) Restores(ctx context.Context, limit int) ([]models.Measured, error) {
	var rows []struct {
		StartedAt, EndedAt time.Time
		Bytes              int64
	}
	err := q.db.with(ctx).Model(&models.Run{}).Select("runs.started_at, runs.ended_at, snapshots.bytes").Joins("JOIN snapshots ON snapshots.name = runs.snapshot_name").
		Where("runs.kind = ? AND runs.status = ? AND runs.started_at IS NOT NULL AND runs.ended_at IS NOT NULL", models.RunRestore, models.RunSucceeded).
		Order("runs.id DESC").Limit(limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list restores: %w", err)
	}
	restores := make([]models.Measured, len(rows))
	for i, row := range rows {
		restores[i] = models.Measured{Bytes: row.Bytes, Took: row.EndedAt.Sub(row.StartedAt)}
	}
	return restores, nil
}

// Straight returns the arguments of the run that made a cluster of a moment; false when none did, or it was forgotten since.
func (q Runs) Straight(ctx context.Context, clusterID uint) (args models.StraightArgs, found bool, err error) {
	run, found, err := find[models.Run](q.db.with(ctx).Where("cluster_id = ? AND kind = ?", clusterID, models.RunStraight).Order("id DESC"))
	if err != nil {
		return args, false, fmt.Errorf("look for the run that made cluster %d: %w", clusterID, err)
	} else if !found {
		return args, false, nil
	}
	args, err = models.Args[models.StraightArgs](run)
	return args, err == nil, err
}

// Maker returns the run that made this snapshot, or was to. A copy to elsewhere, which has the name of its source, is none.
func (q Runs) Maker(ctx context.Context, snapshot models.Snapshot) (models.Run, bool, error) {
	kind := models.RunSnapshot
	switch {
	case snapshot.Copied():
		kind = models.RunCopy
	case snapshot.Foreign():
		kind = models.RunImport
	case snapshot.Recovered():
		kind = models.RunRecover
	}
	var runs []models.Run
	if err := q.db.with(ctx).Where("snapshot_name = ? AND kind = ?", snapshot.Name, kind).Order("id DESC").Find(&runs).Error; err != nil {
		return models.Run{}, false, fmt.Errorf("look for the run that made snapshot %s: %w", snapshot.Name, err)
	}
	for _, run := range runs {
		if args, err := run.Carries(); err == nil && args.Store == "" {
			return run, true, nil
		}
	}
	return models.Run{}, false, nil
}

// Taker returns the run that read the nodes of a cluster for this snapshot. For a final snapshot that is the deletion of its cluster.
func (q Runs) Taker(ctx context.Context, snapshot models.Snapshot) (models.Run, bool, error) {
	if snapshot.Copied() || snapshot.Foreign() {
		return models.Run{}, false, nil
	}
	run, found, err := find[models.Run](q.db.with(ctx).Where("snapshot_name = ? AND kind IN ?", snapshot.Name, []models.RunKind{models.RunSnapshot, models.RunDelete}).Order("id DESC"))
	if err != nil {
		return run, false, fmt.Errorf("look for the run that took snapshot %s: %w", snapshot.Name, err)
	}
	return run, found, nil
}

// Removed tells whether a cluster of this name has left this catalog since an instant, by being deleted or detached.
func (q Runs) Removed(ctx context.Context, cluster string, since time.Time) (bool, error) {
	_, found, err := find[models.Run](q.db.with(ctx).Where("cluster_name = ? AND kind = ? AND status = ? AND created_at >= ?", cluster, models.RunDelete, models.RunSucceeded, catalogTime(since)))
	return found, err
}

// Ended returns the runs that have ended since an instant, the last one first. It only looks among the newest thousand: nobody asks for more, and it
// need not read the runs of years.
func (q Runs) Ended(ctx context.Context, since time.Time) ([]models.Run, error) {
	var runs []models.Run
	if err := q.db.with(ctx).Where("id > (SELECT COALESCE(MAX(id), 0) - 1000 FROM runs) AND ended_at >= ?", catalogTime(since)).Order("ended_at DESC, id DESC").Find(&runs).Error; err != nil {
		return nil, fmt.Errorf("list ended runs: %w", err)
	}
	return runs, nil
}

// CutOff returns the runs that are marked as running although no console works on them: those of consoles that are gone, and those that this owner
// has adopted. The caller has to leave out what this owner is working on.
func (q Runs) CutOff(ctx context.Context, owner string) ([]models.Run, error) {
	var runs []models.Run
	err := q.db.with(ctx).Where("status = ? AND owner IN ?", models.RunRunning, []string{"", owner}).Order("id").Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("list runs that were cut off: %w", err)
	}
	return runs, nil
}

// Adopt makes a run that was cut off this owner's, so that it can settle it, and tells whether it did: another console may have been faster.
func (q Runs) Adopt(ctx context.Context, run models.Run, owner string) (models.Run, bool, error) {
	adopted := false
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Owners.leased(ctx, owner); err != nil {
			return err
		}
		taken := tx.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND owner IN ?", run.ID, models.RunRunning, []string{"", owner}).UpdateColumn("owner", owner)
		adopted = taken.RowsAffected == 1
		return taken.Error
	})
	if err != nil {
		return run, false, fmt.Errorf("adopt run %d: %w", run.ID, err)
	}
	run.Owner = owner
	return run, adopted, nil
}

// hold fails with ErrRunEnded when the run's owner does not work on it, or no longer. Call it in the transaction that writes what the run has done.
func (q Runs) hold(ctx context.Context, run models.Run) error {
	held := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, models.RunRunning, run.Owner).UpdateColumn("owner", run.Owner)
	if held.Error != nil {
		return fmt.Errorf("hold run %d: %w", run.ID, held.Error)
	} else if held.RowsAffected == 0 {
		return fmt.Errorf("hold run %d: %w", run.ID, models.ErrRunEnded)
	}
	return nil
}

// Hold fails with ErrRunEnded when the run's owner does not work on it, or no longer. Then nothing that it has made may be removed.
func (q Runs) Hold(ctx context.Context, run models.Run) error { return q.hold(ctx, run) }

// GiveUp writes down that a run has failed for this reason, before anything that it has made is removed: whoever takes over must not mistake
// something half removed for a success. The error is ErrRunEnded when the run is no longer this owner's; then nothing may be removed.
func (q Runs) GiveUp(ctx context.Context, run models.Run, status models.RunStatus, reason string) error {
	given := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, models.RunRunning, run.Owner).
		UpdateColumns(map[string]any{"given_up": status, "error": reason})
	if given.Error != nil {
		return fmt.Errorf("give run %d up: %w", run.ID, given.Error)
	} else if given.RowsAffected == 0 {
		return fmt.Errorf("give run %d up: %w", run.ID, models.ErrRunEnded)
	}
	return nil
}

// enqueue writes a run into the queue. Call it in the transaction that changes the state of what the run works on.
func (q Runs) enqueue(ctx context.Context, run models.Run, args models.Arguments) (models.Run, error) {
	err := run.Tell(args)
	if err != nil {
		return run, err
	}
	if run.Home, err = wayOf(run.Kind).home(ctx, q.db, run); err != nil {
		return run, fmt.Errorf("queue %s of %s: %w", run.Kind, run.ClusterName, err)
	}
	run.Status, run.CreatedAt = models.RunQueued, q.db.Now()
	if err := q.db.with(ctx).Create(&run).Error; err != nil {
		return run, fmt.Errorf("queue %s of %s: %w", run.Kind, run.ClusterName, err)
	}
	return run, nil
}

// Claim takes the oldest queued run that is allowed now for this owner, except runs that work on nodes elsewhere. When two workers or two consoles
// reach for the same run, the conditional update decides.
func (q Runs) Claim(ctx context.Context, owner string, allowed func(models.Run) bool) (models.Run, bool, error) {
	var queued []models.Run
	here := "home IN ('', (SELECT home FROM owners WHERE owners.id = ?))"
	if err := q.db.with(ctx).Where("status = ? AND "+here, models.RunQueued, owner).Order("id").Find(&queued).Error; err != nil {
		return models.Run{}, false, fmt.Errorf("list queued runs: %w", err)
	}
	for _, run := range queued {
		if !allowed(run) {
			continue
		}
		now := q.db.Now()
		claimed := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND EXISTS (SELECT 1 FROM owners WHERE id = ?)", run.ID, models.RunQueued, owner).
			Updates(map[string]any{"status": models.RunRunning, "owner": owner, "started_at": now, "attempts": run.Attempts + 1})
		if claimed.Error != nil {
			return models.Run{}, false, fmt.Errorf("claim run %d: %w", run.ID, claimed.Error)
		}
		if claimed.RowsAffected == 1 {
			run.Status, run.Owner, run.StartedAt, run.Attempts = models.RunRunning, owner, &now, run.Attempts+1
			return run, true, nil
		}
	}
	return models.Run{}, false, nil
}

// begunLately is among how many of the last runs of somebody one is looked for that was begun a moment ago.
const begunLately = 1000

// Begun finds the run of this kind that somebody has asked for with this token, a moment ago.
func (q Runs) Begun(ctx context.Context, kind models.RunKind, by, token string) (models.Run, bool, error) {
	var lately []models.Run
	if err := q.db.with(ctx).Where("kind = ? AND requested_by = ?", kind, by).Order("id DESC").Limit(begunLately).Find(&lately).Error; err != nil {
		return models.Run{}, false, fmt.Errorf("look for the run that a request has begun: %w", err)
	}
	for _, run := range lately {
		var asked struct{ Token string }
		if token != "" && json.Unmarshal([]byte(run.Options), &asked) == nil && asked.Token == token {
			return run, true, nil
		}
	}
	return models.Run{}, false, nil
}

// SnapshotsOnHost counts the snapshots that are being taken from nodes of this host. Each costs it a fork.
func (q Runs) SnapshotsOnHost(ctx context.Context, host string) (int, error) {
	var count int64
	err := q.db.with(ctx).Model(&models.Run{}).Where("status = ? AND kind = ? AND cluster_id IN (SELECT cluster_id FROM nodes WHERE host = ?)",
		models.RunRunning, models.RunSnapshot, host).Count(&count).Error
	if err != nil {
		return 0, fmt.Errorf("count snapshots on host %s: %w", host, err)
	}
	return int(count), nil
}

// ReportProgress writes down how far a run has got.
func (q Runs) ReportProgress(ctx context.Context, run models.Run, p models.Progress) error {
	err := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND owner = ?", run.ID, run.Owner).Updates(map[string]any{
		"stage": p.Stage, "bytes_done": p.BytesDone, "bytes_total": p.BytesTotal,
		"keys_done": p.KeysDone, "keys_total": p.KeysTotal, "step": p.Step, "steps": p.Steps, "step_since": orNone(p.StepSince), "step_from": p.StepFrom,
	}).Error
	if err != nil {
		return fmt.Errorf("report progress of run %d: %w", run.ID, err)
	}
	return nil
}

// CancelRequested tells whether somebody asked for a run to be cancelled.
func (q Runs) CancelRequested(ctx context.Context, id uint) (bool, error) {
	run, err := q.Get(ctx, id)
	return run.CancelRequested, err
}

// end records how a run ended. Call it in the transaction that settles the state of what the run worked on: that is undone when the run has already
// ended or is no longer its owner's.
func (q Runs) end(ctx context.Context, run models.Run, status models.RunStatus, reason string) error {
	if err := models.CheckMoves(models.RunMoves, status, run.Status); err != nil {
		return fmt.Errorf("end run %d: %w", run.ID, err)
	}
	ended := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, run.Status, run.Owner).
		Updates(map[string]any{"status": status, "error": reason, "ended_at": q.db.Now()})
	if ended.Error != nil {
		return fmt.Errorf("end run %d: %w", run.ID, ended.Error)
	} else if ended.RowsAffected == 0 {
		return fmt.Errorf("end run %d: %w", run.ID, models.ErrRunEnded)
	}
	return nil
}

// Get returns a run by its number.
func (q Runs) Get(ctx context.Context, id uint) (models.Run, error) {
	run, found, err := find[models.Run](q.db.with(ctx).Where("id = ?", id))
	switch {
	case err != nil:
		return run, fmt.Errorf("find run %d: %w", id, err)
	case !found:
		return run, models.Refuse(models.CodeRunNotFound, "", fmt.Sprintf("There is no run %d.", id))
	}
	return run, nil
}

// Active returns the runs that are queued or running, oldest first.
func (q Runs) Active(ctx context.Context) ([]models.Run, error) {
	var runs []models.Run
	err := q.db.with(ctx).Where("status IN ?", []models.RunStatus{models.RunQueued, models.RunRunning}).Order("id").Find(&runs).Error
	return runs, err
}

// Requeue puts a run that was cut off back into the queue, for work that is safe to begin again.
func (q Runs) Requeue(ctx context.Context, run models.Run) error {
	requeued := q.db.with(ctx).Model(&models.Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, models.RunRunning, run.Owner).
		Updates(map[string]any{"status": models.RunQueued, "owner": "", "given_up": "", "error": ""})
	if requeued.Error != nil {
		return fmt.Errorf("requeue run %d: %w", run.ID, requeued.Error)
	} else if requeued.RowsAffected == 0 {
		return fmt.Errorf("requeue run %d: %w", run.ID, models.ErrRunEnded)
	}
	return nil
}

// Cancel asks for a run to be stopped. A queued run ends at once; a running one when its worker sees the request.
func (q Runs) Cancel(ctx context.Context, id uint) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		run, err := tx.Runs.Get(ctx, id)
		if err != nil {
			return err
		}
		if !run.Cancellable() {
			return models.Refuse(models.CodeRunState, "", fmt.Sprintf("Run %d is %s and can no longer be cancelled.", id, run.Status))
		}
		if err := tx.with(ctx).Model(&models.Run{}).Where("id = ?", id).Update("cancel_requested", true).Error; err != nil {
			return fmt.Errorf("cancel run %d: %w", id, err)
		}
		if run.Status == models.RunRunning || run.LeavesRemains() {
			return nil // its worker removes what it has written
		}
		return tx.Settle.fail(ctx, run, models.RunCancelled, "Cancelled before it began.")
	})
}

// none tells whether no run of this kind is queued or running for a cluster.
func (q Runs) none(ctx context.Context, clusterID uint, kind models.RunKind) (bool, error) {
	_, found, err := find[models.Run](q.db.with(ctx).Where("cluster_id = ? AND kind = ? AND status IN ?", clusterID, kind, []models.RunStatus{models.RunQueued, models.RunRunning}))
	if err != nil {
		return false, fmt.Errorf("look for a %s of cluster %d: %w", kind, clusterID, err)
	}
	return !found, nil
}

// orNone is nil for the zero time.
func orNone(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = catalogTime(at)
	return &at
}
