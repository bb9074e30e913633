package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Snapshots finds, creates and deletes snapshots, and moves them from state to state.
type Snapshots struct{ db *DB }

func (q Snapshots) add(ctx context.Context, row models.Snapshot) error {
	if err := q.db.with(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("write snapshot %s: %w", row.Name, err)
	}
	return nil
}

// hold marks a snapshot that is about to be read as copying.
func (q Snapshots) hold(ctx context.Context, source models.Snapshot, what string) error {
	moved, err := q.move(ctx, source.Name, models.SnapshotCopying, source.StatusReason, models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying)
	if err != nil {
		return err
	} else if !moved {
		return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s; only an available one can be %s.", source.Name, source.Status, what))
	}
	return nil
}

// holdForRestore marks the snapshot that is about to be restored as restoring.
func (q Snapshots) holdForRestore(ctx context.Context, name string) error {
	moved, err := q.move(ctx, name, models.SnapshotRestoring, "", usable...)
	if err == nil && !moved {
		err = models.Refuse(models.CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is no longer available.", name))
	}
	return err
}

// release gives a snapshot that a run has read the state that the other runs on it require.
func (q Snapshots) release(ctx context.Context, name string, ended uint) error {
	active, err := q.db.Runs.Active(ctx)
	if err != nil {
		return fmt.Errorf("list what reads %s: %w", name, err)
	}
	to := models.SnapshotAvailable
	for _, run := range active {
		if run.ID == ended {
			continue
		}
		if (run.Kind == models.RunRestore || run.Kind == models.RunFill || run.Kind == models.RunBringBack) && run.SnapshotName == name {
			to = models.SnapshotRestoring
		} else if args, err := run.Carries(); err != nil {
			return err
		} else if args.Source == name {
			to = models.SnapshotCopying
			break
		}
	}
	_, err = q.move(ctx, name, to, "", models.SnapshotRestoring, models.SnapshotCopying)
	return err
}

// List filters by cluster, source and status; the newest come first.
func (q Snapshots) List(ctx context.Context, l models.List) (models.Rows[models.Snapshot], error) {
	query, total := q.db.with(ctx), q.total(ctx, l)
	switch status := l.Equal["status"]; status {
	case models.FilterCancelled, string(models.SnapshotFailed):
		condition := cancelledSnapshot
		if status != models.FilterCancelled {
			condition = "status = 'failed' AND NOT " + cancelledSnapshot
		}
		query = query.Where(condition)
		l.Equal = maps.Clone(l.Equal)
		delete(l.Equal, "status")
	}
	return list[models.Snapshot](q.db, query, table{
		text:    []string{"name", "cluster_name"},
		filters: map[string]string{"cluster": "cluster_name", "source": "source", "status": "status"},
		sorts: map[string]string{"name": "name", "cluster": "cluster_name", "source": "source", "status": "status", "size": "bytes",
			"stored": "stored", "keys": "keys", "verified": "verified_at", "created": "created_at"},
		missing: []string{"verified"},
		total:   total,
		order:   []ordering{{by: "created_at", desc: true}, byID},
	}, l)
}

// total adds up the kept sums of the good snapshots and the few others, for a list of all of them, of all that are available, or of all of a cluster.
// For other lists it is nil.
func (q Snapshots) total(ctx context.Context, l models.List) func() (int, error) {
	status, cluster := l.Equal["status"], l.Equal["cluster"]
	switch {
	case strings.TrimSpace(l.Text) != "" || l.Equal["source"] != "":
		return nil
	case status == string(models.SnapshotAvailable) && cluster == "":
		return func() (int, error) { return q.Count(ctx, models.SnapshotAvailable) }
	case status != "":
		return nil
	}
	return func() (total int, err error) {
		kept, others := "tally_sums", ""
		var args []any
		if cluster != "" {
			kept, others, args = "tallies WHERE cluster_name = ?", " AND cluster_name = ?", []any{cluster, cluster}
		}
		row := q.db.with(ctx).Raw("SELECT COALESCE((SELECT SUM(snapshots) FROM "+kept+"), 0) + (SELECT COUNT(*) FROM snapshots WHERE status IN ('creating', 'deleting', 'failed')"+
			others+")", args...).Row()
		if err := row.Scan(&total); err != nil {
			return 0, fmt.Errorf("count snapshots: %w", err)
		}
		return total, nil
	}
}

// Count returns how many snapshots [Snapshots.List] finds with a status.
func (q Snapshots) Count(ctx context.Context, status models.SnapshotStatus) (int, error) {
	query := q.db.with(ctx).Model(&models.Snapshot{}).Where("status = ?", status)
	switch status {
	case models.SnapshotFailed:
		query = query.Where("NOT " + cancelledSnapshot)
	case models.SnapshotAvailable: // nearly all: the kept sum of good ones, less the few that are being worked on
		var sum int
		row := q.db.with(ctx).Raw(`SELECT COALESCE((SELECT SUM(snapshots) FROM tally_sums), 0) - (SELECT COUNT(*) FROM ` + q.db.kind.using("snapshots", "idx_snapshots_status_created") + ` WHERE status IN ('restoring', 'copying'))`).Row()
		if err := row.Scan(&sum); err != nil {
			return 0, fmt.Errorf("count available snapshots: %w", err)
		}
		return sum, nil
	}
	var n int64
	if err := query.Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count %s snapshots: %w", status, err)
	}
	return int(n), nil
}

