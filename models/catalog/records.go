package catalog

import (
	"context"
	"fmt"
	"strings"

	"rekindle/models"
)

// Records remembers what was written into the store beside the snapshots.
type Records struct{ db *DB }

// What clusters there are and how the console is set is also written into the store, for the day on which the host is lost: package jobs
// does that, this file remembers what it has written. So a record is written only when something here has changed since: a catalog that
// is older than the store, or empty, never overwrites what a newer one wrote.

// keptPrefix begins the names of the settings that hold the checksums of written records, by their keys.
const keptPrefix = "kept:"

// Kept returns, by its key, the checksums that a record may have which this catalog has written. More than one while one replaces the other.
func (q Records) Kept(ctx context.Context) (map[string]string, error) {
	var rows []models.Setting
	if err := q.db.with(ctx).Where("name LIKE ?", keptPrefix+"%").Find(&rows).Error; err != nil {
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

// EndKeep writes down that the record was written, or read by a rebuild. An empty checksum: that there is none any more.
func (q Records) EndKeep(ctx context.Context, key, sum string) error {
	if sum != "" {
		return q.db.Settings.set(ctx, keptPrefix+key, sum)
	}
	if err := q.db.with(ctx).Delete(&models.Setting{Name: keptPrefix + key}).Error; err != nil {
		return fmt.Errorf("forget the record of %s: %w", key, err)
	}
	return nil
}

// keptSettings are those that are written into the store. Never a secret.
var keptSettings = []string{"manual_quota", "price", "currency", "verify_every", tryImports, "promote_after"}
