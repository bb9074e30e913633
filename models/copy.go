package models

import (
	"context"
	"errors"
	"fmt"
)

// CopySpec asks for a copy of a snapshot.
type CopySpec struct {
	Snapshot    string // what is copied
	Name        string // of the copy
	Store       string // where to: "" for the console's own store, else the URL of another one
	Tags        map[string]string
	RequestedBy string
}

// ExportSpec asks for a snapshot's plain RDB files.
type ExportSpec struct {
	Snapshot    string
	Name        string // of the files: "<name>-0001.rdb"
	Store       string // the URL of the store that they go to
	RequestedBy string
}

// ExportedObject is the name of a shard's file in an export, as ElastiCache gives it.
func ExportedObject(name string, shard int) string { return fmt.Sprintf("%s-%04d.rdb", name, shard) }

// CopySnapshot checks the request and queues the copy. Within the console's own store the copy is a manual snapshot of the same
// cluster, written down as creating; in another store it is an archive that this catalog does not know.
func (db *DB) CopySnapshot(ctx context.Context, spec CopySpec) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		source, err := tx.Snapshot(ctx, spec.Snapshot)
		if err != nil {
			return err
		}
		var faults Faults
		name, problem := CheckSnapshotName(spec.Name)
		if problem != "" {
			faults.add(CodeInvalid, "name", problem)
		}
		store, problem := checkOtherStore(spec.Store)
		if problem != "" {
			faults.add(CodeInvalid, "store", problem)
		}
		if store == "" {
			if err := tx.checkNewManual(ctx, source.ClusterName, name, &faults); err != nil {
				return err
			}
		}
		if len(faults) > 0 {
			return faults
		}
		if err := tx.holdSource(ctx, source, "copied"); err != nil {
			return err
		}
		run = Run{Kind: RunCopy, ClusterName: source.ClusterName, ClusterID: source.ClusterID, SnapshotName: source.Name, RequestedBy: spec.RequestedBy}
		if store == "" {
			run.SnapshotName = name
			if err := errors.Join(tx.addCopy(ctx, source, name), tx.addTags(ctx, ResourceSnapshot+":"+name, spec.Tags)); err != nil {
				return err
			}
		}
		run, err = tx.enqueue(ctx, run, CopyArgs{Source: source.Name, Target: name, Store: store})
		return err
	})
	return run, err
}

// ExportSnapshot checks the request and queues the export.
func (db *DB) ExportSnapshot(ctx context.Context, spec ExportSpec) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		source, err := tx.Snapshot(ctx, spec.Snapshot)
		if err != nil {
			return err
		}
		var faults Faults
		name, problem := CheckExportName(spec.Name)
		if problem != "" {
			faults.add(CodeInvalid, "name", problem)
		}
		store, problem := checkOtherStore(spec.Store)
		if store == "" && problem == "" {
			problem = "Say where the files are to go: s3://bucket/prefix or dir:/folder."
		}
		if problem != "" {
			faults.add(CodeInvalid, "store", problem)
		}
		if len(faults) > 0 {
			return faults
		}
		if err := tx.holdSource(ctx, source, "exported"); err != nil {
			return err
		}
		run, err = tx.enqueue(ctx, Run{Kind: RunExport, ClusterName: source.ClusterName, ClusterID: source.ClusterID, SnapshotName: source.Name,
			RequestedBy: spec.RequestedBy}, CopyArgs{Source: source.Name, Target: name, Store: store})
		return err
	})
	return run, err
}

// maxExportName leaves room for "-0001.rdb" in a file's name.
const maxExportName = 240

// addCopy writes the row of a copy. It is as old as its data: a copy made today of last month's snapshot must not look fresh.
func (db *DB) addCopy(ctx context.Context, source Snapshot, name string) error {
	row := source
	row.ID, row.Name, row.Source, row.Status, row.StatusReason = 0, name, SourceManual, SnapshotCreating, ""
	row.Bytes, row.Stored, row.Keys, row.StartedAt, row.CompletedAt, row.Parts = 0, 0, 0, nil, nil, nil
	row.Attempt, row.ManifestSHA256 = "", ""
	row.Origin = fmt.Sprintf("Copied from %s on %s UTC.", source.Name, db.Now().Format("2006-01-02 15:04"))
	return db.addSnapshot(ctx, row)
}

func (db *DB) addSnapshot(ctx context.Context, row Snapshot) error {
	if err := db.with(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("write snapshot %s: %w", row.Name, err)
	}
	return nil
}

