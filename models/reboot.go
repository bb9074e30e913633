package models

import (
	"context"
	"fmt"
	"slices"
)

// RebootCluster queues the restart of some nodes of a cluster, of all without names. Nodes with data save it before.
func (db *DB) RebootCluster(ctx context.Context, name string, nodes []string, requestedBy string) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Cluster(ctx, name)
		if err != nil {
			return err
		}
		for _, node := range nodes {
			if !slices.ContainsFunc(cluster.Nodes, func(n Node) bool { return n.Name == node }) {
				return refuse(CodeNodeNotFound, "nodes", fmt.Sprintf("The cluster %s has no node %.80s.", name, node))
			}
		}
		if len(nodes) == 0 {
			for _, n := range cluster.Nodes {
				nodes = append(nodes, n.Name)
			}
		}
		if err := tx.take(ctx, cluster, ClusterRebooting, "its nodes can be restarted"); err != nil {
			return err
		}
		_, err = tx.enqueue(ctx, Run{Kind: RunReboot, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, RebootArgs{Nodes: nodes})
		return err
	})
}

// FailOver queues that a replica takes over from the primary of a shard, which is then its replica.
func (db *DB) FailOver(ctx context.Context, name, requestedBy string) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Cluster(ctx, name)
		if err != nil {
			return err
		}
		primary, found := cluster.Primary()
		if !found || !slices.ContainsFunc(cluster.Nodes, func(n Node) bool { return n.Role == RoleReplica }) {
			return refuse(CodeNoFailover, "", fmt.Sprintf("The cluster %s has no replica that could take over.", name))
		}
		if err := tx.take(ctx, cluster, ClusterModifying, "a failover can be tried"); err != nil {
			return err
		}
		_, err = tx.enqueue(ctx, Run{Kind: RunFailover, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, FailoverArgs{From: primary.Name})
		return err
	})
}

// take locks an available cluster by its state.
func (db *DB) take(ctx context.Context, cluster Cluster, to ClusterStatus, what string) error {
	moved, err := db.moveCluster(ctx, cluster.ID, to, "", ClusterAvailable)
	if err != nil {
		return err
	} else if !moved {
		return refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; %s when it is available.", cluster.Name, cluster.Status, what))
	}
	return nil
}

// BeginRestore checks once more, when a restore begins, what was checked when it was asked for, and holds the snapshot. Data that was
// imported for it is only known now. It returns the cluster with as many databases as the data needs.
func (db *DB) BeginRestore(ctx context.Context, cluster Cluster, name string) (Cluster, error) {
	err := db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshot(ctx, name)
		if err != nil {
			return err
		}
		if snapshot.Status == SnapshotFailed && snapshot.StatusReason != "" {
			return refuse(CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s has failed. %s", name, snapshot.StatusReason))
		}
		if faults := tx.checkRestore(ClusterSpec{Engine: cluster.EngineName(), NodeType: cluster.NodeType}, snapshot); len(faults) > 0 {
			return faults
		}
		if needed := cluster.databasesFor(snapshot); needed != cluster.Databases {
			if err := tx.with(ctx).Model(&Cluster{ID: cluster.ID}).UpdateColumn("databases", needed).Error; err != nil {
				return fmt.Errorf("write the number of databases of %s: %w", cluster.Name, err)
			}
			cluster.Databases = needed
		}
		_, err = tx.moveSnapshot(ctx, name, SnapshotRestoring, "", SnapshotAvailable, SnapshotRestoring, SnapshotCopying)
		return err
	})
	return cluster, err
}

// Importing tells whether a snapshot is still being brought here, so that who waits for it goes on waiting.
func (db *DB) Importing(ctx context.Context, name string) (bool, error) {
	_, found, err := find[Snapshot](db.with(ctx).Where("name = ? AND status = ?", name, SnapshotCreating))
	if err != nil {
		return false, fmt.Errorf("look for snapshot %s: %w", name, err)
	}
	return found, nil
}