// Cancelled returns which of these snapshots failed because they were cancelled.
func (q Snapshots) Cancelled(ctx context.Context, names ...string) (map[string]bool, error) {
	return nameSet(q.db.with(ctx).Model(&models.Snapshot{}).Where("name IN ? AND "+cancelledSnapshot, names), "name")
}

// good reads the good snapshots by the index that has only these.
func (q Snapshots) good() string {
	return q.db.kind.using("snapshots", "idx_snapshots_good") + " WHERE " + good
}

// ofCluster reads the snapshots by the index of their clusters and times. SQLite would rather take that of their sources or states, in which there
// are nearly all.
func (q Snapshots) ofCluster(ctx context.Context) *gorm.DB {
	return q.db.with(ctx).Table(q.db.kind.using("snapshots", "idx_snapshots_cluster_name"))
}

// newestGood is an expression for the "id", the "created_at" or the bytes "stored" of the newest good snapshot of the cluster in the query. It is
// kept in tallies. But a snapshot from the future comes from a clock that was wrong: it only counts if there is no other, and then the snapshots are
// searched. The expression takes the time three times.
func (q Snapshots) newestGood(column string) string {
	kept := map[string]string{"id": "newest_id", "created_at": "newest_at", "stored": "newest_stored"}[column]
	other := "(SELECT " + column + " FROM " + q.good() + " AND cluster_name = clusters.name AND created_at %s ? ORDER BY created_at DESC, id DESC LIMIT 1)"
	return "(SELECT CASE WHEN newest_at <= ? THEN " + kept + " ELSE COALESCE(" + fmt.Sprintf(other, "<=") + ", " + fmt.Sprintf(other, ">") +
		") END FROM tallies WHERE tallies.cluster_name = clusters.name)"
}

// After returns the next snapshots in the order of their creation, without their parts, at most limit. A zero Snapshot begins at the start.
func (q Snapshots) After(ctx context.Context, last models.Snapshot, limit int) ([]models.Snapshot, error) {
	query := q.db.with(ctx)
	if last.ID > 0 {
		query = query.Where("(created_at, id) > (?, ?)", catalogTime(last.CreatedAt), last.ID)
	}
	var snapshots []models.Snapshot
	if err := query.Order("created_at, id").Limit(limit).Find(&snapshots).Error; err != nil {
		return nil, fmt.Errorf("list snapshots behind %s: %w", last.Name, err)
	}
	return snapshots, nil
}

// Newest returns the newest good snapshot of each of these clusters, by the cluster's name.
func (q Snapshots) Newest(ctx context.Context, clusters ...string) (map[string]models.Snapshot, error) {
	newest := make(map[string]models.Snapshot, len(clusters))
	now := q.db.Now()
	for names := range slices.Chunk(clusters, 500) {
		// Their numbers come first: otherwise PostgreSQL would compute each of them twice, and consider more plans.
		numbers := "WITH newest AS MATERIALIZED (SELECT " + q.newestGood("id") + " AS id FROM (SELECT cluster_name AS name FROM tallies WHERE cluster_name IN ?) AS clusters) SELECT id FROM newest"
		snapshots, err := readAll[models.Snapshot](ctx, q.db, func(query *gorm.DB) *gorm.DB {
			return query.Where("id IN ("+numbers+")", now, now, now, names)
		})
		if err != nil {
			return nil, fmt.Errorf("list newest snapshots: %w", err)
		}
		for _, s := range snapshots {
			newest[s.ClusterName] = s
		}
	}
	return newest, nil
}

