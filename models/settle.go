package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// This file ends runs: each function settles, in one transaction, the run and the state of everything it worked on, so that
// a console killed in between leaves either all of it or nothing.

// CompleteSnapshot turns a snapshot available, after its manifest was written. The given row carries what was measured and its parts.
func (db *DB) CompleteSnapshot(ctx context.Context, run Run, measured Snapshot) error {
	return db.transaction(ctx, func(tx *DB) error {
		if present, err := tx.Run(ctx, run.ID); err != nil {
			return err
		} else if present.Status == RunSucceeded {
			return nil // said twice
		}
		if err := tx.recordSnapshot(ctx, measured); err != nil {
			return err
		}
		if run.GoesOn() {
			return tx.hold(ctx, run) // the final snapshot of a deletion
		}
		args, err := Args[SnapshotArgs](run)
		if err != nil {
			return err
		}
		if err := tx.endSnapshotting(ctx, run, args); err != nil {
			return err
		}
		return tx.endRun(ctx, run, RunSucceeded, "")
	})
}

func (db *DB) recordSnapshot(ctx context.Context, measured Snapshot) error {
	snapshot, err := db.Snapshot(ctx, measured.Name)
	if err != nil {
		return err
	}
	if err := db.with(ctx).Where("snapshot_id = ?", snapshot.ID).Delete(&Part{}).Error; err != nil {
		return fmt.Errorf("replace parts of snapshot %s: %w", snapshot.Name, err)
	}
	for _, part := range measured.Parts {
		part.ID, part.SnapshotID = 0, snapshot.ID
		part.StartedAt, part.CompletedAt = catalogTime(part.StartedAt), catalogTime(part.CompletedAt)
		if err := db.with(ctx).Create(&part).Error; err != nil {
			return fmt.Errorf("write part %d of snapshot %s: %w", part.Number, snapshot.Name, err)
		}
	}
	now := db.Now()
	written := db.with(ctx).Model(&Snapshot{ID: snapshot.ID}).Where("status = ?", SnapshotCreating).Updates(map[string]any{
		"status": SnapshotAvailable, "status_reason": "", "rdb_version": measured.RDBVersion, "bytes": measured.Bytes,
		"stored": measured.Stored, "keys": measured.Keys, "used_memory": measured.UsedMemory, "served_by": measured.ServedBy,
		"served_role": measured.ServedRole, "warning": measured.Warning, "started_at": catalogTimeOf(measured.StartedAt), "completed_at": now,
		"verified_at": now, "damage": "", "attempt": measured.Attempt, "manifest_sha256": measured.ManifestSHA256,
	})
	if written.Error != nil {
		return fmt.Errorf("write snapshot %s: %w", snapshot.Name, written.Error)
	} else if written.RowsAffected == 0 {
		return fmt.Errorf("write snapshot %s, which is %s: %w", snapshot.Name, snapshot.Status, ErrRunEnded)
	}
	if err := db.noticed(ctx, snapshot); err != nil {
		return err
	}
	return db.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: snapshot.ClusterName, SnapshotName: snapshot.Name,
		Message: fmt.Sprintf("The %s snapshot %s of %s is available.", snapshot.Source, snapshot.Name, snapshot.ClusterName)})
}

// endSnapshotting gives the cluster of a snapshot free. One that was unreachable is so again until the supervisor has seen otherwise.
func (db *DB) endSnapshotting(ctx context.Context, run Run, args SnapshotArgs) (err error) {
	if args.Unreachable != "" {
		_, err = db.moveCluster(ctx, run.ClusterID, ClusterUnreachable, args.Unreachable, ClusterSnapshotting)
	} else {
		_, err = db.backToAvailable(ctx, run.ClusterID, "", ClusterSnapshotting)
	}
	return err
}

// FailRun ends a run that did not succeed, after its remains were removed, and frees what it worked on.
func (db *DB) FailRun(ctx context.Context, run Run, status RunStatus, reason string) error {
	return db.transaction(ctx, func(tx *DB) error { return tx.fail(ctx, run, status, reason) })
}

