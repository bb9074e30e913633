package catalog

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Parameters keeps the parameter groups.
type Parameters struct{ db *DB }

// Get returns a group by its name.
func (q Parameters) Get(ctx context.Context, name string) (models.ParameterGroup, error) {
	name = strings.ToLower(name)
	if group, ok := models.DefaultGroup(name); ok {
		return group, nil
	}
	group, found, err := find[models.ParameterGroup](q.db.with(ctx).Preload("Values", func(q *gorm.DB) *gorm.DB { return q.Order("name") }).Where("name = ?", name))
	if err != nil {
		return group, fmt.Errorf("find parameter group %s: %w", name, err)
	} else if !found {
		return group, models.Refuse(models.CodeParameterGroupNotFound, "parameter_group", fmt.Sprintf("There is no parameter group %.255s.", name))
	}
	return group, nil
}

// All lists all groups by name, the default ones among them.
func (q Parameters) All(ctx context.Context) ([]models.ParameterGroup, error) {
	var groups []models.ParameterGroup
	if err := q.db.with(ctx).Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list parameter groups: %w", err)
	}
	for _, name := range models.DefaultGroups() {
		group, _ := models.DefaultGroup(name)
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b models.ParameterGroup) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// Create writes down a group that sets nothing yet.
func (q Parameters) Create(ctx context.Context, name, family, description string, tags map[string]string) (models.ParameterGroup, error) {
	name, problem := models.CheckGroupName("parameter group", name)
	var faults models.Faults
	if problem != "" {
		faults.Add(models.CodeInvalid, "name", problem)
	} else if strings.HasPrefix(name, "default.") {
		faults.Add(models.CodeInvalid, "name", "Names that begin with default. belong to the built-in groups.")
	}
	if !slices.Contains(models.Families(), family) {
		faults.Add(models.CodeInvalid, "family", fmt.Sprintf("There is no family %.40q. The families are %s.", family, strings.Join(models.Families(), ", ")))
	}
	if !models.ValidDescription(description) {
		faults.Add(models.CodeInvalid, "description", "Give a description with at most 255 characters.")
	}
	if len(faults) > 0 {
		return models.ParameterGroup{}, faults
	}
	group := models.ParameterGroup{Name: name, Family: family, Description: description, CreatedAt: q.db.Now()}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[models.ParameterGroup](tx.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("find parameter group %s: %w", name, err)
		} else if exists {
			return models.Refuse(models.CodeParameterGroupExists, "name", fmt.Sprintf("There is already a parameter group %s. Choose another name.", name))
		}
		if err := tx.with(ctx).Create(&group).Error; err != nil {
			return fmt.Errorf("write parameter group %s: %w", name, err)
		}
		return tx.Tags.add(ctx, models.ResourceParameterGroup+":"+name, tags)
	})
	return group, err
}

// changeable returns a group that may be changed.
func (q Parameters) changeable(ctx context.Context, name string) (models.ParameterGroup, error) {
	group, err := q.Get(ctx, name)
	if err == nil && group.IsDefault() {
		err = models.Refuse(models.CodeParameterGroupState, "", fmt.Sprintf("The parameter group %s cannot be changed. Create one of your own.", group.Name))
	}
	return group, err
}

// Set sets parameters of a group, all or none, and hands them to the clusters that use it.
func (q Parameters) Set(ctx context.Context, name string, values map[string]string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.Parameters.changeable(ctx, name)
		if err != nil {
			return err
		}
		if faults := models.CheckParameters(group.Family, values); len(faults) > 0 {
			return faults
		}
		fixed := make(map[string]bool)
		for _, p := range models.Parameters(group.Family) {
			fixed[p.Name] = p.Fixed
		}
		for parameter, value := range values {
			if fixed[parameter] {
				continue // it already has that value, and there is nothing to bring to a node
			}
			row := models.ParameterValue{GroupID: group.ID, Name: parameter, Value: value}
			replace := clause.OnConflict{Columns: []clause.Column{{Name: "group_id"}, {Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}
			if err := tx.with(ctx).Clauses(replace).Create(&row).Error; err != nil {
				return fmt.Errorf("set %s of parameter group %s: %w", parameter, name, err)
			}
		}
		return tx.Parameters.changed(ctx, group.Name)
	})
}

// Reset brings parameters of a group back to the engine's defaults; all of them when none are named.
func (q Parameters) Reset(ctx context.Context, name string, parameters []string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.Parameters.changeable(ctx, name)
		if err != nil {
			return err
		}
		values := tx.with(ctx).Where("group_id = ?", group.ID)
		if len(parameters) > 0 {
			known := models.Parameters(group.Family)
			for _, wanted := range parameters {
				if !slices.ContainsFunc(known, func(p models.Parameter) bool { return p.Name == wanted }) {
					return models.Refuse(models.CodeInvalid, "parameters", fmt.Sprintf("Groups of the family %s have no parameter %.80q.", group.Family, wanted))
				}
			}
			values = values.Where("name IN ?", parameters)
		}
		if err := values.Delete(&models.ParameterValue{}).Error; err != nil {
			return fmt.Errorf("reset parameter group %s: %w", name, err)
		}
		return tx.Parameters.changed(ctx, group.Name)
	})
}

