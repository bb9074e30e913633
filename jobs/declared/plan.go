package declared

import (
	"fmt"
	"slices"
	"strings"

	"rekindle/models"
)

// step is one thing to be done for a declared cluster.
type step string

const (
	attach   step = "attach"   // it is found, and attached as it is
	adopt    step = "adopt"    // somebody has attached it already
	describe step = "describe" // description and schedule follow the file
	drill    step = "drill"    // its drills do, too
	reach    step = "reach"    // the way it is reached does, too
	release  step = "release"  // the file no longer declares it
	refuse   step = "refuse"   // it cannot be done, or not now
)

// action is what is to be done for one cluster, in this order.
type action struct {
	name  string
	steps []step
	spec  models.AttachSpec
	was   models.Cluster
	why   string // of refuse
}

// plan says what brings the existing clusters in line with a file. there holds all attached clusters, and those that have a declared name.
func plan(file File, there []models.Cluster) []action {
	var actions []action
	for _, spec := range file.Clusters {
		i := slices.IndexFunc(there, func(c models.Cluster) bool { return c.Name == spec.Name })
		a := action{name: spec.Name, spec: spec}
		if i < 0 {
			if a.steps = []step{attach}; spec.Drills.Every != models.Never {
				a.steps = append(a.steps, drill)
			}
		} else {
			a.was = there[i]
			if a.spec.TuningOpen && a.was.Attachment != nil {
				a.spec.Tuned = a.was.Attachment.Tuned
			}
			a.steps, a.why = change(file.Path, a.spec, a.was)
		}
		if len(a.steps) > 0 {
			actions = append(actions, a)
		}
	}
	for _, c := range there {
		if c.Declared != "" && !slices.ContainsFunc(file.Clusters, func(s models.AttachSpec) bool { return s.Name == c.Name }) {
			actions = append(actions, action{name: c.Name, steps: []step{release}, was: c})
		}
	}
	slices.SortFunc(actions, func(a, b action) int { return strings.Compare(a.name, b.name) })
	return actions
}

// change says what brings a cluster in line with its declaration.
func change(path string, spec models.AttachSpec, c models.Cluster) (steps []step, why string) {
	switch {
	case !c.Attached() || c.Attachment == nil:
		return []step{refuse}, fmt.Sprintf("There is a cluster %s that was launched here. Give the one in the file another id.", c.Name)
	case c.Status == models.ClusterDeleting:
		return []step{refuse}, fmt.Sprintf("The cluster %s is being detached. It is attached again when that is done.", c.Name)
	}
	if c.Declared != path {
		steps = append(steps, adopt)
	}
	if c.Description != spec.Description || c.RetentionLimit != spec.Retention || c.WindowChosen == spec.Window.IsZero() || c.WindowChosen && c.SnapshotWindow != spec.Window {
		steps = append(steps, describe)
	}
	held := models.DrillPlan{}
	if c.DrillPlan != nil {
		held = *c.DrillPlan
	}
	if !held.Same(spec.Drills) {
		steps = append(steps, drill)
	}
	if !c.Attachment.Access.Equal(spec.Access) || c.Password != spec.Password {
		steps = append(steps, reach)
	}
	return steps, ""
}
