package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// freeMoved ends the snapshot that a copy, an export, an import or a recovery did not complete, and releases the one that it read.
func freeMoved(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	args, err := run.Carries()
	if err != nil {
		return err
	}
	if args.Store == "" { // otherwise run.SnapshotName is the source
		if _, err := tx.Snapshots.move(ctx, run.SnapshotName, models.SnapshotFailed, e.reason, models.SnapshotCreating); err != nil {
			return err
		}
	}
	return tx.Copies.release(ctx, run)
}

// freeRefilled leaves a cluster that could not be filled again unreachable. The supervisor tries again.
func freeRefilled(ctx context.Context, tx *DB, run models.Run, args models.RestoreArgs, e *ending) error {
	text := refillFailed + run.SnapshotName + ". " + e.reason + " It is tried again."
	if _, err := tx.Clusters.move(ctx, run.ClusterID, models.ClusterUnreachable, text, models.ClusterCreating); err != nil {
		return err
	}
	e.event.Severity, e.event.Message = models.SeverityError, ""
	if text != args.Before { // not at each attempt with the same reason
		e.event.Message = fmt.Sprintf("The cluster %s could not be filled again from %s. %s It is tried again.", run.ClusterName, run.SnapshotName, e.reason)
	}
	return tx.Settle.releaseSnapshot(ctx, run)
}

// anywhere is the home of a run that any console can do.
func anywhere(context.Context, *DB, models.Run) (string, error) { return "", nil }

// atNodes is the home of a run that works on the nodes of a cluster: where they are.
func atNodes(ctx context.Context, tx *DB, run models.Run) (string, error) {
	cluster, _, err := find[models.Cluster](tx.with(ctx).Select("home").Where("id = ?", run.ClusterID))
	return cluster.Home, err
}

// atNodesOrGone is the home of a deletion. If a cluster's host is away, and may never come back, any console deletes the cluster, unless its data is
// asked for. Should the host come back after all, the nodes belong to no cluster.
func atNodesOrGone(ctx context.Context, tx *DB, run models.Run) (string, error) {
	home, err := atNodes(ctx, tx, run)
	if err != nil || run.SnapshotName != "" {
		return home, err
	}
	if away, err := tx.Owners.Away(ctx, home); err != nil || away {
		return "", err
	}
	return home, nil
}

// runWay is how the catalog treats the runs of one kind.
type runWay struct {
	home  func(ctx context.Context, tx *DB, run models.Run) (string, error)
	frees func(ctx context.Context, tx *DB, run models.Run, e *ending) error
}

// ending is how an unsuccessful run ends. What frees the things that it worked on may amend it.
type ending struct {
	status models.RunStatus
	reason string
	event  models.Event // without a message it is not written
}

// runWays has an entry for every kind.
var runWays = map[models.RunKind]runWay{
	models.RunSnapshot:          {home: atNodes, frees: freeSnapshotted},
	models.RunRestore:           {home: atNodes, frees: freeRestored},
	models.RunStraight:          {home: atNodes, frees: freeStraight},
	models.RunFill:              {home: atNodes, frees: freeFilled},
	models.RunBringBack:         {home: atNodes, frees: freeBroughtBack},
	models.RunCreate:            {home: atNodes, frees: freeNew(models.ClusterCreateFailed)},
	models.RunModify:            {home: atNodes, frees: freeAvailable("The last change did not succeed. ")},
	models.RunReboot:            {home: atNodes, frees: freeAvailable("The last restart of nodes did not succeed. ")},
	models.RunFailover:          {home: atNodes, frees: freeAvailable("The last failover did not succeed. ")},
	models.RunMigrate:           {home: atNodes, frees: freeAvailable("The last migration into it did not begin. ")},
	models.RunCompleteMigration: {home: atNodes, frees: freeMigrating},
	models.RunDelete:            {home: atNodesOrGone, frees: freeDeleting},
	models.RunDeleteSnapshot:    {home: anywhere, frees: freeRemoved},
	models.RunCopy:              {home: anywhere, frees: freeMoved},
	models.RunExport:            {home: anywhere, frees: freeMoved},
	models.RunImport:            {home: anywhere, frees: freeMoved},
	models.RunVerify:            {home: anywhere, frees: freeVerified},
	models.RunDrill:             {home: anywhere, frees: freeDrilled},
	models.RunRecover:           {home: anywhere, frees: freeMoved},
	models.RunCompare:           {home: anywhere, frees: freeCompared},
	models.RunFind:              {home: anywhere, frees: freeNothing},
	models.RunRebuild:           {home: anywhere, frees: freeNothing},
}

// wayOf returns how the catalog treats a kind. A kind that only a newer console knows is worked on anywhere and holds nothing.
func wayOf(kind models.RunKind) runWay {
	if way, known := runWays[kind]; known {
		return way
	}
	return runWay{home: anywhere, frees: freeNothing}
}

// endingOf is how an unsuccessful run of its kind ends.
func endingOf(run models.Run, status models.RunStatus, reason string) ending {
	e := ending{status, reason, models.Event{Severity: models.SeverityError, ClusterName: run.ClusterName, SnapshotName: run.SnapshotName,
		Message: run.Says(status, reason)}}
	if status == models.RunCancelled {
		e.event.Severity = models.SeverityInfo
	}
	return e
}

func freeNothing(context.Context, *DB, models.Run, *ending) error { return nil }

