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

// Recording knows which clusters' journals are kept, and which console keeps the link to which shard. What is stored is in [Journal].
type Recording struct{ db *DB }

// Plan returns how the journal of a cluster is kept; one that is not kept if it has none.
func (q Recording) Plan(ctx context.Context, cluster models.Cluster) (models.JournalPlan, error) {
	plan, found, err := find[models.JournalPlan](q.db.with(ctx).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return plan, fmt.Errorf("find the journal of %s: %w", cluster.Name, err)
	} else if !found {
		return models.JournalPlan{ClusterID: cluster.ID, Days: min(7, max(1, cluster.RetentionLimit)), Promise: models.DefaultPromise}, nil
	}
	return plan, nil
}

// PlansOf returns how the journals of those of these clusters are kept that have, or had, one.
func (q Recording) PlansOf(ctx context.Context, clusters ...uint) (map[uint]models.JournalPlan, error) {
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
func (q Recording) Save(ctx context.Context, name string, plan models.JournalPlan, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := plan.Check(cluster); err != nil {
			return err
		}
		before, err := tx.Recording.Plan(ctx, cluster)
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
			plan.Days, plan.Promise, plan.Lone, plan.Synthetic = before.Days, before.Promise, before.Lone, before.Synthetic
		}
		if err := tx.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&plan).Error; err != nil {
			return fmt.Errorf("change the journal of %s: %w", name, err)
		}
		message := fmt.Sprintf("The journal of %s was turned off by %s. What was recorded is kept for %s.", name, requestedBy, words.Plural(int64(plan.Days), "day"))
		if plan.Kept {
			message = fmt.Sprintf("The journal of %s is kept for %s, as %s asked for. At most %s of writes are lost when everything is lost at once.", name,
				words.Plural(int64(plan.Days), "day"), requestedBy, words.Duration(plan.Promise))
		}
		event := models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: message}
		if plan.Kept && plan.Synthetic {
			event.Message += " The daily snapshot is made from it."
		} else { // nothing is compared any more
			event.Ends = []models.Condition{models.ConditionDiffers}
		}
		return tx.Events.Add(ctx, event)
	})
}

// Kept returns the plans of the clusters whose journals are kept.
func (q Recording) Kept(ctx context.Context) ([]models.JournalPlan, error) {
	var plans []models.JournalPlan
	if err := q.db.with(ctx).Where("kept").Order("cluster_id").Find(&plans).Error; err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	return plans, nil
}

// leaderless are links whose owner has no lease.
const leaderless = "owner NOT IN (SELECT id FROM owners)"

// Claim makes an owner with a lease the keeper of the link to a shard, unless another one is. It returns how far the stream is stored.
func (q Recording) Claim(ctx context.Context, cluster models.Cluster, shard int, owner string) (link models.JournalLink, mine bool, err error) {
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
func (q Recording) Release(ctx context.Context, link models.JournalLink) error {
	err := q.mine(ctx, link).UpdateColumn("owner", "").Error
	if err != nil {
		return fmt.Errorf("release a journal: %w", err)
	}
	return nil
}

// mine is the row of a link, if its owner still has it.
func (q Recording) mine(ctx context.Context, link models.JournalLink) *gorm.DB {
	return q.db.with(ctx).Model(&models.JournalLink{}).Where("cluster_id = ? AND shard = ? AND owner = ?", link.ClusterID, link.Shard, link.Owner)
}

// Report writes down in which state a link is. The error is ErrLeaseLost when another console keeps it.
func (q Recording) Report(ctx context.Context, link models.JournalLink) error {
	changed := q.mine(ctx, link).Select("node", "role", "state", "reason", "run", "replication_id", "stored_offset", "resume_offset", "resume_db", "needs_base", "since").Updates(&link)
	if changed.Error != nil {
		return fmt.Errorf("write down the state of a journal: %w", changed.Error)
	} else if changed.RowsAffected == 0 {
		return models.ErrLeaseLost
	}
	return nil
}

// Links returns the links to the shards of a cluster.
func (q Recording) Links(ctx context.Context, cluster models.Cluster) ([]models.JournalLink, error) {
	var links []models.JournalLink
	if err := q.db.with(ctx).Where("cluster_id = ?", cluster.ID).Order("shard").Find(&links).Error; err != nil {
		return nil, fmt.Errorf("list the journals of %s: %w", cluster.Name, err)
	}
	return links, nil
}

// Stored writes down that a segment is in the store, and what happened in it; the link says where it goes on behind it. gap says why there is a gap before it, if there is one. The error is
// ErrLeaseLost when another console keeps the link, which then finds the segment in the store by itself.
func (q Recording) Stored(ctx context.Context, link models.JournalLink, segment models.JournalSegment, events []models.JournalEvent, gap string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		end := catalogTime(segment.End)
		link.Run, link.ReplicationID, link.Offset, link.StoredAt = segment.Run, segment.ReplicationID, segment.To, &end
		if err := tx.Recording.GoOn(ctx, link); err != nil {
			return err
		}
		return tx.Journal.add(ctx, segment, events, gap)
	})
	if err != nil {
		return fmt.Errorf("write down a segment of a journal: %w", err)
	}
	return nil
}

// baseAgain is the pause between two snapshots that are asked for because a stretch has none to begin with.
const baseAgain = 10 * time.Minute

// QueueBase queues a snapshot of a cluster whose present stretch has none to begin with. The tick asks again when it failed, or the cluster was busy.
func (q Recording) QueueBase(ctx context.Context, cluster models.Cluster) (queued bool, err error) {
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
func (q Recording) needsBase(ctx context.Context, cluster models.Cluster) (bool, error) {
	links, err := q.Links(ctx, cluster)
	if err != nil {
		return false, err
	}
	bases, err := q.db.Journal.Bases(ctx, cluster)
	if err != nil {
		return false, err
	}
	stretches, err := q.db.Journal.Stretches(ctx, cluster.ID)
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
func (q Recording) taken(ctx context.Context, cluster models.Cluster, link models.JournalLink) (bool, error) {
	places, err := q.Places(ctx, cluster, link.Shard)
	return slices.ContainsFunc(places, func(p models.HistoryPlace) bool {
		return p.ReplicationID == link.ReplicationID && p.Offset >= link.Offset
	}), err
}

// GoOn writes down up to where the stream of a link is stored, and where it goes on. The error is ErrLeaseLost when another console keeps the link.
func (q Recording) GoOn(ctx context.Context, link models.JournalLink) error {
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
func (q Recording) Places(ctx context.Context, cluster models.Cluster, shard int) ([]models.HistoryPlace, error) {
	var places []models.HistoryPlace
	err := q.db.with(ctx).Table("snapshots").Select(`parts.replication_id AS replication_id, parts.replication_offset AS "offset"`).Joins("JOIN parts ON parts.snapshot_id = snapshots.id").
		Where("snapshots.cluster_id = ? AND snapshots.status IN ? AND snapshots.damage = '' AND parts.number = ? AND parts.replication_id <> ''", cluster.ID, usable, shard).
		Order("parts.started_at DESC").Limit(triedPlaces).Scan(&places).Error
	if err != nil {
		return nil, fmt.Errorf("list the snapshots that the journal of %s could begin with: %w", cluster.Name, err)
	}
	return places, nil
}
