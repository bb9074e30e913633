package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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

// ParameterValue is a parameter that a group sets to something other than the engine's default.
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

// IsDefault tells whether the group is a default group. These exist from the start, and cannot be changed.
func (g ParameterGroup) IsDefault() bool { return g.ID == 0 }

// inClusterMode ends the names of the default groups for clusters in cluster mode. They differ in nothing else: ElastiCache's clients ask for cluster
// mode by naming one.
const inClusterMode = ".cluster.on"

// DefaultParameterGroup is the name of the group that clusters of this engine have if no other is asked for.
func DefaultParameterGroup(engine Engine, clusterMode bool) string {
	if clusterMode {
		return "default." + engine.Family() + inClusterMode
	}
	return "default." + engine.Family()
}

// ForClusterMode tells by its name whether a parameter group is only for clusters in cluster mode.
func ForClusterMode(group string) bool {
	return strings.HasPrefix(group, "default.") && strings.HasSuffix(group, inClusterMode)
}

// DefaultGroups are the names of all default groups.
func DefaultGroups() []string {
	var names []string
	for _, family := range Families() {
		if names = append(names, "default."+family); clustered(family) {
			names = append(names, "default."+family+inClusterMode)
		}
	}
	return names
}

// clustered tells whether servers of a family have a cluster mode.
func clustered(family string) bool { return !strings.HasPrefix(family, EngineMemcached) }

// DefaultGroup finds a default group by its name. Default groups need not be created.
func DefaultGroup(name string) (ParameterGroup, bool) {
	if !slices.Contains(DefaultGroups(), name) {
		return ParameterGroup{}, false
	}
	family := strings.TrimSuffix(strings.TrimPrefix(name, "default."), inClusterMode)
	if ForClusterMode(name) {
		return ParameterGroup{Name: name, Family: family, Description: "Default parameter group for " + family + " in cluster mode"}, true
	}
	return ParameterGroup{Name: name, Family: family, Description: "Default parameter group for " + family}, true
}

// CheckParameters checks new values for a parameter group.
func CheckParameters(family string, values map[string]string) Faults {
	var faults Faults
	known := make(map[string]Parameter)
	for _, p := range Parameters(family) {
		known[p.Name] = p
	}
	if len(values) == 0 || len(values) > 20 {
		faults.Add(CodeInvalid, "parameters", fmt.Sprintf("1 to 20 parameters can be changed at a time, not %d.", len(values)))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if p, ok := known[name]; !ok {
			faults.Add(CodeInvalid, "parameters", fmt.Sprintf("Groups of the family %s have no parameter %.80q that Rekindle can set.", family, name))
		} else if problem := p.check(values[name]); problem != "" {
			faults.Add(CodeInvalid, "parameters", problem)
		}
	}
	return faults
}

// ParameterDatabases takes effect only when a cluster is created, as in ElastiCache: with fewer later, a node might not load its own data.
const ParameterDatabases = "databases"

// engineDatabases is the engines' default number of databases.
const engineDatabases = 16

// DatabasesFor is how many databases a cluster needs to be filled from a snapshot.
func (c Cluster) DatabasesFor(snapshot Snapshot) int {
	needed := c.Databases
	for _, part := range snapshot.Parts {
		if part.Databases > max(c.Databases, engineDatabases) || c.Databases > 0 {
			needed = max(needed, part.Databases)
		}
	}
	return needed
}
