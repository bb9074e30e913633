package catalog

import (
	"context"
	"fmt"
	"time"

	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// Losses records when clusters lost their data, and what they are filled from again.
type Losses struct{ db *DB }

// Emptied writes down, with an event, that a cluster was now started empty in place of this primary. The cluster says so until somebody takes a
// snapshot by hand. If there was an earlier loss, the notice stays about that one: what is lost is from before it.
func (q Losses) Emptied(ctx context.Context, clusterID uint, primary string) error {
	return q.add(ctx, clusterID, q.db.Now(), "", fmt.Sprintf("The primary %s had stopped and there is no RDB to restore it from.", primary))
}

// Replaced writes down, with an event, that the data of a cluster was replaced: somebody had made its primary a replica of this address, whose
// replication stream has this ID. The cluster says so like one that was emptied. Snapshots taken of it since then are recognized by that ID.
func (q Losses) Replaced(ctx context.Context, clusterID uint, primary, by, history string) error {
	at := q.db.Now()
	taken, found, err := find[models.Snapshot](q.db.with(ctx).Where("cluster_id = ? AND id IN (SELECT snapshot_id FROM parts WHERE replication_id = ?)", clusterID, history).
		Order("created_at"))
	if err != nil {
		return fmt.Errorf("look for snapshots of what replaced the data of cluster %d: %w", clusterID, err)
	} else if found {
		at = taken.CreatedAt.UTC()
	}
	return q.add(ctx, clusterID, at, fmt.Sprintf("its primary %s had been made a replica of %s", primary, by),
		fmt.Sprintf("The primary %s was made a replica of %s by a REPLICAOF that Rekindle did not send, and has taken over that server's data. "+
			"It is a primary again, with that data.", primary, by))
}

func (q Losses) add(ctx context.Context, clusterID uint, at time.Time, cause, event string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.ByID(ctx, clusterID)
		if err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&models.Loss{ClusterID: clusterID, At: at}).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		if cluster.EmptiedAt == nil {
			cluster.EmptiedAt, cluster.LossCause = &at, cause
		}
		notice, err := tx.Losses.notice(ctx, cluster)
		if err != nil {
			return err
		}
		changes := map[string]any{"emptied_at": *cluster.EmptiedAt, "loss_cause": cluster.LossCause, "unsaved_from": ""}
		if cluster.Status == models.ClusterAvailable {
			changes["status_reason"] = notice
		}
		if err := tx.with(ctx).Model(&models.Cluster{ID: clusterID}).UpdateColumns(changes).Error; err != nil {
			return fmt.Errorf("write loss of %s: %w", cluster.Name, err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: cluster.Name, Message: event + " " + notice})
	})
}

// notice is what an available cluster still says after it lost its data; "" if it did not.
func (q Losses) notice(ctx context.Context, cluster models.Cluster) (string, error) {
	if cluster.EmptiedAt == nil {
		return "", nil
	}
	at := cluster.EmptiedAt.UTC().Format("2006-01-02 15:04:05")
	text := fmt.Sprintf("The cluster %s was started empty at %s UTC.", cluster.Name, at)
	if cluster.LossCause != "" {
		text = fmt.Sprintf("The data of the cluster %s was replaced by that of another server before %s UTC: %s.", cluster.Name, at, cluster.LossCause)
	}
	good := q.db.with(ctx).Where("created_at < ? AND status IN ? AND damage = ''", *cluster.EmptiedAt, usable).Order("created_at DESC")
	own, found, err := find[models.Snapshot](good.Session(&gorm.Session{}).Where("cluster_id = ?", cluster.ID))
	if err != nil {
		return "", fmt.Errorf("look for a snapshot from before the loss of %s: %w", cluster.Name, err)
	} else if found {
		return fmt.Sprintf("%s The newest good snapshot from before is %s: restore it into a new cluster to get the data back. It is kept until you delete it.", text, own.Name), nil
	}
	if of, straight, err := q.db.Runs.Straight(ctx, cluster.ID); err != nil {
		return "", err
	} else if straight {
		return fmt.Sprintf("%s There is no good snapshot of it from before. It was made of %s as it was at %s UTC: recover that again, as long as the journal reaches back to it.",
			text, of.Cluster, of.Moment.UTC().Format(time.DateTime)), nil
	}
	source, found, err := find[models.Snapshot](good.Session(&gorm.Session{}).Where("name = ?", cluster.RestoredFrom))
	if err != nil {
		return "", fmt.Errorf("look for the snapshot that %s was made from: %w", cluster.Name, err)
	} else if found {
		return fmt.Sprintf("%s There is no good snapshot of it from before. The one that it was restored from is still there, %s: restore it into a new cluster.", text, source.Name), nil
	}
	return text + " There is no good snapshot from before.", nil
}