// Delete removes a group that no cluster uses.
func (q Parameters) Delete(ctx context.Context, name string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.Parameters.changeable(ctx, name)
		if err != nil {
			return err
		}
		user, used, err := find[models.Cluster](tx.with(ctx).Where("parameter_group = ?", group.Name))
		if err != nil {
			return fmt.Errorf("look who uses parameter group %s: %w", name, err)
		} else if used {
			return models.Refuse(models.CodeParameterGroupState, "", fmt.Sprintf("The cluster %s uses the parameter group %s.", user.Name, group.Name))
		}
		if err := tx.with(ctx).Where("group_id = ?", group.ID).Delete(&models.ParameterValue{}).Error; err != nil {
			return fmt.Errorf("remove values of parameter group %s: %w", name, err)
		}
		if err := tx.with(ctx).Delete(&models.ParameterGroup{}, group.ID).Error; err != nil {
			return fmt.Errorf("remove parameter group %s: %w", name, err)
		}
		return tx.Tags.drop(ctx, models.ResourceParameterGroup+":"+group.Name)
	})
}

// changed asks for the parameters to be brought to the nodes of all clusters that use the group. The supervisor does that as soon as it can.
func (q Parameters) changed(ctx context.Context, group string) error {
	err := q.db.with(ctx).Model(&models.Cluster{}).Where("parameter_group = ?", group).
		UpdateColumn("parameters_wanted", gorm.Expr("parameters_wanted + 1")).Error
	if err != nil {
		return fmt.Errorf("pass on parameter group %s: %w", group, err)
	}
	return nil
}

// Applied notes that the nodes of a cluster have the parameters of this request number.
func (q Parameters) Applied(ctx context.Context, clusterID uint, wanted int) error {
	err := q.db.with(ctx).Model(&models.Cluster{}).Where("id = ? AND parameters_applied < ?", clusterID, wanted).UpdateColumn("parameters_applied", wanted).Error
	if err != nil {
		return fmt.Errorf("note parameters of cluster %d: %w", clusterID, err)
	}
	return nil
}

// databases returns how many databases the nodes of a new cluster get from its parameter group; 0 means the engine's own number.
func (q Parameters) databases(ctx context.Context, cluster models.Cluster) (int, error) {
	set, err := q.ofGroup(ctx, cluster)
	if err != nil || set[models.ParameterDatabases] == "" {
		return 0, err
	}
	n, err := strconv.Atoi(set[models.ParameterDatabases])
	if err != nil {
		return 0, fmt.Errorf("read %s of parameter group %s: %w", models.ParameterDatabases, cluster.ParameterGroup, err)
	}
	return n, nil
}

// OfNodes returns the parameters a node is started with: those of its cluster's group, and the cluster's number of databases.
func (q Parameters) OfNodes(ctx context.Context, cluster models.Cluster) (map[string]string, error) {
	set, err := q.ofGroup(ctx, cluster)
	delete(set, models.ParameterDatabases)
	if err == nil && cluster.Databases > 0 {
		if set == nil {
			set = make(map[string]string)
		}
		set[models.ParameterDatabases] = strconv.Itoa(cluster.Databases)
	}
	return set, err
}

// ofGroup returns what a cluster's group sets. If the group is gone, the cluster has the engine's defaults.
func (q Parameters) ofGroup(ctx context.Context, cluster models.Cluster) (map[string]string, error) {
	if cluster.ParameterGroup == "" {
		return nil, nil
	}
	group, err := q.Get(ctx, cluster.ParameterGroup)
	if models.HasCode(err, models.CodeParameterGroupNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return group.Set(), nil
}

// check says whether a cluster of this engine can use a group, and returns the name as it is kept.
func (q Parameters) check(ctx context.Context, name string, engine models.Engine, clusterMode bool, faults *models.Faults) (string, error) {
	if name == "" {
		return models.DefaultParameterGroup(engine, clusterMode), nil
	}
	group, err := q.Get(ctx, name)
	if more, refused := models.AsFaults(err); refused {
		*faults = append(*faults, more...)
		return name, nil
	} else if err != nil {
		return name, err
	}
	if models.ForClusterMode(group.Name) && !clusterMode {
		faults.Add(models.CodeCombination, "parameter_group", fmt.Sprintf("The parameter group %s is for clusters in cluster mode, and this one is not.", group.Name))
	}
	if group.Family != engine.Family() {
		faults.Add(models.CodeCombination, "parameter_group", fmt.Sprintf("The parameter group %s is for %s; %s needs one for %s.", group.Name, group.Family, engine, engine.Family()))
	}
	return group.Name, nil
}
