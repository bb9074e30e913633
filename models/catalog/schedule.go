package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"errors"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Schedule says which automatic snapshots are due, missed or outlived, and queues them.
type Schedule struct{ db *DB }

// Next returns when the next automatic snapshot of the cluster begins, or false when backups are off. An occurrence that is open and still to be done
// counts as now, unless the schedule still waits after an attempt that failed.
func (q Schedule) Next(ctx context.Context, cluster models.Cluster) (time.Time, bool, error) {
	next, err := q.NextOf(ctx, cluster)
	at, planned := next[cluster.ID]
	return at, planned, err
}

// NextOf does the same for several clusters, by their numbers.
func (q Schedule) NextOf(ctx context.Context, clusters ...models.Cluster) (map[uint]time.Time, error) {
	coming, err := q.coming(ctx, clusters)
	next := make(map[uint]time.Time, len(coming))
	for id, one := range coming {
		next[id] = one.At
	}
	return next, err
}

// Coming returns the next attempt that the schedule will make of this cluster, or false when it will make none.
func (q Schedule) Coming(ctx context.Context, cluster models.Cluster) (models.Coming, bool, error) {
	coming, err := q.coming(ctx, []models.Cluster{cluster})
	one, planned := coming[cluster.ID]
	return one, planned, err
}

// sayNext says in a sentence when the next snapshot of a cluster is tried, "" when nobody knows.
func (q Schedule) sayNext(ctx context.Context, clusterID uint) (string, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Where("id = ?", clusterID))
	if err != nil || !found {
		return "", err
	}
	if !cluster.Backups() {
		return "The cluster has no schedule, so it is not tried again by itself.", nil
	}
	next, planned, err := q.Coming(ctx, cluster)
	if err != nil || !planned {
		return "", err
	}
	at := next.At.UTC().Format("2006-01-02 15:04 UTC")
	if next.Attempt > 1 {
		return fmt.Sprintf("It is tried again at %s.", at), nil
	}
	return fmt.Sprintf("The next snapshot is taken at %s.", at), nil
}

func (q Schedule) coming(ctx context.Context, clusters []models.Cluster) (map[uint]models.Coming, error) {
	plans, err := q.plans(ctx, clusters)
	if err != nil {
		return nil, err
	}
	now := q.db.Now()
	coming := make(map[uint]models.Coming, len(clusters))
	for i, cluster := range clusters {
		if !cluster.Backups() || cluster.Status == models.ClusterMigrating { // nobody knows when that ends
			continue
		}
		if one, planned := plans[i].Coming(now); planned {
			coming[cluster.ID] = one
		}
	}
	return coming, nil
}

// LastRun returns the newest snapshot run that the schedule asked for since an instant.
func (q Schedule) LastRun(ctx context.Context, cluster string, since time.Time) (models.Run, bool, error) {
	return find[models.Run](q.db.with(ctx).Where("cluster_name = ? AND kind = ? AND requested_by = 'schedule' AND created_at >= ?", cluster, models.RunSnapshot, catalogTime(since)).
		Order("id DESC"))
}

// plans returns what [models.Due] needs to know about these clusters, in their order.
func (q Schedule) plans(ctx context.Context, clusters []models.Cluster) ([]models.Plan, error) {
	now := q.db.Now()
	plans := make([]models.Plan, len(clusters))
	at := make(map[uint]*models.Plan, len(clusters))
	for i, cluster := range clusters {
		since := cluster.ScheduleSince
		if since.After(now) {
			since = now // the clock was set back
		}
		plans[i] = models.Plan{ClusterID: cluster.ID, Cluster: cluster.Name, Window: cluster.SnapshotWindow, Retention: cluster.RetentionLimit,
			Since: since, Marks: make(map[int64]models.Mark)}
		at[cluster.ID] = &plans[i]
	}
	for some := range slices.Chunk(plans, 500) {
		ids, since := make([]uint, len(some)), now
		for i, p := range some {
			ids[i] = p.ClusterID
			if p.Since.Before(since) {
				since = p.Since
			}
		}
		var marks []models.WindowMark
		// Two days each way are enough for open windows; earlier ones are covered by ScheduleSince.
		if err := q.db.with(ctx).Where("cluster_id IN ? AND opens >= ?", ids, catalogTime(since.AddDate(0, 0, -2))).Find(&marks).Error; err != nil {
			return nil, fmt.Errorf("list windows: %w", err)
		}
		for _, m := range marks {
			at[m.ClusterID].Marks[m.Opens.Unix()] = models.Mark{Outcome: m.Outcome, Attempts: m.Attempts, Tried: m.Tried}
		}
	}
	return plans, nil
}

