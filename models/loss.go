package models

import (
	"context"
	"fmt"
	"time"
)

// Loss says that a cluster had to be started empty, for nothing of its data was left on any node. It stays as long as the cluster: the
// newest good snapshot from before it is never removed by retention.
type Loss struct {
	ID        uint
	ClusterID uint
	At        time.Time
}

// Emptied writes down that a cluster was started empty now, in place of this primary, with an event. The cluster says so until somebody
// takes a snapshot by hand. That of an earlier loss stays the one that is spoken of: what is lost is from before it.
func (db *DB) Emptied(ctx context.Context, clusterID uint, primary string) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.ClusterByID(ctx, clusterID)
		if err != nil {
			return err
		}
		now := tx.Now()
		if err := tx.with(ctx).Create(&Loss{ClusterID: clusterID, At: now}).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		if cluster.EmptiedAt == nil {
			cluster.EmptiedAt = &now
		}
		notice, err := tx.notice(ctx, cluster)
		if err != nil {
			return err
		}
		changes := map[string]any{"emptied_at": *cluster.EmptiedAt}
		if cluster.Status == ClusterAvailable {
			changes["status_reason"] = notice
		}
		if err := tx.with(ctx).Model(&Cluster{ID: clusterID}).UpdateColumns(changes).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: cluster.Name,
			Message: fmt.Sprintf("The primary %s had stopped and there is no RDB to come back from. %s", primary, notice)})
	})
}

// notice is what an available cluster goes on saying after it was started empty; "" when it was not.
func (db *DB) notice(ctx context.Context, cluster Cluster) (string, error) {
	if cluster.EmptiedAt == nil {
		return "", nil
	}
	good, found, err := find[Snapshot](db.with(ctx).Where("cluster_id = ? AND created_at < ? AND status IN ?", cluster.ID, *cluster.EmptiedAt, usable).
		Order("created_at DESC"))
	if err != nil {
		return "", fmt.Errorf("look for a snapshot from before the loss of %s: %w", cluster.Name, err)
	}
	text := fmt.Sprintf("The cluster %s was started empty at %s UTC.", cluster.Name, cluster.EmptiedAt.UTC().Format("2006-01-02 15:04:05"))
	if !found {
		return text + " There is no good snapshot from before.", nil
	}
	return fmt.Sprintf("%s The newest good snapshot from before is %s: restore it into a new cluster to get the data back. It is kept until you delete it.", text, good.Name), nil
}

// backToAvailable moves a cluster to available, with a reason when there is something to say, and tells whether that was a change. What is
// to be said of a loss is said again.
func (db *DB) backToAvailable(ctx context.Context, id uint, reason string, from ...ClusterStatus) (bool, error) {
	cluster, found, err := find[Cluster](db.with(ctx).Where("id = ?", id))
	if err != nil {
		return false, fmt.Errorf("find cluster %d: %w", id, err)
	} else if !found {
		return false, nil
	}
	notice, err := db.notice(ctx, cluster)
	if err != nil {
		return false, err
	}
	if reason != "" && notice != "" {
		notice = reason + " " + notice
	} else if reason != "" {
		notice = reason
	}
	return db.moveCluster(ctx, id, ClusterAvailable, notice, from...)
}

// noticed ends the notice of a loss: somebody has seen to the cluster since, and took a snapshot of it by hand.
func (db *DB) noticed(ctx context.Context, snapshot Snapshot) error {
	if snapshot.Source != SourceManual {
		return nil
	}
	err := db.with(ctx).Model(&Cluster{}).Where("id = ? AND emptied_at < ?", snapshot.ClusterID, snapshot.CreatedAt).UpdateColumn("emptied_at", nil).Error
	if err != nil {
		return fmt.Errorf("end the notice of a loss of %s: %w", snapshot.ClusterName, err)
	}
	return nil
}

// losses returns when a cluster was started empty.
func (db *DB) losses(ctx context.Context, clusterID uint) ([]time.Time, error) {
	var at []time.Time
	if err := db.with(ctx).Model(&Loss{}).Where("cluster_id = ?", clusterID).Order("at").Pluck("at", &at).Error; err != nil {
		return nil, fmt.Errorf("list losses of cluster %d: %w", clusterID, err)
	}
	return at, nil
}

// NodesHalted writes down that these nodes of a cluster were stopped on purpose, with the console, so that nobody is warned when they are
// started again.
func (db *DB) NodesHalted(ctx context.Context, nodes ...Node) error {
	return db.setHalted(ctx, true, nodes)
}

// NodeStarted writes down that a node runs again.
func (db *DB) NodeStarted(ctx context.Context, node Node) error {
	if !node.Halted {
		return nil
	}
	return db.setHalted(ctx, false, []Node{node})
}

func (db *DB) setHalted(ctx context.Context, halted bool, nodes []Node) error {
	return db.transaction(ctx, func(tx *DB) error {
		for _, node := range nodes {
			changes := map[string]any{"halted": halted}
			if halted {
				changes["state"] = "stopped"
			}
			if err := tx.with(ctx).Model(&Node{ID: node.ID}).UpdateColumns(changes).Error; err != nil {
				return fmt.Errorf("write down that %s was stopped or started: %w", node.Name, err)
			}
		}
		return nil
	})
}