// Storage sums the usable snapshots. As in ElastiCache, storage for one snapshot per active cluster is free: the newest one.
//
// Source: Amazon ElastiCache user guide, "Backup costs".
func (q Snapshots) Storage(ctx context.Context) (models.Storage, error) {
	var sum models.Storage
	var free int64
	now := q.db.Now()
	// The kept sums of the newest snapshots; for the few clusters that have changed since, the snapshots themselves.
	row := q.db.with(ctx).Raw(`SELECT COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0), (SELECT COALESCE(SUM(stored), 0) FROM standing_sums WHERE rank >= 0) +
		(SELECT COALESCE(SUM(COALESCE(`+q.newestGood("stored")+`, 0) - CASE WHEN rank >= 0 THEN newest_stored ELSE 0 END), 0)
			FROM standings JOIN clusters ON clusters.id = standings.cluster_id WHERE `+unjudged+`) FROM tally_sums`, now, now, now, now).Row()
	if err := row.Scan(&sum.Snapshots, &sum.Stored, &free); err != nil {
		return sum, fmt.Errorf("sum snapshots: %w", err)
	}
	sum.Billable = sum.Stored - free
	return sum, nil
}

// StorageOf sums one cluster's usable snapshots, in bytes.
func (q Snapshots) StorageOf(ctx context.Context, name string) (count int, stored int64, err error) {
	row := q.db.with(ctx).Table("tallies").Select("COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0)").Where("cluster_name = ?", name).Row()
	if err := row.Scan(&count, &stored); err != nil {
		return 0, 0, fmt.Errorf("sum snapshots of %s: %w", name, err)
	}
	return count, stored, nil
}

// Page returns up to limit snapshots with their parts whose names follow this name, sorted by name.
func (q Snapshots) Page(ctx context.Context, f models.SnapshotFilter, after string, limit int) ([]models.Snapshot, error) {
	query := q.db.with(ctx).Preload("Parts", inOrder).Where("name > ?", after).Order("name").Limit(limit)
	if f.Name != "" {
		query = query.Where("name = ?", f.Name)
	}
	if f.Group != "" {
		query = query.Where("grouped AND cluster_name = ?", f.Group)
	}
	if f.Node != "" {
		query = query.Where("(NOT grouped AND cluster_name = ?) OR (grouped AND node = ?)", f.Node, f.Node)
	}
	if f.Source != "" {
		query = query.Where("source = ?", f.Source)
	}
	var rows []models.Snapshot
	if err := query.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return rows, nil
}

// Usable returns the snapshots that the catalog has as whole, without their parts, sorted by number and following this one.
func (q Snapshots) Usable(ctx context.Context, after uint, limit int) ([]models.Snapshot, error) {
	var rows []models.Snapshot
	err := q.db.with(ctx).Select("id", "name", "cluster_name").Where("id > ? AND status IN ?", after, usable).Order("id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return rows, nil
}

// Latest returns the newest snapshots that the catalog has as whole, without their parts.
func (q Snapshots) Latest(ctx context.Context, limit int) ([]models.Snapshot, error) {
	var rows []models.Snapshot
	if err := q.db.with(ctx).Select("id", "name", "cluster_name").Where("status IN ?", usable).Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list the newest snapshots: %w", err)
	}
	return rows, nil
}

// States returns, by name, those of these snapshots that exist, with only their name, cluster, state and damage.
func (q Snapshots) States(ctx context.Context, names []string) (map[string]models.Snapshot, error) {
	rows, err := readAll[models.Snapshot](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Select("name", "cluster_name", "status", "damage").Where("name IN ?", names)
	})
	if err != nil {
		return nil, fmt.Errorf("look up snapshots: %w", err)
	}
	states := make(map[string]models.Snapshot, len(rows))
	for _, row := range rows {
		states[row.Name] = row
	}
	return states, nil
}

// Lose marks a snapshot as failed whose manifest is no longer in the store, and tells whether it did: one that is being deleted is not lost.
func (q Snapshots) Lose(ctx context.Context, row models.Snapshot, damage string) (lost bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshots.Get(ctx, row.Name)
		if models.HasCode(err, models.CodeSnapshotNotFound) || err == nil && (present.ID != row.ID || !present.Usable()) {
			return nil
		} else if err != nil {
			return err
		}
		lost = true
		return tx.Snapshots.markDamaged(ctx, present, damage)
	})
	return lost, err
}

