package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/models"
)

// Copies queues copies, exports and imports.
type Copies struct{ db *DB }

// NoteWritten writes down that a run has found this key of another store free and is about to write it. A run never removes what it has not noted.
func (q Copies) NoteWritten(ctx context.Context, id uint, keys ...string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		run, err := tx.Runs.Get(ctx, id)
		if err != nil {
			return err
		}
		args, err := models.Args[models.CopyArgs](run)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !slices.Contains(args.Written, key) {
				args.Written = append(args.Written, key)
			}
		}
		if err := run.Tell(args); err != nil {
			return err
		}
		if err := tx.with(ctx).Model(&models.Run{}).Where("id = ?", id).Update("options", run.Options).Error; err != nil {
			return fmt.Errorf("write arguments of run %d: %w", id, err)
		}
		return nil
	})
}

// Copy checks the request and queues the copy. Within the console's own store the copy is a manual snapshot of the same cluster, written down as
// creating. In another store it is an archive that this catalog does not know.
func (q Copies) Copy(ctx context.Context, spec models.CopySpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		source, err := tx.Snapshots.Get(ctx, spec.Snapshot)
		if err != nil {
			return err
		}
		name, store, err := tx.Copies.checkCopy(ctx, source, spec)
		if err != nil {
			return err
		}
		if err := tx.Snapshots.hold(ctx, source, "copied"); err != nil {
			return err
		}
		run = models.Run{Kind: models.RunCopy, ClusterName: source.ClusterName, ClusterID: source.ClusterID, SnapshotName: source.Name, RequestedBy: spec.RequestedBy}
		if store == "" {
			run.SnapshotName = name
			if err := errors.Join(tx.Copies.add(ctx, source, name), tx.Tags.add(ctx, models.ResourceSnapshot+":"+name, spec.Tags)); err != nil {
				return err
			}
		}
		run, err = tx.Runs.enqueue(ctx, run, models.CopyArgs{Source: source.Name, Target: name, Store: store})
		return err
	})
	return run, err
}

// Check says why a copy would be refused now, as [models.Faults], and changes nothing.
func (q Copies) Check(ctx context.Context, spec models.CopySpec) error {
	source, err := q.db.Snapshots.Get(ctx, spec.Snapshot)
	if err != nil {
		return err
	}
	_, _, err = q.checkCopy(ctx, source, spec)
	return err
}

// checkCopy brings name and store of a copy into their final form.
func (q Copies) checkCopy(ctx context.Context, source models.Snapshot, spec models.CopySpec) (name, store string, err error) {
	var faults models.Faults
	name, problem := models.CheckSnapshotName(spec.Name)
	if problem != "" {
		faults.Add(models.CodeInvalid, "name", problem)
	}
	if store, problem = models.CheckOtherStore(spec.Store); problem != "" {
		faults.Add(models.CodeInvalid, "store", problem)
	}
	if store == "" {
		if err := q.checkNewManual(ctx, source.ClusterName, name, &faults); err != nil {
			return name, store, err
		}
	}
	return name, store, faults.OrNil()
}

// Export checks the request and queues the export.
func (q Copies) Export(ctx context.Context, spec models.ExportSpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		source, err := tx.Snapshots.Get(ctx, spec.Snapshot)
		if err != nil {
			return err
		}
		var faults models.Faults
		name, problem := models.CheckExportName(spec.Name)
		if problem != "" {
			faults.Add(models.CodeInvalid, "name", problem)
		}
		store, problem := models.CheckOtherStore(spec.Store)
		if store == "" && problem == "" {
			problem = "Say where the files are to go: s3://bucket/prefix or dir:/folder."
		}
		if problem != "" {
			faults.Add(models.CodeInvalid, "store", problem)
		}
		if len(faults) > 0 {
			return faults
		}
		if err := tx.Snapshots.hold(ctx, source, "exported"); err != nil {
			return err
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunExport, ClusterName: source.ClusterName, ClusterID: source.ClusterID, SnapshotName: source.Name,
			RequestedBy: spec.RequestedBy}, models.CopyArgs{Source: source.Name, Target: name, Store: store})
		return err
	})
	return run, err
}

// add writes the row of a copy. Its age is that of the data: a copy made today of last month's snapshot must not look fresh.
func (q Copies) add(ctx context.Context, source models.Snapshot, name string) error {
	row := source
	row.ID, row.Name, row.Source, row.Status, row.StatusReason = 0, name, models.SourceManual, models.SnapshotCreating, ""
	row.Bytes, row.Stored, row.Keys, row.StartedAt, row.CompletedAt, row.Parts = 0, 0, 0, nil, nil, nil
	row.Attempt, row.ManifestSHA256 = "", ""
	row.Origin = fmt.Sprintf("Copied from %s on %s UTC.", source.Name, q.db.Now().Format("2006-01-02 15:04"))
	return q.db.Snapshots.add(ctx, row)
}

// checkNewManual checks that this cluster may have a new manual snapshot of this name.
func (q Copies) checkNewManual(ctx context.Context, cluster, name string, faults *models.Faults) error {
	if _, exists, err := find[models.Snapshot](q.db.with(ctx).Where("name = ?", name)); err != nil {
		return err
	} else if exists {
		faults.Add(models.CodeSnapshotExists, "name", fmt.Sprintf("There is already a snapshot %s. Choose another name.", name))
	}
	return q.db.Snapshots.checkQuota(ctx, models.Cluster{Name: cluster}, faults)
}

