package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Usage records how much space the snapshots take over time.
type Usage struct{ db *DB }

// Sample writes down how much space the snapshots take now, for this hour, and forgets what is too old. Of several consoles the first one's counts.
func (q Usage) Sample(ctx context.Context) error {
	now := q.db.Now()
	storage, err := q.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	sample := models.StorageSample{Hour: models.HourOf(now), Snapshots: storage.Snapshots, Stored: storage.Stored, Billable: storage.Billable}
	if err := q.db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&sample).Error; err != nil {
		return fmt.Errorf("write how much space snapshots take: %w", err)
	}
	old := now.Add(-models.MemoryOfStorage)
	return errors.Join(
		q.db.with(ctx).Where("hour < ?", models.HourOf(old)).Delete(&models.StorageSample{}).Error,
		q.db.with(ctx).Where("removed_at < ?", catalogTime(old)).Delete(&models.PastSnapshot{}).Error)
}

// Growth is how the stored bytes have changed during the last week. stored is what there is now.
func (q Usage) Growth(ctx context.Context, stored int64) (models.StorageGrowth, error) {
	now := q.db.Now()
	first, found, err := find[models.StorageSample](q.db.with(ctx).Where("hour >= ?", models.HourOf(now.Add(-models.GrowthOver))).Order("hour"))
	if err != nil {
		return models.StorageGrowth{}, fmt.Errorf("look how much space snapshots took: %w", err)
	} else if !found {
		return models.StorageGrowth{}, nil
	}
	return models.GrowthSince(first, now, stored), nil
}

// Daily returns one sample of each of the last days, the oldest first: the one of this time of day.
func (q Usage) Daily(ctx context.Context, days int) ([]models.StorageSample, error) {
	hour := models.HourOf(q.db.Now())
	var samples []models.StorageSample
	if err := q.db.with(ctx).Where("hour > ? AND hour <= ? AND hour % 24 = ?", hour-int64(days)*24, hour, hour%24).Order("hour").Find(&samples).Error; err != nil {
		return nil, fmt.Errorf("list how much space snapshots took: %w", err)
	}
	return samples, nil
}

// Month sums up the month of an instant until now. Hours in which no console ran count as the mean of the others.
func (q Usage) Month(ctx context.Context, at time.Time) (models.MonthUsage, error) {
	from, to := models.MonthOf(at)
	if now := q.db.Now(); to.After(now) {
		to = now
	}
	var sum struct {
		Hours int
		First int64
		Mean  float64
	}
	err := q.db.with(ctx).Raw("SELECT COUNT(*) AS hours, COALESCE(MIN(hour), 0) AS first, COALESCE(AVG(billable), 0) AS mean FROM storage_samples WHERE hour >= ? AND hour < ?",
		models.HourOf(from), models.HourOf(to)+1).Scan(&sum).Error
	if err != nil {
		return models.MonthUsage{}, fmt.Errorf("sum what is charged in %s: %w", from.Format("2006-01"), err)
	}
	month := models.MonthUsage{Month: from}
	if sum.Hours > 0 {
		month.Since = models.StorageSample{Hour: sum.First}.At()
		month.ByteHours = sum.Mean * to.Sub(month.Since).Hours()
	}
	return month, nil
}

// spansRead is how many snapshots of a cluster are looked at one by one for what they cost, so that a page does not read years of them.
const spansRead = 400

// Spans returns when which snapshots of a cluster took space since an instant, those that are gone included. Of very many, the oldest come as one that
// has no name and was always there.
func (q Usage) Spans(ctx context.Context, cluster string, since time.Time) ([]models.Span, error) {
	var spans []models.Span
	err := q.db.Snapshots.ofCluster(ctx).Select(`name AS snapshot, stored, created_at AS "from"`).Where("cluster_name = ? AND status IN ?", cluster, usable).
		Order("created_at DESC").Limit(spansRead).Scan(&spans).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s: %w", cluster, err)
	}
	if len(spans) == spansRead {
		_, rest, err := q.db.Snapshots.StorageOf(ctx, cluster)
		if err != nil {
			return nil, err
		}
		for _, s := range spans {
			rest -= s.Stored
		}
		spans = append(spans, models.Span{Stored: max(0, rest)})
	}
	var past []models.PastSnapshot
	err = q.db.with(ctx).Where("cluster_name = ? AND removed_at > ?", cluster, catalogTime(since)).Order("removed_at DESC").Limit(spansRead).Find(&past).Error
	if err != nil {
		return nil, fmt.Errorf("list removed snapshots of %s: %w", cluster, err)
	}
	for _, p := range past {
		spans = append(spans, models.Span{Snapshot: p.Name, Stored: p.Stored, From: p.CreatedAt, Until: p.RemovedAt})
	}
	return spans, nil
}

// Largest returns the names of the clusters, or of former ones, whose snapshots take the most space, and how much that is.
func (q Usage) Largest(ctx context.Context, limit int) ([]models.ClusterStorage, error) {
	var rows []models.ClusterStorage
	err := q.db.with(ctx).Raw(`SELECT tallies.cluster_name AS cluster, tallies.snapshots, tallies.stored, CASE WHEN clusters.id IS NULL THEN 0 ELSE tallies.newest_stored END AS free, clusters.id IS NOT NULL AS there
		FROM tallies LEFT JOIN clusters ON clusters.name = tallies.cluster_name ORDER BY tallies.stored DESC, tallies.cluster_name LIMIT ?`, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list what takes the most space: %w", err)
	}
	return rows, nil
}