// freeSnapshotted ends the snapshot and releases its cluster.
func freeSnapshotted(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	args, err := models.Args[models.SnapshotArgs](run)
	if err != nil {
		return err
	}
	if _, err := tx.Snapshots.move(ctx, run.SnapshotName, models.SnapshotFailed, e.reason, models.SnapshotCreating); err != nil {
		return err
	}
	if err := tx.Settle.endSnapshotting(ctx, run, args); err != nil {
		return err
	}
	if e.status != models.RunFailed {
		return nil
	}
	if args.WindowOpens != nil {
		err := tx.with(ctx).Model(&models.WindowMark{}).Where("cluster_id = ? AND opens = ?", run.ClusterID, *args.WindowOpens).
			Updates(map[string]any{"outcome": models.MarkFailed, "tried": tx.Now()}).Error
		if err != nil {
			return fmt.Errorf("mark window of %s: %w", run.ClusterName, err)
		}
	}
	e.event.Kind, e.event.Raises = models.EventSnapshotFailed, models.ConditionFailed
	e.event.Next, err = tx.Schedule.sayNext(ctx, run.ClusterID)
	return err
}

// freeNew leaves a cluster that did not come up in a state in which it can only be deleted.
func freeNew(to models.ClusterStatus) func(context.Context, *DB, models.Run, *ending) error {
	return func(ctx context.Context, tx *DB, run models.Run, e *ending) error {
		_, err := tx.Clusters.move(ctx, run.ClusterID, to, e.reason, models.ClusterCreating)
		return err
	}
}

func freeRestored(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if args, err := models.Args[models.RestoreArgs](run); err != nil {
		return err
	} else if args.Refill {
		return freeRefilled(ctx, tx, run, args, e)
	}
	if err := freeNew(models.ClusterRestoreFailed)(ctx, tx, run, e); err != nil {
		return err
	}
	return tx.Settle.releaseSnapshot(ctx, run)
}

// freeStraight leaves a cluster that could not be made of a moment in a state in which it can only be deleted, and releases the snapshot that it began with.
func freeStraight(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if err := freeNew(models.ClusterRestoreFailed)(ctx, tx, run, e); err != nil {
		return err
	}
	// Restoring that snapshot would not be the same again.
	if err := tx.with(ctx).Model(&models.Cluster{ID: run.ClusterID}).UpdateColumn("restored_from", "").Error; err != nil {
		return fmt.Errorf("forget what %s was to be made of: %w", run.ClusterName, err)
	}
	return tx.Settle.releaseSnapshot(ctx, run)
}

// freeFilled makes a cluster available again when a snapshot was not restored into it, and releases the snapshot.
func freeFilled(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if err := freeAvailable("The last restore into it did not succeed. ")(ctx, tx, run, e); err != nil {
		return err
	}
	return tx.Settle.releaseSnapshot(ctx, run)
}

// freeBroughtBack releases the snapshot and, unless it was a rehearsal, makes the cluster available again.
func freeBroughtBack(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	args, err := models.Args[models.BringBackArgs](run)
	if err != nil {
		return err
	}
	if !args.Rehearse {
		if err := freeAvailable("Keys were not brought back completely. ")(ctx, tx, run, e); err != nil {
			return err
		}
	}
	return tx.Settle.releaseSnapshot(ctx, run)
}

// freeAvailable makes a cluster available again after a change failed, and has it say why.
func freeAvailable(what string) func(context.Context, *DB, models.Run, *ending) error {
	return func(ctx context.Context, tx *DB, run models.Run, e *ending) error {
		_, err := tx.Clusters.backToAvailable(ctx, run.ClusterID, what+e.reason, models.ClusterModifying, models.ClusterRebooting)
		return err
	}
}

// freeMigrating has a cluster follow its source on after the migration could not be completed.
func freeMigrating(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	_, err := tx.Clusters.move(ctx, run.ClusterID, models.ClusterMigrating, "The migration could not be completed, and goes on. "+e.reason, models.ClusterModifying)
	return err
}

// freeRemoved leaves a partly removed snapshot in a state in which it can be deleted again.
func freeRemoved(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	_, err := tx.Snapshots.move(ctx, run.SnapshotName, models.SnapshotFailed, "It could not be removed completely. "+e.reason, models.SnapshotDeleting)
	return err
}

// freeDeleting has a cluster say why it is still deleting. It stays in that state, because some of it may be gone already and must not come back
// empty. Deleting it again continues.
func freeDeleting(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if _, err := tx.Clusters.move(ctx, run.ClusterID, models.ClusterDeleting, "It could not be deleted completely. "+e.reason, models.ClusterDeleting); err != nil {
		return err
	}
	// A final snapshot that was not begun never will be.
	_, err := tx.Snapshots.move(ctx, run.SnapshotName, models.SnapshotFailed, e.reason, models.SnapshotCreating)
	return err
}

// freeVerified leaves the snapshot as it is: its verification came to no result.
func freeVerified(ctx context.Context, tx *DB, run models.Run, e *ending) error {
	if e.status != models.RunCancelled {
		e.event.Raises, e.event.Next = models.ConditionDamaged, "The snapshot stays as it is, and is verified again later."
		return nil
	}
	if snapshot, err := tx.Snapshots.Get(ctx, run.SnapshotName); models.HasCode(err, models.CodeSnapshotNotFound) || err == nil && snapshot.Status == models.SnapshotDeleting {
		e.reason = "The snapshot was deleted in the meantime."
	}
	return nil
}
