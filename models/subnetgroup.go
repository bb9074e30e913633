package models

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultSubnetGroup is there from the start and cannot be removed.
const DefaultSubnetGroup = "default"

// SubnetGroup is kept and given back; nodes run where the console launches them.
type SubnetGroup struct {
	ID          uint
	Name        string `gorm:"uniqueIndex"`
	Description string
	Subnets     string // ids, separated by commas
	CreatedAt   time.Time
}

// SubnetIDs returns the ids of the subnets.
func (g SubnetGroup) SubnetIDs() []string {
	if g.Subnets == "" {
		return nil
	}
	return strings.Split(g.Subnets, ",")
}

var (
	subnetPattern    = regexp.MustCompile(`^subnet-[0-9a-zA-Z-]{1,64}$`)
	groupNamePattern = regexp.MustCompile(`^[a-z][a-z0-9.]*(-[a-z0-9.]+)*$`)
)

// checkGroupName applies ElastiCache's rule for the names of subnet and parameter groups, and returns the name in lower case.
func checkGroupName(what, name string) (string, string) {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) > 255 || !groupNamePattern.MatchString(name) {
		return name, fmt.Sprintf("The name of a %s must begin with a letter and have up to 255 letters, digits, dots and single hyphens, not %.40q.", what, name)
	}
	return name, ""
}

func checkSubnets(subnets []string) Faults {
	var faults Faults
	if len(subnets) == 0 || len(subnets) > 20 {
		faults.add(CodeInvalid, "subnets", fmt.Sprintf("A subnet group has 1 to 20 subnets, not %d.", len(subnets)))
	}
	for _, id := range subnets {
		if !subnetPattern.MatchString(id) {
			faults.add(CodeInvalid, "subnets", fmt.Sprintf("The id of a subnet must look like subnet-0123abcd, not %.40q.", id))
		}
	}
	return faults
}

// CreateSubnetGroup writes a subnet group down.
func (db *DB) CreateSubnetGroup(ctx context.Context, name, description string, subnets []string, tags map[string]string) (SubnetGroup, error) {
	name, problem := checkGroupName("subnet group", name)
	faults := append(checkSubnets(subnets), checkDescription(description)...)
	if problem != "" {
		faults.add(CodeInvalid, "name", problem)
	}
	if len(faults) > 0 {
		return SubnetGroup{}, faults
	}
	group := SubnetGroup{Name: name, Description: description, Subnets: strings.Join(subnets, ","), CreatedAt: db.Now()}
	err := db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[SubnetGroup](tx.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("find subnet group %s: %w", name, err)
		} else if exists {
			return refuse(CodeSubnetGroupExists, "name", fmt.Sprintf("There is already a subnet group %s. Choose another name.", name))
		}
		if err := tx.with(ctx).Create(&group).Error; err != nil {
			return fmt.Errorf("write subnet group %s: %w", name, err)
		}
		return tx.addTags(ctx, ResourceSubnetGroup+":"+name, tags)
	})
	return group, err
}

// ModifySubnetGroup changes a subnet group; what is nil stays.
func (db *DB) ModifySubnetGroup(ctx context.Context, name string, description *string, subnets []string) (SubnetGroup, error) {
	var group SubnetGroup
	err := db.transaction(ctx, func(tx *DB) (err error) {
		if group, err = tx.SubnetGroup(ctx, name); err != nil {
			return err
		}
		var faults Faults
		if description != nil {
			faults = append(faults, checkDescription(*description)...)
			group.Description = *description
		}
		if subnets != nil {
			faults = append(faults, checkSubnets(subnets)...)
			group.Subnets = strings.Join(subnets, ",")
		}
		if len(faults) > 0 {
			return faults
		}
		err = tx.with(ctx).Model(&SubnetGroup{ID: group.ID}).UpdateColumns(map[string]any{"description": group.Description, "subnets": group.Subnets}).Error
		if err != nil {
			return fmt.Errorf("write subnet group %s: %w", name, err)
		}
		return nil
	})
	return group, err
}

// SubnetGroup returns a subnet group by its name.
func (db *DB) SubnetGroup(ctx context.Context, name string) (SubnetGroup, error) {
	group, found, err := find[SubnetGroup](db.with(ctx).Where("name = ?", strings.ToLower(name)))
	if err != nil {
		return group, fmt.Errorf("find subnet group %s: %w", name, err)
	} else if !found {
		return group, refuse(CodeSubnetGroupNotFound, "subnet_group", fmt.Sprintf("There is no subnet group %.255s.", name))
	}
	return group, nil
}

// SubnetGroups lists the subnet groups by name.
func (db *DB) SubnetGroups(ctx context.Context) ([]SubnetGroup, error) {
	var groups []SubnetGroup
	if err := db.with(ctx).Order("name").Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list subnet groups: %w", err)
	}
	return groups, nil
}

// DeleteSubnetGroup removes a subnet group that no cluster names.
func (db *DB) DeleteSubnetGroup(ctx context.Context, name string) error {
	return db.transaction(ctx, func(tx *DB) error {
		group, err := tx.SubnetGroup(ctx, name)
		if err != nil {
			return err
		}
		if group.Name == DefaultSubnetGroup {
			return refuse(CodeSubnetGroupInUse, "", "The subnet group default cannot be deleted.")
		}
		clusters, err := tx.Clusters(ctx)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(clusters, func(c Cluster) bool { return c.Attributes.SubnetGroup == group.Name }); i >= 0 {
			return refuse(CodeSubnetGroupInUse, "", fmt.Sprintf("The cluster %s uses the subnet group %s.", clusters[i].Name, group.Name))
		}
		if err := tx.with(ctx).Delete(&SubnetGroup{}, group.ID).Error; err != nil {
			return fmt.Errorf("remove subnet group %s: %w", name, err)
		}
		return tx.dropTags(ctx, ResourceSubnetGroup+":"+group.Name)
	})
}

// validDescription is what a parameter group's description must be: there, and not too long.
func validDescription(text string) bool {
	return strings.TrimSpace(text) != "" && utf8.RuneCountInString(text) <= 255 && utf8.ValidString(text)
}
