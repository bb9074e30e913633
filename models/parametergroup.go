package models

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ParameterGroup is a named set of parameters for the nodes of clusters of one family.
type ParameterGroup struct {
	ID          uint
	Name        string `gorm:"uniqueIndex"`
	Family      string
	Description string
	CreatedAt   time.Time
	Values      []ParameterValue `gorm:"foreignKey:GroupID"`
}

// ParameterValue is a parameter that a group sets to something else than the engine's default.
type ParameterValue struct {
	ID      uint
	GroupID uint   `gorm:"uniqueIndex:idx_parameter_values_name"`
	Name    string `gorm:"uniqueIndex:idx_parameter_values_name"`
	Value   string
}

// Set returns the parameters that the group sets, by name.
func (g ParameterGroup) Set() map[string]string {
	set := make(map[string]string, len(g.Values))
	for _, v := range g.Values {
		set[v.Name] = v.Value
	}
	return set
}

// IsDefault tells whether the group is one of those that are there from the start, one for each family, and cannot be changed.
func (g ParameterGroup) IsDefault() bool { return g.ID == 0 }

// DefaultParameterGroup is the name of the group that clusters of this engine have when no other is asked for.
func DefaultParameterGroup(engine Engine) string { return "default." + engine.Family() }

func defaultGroup(name string) (ParameterGroup, bool) {
	family, isDefault := strings.CutPrefix(name, "default.")
	if !isDefault || !slices.Contains(Families(), family) {
		return ParameterGroup{}, false
	}
	return ParameterGroup{Name: name, Family: family, Description: "Default parameter group for " + family}, true
}

// ParameterGroup returns a group by its name.
func (db *DB) ParameterGroup(ctx context.Context, name string) (ParameterGroup, error) {
	name = strings.ToLower(name)
	if group, ok := defaultGroup(name); ok {
		return group, nil
	}
	group, found, err := find[ParameterGroup](db.with(ctx).Preload("Values", func(q *gorm.DB) *gorm.DB { return q.Order("name") }).Where("name = ?", name))
	if err != nil {
		return group, fmt.Errorf("find parameter group %s: %w", name, err)
	} else if !found {
		return group, refuse(CodeParameterGroupNotFound, "parameter_group", fmt.Sprintf("There is no parameter group %.255s.", name))
	}
	return group, nil
}

// ParameterGroups lists all groups by name, the default ones among them.
func (db *DB) ParameterGroups(ctx context.Context) ([]ParameterGroup, error) {
	var groups []ParameterGroup
	if err := db.with(ctx).Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list parameter groups: %w", err)
	}
	for _, family := range Families() {
		group, _ := defaultGroup("default." + family)
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b ParameterGroup) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// CreateParameterGroup writes a group down that sets nothing yet.
func (db *DB) CreateParameterGroup(ctx context.Context, name, family, description string, tags map[string]string) (ParameterGroup, error) {
	name, problem := checkGroupName("parameter group", name)
	var faults Faults
	if problem != "" {
		faults.add(CodeInvalid, "name", problem)
	} else if strings.HasPrefix(name, "default.") {
		faults.add(CodeInvalid, "name", "Names that begin with default. belong to the groups that are there from the start.")
	}
	if !slices.Contains(Families(), family) {
		faults.add(CodeInvalid, "family", fmt.Sprintf("There is no family %.40q. Known are %s.", family, strings.Join(Families(), ", ")))
	}
	if !validDescription(description) {
		faults.add(CodeInvalid, "description", "Give a description with at most 255 characters.")
	}
	if len(faults) > 0 {
		return ParameterGroup{}, faults
	}
	group := ParameterGroup{Name: name, Family: family, Description: description, CreatedAt: db.Now()}
	err := db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[ParameterGroup](tx.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("find parameter group %s: %w", name, err)
		} else if exists {
			return refuse(CodeParameterGroupExists, "name", fmt.Sprintf("There is already a parameter group %s. Choose another name.", name))
		}
		if err := tx.with(ctx).Create(&group).Error; err != nil {
			return fmt.Errorf("write parameter group %s: %w", name, err)
		}
		return tx.addTags(ctx, ResourceParameterGroup+":"+name, tags)
	})
	return group, err
}