func (q Snapshots) move(ctx context.Context, name string, to models.SnapshotStatus, reason string, from ...models.SnapshotStatus) (bool, error) {
	if err := models.CheckMoves(models.SnapshotMoves, to, from...); err != nil {
		return false, fmt.Errorf("set snapshot %s %s: %w", name, to, err)
	}
	moved := q.db.with(ctx).Model(&models.Snapshot{}).Where("name = ? AND status IN ?", name, from).
		Updates(map[string]any{"status": to, "status_reason": reason})
	if moved.Error != nil {
		return false, fmt.Errorf("set snapshot %s %s: %w", name, to, moved.Error)
	}
	return moved.RowsAffected == 1, nil
}

// Request writes a manual snapshot down as creating and queues its run. With override the run may use a primary whose host
// is short of memory.
func (q Snapshots) Request(ctx context.Context, cluster, name string, override bool, requestedBy string) (models.Run, error) {
	return q.Take(ctx, models.SnapshotSpec{Cluster: cluster, Name: name, Override: override, RequestedBy: requestedBy})
}

// Take writes a manual snapshot down as creating and queues its run.
func (q Snapshots) Take(ctx context.Context, spec models.SnapshotSpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		row, err := tx.Clusters.Get(ctx, spec.Cluster)
		if err != nil {
			return models.RenameField(err, "", "cluster")
		}
		if spec.Node != "" {
			row.Attributes.SnapshottingNode = spec.Node
		}
		name, err := tx.Snapshots.create(ctx, row, spec.Name, models.SourceManual, false)
		if err != nil {
			return err
		}
		if run, err = tx.Snapshots.queue(ctx, row, name, spec.RequestedBy, models.SnapshotArgs{Override: spec.Override}); err != nil {
			return err
		}
		return tx.Tags.add(ctx, models.ResourceSnapshot+":"+name, spec.Tags)
	})
	return run, err
}

// queue locks the cluster by its state and queues the run. A cluster that was unreachable is unreachable again afterwards.
func (q Snapshots) queue(ctx context.Context, cluster models.Cluster, name, requestedBy string, args models.SnapshotArgs) (models.Run, error) {
	present, err := q.db.Clusters.ByID(ctx, cluster.ID)
	if err != nil {
		return models.Run{}, err
	}
	if why := present.NoSnapshot(); why != "" {
		return models.Run{}, models.Refuse(models.CodeClusterState, "cluster", why)
	}
	if present.Status == models.ClusterUnreachable {
		args.Unreachable = present.StatusReason
	}
	if err := q.db.Clusters.take(ctx, present, models.ClusterSnapshotting); err != nil {
		return models.Run{}, err
	}
	return q.db.Runs.enqueue(ctx, models.Run{Kind: models.RunSnapshot, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: name, RequestedBy: requestedBy}, args)
}

// create checks that this snapshot may be taken and writes its row as creating, with the cluster's configuration as it is now.
func (q Snapshots) create(ctx context.Context, cluster models.Cluster, name, source string, final bool) (string, error) {
	var faults models.Faults
	if source == models.SourceManual {
		checked, problem := models.CheckSnapshotName(name)
		if problem != "" {
			faults.Add(models.CodeInvalid, "name", problem)
		}
		name = checked
		if !final { // the limit must not prevent a last backup
			if err := q.checkQuota(ctx, cluster, &faults); err != nil {
				return "", err
			}
		}
	}
	if _, exists, err := find[models.Snapshot](q.db.with(ctx).Where("name = ?", name)); err != nil {
		return "", err
	} else if exists {
		faults.Add(models.CodeSnapshotExists, "name", fmt.Sprintf("There is already a snapshot %s. Choose another name.", name))
	}
	if why := cluster.Unprotected(); why != "" {
		faults.Add(models.CodeSnapshotUnsupported, "cluster", why)
	}
	if len(faults) > 0 {
		return "", faults
	}
	snapshot := models.Snapshot{
		Name: name, ClusterName: cluster.Name, ClusterID: cluster.ID, Source: source, Status: models.SnapshotCreating, CreatedAt: q.db.Now(),
		Configuration: cluster.Configuration, AuthEnabled: cluster.SignInNeeded(), Node: cluster.SnapshottingNode(), NodeCreatedAt: cluster.SnapshottingSince(),
	}
	snapshot.TransitEncryption = cluster.Encrypted() // also of an attached one
	if err := q.db.with(ctx).Create(&snapshot).Error; err != nil {
		return "", fmt.Errorf("write snapshot %s: %w", name, err)
	}
	return name, nil
}

