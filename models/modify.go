package models

import (
	"fmt"
	"slices"
	"time"
)

// ModifySpec asks for changes to a cluster. Fields that are nil leave it as it is.
type ModifySpec struct {
	Description *string
	NodeType    *string
	Replicas    *int
	Remove      []string // names of replicas to remove; [ModifySpec.Count] sets Replicas to match
	Retention   *int
	Window      *Window // zero: no preference
	RequestedBy string

	ParameterGroup *string
	Password       *PasswordChange
	UserGroup      *string           // "": take the group away
	Attributes     func(*Attributes) // changes the attributes as they are when it is carried out
	Add            string            // the name of one more replica
	Zones          []string          // of the added replicas, in order
}

// Count sets Replicas from the nodes to add and to remove, and refuses what does not fit together.
func (spec *ModifySpec) Count(cluster Cluster) error {
	if faults := spec.refuseNodes(cluster); len(faults) > 0 {
		return faults
	}
	left := cluster.Replicas
	if spec.Add != "" {
		if cluster.ClusterMode {
			return Refuse(CodeCombination, "replicas", fmt.Sprintf("The cluster %s is in cluster mode: replicas are added to all of its shards at once. Give their number, not a name.", cluster.Name))
		}
		left++
		spec.Replicas = &left
	}
	if len(spec.Remove) == 0 {
		return nil
	}
	each := make(map[int]int) // by shard
	for i, name := range spec.Remove {
		at := slices.IndexFunc(cluster.Nodes, func(n Node) bool { return n.Name == name })
		switch {
		case at < 0 || slices.Contains(spec.Remove[:i], name):
			return Refuse(CodeNodeNotFound, "remove", fmt.Sprintf("The cluster %s has no node %.80s, or it is named twice.", cluster.Name, name))
		case cluster.Nodes[at].Role != RoleReplica:
			return Refuse(CodeCombination, "remove", fmt.Sprintf("The node %s is a primary; only replicas can be removed.", name))
		}
		each[cluster.Nodes[at].Shard]++
	}
	shards := cluster.Shards()
	for _, s := range shards {
		if each[s.Number] != each[shards[0].Number] {
			return Refuse(CodeCombination, "remove", "All shards have the same number of replicas: name the same number from each.")
		}
	}
	left -= each[shards[0].Number]
	if spec.Replicas != nil && *spec.Replicas != left {
		return Refuse(CodeCombination, "replicas", fmt.Sprintf("Without the named replicas %d are left, not %d.", left, *spec.Replicas))
	}
	spec.Replicas = &left
	return nil
}

// Wanted returns the cluster's attributes as they would be after the change.
func (spec *ModifySpec) Wanted(cluster Cluster) Attributes {
	if spec.Attributes == nil {
		return cluster.Attributes
	}
	attributes := cluster.Described()
	spec.Attributes(&attributes)
	return attributes
}

// NewNode is a replica to add to a shard.
type NewNode struct {
	Name  string
	Shard int
}

// Resized returns the names of the replicas to remove, which are the named ones and then each shard's youngest, and the replicas to add.
func (spec ModifySpec) Resized(cluster Cluster) (leave []string, join []NewNode) {
	leave = append(leave, spec.Remove...)
	used := make(map[string]bool)
	for _, n := range cluster.Nodes {
		used[n.Name] = true
	}
	for _, shard := range cluster.Shards() {
		var stay []string
		for _, n := range shard.Nodes {
			if n.Role == RoleReplica && !slices.Contains(spec.Remove, n.Name) {
				stay = append(stay, n.Name)
			}
		}
		for len(stay) > *spec.Replicas {
			leave = append(leave, stay[len(stay)-1])
			stay = stay[:len(stay)-1]
		}
		for more := *spec.Replicas - len(stay); more > 0; more-- {
			name := spec.Add
			if name == "" || len(join) > 0 {
				name = cluster.newNodeName(cluster.ClusterMode, shard.Number, used)
			}
			join = append(join, NewNode{name, shard.Number})
		}
	}
	return leave, join
}

