package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// placeJournal refuses to look in a journal of which nothing is stored.
func (q Finds) placeJournal(ctx context.Context, run *models.Run) error {
	cluster, err := q.db.Clusters.Get(ctx, run.ClusterName)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return models.Refuse(models.CodeClusterNotFound, "in", fmt.Sprintf("There is no cluster %s.", run.ClusterName))
	} else if err != nil {
		return err
	}
	_, stored, err := find[models.JournalSegment](q.db.with(ctx).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return fmt.Errorf("look for the journal of %s: %w", cluster.Name, err)
	} else if !stored {
		return models.Refuse(models.CodeInvalid, "in", fmt.Sprintf("Nothing of a journal of %s is stored. A journal is kept when that is chosen on the cluster's page.", cluster.Name))
	}
	run.ClusterID = cluster.ID
	return nil
}

// beginJournal writes down that a search looks through a journal.
func (q Finds) beginJournal(ctx context.Context, run models.Run, args models.FindArgs) error {
	if args.Journal == nil {
		return nil
	}
	return q.db.with(ctx).Create(&models.FindStream{RunID: run.ID}).Error
}

// maxHoles is how many pieces that could not be looked through are listed.
const maxHoles = 100

// NoteChanges writes down what looking through a piece of a journal has brought. The newest changes are kept, whichever piece they come with; all count.
func (q Finds) NoteChanges(ctx context.Context, run models.Run, keep int, found models.FoundChanges) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Runs.hold(ctx, run); err != nil {
			return err
		}
		var stream models.FindStream
		if err := tx.with(ctx).Where("run_id = ?", run.ID).Take(&stream).Error; err != nil {
			return err
		}
		if err := tx.Finds.keepChanges(ctx, &stream, keep, found.Changes); err != nil {
			return err
		}
		if err := tx.Finds.keepHoles(ctx, &stream, found.Holes); err != nil {
			return err
		}
		return tx.with(ctx).Model(&models.FindStream{}).Where("run_id = ?", run.ID).
			Updates(map[string]any{"changes": stream.Changes + found.Count, "kept": stream.Kept, "holes": stream.Holes}).Error
	})
	if err != nil {
		return fmt.Errorf("note what run %d has found in a journal: %w", run.ID, err)
	}
	return nil
}

// newestChanges is the order of changes: by the second, and in a second by their places in the stream.
const newestChanges = "at DESC, after_offset DESC, id DESC"

// keepChanges keeps changes, and as many as fit of all.
func (q Finds) keepChanges(ctx context.Context, stream *models.FindStream, keep int, changes []models.FoundChange) error {
	for i := range changes {
		changes[i].ID, changes[i].RunID, changes[i].At = 0, stream.RunID, catalogTime(changes[i].At)
		changes[i].ExpiresAt = catalogTimeOf(changes[i].ExpiresAt)
	}
	if len(changes) == 0 {
		return nil
	}
	if err := q.db.with(ctx).CreateInBatches(changes, batch).Error; err != nil {
		return err
	}
	if stream.Kept += len(changes); stream.Kept <= keep {
		return nil
	}
	stream.Kept = keep
	newest := q.db.with(ctx).Model(&models.FoundChange{}).Select("id").Where("run_id = ?", stream.RunID).Order(newestChanges).Limit(keep)
	return q.db.with(ctx).Where("run_id = ? AND id NOT IN (?)", stream.RunID, newest).Delete(&models.FoundChange{}).Error
}

func (q Finds) keepHoles(ctx context.Context, stream *models.FindStream, holes []models.FindHole) error {
	listed := holes[:min(len(holes), max(0, maxHoles-stream.Holes))]
	for i := range listed {
		listed[i].ID, listed[i].RunID = 0, stream.RunID
		listed[i].Begin, listed[i].End = catalogTimeOf(listed[i].Begin), catalogTimeOf(listed[i].End)
	}
	stream.Holes += len(holes)
	if len(listed) == 0 {
		return nil
	}
	return q.db.with(ctx).Create(&listed).Error
}

// JournalDone writes down that all of a journal was looked through.
func (q Finds) JournalDone(ctx context.Context, run models.Run) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Runs.hold(ctx, run); err != nil {
			return err
		}
		return tx.with(ctx).Model(&models.FindStream{}).Where("run_id = ?", run.ID).Update("done", true).Error
	})
	if err != nil {
		return fmt.Errorf("note that run %d has looked through a journal: %w", run.ID, err)
	}
	return nil
}

