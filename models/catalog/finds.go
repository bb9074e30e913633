package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"rekindle/models"
)

// Finds queues searches for keys in snapshots, and keeps what they find, for a week.
type Finds struct{ db *DB }

// Request queues a search.
func (q Finds) Request(ctx context.Context, spec models.FindSpec) (models.Run, error) {
	var run models.Run
	if err := spec.Check(); err != nil {
		return run, err
	}
	err := q.db.transaction(ctx, func(tx *DB) (err error) {
		run = models.Run{Kind: models.RunFind, ClusterName: spec.Cluster, SnapshotName: spec.Snapshot, RequestedBy: spec.RequestedBy}
		if spec.Journal != nil {
			err = tx.Finds.placeJournal(ctx, &run)
		}
		if err == nil && !spec.Journal.Alone() {
			err = tx.Finds.place(ctx, &run)
		}
		if err != nil {
			return err
		}
		args := models.FindArgs{Pattern: spec.Pattern, Keep: cmp.Or(spec.Keep, models.FindKeeps), Token: spec.Token, Journal: spec.Journal}
		if run, err = tx.Runs.enqueue(ctx, run, args); err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&models.Find{RunID: run.ID, Sought: []byte(spec.Sought), CreatedAt: tx.Now()}).Error; err != nil {
			return fmt.Errorf("keep what is looked for: %w", err)
		}
		return nil
	})
	return run, err
}

// place finds what a search is to look through, and refuses what has nothing.
func (q Finds) place(ctx context.Context, run *models.Run) error {
	if run.SnapshotName != "" {
		snapshot, err := q.db.Snapshots.Get(ctx, run.SnapshotName)
		if models.HasCode(err, models.CodeSnapshotNotFound) {
			return models.Refuse(models.CodeSnapshotNotFound, "in", fmt.Sprintf("There is no snapshot %s.", run.SnapshotName))
		} else if err != nil {
			return err
		}
		if !snapshot.Usable() {
			return models.Refuse(models.CodeSnapshotState, "in", fmt.Sprintf("The snapshot %s is %s; keys can be looked for when it is available.", snapshot.Name, snapshot.Status))
		}
		run.ClusterName, run.ClusterID = snapshot.ClusterName, snapshot.ClusterID
		return nil
	}
	newest, found, err := find[models.Snapshot](q.usable(ctx, run.ClusterName))
	if err != nil {
		return fmt.Errorf("look for snapshots of %s: %w", run.ClusterName, err)
	} else if !found {
		return models.Refuse(models.CodeSnapshotNotFound, "in", fmt.Sprintf("There is no snapshot of %s in which keys could be looked for.", run.ClusterName))
	}
	run.ClusterID = newest.ClusterID
	return nil
}

// usable are the snapshots of a cluster that can be read.
func (q Finds) usable(ctx context.Context, cluster string) *gorm.DB {
	return q.db.with(ctx).Where("cluster_name = ? AND status IN ?", cluster, []models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying})
}

// MayRun tells whether a search may begin on this console now: one at a time.
func (q Finds) MayRun(ctx context.Context, run models.Run, owner string) (bool, error) {
	var before int64
	err := q.db.with(ctx).Model(&models.Run{}).Where("id <> ? AND kind = ? AND status = ? AND owner = ?", run.ID, models.RunFind, models.RunRunning, owner).Count(&before).Error
	if err != nil {
		return false, fmt.Errorf("count searches: %w", err)
	}
	return before == 0, nil
}

// Begin forgets what an earlier attempt of the run has found, and writes down which snapshots are looked through: the newest first.
func (q Finds) Begin(ctx context.Context, run models.Run) ([]models.FindSnapshot, error) {
	var rows []models.FindSnapshot
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Runs.hold(ctx, run); err != nil {
			return err
		}
		if err := tx.Finds.remove(ctx, "run_id = ?", run.ID); err != nil {
			return err
		}
		if err := tx.with(ctx).Model(&models.Find{}).Where("run_id = ?", run.ID).Updates(map[string]any{"matches": 0, "kept": 0}).Error; err != nil {
			return err
		}
		query := tx.Finds.usable(ctx, run.ClusterName)
		if run.SnapshotName != "" {
			query = tx.with(ctx).Where("name = ?", run.SnapshotName)
		}
		args, err := models.Args[models.FindArgs](run)
		if err != nil {
			return err
		}
		if err := tx.Finds.beginJournal(ctx, run, args); err != nil || args.Journal.Alone() {
			return err
		}
		var snapshots []models.Snapshot
		if err := query.Preload("Parts").Find(&snapshots).Error; err != nil {
			return err
		}
		slices.SortStableFunc(snapshots, func(a, b models.Snapshot) int { return b.DataOf().Compare(a.DataOf()) })
		for i, s := range snapshots {
			rows = append(rows, models.FindSnapshot{RunID: run.ID, Place: i, SnapshotID: s.ID, SnapshotName: s.Name, TakenAt: catalogTime(s.DataOf()), Keys: s.Keys, Parts: len(s.Parts),
				State: models.FindWaiting})
			if len(s.Parts) == 0 {
				rows[i].State = models.FindDone
			}
		}
		if len(rows) == 0 {
			return nil
		}
		return tx.with(ctx).CreateInBatches(rows, batch).Error
	})
	if err != nil {
		return nil, fmt.Errorf("begin run %d: %w", run.ID, err)
	}
	return rows, nil
}

