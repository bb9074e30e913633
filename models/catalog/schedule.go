package catalog

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"errors"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Schedule says which automatic snapshots are due, missed or outlived, and queues them.
type Schedule struct{ db *DB }

// Next is when the next automatic snapshot of the cluster begins, or false when backups are off. An occurrence that
// is open and still to be done counts as now.
func (q Schedule) Next(ctx context.Context, cluster models.Cluster) (time.Time, bool, error) {
	if !cluster.Backups() {
		return time.Time{}, false, nil
	}
	plan, err := q.plan(ctx, cluster)
	if err != nil {
		return time.Time{}, false, err
	}
	now := q.db.Now()
	if open, ok := cluster.SnapshotWindow.Open(now, cluster.Name); ok && !now.Before(open.Begins) && plan.Attempt(now, open) > 0 {
		return now, true, nil
	}
	return cluster.SnapshotWindow.Next(now, cluster.Name).Begins, true, nil
}

// LastRun returns the newest snapshot run that the schedule asked for since an instant.
func (q Schedule) LastRun(ctx context.Context, cluster string, since time.Time) (models.Run, bool, error) {
	return find[models.Run](q.db.with(ctx).Where("cluster_name = ? AND kind = ? AND requested_by = 'schedule' AND created_at >= ?", cluster, models.RunSnapshot, catalogTime(since)).
		Order("id DESC"))
}

// plan collects what [Due] needs to know of one cluster.
func (q Schedule) plan(ctx context.Context, cluster models.Cluster) (models.Plan, error) {
	var marks []models.WindowMark
	// Two days each way are enough for what is open; what passed earlier is covered by ScheduleSince.
	since := cluster.ScheduleSince
	if now := q.db.Now(); since.After(now) {
		since = now // the clock was set back
	}
	err := q.db.with(ctx).Where("cluster_id = ? AND opens >= ?", cluster.ID, since.AddDate(0, 0, -2)).Find(&marks).Error
	if err != nil {
		return models.Plan{}, fmt.Errorf("list windows of %s: %w", cluster.Name, err)
	}
	plan := models.Plan{ClusterID: cluster.ID, Cluster: cluster.Name, Window: cluster.SnapshotWindow, Retention: cluster.RetentionLimit,
		Since: since, Marks: make(map[int64]models.Mark, len(marks))}
	for _, m := range marks {
		plan.Marks[m.Opens.Unix()] = models.Mark{Outcome: m.Outcome, Attempts: m.Attempts, Tried: m.Tried}
	}
	return plan, nil
}

// QueueDue asks the schedule who is due now, queues a run for each, and writes down which windows were missed. It may be called by
// several ticks or consoles at once: the unique mark of cluster and window decides. A cluster that is busy with something
// else stays due until its window closes.
func (q Schedule) QueueDue(ctx context.Context) (queued int, err error) {
	var clusters []models.Cluster
	err = q.db.with(ctx).Where("retention_limit > 0 AND status NOT IN ?",
		[]models.ClusterStatus{models.ClusterCreating, models.ClusterDeleting, models.ClusterRestoreFailed, models.ClusterCreateFailed}).Find(&clusters).Error
	if err != nil {
		return 0, fmt.Errorf("list clusters with a schedule: %w", err)
	}
	byID := make(map[uint]models.Cluster, len(clusters))
	plans := make([]models.Plan, 0, len(clusters))
	for _, cluster := range clusters {
		plan, err := q.plan(ctx, cluster)
		if err != nil {
			return 0, err
		}
		byID[cluster.ID] = cluster
		plans = append(plans, plan)
	}
	now := q.db.Now()
	due, missed := models.Due(now, plans)
	var failures []error
	for _, d := range due {
		ok, err := q.queueAutomatic(ctx, byID[d.ClusterID], d, now)
		if ok {
			queued++
		}
		failures = append(failures, err)
	}
	reported := make(map[uint]bool)
	for id, decisions := range group(missed) {
		err := q.markMissed(ctx, byID[id], decisions)
		failures, reported[id] = append(failures, err), err == nil
	}
	for _, cluster := range clusters {
		if ok, any := reported[cluster.ID]; any && !ok {
			continue // the next tick reports it
		}
		// What closed before now has been looked at; a time in the future is from a clock that was set back. The marks stay
		// as long as the cluster: one row a day, and no clock however wrong can make a window be done twice.
		if age := now.Sub(cluster.ScheduleSince); age > 24*time.Hour || age < 0 {
			failures = append(failures, q.db.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("schedule_since", now).Error)
		}
	}
	return queued, errors.Join(failures...)
}

