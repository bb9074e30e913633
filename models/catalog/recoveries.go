package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/models"
)

// Recoveries queues what makes a moment of a cluster a snapshot.
type Recoveries struct{ db *DB }

// Request checks the request, writes the snapshot down as creating, and queues the run. Its age is that of its data. The cluster is left alone.
func (q Recoveries) Request(ctx context.Context, spec models.RecoverSpec) (models.Run, error) {
	var run models.Run
	err := q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Recoveries.check(ctx, &spec)
		if err != nil {
			return err
		}
		row := models.Snapshot{Name: spec.Name, ClusterName: cluster.Name, ClusterID: cluster.ID, Source: models.SourceManual, Status: models.SnapshotCreating,
			Configuration: cluster.Configuration, Origin: models.RecoveringOrigin(spec.Moment), CreatedAt: spec.Moment}
		if err := errors.Join(tx.Snapshots.add(ctx, row), tx.Tags.add(ctx, models.ResourceSnapshot+":"+row.Name, spec.Tags)); err != nil {
			return err
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunRecover, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: row.Name, RequestedBy: spec.RequestedBy},
			models.RecoverArgs{Target: row.Name, Moment: spec.Moment, Places: spec.Places})
		return err
	})
	return run, err
}

// Check says why a request would be refused now, as [models.Faults], changes nothing, and brings it into its final form.
func (q Recoveries) Check(ctx context.Context, spec *models.RecoverSpec) error {
	_, err := q.check(ctx, spec)
	return err
}

func (q Recoveries) check(ctx context.Context, spec *models.RecoverSpec) (models.Cluster, error) {
	cluster, err := q.db.Clusters.Get(ctx, spec.Cluster)
	if err != nil {
		return cluster, models.RenameField(err, "", "cluster")
	}
	faults := spec.Check(q.db.Now())
	if err := q.db.Copies.checkNewManual(ctx, cluster.Name, spec.Name, &faults); err != nil {
		return cluster, err
	}
	return cluster, faults.OrNil()
}

// Bases returns the good snapshots of a cluster whose data is of this moment or before, the newest first, at most limit of them.
func (q Recoveries) Bases(ctx context.Context, cluster string, moment time.Time, limit int) ([]models.Snapshot, error) {
	var rows []models.Snapshot
	err := q.db.with(ctx).Preload("Parts", inOrder).Where("cluster_name = ? AND status IN ? AND damage = '' AND logical = ? AND started_at <= ?", cluster, usable, false, catalogTime(moment)).
		Order("started_at DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s that a recovery could begin with: %w", cluster, err)
	}
	return rows, nil
}

// Begin has a run begin with this snapshot, so that nobody removes it meanwhile, and gives what is made of it its configuration. It returns the run as it is
// then.
func (q Recoveries) Begin(ctx context.Context, run models.Run, base models.Snapshot) (models.Run, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Runs.Get(ctx, run.ID)
		if err != nil {
			return err
		}
		args, err := models.Args[models.RecoverArgs](present)
		if err != nil {
			return err
		}
		before := args.Base // of an attempt that was cut off
		args.Base = base.Name
		if err := tx.Recoveries.read(ctx, &run, base, args, before); err != nil {
			return err
		}
		return tx.Recoveries.configure(ctx, run.SnapshotName, base)
	})
	return run, err
}

// read has a run read this snapshot, and says so in its arguments, instead of the one before.
func (q Recoveries) read(ctx context.Context, run *models.Run, base models.Snapshot, args models.Arguments, before string) error {
	if err := errors.Join(q.db.Snapshots.hold(ctx, base, "replayed"), run.Tell(args)); err != nil {
		return err
	}
	if err := q.db.with(ctx).Model(&models.Run{}).Where("id = ?", run.ID).Update("options", run.Options).Error; err != nil {
		return fmt.Errorf("write arguments of run %d: %w", run.ID, err)
	}
	if before == "" || before == base.Name {
		return nil
	}
	return q.db.Snapshots.release(ctx, before, run.ID)
}

