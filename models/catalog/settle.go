package catalog

import (
	"context"
	"errors"
	"fmt"

	"rekindle/models"
)

// Settling ends runs. One transaction releases everything that a run held.
type Settling struct{ db *DB }

// Move ends a copy, an export or an import that succeeded. measured is the new snapshot of this catalog. Its name is empty when the bytes went
// elsewhere, and then message says where.
func (q Settling) Move(ctx context.Context, run models.Run, measured models.Snapshot, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if present, err := tx.Runs.Get(ctx, run.ID); err != nil {
			return err
		} else if present.Status == models.RunSucceeded {
			return nil // reported twice
		}
		if measured.Name != "" {
			if err := tx.Copies.describe(ctx, measured); err != nil {
				return err
			}
			if err := tx.Settle.recordSnapshot(ctx, measured, models.Event{}); err != nil {
				return err
			}
		} else {
			event := models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message}
			if err := tx.Events.Add(ctx, event); err != nil {
				return err
			}
		}
		if err := tx.Runs.end(ctx, run, models.RunSucceeded, ""); err != nil {
			return err
		}
		return tx.Copies.release(ctx, run)
	})
}

// AbandonMove is Fail for runs that leave no row: an upload, whose form has said why; and a copy or an import whose place in the store is taken by a
// snapshot that this catalog does not know, because deleting the row later would delete that snapshot.
func (q Settling) AbandonMove(ctx context.Context, run models.Run, status models.RunStatus, reason string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		args, err := run.Carries()
		if err != nil {
			return err
		}
		if args.Store == "" {
			if err := tx.Snapshots.RemoveRow(ctx, run.SnapshotName); err != nil {
				return err
			}
		}
		return errors.Join(tx.Settle.conclude(ctx, run, endingOf(run, status, reason)), tx.Copies.release(ctx, run))
	})
}

// Rebuild ends a rebuild.
func (q Settling) Rebuild(ctx context.Context, run models.Run, done models.Rebuilt) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.Rebuild.Event(ctx, done), tx.Runs.end(ctx, run, models.RunSucceeded, ""))
	})
}

// This file ends runs: each function settles, in one transaction, the run and the state of everything it worked on, so that a console killed in
// between leaves either all of it or nothing.

// Snapshot makes a snapshot available after its manifest was written. measured carries what was measured, and the parts.
func (q Settling) Snapshot(ctx context.Context, run models.Run, measured models.Snapshot) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if present, err := tx.Runs.Get(ctx, run.ID); err != nil {
			return err
		} else if present.Status == models.RunSucceeded {
			return nil // reported twice
		}
		taken := models.Event{Kind: models.EventSnapshotSucceeded, Ends: []models.Condition{models.ConditionFailed, models.ConditionMissed, models.ConditionOverdue}}
		if err := tx.Settle.recordSnapshot(ctx, measured, taken); err != nil {
			return err
		}
		if run.GoesOn() {
			return tx.Runs.hold(ctx, run) // it is the final snapshot of a deletion, which goes on
		}
		args, err := models.Args[models.SnapshotArgs](run)
		if err != nil {
			return err
		}
		if err := tx.Settle.endSnapshotting(ctx, run, args); err != nil {
			return err
		}
		return tx.Runs.end(ctx, run, models.RunSucceeded, "")
	})
}

// recordSnapshot makes a snapshot available. event says what else that means.
func (q Settling) recordSnapshot(ctx context.Context, measured models.Snapshot, event models.Event) error {
	snapshot, err := q.db.Snapshots.Get(ctx, measured.Name)
	if err != nil {
		return err
	}
	if err := q.db.with(ctx).Where("snapshot_id = ?", snapshot.ID).Delete(&models.Part{}).Error; err != nil {
		return fmt.Errorf("replace parts of snapshot %s: %w", snapshot.Name, err)
	}
	for _, part := range measured.Parts {
		part.ID, part.SnapshotID = 0, snapshot.ID
		part.StartedAt, part.CompletedAt = catalogTime(part.StartedAt), catalogTime(part.CompletedAt)
		if err := q.db.with(ctx).Create(&part).Error; err != nil {
			return fmt.Errorf("write part %d of snapshot %s: %w", part.Number, snapshot.Name, err)
		}
	}
	now := q.db.Now()
	if measured.Origin == "" {
		measured.Origin = snapshot.Origin
	}
	written := q.db.with(ctx).Model(&models.Snapshot{ID: snapshot.ID}).Where("status = ?", models.SnapshotCreating).Updates(map[string]any{
		"status": models.SnapshotAvailable, "status_reason": "", "rdb_version": measured.RDBVersion, "bytes": measured.Bytes,
		"stored": measured.Stored, "keys": measured.Keys, "used_memory": measured.UsedMemory, "served_by": measured.ServedBy,
		"served_role": measured.ServedRole, "warning": measured.Warning, "started_at": catalogTimeOf(measured.StartedAt), "completed_at": now,
		"verified_at": now, "damage": "", "attempt": measured.Attempt, "manifest_sha256": measured.ManifestSHA256, "logical": measured.Logical, "origin": measured.Origin,
	})
	if written.Error != nil {
		return fmt.Errorf("write snapshot %s: %w", snapshot.Name, written.Error)
	} else if written.RowsAffected == 0 {
		return fmt.Errorf("write snapshot %s, which is %s: %w", snapshot.Name, snapshot.Status, models.ErrRunEnded)
	}
	if err := q.db.Losses.noticed(ctx, snapshot); err != nil {
		return err
	}
	event.Severity, event.ClusterName, event.SnapshotName = models.SeverityInfo, snapshot.ClusterName, snapshot.Name
	event.Message = fmt.Sprintf("The %s snapshot %s of %s is available.", snapshot.Source, snapshot.Name, snapshot.ClusterName)
	return q.db.Events.Add(ctx, event)
}