func (q Schedule) queueAutomatic(ctx context.Context, cluster models.Cluster, d models.Decision, now time.Time) (bool, error) {
	opens := d.Occurrence.Opens
	err := q.db.transaction(ctx, func(tx *DB) error {
		if d.Attempt == 1 {
			if err := tx.Schedule.claimWindow(ctx, cluster.ID, opens, now); err != nil {
				return err
			}
		} else {
			claimed := tx.with(ctx).Model(&models.WindowMark{}).Where("cluster_id = ? AND opens = ? AND attempts = ?", cluster.ID, opens, d.Attempt-1).
				Updates(map[string]any{"outcome": models.MarkQueued, "attempts": d.Attempt, "tried": now})
			if claimed.Error != nil {
				return claimed.Error
			} else if claimed.RowsAffected == 0 {
				return gorm.ErrDuplicatedKey
			}
		}
		name, err := tx.Snapshots.create(ctx, cluster, models.AutomaticName(cluster.Name, now), models.SourceAutomatic, false)
		if err != nil {
			return err
		}
		_, err = tx.Snapshots.queue(ctx, cluster, name, "schedule", models.SnapshotArgs{WindowOpens: &opens, WindowCloses: &d.Occurrence.Closes})
		return err
	})
	if _, refused := models.AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil // busy, or somebody else was first: asked again at the next tick
	} else if err != nil {
		return false, fmt.Errorf("queue automatic snapshot of %s: %w", cluster.Name, err)
	}
	return true, nil
}

// claimWindow writes the mark of a first attempt, also over one that a clock standing wrong had left as missed.
func (q Schedule) claimWindow(ctx context.Context, clusterID uint, opens, now time.Time) error {
	claimed := q.db.with(ctx).Model(&models.WindowMark{}).Where("cluster_id = ? AND opens = ? AND outcome = ?", clusterID, opens, models.MarkMissed).
		Updates(map[string]any{"outcome": models.MarkQueued, "attempts": 1, "tried": now})
	if claimed.Error != nil || claimed.RowsAffected == 1 {
		return claimed.Error
	}
	return q.db.with(ctx).Create(&models.WindowMark{ClusterID: clusterID, Opens: opens, Outcome: models.MarkQueued, Attempts: 1, Tried: now}).Error
}

func group(decisions []models.Decision) map[uint][]models.Decision {
	byCluster := make(map[uint][]models.Decision)
	for _, d := range decisions {
		byCluster[d.ClusterID] = append(byCluster[d.ClusterID], d)
	}
	return byCluster
}

// markMissed writes one event for a cluster, however many windows passed. Of windows that somebody else marked in the meantime it
// says nothing.
func (q Schedule) markMissed(ctx context.Context, cluster models.Cluster, missed []models.Decision) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		var marked []models.Decision
		for _, d := range missed {
			mark := models.WindowMark{ClusterID: cluster.ID, Opens: d.Occurrence.Opens, Outcome: models.MarkMissed, Tried: tx.Now()}
			created := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&mark)
			if created.Error != nil {
				return created.Error
			} else if created.RowsAffected == 1 {
				marked = append(marked, d)
			}
		}
		if len(marked) == 0 {
			return nil
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name, Message: models.MissedMessage(cluster, marked)})
	})
	if err != nil {
		return fmt.Errorf("mark missed windows of %s: %w", cluster.Name, err)
	}
	return nil
}

// QueueOutlived queues the removal of the automatic snapshots that have outlived their retention, and says which. Those of a cluster that
// has lost its nodes stay; see [Cluster.Lost]. While the clock is in doubt, all do.
func (q Schedule) QueueOutlived(ctx context.Context) ([]string, error) {
	if doubt, err := q.db.Clock.Look(ctx, time.Time{}); err != nil || doubt != nil {
		return nil, err
	}
	var clusters []models.Cluster
	if err := q.db.with(ctx).Where("id IN (SELECT cluster_id FROM nodes)").Find(&clusters).Error; err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var names []string
	for _, cluster := range clusters {
		outlived, err := q.outlived(ctx, cluster)
		if err != nil {
			return names, err
		}
		for _, name := range outlived {
			err := q.db.transaction(ctx, func(tx *DB) error {
				if err := tx.Snapshots.delete(ctx, name, "retention"); err != nil {
					return err
				}
				return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: cluster.Name, SnapshotName: name,
					Message: fmt.Sprintf("The automatic snapshot %s has outlived its retention and is removed.", name)})
			})
			if _, refused := models.AsFaults(err); refused {
				continue // it is being used; the next round takes it
			} else if err != nil {
				return names, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func (q Schedule) outlived(ctx context.Context, cluster models.Cluster) ([]string, error) {
	var snapshots []models.Snapshot
	// One that turned out to be damaged stays until somebody has looked at it and deletes it by hand.
	err := q.db.with(ctx).Where("cluster_id = ? AND source = ? AND damage = '' AND status IN ?", cluster.ID, models.SourceAutomatic,
		[]models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying, models.SnapshotFailed}).Find(&snapshots).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	kept := make([]models.Kept, len(snapshots))
	names := make(map[uint]string, len(snapshots))
	for i, s := range snapshots {
		kept[i] = models.Kept{ID: s.ID, CreatedAt: s.CreatedAt, Good: s.Usable(), Promised: s.RetentionLimit}
		names[s.ID] = s.Name
	}
	var outlived []string
	losses, err := q.db.Losses.since(ctx, cluster.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range models.Outlived(q.db.Now(), cluster.RetentionLimit, losses, kept) {
		outlived = append(outlived, names[id])
	}
	return outlived, nil
}