// changeable returns a group that may be changed.
func (db *DB) changeable(ctx context.Context, name string) (ParameterGroup, error) {
	group, err := db.ParameterGroup(ctx, name)
	if err == nil && group.IsDefault() {
		err = refuse(CodeParameterGroupState, "", fmt.Sprintf("The parameter group %s cannot be changed. Create one of your own.", group.Name))
	}
	return group, err
}

// SetParameters sets parameters of a group, all or none, and hands them to the clusters that use it.
func (db *DB) SetParameters(ctx context.Context, name string, values map[string]string) error {
	return db.transaction(ctx, func(tx *DB) error {
		group, err := tx.changeable(ctx, name)
		if err != nil {
			return err
		}
		if faults := checkParameters(group.Family, values); len(faults) > 0 {
			return faults
		}
		fixed := make(map[string]bool)
		for _, p := range Parameters(group.Family) {
			fixed[p.Name] = p.Fixed
		}
		for parameter, value := range values {
			if fixed[parameter] {
				continue // it has that value already, and is nothing to be handed to a node
			}
			row := ParameterValue{GroupID: group.ID, Name: parameter, Value: value}
			replace := clause.OnConflict{Columns: []clause.Column{{Name: "group_id"}, {Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}
			if err := tx.with(ctx).Clauses(replace).Create(&row).Error; err != nil {
				return fmt.Errorf("set %s of parameter group %s: %w", parameter, name, err)
			}
		}
		return tx.parametersChanged(ctx, group.Name)
	})
}

func checkParameters(family string, values map[string]string) Faults {
	var faults Faults
	known := make(map[string]Parameter)
	for _, p := range Parameters(family) {
		known[p.Name] = p
	}
	if len(values) == 0 || len(values) > 20 {
		faults.add(CodeInvalid, "parameters", fmt.Sprintf("1 to 20 parameters can be changed at a time, not %d.", len(values)))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if p, ok := known[name]; !ok {
			faults.add(CodeInvalid, "parameters", fmt.Sprintf("Groups of the family %s have no parameter %.80q that Rekindle can set.", family, name))
		} else if problem := p.check(values[name]); problem != "" {
			faults.add(CodeInvalid, "parameters", problem)
		}
	}
	return faults
}

// ResetParameters brings parameters of a group back to the engine's defaults; without names all of them.
func (db *DB) ResetParameters(ctx context.Context, name string, parameters []string) error {
	return db.transaction(ctx, func(tx *DB) error {
		group, err := tx.changeable(ctx, name)
		if err != nil {
			return err
		}
		values := tx.with(ctx).Where("group_id = ?", group.ID)
		if len(parameters) > 0 {
			known := Parameters(group.Family)
			for _, wanted := range parameters {
				if !slices.ContainsFunc(known, func(p Parameter) bool { return p.Name == wanted }) {
					return refuse(CodeInvalid, "parameters", fmt.Sprintf("Groups of the family %s have no parameter %.80q.", group.Family, wanted))
				}
			}
			values = values.Where("name IN ?", parameters)
		}
		if err := values.Delete(&ParameterValue{}).Error; err != nil {
			return fmt.Errorf("reset parameter group %s: %w", name, err)
		}
		return tx.parametersChanged(ctx, group.Name)
	})
}

// DeleteParameterGroup removes a group that no cluster uses.
func (db *DB) DeleteParameterGroup(ctx context.Context, name string) error {
	return db.transaction(ctx, func(tx *DB) error {
		group, err := tx.changeable(ctx, name)
		if err != nil {
			return err
		}
		user, used, err := find[Cluster](tx.with(ctx).Where("parameter_group = ?", group.Name))
		if err != nil {
			return fmt.Errorf("look who uses parameter group %s: %w", name, err)
		} else if used {
			return refuse(CodeParameterGroupState, "", fmt.Sprintf("The cluster %s uses the parameter group %s.", user.Name, group.Name))
		}
		if err := tx.with(ctx).Where("group_id = ?", group.ID).Delete(&ParameterValue{}).Error; err != nil {
			return fmt.Errorf("remove values of parameter group %s: %w", name, err)
		}
		if err := tx.with(ctx).Delete(&ParameterGroup{}, group.ID).Error; err != nil {
			return fmt.Errorf("remove parameter group %s: %w", name, err)
		}
		return tx.dropTags(ctx, ResourceParameterGroup+":"+group.Name)
	})
}

// parametersChanged asks for the parameters to be brought to the nodes of all clusters that use the group: the supervisor does it, as soon
// as it can.
func (db *DB) parametersChanged(ctx context.Context, group string) error {
	err := db.with(ctx).Model(&Cluster{}).Where("parameter_group = ?", group).
		UpdateColumn("parameters_wanted", gorm.Expr("parameters_wanted + 1")).Error
	if err != nil {
		return fmt.Errorf("pass on parameter group %s: %w", group, err)
	}
	return nil
}

// ParametersApplied notes that the nodes of a cluster have the parameters that were wanted with this number.
func (db *DB) ParametersApplied(ctx context.Context, clusterID uint, wanted int) error {
	err := db.with(ctx).Model(&Cluster{}).Where("id = ? AND parameters_applied < ?", clusterID, wanted).UpdateColumn("parameters_applied", wanted).Error
	if err != nil {
		return fmt.Errorf("note parameters of cluster %d: %w", clusterID, err)
	}
	return nil
}

// parameterDatabases holds at a cluster's creation, as in ElastiCache: with fewer later, a node would not load its own data.
const parameterDatabases = "databases"

// databases is how many databases the nodes of a new cluster get by its parameter group; 0: the engine's own number.
func (db *DB) databases(ctx context.Context, cluster Cluster) (int, error) {
	set, err := db.groupParameters(ctx, cluster)
	if err != nil || set[parameterDatabases] == "" {
		return 0, err
	}
	n, err := strconv.Atoi(set[parameterDatabases])
	if err != nil {
		return 0, fmt.Errorf("read %s of parameter group %s: %w", parameterDatabases, cluster.ParameterGroup, err)
	}
	return n, nil
}

// engineDatabases is how many databases the engines have when nothing else is set.
const engineDatabases = 16

// databasesFor is how many databases a cluster needs to be filled from a snapshot.
func (c Cluster) databasesFor(snapshot Snapshot) int {
	needed := c.Databases
	for _, part := range snapshot.Parts {
		if part.Databases > max(c.Databases, engineDatabases) || c.Databases > 0 {
			needed = max(needed, part.Databases)
		}
	}
	return needed
}

// NodeParameters returns what a node is started with: what its cluster's group sets, and the number of databases that the cluster has.
func (db *DB) NodeParameters(ctx context.Context, cluster Cluster) (map[string]string, error) {
	set, err := db.groupParameters(ctx, cluster)
	delete(set, parameterDatabases)
	if err == nil && cluster.Databases > 0 {
		if set == nil {
			set = make(map[string]string)
		}
		set[parameterDatabases] = strconv.Itoa(cluster.Databases)
	}
	return set, err
}

// groupParameters returns what a cluster's group sets. One whose group is gone has the engine's defaults.
func (db *DB) groupParameters(ctx context.Context, cluster Cluster) (map[string]string, error) {
	if cluster.ParameterGroup == "" {
		return nil, nil
	}
	group, err := db.ParameterGroup(ctx, cluster.ParameterGroup)
	if HasCode(err, CodeParameterGroupNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return group.Set(), nil
}

// checkParameterGroup says whether a cluster of this engine can use a group, and returns the name as it is kept.
func (db *DB) checkParameterGroup(ctx context.Context, name string, engine Engine, faults *Faults) (string, error) {
	if name == "" {
		return DefaultParameterGroup(engine), nil
	}
	if strings.HasSuffix(strings.ToLower(name), ".cluster.on") {
		faults.add(CodeCombination, "parameter_group", "Cluster mode is not offered: Rekindle launches clusters of one shard.")
		return name, nil
	}
	group, err := db.ParameterGroup(ctx, name)
	if more, refused := AsFaults(err); refused {
		*faults = append(*faults, more...)
		return name, nil
	} else if err != nil {
		return name, err
	}
	if group.Family != engine.Family() {
		faults.add(CodeCombination, "parameter_group", fmt.Sprintf("The parameter group %s is for %s; %s needs one for %s.", group.Name, group.Family, engine, engine.Family()))
	}
	return group.Name, nil
}