// scheduled tells whether the schedule may take snapshots of a cluster in this state, even if not right now.
func scheduled(status models.ClusterStatus) bool {
	switch status {
	case models.ClusterCreating, models.ClusterMigrating, models.ClusterDeleting, models.ClusterRestoreFailed, models.ClusterCreateFailed:
		return false
	}
	return true
}

// withIDs returns the clusters with these numbers, without their nodes.
func (q Schedule) withIDs(ctx context.Context, ids []uint) (clusters []models.Cluster, err error) {
	for some := range slices.Chunk(ids, 500) {
		var found []models.Cluster
		if err := q.db.with(ctx).Where("id IN ?", some).Order("id").Find(&found).Error; err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		clusters = append(clusters, found...)
	}
	return clusters, nil
}

// QueueDue asks the schedule which clusters are due now, queues a run for each, and writes down which windows were missed. Several ticks or consoles
// may call it at once: the unique mark of cluster and window decides. A cluster that is busy with something else stays due until its window closes.
// Idle clusters whose time has not come are not looked at.
func (q Schedule) QueueDue(ctx context.Context) (queued int, err error) {
	ids, err := q.come(ctx, "due_at", q.db.Now())
	if err != nil {
		return 0, err
	}
	clusters, err := q.withIDs(ctx, ids)
	if err != nil {
		return 0, err
	}
	clusters = slices.DeleteFunc(clusters, func(c models.Cluster) bool { return c.RetentionLimit == 0 || !scheduled(c.Status) })
	plans, err := q.plans(ctx, clusters)
	if err != nil {
		return 0, err
	}
	byID := make(map[uint]models.Cluster, len(clusters))
	for _, cluster := range clusters {
		byID[cluster.ID] = cluster
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
	var seen []uint
	for _, cluster := range clusters {
		if ok, any := reported[cluster.ID]; any && !ok {
			continue // the next tick reports it
		}
		// What closed before now has been looked at; a time in the future comes from a clock that was set back. The marks stay as long as the
		// cluster: they are one row a day, and then no clock, however wrong, can make a window be used twice.
		if age := now.Sub(cluster.ScheduleSince); age > 24*time.Hour || age < 0 {
			seen = append(seen, cluster.ID)
		}
	}
	for some := range slices.Chunk(seen, 500) {
		failures = append(failures, q.db.with(ctx).Model(&models.Cluster{}).Where("id IN ?", some).UpdateColumn("schedule_since", now).Error)
	}
	return queued, errors.Join(append(failures, q.Judge(ctx))...)
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
		_, err = tx.Snapshots.queue(ctx, cluster, name, "schedule", models.SnapshotArgs{WindowOpens: &opens, WindowCloses: &d.Occurrence.Closes,
			OfCluster: d.Attempt > 1})
		return err
	})
	if _, refused := models.AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil // the cluster is busy, or somebody else was first: the next tick asks again
	} else if err != nil {
		return false, fmt.Errorf("queue automatic snapshot of %s: %w", cluster.Name, err)
	}
	return true, nil
}

// claimWindow writes the mark of a first attempt. It may replace the mark of a miss that a wrong clock left.
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

// markMissed writes one event for a cluster, however many windows passed. It leaves out windows that somebody else marked in the meantime.
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
		next, err := tx.Schedule.sayNext(ctx, cluster.ID)
		if err != nil {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name, Message: models.MissedMessage(cluster, marked),
			Raises: models.ConditionMissed, Next: next})
	})
	if err != nil {
		return fmt.Errorf("mark missed windows of %s: %w", cluster.Name, err)
	}
	return nil
}

