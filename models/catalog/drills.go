package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Drills says which snapshots are to be loaded into a node that exists only for this, queues that, and keeps what came out.
type Drills struct{ db *DB }

// maxDrills is how many scheduled drills wait or run at a time. Those of other clusters wait in the schedule, as long as their window is open.
const maxDrills = 3

// Request queues a drill of this snapshot for a person. One at a time is enough.
func (q Drills) Request(ctx context.Context, name, requestedBy string) (models.Run, error) {
	return q.request(ctx, name, requestedBy, models.DrillArgs{})
}

func (q Drills) request(ctx context.Context, name, requestedBy string, args models.DrillArgs) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshots.Get(ctx, name)
		if err != nil {
			return err
		}
		if !snapshot.Usable() {
			return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s; only one that is available can be loaded in a drill.", name, snapshot.Status))
		}
		if _, found, err := find[models.Run](tx.Runs.active(ctx, name, models.RunDrill)); err != nil {
			return fmt.Errorf("look for a drill of %s: %w", name, err)
		} else if found {
			return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("A restore drill of the snapshot %s is already waiting or under way.", name))
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunDrill, ClusterName: snapshot.ClusterName, ClusterID: snapshot.ClusterID, SnapshotName: name,
			RequestedBy: requestedBy}, args)
		return err
	})
	return run, err
}

// Plan returns when the drills of a cluster are due; one that is never due if it has none.
func (q Drills) Plan(ctx context.Context, cluster models.Cluster) (models.DrillPlan, error) {
	plan, found, err := find[models.DrillPlan](q.db.with(ctx).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return plan, fmt.Errorf("find the drills of %s: %w", cluster.Name, err)
	} else if !found {
		return models.DrillPlan{ClusterID: cluster.ID}, nil
	}
	return plan, nil
}

// PlansOf returns when the drills of those of these clusters are due that have drills.
func (q Drills) PlansOf(ctx context.Context, clusters ...uint) (map[uint]models.DrillPlan, error) {
	var rows []models.DrillPlan
	if err := q.db.with(ctx).Where("cluster_id IN ?", clusters).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list when drills are due: %w", err)
	}
	plans := make(map[uint]models.DrillPlan, len(rows))
	for _, row := range rows {
		plans[row.ClusterID] = row
	}
	return plans, nil
}

// SavePlan changes when the drills of a cluster are due. The first one begins in the next window, or in that of the day which the plan has.
func (q Drills) SavePlan(ctx context.Context, name string, plan models.DrillPlan, requestedBy string) error {
	if err := plan.Check(); err != nil {
		return err
	}
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		} else if cluster.Cached() {
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s only caches, so it has no snapshots that could be loaded.", name))
		} else if why := cluster.Elsewhere(requestedBy); why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		before, err := tx.Drills.Plan(ctx, cluster)
		if err != nil || before.Same(plan) {
			return err // what is due stays due when nothing is changed
		}
		message := fmt.Sprintf("Restore drills of %s were turned off by %s.", name, requestedBy)
		if plan.Every == models.Never {
			err = tx.with(ctx).Delete(&models.DrillPlan{}, "cluster_id = ?", cluster.ID).Error
		} else {
			plan.ClusterID, plan.DueAt = cluster.ID, catalogTime(plan.First(tx.Now(), name).Begins)
			err = tx.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&plan).Error
			message = fmt.Sprintf("Restore drills of %s are held %s, in the window %s UTC, as %s asked for.", name, plan.When(), plan.Window, requestedBy)
		}
		if err != nil {
			return fmt.Errorf("change the drills of %s: %w", name, err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: message})
	})
}

// duePlan is a plan whose time has come, with the name of its cluster.
type duePlan struct {
	models.DrillPlan
	ClusterName string
}

// QueueDue queues a drill of the newest snapshot of each cluster whose time has come, as far as there is room now. Several ticks or consoles may call it
// at once: a conditional update decides.
func (q Drills) QueueDue(ctx context.Context) (queued int, err error) {
	room, err := q.room(ctx)
	if err != nil {
		return 0, err
	}
	now := q.db.Now()
	var due []duePlan
	err = q.db.with(ctx).Table("drill_plans").Select("drill_plans.*, clusters.name AS cluster_name").Joins("JOIN clusters ON clusters.id = drill_plans.cluster_id").
		Where("due_at <= ?", catalogTime(now)).Order("due_at, cluster_id").Limit(500).Find(&due).Error
	if err != nil {
		return 0, fmt.Errorf("list drills that are due: %w", err)
	}
	var failures []error
	for _, plan := range due {
		open, is := plan.Window.Open(now, plan.ClusterName)
		switch {
		case !is:
			failures = append(failures, q.missed(ctx, plan, now))
		case queued < room:
			began, err := q.begin(ctx, plan, open, now)
			if began {
				queued++
			}
			failures = append(failures, err)
		}
	}
	return queued, errors.Join(failures...)
}