// noticed ends the notice of a loss: somebody has looked after the cluster since, and took a snapshot of it by hand.
func (q Losses) noticed(ctx context.Context, snapshot models.Snapshot) error {
	if snapshot.Source != models.SourceManual {
		return nil
	}
	err := q.db.with(ctx).Model(&models.Cluster{}).Where("id = ? AND emptied_at < ?", snapshot.ClusterID, snapshot.CreatedAt).
		UpdateColumns(map[string]any{"emptied_at": nil, "loss_cause": ""}).Error
	if err != nil {
		return fmt.Errorf("end the notice of a loss of %s: %w", snapshot.ClusterName, err)
	}
	return nil
}

// A restored cluster is available before its first RDB is on a disk, because writing that takes longer than the restore. If all of its nodes die in
// between, it is filled again from what it came from.

// refillFailed begins the reason of a cluster that could not be filled again so far.
const refillFailed = "All nodes had died before one of them had saved its data, and it could not be filled again from "

// Saved writes down that a node of a cluster has saved what the cluster was filled with.
func (q Losses) Saved(ctx context.Context, clusterID uint) error {
	return q.setUnsaved(ctx, clusterID, "")
}

func (q Losses) setUnsaved(ctx context.Context, clusterID uint, snapshot string) error {
	if err := q.db.with(ctx).Model(&models.Cluster{ID: clusterID}).UpdateColumn("unsaved_from", snapshot).Error; err != nil {
		return fmt.Errorf("write down whether cluster %d has saved its data: %w", clusterID, err)
	}
	return nil
}

// Refill queues that a cluster is filled again because all of its nodes died before the first of them had saved: from its newest good snapshot, or
// from the one that it was restored from. It tells whether it could, which is not so when both are gone.
func (q Losses) Refill(ctx context.Context, clusterID uint) (queued bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.ByID(ctx, clusterID)
		if err != nil || cluster.UnsavedFrom == "" {
			return err
		}
		good := "status IN ? AND damage = ''"
		source, found, err := find[models.Snapshot](tx.with(ctx).Where(good+" AND cluster_id = ?", usable, cluster.ID).Order("created_at DESC"))
		if err == nil && !found {
			source, found, err = find[models.Snapshot](tx.with(ctx).Where(good+" AND name = ?", usable, cluster.UnsavedFrom))
		}
		if err != nil {
			return fmt.Errorf("look for a snapshot to fill %s from: %w", cluster.Name, err)
		} else if !found {
			return nil
		}
		before := cluster.StatusReason
		what := fmt.Sprintf("All nodes of %s had died before one of them had saved its data. It is being filled again from %s; what was written to it since then is lost.",
			cluster.Name, source.Name)
		moved, err := tx.Clusters.move(ctx, cluster.ID, models.ClusterCreating, what, models.ClusterAvailable, models.ClusterUnreachable)
		if err != nil {
			return err
		} else if !moved {
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; it will be filled again afterwards.", cluster.Name, cluster.Status))
		}
		err = tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("users_wanted", cluster.UsersWanted+1).Error // nobody is let in before
		if err != nil {
			return fmt.Errorf("mark the users of %s: %w", cluster.Name, err)
		}
		if _, err := tx.Snapshots.move(ctx, source.Name, models.SnapshotRestoring, "", usable...); err != nil {
			return err
		}
		if !strings.HasPrefix(before, refillFailed) { // otherwise the event was written before
			err = tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: cluster.Name, SnapshotName: source.Name, Message: what})
			if err != nil {
				return err
			}
		}
		queued = true
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunRestore, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: source.Name, RequestedBy: "supervisor"},
			models.RestoreArgs{Refill: true, Before: before})
		return err
	})
	return queued && err == nil, err
}
