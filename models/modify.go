package models

import (
	"context"
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

// ModifyCluster changes a cluster. Schedule and description hold at once; another node type or number of replicas is brought
// to the nodes by a run, and the cluster is modifying until then.
func (db *DB) ModifyCluster(ctx context.Context, name string, spec ModifySpec) (Cluster, error) {
	var cluster Cluster
	err := retryEndpoints(func() (err error) {
		cluster, err = db.modifyCluster(ctx, name, spec)
		return err
	})
	return cluster, err
}

func (db *DB) modifyCluster(ctx context.Context, name string, spec ModifySpec) (Cluster, error) {
	before, err := db.Cluster(ctx, name)
	if err != nil {
		return before, err
	}
	var endpoints []Endpoint
	if spec.Add != "" {
		if err := db.checkNewNode(ctx, &spec); err != nil {
			return before, err
		}
		if endpoints, err = db.endpointsBeside(ctx, before, 1); err != nil {
			return before, err
		}
	} else if spec.Replicas != nil && *spec.Replicas <= MaxReplicas {
		more := *spec.Replicas // than there are, which may be fewer than before.Replicas
		for _, n := range before.Nodes {
			if n.Role == RoleReplica {
				more--
			}
		}
		if more > 0 {
			if endpoints, err = db.endpointsBeside(ctx, before, more); err != nil {
				return before, err
			}
		}
	}
	err = db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Cluster(ctx, name)
		if err != nil {
			return err
		}
		if err := spec.count(cluster); err != nil {
			return err
		}
		faults, changes := tx.changes(cluster, spec)
		if err := tx.changeGroups(ctx, cluster, spec, &faults, changes); err != nil {
			return err
		} else if len(faults) > 0 {
			return faults
		}
		rebuild := (spec.NodeType != nil && *spec.NodeType != cluster.NodeType) || (spec.Replicas != nil && *spec.Replicas != cluster.Replicas)
		if !rebuild {
			if cluster.Status == ClusterDeleting {
				return refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s is being deleted.", name))
			}
			return tx.with(ctx).Model(&Cluster{ID: cluster.ID}).Updates(changes).Error
		}
		moved, err := tx.moveCluster(ctx, cluster.ID, ClusterModifying, "", ClusterAvailable)
		if err != nil {
			return err
		} else if !moved {
			return refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; its nodes can be changed when it is available.", name, cluster.Status))
		}
		var args ModifyArgs
		if spec.Replicas != nil {
			if args.RemoveNodes, err = tx.resize(ctx, cluster, spec, endpoints); err != nil {
				return err
			}
		}
		if err := tx.with(ctx).Model(&Cluster{ID: cluster.ID}).Updates(changes).Error; err != nil {
			return err
		}
		_, err = tx.enqueue(ctx, Run{Kind: RunModify, ClusterName: name, ClusterID: cluster.ID, RequestedBy: spec.RequestedBy}, args)
		return err
	})
	if err != nil {
		return before, err
	}
	return db.Cluster(ctx, name)
}

// count makes the number of replicas of those that are to be removed.
func (spec *ModifySpec) count(cluster Cluster) error {
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
			return refuse(CodeNodeNotFound, "remove", fmt.Sprintf("The cluster %s has no node %.80s, or it is named twice.", cluster.Name, name))
		case cluster.Nodes[at].Role != RoleReplica:
			return refuse(CodeCombination, "remove", fmt.Sprintf("The node %s is the primary; only replicas can be removed.", name))
		}
		left--
	}
	if spec.Replicas != nil && *spec.Replicas != left {
		return refuse(CodeCombination, "replicas", fmt.Sprintf("Without the named replicas %d are left, not %d.", left, *spec.Replicas))
	}
	spec.Replicas = &left
	return nil
}

// attributes are those that the cluster would have.
func (spec *ModifySpec) attributes(cluster Cluster) Attributes {
	if spec.Attributes == nil {
		return cluster.Attributes
	}
	attributes := cluster.Described()
	spec.Attributes(&attributes)
	return attributes
}

