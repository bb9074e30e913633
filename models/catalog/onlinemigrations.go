package catalog

import (
	"context"
	"errors"
	"fmt"

	"rekindle/models"
)

// OnlineMigrations has the queries for moving the data of outside servers into clusters; see [models.Migration]. The migrations of the
// catalog's own tables are in migrate.go.
type OnlineMigrations struct{ db *DB }

// Start queues a run that makes a cluster follow the server at this address. Refusals are [models.Faults].
func (q OnlineMigrations) Start(ctx context.Context, name, source, requestedBy string) error {
	return q.take(ctx, name, func(tx *DB, cluster models.Cluster) error {
		source, err := models.CheckMigration(cluster, source)
		if err != nil {
			return err
		}
		return tx.Migrations.queue(ctx, cluster, models.RunMigrate, models.MigrateArgs{Source: source}, requestedBy)
	})
}

// Complete queues a run that makes a cluster independent of its source, once it has all of the source's data. With force it happens at once,
// with the data received by then. Refusals are [models.Faults].
func (q OnlineMigrations) Complete(ctx context.Context, name string, force bool, requestedBy string) error {
	return q.take(ctx, name, func(tx *DB, cluster models.Cluster) error {
		if err := models.CheckCompletion(cluster); err != nil {
			return err
		}
		return tx.Migrations.queue(ctx, cluster, models.RunCompleteMigration, models.CompleteArgs{Force: force}, requestedBy)
	})
}

func (q OnlineMigrations) take(ctx context.Context, name string, do func(*DB, models.Cluster) error) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		return do(tx, cluster)
	})
}

func (q OnlineMigrations) queue(ctx context.Context, cluster models.Cluster, kind models.RunKind, args models.Arguments, requestedBy string) error {
	if err := q.db.Clusters.take(ctx, cluster, models.ClusterModifying); err != nil {
		return err
	}
	_, err := q.db.Runs.enqueue(ctx, models.Run{Kind: kind, ClusterName: cluster.Name, ClusterID: cluster.ID, RequestedBy: requestedBy}, args)
	return err
}

// Began ends a run that has made a cluster follow an outside server.
func (q OnlineMigrations) Began(ctx context.Context, run models.Run, m models.Migration, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		moved, err := tx.Clusters.move(ctx, run.ClusterID, models.ClusterMigrating, "", models.ClusterModifying)
		if err == nil && !moved {
			err = models.ErrRunEnded
		}
		if err != nil {
			return err
		}
		return errors.Join(tx.Migrations.set(ctx, run.ClusterID, map[string]any{"migration_source": m.Source, "migration_address": m.Address, "migration_since": tx.Now(), "migration_copied": false}),
			tx.Migrations.end(ctx, run, message))
	})
}

// Ended ends a run that has made a cluster independent of its source. Snapshot windows that passed during the migration do not count as
// missed.
func (q OnlineMigrations) Ended(ctx context.Context, run models.Run, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.Clusters.backToAvailable(ctx, run.ClusterID, "", models.ClusterModifying); err != nil {
			return err
		}
		return errors.Join(tx.Migrations.set(ctx, run.ClusterID, map[string]any{"migration_source": "", "migration_address": "", "migration_since": nil, "migration_copied": false, "schedule_since": tx.Now()}),
			tx.Migrations.end(ctx, run, message))
	})
}

// Copied records, with an event, that a cluster has had all of its source's data.
func (q OnlineMigrations) Copied(ctx context.Context, cluster models.Cluster) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		noted := tx.with(ctx).Model(&models.Cluster{}).Where("id = ? AND migration_address = ? AND NOT migration_copied", cluster.ID, cluster.Migration.Address).UpdateColumn("migration_copied", true)
		if noted.Error != nil || noted.RowsAffected == 0 {
			return noted.Error
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: cluster.Name,
			Message: fmt.Sprintf("The cluster %s has all of the data of %s, and follows it. Complete the migration once nobody writes to the source any more.", cluster.Name, cluster.Migration.Source)})
	})
}

// LaunchedNodes returns the nodes of all launched clusters.
func (q OnlineMigrations) LaunchedNodes(ctx context.Context) ([]models.Node, error) {
	var nodes []models.Node
	err := q.db.with(ctx).Where("cluster_id IN (SELECT id FROM clusters WHERE kind <> ?)", models.KindAttached).Find(&nodes).Error
	if err != nil {
		return nil, fmt.Errorf("list launched nodes: %w", err)
	}
	return nodes, nil
}

func (q OnlineMigrations) set(ctx context.Context, cluster uint, columns map[string]any) error {
	if err := q.db.with(ctx).Model(&models.Cluster{ID: cluster}).UpdateColumns(columns).Error; err != nil {
		return fmt.Errorf("record the migration of cluster %d: %w", cluster, err)
	}
	return nil
}

func (q OnlineMigrations) end(ctx context.Context, run models.Run, message string) error {
	return errors.Join(q.db.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: run.ClusterName, Message: message}),
		q.db.Runs.end(ctx, run, models.RunSucceeded, ""))
}
