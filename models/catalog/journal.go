package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"rekindle/internal/words"
	"rekindle/models"
)

// Journal knows which clusters' replication streams are kept, what of them is stored, and which consoles keep the links. The store has the truth about
// what is stored: see [Journal.Adopt].
type Journal struct{ db *DB }

// Plan returns how the journal of a cluster is kept; one that is not kept if it has none.
func (q Journal) Plan(ctx context.Context, cluster models.Cluster) (models.JournalPlan, error) {
	plan, found, err := find[models.JournalPlan](q.db.with(ctx).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return plan, fmt.Errorf("find the journal of %s: %w", cluster.Name, err)
	} else if !found {
		return models.JournalPlan{ClusterID: cluster.ID, Days: min(7, max(1, cluster.RetentionLimit)), Promise: models.DefaultPromise}, nil
	}
	return plan, nil
}

// PlansOf returns how the journals of those of these clusters are kept that have, or had, one.
func (q Journal) PlansOf(ctx context.Context, clusters ...uint) (map[uint]models.JournalPlan, error) {
	var rows []models.JournalPlan
	if err := q.db.with(ctx).Where("cluster_id IN ?", clusters).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list how journals are kept: %w", err)
	}
	plans := make(map[uint]models.JournalPlan, len(rows))
	for _, row := range rows {
		plans[row.ClusterID] = row
	}
	return plans, nil
}

// Save changes how the journal of a cluster is kept.
func (q Journal) Save(ctx context.Context, name string, plan models.JournalPlan, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := plan.Check(cluster); err != nil {
			return err
		}
		before, err := tx.Journal.Plan(ctx, cluster)
		if err != nil {
			return err
		}
		if plan.ClusterID, plan.Since = cluster.ID, before.Since; plan.Kept != before.Kept {
			plan.Since = catalogTime(tx.Now())
		}
		if plan == before || !plan.Kept && !before.Kept {
			return nil
		}
		if !plan.Kept { // what was chosen before decides how long what is there stays
			plan.Days, plan.Promise, plan.Lone = before.Days, before.Promise, before.Lone
		}
		if err := tx.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&plan).Error; err != nil {
			return fmt.Errorf("change the journal of %s: %w", name, err)
		}
		message := fmt.Sprintf("The journal of %s was turned off by %s. What was recorded is kept for %s.", name, requestedBy, words.Plural(int64(plan.Days), "day"))
		if plan.Kept {
			message = fmt.Sprintf("The journal of %s is kept for %s, as %s asked for. At most %s of writes are lost when everything is lost at once.", name,
				words.Plural(int64(plan.Days), "day"), requestedBy, words.Duration(plan.Promise))
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: message})
	})
}

// Kept returns the plans of the clusters whose journals are kept.
func (q Journal) Kept(ctx context.Context) ([]models.JournalPlan, error) {
	var plans []models.JournalPlan
	if err := q.db.with(ctx).Where("kept").Order("cluster_id").Find(&plans).Error; err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	return plans, nil
}

// leaderless are links whose owner has no lease.
const leaderless = "owner NOT IN (SELECT id FROM owners)"

// Claim makes an owner with a lease the keeper of the link to a shard, unless another one is. It returns how far the stream is stored.
func (q Journal) Claim(ctx context.Context, cluster models.Cluster, shard int, owner string) (link models.JournalLink, mine bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Owners.leased(ctx, owner); err != nil {
			return err
		}
		fresh := models.JournalLink{ClusterID: cluster.ID, Shard: shard, Owner: owner, State: models.JournalWaiting, Since: catalogTime(tx.Now())}
		if err := tx.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&fresh).Error; err != nil {
			return err
		}
		claimed := tx.with(ctx).Model(&models.JournalLink{}).Where("cluster_id = ? AND shard = ? AND (owner = ? OR "+leaderless+")", cluster.ID, shard, owner).UpdateColumn("owner", owner)
		if claimed.Error != nil || claimed.RowsAffected == 0 {
			return claimed.Error
		}
		link, mine, err = find[models.JournalLink](tx.with(ctx).Where("cluster_id = ? AND shard = ?", cluster.ID, shard))
		return err
	})
	if err != nil {
		return link, false, fmt.Errorf("claim the journal of shard %d of %s: %w", shard, cluster.Name, err)
	}
	return link, mine, nil
}

