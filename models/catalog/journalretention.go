package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"rekindle/models"
)

// journalBatch is how many segments are removed at a time.
const journalBatch = 500

// Outlived returns segments that no recovery window needs any more, the oldest first: of a cluster whose journal is or was kept, and of those that are
// gone. While the clock is in doubt, there are none. Call [Journal.Forget] once they are gone from the store.
func (q Journal) Outlived(ctx context.Context) ([]models.JournalSegment, error) {
	if doubt, err := q.db.Clock.Look(ctx, time.Time{}); err != nil || doubt != nil {
		return nil, err
	}
	outlived, err := q.orphans(ctx)
	if err != nil {
		return nil, err
	}
	var plans []models.JournalPlan
	if err := q.db.with(ctx).Order("cluster_id").Find(&plans).Error; err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	for _, plan := range plans {
		cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes").Where("id = ?", plan.ClusterID))
		if err != nil {
			return nil, err
		} else if !found || len(cluster.Nodes) == 0 {
			continue // it was brought back without its nodes, and this may be all that is left of it
		}
		some, err := q.outlived(ctx, cluster, plan)
		if err != nil {
			return nil, fmt.Errorf("look for what the journal of %s no longer needs: %w", cluster.Name, err)
		}
		if outlived = append(outlived, some...); len(outlived) >= journalBatch {
			break // the next round goes on
		}
	}
	return outlived, nil
}

// recordedClusters are the clusters that segments are of, each found by one look into an index, however many segments there are.
const recordedClusters = `WITH RECURSIVE recorded (id) AS (SELECT MIN(cluster_id) FROM journal_segments
	UNION ALL SELECT (SELECT MIN(cluster_id) FROM journal_segments WHERE cluster_id > recorded.id) FROM recorded WHERE recorded.id IS NOT NULL)
	SELECT id FROM recorded WHERE id IS NOT NULL`

// orphans are segments of clusters that are gone, unless one of them is still being recovered.
func (q Journal) orphans(ctx context.Context) ([]models.JournalSegment, error) {
	var gone []uint
	recovering, err := q.db.Recoveries.underWay(ctx)
	if err == nil {
		err = q.db.with(ctx).Raw(recordedClusters + " AND id NOT IN (SELECT id FROM clusters)").Scan(&gone).Error
	}
	var orphans []models.JournalSegment
	for _, cluster := range gone {
		if _, needed := recovering[cluster]; !needed && err == nil && len(orphans) < journalBatch {
			var some []models.JournalSegment
			err = q.db.with(ctx).Where("cluster_id = ?", cluster).Order("ended_at, id").Limit(journalBatch).Find(&some).Error
			orphans = append(orphans, some...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list the journals of clusters that are gone: %w", err)
	}
	return orphans, nil
}

// cuts says what of the stretches of a cluster is still needed: for its recovery window, and for recoveries that are under way or wait, also when their
// moments have left the window since they were asked for.
func (q Journal) cuts(ctx context.Context, cluster models.Cluster, plan models.JournalPlan) ([]models.JournalCut, error) {
	stretches, err := q.Stretches(ctx, cluster.ID)
	if err != nil || len(stretches) == 0 {
		return nil, err
	}
	bases, err := q.Bases(ctx, cluster)
	if err != nil {
		return nil, err
	}
	limit := plan.Limit(q.db.Now())
	if asked, is, err := q.db.Recoveries.earliest(ctx, cluster.ID); err != nil {
		return nil, err
	} else if is && asked.Before(limit) {
		limit = asked
	}
	return models.JournalCuts(limit, stretches, bases), nil
}

func (q Journal) outlived(ctx context.Context, cluster models.Cluster, plan models.JournalPlan) ([]models.JournalSegment, error) {
	cuts, err := q.cuts(ctx, cluster, plan)
	if err != nil {
		return nil, err
	}
	var outlived []models.JournalSegment
	for _, cut := range cuts {
		query := q.db.with(ctx).Where("cluster_id = ? AND shard = ? AND run = ? AND to_offset <= ? AND from_offset >= ?", cluster.ID, cut.Stretch.Shard, cut.Stretch.Run, cut.Before, cut.Stretch.From)
		if !cut.Until.IsZero() {
			query = query.Where("ended_at < ?", catalogTime(cut.Until))
		}
		var some []models.JournalSegment
		if err := query.Order("to_offset, id").Limit(journalBatch).Find(&some).Error; err != nil {
			return nil, err
		}
		outlived = append(outlived, some...)
	}
	lost, err := q.lost(ctx, cluster, plan)
	return append(outlived, lost...), err
}

// lost are the segments that cannot be read, and are older than the journal is kept. They are in no stretch.
func (q Journal) lost(ctx context.Context, cluster models.Cluster, plan models.JournalPlan) ([]models.JournalSegment, error) {
	var lost []models.JournalSegment
	err := q.db.with(ctx).Where("cluster_id = ? AND ended_at < ? AND damage NOT IN ?", cluster.ID, catalogTime(plan.Limit(q.db.Now())), []string{"", leaving}).
		Order("ended_at, id").Limit(journalBatch).Find(&lost).Error
	return lost, err
}

// needed are the snapshots that the recovery windows of these clusters begin with.
func (q Journal) needed(ctx context.Context, clusters []models.Cluster) (map[uint]bool, error) {
	plans, err := q.db.Recording.PlansOf(ctx, idsOf(clusters)...)
	if err != nil {
		return nil, err
	}
	needed := make(map[uint]bool)
	for _, cluster := range clusters {
		plan, has := plans[cluster.ID]
		if !has {
			continue
		}
		cuts, err := q.cuts(ctx, cluster, plan)
		if err != nil {
			return nil, fmt.Errorf("look for what the journal of %s needs: %w", cluster.Name, err)
		}
		for _, cut := range cuts {
			if cut.Base != nil {
				needed[cut.Base.SnapshotID] = true
			}
		}
	}
	return needed, nil
}

// leaving is the damage of segments that are being removed from the store.
const leaving = "It is being removed."

// Leave writes down that segments are about to be removed from the store, so that nobody takes them for lost when they are gone. Whoever was killed before
// [Journal.Forget] finds them again by [Journal.Outlived].
func (q Journal) Leave(ctx context.Context, segments []models.JournalSegment) error {
	for some := range slices.Chunk(segments, journalBatch) {
		ids := make([]uint, len(some))
		for i, s := range some {
			ids[i] = s.ID
		}
		if err := q.db.with(ctx).Model(&models.JournalSegment{}).Where("id IN ? AND damage = ''", ids).UpdateColumn("damage", leaving).Error; err != nil {
			return fmt.Errorf("write down that segments of a journal are being removed: %w", err)
		}
	}
	return nil
}

// Forget removes the rows of segments that are gone from the store, and shortens the stretches that began with them. They are the oldest of theirs.
func (q Journal) Forget(ctx context.Context, segments []models.JournalSegment) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		gone := make(tallies)
		for _, s := range segments {
			var rows []models.JournalSegment // as it is now: it may have been read back since
			if err := tx.with(ctx).Clauses(clause.Returning{}).Where("id = ?", s.ID).Delete(&rows).Error; err != nil {
				return err
			}
			for _, row := range rows {
				gone.add(tallyOf(row), -1)
			}
			if err := tx.Journal.shorten(ctx, s); err != nil {
				return err
			}
		}
		if err := tx.Journal.forgetEvents(ctx, segments, gone); err != nil {
			return err
		}
		return tx.Journal.settle(ctx, gone)
	})
	if err != nil {
		return fmt.Errorf("forget segments of a journal: %w", err)
	}
	return nil
}

