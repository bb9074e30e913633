package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/models"
)

// Subnets keeps the subnet groups.
type Subnets struct{ db *DB }

// Create writes a subnet group down.
func (q Subnets) Create(ctx context.Context, name, description string, subnets []string, tags map[string]string) (models.SubnetGroup, error) {
	name, problem := models.CheckGroupName("subnet group", name)
	faults := append(models.CheckSubnets(subnets), models.CheckDescription(description)...)
	if problem != "" {
		faults.Add(models.CodeInvalid, "name", problem)
	}
	if len(faults) > 0 {
		return models.SubnetGroup{}, faults
	}
	group := models.SubnetGroup{Name: name, Description: description, Subnets: strings.Join(subnets, ","), CreatedAt: q.db.Now()}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[models.SubnetGroup](tx.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("find subnet group %s: %w", name, err)
		} else if exists {
			return models.Refuse(models.CodeSubnetGroupExists, "name", fmt.Sprintf("There is already a subnet group %s. Choose another name.", name))
		}
		if err := tx.with(ctx).Create(&group).Error; err != nil {
			return fmt.Errorf("write subnet group %s: %w", name, err)
		}
		return tx.Tags.add(ctx, models.ResourceSubnetGroup+":"+name, tags)
	})
	return group, err
}

// Modify changes a subnet group; what is nil stays.
func (q Subnets) Modify(ctx context.Context, name string, description *string, subnets []string) (models.SubnetGroup, error) {
	var group models.SubnetGroup
	err := q.db.transaction(ctx, func(tx *DB) (err error) {
		if group, err = tx.Subnets.Get(ctx, name); err != nil {
			return err
		}
		var faults models.Faults
		if description != nil {
			faults = append(faults, models.CheckDescription(*description)...)
			group.Description = *description
		}
		if subnets != nil {
			faults = append(faults, models.CheckSubnets(subnets)...)
			group.Subnets = strings.Join(subnets, ",")
		}
		if len(faults) > 0 {
			return faults
		}
		err = tx.with(ctx).Model(&models.SubnetGroup{ID: group.ID}).UpdateColumns(map[string]any{"description": group.Description, "subnets": group.Subnets}).Error
		if err != nil {
			return fmt.Errorf("write subnet group %s: %w", name, err)
		}
		return nil
	})
	return group, err
}

// Get returns a subnet group by its name.
func (q Subnets) Get(ctx context.Context, name string) (models.SubnetGroup, error) {
	group, found, err := find[models.SubnetGroup](q.db.with(ctx).Where("name = ?", strings.ToLower(name)))
	if err != nil {
		return group, fmt.Errorf("find subnet group %s: %w", name, err)
	} else if !found {
		return group, models.Refuse(models.CodeSubnetGroupNotFound, "subnet_group", fmt.Sprintf("There is no subnet group %.255s.", name))
	}
	return group, nil
}

// All lists the subnet groups by name.
func (q Subnets) All(ctx context.Context) ([]models.SubnetGroup, error) {
	var groups []models.SubnetGroup
	if err := q.db.with(ctx).Order("name").Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list subnet groups: %w", err)
	}
	return groups, nil
}

// Delete removes a subnet group that no cluster names.
func (q Subnets) Delete(ctx context.Context, name string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.Subnets.Get(ctx, name)
		if err != nil {
			return err
		}
		if group.Name == models.DefaultSubnetGroup {
			return models.Refuse(models.CodeSubnetGroupInUse, "", "The subnet group default cannot be deleted.")
		}
		clusters, err := tx.Clusters.All(ctx)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(clusters, func(c models.Cluster) bool { return c.Attributes.SubnetGroup == group.Name }); i >= 0 {
			return models.Refuse(models.CodeSubnetGroupInUse, "", fmt.Sprintf("The cluster %s uses the subnet group %s.", clusters[i].Name, group.Name))
		}
		if err := tx.with(ctx).Delete(&models.SubnetGroup{}, group.ID).Error; err != nil {
			return fmt.Errorf("remove subnet group %s: %w", name, err)
		}
		return tx.Tags.drop(ctx, models.ResourceSubnetGroup+":"+group.Name)
	})
}