// Note writes down what reading a part has brought. Of the keys as many are kept as there is room for; all of them count.
func (q Finds) Note(ctx context.Context, run models.Run, keep int, p models.FindProgress) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Runs.hold(ctx, run); err != nil {
			return err
		}
		find, row, err := tx.Finds.at(ctx, run.ID, p.Place)
		if err != nil {
			return err
		}
		keys := p.Keys[:min(len(p.Keys), max(0, keep-find.Kept))]
		for i := range keys {
			keys[i].ID, keys[i].RunID, keys[i].Place = 0, run.ID, p.Place
			keys[i].ExpiresAt = catalogTimeOf(keys[i].ExpiresAt)
		}
		if len(keys) > 0 {
			if err := tx.with(ctx).CreateInBatches(keys, batch).Error; err != nil {
				return err
			}
		}
		row.Matches, row.Searched, row.Excluded = row.Matches+p.Matches, row.Searched+p.Done, row.Excluded+p.Excluded
		if p.Reason != "" && row.Reason != "" {
			p.Reason = row.Reason + " " + p.Reason
		}
		row.Reason = cmp.Or(p.Reason, row.Reason)
		row.State = models.FindSearching
		if row.Searched >= row.Parts {
			row.State = models.FindDone
			if row.Reason != "" {
				row.State = models.FindFailed
			}
		}
		return errors.Join(tx.with(ctx).Model(&models.FindSnapshot{}).Where("run_id = ? AND place = ?", run.ID, p.Place).Updates(map[string]any{
			"matches": row.Matches, "searched": row.Searched, "excluded": row.Excluded, "state": row.State, "reason": row.Reason}).Error,
			tx.with(ctx).Model(&models.Find{}).Where("run_id = ?", run.ID).Updates(map[string]any{"matches": find.Matches + p.Matches, "kept": find.Kept + len(keys)}).Error)
	})
	if err != nil {
		return fmt.Errorf("note what run %d has found: %w", run.ID, err)
	}
	return nil
}

func (q Finds) at(ctx context.Context, run uint, place int) (models.Find, models.FindSnapshot, error) {
	var found models.Find
	var row models.FindSnapshot
	err := errors.Join(q.db.with(ctx).Where("run_id = ?", run).Take(&found).Error,
		q.db.with(ctx).Where("run_id = ? AND place = ?", run, place).Take(&row).Error)
	return found, row, err
}

// Settle ends a search that has looked through everything.
func (q Finds) Settle(ctx context.Context, run models.Run) error {
	return q.db.transaction(ctx, func(tx *DB) error { return tx.Runs.end(ctx, run, models.RunSucceeded, "") })
}

// Get returns a search; false if it is none, or was so long ago that it is forgotten.
func (q Finds) Get(ctx context.Context, run uint) (models.Find, bool, error) {
	found, is, err := find[models.Find](q.db.with(ctx).Where("run_id = ?", run))
	if err != nil {
		err = fmt.Errorf("find the search of run %d: %w", run, err)
	}
	return found, is, err
}

// Snapshots lists what a search has found out about snapshots, from a place on.
func (q Finds) Snapshots(ctx context.Context, run uint, from, limit int) (rows []models.FindSnapshot, total int64, err error) {
	query := q.db.with(ctx).Model(&models.FindSnapshot{}).Where("run_id = ?", run).Session(&gorm.Session{})
	if err = query.Count(&total).Error; err == nil {
		err = query.Where("place >= ?", from).Order("place").Limit(limit).Find(&rows).Error
	}
	if err != nil {
		err = fmt.Errorf("list the snapshots of run %d: %w", run, err)
	}
	return rows, total, err
}

