package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// Fills restores snapshots into existing clusters.
type Fills struct{ db *DB }

// Check says whether a snapshot can be restored into a cluster, as far as the catalog knows.
func (q Fills) Check(ctx context.Context, spec models.FillSpec) (models.Cluster, models.Snapshot, error) {
	snapshot, err := q.db.Snapshots.Get(ctx, spec.Snapshot)
	if err != nil {
		return models.Cluster{}, snapshot, models.RenameField(err, "", "snapshot")
	}
	cluster, err := q.db.Clusters.Get(ctx, spec.Cluster)
	if err != nil {
		return cluster, snapshot, models.RenameField(err, "", "cluster")
	}
	if faults := models.CheckFill(spec, cluster, snapshot, q.db.cannotTake(ctx, cluster.EngineName(), snapshot, spec.Deadlines)); len(faults) > 0 {
		return cluster, snapshot, faults
	}
	return cluster, snapshot, nil
}

// cannotTake says why an engine cannot take a snapshot, and whether it could without deadlines; "" when it can. It names keys unless names are hidden.
func (db *DB) cannotTake(ctx context.Context, engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string {
	why := db.host.CannotTake(engine, snapshot, deadlines)
	if why == "" {
		return ""
	}
	if hide, err := db.Settings.HidesKeyNames(ctx); hide || err != nil {
		snapshot = snapshot.WithoutKeyNames()
		why = db.host.CannotTake(engine, snapshot, deadlines)
	}
	if why != "" && db.host.CannotTake(engine, snapshot, models.DeadlinesDropped) == "" {
		why += " Without any deadlines it can: choose to drop them."
	}
	return why
}

// FieldsExpire tells whether a snapshot may have hashes whose fields expire, so that it has to be asked when they do.
func (q Fills) FieldsExpire(snapshot models.Snapshot) bool { return q.db.host.FieldsExpire(snapshot) }

// Expired says how many keys of a snapshot have expired by now: at least, and at most. known is false when that cannot be told.
func (q Fills) Expired(snapshot models.Snapshot) (least, most int64, known bool) {
	return q.db.host.Expired(snapshot, q.db.Now())
}

// Request queues a restore, with a snapshot of the cluster before it if a name for one is given. The cluster is locked for whichever comes first.
// Only one restore into a cluster can be under way. Refusals are [models.Faults].
func (q Fills) Request(ctx context.Context, spec models.FillSpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		cluster, snapshot, err := tx.Fills.Check(ctx, spec)
		if err != nil {
			return err
		}
		if spec.Safety, err = tx.Fills.lock(ctx, cluster, spec.Safety, spec.RequestedBy); err != nil {
			return err
		}
		// This transaction has locked the cluster, so nobody else can ask for the same now.
		if none, err := tx.Runs.none(ctx, cluster.ID, models.RunFill); err != nil {
			return err
		} else if !none {
			return models.Refuse(models.CodeClusterState, "cluster", fmt.Sprintf("Another snapshot is about to be restored into %s.", cluster.Name))
		}
		if err := tx.Snapshots.holdForRestore(ctx, snapshot.Name); err != nil {
			return err
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunFill, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: snapshot.Name, RequestedBy: spec.RequestedBy},
			models.FillArgs{Existing: spec.Existing, Safety: spec.Safety, Deadlines: spec.Deadlines})
		return err
	})
	return run, err
}

// lock locks a cluster for what is to be written into it or, if there is a name for one, for a snapshot before that, whose name it returns.
func (q Fills) lock(ctx context.Context, cluster models.Cluster, safety, requestedBy string) (string, error) {
	if safety == "" {
		return "", q.db.Clusters.take(ctx, cluster, models.ClusterModifying)
	}
	before, err := q.db.Snapshots.Request(ctx, cluster.Name, safety, false, requestedBy)
	return before.SnapshotName, models.RenameField(err, "name", "safety_name")
}

// MayBegin tells whether the snapshot before a restore has ended, and nothing else is going on with the cluster.
func (q Fills) MayBegin(ctx context.Context, run models.Run, safety string) (bool, error) {
	if safety == "" {
		return true, nil
	}
	before, err := q.db.Snapshots.Get(ctx, safety)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return false, err
	}
	cluster, err := q.db.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return true, nil // it fails with a reason when it begins
	}
	return before.Status != models.SnapshotCreating && !cluster.Status.InMotion(), nil
}

// Begin locks the cluster, unless it was locked when the restore was asked for. It refuses if the snapshot that was to be taken before is missing, or if
// why says that the cluster cannot be written into.
func (q Fills) Begin(ctx context.Context, run models.Run, safety string, why func(models.Cluster) string) (models.Cluster, models.Snapshot, error) {
	var cluster models.Cluster
	var snapshot models.Snapshot
	err := q.db.transaction(ctx, func(tx *DB) (err error) {
		if cluster, err = tx.Clusters.ByID(ctx, run.ClusterID); err != nil {
			return err
		}
		if snapshot, err = tx.Snapshots.Get(ctx, run.SnapshotName); err != nil {
			return err
		}
		if safety == "" {
			return nil
		}
		before, err := tx.Snapshots.Get(ctx, safety)
		if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
			return err
		}
		if err != nil || !before.Usable() {
			return models.Refuse(models.CodeSnapshotState, "safety_name", fmt.Sprintf("The snapshot %s of %s, which was to be taken first, failed. Nothing was written.", safety, cluster.Name))
		}
		if refusal := why(cluster); refusal != "" {
			return models.Refuse(models.CodeClusterState, "cluster", refusal)
		}
		return tx.Clusters.take(ctx, cluster, models.ClusterModifying)
	})
	return cluster, snapshot, err
}
