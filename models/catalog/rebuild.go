package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"rekindle/models"
)

// Rebuilding refills a catalog from what the store has.
type Rebuilding struct{ db *DB }

// Request queues a rebuild of the catalog. One at a time is enough.
func (q Rebuilding) Request(ctx context.Context, requestedBy string) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		_, found, err := find[models.Run](tx.with(ctx).Where("kind = ? AND status IN ?", models.RunRebuild, []models.RunStatus{models.RunQueued, models.RunRunning}))
		if err != nil {
			return fmt.Errorf("look for a rebuild: %w", err)
		} else if found {
			return models.Refuse(models.CodeRunState, "", "The catalog is already being rebuilt.")
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunRebuild, RequestedBy: requestedBy}, models.NoArgs{})
		return err
	})
	return run, err
}

// Adopt writes down a batch of snapshots that were found in the store, each as its manifest describes it, with its parts. since is when reading the
// store began. The warnings are sentences about those that could not be adopted.
func (q Rebuilding) Adopt(ctx context.Context, found []models.Snapshot, since time.Time) (done models.Rebuilt, warnings []models.Event, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		a, err := tx.Rebuild.adoption(ctx, found, since)
		if err != nil {
			return err
		}
		for _, s := range found {
			if err := a.compare(ctx, tx, s); err != nil {
				return err
			}
		}
		a.done.Found, a.done.Adopted = len(found), len(a.fresh)
		done, warnings = a.done, a.warnings
		return tx.Rebuild.createSnapshots(ctx, a.fresh)
	})
	return done, warnings, err
}

// adoption compares a batch of snapshots from the store with what the catalog knows under their names.
type adoption struct {
	known  map[string]models.Snapshot
	gone   gone
	living map[string]models.Cluster

	fresh    []models.Snapshot
	done     models.Rebuilt
	warnings []models.Event
}

func (q Rebuilding) adoption(ctx context.Context, found []models.Snapshot, since time.Time) (*adoption, error) {
	a := &adoption{known: map[string]models.Snapshot{}, living: map[string]models.Cluster{}}
	names, of := make([]string, len(found)), make([]string, len(found))
	for i, s := range found {
		names[i], of[i] = s.Name, s.ClusterName
	}
	var rows []models.Snapshot
	if err := q.db.with(ctx).Preload("Parts", inOrder).Where("name IN ?", names).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("look for known snapshots: %w", err)
	}
	for _, row := range rows {
		a.known[row.Name] = row
	}
	var clusters []models.Cluster
	if err := q.db.with(ctx).Where("name IN ?", of).Find(&clusters).Error; err != nil {
		return nil, fmt.Errorf("look for clusters: %w", err)
	}
	for _, c := range clusters {
		a.living[c.Name] = c
	}
	var err error
	a.gone, err = q.goneSince(ctx, since)
	return a, err
}

func (a *adoption) compare(ctx context.Context, tx *DB, s models.Snapshot) error {
	row, exists := a.known[s.Name]
	switch {
	case !exists && (a.gone.snapshots[s.Name] || a.gone.clusters[s.ClusterName]):
		// It was deleted while the store was read.
	case !exists:
		a.adopt(s)
	case row.ClusterName != s.ClusterName:
		a.warn(s, fmt.Sprintf("The store has a snapshot %s of %s and one of %s. The catalog has the one of %s; the other one was left alone.",
			s.Name, row.ClusterName, s.ClusterName, row.ClusterName))
	case row.Status == models.SnapshotCreating || row.Status == models.SnapshotDeleting:
		a.done.Agreed++ // a run is working on it
	case row.Status == models.SnapshotFailed && row.Damage == "":
		if err := tx.Rebuild.reinstate(ctx, row, s); err != nil {
			return err
		}
		a.done.Restored++
	case !sameParts(row.Parts, s.Parts), row.ManifestSHA256 != "" && row.ManifestSHA256 != s.ManifestSHA256:
		a.warn(s, fmt.Sprintf("The manifest of %s in the store is not the one that the catalog remembers. Nothing was changed; verify the snapshot to find out which is right.", s.Name))
	default:
		a.done.Agreed++
	}
	return nil
}