// checkQuota counts the manual snapshots of the last 24 hours; failed ones do not count.
func (q Snapshots) checkQuota(ctx context.Context, cluster models.Cluster, faults *models.Faults) error {
	settings, err := q.db.Settings.Get(ctx)
	if err != nil {
		return err
	}
	now := q.db.Now() // a later time comes from a clock that was wrong
	since := now.Add(-24 * time.Hour)
	var taken int64
	err = q.db.with(ctx).Model(&models.Snapshot{}).Where("cluster_name = ? AND source = ? AND status <> ?", cluster.Name, models.SourceManual, models.SnapshotFailed).
		Where("(created_at > ? AND created_at <= ? OR name IN (SELECT snapshot_name FROM runs WHERE kind IN ? AND created_at > ? AND created_at <= ?))",
			since, now, []models.RunKind{models.RunCopy, models.RunImport, models.RunRecover}, since, now).Count(&taken).Error
	if err != nil {
		return fmt.Errorf("count snapshots of %s: %w", cluster.Name, err)
	}
	if int(taken) >= settings.ManualQuota {
		faults.Add(models.CodeSnapshotQuota, "cluster", fmt.Sprintf(
			"%d manual snapshots of %s were taken in the last 24 hours, which is the limit. Wait, or raise the limit in the settings.", taken, cluster.Name))
	}
	return nil
}

// Get returns a snapshot with its parts.
func (q Snapshots) Get(ctx context.Context, name string) (models.Snapshot, error) {
	snapshot, found, err := find[models.Snapshot](q.db.with(ctx).Preload("Parts", inOrder).Where("name = ?", name))
	switch {
	case err != nil:
		return snapshot, fmt.Errorf("find snapshot %s: %w", name, err)
	case !found:
		return snapshot, models.Refuse(models.CodeSnapshotNotFound, "", fmt.Sprintf("There is no snapshot %s.", name))
	}
	return snapshot, nil
}

// Delete queues the removal of these snapshots, all or none.
func (q Snapshots) Delete(ctx context.Context, names []string, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		var faults models.Faults
		for _, name := range names {
			err := tx.Snapshots.delete(ctx, name, requestedBy)
			if more, refused := models.AsFaults(err); refused {
				faults = append(faults, more...)
			} else if err != nil {
				return err
			}
		}
		return faults.OrNil()
	})
}

func (q Snapshots) delete(ctx context.Context, name, requestedBy string) error {
	snapshot, err := q.Get(ctx, name)
	if err != nil {
		return err
	}
	if why := snapshot.NoDeletion(); why != "" {
		return models.Refuse(models.CodeSnapshotState, "", why)
	}
	if moved, err := q.move(ctx, name, models.SnapshotDeleting, "", snapshot.Status); err != nil {
		return err
	} else if !moved {
		return models.Refuse(models.CodeSnapshotState, "", fmt.Sprintf("The snapshot %s has changed in the meantime. Try again.", name))
	}
	if err := q.db.Runs.stopReading(ctx, name); err != nil {
		return err
	}
	_, err = q.db.Runs.enqueue(ctx, models.Run{Kind: models.RunDeleteSnapshot, ClusterName: snapshot.ClusterName, ClusterID: snapshot.ClusterID,
		SnapshotName: name, RequestedBy: requestedBy}, models.NoArgs{})
	return err
}

// RemoveRow removes a snapshot from the catalog, after its bytes are gone from the store.
func (q Snapshots) RemoveRow(ctx context.Context, name string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshots.Get(ctx, name)
		if models.HasCode(err, models.CodeSnapshotNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if err := tx.with(ctx).Where("snapshot_id = ?", snapshot.ID).Delete(&models.Part{}).Error; err != nil {
			return fmt.Errorf("remove parts of snapshot %s: %w", name, err)
		}
		if err := tx.with(ctx).Delete(&models.Snapshot{}, snapshot.ID).Error; err != nil {
			return fmt.Errorf("remove snapshot %s: %w", name, err)
		}
		if err := tx.History.remember(ctx, snapshot); err != nil {
			return err
		}
		if err := tx.Alarms.forget(ctx, "condition = ? AND subject = ?", models.ConditionDamaged, name); err != nil {
			return err
		}
		return tx.Tags.drop(ctx, models.ResourceSnapshot+":"+name)
	})
}