// Release gives up a link, so that another console, or this one, may open it.
func (q Journal) Release(ctx context.Context, link models.JournalLink) error {
	err := q.mine(ctx, link).UpdateColumn("owner", "").Error
	if err != nil {
		return fmt.Errorf("release a journal: %w", err)
	}
	return nil
}

// mine is the row of a link, if its owner still has it.
func (q Journal) mine(ctx context.Context, link models.JournalLink) *gorm.DB {
	return q.db.with(ctx).Model(&models.JournalLink{}).Where("cluster_id = ? AND shard = ? AND owner = ?", link.ClusterID, link.Shard, link.Owner)
}

// Report writes down in which state a link is. The error is ErrLeaseLost when another console keeps it.
func (q Journal) Report(ctx context.Context, link models.JournalLink) error {
	changed := q.mine(ctx, link).Select("node", "role", "state", "reason", "run", "replication_id", "stored_offset", "resume_offset", "resume_db", "needs_base", "since").Updates(&link)
	if changed.Error != nil {
		return fmt.Errorf("write down the state of a journal: %w", changed.Error)
	} else if changed.RowsAffected == 0 {
		return models.ErrLeaseLost
	}
	return nil
}

// Links returns the links to the shards of a cluster.
func (q Journal) Links(ctx context.Context, cluster models.Cluster) ([]models.JournalLink, error) {
	var links []models.JournalLink
	if err := q.db.with(ctx).Where("cluster_id = ?", cluster.ID).Order("shard").Find(&links).Error; err != nil {
		return nil, fmt.Errorf("list the journals of %s: %w", cluster.Name, err)
	}
	return links, nil
}

// Stored writes down that a segment is in the store, and what happened in it; the link says where it goes on behind it. gap says why there is a gap before it, if there is one. The error is
// ErrLeaseLost when another console keeps the link, which then finds the segment in the store by itself.
func (q Journal) Stored(ctx context.Context, link models.JournalLink, segment models.JournalSegment, events []models.JournalEvent, gap string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		end := catalogTime(segment.End)
		link.Run, link.ReplicationID, link.Offset, link.StoredAt = segment.Run, segment.ReplicationID, segment.To, &end
		if err := tx.Journal.GoOn(ctx, link); err != nil {
			return err
		}
		return tx.Journal.add(ctx, segment, events, gap)
	})
	if err != nil {
		return fmt.Errorf("write down a segment of a journal: %w", err)
	}
	return nil
}

// add writes a segment and what happened in it, and lengthens the stretch that it belongs to. A segment that is known already changes nothing.
func (q Journal) add(ctx context.Context, s models.JournalSegment, events []models.JournalEvent, gap string) error {
	s.Begin, s.End = catalogTime(s.Begin), catalogTime(s.End)
	created := q.db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&s)
	if created.Error != nil || created.RowsAffected == 0 {
		return created.Error
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
	return q.db.with(ctx).CreateInBatches(events, 200).Error
}

