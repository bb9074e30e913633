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

// Journal is what is stored of the streams of clusters. The store has the truth about that: see [Journal.Adopt].
type Journal struct{ db *DB }

// add writes a segment and what happened in it, and lengthens the stretch that it belongs to. A segment that is known already changes nothing.
func (q Journal) add(ctx context.Context, s models.JournalSegment, events []models.JournalEvent, gap string) error {
	s.Begin, s.End = catalogTime(s.Begin), catalogTime(s.End)
	created := q.db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&s)
	if created.Error != nil || created.RowsAffected == 0 {
		return created.Error
	}
	if err := q.tally(ctx, tallyOf(s)); err != nil {
		return err
	}
	if err := q.happened(ctx, s, events); err != nil {
		return err
	}
	lengthened := q.db.with(ctx).Model(&models.JournalStretch{}).
		Where("cluster_id = ? AND shard = ? AND run = ? AND to_offset >= ? AND from_offset <= ? AND to_offset < ?", s.ClusterID, s.Shard, s.Run, s.From, s.From, s.To).
		Updates(map[string]any{"to_offset": s.To, "ended_at": s.End})
	if lengthened.Error != nil || lengthened.RowsAffected > 0 {
		return lengthened.Error
	}
	_, covered, err := find[models.JournalStretch](q.db.with(ctx).Where("cluster_id = ? AND shard = ? AND run = ? AND from_offset <= ? AND to_offset >= ?", s.ClusterID, s.Shard, s.Run, s.From, s.To))
	if err != nil || covered {
		return err
	}
	if err := q.db.with(ctx).Create(&models.JournalStretch{ClusterID: s.ClusterID, Shard: s.Shard, Run: s.Run, From: s.From, To: s.To, Begin: s.Begin, End: s.End, Gap: gap}).Error; err != nil || gap == "" {
		return err
	}
	return q.sayGap(ctx, s, gap)
}

// sayGap writes an event about a gap that ends with a segment.
func (q Journal) sayGap(ctx context.Context, s models.JournalSegment, gap string) error {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Where("id = ?", s.ClusterID))
	if err != nil || !found {
		return err
	}
	return q.db.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name,
		Message: fmt.Sprintf("The journal of %s has a gap before %s UTC. %s A snapshot is taken that it begins with again.", cluster.Name, s.Begin.UTC().Format(time.DateTime), gap)})
}

// happened writes down what happened in a segment.
func (q Journal) happened(ctx context.Context, s models.JournalSegment, events []models.JournalEvent) error {
	for i := range events {
		e := &events[i]
		e.ClusterID, e.Shard, e.Run, e.At = s.ClusterID, s.Shard, s.Run, catalogTime(e.At)
	}
	if len(events) == 0 {
		return nil
	}
	more := make(tallies)
	for _, e := range events {
		more.add(oneEvent(e), 1)
	}
	if err := q.settle(ctx, more); err != nil {
		return err
	}
	return q.db.with(ctx).CreateInBatches(events, 200).Error
}

// Adopt writes down segments that were found in the store, in the order of their places in the stream, and returns those that were not known. What
// happened in them is written down when they are read back.
func (q Journal) Adopt(ctx context.Context, segments []models.JournalSegment) (adopted []models.JournalSegment, err error) {
	for some := range slices.Chunk(segments, journalBatch) {
		err := q.db.transaction(ctx, func(tx *DB) error {
			keys := make([]string, len(some))
			for i, s := range some {
				keys[i] = s.Key
			}
			var known []string
			if err := tx.with(ctx).Model(&models.JournalSegment{}).Where("key IN ?", keys).Pluck("key", &known).Error; err != nil {
				return err
			}
			for _, s := range some {
				if slices.Contains(known, s.Key) {
					continue
				}
				s.Writes = -1
				if err := tx.Journal.add(ctx, s, nil, ""); err != nil {
					return err
				}
				adopted = append(adopted, s)
			}
			return nil
		})
		if err != nil {
			return adopted, fmt.Errorf("write down segments of a journal: %w", err)
		}
	}
	return adopted, nil
}

// Segments returns what is stored of a recording behind one place up to another, in the order of the stream.
func (q Journal) Segments(ctx context.Context, clusterID uint, shard int, run string, from, to int64) ([]models.JournalSegment, error) {
	segments, err := readAll[models.JournalSegment](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Where("cluster_id = ? AND shard = ? AND run = ? AND to_offset > ? AND from_offset < ?", clusterID, shard, run, from, to).Order("to_offset, id")
	})
	if err != nil {
		return nil, fmt.Errorf("list segments of a journal: %w", err)
	}
	return segments, nil
}

// Stretches returns what the stored stream of a cluster consists of, the oldest first.
func (q Journal) Stretches(ctx context.Context, clusterID uint) ([]models.JournalStretch, error) {
	var stretches []models.JournalStretch
	if err := q.db.with(ctx).Where("cluster_id = ?", clusterID).Order("begun_at, id").Find(&stretches).Error; err != nil {
		return nil, fmt.Errorf("list the stretches of a journal: %w", err)
	}
	return stretches, nil
}

