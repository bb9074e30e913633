package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// Records remembers what was written into the store beside the snapshots.
type Records struct{ db *DB }

// What clusters there are and how the console is set is also written into the store, for the day on which the host is lost. Package jobs writes these
// records, and this file remembers what was written. A record is written only when something has changed here since: a catalog that is older than the
// store, or empty, never overwrites what a newer one wrote.

// keptPrefix begins the names of the settings that hold the checksums of written records; the record's key follows.
const keptPrefix = "kept:"

// Kept returns, by key, the checksums that records written by this catalog may have: more than one while one record replaces another.
func (q Records) Kept(ctx context.Context, keys []string) (map[string]string, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = keptPrefix + key
	}
	rows, err := readAll[models.Setting](ctx, q.db, func(query *gorm.DB) *gorm.DB { return query.Where("name IN ?", names) })
	if err != nil {
		return nil, fmt.Errorf("list kept records: %w", err)
	}
	kept := make(map[string]string, len(rows))
	for _, row := range rows {
		kept[strings.TrimPrefix(row.Name, keptPrefix)] = row.Value
	}
	return kept, nil
}

// Keys returns the keys of all records that this catalog has written.
func (q Records) Keys(ctx context.Context) ([]string, error) {
	var keys []string
	// The range of names with the prefix, which the primary key finds.
	err := q.db.with(ctx).Model(&models.Setting{}).Where("name >= ? AND name < ?", keptPrefix, keptPrefix[:len(keptPrefix)-1]+";").Pluck("name", &keys).Error
	if err != nil {
		return nil, fmt.Errorf("list kept records: %w", err)
	}
	for i, key := range keys {
		keys[i] = strings.TrimPrefix(key, keptPrefix)
	}
	return keys, nil
}

// Mark says that the record of a cluster must be looked at: something about the cluster has changed, or it is gone. Triggers make the marks; see
// 0020-marks.
type Mark struct {
	ID          uint // of this change: a later one has another
	ClusterName string
}

// TableName implements gorm's Tabler.
func (Mark) TableName() string { return "record_marks" }

// Marked returns all marks.
func (q Records) Marked(ctx context.Context) ([]Mark, error) {
	marks, err := readAll[Mark](ctx, q.db, func(query *gorm.DB) *gorm.DB { return query.Order("id") })
	if err != nil {
		return nil, fmt.Errorf("list clusters whose records are to be looked at: %w", err)
	}
	return marks, nil
}

// Vanished writes down that the record of a cluster is no longer in the store, and marks it, so that it is written again.
func (q Records) Vanished(ctx context.Context, key, cluster string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Records.EndKeep(ctx, key, ""); err != nil {
			return err
		}
		if err := tx.with(ctx).Where("cluster_name = ?", cluster).Delete(&Mark{}).Error; err != nil {
			return fmt.Errorf("mark the record of %s: %w", cluster, err)
		}
		if err := tx.with(ctx).Create(&Mark{ClusterName: cluster}).Error; err != nil {
			return fmt.Errorf("mark the record of %s: %w", cluster, err)
		}
		return nil
	})
}

// Unmark removes marks whose records were looked at. A change made meanwhile has another mark, which stays.
func (q Records) Unmark(ctx context.Context, marks []Mark) error {
	for some := range slices.Chunk(marks, 500) {
		ids := make([]uint, len(some))
		for i, mark := range some {
			ids[i] = mark.ID
		}
		if err := q.db.with(ctx).Where("id IN ?", ids).Delete(&Mark{}).Error; err != nil {
			return fmt.Errorf("note which records were looked at: %w", err)
		}
	}
	return nil
}

// BeginKeep writes down that a record with this checksum is about to be written, and tells whether it may be: the record of a cluster that is being
// deleted must not be written any more. A clusterID of 0 stands for the console's own record.
func (q Records) BeginKeep(ctx context.Context, clusterID uint, key, sum string) (may bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		if clusterID != 0 {
			_, living, err := find[models.Cluster](tx.with(ctx).Where("id = ? AND status <> ?", clusterID, models.ClusterDeleting))
			if err != nil || !living {
				return err
			}
		}
		may = true
		row, _, err := find[models.Setting](tx.with(ctx).Where("name = ?", keptPrefix+key))
		if err != nil {
			return fmt.Errorf("look for the record of %s: %w", key, err)
		}
		return tx.Settings.set(ctx, keptPrefix+key, strings.TrimSpace(row.Value+" "+sum))
	})
	return may, err
}

// EndKeep writes down that the record was written, or was read by a rebuild. An empty checksum means that there is no record any more.
func (q Records) EndKeep(ctx context.Context, key, sum string) error {
	if sum != "" {
		return q.db.Settings.set(ctx, keptPrefix+key, sum)
	}
	if err := q.db.with(ctx).Delete(&models.Setting{Name: keptPrefix + key}).Error; err != nil {
		return fmt.Errorf("forget the record of %s: %w", key, err)
	}
	return nil
}

// keptSettings are the settings that are written into the store. Never a secret.
var keptSettings = []string{"manual_quota", "price", "currency", "verify_every", tryImports, "promote_after", hideKeyNames, keepEvents, putPrice, getPrice}