// adopt takes a snapshot that the catalog does not know.
func (a *adoption) adopt(s models.Snapshot) {
	s.Status, s.ClusterID = models.SnapshotAvailable, 0
	if c, ok := a.living[s.ClusterName]; ok && !s.CreatedAt.Before(c.CreatedAt) {
		s.ClusterID = c.ID // otherwise it is from an earlier cluster of that name
	}
	s.CreatedAt = catalogTime(s.CreatedAt)
	s.StartedAt, s.CompletedAt, s.VerifiedAt, s.NodeCreatedAt = catalogTimeOf(s.StartedAt), catalogTimeOf(s.CompletedAt), catalogTimeOf(s.VerifiedAt), catalogTimeOf(s.NodeCreatedAt)
	for i := range s.Parts {
		s.Parts[i].StartedAt, s.Parts[i].CompletedAt = catalogTime(s.Parts[i].StartedAt), catalogTime(s.Parts[i].CompletedAt)
	}
	a.fresh = append(a.fresh, s)
	a.known[s.Name] = s
}

func (a *adoption) warn(s models.Snapshot, message string) {
	a.warnings = append(a.warnings, models.Event{ClusterName: s.ClusterName, SnapshotName: s.Name, Message: message})
}

// batch is how many rows go into one statement: SQLite takes at most 32,766 values.
const batch = 200

func (q Rebuilding) createSnapshots(ctx context.Context, rows []models.Snapshot) error {
	if len(rows) == 0 {
		return nil
	}
	if err := q.db.with(ctx).Omit("Parts").CreateInBatches(&rows, batch).Error; err != nil {
		return fmt.Errorf("write snapshots: %w", err)
	}
	var parts []models.Part
	for _, row := range rows {
		for _, p := range row.Parts {
			p.ID, p.SnapshotID = 0, row.ID
			parts = append(parts, p)
		}
	}
	if err := q.db.with(ctx).CreateInBatches(&parts, batch).Error; err != nil {
		return fmt.Errorf("write parts: %w", err)
	}
	return nil
}

// reinstate makes a snapshot available again that the catalog has as failed although its manifest is in the store.
func (q Rebuilding) reinstate(ctx context.Context, row, found models.Snapshot) error {
	if err := q.db.with(ctx).Where("snapshot_id = ?", row.ID).Delete(&models.Part{}).Error; err != nil {
		return fmt.Errorf("replace parts of snapshot %s: %w", row.Name, err)
	}
	parts := make([]models.Part, len(found.Parts))
	for i, p := range found.Parts {
		p.ID, p.SnapshotID, p.StartedAt, p.CompletedAt = 0, row.ID, catalogTime(p.StartedAt), catalogTime(p.CompletedAt)
		parts[i] = p
	}
	if err := q.db.with(ctx).CreateInBatches(&parts, batch).Error; err != nil {
		return fmt.Errorf("write parts of snapshot %s: %w", row.Name, err)
	}
	columns := configurationColumns(found.Configuration)
	maps.Copy(columns, map[string]any{
		"origin": found.Origin, "auth_enabled": found.AuthEnabled, "node": found.Node, "node_created_at": found.NodeCreatedAt, "attempt": found.Attempt, "manifest_sha256": found.ManifestSHA256,
		"status": models.SnapshotAvailable, "status_reason": "", "source": found.Source, "rdb_version": found.RDBVersion, "bytes": found.Bytes, "stored": found.Stored,
		"keys": found.Keys, "used_memory": found.UsedMemory, "served_by": found.ServedBy, "served_role": found.ServedRole, "warning": found.Warning, "logical": found.Logical,
		"created_at": catalogTime(found.CreatedAt), "started_at": catalogTimeOf(found.StartedAt), "completed_at": catalogTimeOf(found.CompletedAt), "verified_at": catalogTimeOf(found.VerifiedAt),
	})
	if err := q.db.with(ctx).Model(&models.Snapshot{ID: row.ID}).UpdateColumns(columns).Error; err != nil {
		return fmt.Errorf("write snapshot %s: %w", row.Name, err)
	}
	return nil
}