// endSnapshotting releases the cluster of a snapshot. A cluster that was unreachable is unreachable again until the supervisor sees otherwise.
func (q Settling) endSnapshotting(ctx context.Context, run models.Run, args models.SnapshotArgs) (err error) {
	if args.Unreachable != "" {
		_, err = q.db.Clusters.move(ctx, run.ClusterID, models.ClusterUnreachable, args.Unreachable, models.ClusterSnapshotting)
	} else {
		_, err = q.db.Clusters.backToAvailable(ctx, run.ClusterID, "", models.ClusterSnapshotting)
	}
	return err
}

// Fail ends an unsuccessful run, after its remains were removed, and frees what it worked on.
func (q Settling) Fail(ctx context.Context, run models.Run, status models.RunStatus, reason string) error {
	return q.db.transaction(ctx, func(tx *DB) error { return tx.Settle.fail(ctx, run, status, reason) })
}

func (q Settling) fail(ctx context.Context, run models.Run, status models.RunStatus, reason string) error {
	e := endingOf(run, status, reason)
	if err := wayOf(run.Kind).frees(ctx, q.db, run, &e); err != nil {
		return err
	}
	return q.conclude(ctx, run, e)
}

func (q Settling) conclude(ctx context.Context, run models.Run, e ending) error {
	if e.event.Message != "" {
		if err := q.db.Events.Add(ctx, e.event); err != nil {
			return err
		}
	}
	return q.db.Runs.end(ctx, run, e.status, e.reason)
}

// Cluster makes a created, restored or modified cluster available. message is for people, and cached says the same in ElastiCache's words.
func (q Settling) Cluster(ctx context.Context, run models.Run, message string, cached ...models.Event) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.Clusters.backToAvailable(ctx, run.ClusterID, "", models.ClusterCreating, models.ClusterModifying, models.ClusterRebooting); err != nil {
			return err
		}
		if run.SnapshotName != "" {
			if err := tx.Losses.setUnsaved(ctx, run.ClusterID, run.SnapshotName); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.Events.AddAll(ctx, cached...),
			tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message}),
			tx.Runs.end(ctx, run, models.RunSucceeded, ""),
			tx.Settle.releaseSnapshot(ctx, run))
	})
}

// Fill ends a restore into an existing cluster.
func (q Settling) Fill(ctx context.Context, run models.Run, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.Clusters.backToAvailable(ctx, run.ClusterID, "", models.ClusterModifying); err != nil {
			return err
		}
		return errors.Join(
			tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName, Message: message}),
			tx.Runs.end(ctx, run, models.RunSucceeded, ""),
			tx.Settle.releaseSnapshot(ctx, run))
	})
}

// releaseSnapshot releases the snapshot that a restore read.
func (q Settling) releaseSnapshot(ctx context.Context, run models.Run) error {
	if run.Kind == models.RunStraight {
		present, err := q.db.Runs.Get(ctx, run.ID) // its arguments say by now which snapshot it has read
		if err != nil {
			return err
		}
		return q.db.Copies.release(ctx, present)
	}
	if run.SnapshotName == "" {
		return nil
	}
	return q.db.Snapshots.release(ctx, run.SnapshotName, run.ID)
}

// AbandonDelete ends a deletion whose final snapshot failed: nothing was deleted, and the cluster is available again.
func (q Settling) AbandonDelete(ctx context.Context, run models.Run, reason string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.Snapshots.move(ctx, run.SnapshotName, models.SnapshotFailed, reason, models.SnapshotCreating); err != nil {
			return err
		}
		if _, err := tx.Clusters.backToAvailable(ctx, run.ClusterID, "It was not deleted. "+reason, models.ClusterDeleting); err != nil {
			return err
		}
		return errors.Join(tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
			Message: fmt.Sprintf("The cluster %s was not deleted. %s", run.ClusterName, reason),
			Kind:    models.EventSnapshotFailed, Raises: models.ConditionFailed, Next: "The cluster stays as it is. Delete it again when you have looked at it."}),
			tx.Runs.end(ctx, run, models.RunFailed, reason))
	})
}