// checkNewManual checks that a manual snapshot of this name may come to this cluster's.
func (db *DB) checkNewManual(ctx context.Context, cluster, name string, faults *Faults) error {
	if _, exists, err := find[Snapshot](db.with(ctx).Where("name = ?", name)); err != nil {
		return err
	} else if exists {
		faults.add(CodeSnapshotExists, "name", fmt.Sprintf("There is already a snapshot %s. Choose another name.", name))
	}
	return db.checkQuota(ctx, Cluster{Name: cluster}, faults)
}

// holdSource turns the snapshot that is to be read copying.
func (db *DB) holdSource(ctx context.Context, source Snapshot, what string) error {
	moved, err := db.moveSnapshot(ctx, source.Name, SnapshotCopying, source.StatusReason, SnapshotAvailable, SnapshotRestoring, SnapshotCopying)
	if err != nil {
		return err
	} else if !moved {
		return refuse(CodeSnapshotState, "", fmt.Sprintf("The snapshot %s is %s; only an available one can be %s.", source.Name, source.Status, what))
	}
	return nil
}

// releaseSource gives the snapshot that a run read the state that what else goes on with it asks for.
func (db *DB) releaseSource(ctx context.Context, name string, ended uint) error {
	active, err := db.ActiveRuns(ctx)
	if err != nil {
		return fmt.Errorf("list what reads %s: %w", name, err)
	}
	to := SnapshotAvailable
	for _, run := range active {
		if run.ID == ended {
			continue
		}
		if run.Kind == RunRestore && run.SnapshotName == name {
			to = SnapshotRestoring
		} else if args, err := run.Carries(); err != nil {
			return err
		} else if args.Source == name {
			to = SnapshotCopying
			break
		}
	}
	_, err = db.moveSnapshot(ctx, name, to, "", SnapshotRestoring, SnapshotCopying)
	return err
}

// CompleteMove ends a copy, an export or an import that succeeded. measured is what has become a snapshot of this catalog; its name is
// empty when the bytes went elsewhere, and then message says where.
func (db *DB) CompleteMove(ctx context.Context, run Run, measured Snapshot, message string) error {
	return db.transaction(ctx, func(tx *DB) error {
		if present, err := tx.Run(ctx, run.ID); err != nil {
			return err
		} else if present.Status == RunSucceeded {
			return nil // said twice
		}
		if measured.Name != "" {
			if err := tx.describeSnapshot(ctx, measured); err != nil {
				return err
			}
			if err := tx.recordSnapshot(ctx, measured); err != nil {
				return err
			}
		} else {
			event := Event{Severity: SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message}
			if err := tx.AddEvent(ctx, event); err != nil {
				return err
			}
		}
		if err := tx.endRun(ctx, run, RunSucceeded, ""); err != nil {
			return err
		}
		return tx.releaseMoved(ctx, run)
	})
}

// describeSnapshot writes down what an import has found out about where the data comes from.
func (db *DB) describeSnapshot(ctx context.Context, s Snapshot) error {
	err := db.with(ctx).Model(&Snapshot{}).Where("name = ? AND status = ?", s.Name, SnapshotCreating).Updates(map[string]any{
		"engine": s.Engine, "engine_version": s.EngineVersion, "node_type": s.NodeType, "shards": s.Shards, "origin": s.Origin}).Error
	if err != nil {
		return fmt.Errorf("describe snapshot %s: %w", s.Name, err)
	}
	return nil
}

func (db *DB) releaseMoved(ctx context.Context, run Run) error {
	args, err := run.Carries()
	if err != nil || args.Source == "" {
		return err
	}
	return db.releaseSource(ctx, args.Source, run.ID)
}

// freeMoved ends the snapshot that a copy, an export or an import did not complete, and lets go of the one that it read.
func freeMoved(ctx context.Context, tx *DB, run Run, e *ending) error {
	args, err := run.Carries()
	if err != nil {
		return err
	}
	if args.Store == "" { // else run.SnapshotName is the source
		if _, err := tx.moveSnapshot(ctx, run.SnapshotName, SnapshotFailed, e.reason, SnapshotCreating); err != nil {
			return err
		}
	}
	return tx.releaseMoved(ctx, run)
}

// AbandonMove is FailRun for what leaves no row: an upload, whose form has said why, and a copy or an import whose place in the store
// is taken by a snapshot that this catalog does not know, for deleting the row later would delete that snapshot.
func (db *DB) AbandonMove(ctx context.Context, run Run, status RunStatus, reason string) error {
	return db.transaction(ctx, func(tx *DB) error {
		args, err := run.Carries()
		if err != nil {
			return err
		}
		if args.Store == "" {
			if err := tx.RemoveSnapshotRow(ctx, run.SnapshotName); err != nil {
				return err
			}
		}
		return errors.Join(tx.conclude(ctx, run, endingOf(run, status, reason)), tx.releaseMoved(ctx, run))
	})
}
