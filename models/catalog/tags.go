package catalog

import (
	"context"
	"fmt"
	"maps"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Tags keeps the tags of clusters, snapshots and groups.
type Tags struct{ db *DB }

// On returns the tags of a resource.
func (q Tags) On(ctx context.Context, resource string) ([]models.Tag, error) {
	var tags []models.Tag
	if err := q.db.with(ctx).Where("resource = ?", resource).Order("key").Find(&tags).Error; err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", resource, err)
	}
	return tags, nil
}

// Add sets tags of a resource. Its tags with other keys stay.
func (q Tags) Add(ctx context.Context, resource string, tags map[string]string) error {
	return q.db.transaction(ctx, func(tx *DB) error { return tx.Tags.add(ctx, resource, tags) })
}

func (q Tags) add(ctx context.Context, resource string, tags map[string]string) error {
	if faults := models.CheckTags(tags); len(faults) > 0 {
		return faults
	}
	present, err := q.On(ctx, resource)
	if err != nil {
		return err
	}
	all := maps.Clone(tags)
	for _, t := range present {
		if _, replaced := all[t.Key]; !replaced {
			all[t.Key] = t.Value
		}
	}
	if len(all) > models.MaxTags {
		return models.Refuse(models.CodeTagQuota, "tags", fmt.Sprintf("A resource can have at most %d tags; this one would have %d.", models.MaxTags, len(all)))
	}
	for key, value := range tags {
		row := models.Tag{Resource: resource, Key: key, Value: value}
		replace := clause.OnConflict{Columns: []clause.Column{{Name: "resource"}, {Name: "key"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}
		if err := q.db.with(ctx).Clauses(replace).Create(&row).Error; err != nil {
			return fmt.Errorf("tag %s: %w", resource, err)
		}
	}
	return nil
}

// Remove removes tags of a resource, all or none: each of them must be there.
func (q Tags) Remove(ctx context.Context, resource string, keys []string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		for _, key := range keys {
			removed := tx.with(ctx).Where("resource = ? AND key = ?", resource, key).Delete(&models.Tag{})
			if removed.Error != nil {
				return fmt.Errorf("remove tag of %s: %w", resource, removed.Error)
			} else if removed.RowsAffected == 0 {
				return models.Refuse(models.CodeTagNotFound, "tags", fmt.Sprintf("It has no tag %.128q.", key))
			}
		}
		return nil
	})
}

// drop removes all tags of resources that are being deleted.
func (q Tags) drop(ctx context.Context, resources ...string) error {
	if err := q.db.with(ctx).Where("resource IN ?", resources).Delete(&models.Tag{}).Error; err != nil {
		return fmt.Errorf("remove tags: %w", err)
	}
	return nil
}