// QueueOutlived queues the removal of the automatic snapshots that have outlived their retention, and returns their names. Those of a cluster without
// nodes stay: it has lost them, see [Cluster.Lost], or it is attached and was not reached since it was brought back. While the clock is in doubt, all
// snapshots stay.
func (q Schedule) QueueOutlived(ctx context.Context) ([]string, error) {
	if doubt, err := q.db.Clock.Look(ctx, time.Time{}); err != nil || doubt != nil {
		return nil, err
	}
	ids, err := q.come(ctx, "outlive_at", q.db.Now())
	if err != nil {
		return nil, err
	}
	clusters, err := q.withIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	var names []string
	for some := range slices.Chunk(clusters, 200) {
		outlived, err := q.outlived(ctx, some)
		if err != nil {
			return names, err
		}
		for _, s := range outlived {
			err := q.db.transaction(ctx, func(tx *DB) error {
				if err := tx.Snapshots.delete(ctx, s.Name, "retention"); err != nil {
					return err
				}
				return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: s.ClusterName, SnapshotName: s.Name,
					Message: fmt.Sprintf("The automatic snapshot %s is older than its retention and is being removed.", s.Name)})
			})
			if _, refused := models.AsFaults(err); refused {
				continue // it is being used; the next round takes it
			} else if err != nil {
				return names, err
			}
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// outlived returns the snapshots of these clusters that have outlived their retention, with the clusters' present names.
func (q Schedule) outlived(ctx context.Context, clusters []models.Cluster) ([]models.Snapshot, error) {
	aging, err := q.aging(ctx, clusters)
	if err != nil {
		return nil, err
	}
	var ids []uint
	if err := q.db.with(ctx).Model(&models.Node{}).Where("cluster_id IN ?", idsOf(clusters)).Distinct("cluster_id").Pluck("cluster_id", &ids).Error; err != nil {
		return nil, fmt.Errorf("list clusters with nodes: %w", err)
	}
	needed, err := q.db.Journal.needed(ctx, clusters)
	if err != nil {
		return nil, err
	}
	var outlived []models.Snapshot
	for _, cluster := range clusters {
		if !slices.Contains(ids, cluster.ID) {
			continue
		}
		a := aging[cluster.ID]
		for _, id := range models.Outlived(q.db.Now(), cluster.RetentionLimit, a.losses, a.kept) {
			if needed[id] {
				continue // a journal begins with it
			}
			outlived = append(outlived, models.Snapshot{ID: id, Name: a.names[id], ClusterName: cluster.Name})
		}
	}
	return outlived, nil
}

// outliveFrom returns when the first snapshot of each of these clusters outlives its retention.
func (q Schedule) outliveFrom(ctx context.Context, now time.Time, clusters []models.Cluster) (map[uint]time.Time, error) {
	aging, err := q.aging(ctx, clusters)
	from := make(map[uint]time.Time, len(clusters))
	for _, cluster := range clusters {
		a := aging[cluster.ID]
		from[cluster.ID] = models.OutlivedFrom(now, cluster.RetentionLimit, a.losses, a.kept)
	}
	return from, err
}

// aging is what retention needs to know about a cluster's automatic snapshots.
type aging struct {
	losses []time.Time
	kept   []models.Kept
	names  map[uint]string
}

func (q Schedule) aging(ctx context.Context, clusters []models.Cluster) (map[uint]aging, error) {
	ids := idsOf(clusters)
	var snapshots []models.Snapshot
	// A damaged snapshot stays until somebody has looked at it and deletes it by hand.
	err := q.db.with(ctx).Table(q.db.kind.using("snapshots", "idx_snapshots_cluster_id")).Select("id", "name", "cluster_id", "status", "retention_limit", "created_at").Where("cluster_id IN ? AND source = ? AND damage = '' AND status IN ?",
		ids, models.SourceAutomatic, append([]models.SnapshotStatus{models.SnapshotFailed}, usable...)).Order("id").Find(&snapshots).Error
	if err != nil {
		return nil, fmt.Errorf("list automatic snapshots: %w", err)
	}
	var losses []models.Loss
	if err := q.db.with(ctx).Where("cluster_id IN ?", ids).Order("at").Find(&losses).Error; err != nil {
		return nil, fmt.Errorf("list losses: %w", err)
	}
	all := make(map[uint]aging, len(ids))
	for _, id := range ids {
		all[id] = aging{names: make(map[uint]string)}
	}
	for _, s := range snapshots {
		a := all[s.ClusterID]
		a.kept = append(a.kept, models.Kept{ID: s.ID, CreatedAt: s.CreatedAt, Good: s.Usable(), Promised: s.RetentionLimit})
		a.names[s.ID] = s.Name
		all[s.ClusterID] = a
	}
	for _, loss := range losses {
		a := all[loss.ClusterID]
		a.losses = append(a.losses, loss.At)
		all[loss.ClusterID] = a
	}
	return all, nil
}

func idsOf(clusters []models.Cluster) []uint {
	ids := make([]uint, len(clusters))
	for i, c := range clusters {
		ids[i] = c.ID
	}
	return ids
}