// room is how many more scheduled drills may be queued.
func (q Drills) room(ctx context.Context) (int, error) {
	var active int64
	err := q.db.with(ctx).Model(&models.Run{}).Where("kind = ? AND requested_by = ? AND status IN ?", models.RunDrill, models.DrillBySchedule,
		[]models.RunStatus{models.RunQueued, models.RunRunning}).Count(&active).Error
	if err != nil {
		return 0, fmt.Errorf("count drills: %w", err)
	}
	return maxDrills - int(active), nil
}

// begin queues the drill of a cluster in this window. A cluster without a good snapshot is asked again in the next window.
func (q Drills) begin(ctx context.Context, plan duePlan, open models.Occurrence, now time.Time) (queued bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		newest, err := tx.Snapshots.Newest(ctx, plan.ClusterName)
		if err != nil {
			return err
		}
		snapshot, has := newest[plan.ClusterName]
		next := plan.Tomorrow(now, plan.ClusterName).Begins
		if has {
			next = plan.Next(now, open.Opens, plan.ClusterName).Begins
		}
		if moved, err := tx.Drills.postpone(ctx, plan.DrillPlan, next); err != nil || !moved || !has {
			return err
		}
		if _, err := tx.Drills.request(ctx, snapshot.Name, models.DrillBySchedule, models.DrillArgs{WindowCloses: &open.Closes}); err != nil {
			return err
		}
		queued = true
		return nil
	})
	if _, refused := models.AsFaults(err); refused { // somebody has just asked for it, or it is being deleted: the next tick asks again
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("queue drill of %s: %w", plan.ClusterName, err)
	}
	return queued, nil
}

// missed says that a window has passed, and has the next one used.
func (q Drills) missed(ctx context.Context, plan duePlan, now time.Time) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		next := plan.Next(now, time.Time{}, plan.ClusterName).Begins
		if moved, err := tx.Drills.postpone(ctx, plan.DrillPlan, next); err != nil || !moved {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: plan.ClusterName, Message: models.DrillMissedMessage(plan.ClusterName)})
	})
}

// postpone changes when a plan is due next, unless another console, or somebody else, has changed that.
func (q Drills) postpone(ctx context.Context, plan models.DrillPlan, to time.Time) (bool, error) {
	moved := q.db.with(ctx).Model(&models.DrillPlan{}).Where("cluster_id = ? AND due_at = ?", plan.ClusterID, catalogTime(plan.DueAt)).UpdateColumn("due_at", catalogTime(to))
	if moved.Error != nil {
		return false, fmt.Errorf("postpone a drill: %w", moved.Error)
	}
	return moved.RowsAffected == 1, nil
}

// MayRun tells whether a drill may begin on this console now: one at a time there, and none while a snapshot, or anything else that moves data, waits or
// goes on.
func (q Drills) MayRun(ctx context.Context, run models.Run, owner string) (bool, error) {
	var before int64
	err := q.db.with(ctx).Model(&models.Run{}).Where("id <> ? AND status IN ? AND (kind IN ? OR kind = ? AND status = ? AND owner = ?)",
		run.ID, []models.RunStatus{models.RunQueued, models.RunRunning},
		[]models.RunKind{models.RunSnapshot, models.RunRestore, models.RunStraight, models.RunFill, models.RunBringBack, models.RunImport, models.RunRecover, models.RunCompare}, models.RunDrill, models.RunRunning, owner).Count(&before).Error
	if err != nil {
		return false, fmt.Errorf("look for what a drill would disturb: %w", err)
	}
	return before == 0, nil
}

// LargestFork is how much memory the fork of the largest node with its files in this data folder may need, in bytes.
func (q Drills) LargestFork(ctx context.Context, home string) (int64, error) {
	var most int64
	err := q.db.with(ctx).Model(&models.Node{}).Where("cluster_id IN (SELECT id FROM clusters WHERE home = ?)", home).Select("COALESCE(MAX(used_memory), 0)").Scan(&most).Error
	if err != nil {
		return 0, fmt.Errorf("look for the largest node: %w", err)
	}
	return most, nil
}