func (db *DB) fail(ctx context.Context, run Run, status RunStatus, reason string) error {
	e := endingOf(run, status, reason)
	if err := wayOf(run.Kind).frees(ctx, db, run, &e); err != nil {
		return err
	}
	return db.conclude(ctx, run, e)
}

// endingOf is how a run of its kind ends that did not succeed.
func endingOf(run Run, status RunStatus, reason string) ending {
	e := ending{status, reason, Event{Severity: SeverityError, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
		Message: run.Says(status, reason)}}
	if status == RunCancelled {
		e.event.Severity = SeverityInfo
	}
	return e
}

func (db *DB) conclude(ctx context.Context, run Run, e ending) error {
	if e.event.Message != "" {
		if err := db.AddEvent(ctx, e.event); err != nil {
			return err
		}
	}
	return db.endRun(ctx, run, e.status, e.reason)
}

func freeNothing(context.Context, *DB, Run, *ending) error { return nil }

// freeSnapshotted ends the snapshot and gives its cluster free.
func freeSnapshotted(ctx context.Context, tx *DB, run Run, e *ending) error {
	args, err := Args[SnapshotArgs](run)
	if err != nil {
		return err
	}
	if _, err := tx.moveSnapshot(ctx, run.SnapshotName, SnapshotFailed, e.reason, SnapshotCreating); err != nil {
		return err
	}
	if err := tx.endSnapshotting(ctx, run, args); err != nil {
		return err
	}
	if args.WindowOpens != nil && e.status == RunFailed {
		err := tx.with(ctx).Model(&WindowMark{}).Where("cluster_id = ? AND opens = ?", run.ClusterID, *args.WindowOpens).
			Updates(map[string]any{"outcome": MarkFailed, "tried": tx.Now()}).Error
		if err != nil {
			return fmt.Errorf("mark window of %s: %w", run.ClusterName, err)
		}
	}
	return nil
}

// CompleteCluster turns a created, restored or modified cluster available.
func (db *DB) CompleteCluster(ctx context.Context, run Run, message string) error {
	return db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.backToAvailable(ctx, run.ClusterID, "", ClusterCreating, ClusterModifying, ClusterRebooting); err != nil {
			return err
		}
		if run.SnapshotName != "" {
			if err := tx.setUnsaved(ctx, run.ClusterID, run.SnapshotName); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message}),
			tx.endRun(ctx, run, RunSucceeded, ""),
			tx.releaseSnapshot(ctx, run))
	})
}

// freeNew leaves a cluster that did not come up as one that can only be deleted.
func freeNew(to ClusterStatus) func(context.Context, *DB, Run, *ending) error {
	return func(ctx context.Context, tx *DB, run Run, e *ending) error {
		_, err := tx.moveCluster(ctx, run.ClusterID, to, e.reason, ClusterCreating)
		return err
	}
}

func freeRestored(ctx context.Context, tx *DB, run Run, e *ending) error {
	if args, err := Args[RestoreArgs](run); err != nil {
		return err
	} else if args.Refill {
		return freeRefilled(ctx, tx, run, args, e)
	}
	if err := freeNew(ClusterRestoreFailed)(ctx, tx, run, e); err != nil {
		return err
	}
	return tx.releaseSnapshot(ctx, run)
}

// releaseSnapshot lets go of the snapshot that a restore read.
func (db *DB) releaseSnapshot(ctx context.Context, run Run) error {
	if run.SnapshotName == "" {
		return nil
	}
	return db.releaseSource(ctx, run.SnapshotName, run.ID)
}

// freeAvailable makes a cluster available again after a change that did not succeed, and has it say why.
func freeAvailable(what string) func(context.Context, *DB, Run, *ending) error {
	return func(ctx context.Context, tx *DB, run Run, e *ending) error {
		_, err := tx.backToAvailable(ctx, run.ClusterID, what+e.reason, ClusterModifying, ClusterRebooting)
		return err
	}
}

// AbandonDelete ends a deletion whose final snapshot failed: nothing was deleted, the cluster is available again.
func (db *DB) AbandonDelete(ctx context.Context, run Run, reason string) error {
	return db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.moveSnapshot(ctx, run.SnapshotName, SnapshotFailed, reason, SnapshotCreating); err != nil {
			return err
		}
		if _, err := tx.backToAvailable(ctx, run.ClusterID, "It was not deleted. "+reason, ClusterDeleting); err != nil {
			return err
		}
		return errors.Join(tx.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
			Message: fmt.Sprintf("The cluster %s was not deleted. %s", run.ClusterName, reason)}),
			tx.endRun(ctx, run, RunFailed, reason))
	})
}