// touchesNodes reports whether a modification changes the nodes, rather than only what Rekindle does for the cluster.
func (spec ModifySpec) touchesNodes(cluster Cluster) bool {
	return spec.NodeType != nil && *spec.NodeType != cluster.NodeType || spec.Replicas != nil && *spec.Replicas != cluster.Replicas ||
		len(spec.Remove) > 0 || spec.Add != "" || spec.ParameterGroup != nil && *spec.ParameterGroup != cluster.ParameterGroup || spec.changesPassword(cluster) || spec.changesUserGroup(cluster)
}

// NeedsRun reports whether a modification is carried out by a run, during which the cluster is modifying.
func (spec ModifySpec) NeedsRun(cluster Cluster) bool {
	return spec.NodeType != nil && *spec.NodeType != cluster.NodeType || spec.Replicas != nil && *spec.Replicas != cluster.Replicas || spec.changesPassword(cluster) || spec.changesUserGroup(cluster)
}

// refuseNodes refuses changes to the nodes of an attached cluster. It comes before all other checks.
func (spec ModifySpec) refuseNodes(cluster Cluster) Faults {
	if cluster.Attached() && spec.touchesNodes(cluster) {
		return Faults{{Code: CodeClusterState, Message: cluster.NoChangeOfNodes()}}
	}
	return nil
}

// refuseDeclared refuses changes to what the clusters file declares. Requests for the values that already hold are dropped from the spec.
func (spec *ModifySpec) refuseDeclared(cluster Cluster) Faults {
	why := cluster.Elsewhere(spec.RequestedBy)
	if why == "" {
		return nil
	}
	same := spec.Window == nil || *spec.Window == cluster.SnapshotWindow || spec.Window.IsZero() && !cluster.WindowChosen
	if spec.Description != nil && *spec.Description != cluster.Description || spec.Retention != nil && *spec.Retention != cluster.RetentionLimit || !same {
		return Faults{{Code: CodeClusterState, Message: why}}
	}
	spec.Description, spec.Retention, spec.Window = nil, nil, nil
	return nil
}