// configurationColumns are the columns that a configuration has in every table.
func configurationColumns(c models.Configuration) map[string]any {
	return map[string]any{"description": c.Description, "grouped": c.Grouped, "engine": c.Engine, "engine_version": c.EngineVersion, "node_type": c.NodeType,
		"cluster_mode": c.ClusterMode, "shards": c.ShardCount, "replicas": c.Replicas, "port": c.Port, "retention_limit": c.RetentionLimit, "snapshot_window": c.SnapshotWindow,
		"parameter_group": c.ParameterGroup, "attributes": c.Attributes, "transit_encryption": c.TransitEncryption}
}

func sameParts(a, b []models.Part) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Number != b[i].Number || a[i].Object != b[i].Object || a[i].Digest != b[i].Digest || a[i].StoredSHA256 != b[i].StoredSHA256 ||
			a[i].Bytes != b[i].Bytes || a[i].Stored != b[i].Stored {
			return false
		}
	}
	return true
}

// gone are the snapshots and clusters that have been deleted since an instant, or are being deleted.
type gone struct{ snapshots, clusters map[string]bool }

func (q Rebuilding) goneSince(ctx context.Context, since time.Time) (gone, error) {
	g := gone{map[string]bool{}, map[string]bool{}}
	var runs []models.Run
	err := q.db.with(ctx).Select("kind", "snapshot_name", "cluster_name").Where("kind IN ? AND (status IN ? OR ended_at >= ?)", []models.RunKind{models.RunDelete, models.RunDeleteSnapshot},
		[]models.RunStatus{models.RunQueued, models.RunRunning}, catalogTime(since)).Find(&runs).Error
	if err != nil {
		return g, fmt.Errorf("list deletions: %w", err)
	}
	for _, run := range runs {
		if run.Kind == models.RunDelete {
			g.clusters[run.ClusterName] = true
		} else {
			g.snapshots[run.SnapshotName] = true
		}
	}
	return g, nil
}

// AdoptCluster writes down a cluster that was found by its nodes, and gives it the snapshots of its name. It tells whether it did: if the catalog has
// a cluster of that name, that one stays as it is.
func (q Rebuilding) AdoptCluster(ctx context.Context, cluster models.Cluster, message string) (adopted bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[models.Cluster](tx.with(ctx).Where("name = ?", cluster.Name)); err != nil || exists {
			return err
		}
		now := tx.Now()
		cluster.Home = tx.host.Home()
		oldest, found, err := find[models.Snapshot](tx.with(ctx).Where("cluster_name = ?", cluster.Name).Order("created_at"))
		if err != nil {
			return err
		}
		cluster.Status, cluster.CreatedAt, cluster.UpdatedAt, cluster.ScheduleSince = models.ClusterAvailable, now, now, now
		if cluster.Migrating() {
			cluster.Status, cluster.Migration.Since = models.ClusterMigrating, &now
		}
		if found && oldest.CreatedAt.Before(now) {
			cluster.CreatedAt = catalogTime(oldest.CreatedAt)
		}
		for i := range cluster.Nodes {
			cluster.Nodes[i].CreatedAt = now
		}
		planDrills(&cluster, now)
		if cluster.SnapshotWindow.IsZero() {
			cluster.SnapshotWindow, cluster.WindowChosen = models.PickWindowBeside(cluster.Name, cluster.Attributes.MaintenanceWindow), false
		}
		if err := tx.with(ctx).Create(&cluster).Error; err != nil {
			return fmt.Errorf("write cluster %s: %w", cluster.Name, err)
		}
		if err := tx.Rebuild.giveSnapshots(ctx, cluster); err != nil {
			return err
		}
		adopted = true
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name, Message: message})
	})
	return adopted, err
}

