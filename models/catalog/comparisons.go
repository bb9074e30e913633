package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Comparisons decides whether the daily snapshot of a cluster is made from its journal, queues what compares the two, and keeps what came out.
type Comparisons struct{ db *DB }

// Daily is how the snapshot of a run is made.
func (q Comparisons) Daily(ctx context.Context, cluster models.Cluster, args models.SnapshotArgs) (models.DailyWay, error) {
	switch {
	case args.Compare:
		return models.ToBeCompared, nil
	case args.OfCluster || args.WindowOpens == nil:
		return models.OfCluster, nil
	}
	plan, err := q.db.Recording.Plan(ctx, cluster)
	if err != nil {
		return models.OfCluster, err
	}
	last, _, err := q.Last(ctx, cluster.ID)
	return plan.Daily(last, q.db.Now()), err
}

// Coming is how the automatic snapshots of these clusters will be made that begin at these times, if nothing comes between; by the clusters' ids.
func (q Comparisons) Coming(ctx context.Context, begins map[uint]time.Time) (map[uint]models.DailyWay, error) {
	clusters := slices.Collect(maps.Keys(begins))
	plans, err := q.db.Recording.PlansOf(ctx, clusters...)
	if err != nil || len(plans) == 0 {
		return nil, err
	}
	var rows []models.JournalComparison
	newest := q.db.with(ctx).Model(&models.JournalComparison{}).Select("MAX(id)").Where("cluster_id IN ?", clusters).Group("cluster_id")
	if err := q.db.with(ctx).Where("id IN (?)", newest).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find the newest comparisons with journals: %w", err)
	}
	last := make(map[uint]models.JournalComparison)
	for _, row := range rows {
		last[row.ClusterID] = row
	}
	ways := make(map[uint]models.DailyWay)
	for cluster, plan := range plans {
		ways[cluster] = plan.Daily(last[cluster], begins[cluster])
	}
	return ways, nil
}

// Last returns the newest comparison of a cluster.
func (q Comparisons) Last(ctx context.Context, clusterID uint) (models.JournalComparison, bool, error) {
	return q.newest(q.db.with(ctx).Where("cluster_id = ?", clusterID))
}

// Of returns the newest comparison of a snapshot.
func (q Comparisons) Of(ctx context.Context, snapshotID uint) (models.JournalComparison, bool, error) {
	return q.newest(q.db.with(ctx).Where("snapshot_id = ?", snapshotID))
}

func (q Comparisons) newest(query *gorm.DB) (models.JournalComparison, bool, error) {
	last, found, err := find[models.JournalComparison](query.Order("id DESC"))
	if err != nil {
		return last, false, fmt.Errorf("find a comparison with the journal: %w", err)
	}
	return last, found, nil
}

// Queue queues the comparison of a snapshot that was taken.
func (q Comparisons) Queue(ctx context.Context, taken models.Run) error {
	_, err := q.db.Runs.enqueue(ctx, models.Run{Kind: models.RunCompare, ClusterName: taken.ClusterName, ClusterID: taken.ClusterID, SnapshotName: taken.SnapshotName,
		RequestedBy: taken.RequestedBy}, models.NoArgs{})
	return err
}

// LookAgain has a snapshot of the cluster taken at once and compared, because somebody knows of a difference. If that comes out the same, snapshots are made
// from the journal again.
func (q Comparisons) LookAgain(ctx context.Context, name, requestedBy string) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		plan, err := tx.Recording.Plan(ctx, cluster)
		if err != nil {
			return err
		}
		last, _, err := tx.Comparisons.Last(ctx, cluster.ID)
		if err != nil {
			return err
		}
		if !plan.Kept || !plan.Synthetic || !last.Stops() {
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The daily snapshots of %s do not wait for anybody to look at a difference.", name))
		}
		seen := catalogTime(tx.Now())
		if err := tx.with(ctx).Model(&models.JournalComparison{}).Where("id = ?", last.ID).UpdateColumn("seen_at", seen).Error; err != nil {
			return fmt.Errorf("note that a difference was seen: %w", err)
		}
		snapshot, err := tx.Snapshots.create(ctx, cluster, models.AutomaticName(cluster.Name, tx.Now()), models.SourceAutomatic, false)
		if err != nil {
			return err
		}
		if run, err = tx.Snapshots.queue(ctx, cluster, snapshot, requestedBy, models.SnapshotArgs{Compare: true}); err != nil {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: name, SnapshotName: snapshot,
			Message: fmt.Sprintf("The snapshot %s of %s is taken and compared with the journal, as %s asked for.", snapshot, name, requestedBy)})
	})
	return run, err
}

// Settle ends a comparison that came to a result. If the snapshot was deleted in the meantime, there is none.
func (q Comparisons) Settle(ctx context.Context, run models.Run, c models.JournalComparison) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshots.Get(ctx, run.SnapshotName)
		if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
			return err
		}
		if err != nil || present.ID != c.SnapshotID || present.Status == models.SnapshotDeleting {
			return tx.Runs.end(ctx, run, models.RunCancelled, "The snapshot was deleted in the meantime.")
		}
		status := models.RunSucceeded
		if c.Verdict != models.VerdictSame {
			status = models.RunFailed
		}
		return errors.Join(tx.Comparisons.keep(ctx, run, c), tx.Events.Add(ctx, c.Event(run.ClusterName)), tx.Runs.end(ctx, run, status, c.Reason))
	})
}

// keep writes down what came out of a run.
func (q Comparisons) keep(ctx context.Context, run models.Run, c models.JournalComparison) error {
	c.ClusterID, c.SnapshotName, c.ComparedAt = run.ClusterID, run.SnapshotName, catalogTime(q.db.Now())
	if err := q.db.with(ctx).Create(&c).Error; err != nil {
		return fmt.Errorf("keep the comparison of %s: %w", run.SnapshotName, err)
	}
	return nil
}

// freeCompared keeps that a comparison came to no result.
func freeCompared(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if e.status != models.RunFailed {
		return freeVerified(ctx, tx, run, e)
	}
	snapshot, err := tx.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	e.event.Severity, e.event.Next = models.SeverityWarning, "The next daily snapshot is taken of the cluster, too, and compared."
	return tx.Comparisons.keep(ctx, run, models.JournalComparison{SnapshotID: snapshot.ID, Verdict: models.VerdictNone, Reason: e.reason})
}

// FellBack says that a snapshot that was to be made from the journal is taken of the cluster itself.
func (q Comparisons) FellBack(ctx context.Context, run models.Run, why string) error {
	return q.db.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
		Message: fmt.Sprintf("The snapshot %s of %s is taken of the cluster itself, because it could not be made from the journal. %s", run.SnapshotName, run.ClusterName, why)})
}
