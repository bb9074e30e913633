package models

import (
	"fmt"
	"slices"
)

// ModifySpec changes a cluster; what is nil stays as it is.
type ModifySpec struct {
	Description *string
	NodeType    *string
	Replicas    *int
	Remove      []string // replicas that are to go; Replicas follows
	Retention   *int
	Window      *Window // zero: no preference
	RequestedBy string

	ParameterGroup *string
	Attributes     func(*Attributes) // changes what there is when it is carried out
	Add            string            // the name of one more replica
	Zones          []string          // of the replicas that are added, in their order
}

// count makes the number of replicas of those that are to be removed.
func (spec *ModifySpec) Count(cluster Cluster) error {
	left := cluster.Replicas
	if spec.Add != "" {
		left++
		spec.Replicas = &left
	}
	if len(spec.Remove) == 0 {
		return nil
	}
	for i, name := range spec.Remove {
		at := slices.IndexFunc(cluster.Nodes, func(n Node) bool { return n.Name == name })
		switch {
		case at < 0 || slices.Contains(spec.Remove[:i], name):
			return Refuse(CodeNodeNotFound, "remove", fmt.Sprintf("The cluster %s has no node %.80s, or it is named twice.", cluster.Name, name))
		case cluster.Nodes[at].Role != RoleReplica:
			return Refuse(CodeCombination, "remove", fmt.Sprintf("The node %s is the primary; only replicas can be removed.", name))
		}
		left--
	}
	if spec.Replicas != nil && *spec.Replicas != left {
		return Refuse(CodeCombination, "replicas", fmt.Sprintf("Without the named replicas %d are left, not %d.", left, *spec.Replicas))
	}
	spec.Replicas = &left
	return nil
}

// attributes are those that the cluster would have.
func (spec *ModifySpec) Wanted(cluster Cluster) Attributes {
	if spec.Attributes == nil {
		return cluster.Attributes
	}
	attributes := cluster.Described()
	spec.Attributes(&attributes)
	return attributes
}