// freeRemoved leaves a snapshot that was removed in part as one that can be deleted again.
func freeRemoved(ctx context.Context, tx *DB, run Run, e *ending) error {
	_, err := tx.moveSnapshot(ctx, run.SnapshotName, SnapshotFailed, "It could not be removed completely. "+e.reason, SnapshotDeleting)
	return err
}

// freeDeleting has a cluster say why it is still deleting. It stays that, for some of it may be gone already and nothing may bring that back
// empty; deleting it again goes on.
func freeDeleting(ctx context.Context, tx *DB, run Run, e *ending) error {
	if _, err := tx.moveCluster(ctx, run.ClusterID, ClusterDeleting, "It could not be deleted completely. "+e.reason, ClusterDeleting); err != nil {
		return err
	}
	// A final snapshot that was not begun will never be.
	_, err := tx.moveSnapshot(ctx, run.SnapshotName, SnapshotFailed, e.reason, SnapshotCreating)
	return err
}

// CompleteSnapshotDeletion takes a removed snapshot out of the catalog.
func (db *DB) CompleteSnapshotDeletion(ctx context.Context, run Run) error {
	return db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.RemoveSnapshotRow(ctx, run.SnapshotName),
			tx.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
				Message: fmt.Sprintf("The snapshot %s was deleted.", run.SnapshotName)}),
			tx.endRun(ctx, run, RunSucceeded, ""))
	})
}

// CompleteClusterDeletion takes a deleted cluster out of the catalog; its manual snapshots stay, belonging to no living cluster.
func (db *DB) CompleteClusterDeletion(ctx context.Context, run Run) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.ClusterByID(ctx, run.ClusterID)
		if err != nil {
			return err
		}
		if err := tx.dropTags(ctx, cluster.resources()...); err != nil {
			return err
		}
		for _, rows := range []any{&Node{}, &WindowMark{}, &Loss{}} {
			if err := tx.with(ctx).Where("cluster_id = ?", run.ClusterID).Delete(rows).Error; err != nil {
				return fmt.Errorf("remove rows of cluster %s: %w", run.ClusterName, err)
			}
		}
		if err := tx.with(ctx).Model(&Snapshot{}).Where("cluster_id = ?", run.ClusterID).UpdateColumn("cluster_id", 0).Error; err != nil {
			return fmt.Errorf("release snapshots of cluster %s: %w", run.ClusterName, err)
		}
		gone := tx.AddEvent(ctx, Event{Severity: SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
			Message: fmt.Sprintf("The cluster %s was deleted.", run.ClusterName)})
		if err := tx.with(ctx).Delete(&Cluster{}, run.ClusterID).Error; err != nil {
			return fmt.Errorf("remove cluster %s: %w", run.ClusterName, err)
		}
		return errors.Join(gone,
			tx.endRun(ctx, run, RunSucceeded, ""))
	})
}

// What an event is about, as ElastiCache calls it.
const (
	SourceGroup   = "replication-group"
	SourceCluster = "cache-cluster"
)