// Event writes down what a rebuild did.
func (q Rebuilding) Event(ctx context.Context, done models.Rebuilt) error {
	severity := models.SeverityInfo
	if done.Warnings+done.Missing+len(done.Lost)+len(done.Mute) > 0 {
		severity = models.SeverityWarning
	}
	return q.db.Events.Add(ctx, models.Event{Severity: severity, Message: done.Sentence()})
}

// AdoptLostCluster writes down a cluster whose configuration is in the store: either one whose nodes are gone, to look at, to restore its snapshots
// by, and to delete; or an attached one, whose nodes are then looked for. since is when reading the store began. It tells whether it did: not if the
// catalog has the cluster, or if it was deleted on purpose meanwhile.
func (q Rebuilding) AdoptLostCluster(ctx context.Context, cluster models.Cluster, since time.Time, key, sum string) (adopted bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		_, exists, err := find[models.Cluster](tx.with(ctx).Where("name = ?", cluster.Name))
		if err != nil || exists {
			return err
		}
		_, pending, err := find[models.Setting](tx.with(ctx).Where("name = ?", keptPrefix+key))
		if err != nil || pending { // it was deleted here, and the removal of its record is still to come
			return err
		}
		gone, err := tx.Rebuild.goneSince(ctx, since)
		if err != nil || gone.clusters[cluster.Name] {
			return err
		}
		now := tx.Now()
		cluster.Status, cluster.UpdatedAt, cluster.ScheduleSince = models.ClusterRestoreFailed, now, now
		if cluster.Attached() {
			cluster.Status = models.ClusterUnreachable
		}
		cluster.CreatedAt = catalogTime(cluster.CreatedAt)
		if cluster.CreatedAt.After(now) || cluster.CreatedAt.IsZero() {
			cluster.CreatedAt = now
		}
		if cluster.SnapshotWindow.IsZero() {
			cluster.SnapshotWindow, cluster.WindowChosen = models.PickWindowBeside(cluster.Name, cluster.Attributes.MaintenanceWindow), false
		}
		cluster.Nodes = nil
		planDrills(&cluster, now)
		if err := tx.with(ctx).Create(&cluster).Error; err != nil {
			return fmt.Errorf("write cluster %s: %w", cluster.Name, err)
		}
		if sum != "" {
			if err := tx.Settings.set(ctx, keptPrefix+key, sum); err != nil {
				return err
			}
		}
		adopted = true
		return errors.Join(tx.Rebuild.giveSnapshots(ctx, cluster),
			tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name,
				Message: fmt.Sprintf("The cluster %s was brought back from what the store has about it. %s", cluster.Name, cluster.StatusReason)}))
	})
	return adopted && err == nil, err
}

// planDrills begins the schedule of drills of a cluster that was brought back anew: when the last one was held is lost.
func planDrills(cluster *models.Cluster, now time.Time) {
	if plan := cluster.DrillPlan; plan != nil {
		plan.DueAt = catalogTime(plan.First(now, cluster.Name).Begins)
	}
}

// giveSnapshots gives a cluster that was brought back the snapshots of its name.
func (q Rebuilding) giveSnapshots(ctx context.Context, cluster models.Cluster) error {
	err := q.db.with(ctx).Model(&models.Snapshot{}).Where("cluster_name = ? AND cluster_id = 0", cluster.Name).UpdateColumn("cluster_id", cluster.ID).Error
	if err != nil {
		return fmt.Errorf("give %s its snapshots: %w", cluster.Name, err)
	}
	return nil
}