// shorten takes a segment off the beginning of its stretch, which goes when nothing is left of it.
func (q Journal) shorten(ctx context.Context, s models.JournalSegment) error {
	stretch := func() *gorm.DB {
		return q.db.with(ctx).Model(&models.JournalStretch{}).Where("cluster_id = ? AND shard = ? AND run = ? AND from_offset <= ? AND to_offset >= ?", s.ClusterID, s.Shard, s.Run, s.From, s.To)
	}
	if err := stretch().Updates(map[string]any{"from_offset": s.To, "begun_at": catalogTime(s.End)}).Error; err != nil {
		return err
	}
	return q.db.with(ctx).Where("cluster_id = ? AND shard = ? AND run = ? AND from_offset >= to_offset", s.ClusterID, s.Shard, s.Run).Delete(&models.JournalStretch{}).Error
}

// forgetEvents removes what happened in segments.
func (q Journal) forgetEvents(ctx context.Context, segments []models.JournalSegment, gone tallies) error {
	for _, s := range segments {
		var events []models.JournalEvent
		err := q.db.with(ctx).Clauses(clause.Returning{}).Where("cluster_id = ? AND at <= ? AND shard = ? AND run = ? AND after_offset <= ?", s.ClusterID, catalogTime(s.End), s.Shard, s.Run, s.To).Delete(&events).Error
		if err != nil {
			return err
		}
		for _, e := range events {
			gone.add(oneEvent(e), -1)
		}
	}
	return nil
}

// Lost writes down that a segment cannot be read, and that its stretch is therefore two: what is before it, and what is behind it.
func (q Journal) Lost(ctx context.Context, s models.JournalSegment, why string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		marked := tx.with(ctx).Model(&models.JournalSegment{}).Where("id = ? AND damage = ''", s.ID).UpdateColumn("damage", why)
		if marked.Error != nil || marked.RowsAffected == 0 {
			return marked.Error
		}
		stretch, found, err := find[models.JournalStretch](tx.with(ctx).Where("cluster_id = ? AND shard = ? AND run = ? AND from_offset <= ? AND to_offset >= ?", s.ClusterID, s.Shard, s.Run, s.From, s.To))
		if err != nil || !found {
			return err
		}
		if err := tx.with(ctx).Delete(&models.JournalStretch{}, stretch.ID).Error; err != nil {
			return err
		}
		before, behind := stretch, stretch
		before.ID, before.To, before.End = 0, s.From, s.Begin
		behind.ID, behind.From, behind.Begin, behind.Gap = 0, s.To, s.End, why
		for _, rest := range []models.JournalStretch{before, behind} {
			if rest.From < rest.To {
				if err := tx.with(ctx).Create(&rest).Error; err != nil {
					return err
				}
			}
		}
		cluster, found, err := find[models.Cluster](tx.with(ctx).Where("id = ?", s.ClusterID))
		if err != nil || !found {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: cluster.Name,
			Message: fmt.Sprintf("The journal of %s cannot be read from %s to %s UTC: %s Everything before and after that can still be brought back.", cluster.Name,
				s.Begin.UTC().Format("2006-01-02 15:04:05"), s.End.UTC().Format("15:04:05"), why)})
	})
	if err != nil {
		return fmt.Errorf("write down that a segment of a journal is lost: %w", err)
	}
	return nil
}