// SnapshotDeletion removes a deleted snapshot from the catalog.
func (q Settling) SnapshotDeletion(ctx context.Context, run models.Run) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.Snapshots.RemoveRow(ctx, run.SnapshotName),
			tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
				Message: fmt.Sprintf("The snapshot %s was deleted.", run.SnapshotName)}),
			tx.Runs.end(ctx, run, models.RunSucceeded, ""))
	})
}

// ClusterDeletion removes a deleted cluster from the catalog. Its manual snapshots stay, without a living cluster.
func (q Settling) ClusterDeletion(ctx context.Context, run models.Run) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.ByID(ctx, run.ClusterID)
		if err != nil {
			return err
		}
		if err := tx.Tags.drop(ctx, cluster.Resources()...); err != nil {
			return err
		}
		if err := tx.Tunings.leave(ctx, cluster); err != nil {
			return err
		}
		for _, rows := range []any{&models.Node{}, &models.Attachment{}, &models.WindowMark{}, &models.Loss{}, &models.DrillPlan{}, &models.JournalPlan{}, &models.JournalLink{}, &models.JournalComparison{}} {
			if err := tx.with(ctx).Where("cluster_id = ?", run.ClusterID).Delete(rows).Error; err != nil {
				return fmt.Errorf("remove rows of cluster %s: %w", run.ClusterName, err)
			}
		}
		if len(cluster.Nodes) == 0 { // what is stored of its journal stays, as its snapshots do
			for _, rows := range []any{&models.JournalSegment{}, &models.JournalStretch{}, &models.JournalEvent{}} {
				if err := tx.with(ctx).Where("cluster_id = ?", run.ClusterID).Delete(rows).Error; err != nil {
					return fmt.Errorf("forget the journal of cluster %s: %w", run.ClusterName, err)
				}
			}
		}
		if err := tx.with(ctx).Model(&models.Snapshot{}).Where("cluster_id = ?", run.ClusterID).UpdateColumn("cluster_id", 0).Error; err != nil {
			return fmt.Errorf("release snapshots of cluster %s: %w", run.ClusterName, err)
		}
		if err := tx.Alarms.forget(ctx, "cluster_name = ? AND condition <> ?", cluster.Name, models.ConditionDamaged); err != nil {
			return err
		}
		said := tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
			Message: fmt.Sprintf("The cluster %s was %s.", run.ClusterName, becameOf(cluster))})
		if err := tx.with(ctx).Delete(&models.Cluster{}, run.ClusterID).Error; err != nil {
			return fmt.Errorf("remove cluster %s: %w", run.ClusterName, err)
		}
		return errors.Join(said,
			tx.Runs.end(ctx, run, models.RunSucceeded, ""))
	})
}

// becameOf says what became of a cluster.
func becameOf(cluster models.Cluster) string {
	if cluster.Attached() {
		return "detached; its nodes run on"
	}
	return "deleted"
}

// Verify ends a verification that came to a result: the snapshot is verified, or damage says in sentences what is wrong. verified is the row that was
// verified. If that snapshot was deleted or made again in the meantime, the new one is left alone.
func (q Settling) Verify(ctx context.Context, run models.Run, verified models.Snapshot, damage string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Snapshots.Get(ctx, run.SnapshotName)
		if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
			return err
		}
		if err != nil || present.ID != verified.ID || !present.Verifiable() {
			return tx.Runs.end(ctx, run, models.RunCancelled, "The snapshot was deleted in the meantime.")
		}
		if damage != "" {
			return errors.Join(tx.Snapshots.markDamaged(ctx, present, damage), tx.Runs.end(ctx, run, models.RunDamaged, damage))
		}
		changes := map[string]any{"verified_at": tx.Now()}
		if present.ManifestSHA256 == "" { // a snapshot from before manifests were remembered
			changes["manifest_sha256"] = verified.ManifestSHA256
		}
		whole := models.Event{Severity: models.SeverityInfo, ClusterName: present.ClusterName, SnapshotName: present.Name, Ends: []models.Condition{models.ConditionDamaged},
			Message: fmt.Sprintf("The snapshot %s of %s is whole again: every byte was read back and is correct.", present.Name, present.ClusterName)}
		var failures []error
		if present.Damaged() {
			changes["status"], changes["status_reason"], changes["damage"] = models.SnapshotAvailable, "", ""
			failures = append(failures, tx.Events.Add(ctx, whole))
		} else { // an earlier verification may have come to no result
			whole.Message = fmt.Sprintf("The snapshot %s of %s is whole: every byte was read back and is correct.", present.Name, present.ClusterName)
			failures = append(failures, tx.Alarms.note(ctx, whole))
		}
		failures = append(failures, tx.with(ctx).Model(&models.Snapshot{ID: present.ID}).UpdateColumns(changes).Error, tx.Runs.end(ctx, run, models.RunSucceeded, ""))
		return errors.Join(failures...)
	})
}