// runOfPart is the recording that goes through the place of a part. Only the first segments that end behind the place are looked at: of a place from before
// all of them, that is all there is to know.
const runOfPart = `SELECT run FROM (SELECT run, from_offset, to_offset FROM journal_segments s WHERE s.cluster_id = ? AND s.shard = parts.number AND s.replication_id = parts.replication_id
			AND s.to_offset >= parts.replication_offset ORDER BY s.to_offset LIMIT 8) nearest WHERE from_offset <= parts.replication_offset ORDER BY to_offset LIMIT 1`

// Bases returns the snapshots of a cluster behind which its stream can be played back.
func (q Journal) Bases(ctx context.Context, cluster models.Cluster) ([]models.JournalBase, error) {
	var bases []models.JournalBase
	err := q.db.with(ctx).Table("snapshots").Select(`snapshots.id AS snapshot_id, snapshots.name AS snapshot_name, parts.number AS shard, parts.replication_offset AS "offset", parts.started_at AS at, (`+runOfPart+`) AS run`, cluster.ID).
		Joins("JOIN parts ON parts.snapshot_id = snapshots.id").
		Where("snapshots.cluster_id = ? AND snapshots.status IN ? AND snapshots.damage = '' AND parts.replication_id <> ''", cluster.ID, usable).Order("parts.started_at, snapshots.id").Scan(&bases).Error
	if err != nil {
		return nil, fmt.Errorf("list the snapshots that the journal of %s begins with: %w", cluster.Name, err)
	}
	fit := bases[:0]
	for _, b := range bases {
		if b.Run != "" {
			fit = append(fit, b)
		}
	}
	return fit, nil
}

// Window returns the time to any second of which a cluster can be brought back.
func (q Journal) Window(ctx context.Context, cluster models.Cluster) (models.RecoveryWindow, error) {
	stretches, err := q.Stretches(ctx, cluster.ID)
	if err != nil || len(stretches) == 0 {
		return nil, err
	}
	bases, err := q.Bases(ctx, cluster)
	return models.RecoveryWindowOf(max(1, cluster.ShardCount), stretches, bases), err
}

// Events returns what happened in a span that people may want to undo, the newest first.
func (q Journal) Events(ctx context.Context, clusterID uint, from, to time.Time, limit int) ([]models.JournalEvent, error) {
	var events []models.JournalEvent
	err := q.db.with(ctx).Where("cluster_id = ? AND at >= ? AND at <= ?", clusterID, catalogTime(from), catalogTime(to)).Order("at DESC, id DESC").Limit(limit).Find(&events).Error
	if err != nil {
		return nil, fmt.Errorf("list what happened in a journal: %w", err)
	}
	return events, nil
}

// Writes returns how much was written in each bar of a span, of all shards together: in the bar that a segment ends in.
func (q Journal) Writes(ctx context.Context, clusterID uint, span models.RecoverySpan, bar time.Duration) ([]models.JournalWrites, error) {
	type piece struct {
		EndedAt time.Time
		Writes  int64
		Bytes   int64
	}
	pieces, err := readAll[piece](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Table("journal_segments").Select("ended_at", "writes", "to_offset - from_offset AS bytes").Where("cluster_id = ? AND ended_at >= ? AND ended_at <= ?", clusterID, catalogTime(span.From), catalogTime(span.To))
	})
	if err != nil {
		return nil, fmt.Errorf("sum what a journal has: %w", err)
	}
	writes := barsOf(span, bar)
	for _, p := range pieces {
		w := &writes[min(int(p.EndedAt.Sub(span.From)/bar), len(writes)-1)]
		w.Writes, w.Bytes = w.Writes+max(0, p.Writes), w.Bytes+p.Bytes
	}
	return writes, nil
}

// Size is how much of a cluster's stream is stored, in bytes.
func (q Journal) Size(ctx context.Context, clusterID uint) (size int64, err error) {
	if err := q.db.with(ctx).Model(&journalTally{}).Where("cluster_id = ?", clusterID).Select("CAST(COALESCE(SUM(size), 0) AS bigint)").Scan(&size).Error; err != nil {
		return 0, fmt.Errorf("sum the size of a journal: %w", err)
	}
	return size, nil
}

// Around returns the segments of all shards of a cluster that have something of a span.
func (q Journal) Around(ctx context.Context, clusterID uint, span models.RecoverySpan) ([]models.JournalSegment, error) {
	segments, err := readAll[models.JournalSegment](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Where("cluster_id = ? AND ended_at >= ? AND begun_at <= ? AND ended_at <= ?", clusterID, catalogTime(span.From), catalogTime(span.To), catalogTime(span.To.Add(time.Hour))).Order("ended_at, id")
	})
	if err != nil {
		return nil, fmt.Errorf("list segments of a journal: %w", err)
	}
	return segments, nil
}
