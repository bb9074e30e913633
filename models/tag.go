package models

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm/clause"
)

// MaxTags is how many tags a resource can have, as in ElastiCache.
const MaxTags = 50

// Tag is a label that somebody gave to a resource.
type Tag struct {
	ID       uint
	Resource string `gorm:"uniqueIndex:idx_tags_key"` // as ARNs end: "replicationgroup:orders", "snapshot:orders-1"
	Key      string `gorm:"uniqueIndex:idx_tags_key"`
	Value    string
}

// The kinds of resources, as ARNs name them.
const (
	ResourceGroup          = "replicationgroup"
	ResourceCluster        = "cluster"
	ResourceSnapshot       = "snapshot"
	ResourceSubnetGroup    = "subnetgroup"
	ResourceParameterGroup = "parametergroup"
)

// Resource is how a cluster's ARN ends.
func (c Cluster) Resource() string {
	if c.Grouped {
		return ResourceGroup + ":" + c.Name
	}
	return ResourceCluster + ":" + c.Name
}

// resources are the resources of a cluster and of its nodes.
func (c Cluster) resources() []string {
	all := []string{c.Resource()}
	if c.Grouped {
		for _, n := range c.Nodes {
			all = append(all, ResourceCluster+":"+n.Name)
		}
	}
	return all
}

// Tags returns the tags of a resource.
func (db *DB) Tags(ctx context.Context, resource string) ([]Tag, error) {
	var tags []Tag
	if err := db.with(ctx).Where("resource = ?", resource).Order("key").Find(&tags).Error; err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", resource, err)
	}
	return tags, nil
}

// AddTags sets tags of a resource; those that it has under other keys stay.
func (db *DB) AddTags(ctx context.Context, resource string, tags map[string]string) error {
	return db.transaction(ctx, func(tx *DB) error { return tx.addTags(ctx, resource, tags) })
}

func (db *DB) addTags(ctx context.Context, resource string, tags map[string]string) error {
	if faults := checkTags(tags); len(faults) > 0 {
		return faults
	}
	present, err := db.Tags(ctx, resource)
	if err != nil {
		return err
	}
	all := maps.Clone(tags)
	for _, t := range present {
		if _, replaced := all[t.Key]; !replaced {
			all[t.Key] = t.Value
		}
	}
	if len(all) > MaxTags {
		return refuse(CodeTagQuota, "tags", fmt.Sprintf("A resource can have at most %d tags; this one would have %d.", MaxTags, len(all)))
	}
	for key, value := range tags {
		row := Tag{Resource: resource, Key: key, Value: value}
		replace := clause.OnConflict{Columns: []clause.Column{{Name: "resource"}, {Name: "key"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}
		if err := db.with(ctx).Clauses(replace).Create(&row).Error; err != nil {
			return fmt.Errorf("tag %s: %w", resource, err)
		}
	}
	return nil
}

// checkTags applies AWS's rules for keys and values.
//
// Source: Amazon ElastiCache user guide, "Tagging your ElastiCache resources".
func checkTags(tags map[string]string) Faults {
	var faults Faults
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !utf8.ValidString(key):
			faults.add(CodeInvalid, "tags", fmt.Sprintf("The key of a tag must have 1 to 128 characters, not %.40q.", key))
		case strings.ContainsFunc(key+value, unprintable):
			faults.add(CodeInvalid, "tags", fmt.Sprintf("The tag %.40q holds control characters.", key))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			faults.add(CodeInvalid, "tags", fmt.Sprintf("The key of a tag must not begin with aws:, as %.40q does.", key))
		case utf8.RuneCountInString(value) > 256 || !utf8.ValidString(value):
			faults.add(CodeInvalid, "tags", fmt.Sprintf("The value of the tag %.40q may have at most 256 characters.", key))
		}
	}
	if len(tags) > MaxTags {
		faults.add(CodeTagQuota, "tags", fmt.Sprintf("A resource can have at most %d tags, not %d.", MaxTags, len(tags)))
	}
	return faults
}

// unprintable tells whether a character cannot be written in the answers of the API, which are XML.
func unprintable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == utf8.RuneError
}

// RemoveTags removes tags of a resource, all or none: each of them must be there.
func (db *DB) RemoveTags(ctx context.Context, resource string, keys []string) error {
	return db.transaction(ctx, func(tx *DB) error {
		for _, key := range keys {
			removed := tx.with(ctx).Where("resource = ? AND key = ?", resource, key).Delete(&Tag{})
			if removed.Error != nil {
				return fmt.Errorf("remove tag of %s: %w", resource, removed.Error)
			} else if removed.RowsAffected == 0 {
				return refuse(CodeTagNotFound, "tags", fmt.Sprintf("It has no tag %.128q.", key))
			}
		}
		return nil
	})
}

// dropTags removes all tags of resources that are going.
func (db *DB) dropTags(ctx context.Context, resources ...string) error {
	if err := db.with(ctx).Where("resource IN ?", resources).Delete(&Tag{}).Error; err != nil {
		return fmt.Errorf("remove tags: %w", err)
	}
	return nil
}