// settleWindows lets the window that nobody has chosen, of snapshots or of maintenance, give way to the other one that is changed, and refuses
// chosen ones that overlap. It tells whether the attributes changed.
func (db *DB) settleWindows(cluster Cluster, spec ModifySpec, attributes *Attributes, changes map[string]any) (faults Faults, moved bool) {
	window, changed := changes["snapshot_window"].(Window)
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
		return checkOverlap(window, attributes.MaintenanceWindow), false
	case asked.MaintenanceWindow == "" || !cluster.SnapshotWindow.Overlaps(attributes.MaintenanceWindow):
		return nil, false
	}
	window = cluster.SnapshotWindow
	if !cluster.WindowChosen {
		window = PickWindowBeside(cluster.Name, attributes.MaintenanceWindow)
		changes["snapshot_window"], changes["schedule_since"] = window, db.Now()
	}
	return checkOverlap(window, attributes.MaintenanceWindow), false
}

// changeGroups checks what a modification says of groups and attributes, and adds the columns to set.
func (db *DB) changeGroups(ctx context.Context, cluster Cluster, spec ModifySpec, faults *Faults, changes map[string]any) error {
	replicas := cluster.Replicas
	if spec.Replicas != nil {
		replicas = *spec.Replicas
	}
	attributes := spec.attributes(cluster)
	if spec.Attributes != nil {
		if node := attributes.SnapshottingNode; node != "" && !slices.ContainsFunc(cluster.Nodes, func(n Node) bool { return n.Name == node }) {
			faults.add(CodeNodeNotFound, "snapshotting_node", fmt.Sprintf("The cluster %s has no node %.80s.", cluster.Name, node))
		}
	}
	overlap, moved := db.settleWindows(cluster, spec, &attributes, changes)
	*faults = append(*faults, overlap...)
	if spec.Attributes != nil || spec.Replicas != nil || moved {
		if spec.Replicas != nil && spec.Attributes == nil && replicas == 0 && attributes.AutomaticFailover {
			attributes.AutomaticFailover, attributes.MultiAZ = false, false // there is nobody left to take over
		}
		*faults = append(*faults, attributes.check(replicas+1)...)
		changes["attributes"] = attributes
	}
	if spec.ParameterGroup == nil {
		return nil
	}
	group, err := db.checkParameterGroup(ctx, *spec.ParameterGroup, cluster.EngineName(), faults)
	if err != nil {
		return err
	}
	if group != cluster.ParameterGroup {
		changes["parameter_group"], changes["parameters_wanted"] = group, cluster.ParametersWanted+1
	}
	return nil
}

// checkNewNode checks the name that a new replica is to have.
func (db *DB) checkNewNode(ctx context.Context, spec *ModifySpec) error {
	name, problem := CheckCacheClusterName(spec.Add)
	if problem != "" {
		return refuse(CodeInvalid, "id", problem)
	}
	spec.Add = name
	if _, _, err := db.CacheCluster(ctx, name); err == nil {
		return refuse(CodeClusterExists, "id", fmt.Sprintf("There is already a cluster or a node %s. Choose another id.", name))
	} else if !HasCode(err, CodeClusterNotFound) {
		return err
	}
	return nil
}

