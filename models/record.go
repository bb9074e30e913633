package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What clusters there are and how the console is set is also written into the store, for the day on which the host is lost: package jobs
// does that, this file remembers what it has written. So a record is written only when something here has changed since: a catalog that
// is older than the store, or empty, never overwrites what a newer one wrote.

// keptPrefix begins the names of the settings that hold the checksums of written records, by their keys.
const keptPrefix = "kept:"

// Kept returns, by its key, the checksums that a record may have which this catalog has written. More than one while one replaces the other.
func (db *DB) Kept(ctx context.Context) (map[string]string, error) {
	var rows []Setting
	if err := db.with(ctx).Where("name LIKE ?", keptPrefix+"%").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list kept records: %w", err)
	}
	kept := make(map[string]string, len(rows))
	for _, row := range rows {
		kept[strings.TrimPrefix(row.Name, keptPrefix)] = row.Value
	}
	return kept, nil
}

// BeginKeep writes down that a record with this checksum is about to be written, and tells whether it may be: the record of a cluster that
// goes must not be written any more. A clusterID of 0 is the console's own record.
func (db *DB) BeginKeep(ctx context.Context, clusterID uint, key, sum string) (may bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		if clusterID != 0 {
			_, living, err := find[Cluster](tx.with(ctx).Where("id = ? AND status <> ?", clusterID, ClusterDeleting))
			if err != nil || !living {
				return err
			}
		}
		may = true
		row, _, err := find[Setting](tx.with(ctx).Where("name = ?", keptPrefix+key))
		if err != nil {
			return fmt.Errorf("look for the record of %s: %w", key, err)
		}
		return tx.set(ctx, keptPrefix+key, strings.TrimSpace(row.Value+" "+sum))
	})
	return may, err
}

// EndKeep writes down that the record was written, or read by a rebuild. An empty checksum: that there is none any more.
func (db *DB) EndKeep(ctx context.Context, key, sum string) error {
	if sum != "" {
		return db.set(ctx, keptPrefix+key, sum)
	}
	if err := db.with(ctx).Delete(&Setting{Name: keptPrefix + key}).Error; err != nil {
		return fmt.Errorf("forget the record of %s: %w", key, err)
	}
	return nil
}

// keptSettings are those that are written into the store. Never a secret.
var keptSettings = []string{"manual_quota", "price", "currency", "verify_every", tryImports, "promote_after"}

// ChosenSettings returns the settings that somebody has chosen here, by their names, as they are kept.
func (db *DB) ChosenSettings(ctx context.Context) (map[string]string, error) {
	var rows []Setting
	if err := db.with(ctx).Where("name IN ?", keptSettings).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	chosen := make(map[string]string, len(rows))
	for _, row := range rows {
		chosen[row.Name] = row.Value
	}
	return chosen, nil
}

// AdoptSettings takes over those settings that nobody has chosen here, and tells whether there were any. What is out of its range is refused
// like from a form.
func (db *DB) AdoptSettings(ctx context.Context, found map[string]string) (adopted bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		chosen, err := tx.ChosenSettings(ctx)
		if err != nil {
			return err
		}
		for _, name := range keptSettings {
			value, given := found[name]
			if _, known := chosen[name]; known || !given {
				continue
			}
			if err := tx.set(ctx, name, value); err != nil {
				return err
			}
			adopted = true
		}
		if !adopted {
			return nil
		}
		settings, err := tx.Settings(ctx)
		days, noNumber := tx.VerifyEvery(ctx)
		seconds, noSeconds := tx.PromoteAfter(ctx)
		if err := errors.Join(err, noNumber, noSeconds); err != nil {
			return errors.Join(refuse(CodeInvalid, "", "A setting is no number."), err)
		}
		judged := errors.Join(tx.SaveSettings(ctx, settings), tx.SaveVerifyEvery(ctx, days)) // as they are
		if _, given := found["promote_after"]; given {
			judged = errors.Join(judged, tx.SavePromoteAfter(ctx, seconds))
		}
		return judged
	})
	return adopted && err == nil, err
}

// AdoptLostCluster writes down a cluster whose nodes are gone, and of which the store has the configuration: to look at, to restore its
// snapshots by, and to delete. Since is when the store began to be read. It tells whether it did: not a cluster that the catalog has, or
// that was deleted on purpose meanwhile.
func (db *DB) AdoptLostCluster(ctx context.Context, cluster Cluster, since time.Time, key, sum string) (adopted bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		_, exists, err := find[Cluster](tx.with(ctx).Where("name = ?", cluster.Name))
		if err != nil || exists {
			return err
		}
		_, pending, err := find[Setting](tx.with(ctx).Where("name = ?", keptPrefix+key))
		if err != nil || pending { // it was deleted here, and its record waits for that
			return err
		}
		gone, err := tx.goneSince(ctx, since)
		if err != nil || gone.clusters[cluster.Name] {
			return err
		}
		now := tx.Now()
		cluster.Kind, cluster.Status, cluster.UpdatedAt, cluster.ScheduleSince = "launched", ClusterRestoreFailed, now, now
		cluster.CreatedAt = catalogTime(cluster.CreatedAt)
		if cluster.CreatedAt.After(now) || cluster.CreatedAt.IsZero() {
			cluster.CreatedAt = now
		}
		if cluster.SnapshotWindow.IsZero() {
			cluster.SnapshotWindow, cluster.WindowChosen = PickWindowBeside(cluster.Name, cluster.Attributes.MaintenanceWindow), false
		}
		cluster.Nodes = nil
		if err := tx.with(ctx).Create(&cluster).Error; err != nil {
			return fmt.Errorf("write cluster %s: %w", cluster.Name, err)
		}
		if sum != "" {
			if err := tx.set(ctx, keptPrefix+key, sum); err != nil {
				return err
			}
		}
		adopted = true
		return errors.Join(tx.giveSnapshots(ctx, cluster),
			tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: cluster.Name,
				Message: fmt.Sprintf("The cluster %s was brought back from what the store has of it. %s", cluster.Name, cluster.StatusReason)}))
	})
	return adopted && err == nil, err
}

// giveSnapshots makes the snapshots of its name a cluster's own that was brought back.
func (db *DB) giveSnapshots(ctx context.Context, cluster Cluster) error {
	err := db.with(ctx).Model(&Snapshot{}).Where("cluster_name = ? AND cluster_id = 0", cluster.Name).UpdateColumn("cluster_id", cluster.ID).Error
	if err != nil {
		return fmt.Errorf("give %s its snapshots: %w", cluster.Name, err)
	}
	return nil
}

// Lost tells whether the cluster was brought back from the store without its nodes. Its snapshots are all that is left of it, so neither
// retention nor its deletion takes one of them.
func (c Cluster) Lost() bool { return len(c.Nodes) == 0 }