// describe writes down what an import has found out about the origin of the data.
func (q Copies) describe(ctx context.Context, s models.Snapshot) error {
	err := q.db.with(ctx).Model(&models.Snapshot{}).Where("name = ? AND status = ?", s.Name, models.SnapshotCreating).Updates(map[string]any{
		"engine": s.Engine, "engine_version": s.EngineVersion, "node_type": s.NodeType, "cluster_mode": s.ClusterMode, "shards": s.ShardCount, "transit_encryption": s.TransitEncryption, "origin": s.Origin, "logical": s.Logical}).Error
	if err != nil {
		return fmt.Errorf("describe snapshot %s: %w", s.Name, err)
	}
	return nil
}

func (q Copies) release(ctx context.Context, run models.Run) error {
	args, err := run.Carries()
	if err != nil || args.Source == "" {
		return err
	}
	return q.db.Snapshots.release(ctx, args.Source, run.ID)
}

// tryImports is the name of the setting that says whether imports are tried out.
const tryImports = "try_imports"

// CheckImport returns all that is wrong with a request, changes nothing, and brings the request into its final form.
func (q Copies) CheckImport(ctx context.Context, spec *models.ImportSpec, upload bool) error {
	var faults models.Faults
	var problem string
	if spec.Cluster, problem = models.CheckName("cluster id", spec.Cluster); problem != "" {
		faults.Add(models.CodeInvalid, "cluster", problem)
	}
	if spec.Name, problem = models.CheckSnapshotName(spec.Name); problem != "" {
		faults.Add(models.CodeInvalid, "name", problem)
	}
	if !upload {
		models.CheckSources(spec, &faults)
	}
	if err := q.checkNewManual(ctx, spec.Cluster, spec.Name, &faults); err != nil {
		return err
	}
	return faults.OrNil()
}

// Import writes the snapshot down as creating and queues the run that reads the files.
func (q Copies) Import(ctx context.Context, spec models.ImportSpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Copies.CheckImport(ctx, &spec, false); err != nil {
			return err
		}
		var err error
		run, err = tx.Copies.addImport(ctx, spec, len(spec.Sources), "Imported from "+strings.Join(spec.Sources, ", ")+".")
		if err != nil {
			return err
		}
		run, err = tx.Runs.enqueue(ctx, run, models.ImportArgs{Target: spec.Name, Sources: spec.Sources})
		return err
	})
	return run, err
}

// BeginUpload writes the snapshot down as creating, with a run that is this owner's from the start: its bytes are already on their way.
func (q Copies) BeginUpload(ctx context.Context, spec models.ImportSpec, owner string) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Copies.CheckImport(ctx, &spec, true); err != nil {
			return err
		}
		var err error
		if run, err = tx.Copies.addImport(ctx, spec, 1, "Uploaded."); err != nil {
			return err
		}
		if run, err = tx.Runs.enqueue(ctx, run, models.ImportArgs{Target: spec.Name, Upload: true}); err != nil {
			return err
		}
		if err := tx.Owners.leased(ctx, owner); err != nil {
			return err
		}
		now := tx.Now()
		begun := tx.with(ctx).Model(&models.Run{}).Where("id = ?", run.ID).
			Updates(map[string]any{"status": models.RunRunning, "owner": owner, "started_at": now, "attempts": 1})
		if begun.Error != nil {
			return fmt.Errorf("begin run %d: %w", run.ID, begun.Error)
		}
		run.Status, run.Owner, run.StartedAt, run.Attempts = models.RunRunning, owner, &now, 1
		return nil
	})
	return run, err
}

// addImport writes the row of a snapshot whose engine is not known yet.
func (q Copies) addImport(ctx context.Context, spec models.ImportSpec, shards int, origin string) (models.Run, error) {
	row := models.Snapshot{Name: spec.Name, ClusterName: spec.Cluster, Source: models.SourceManual, Status: models.SnapshotCreating,
		Configuration: models.Configuration{ShardCount: shards, Grouped: !spec.CacheCluster},
		Origin:        fmt.Sprintf("%.1000s", origin), CreatedAt: q.db.Now()}
	cluster, exists, err := find[models.Cluster](q.db.with(ctx).Where("name = ?", spec.Cluster))
	if err != nil {
		return models.Run{}, err
	} else if exists {
		row.ClusterID, row.Grouped = cluster.ID, cluster.Grouped
	}
	if err := q.db.Snapshots.add(ctx, row); err != nil {
		return models.Run{}, err
	}
	return models.Run{Kind: models.RunImport, ClusterName: spec.Cluster, ClusterID: row.ClusterID, SnapshotName: spec.Name, RequestedBy: spec.RequestedBy}, nil
}

// Importing tells whether a snapshot is still being imported, so that whoever waits for it keeps waiting.
func (q Copies) Importing(ctx context.Context, name string) (bool, error) {
	_, found, err := find[models.Snapshot](q.db.with(ctx).Where("name = ? AND status = ?", name, models.SnapshotCreating))
	if err != nil {
		return false, fmt.Errorf("look for snapshot %s: %w", name, err)
	}
	return found, nil
}