// AddEvent writes an event with the catalog's time.
func (db *DB) AddEvent(ctx context.Context, e Event) error {
	if e.At.IsZero() {
		e.At = db.Now()
	}
	e.At = catalogTime(e.At)
	if e.ClusterName != "" && e.SourceType == "" {
		e.SourceType = SourceGroup
		if cluster, found, err := find[Cluster](db.with(ctx).Where("name = ?", e.ClusterName)); err != nil {
			return fmt.Errorf("find the cluster of an event: %w", err)
		} else if found && !cluster.Grouped {
			e.SourceType = SourceCluster
		}
	}
	if err := db.with(ctx).Create(&e).Error; err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// NodeSeen records what the supervisor saw of a node.
func (db *DB) NodeSeen(ctx context.Context, n Node) error {
	err := db.with(ctx).Model(&Node{ID: n.ID}).UpdateColumns(map[string]any{"state": n.State, "used_memory": n.UsedMemory,
		"max_memory": n.MaxMemory, "keys": n.Keys, "lag_bytes": n.LagBytes, "seen_at": catalogTimeOf(n.SeenAt)}).Error
	if err != nil {
		return fmt.Errorf("record node %s: %w", n.Name, err)
	}
	return nil
}

// SameAs tells whether a node is as it was seen before, but for small movements of its memory, and that is not longer ago than limit.
func (n Node) SameAs(before Node, limit time.Duration) bool {
	if n.State != before.State || n.Role != before.Role || n.MaxMemory != before.MaxMemory || n.Keys != before.Keys || (n.LagBytes < 0) != (before.LagBytes < 0) {
		return false
	}
	if n.SeenAt == nil || before.SeenAt == nil {
		return n.SeenAt == before.SeenAt
	}
	moved := n.UsedMemory - before.UsedMemory
	return n.SeenAt.Sub(*before.SeenAt) < limit && max(moved, -moved) < 1<<20
}

// RemoveNode takes a node that was stopped out of the catalog.
func (db *DB) RemoveNode(ctx context.Context, id uint) error {
	if err := db.with(ctx).Delete(&Node{}, id).Error; err != nil {
		return fmt.Errorf("remove node %d: %w", id, err)
	}
	return nil
}

// Promote makes one node of a shard its primary and the others its replicas, in one step. The cluster's port follows the primary.
func (db *DB) Promote(ctx context.Context, clusterID uint, node Node) error {
	return db.transaction(ctx, func(tx *DB) error {
		others := tx.with(ctx).Model(&Node{}).Where("cluster_id = ? AND shard = ? AND id <> ?", clusterID, node.Shard, node.ID).
			UpdateColumn("role", RoleReplica)
		primary := tx.with(ctx).Model(&Node{ID: node.ID}).UpdateColumn("role", RolePrimary)
		port := tx.with(ctx).Model(&Cluster{ID: clusterID}).UpdateColumn("port", node.Port)
		if err := errors.Join(others.Error, primary.Error, port.Error); err != nil {
			return fmt.Errorf("promote %s: %w", node.Name, err)
		}
		if primary.RowsAffected == 0 {
			return fmt.Errorf("promote %s: the node was removed", node.Name) // a shard without a primary would be left
		}
		return nil
	})
}

// MarkReachable moves a cluster between available and unreachable, and tells whether that was a change. The reason of one that is
// unreachable already is replaced.
func (db *DB) MarkReachable(ctx context.Context, id uint, reachable bool, reason string) (bool, error) {
	if reachable {
		return db.backToAvailable(ctx, id, "", ClusterUnreachable)
	}
	changed, err := db.moveCluster(ctx, id, ClusterUnreachable, reason, ClusterAvailable)
	if err == nil && !changed {
		_, err = db.moveCluster(ctx, id, ClusterUnreachable, reason, ClusterUnreachable)
	}
	return changed, err
}

// Clusters returns all clusters with their nodes, by name.
func (db *DB) Clusters(ctx context.Context) ([]Cluster, error) {
	var clusters []Cluster
	err := db.with(ctx).Preload("Nodes", inOrder).Order("name").Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	return clusters, nil
}

// ClustersByName returns those of these clusters that there are, with their nodes.
func (db *DB) ClustersByName(ctx context.Context, names []string) (map[string]Cluster, error) {
	var found []Cluster
	if err := db.with(ctx).Preload("Nodes", inOrder).Where("name IN ?", names).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	clusters := make(map[string]Cluster, len(found))
	for _, c := range found {
		clusters[c.Name] = c
	}
	return clusters, nil
}

// ClusterByID returns a cluster with its nodes.
func (db *DB) ClusterByID(ctx context.Context, id uint) (Cluster, error) {
	cluster, found, err := find[Cluster](db.with(ctx).Preload("Nodes", func(q *gorm.DB) *gorm.DB { return q.Order("id") }).Where("id = ?", id))
	if err == nil && !found {
		err = refuse(CodeClusterNotFound, "", fmt.Sprintf("There is no cluster with the number %d.", id))
	}
	return cluster, err
}
