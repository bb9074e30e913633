package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rekindle/models"
)

// Measures reads what a monitoring system wants to know.
type Measures struct{ db *DB }

// Now measures the catalog, with what belongs to single clusters for at most this many of them.
func (q Measures) Now(ctx context.Context, clusters int) (models.Measures, error) {
	var m models.Measures
	err := errors.Join(q.clusters(ctx, clusters, &m), q.counts(ctx, &m), q.schedule(ctx, &m), q.journals(ctx, clusters, &m))
	if err == nil {
		m.Storage, err = q.db.Snapshots.Storage(ctx)
	}
	if err == nil {
		m.Owners, err = q.db.Owners.All(ctx)
	}
	if err != nil {
		return m, fmt.Errorf("measure the catalog: %w", err)
	}
	return m, nil
}

// clusters looks at the first clusters by name.
func (q Measures) clusters(ctx context.Context, limit int, m *models.Measures) error {
	var all int64
	if err := q.db.with(ctx).Model(&models.Cluster{}).Count(&all).Error; err != nil {
		return err
	}
	m.All = int(all)
	var ids []uint
	if err := q.db.with(ctx).Model(&models.Cluster{}).Order("name").Limit(limit).Pluck("id", &ids).Error; err != nil {
		return err
	}
	guarded, err := q.db.Schedule.Guarded(ctx, ids)
	if err != nil {
		return err
	}
	names := make([]string, len(guarded))
	for i := range guarded {
		names[i] = guarded[i].Cluster.Name
	}
	newest, err := q.db.Snapshots.Newest(ctx, names...)
	if err != nil {
		return err
	}
	m.Clusters = make([]models.ClusterMeasure, len(guarded))
	for i := range guarded {
		m.Clusters[i] = models.ClusterMeasure{Guarded: guarded[i], Newest: newest[names[i]]}
	}
	return nil
}

// journals looks at the first journals by the names of their clusters.
func (q Measures) journals(ctx context.Context, limit int, m *models.Measures) error {
	var rows []struct {
		models.JournalLink
		Name string
	}
	err := q.db.with(ctx).Table("journal_plans").Select("journal_links.*, clusters.name AS name").Joins("JOIN clusters ON clusters.id = journal_plans.cluster_id").
		Joins("JOIN journal_links ON journal_links.cluster_id = journal_plans.cluster_id").Where("journal_plans.kept").Order("clusters.name, journal_links.shard").Limit(8 * limit).Find(&rows).Error
	if err != nil {
		return err
	}
	for _, row := range rows {
		recording := row.State == models.JournalFollowing
		if last := len(m.Journals) - 1; last < 0 || m.Journals[last].Cluster != row.Name {
			if len(m.Journals) == limit {
				break
			}
			m.Journals = append(m.Journals, models.JournalMeasure{Cluster: row.Name, Recording: recording, Stored: row.StoredAt})
			continue
		}
		j := &m.Journals[len(m.Journals)-1]
		j.Recording = j.Recording && recording
		if j.Stored != nil && (row.StoredAt == nil || row.StoredAt.Before(*j.Stored)) {
			j.Stored = row.StoredAt
		}
	}
	return nil
}

func (q Measures) counts(ctx context.Context, m *models.Measures) error {
	for _, status := range []models.SnapshotStatus{models.SnapshotCreating, models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying,
		models.SnapshotDeleting, models.SnapshotFailed} {
		n, err := q.db.Snapshots.Count(ctx, status)
		if err != nil {
			return err
		}
		m.Snapshots = append(m.Snapshots, models.SnapshotCount{Status: status, Count: n})
	}
	return q.db.with(ctx).Model(&models.Run{}).Select("kind, status, COUNT(*) AS count").Where("status IN ?", []models.RunStatus{models.RunQueued, models.RunRunning}).
		Group("kind, status").Order("kind, status").Scan(&m.Runs).Error
}

// schedule counts the windows that were missed, and finds out since when the schedule should have looked at a cluster.
func (q Measures) schedule(ctx context.Context, m *models.Measures) error {
	now := q.db.Now()
	var missed int64
	err := q.db.with(ctx).Model(&models.WindowMark{}).Where("outcome = 'missed' AND opens > ?", catalogTime(now.Add(-24*time.Hour))).Count(&missed).Error
	if err != nil {
		return err
	}
	m.Missed = int(missed)
	var due computedTime
	row := q.db.with(ctx).Raw("SELECT MIN(due_at) FROM standings WHERE due_at <= ?", now).Row()
	if err := row.Scan(&due); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	m.DueSince = due.Time
	return nil
}