// Settle ends a drill that came to a result. If the snapshot was deleted or made again in the meantime, there is none.
func (q Drills) Settle(ctx context.Context, run models.Run, drill models.Drill) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshots.Get(ctx, run.SnapshotName)
		if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
			return err
		}
		if err != nil || present.ID != drill.SnapshotID || present.Status == models.SnapshotDeleting {
			return tx.Runs.end(ctx, run, models.RunCancelled, "The snapshot was deleted in the meantime.")
		}
		status, reason := models.RunSucceeded, ""
		event := models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Ends: []models.Condition{models.ConditionDrill}}
		if drill.Outcome != models.DrillPassed {
			status, reason = models.RunFailed, drill.Reason
			event.Severity, event.Raises, event.Ends = models.SeverityError, models.ConditionDrill, nil
			event.Next = "The snapshot stays. Look at what went wrong, have it verified, and take another snapshot."
		}
		drill = ofRun(drill, run)
		drill.EndedAt = tx.Now()
		event.Message = drill.Message()
		return errors.Join(tx.Drills.keep(ctx, run, drill), tx.Events.Add(ctx, event),
			tx.Runs.end(ctx, run, status, reason))
	})
}

// ofRun is what came out of this run.
func ofRun(drill models.Drill, run models.Run) models.Drill {
	drill.RunID, drill.SnapshotName, drill.ClusterName, drill.RequestedBy = run.ID, run.SnapshotName, run.ClusterName, run.RequestedBy
	return drill
}

// keep writes down what came out of a run.
func (q Drills) keep(ctx context.Context, run models.Run, drill models.Drill) error {
	drill = ofRun(drill, run)
	drill.StartedAt, drill.EndedAt = catalogTime(drill.StartedAt), catalogTime(drill.EndedAt)
	if err := q.db.with(ctx).Create(&drill).Error; err != nil {
		return fmt.Errorf("keep the drill of %s: %w", run.SnapshotName, err)
	}
	return nil
}

// freeDrilled keeps that a drill was not carried out, and has the schedule ask for it again in the next window.
func freeDrilled(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if e.status != models.RunFailed {
		return freeVerified(ctx, tx, run, e)
	}
	snapshot, err := tx.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	now := tx.Now()
	began := now
	if run.StartedAt != nil {
		began = *run.StartedAt
	}
	err = tx.Drills.keep(ctx, run, models.Drill{SnapshotID: snapshot.ID, StartedAt: began, EndedAt: now, Expected: snapshot.Keys, Outcome: models.DrillUndone, Reason: e.reason})
	if err != nil || run.RequestedBy != models.DrillBySchedule {
		return err
	}
	return tx.Drills.again(ctx, run, now)
}

// again has the drill of a cluster asked for again in the next window.
func (q Drills) again(ctx context.Context, run models.Run, now time.Time) error {
	plan, found, err := find[models.DrillPlan](q.db.with(ctx).Where("cluster_id = ?", run.ClusterID))
	if err != nil {
		return fmt.Errorf("find the drills of %s: %w", run.ClusterName, err)
	} else if !found {
		return nil
	}
	next := catalogTime(plan.Tomorrow(now, run.ClusterName).Begins)
	if !next.Before(plan.DueAt) {
		return nil
	}
	_, err = q.postpone(ctx, plan, next)
	return err
}

// Last returns the newest drill of a snapshot.
func (q Drills) Last(ctx context.Context, snapshotID uint) (models.Drill, bool, error) {
	last, err := q.LastOf(ctx, snapshotID)
	drill, found := last[snapshotID]
	return drill, found, err
}

// LastOf returns the newest drill of each of these snapshots.
func (q Drills) LastOf(ctx context.Context, snapshots ...uint) (map[uint]models.Drill, error) {
	var drills []models.Drill
	err := q.db.with(ctx).Where("id IN (SELECT MAX(id) FROM drills WHERE snapshot_id IN ? GROUP BY snapshot_id)", snapshots).Find(&drills).Error
	if err != nil {
		return nil, fmt.Errorf("find the last drills: %w", err)
	}
	last := make(map[uint]models.Drill, len(drills))
	for _, drill := range drills {
		last[drill.SnapshotID] = drill
	}
	return last, nil
}