// changes checks a modification against the cluster and returns the columns to set.
func (db *DB) changes(cluster Cluster, spec ModifySpec) (Faults, map[string]any) {
	var faults Faults
	set := map[string]any{"updated_at": db.Now()}
	nodeType, _ := FindNodeType(cluster.NodeType)
	if spec.Description != nil {
		faults = append(faults, checkDescription(*spec.Description)...)
		set["description"] = *spec.Description
	}
	if spec.NodeType != nil {
		found := false
		if nodeType, found = FindNodeType(*spec.NodeType); !found {
			faults.add(CodeInvalid, "node_type", fmt.Sprintf("There is no node type %q.", *spec.NodeType))
		} else if primary, ok := cluster.Primary(); ok && primary.UsedMemory > nodeType.Memory && nodeType.Memory < cluster.MaxMemory() {
			holds, room := sizeTexts(primary.UsedMemory, nodeType.Memory)
			faults.add(CodeCombination, "node_type", fmt.Sprintf("The cluster holds %s, and %s has room for %s. Choose a larger node type.", holds, nodeType.Name, room))
		}
		if cluster.Cached() && *spec.NodeType != cluster.NodeType {
			faults.add(CodeCombination, "node_type", "The node type of a memcached cluster cannot be changed, for its nodes would lose what they hold. Create a new one.")
		}
		set["node_type"] = *spec.NodeType
	}
	if spec.Replicas != nil {
		if *spec.Replicas < 0 || *spec.Replicas > MaxReplicas {
			faults.add(CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", MaxReplicas, *spec.Replicas))
		}
		if cluster.Cached() || !cluster.Grouped && *spec.Replicas > 0 {
			faults.add(CodeCombination, "replicas", fmt.Sprintf("The cluster %s is a cache cluster, which has no replicas. Restore a snapshot into a replication group to have some.", cluster.Name))
		}
		set["replicas"] = *spec.Replicas
	}
	retention := cluster.RetentionLimit
	if spec.Retention != nil {
		retention = *spec.Retention
		set["retention_limit"] = retention
	}
	if cluster.Cached() && retention > 0 {
		faults.add(CodeSnapshotUnsupported, "backups", cachedUnsupported)
	}
	faults = append(faults, checkRetention(retention, nodeType)...)
	window := cluster.SnapshotWindow
	if spec.Window != nil {
		faults = append(faults, checkWindow(*spec.Window)...)
		window = *spec.Window
		set["window_chosen"] = !window.IsZero()
		if window.IsZero() {
			window = PickWindowBeside(cluster.Name, spec.attributes(cluster).MaintenanceWindow)
		}
		set["snapshot_window"] = window
	}
	if window != cluster.SnapshotWindow || (retention > 0) != (cluster.RetentionLimit > 0) {
		set["schedule_since"] = db.Now()
	}
	return faults, set
}

// resize adds the rows of new replicas, and names those replicas that the run has to remove: the given ones, else the youngest.
func (db *DB) resize(ctx context.Context, cluster Cluster, spec ModifySpec, endpoints []Endpoint) (remove []string, err error) {
	var present []Node
	replicas, chosen := *spec.Replicas, spec.Remove
	used := make(map[string]bool)
	remove = append(remove, chosen...)
	for _, n := range cluster.Nodes {
		used[n.Name] = true
		if n.Role == RoleReplica && !slices.Contains(chosen, n.Name) {
			present = append(present, n)
		}
	}
	for len(present) > replicas {
		remove = append(remove, present[len(present)-1].Name)
		present = present[:len(present)-1]
	}
	if len(remove) > 0 {
		leaving := db.with(ctx).Model(&Node{}).Where("cluster_id = ? AND name IN ?", cluster.ID, remove).UpdateColumn("state", NodeDeleting)
		if leaving.Error != nil {
			return nil, fmt.Errorf("mark nodes of %s: %w", cluster.Name, leaving.Error)
		}
	}
	number := 0
	for i := 0; len(present) < replicas; i++ {
		name := spec.Add
		if name == "" || i > 0 {
			for number++; used[NodeName(cluster.Name, number)]; number++ {
			}
			name = NodeName(cluster.Name, number)
		}
		if i == len(endpoints) { // it lost nodes since the endpoints were looked for
			return nil, refuse(CodeClusterState, "", fmt.Sprintf("The nodes of %s changed in the meantime. Try again.", cluster.Name))
		}
		node := Node{ClusterID: cluster.ID, Name: name, Shard: 1, Role: RoleReplica, Host: endpoints[i].Host, Port: endpoints[i].Port,
			State: "starting", CreatedAt: db.Now()}
		if i < len(spec.Zones) {
			node.Zone = spec.Zones[i]
		}
		if err := db.with(ctx).Create(&node).Error; err != nil {
			return nil, fmt.Errorf("write node %s: %w", node.Name, err)
		}
		present = append(present, node)
	}
	return remove, nil
}
