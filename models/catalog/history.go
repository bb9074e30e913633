package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rekindle/models"
)

// History is what the clusters' schedules did.
type History struct{ db *DB }

// mostInHistory is how many rows of one kind a cluster's history is made of: a manual snapshot every hour for a week, or the three attempts of each window.
const mostInHistory = 200

// Of returns what became of the last windows of a cluster; see [models.History].
func (q History) Of(ctx context.Context, cluster models.Cluster) ([]models.Day, error) {
	now := q.db.Now()
	since := catalogTime(now.AddDate(0, 0, -models.HistoryDays-1))
	var marks []models.WindowMark
	if err := q.db.with(ctx).Where("cluster_id = ? AND opens >= ?", cluster.ID, since).Order("opens DESC").Limit(mostInHistory).Find(&marks).Error; err != nil {
		return nil, fmt.Errorf("list windows of %s: %w", cluster.Name, err)
	}
	var runs []models.Run
	err := q.db.with(ctx).Where("cluster_name = ? AND kind = ? AND requested_by = 'schedule' AND created_at >= ?", cluster.Name, models.RunSnapshot, since).
		Order("id DESC").Limit(mostInHistory).Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("list automatic snapshots of %s: %w", cluster.Name, err)
	}
	slices.Reverse(runs)
	return models.History(now, cluster, marks, runs), nil
}

// Taken returns the good snapshots of a cluster since an instant, the oldest first, those that are gone included. Copies and imports are not its own.
func (q History) Taken(ctx context.Context, cluster models.Cluster, since time.Time) ([]models.Taken, error) {
	var rows []models.Snapshot
	err := q.db.Snapshots.ofCluster(ctx).Where("cluster_name = ? AND cluster_id = ? AND created_at >= ? AND status IN ? AND origin = ''", cluster.Name, cluster.ID, catalogTime(since), usable).
		Order("created_at DESC, id DESC").Limit(mostInHistory).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	var past []models.PastSnapshot
	err = q.db.with(ctx).Where("cluster_name = ? AND cluster_id = ? AND removed_at >= ? AND created_at >= ?", cluster.Name, cluster.ID, catalogTime(since), catalogTime(since)).
		Order("created_at DESC, id DESC").Limit(mostInHistory).Find(&past).Error
	if err != nil {
		return nil, fmt.Errorf("list removed snapshots of %s: %w", cluster.Name, err)
	}
	taken := make([]models.Taken, 0, len(rows)+len(past))
	for _, s := range rows {
		taken = append(taken, models.Taken{Snapshot: s.Name, Source: s.Source, At: s.CreatedAt, Bytes: s.Bytes, Stored: s.Stored, Took: s.TakenIn()})
	}
	for _, p := range past {
		taken = append(taken, models.Taken{Snapshot: p.Name, Source: p.Source, At: p.CreatedAt, Bytes: p.Bytes, Stored: p.Stored, Took: p.Took, Gone: true})
	}
	slices.SortFunc(taken, func(a, b models.Taken) int { return a.At.Compare(b.At) })
	return taken[max(0, len(taken)-mostInHistory):], nil
}

// remember keeps what the history and the bill need of a snapshot that is removed. Of one that was never whole there is nothing to remember.
func (q History) remember(ctx context.Context, s models.Snapshot) error {
	if s.CompletedAt == nil {
		return nil
	}
	past := models.PastSnapshot{Name: s.Name, ClusterName: s.ClusterName, ClusterID: s.ClusterID, Source: s.Source, Bytes: s.Bytes, Stored: s.Stored, Keys: s.Keys,
		Took: s.TakenIn(), CreatedAt: s.CreatedAt, RemovedAt: q.db.Now()}
	if s.Origin != "" {
		past.ClusterID = 0 // a copy or an import takes space, but is no part of the cluster's history
	}
	if err := q.db.with(ctx).Create(&past).Error; err != nil {
		return fmt.Errorf("remember snapshot %s: %w", s.Name, err)
	}
	return nil
}

// LastStored returns the bytes that the last automatic snapshots of a cluster take in the store, at most limit of them; see [models.ExpectedStored].
func (q History) LastStored(ctx context.Context, cluster string, limit int) ([]models.Snapshot, error) {
	var rows []models.Snapshot
	err := q.db.Snapshots.ofCluster(ctx).Select("id", "name", "stored").Where("cluster_name = ? AND source = ? AND status IN ?", cluster, models.SourceAutomatic, usable).
		Order("created_at DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list sizes of automatic snapshots of %s: %w", cluster, err)
	}
	return rows, nil
}
