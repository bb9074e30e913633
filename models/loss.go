package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Loss says that a cluster lost its data: it had to be started empty, or its data was replaced. It stays as long as the cluster: the newest
// good snapshot from before it is never removed by retention.
type Loss struct {
	ID        uint
	ClusterID uint
	At        time.Time
}

// Emptied writes down that a cluster was started empty now, in place of this primary, with an event. The cluster says so until somebody
// takes a snapshot by hand. That of an earlier loss stays the one that is spoken of: what is lost is from before it.
func (db *DB) Emptied(ctx context.Context, clusterID uint, primary string) error {
	return db.lose(ctx, clusterID, db.Now(), "", fmt.Sprintf("The primary %s had stopped and there is no RDB to come back from.", primary))
}

// Replaced writes down that the data of a cluster has become another's, with an event: somebody had made its primary a replica of this address,
// whose replication stream has this id. The cluster says so like one that was emptied. What was taken of it since then is known by that id.
func (db *DB) Replaced(ctx context.Context, clusterID uint, primary, by, history string) error {
	at := db.Now()
	taken, found, err := find[Snapshot](db.with(ctx).Where("cluster_id = ? AND id IN (SELECT snapshot_id FROM parts WHERE replication_id = ?)", clusterID, history).
		Order("created_at"))
	if err != nil {
		return fmt.Errorf("look for snapshots of what replaced the data of cluster %d: %w", clusterID, err)
	} else if found {
		at = taken.CreatedAt.UTC()
	}
	return db.lose(ctx, clusterID, at, fmt.Sprintf("its primary %s had been made a replica of %s", primary, by),
		fmt.Sprintf("The primary %s had been made a replica of %s, by a REPLICAOF that was not Rekindle's, and has taken over the data there. "+
			"It is a primary again, with that data.", primary, by))
}

func (db *DB) lose(ctx context.Context, clusterID uint, at time.Time, cause, event string) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.ClusterByID(ctx, clusterID)
		if err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&Loss{ClusterID: clusterID, At: at}).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		if cluster.EmptiedAt == nil {
			cluster.EmptiedAt, cluster.LossCause = &at, cause
		}
		notice, err := tx.notice(ctx, cluster)
		if err != nil {
			return err
		}
		changes := map[string]any{"emptied_at": *cluster.EmptiedAt, "loss_cause": cluster.LossCause, "unsaved_from": ""}
		if cluster.Status == ClusterAvailable {
			changes["status_reason"] = notice
		}
		if err := tx.with(ctx).Model(&Cluster{ID: clusterID}).UpdateColumns(changes).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityError, ClusterName: cluster.Name, Message: event + " " + notice})
	})
}

// notice is what an available cluster goes on saying after it lost its data; "" when it did not.
func (db *DB) notice(ctx context.Context, cluster Cluster) (string, error) {
	if cluster.EmptiedAt == nil {
		return "", nil
	}
	at := cluster.EmptiedAt.UTC().Format("2006-01-02 15:04:05")
	text := fmt.Sprintf("The cluster %s was started empty at %s UTC.", cluster.Name, at)
	if cluster.LossCause != "" {
		text = fmt.Sprintf("The data of the cluster %s was replaced by another's before %s UTC: %s.", cluster.Name, at, cluster.LossCause)
	}
	good := db.with(ctx).Where("created_at < ? AND status IN ? AND damage = ''", *cluster.EmptiedAt, usable).Order("created_at DESC")
	own, found, err := find[Snapshot](good.Session(&gorm.Session{}).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return "", fmt.Errorf("look for a snapshot from before the loss of %s: %w", cluster.Name, err)
	} else if found {
		return fmt.Sprintf("%s The newest good snapshot from before is %s: restore it into a new cluster to get the data back. It is kept until you delete it.", text, own.Name), nil
	}
	source, found, err := find[Snapshot](good.Session(&gorm.Session{}).Where("name = ?", cluster.RestoredFrom))
	if err != nil {
		return "", fmt.Errorf("look for the snapshot that %s was made from: %w", cluster.Name, err)
	} else if found {
		return fmt.Sprintf("%s There is no good snapshot of it from before. The one that it was restored from is still there, %s: restore it into a new cluster.", text, source.Name), nil
	}
	return text + " There is no good snapshot from before.", nil
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
	err := db.with(ctx).Model(&Cluster{}).Where("id = ? AND emptied_at < ?", snapshot.ClusterID, snapshot.CreatedAt).
		UpdateColumns(map[string]any{"emptied_at": nil, "loss_cause": ""}).Error
	if err != nil {
		return fmt.Errorf("end the notice of a loss of %s: %w", snapshot.ClusterName, err)
	}
	return nil
}

// losses returns when a cluster lost its data.
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
