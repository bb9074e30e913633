package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// plan collects what [Due] needs to know of one cluster.
func (db *DB) plan(ctx context.Context, cluster Cluster) (Plan, error) {
	var marks []WindowMark
	// Two days each way are enough for what is open; what passed earlier is covered by ScheduleSince.
	since := cluster.ScheduleSince
	if now := db.Now(); since.After(now) {
		since = now // the clock was set back
	}
	err := db.with(ctx).Where("cluster_id = ? AND opens >= ?", cluster.ID, since.AddDate(0, 0, -2)).Find(&marks).Error
	if err != nil {
		return Plan{}, fmt.Errorf("list windows of %s: %w", cluster.Name, err)
	}
	plan := Plan{ClusterID: cluster.ID, Cluster: cluster.Name, Window: cluster.SnapshotWindow, Retention: cluster.RetentionLimit,
		Since: since, Marks: make(map[int64]Mark, len(marks))}
	for _, m := range marks {
		plan.Marks[m.Opens.Unix()] = Mark{m.Outcome, m.Attempts, m.Tried}
	}
	return plan, nil
}

// QueueDue asks the schedule who is due now, queues a run for each, and writes down which windows were missed. It may be called by
// several ticks or consoles at once: the unique mark of cluster and window decides. A cluster that is busy with something
// else stays due until its window closes.
func (db *DB) QueueDue(ctx context.Context) (queued int, err error) {
	var clusters []Cluster
	err = db.with(ctx).Where("retention_limit > 0 AND status NOT IN ?",
		[]ClusterStatus{ClusterCreating, ClusterDeleting, ClusterRestoreFailed, ClusterCreateFailed}).Find(&clusters).Error
	if err != nil {
		return 0, fmt.Errorf("list clusters with a schedule: %w", err)
	}
	byID := make(map[uint]Cluster, len(clusters))
	plans := make([]Plan, 0, len(clusters))
	for _, cluster := range clusters {
		plan, err := db.plan(ctx, cluster)
		if err != nil {
			return 0, err
		}
		byID[cluster.ID] = cluster
		plans = append(plans, plan)
	}
	now := db.Now()
	due, missed := Due(now, plans)
	var failures []error
	for _, d := range due {
		ok, err := db.queueAutomatic(ctx, byID[d.ClusterID], d, now)
		if ok {
			queued++
		}
		failures = append(failures, err)
	}
	reported := make(map[uint]bool)
	for id, decisions := range group(missed) {
		err := db.markMissed(ctx, byID[id], decisions)
		failures, reported[id] = append(failures, err), err == nil
	}
	for _, cluster := range clusters {
		if ok, any := reported[cluster.ID]; any && !ok {
			continue // the next tick reports it
		}
		// What closed before now has been looked at; a time in the future is from a clock that was set back. The marks stay
		// as long as the cluster: one row a day, and no clock however wrong can make a window be done twice.
		if age := now.Sub(cluster.ScheduleSince); age > 24*time.Hour || age < 0 {
			failures = append(failures, db.with(ctx).Model(&Cluster{ID: cluster.ID}).UpdateColumn("schedule_since", now).Error)
		}
	}
	return queued, errors.Join(failures...)
}

func (db *DB) queueAutomatic(ctx context.Context, cluster Cluster, d Decision, now time.Time) (bool, error) {
	opens := d.Occurrence.Opens
	err := db.transaction(ctx, func(tx *DB) error {
		if d.Attempt == 1 {
			if err := tx.claimWindow(ctx, cluster.ID, opens, now); err != nil {
				return err
			}
		} else {
			claimed := tx.with(ctx).Model(&WindowMark{}).Where("cluster_id = ? AND opens = ? AND attempts = ?", cluster.ID, opens, d.Attempt-1).
				Updates(map[string]any{"outcome": MarkQueued, "attempts": d.Attempt, "tried": now})
			if claimed.Error != nil {
				return claimed.Error
			} else if claimed.RowsAffected == 0 {
				return gorm.ErrDuplicatedKey
			}
		}
		name, err := tx.newSnapshot(ctx, cluster, AutomaticName(cluster.Name, now), SourceAutomatic, false)
		if err != nil {
			return err
		}
		_, err = tx.queueSnapshot(ctx, cluster, name, "schedule", SnapshotArgs{WindowOpens: &opens, WindowCloses: &d.Occurrence.Closes})
		return err
	})
	if _, refused := AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil // busy, or somebody else was first: asked again at the next tick
	} else if err != nil {
		return false, fmt.Errorf("queue automatic snapshot of %s: %w", cluster.Name, err)
	}
	return true, nil
}

// claimWindow writes the mark of a first attempt, also over one that a clock standing wrong had left as missed.
func (db *DB) claimWindow(ctx context.Context, clusterID uint, opens, now time.Time) error {
	claimed := db.with(ctx).Model(&WindowMark{}).Where("cluster_id = ? AND opens = ? AND outcome = ?", clusterID, opens, MarkMissed).
		Updates(map[string]any{"outcome": MarkQueued, "attempts": 1, "tried": now})
	if claimed.Error != nil || claimed.RowsAffected == 1 {
		return claimed.Error
	}
	return db.with(ctx).Create(&WindowMark{ClusterID: clusterID, Opens: opens, Outcome: MarkQueued, Attempts: 1, Tried: now}).Error
}

func group(decisions []Decision) map[uint][]Decision {
	byCluster := make(map[uint][]Decision)
	for _, d := range decisions {
		byCluster[d.ClusterID] = append(byCluster[d.ClusterID], d)
	}
	return byCluster
}

// markMissed writes one event for a cluster, however many windows passed. Of windows that somebody else marked in the meantime it
// says nothing.
func (db *DB) markMissed(ctx context.Context, cluster Cluster, missed []Decision) error {
	err := db.transaction(ctx, func(tx *DB) error {
		var marked []Decision
		for _, d := range missed {
			mark := WindowMark{ClusterID: cluster.ID, Opens: d.Occurrence.Opens, Outcome: MarkMissed, Tried: tx.Now()}
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
		return tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: cluster.Name, Message: missedMessage(cluster, marked)})
	})
	if err != nil {
		return fmt.Errorf("mark missed windows of %s: %w", cluster.Name, err)
	}
	return nil
}

func missedMessage(cluster Cluster, missed []Decision) string {
	const when = "2006-01-02 15:04"
	first, last := missed[0].Occurrence, missed[len(missed)-1].Occurrence
	if len(missed) == 1 {
		return fmt.Sprintf("No automatic snapshot of %s was taken in the window of %s to %s UTC: Rekindle was not running or the cluster was busy. "+
			"Take one by hand, or wait for the next window.", cluster.Name, first.Opens.Format(when), first.Closes.Format("15:04"))
	}
	return fmt.Sprintf("No automatic snapshots of %s were taken in %d windows from %s to %s UTC: Rekindle was not running. "+
		"Take one by hand, or wait for the next window.", cluster.Name, len(missed), first.Opens.Format(when), last.Closes.Format(when))
}