// Automatic returns the names of a cluster's automatic snapshots, which go with it.
func (q Snapshots) Automatic(ctx context.Context, clusterID uint) ([]string, error) {
	var names []string
	err := q.db.with(ctx).Model(&models.Snapshot{}).Where("cluster_id = ? AND source = ?", clusterID, models.SourceAutomatic).Order("id").Pluck("name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list automatic snapshots of cluster %d: %w", clusterID, err)
	}
	return names, nil
}

// ClaimForRemoval marks a snapshot of a cluster that is being deleted as deleting, and tells whether it could: not while it is restored or copied.
func (q Snapshots) ClaimForRemoval(ctx context.Context, name string) (bool, error) {
	var moved bool
	err := q.db.transaction(ctx, func(tx *DB) (err error) {
		if moved, err = tx.Snapshots.move(ctx, name, models.SnapshotDeleting, "", models.SnapshotAvailable, models.SnapshotFailed, models.SnapshotDeleting); err != nil || !moved {
			return err
		}
		return tx.Runs.stopReading(ctx, name)
	})
	return moved, err
}

// Keep ends the removal of a snapshot of which nothing was removed: it is again what it was before.
func (q Snapshots) Keep(ctx context.Context, run models.Run, reason string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		row, err := tx.Snapshots.Get(ctx, run.SnapshotName)
		if err != nil {
			return err
		}
		to := models.SnapshotAvailable
		if row.Damage != "" {
			to = models.SnapshotFailed
		}
		if _, err := tx.Snapshots.move(ctx, row.Name, to, row.Damage, models.SnapshotDeleting); err != nil {
			return err
		}
		return errors.Join(tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: row.ClusterName, SnapshotName: row.Name,
			Message: fmt.Sprintf("The snapshot %s could not be deleted. Nothing of it was removed; it is kept. %s", row.Name, reason)}),
			tx.Runs.end(ctx, run, models.RunFailed, reason))
	})
}

// Reinstate makes a snapshot available again that failed because its removal did, when it turns out that nothing was removed.
func (q Snapshots) Reinstate(ctx context.Context, row models.Snapshot) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		moved, err := tx.Snapshots.move(ctx, row.Name, models.SnapshotAvailable, "", models.SnapshotFailed)
		if err != nil || !moved {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: row.ClusterName, SnapshotName: row.Name,
			Message: fmt.Sprintf("The snapshot %s could not be deleted, and nothing of it was removed: it is available again.", row.Name)})
	})
}

// NoteAttempt writes down that a snapshot that is being created is stored at this attempt from now on. What an earlier attempt stored was removed
// before, so only the last one is remembered.
func (q Snapshots) NoteAttempt(ctx context.Context, run models.Run, name, attempt string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		written := tx.with(ctx).Model(&models.Snapshot{}).Where("name = ? AND status = ?", name, models.SnapshotCreating).UpdateColumn("attempt", attempt)
		if written.Error != nil {
			return written.Error
		} else if written.RowsAffected == 0 {
			return models.ErrRunEnded
		}
		return tx.Runs.hold(ctx, run)
	})
	if err != nil {
		return fmt.Errorf("note the attempt at snapshot %s: %w", name, err)
	}
	return nil
}

// markDamaged marks a snapshot as failed because of what is in the store, or no longer is. Nothing is removed.
func (q Snapshots) markDamaged(ctx context.Context, s models.Snapshot, damage string) error {
	if err := models.CheckMoves(models.SnapshotMoves, models.SnapshotFailed, s.Status); err != nil {
		return fmt.Errorf("mark snapshot %s as damaged: %w", s.Name, err)
	}
	changed := q.db.with(ctx).Model(&models.Snapshot{ID: s.ID}).UpdateColumns(map[string]any{"status": models.SnapshotFailed, "status_reason": damage, "damage": damage})
	if changed.Error != nil {
		return fmt.Errorf("mark snapshot %s as damaged: %w", s.Name, changed.Error)
	}
	if s.Damage == damage {
		return nil // this was known already
	}
	return q.db.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: s.ClusterName, SnapshotName: s.Name,
		Message: fmt.Sprintf("The snapshot %s of %s is damaged and will not be used. %s What is left of it stays in the store until you delete it.",
			s.Name, s.ClusterName, damage), Raises: models.ConditionDamaged, Next: "It is not used for restores. The other snapshots are not touched."})
}