// Stream returns what a search has found out about a journal; false if it looks through none, or has not begun.
func (q Finds) Stream(ctx context.Context, run uint) (models.FindStream, bool, error) {
	stream, is, err := find[models.FindStream](q.db.with(ctx).Where("run_id = ?", run))
	if err != nil {
		err = fmt.Errorf("find what run %d has found in a journal: %w", run, err)
	}
	return stream, is, err
}

// Changes lists the changes that a search has kept, the newest first, by pages.
func (q Finds) Changes(ctx context.Context, run uint, from, limit int) (changes []models.FoundChange, err error) {
	if err = q.db.with(ctx).Where("run_id = ?", run).Order(newestChanges).Offset(from).Limit(limit).Find(&changes).Error; err != nil {
		err = fmt.Errorf("list the changes that run %d has found: %w", run, err)
	}
	return changes, err
}

// Holes lists what a search could not look through of a journal.
func (q Finds) Holes(ctx context.Context, run uint) (holes []models.FindHole, err error) {
	if err = q.db.with(ctx).Where("run_id = ?", run).Order("begun_at, id").Limit(maxHoles).Find(&holes).Error; err != nil {
		err = fmt.Errorf("list what run %d could not look through: %w", run, err)
	}
	return holes, err
}

// removeChanges removes what searches have found in journals.
func (q Finds) removeChanges(ctx context.Context, which string, args ...any) error {
	return errors.Join(q.db.with(ctx).Where(which, args...).Delete(&models.FoundChange{}).Error, q.db.with(ctx).Where(which, args...).Delete(&models.FindHole{}).Error,
		q.db.with(ctx).Where(which, args...).Delete(&models.FindStream{}).Error)
}

// Recordings returns what is stored of a cluster's streams in a span of time, for each shard and each of its recordings. Segments that are being removed are
// not among them.
func (q Journal) Recordings(ctx context.Context, clusterID uint, span models.FindJournal) ([]models.Recording, error) {
	var recordings []models.Recording
	query := q.db.with(ctx).Model(&models.JournalSegment{}).Select("cluster_id, shard, run, MIN(from_offset) AS from_offset, MAX(to_offset) AS to_offset").
		Where("cluster_id = ? AND damage <> ?", clusterID, leaving)
	if !span.Since.IsZero() {
		query = query.Where("ended_at >= ?", catalogTime(span.Since))
	}
	if !span.Until.IsZero() {
		query = query.Where("begun_at < ?", catalogTime(span.Until.Add(time.Second)))
	}
	if err := query.Group("cluster_id, shard, run").Order("shard, run").Scan(&recordings).Error; err != nil {
		return nil, fmt.Errorf("list the recordings of a journal: %w", err)
	}
	return recordings, nil
}

// of are the segments of a recording that are not being removed.
func (q Journal) of(ctx context.Context, r models.Recording) *gorm.DB {
	return q.db.with(ctx).Where("cluster_id = ? AND shard = ? AND run = ? AND damage <> ?", r.ClusterID, r.Shard, r.Run, leaving)
}

// Back returns the segment that ends at most at a place of a recording, so many before the last such one; false: there are not so many.
func (q Journal) Back(ctx context.Context, r models.Recording, place int64, steps int) (models.JournalSegment, bool, error) {
	segment, found, err := find[models.JournalSegment](q.of(ctx, r).Where("to_offset <= ?", place).Order("to_offset DESC").Offset(steps))
	if err != nil {
		err = fmt.Errorf("find a segment of a journal: %w", err)
	}
	return segment, found, err
}

// nested is how many segments of one recording may lie within another one, at most, without being read twice.
const nested = 8

// SegmentAt returns the segment of a recording that has the byte behind a place; if none has, the next one behind it; false: there is none.
func (q Journal) SegmentAt(ctx context.Context, r models.Recording, place int64) (best models.JournalSegment, found bool, err error) {
	var some []models.JournalSegment
	if err := q.of(ctx, r).Where("to_offset > ?", place).Order("to_offset").Limit(nested).Find(&some).Error; err != nil {
		return best, false, fmt.Errorf("find a segment of a journal: %w", err)
	}
	for _, s := range some {
		if !found || s.From < best.From && best.From > place || s.From <= place && best.From <= place && s.To > best.To {
			best, found = s, true
		}
	}
	return best, found, nil
}