// Columns checks a modification against the cluster and returns the columns to set, except for the parameter group, which takes a query.
func (spec ModifySpec) Columns(cluster Cluster, now time.Time) (Faults, map[string]any) {
	var faults Faults
	set := map[string]any{"updated_at": now}
	if faults := append(spec.refuseNodes(cluster), spec.refuseDeclared(cluster)...); len(faults) > 0 {
		return faults, set
	}
	nodeType, _ := FindNodeType(cluster.NodeType)
	if spec.Description != nil {
		faults = append(faults, CheckDescription(*spec.Description)...)
		set["description"] = *spec.Description
	}
	if spec.NodeType != nil {
		found := false
		if nodeType, found = FindNodeType(*spec.NodeType); !found && !cluster.Attached() {
			faults.Add(CodeInvalid, "node_type", fmt.Sprintf("There is no node type %q.", *spec.NodeType))
		} else if used := cluster.FullestShard(); used > nodeType.Memory && nodeType.Memory < cluster.MaxMemory() {
			holds, room := SizeTexts(used, nodeType.Memory)
			faults.Add(CodeCombination, "node_type", fmt.Sprintf("The cluster holds %s, and %s has room for %s. Choose a larger node type.", holds, nodeType.Name, room))
		}
		if cluster.Cached() && *spec.NodeType != cluster.NodeType {
			faults.Add(CodeCombination, "node_type", "The node type of a memcached cluster cannot be changed, because its nodes would lose what they hold. Create a new cluster.")
		}
		set["node_type"] = *spec.NodeType
	}
	if spec.Replicas != nil && !cluster.Attached() {
		if *spec.Replicas < 0 || *spec.Replicas > MaxReplicas {
			faults.Add(CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", MaxReplicas, *spec.Replicas))
		}
		if cluster.Cached() || !cluster.Grouped && *spec.Replicas > 0 {
			faults.Add(CodeCombination, "replicas", fmt.Sprintf("The cluster %s is a cache cluster, which has no replicas. Restore a snapshot into a replication group to have some.", cluster.Name))
		}
		set["replicas"] = *spec.Replicas
	}
	retention := cluster.RetentionLimit
	if spec.Retention != nil {
		retention = *spec.Retention
		set["retention_limit"] = retention
	}
	if cluster.Cached() && retention > 0 {
		faults.Add(CodeSnapshotUnsupported, "backups", CachedUnsupported)
	}
	faults = append(faults, CheckRetention(retention, nodeType)...)
	window := cluster.SnapshotWindow
	if spec.Window != nil {
		faults = append(faults, CheckWindow(*spec.Window)...)
		window = *spec.Window
		set["window_chosen"] = !window.IsZero()
		if window.IsZero() {
			window = PickWindowBeside(cluster.Name, spec.Wanted(cluster).MaintenanceWindow)
		}
		set["snapshot_window"] = window
	}
	if window != cluster.SnapshotWindow || (retention > 0) != (cluster.RetentionLimit > 0) {
		set["schedule_since"] = now
	}
	faults = append(faults, spec.passwordColumns(cluster, set, now)...)
	faults = append(faults, spec.userGroupColumns(cluster, set, now)...)
	return append(faults, spec.attributeColumns(cluster, set, now)...), set
}

// attributeColumns checks the attributes of a modification, and adds the columns to set.
func (spec ModifySpec) attributeColumns(cluster Cluster, columns map[string]any, now time.Time) (faults Faults) {
	replicas := cluster.Replicas
	if spec.Replicas != nil {
		replicas = *spec.Replicas
	}
	attributes := spec.Wanted(cluster)
	if spec.Attributes != nil {
		if node := attributes.SnapshottingNode; node != "" && !slices.ContainsFunc(cluster.Nodes, func(n Node) bool { return n.Name == node }) {
			faults.Add(CodeNodeNotFound, "snapshotting_node", fmt.Sprintf("The cluster %s has no node %.80s.", cluster.Name, node))
		}
	}
	overlap, moved := spec.settleWindows(cluster, &attributes, columns, now)
	faults = append(faults, overlap...)
	if spec.Attributes != nil || spec.Replicas != nil || moved {
		if spec.Replicas != nil && spec.Attributes == nil && replicas == 0 && attributes.AutomaticFailover {
			attributes.AutomaticFailover, attributes.MultiAZ = false, false // no replica is left to take over
		}
		faults = append(faults, attributes.Check(replicas+1)...)
		columns["attributes"] = attributes
	}
	return faults
}

// settleWindows keeps the snapshot window and the maintenance window apart. If one is changed and nobody has chosen the other, the other
// moves. Chosen windows that overlap are refused. It reports whether the attributes changed.
func (spec ModifySpec) settleWindows(cluster Cluster, attributes *Attributes, columns map[string]any, now time.Time) (faults Faults, moved bool) {
	window, changed := columns["snapshot_window"].(Window)
	var asked Attributes
	if spec.Attributes != nil {
		spec.Attributes(&asked)
	}
	picked := PickMaintenanceWindow(cluster.SnapshotWindow)
	switch {
	case changed && asked.MaintenanceWindow == "" && attributes.MaintenanceWindow == picked && window.Overlaps(picked):
		attributes.MaintenanceWindow = PickMaintenanceWindow(window)
		return nil, true
	case changed:
		return CheckOverlap(window, attributes.MaintenanceWindow), false
	case asked.MaintenanceWindow == "" || !cluster.SnapshotWindow.Overlaps(attributes.MaintenanceWindow):
		return nil, false
	}
	window = cluster.SnapshotWindow
	if !cluster.WindowChosen {
		window = PickWindowBeside(cluster.Name, attributes.MaintenanceWindow)
		columns["snapshot_window"], columns["schedule_since"] = window, now
	}
	return CheckOverlap(window, attributes.MaintenanceWindow), false
}
