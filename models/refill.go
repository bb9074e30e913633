package models

import (
	"context"
	"fmt"
	"strings"
)

// A restored cluster is available before its first RDB is on a disk: writing that takes longer than the restore. Should all of its nodes die in
// between, it is filled again, from what it came from.

// refillFailed begins the reason of a cluster that could not be filled again so far.
const refillFailed = "All nodes had died before one of them had saved its data, and it could not be filled again from "

// ClusterSaved writes down that a node of a cluster has saved what the cluster was filled with.
func (db *DB) ClusterSaved(ctx context.Context, clusterID uint) error {
	return db.setUnsaved(ctx, clusterID, "")
}

func (db *DB) setUnsaved(ctx context.Context, clusterID uint, snapshot string) error {
	if err := db.with(ctx).Model(&Cluster{ID: clusterID}).UpdateColumn("unsaved_from", snapshot).Error; err != nil {
		return fmt.Errorf("write down whether cluster %d has saved its data: %w", clusterID, err)
	}
	return nil
}

// Refill queues that a cluster all of whose nodes died before the first of them had saved is filled again: from the newest good snapshot of
// it, or from the one that it was restored from. It tells whether it could: not when neither is there any more.
func (db *DB) Refill(ctx context.Context, clusterID uint) (queued bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.ClusterByID(ctx, clusterID)
		if err != nil || cluster.UnsavedFrom == "" {
			return err
		}
		good := "status IN ? AND damage = ''"
		source, found, err := find[Snapshot](tx.with(ctx).Where(good+" AND cluster_id = ?", usable, cluster.ID).Order("created_at DESC"))
		if err == nil && !found {
			source, found, err = find[Snapshot](tx.with(ctx).Where(good+" AND name = ?", usable, cluster.UnsavedFrom))
		}
		if err != nil {
			return fmt.Errorf("look for a snapshot to fill %s from: %w", cluster.Name, err)
		} else if !found {
			return nil
		}
		before := cluster.StatusReason
		what := fmt.Sprintf("All nodes of %s had died before one of them had saved its data. It is filled again from %s; what was written to it since then is lost.",
			cluster.Name, source.Name)
		moved, err := tx.moveCluster(ctx, cluster.ID, ClusterCreating, what, ClusterAvailable, ClusterUnreachable)
		if err != nil {
			return err
		} else if !moved {
			return refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; it is filled again after that.", cluster.Name, cluster.Status))
		}
		if _, err := tx.moveSnapshot(ctx, source.Name, SnapshotRestoring, "", usable...); err != nil {
			return err
		}
		if !strings.HasPrefix(before, refillFailed) { // else it was said already
			err = tx.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: cluster.Name, SnapshotName: source.Name, Message: what})
			if err != nil {
				return err
			}
		}
		queued = true
		_, err = tx.enqueue(ctx, Run{Kind: RunRestore, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: source.Name, RequestedBy: "supervisor"},
			RestoreArgs{Refill: true, Before: before})
		return err
	})
	return queued && err == nil, err
}

// freeRefilled leaves a cluster that could not be filled again unreachable, and the supervisor tries again.
func freeRefilled(ctx context.Context, tx *DB, run Run, args RestoreArgs, e *ending) error {
	text := refillFailed + run.SnapshotName + ". " + e.reason + " It is tried again."
	if _, err := tx.moveCluster(ctx, run.ClusterID, ClusterUnreachable, text, ClusterCreating); err != nil {
		return err
	}
	e.event.Severity, e.event.Message = SeverityError, ""
	if text != args.Before { // not the same at each attempt
		e.event.Message = fmt.Sprintf("The cluster %s could not be filled again from %s. %s It is tried again.", run.ClusterName, run.SnapshotName, e.reason)
	}
	return tx.releaseSnapshot(ctx, run)
}