// Keys lists the keys that a search has kept of these snapshots, by their places, the last one included.
func (q Finds) Keys(ctx context.Context, run uint, first, last int) ([]models.FoundKey, error) {
	var keys []models.FoundKey
	err := q.db.with(ctx).Where("run_id = ? AND place BETWEEN ? AND ?", run, first, last).Order("place, id").Find(&keys).Error
	if err != nil {
		return nil, fmt.Errorf("list what run %d has found: %w", run, err)
	}
	return keys, nil
}

// Named lists the keys of these names that a search has kept of these snapshots, by their places, the last one included.
func (q Finds) Named(ctx context.Context, run uint, names [][]byte, first, last int) ([]models.FoundKey, error) {
	var keys []models.FoundKey
	for some := range slices.Chunk(names, batch) {
		var found []models.FoundKey
		if err := q.db.with(ctx).Where("run_id = ? AND place BETWEEN ? AND ? AND name IN ?", run, first, last, some).Find(&found).Error; err != nil {
			return nil, fmt.Errorf("look for names in what run %d has found: %w", run, err)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// Kept counts the keys that a search has kept of these snapshots, by their places, the last one included.
func (q Finds) Kept(ctx context.Context, run uint, first, last int) (map[int]int64, error) {
	var rows []struct {
		Place int
		Keys  int64
	}
	err := q.db.with(ctx).Model(&models.FoundKey{}).Select("place, COUNT(*) AS keys").Where("run_id = ? AND place BETWEEN ? AND ?", run, first, last).Group("place").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count what run %d has found: %w", run, err)
	}
	kept := map[int]int64{}
	for _, row := range rows {
		kept[row.Place] = row.Keys
	}
	return kept, nil
}

// List lists the keys that a search has kept, of one snapshot or of all, by pages.
func (q Finds) List(ctx context.Context, run uint, snapshot string, l models.List) (models.Rows[models.FoundKey], error) {
	query := q.db.with(ctx).Where("run_id = ?", run)
	if snapshot != "" {
		query = query.Where("place IN (SELECT place FROM find_snapshots WHERE run_id = ? AND snapshot_name = ?)", run, snapshot)
	}
	return list[models.FoundKey](q.db, query, table{order: []ordering{{"place", false, false}, {"id", false, false}}}, l)
}

// Key returns one key that a search has kept, and the snapshot that it is in.
func (q Finds) Key(ctx context.Context, run, id uint) (key models.FoundKey, in models.FindSnapshot, err error) {
	key, is, err := find[models.FoundKey](q.db.with(ctx).Where("run_id = ? AND id = ?", run, id))
	if err == nil && !is {
		return key, in, models.Refuse(models.CodeRunNotFound, "", "That result is no longer kept. Look for the key again.")
	}
	if err == nil {
		in, _, err = find[models.FindSnapshot](q.db.with(ctx).Where("run_id = ? AND place = ?", run, key.Place))
	}
	if err != nil {
		err = fmt.Errorf("find a result of run %d: %w", run, err)
	}
	return key, in, err
}

// Recent lists the last searches of one cluster or of all that are still kept.
func (q Finds) Recent(ctx context.Context, cluster string, limit int) (runs []models.Run, err error) {
	query := q.db.with(ctx).Where("kind = ? AND id IN (SELECT run_id FROM finds)", models.RunFind)
	if cluster != "" {
		query = query.Where("cluster_name = ?", cluster)
	}
	if err = query.Order("id DESC").Limit(limit).Find(&runs).Error; err != nil {
		err = fmt.Errorf("list searches: %w", err)
	}
	return runs, err
}

// Forget removes what was looked for and found so long ago that it is not kept any more. Searches under way stay.
func (q Finds) Forget(ctx context.Context) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		old := "run_id IN (SELECT finds.run_id FROM finds JOIN runs ON runs.id = finds.run_id WHERE finds.created_at < ? AND runs.status NOT IN ?)"
		before, under := catalogTime(tx.Now().Add(-models.FindKeptFor)), []models.RunStatus{models.RunQueued, models.RunRunning}
		err := tx.Finds.remove(ctx, old, before, under)
		if err == nil {
			err = tx.with(ctx).Where(old, before, under).Delete(&models.Find{}).Error
		}
		if err != nil {
			return fmt.Errorf("forget old searches: %w", err)
		}
		return nil
	})
}

// remove removes what searches have found.
func (q Finds) remove(ctx context.Context, which string, args ...any) error {
	return errors.Join(q.db.with(ctx).Where(which, args...).Delete(&models.FoundKey{}).Error, q.db.with(ctx).Where(which, args...).Delete(&models.FindSnapshot{}).Error,
		q.removeChanges(ctx, which, args...))
}