// BeginStraight is Begin for a run that makes a new cluster of a moment. What could not be checked before the snapshot was known is checked now. It returns
// the cluster with as many databases as the snapshot needs.
func (q Recoveries) BeginStraight(ctx context.Context, run models.Run, cluster models.Cluster, base models.Snapshot) (models.Cluster, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		present, err := tx.Runs.Get(ctx, run.ID)
		if err != nil {
			return err
		}
		args, err := models.Args[models.StraightArgs](present)
		if err != nil {
			return err
		}
		if why := cluster.NotStraight(models.StraightFrom{Cluster: args.Cluster}, base); why != "" {
			return models.Refuse(models.CodeCombination, "shards", why)
		}
		spec := models.ClusterSpec{Engine: cluster.EngineName(), NodeType: cluster.NodeType, ClusterMode: cluster.ClusterMode, Shards: cluster.ShardCount}
		if faults := models.CheckRestore(spec, base, tx.cannotTake(ctx, cluster.EngineName(), base, models.DeadlinesKept)); len(faults) > 0 {
			return faults
		}
		before := args.Base
		args.Base = base.Name
		if err := tx.Recoveries.read(ctx, &run, base, args, before); err != nil {
			return err
		}
		cluster.Databases, cluster.RestoredFrom = cluster.DatabasesFor(base), base.Name
		changes := map[string]any{"databases": cluster.Databases, "restored_from": cluster.RestoredFrom}
		if err := tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumns(changes).Error; err != nil {
			return fmt.Errorf("write what %s is filled with: %w", cluster.Name, err)
		}
		return nil
	})
	return cluster, err
}

// configure gives a snapshot that is being made the configuration of another one.
func (q Recoveries) configure(ctx context.Context, name string, base models.Snapshot) error {
	row, err := q.db.Snapshots.Get(ctx, name)
	if err != nil {
		return err
	}
	row.Configuration, row.AuthEnabled, row.Node, row.NodeCreatedAt = base.Configuration, base.AuthEnabled, base.Node, base.NodeCreatedAt
	err = q.db.with(ctx).Model(&models.Snapshot{}).Where("id = ? AND status = ?", row.ID, models.SnapshotCreating).Select("*").Omit("id", "Parts").Updates(&row).Error
	if err != nil {
		return fmt.Errorf("describe snapshot %s: %w", name, err)
	}
	return nil
}

// underWay are the states of a run that has not ended.
var underWay = []models.RunStatus{models.RunQueued, models.RunRunning}

// earliest is the earliest moment of a cluster that a recovery which waits or is under way was asked for; false when there is no such recovery.
func (q Recoveries) earliest(ctx context.Context, clusterID uint) (moment time.Time, is bool, err error) {
	all, err := q.underWay(ctx)
	moment, is = all[clusterID]
	return moment, is, err
}

// underWay are the earliest moments of the recoveries that wait or are under way, by cluster.
func (q Recoveries) underWay(ctx context.Context) (map[uint]time.Time, error) {
	var runs []models.Run
	if err := q.db.with(ctx).Where("kind IN ? AND status IN ?", []models.RunKind{models.RunRecover, models.RunStraight}, underWay).Find(&runs).Error; err != nil {
		return nil, fmt.Errorf("look for recoveries: %w", err)
	}
	all := make(map[uint]time.Time)
	for _, run := range runs {
		cluster, moment, err := run.Recovers()
		if err != nil {
			return nil, err
		}
		if earlier, is := all[cluster]; !is || moment.Before(earlier) {
			all[cluster] = moment
		}
	}
	return all, nil
}

// MayRun tells whether a recovery, or a comparison with the journal, may begin on this console now: one at a time.
func (q Recoveries) MayRun(ctx context.Context, run models.Run, owner string) (bool, error) {
	var before int64
	err := q.db.with(ctx).Model(&models.Run{}).Where("id <> ? AND kind IN ? AND status = ? AND owner = ?", run.ID, []models.RunKind{models.RunRecover, models.RunCompare}, models.RunRunning, owner).Count(&before).Error
	if err != nil {
		return false, fmt.Errorf("look for other recoveries: %w", err)
	}
	return before == 0, nil
}