// Adopt writes down segments that were found in the store, in the order of their places in the stream, and returns how many were not known. What
// happened in them is written down when they are read back.
func (q Journal) Adopt(ctx context.Context, segments []models.JournalSegment) (adopted int, err error) {
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
				adopted++
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

// SegmentAt returns the first segment of a shard that ends at an instant or later.
func (q Journal) SegmentAt(ctx context.Context, clusterID uint, shard int, at time.Time) (models.JournalSegment, bool, error) {
	segment, found, err := find[models.JournalSegment](q.db.with(ctx).Where("cluster_id = ? AND shard = ? AND ended_at >= ?", clusterID, shard, catalogTime(at)).Order("ended_at"))
	if err != nil {
		return segment, false, fmt.Errorf("find a segment of a journal: %w", err)
	}
	return segment, found, nil
}

// Stretches returns what the stored stream of a cluster consists of, the oldest first.
func (q Journal) Stretches(ctx context.Context, clusterID uint) ([]models.JournalStretch, error) {
	var stretches []models.JournalStretch
	if err := q.db.with(ctx).Where("cluster_id = ?", clusterID).Order("begun_at, id").Find(&stretches).Error; err != nil {
		return nil, fmt.Errorf("list the stretches of a journal: %w", err)
	}
	return stretches, nil
}

// Bases returns the snapshots of a cluster behind which its stream can be played back.
func (q Journal) Bases(ctx context.Context, cluster models.Cluster) ([]models.JournalBase, error) {
	var bases []models.JournalBase
	err := q.db.with(ctx).Table("snapshots").Select(`snapshots.id AS snapshot_id, snapshots.name AS snapshot_name, parts.number AS shard, parts.replication_offset AS "offset", parts.started_at AS at, (SELECT run FROM journal_segments s
			WHERE s.cluster_id = ? AND s.shard = parts.number AND s.replication_id = parts.replication_id AND s.from_offset <= parts.replication_offset
			AND s.to_offset >= parts.replication_offset ORDER BY s.to_offset LIMIT 1) AS run`, cluster.ID).
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

// baseAgain is the pause between two snapshots that are asked for because a stretch has none to begin with.
const baseAgain = 10 * time.Minute

// QueueBase queues a snapshot of a cluster whose present stretch has none to begin with. The tick asks again when it failed, or the cluster was busy.
func (q Journal) QueueBase(ctx context.Context, cluster models.Cluster) (queued bool, err error) {
	needed, err := q.needsBase(ctx, cluster)
	if err != nil || !needed {
		return false, err
	}
	now := q.db.Now()
	err = q.db.transaction(ctx, func(tx *DB) error {
		asked := tx.with(ctx).Model(&models.JournalLink{}).Where("cluster_id = ? AND (base_asked_at IS NULL OR base_asked_at <= ? OR base_asked_at > ?)", cluster.ID,
			catalogTime(now.Add(-baseAgain)), catalogTime(now)).UpdateColumn("base_asked_at", catalogTime(now))
		if asked.Error != nil || asked.RowsAffected == 0 {
			return asked.Error
		}
		name, err := tx.Snapshots.create(ctx, cluster, models.AutomaticName(cluster.Name, now), models.SourceAutomatic, false)
		if err != nil {
			return err
		}
		_, err = tx.Snapshots.queue(ctx, cluster, name, models.BaseByJournal, models.SnapshotArgs{})
		queued = err == nil
		return err
	})
	if _, refused := models.AsFaults(err); refused || errors.Is(err, gorm.ErrDuplicatedKey) {
		return false, nil // it is busy: the next tick asks again
	} else if err != nil {
		return false, fmt.Errorf("queue a snapshot for the journal of %s: %w", cluster.Name, err)
	}
	return queued, nil
}

// needsBase tells whether a shard of the cluster is recorded, and nothing is there that its stream could be played back behind.
func (q Journal) needsBase(ctx context.Context, cluster models.Cluster) (bool, error) {
	links, err := q.Links(ctx, cluster)
	if err != nil {
		return false, err
	}
	bases, err := q.Bases(ctx, cluster)
	if err != nil {
		return false, err
	}
	stretches, err := q.Stretches(ctx, cluster.ID)
	if err != nil {
		return false, err
	}
	for _, link := range links {
		if link.NeedsBase {
			return true, nil
		}
		if link.State != models.JournalFollowing || link.Playable(stretches, bases) {
			continue
		}
		if taken, err := q.taken(ctx, cluster, link); err != nil || !taken {
			return !taken, err
		}
	}
	return false, nil
}

// taken tells whether a snapshot was taken since a link began to record. The piece of the stream that its place lies in may not be stored yet.
func (q Journal) taken(ctx context.Context, cluster models.Cluster, link models.JournalLink) (bool, error) {
	places, err := q.Places(ctx, cluster, link.Shard)
	return slices.ContainsFunc(places, func(p models.HistoryPlace) bool {
		return p.ReplicationID == link.ReplicationID && p.Offset >= link.Offset
	}), err
}

// GoOn writes down up to where the stream of a link is stored, and where it goes on. The error is ErrLeaseLost when another console keeps the link.
func (q Journal) GoOn(ctx context.Context, link models.JournalLink) error {
	at := catalogTimeOf(link.StoredAt)
	moved := q.mine(ctx, link).Updates(map[string]any{"run": link.Run, "replication_id": link.ReplicationID, "stored_offset": link.Offset, "stored_at": at,
		"resume_offset": link.Resume, "resume_db": link.Database})
	if moved.Error != nil {
		return fmt.Errorf("write down where a journal goes on: %w", moved.Error)
	} else if moved.RowsAffected == 0 {
		return models.ErrLeaseLost
	}
	return nil
}

// triedPlaces is how many snapshots a link tries to begin with: a node has forgotten what is older.
const triedPlaces = 3

// Places returns the places of the newest snapshots of a shard in its history, the newest first.
func (q Journal) Places(ctx context.Context, cluster models.Cluster, shard int) ([]models.HistoryPlace, error) {
	var places []models.HistoryPlace
	err := q.db.with(ctx).Table("snapshots").Select(`parts.replication_id AS replication_id, parts.replication_offset AS "offset"`).Joins("JOIN parts ON parts.snapshot_id = snapshots.id").
		Where("snapshots.cluster_id = ? AND snapshots.status IN ? AND snapshots.damage = '' AND parts.number = ? AND parts.replication_id <> ''", cluster.ID, usable, shard).
		Order("parts.started_at DESC").Limit(triedPlaces).Scan(&places).Error
	if err != nil {
		return nil, fmt.Errorf("list the snapshots that the journal of %s could begin with: %w", cluster.Name, err)
	}
	return places, nil
}

// Writes returns how much was written in each bar of a span, of all shards together: in the bar that a segment ends in.
func (q Journal) Writes(ctx context.Context, clusterID uint, span models.RecoverySpan, bar time.Duration) ([]models.JournalWrites, error) {
	type piece struct {
		EndedAt time.Time
		Writes  int64
	}
	pieces, err := readAll[piece](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Table("journal_segments").Select("ended_at", "writes").Where("cluster_id = ? AND ended_at >= ? AND ended_at <= ?", clusterID, catalogTime(span.From), catalogTime(span.To))
	})
	if err != nil {
		return nil, fmt.Errorf("sum what a journal has: %w", err)
	}
	writes := make([]models.JournalWrites, span.To.Sub(span.From)/bar)
	for i := range writes {
		writes[i].At = span.From.Add(time.Duration(i) * bar)
	}
	for _, p := range pieces {
		writes[min(int(p.EndedAt.Sub(span.From)/bar), len(writes)-1)].Writes += max(0, p.Writes)
	}
	return writes, nil
}

// Size is how much of a cluster's stream is stored, in bytes.
func (q Journal) Size(ctx context.Context, clusterID uint) (size int64, err error) {
	if err := q.db.with(ctx).Model(&models.JournalSegment{}).Where("cluster_id = ?", clusterID).Select("COALESCE(SUM(size), 0)").Scan(&size).Error; err != nil {
		return 0, fmt.Errorf("sum the size of a journal: %w", err)
	}
	return size, nil
}

// EventBy returns one thing that happened in the journal of a cluster.
func (q Journal) EventBy(ctx context.Context, clusterID, id uint) (models.JournalEvent, bool, error) {
	event, found, err := find[models.JournalEvent](q.db.with(ctx).Where("cluster_id = ? AND id = ?", clusterID, id))
	if err != nil {
		return event, false, fmt.Errorf("find what happened in a journal: %w", err)
	}
	return event, found, nil
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
