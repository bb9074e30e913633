package catalog

import (
	"context"
	"fmt"
	"slices"

	"rekindle/models"
)

// Changes is what is changed of clusters that exist: their configuration, their nodes, which of these is the primary.
type Changes struct{ db *DB }

// Modify changes a cluster. Schedule and description hold at once; another node type or number of replicas is brought
// to the nodes by a run, and the cluster is modifying until then.
func (q Changes) Modify(ctx context.Context, name string, spec models.ModifySpec) (models.Cluster, error) {
	var cluster models.Cluster
	err := retryEndpoints(func() (err error) {
		cluster, err = q.modify(ctx, name, spec)
		return err
	})
	return cluster, err
}

func (q Changes) modify(ctx context.Context, name string, spec models.ModifySpec) (models.Cluster, error) {
	before, err := q.db.Clusters.Get(ctx, name)
	if err != nil {
		return before, err
	}
	var endpoints []models.Endpoint
	if spec.Add != "" {
		if err := q.checkNewNode(ctx, &spec); err != nil {
			return before, err
		}
		if endpoints, err = q.db.Nodes.endpointsBeside(ctx, before, 1); err != nil {
			return before, err
		}
	} else if spec.Replicas != nil && *spec.Replicas <= models.MaxReplicas {
		more := *spec.Replicas // than there are, which may be fewer than before.Replicas
		for _, n := range before.Nodes {
			if n.Role == models.RoleReplica {
				more--
			}
		}
		if more > 0 {
			if endpoints, err = q.db.Nodes.endpointsBeside(ctx, before, more); err != nil {
				return before, err
			}
		}
	}
	err = q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := spec.Count(cluster); err != nil {
			return err
		}
		faults, changes := tx.Changes.columns(cluster, spec)
		if err := tx.Changes.groups(ctx, cluster, spec, &faults, changes); err != nil {
			return err
		} else if len(faults) > 0 {
			return faults
		}
		rebuild := (spec.NodeType != nil && *spec.NodeType != cluster.NodeType) || (spec.Replicas != nil && *spec.Replicas != cluster.Replicas)
		if !rebuild {
			if cluster.Status == models.ClusterDeleting {
				return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is being deleted.", name))
			}
			return tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).Updates(changes).Error
		}
		moved, err := tx.Clusters.move(ctx, cluster.ID, models.ClusterModifying, "", models.ClusterAvailable)
		if err != nil {
			return err
		} else if !moved {
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; its nodes can be changed when it is available.", name, cluster.Status))
		}
		var args models.ModifyArgs
		if spec.Replicas != nil {
			if args.RemoveNodes, err = tx.Changes.resize(ctx, cluster, spec, endpoints); err != nil {
				return err
			}
		}
		if err := tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).Updates(changes).Error; err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunModify, ClusterName: name, ClusterID: cluster.ID, RequestedBy: spec.RequestedBy}, args)
		return err
	})
	if err != nil {
		return before, err
	}
	return q.db.Clusters.Get(ctx, name)
}

// settleWindows lets the window that nobody has chosen, of snapshots or of maintenance, give way to the other one that is changed, and refuses
// chosen ones that overlap. It tells whether the attributes changed.
func (q Changes) settleWindows(cluster models.Cluster, spec models.ModifySpec, attributes *models.Attributes, changes map[string]any) (faults models.Faults, moved bool) {
	window, changed := changes["snapshot_window"].(models.Window)
	var asked models.Attributes
	if spec.Attributes != nil {
		spec.Attributes(&asked)
	}
	picked := models.PickMaintenanceWindow(cluster.SnapshotWindow)
	switch {
	case changed && asked.MaintenanceWindow == "" && attributes.MaintenanceWindow == picked && window.Overlaps(picked):
		attributes.MaintenanceWindow = models.PickMaintenanceWindow(window)
		return nil, true
	case changed:
		return models.CheckOverlap(window, attributes.MaintenanceWindow), false
	case asked.MaintenanceWindow == "" || !cluster.SnapshotWindow.Overlaps(attributes.MaintenanceWindow):
		return nil, false
	}
	window = cluster.SnapshotWindow
	if !cluster.WindowChosen {
		window = models.PickWindowBeside(cluster.Name, attributes.MaintenanceWindow)
		changes["snapshot_window"], changes["schedule_since"] = window, q.db.Now()
	}
	return models.CheckOverlap(window, attributes.MaintenanceWindow), false
}

// groups checks what a modification says of groups and attributes, and adds the columns to set.
func (q Changes) groups(ctx context.Context, cluster models.Cluster, spec models.ModifySpec, faults *models.Faults, changes map[string]any) error {
	replicas := cluster.Replicas
	if spec.Replicas != nil {
		replicas = *spec.Replicas
	}
	attributes := spec.Wanted(cluster)
	if spec.Attributes != nil {
		if node := attributes.SnapshottingNode; node != "" && !slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Name == node }) {
			faults.Add(models.CodeNodeNotFound, "snapshotting_node", fmt.Sprintf("The cluster %s has no node %.80s.", cluster.Name, node))
		}
	}
	overlap, moved := q.settleWindows(cluster, spec, &attributes, changes)
	*faults = append(*faults, overlap...)
	if spec.Attributes != nil || spec.Replicas != nil || moved {
		if spec.Replicas != nil && spec.Attributes == nil && replicas == 0 && attributes.AutomaticFailover {
			attributes.AutomaticFailover, attributes.MultiAZ = false, false // there is nobody left to take over
		}
		*faults = append(*faults, attributes.Check(replicas+1)...)
		changes["attributes"] = attributes
	}
	if spec.ParameterGroup == nil {
		return nil
	}
	group, err := q.db.Parameters.check(ctx, *spec.ParameterGroup, cluster.EngineName(), faults)
	if err != nil {
		return err
	}
	if group != cluster.ParameterGroup {
		changes["parameter_group"], changes["parameters_wanted"] = group, cluster.ParametersWanted+1
	}
	return nil
}

// checkNewNode checks the name that a new replica is to have.
func (q Changes) checkNewNode(ctx context.Context, spec *models.ModifySpec) error {
	name, problem := models.CheckCacheClusterName(spec.Add)
	if problem != "" {
		return models.Refuse(models.CodeInvalid, "id", problem)
	}
	spec.Add = name
	if _, _, err := q.db.Clusters.Cache(ctx, name); err == nil {
		return models.Refuse(models.CodeClusterExists, "id", fmt.Sprintf("There is already a cluster or a node %s. Choose another id.", name))
	} else if !models.HasCode(err, models.CodeClusterNotFound) {
		return err
	}
	return nil
}

// columns checks a modification against the cluster and returns the columns to set.
func (q Changes) columns(cluster models.Cluster, spec models.ModifySpec) (models.Faults, map[string]any) {
	var faults models.Faults
	set := map[string]any{"updated_at": q.db.Now()}
	nodeType, _ := models.FindNodeType(cluster.NodeType)
	if spec.Description != nil {
		faults = append(faults, models.CheckDescription(*spec.Description)...)
		set["description"] = *spec.Description
	}
	if spec.NodeType != nil {
		found := false
		if nodeType, found = models.FindNodeType(*spec.NodeType); !found {
			faults.Add(models.CodeInvalid, "node_type", fmt.Sprintf("There is no node type %q.", *spec.NodeType))
		} else if primary, ok := cluster.Primary(); ok && primary.UsedMemory > nodeType.Memory && nodeType.Memory < cluster.MaxMemory() {
			holds, room := models.SizeTexts(primary.UsedMemory, nodeType.Memory)
			faults.Add(models.CodeCombination, "node_type", fmt.Sprintf("The cluster holds %s, and %s has room for %s. Choose a larger node type.", holds, nodeType.Name, room))
		}
		if cluster.Cached() && *spec.NodeType != cluster.NodeType {
			faults.Add(models.CodeCombination, "node_type", "The node type of a memcached cluster cannot be changed, for its nodes would lose what they hold. Create a new one.")
		}
		set["node_type"] = *spec.NodeType
	}
	if spec.Replicas != nil {
		if *spec.Replicas < 0 || *spec.Replicas > models.MaxReplicas {
			faults.Add(models.CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", models.MaxReplicas, *spec.Replicas))
		}
		if cluster.Cached() || !cluster.Grouped && *spec.Replicas > 0 {
			faults.Add(models.CodeCombination, "replicas", fmt.Sprintf("The cluster %s is a cache cluster, which has no replicas. Restore a snapshot into a replication group to have some.", cluster.Name))
		}
		set["replicas"] = *spec.Replicas
	}
	retention := cluster.RetentionLimit
	if spec.Retention != nil {
		retention = *spec.Retention
		set["retention_limit"] = retention
	}
	if cluster.Cached() && retention > 0 {
		faults.Add(models.CodeSnapshotUnsupported, "backups", models.CachedUnsupported)
	}
	faults = append(faults, models.CheckRetention(retention, nodeType)...)
	window := cluster.SnapshotWindow
	if spec.Window != nil {
		faults = append(faults, models.CheckWindow(*spec.Window)...)
		window = *spec.Window
		set["window_chosen"] = !window.IsZero()
		if window.IsZero() {
			window = models.PickWindowBeside(cluster.Name, spec.Wanted(cluster).MaintenanceWindow)
		}
		set["snapshot_window"] = window
	}
	if window != cluster.SnapshotWindow || (retention > 0) != (cluster.RetentionLimit > 0) {
		set["schedule_since"] = q.db.Now()
	}
	return faults, set
}

// resize adds the rows of new replicas, and names those replicas that the run has to remove: the given ones, else the youngest.
func (q Changes) resize(ctx context.Context, cluster models.Cluster, spec models.ModifySpec, endpoints []models.Endpoint) (remove []string, err error) {
	var present []models.Node
	replicas, chosen := *spec.Replicas, spec.Remove
	used := make(map[string]bool)
	remove = append(remove, chosen...)
	for _, n := range cluster.Nodes {
		used[n.Name] = true
		if n.Role == models.RoleReplica && !slices.Contains(chosen, n.Name) {
			present = append(present, n)
		}
	}
	for len(present) > replicas {
		remove = append(remove, present[len(present)-1].Name)
		present = present[:len(present)-1]
	}
	if len(remove) > 0 {
		leaving := q.db.with(ctx).Model(&models.Node{}).Where("cluster_id = ? AND name IN ?", cluster.ID, remove).UpdateColumn("state", models.NodeDeleting)
		if leaving.Error != nil {
			return nil, fmt.Errorf("mark nodes of %s: %w", cluster.Name, leaving.Error)
		}
	}
	number := 0
	for i := 0; len(present) < replicas; i++ {
		name := spec.Add
		if name == "" || i > 0 {
			for number++; used[models.NodeName(cluster.Name, number)]; number++ {
			}
			name = models.NodeName(cluster.Name, number)
		}
		if i == len(endpoints) { // it lost nodes since the endpoints were looked for
			return nil, models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The nodes of %s changed in the meantime. Try again.", cluster.Name))
		}
		node := models.Node{ClusterID: cluster.ID, Name: name, Shard: 1, Role: models.RoleReplica, Host: endpoints[i].Host, Port: endpoints[i].Port,
			State: "starting", CreatedAt: q.db.Now()}
		if i < len(spec.Zones) {
			node.Zone = spec.Zones[i]
		}
		if err := q.db.with(ctx).Create(&node).Error; err != nil {
			return nil, fmt.Errorf("write node %s: %w", node.Name, err)
		}
		present = append(present, node)
	}
	return remove, nil
}

// Reboot queues the restart of some nodes of a cluster, of all without names. Nodes with data save it before.
func (q Changes) Reboot(ctx context.Context, name string, nodes []string, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		for _, node := range nodes {
			if !slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Name == node }) {
				return models.Refuse(models.CodeNodeNotFound, "nodes", fmt.Sprintf("The cluster %s has no node %.80s.", name, node))
			}
		}
		if len(nodes) == 0 {
			for _, n := range cluster.Nodes {
				nodes = append(nodes, n.Name)
			}
		}
		if err := tx.Changes.take(ctx, cluster, models.ClusterRebooting, "its nodes can be restarted"); err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunReboot, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, models.RebootArgs{Nodes: nodes})
		return err
	})
}

// FailOver queues that a replica takes over from the primary of a shard, which is then its replica.
func (q Changes) FailOver(ctx context.Context, name, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		primary, found := cluster.Primary()
		if !found || !slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Role == models.RoleReplica }) {
			return models.Refuse(models.CodeNoFailover, "", fmt.Sprintf("The cluster %s has no replica that could take over.", name))
		}
		if err := tx.Changes.take(ctx, cluster, models.ClusterModifying, "a failover can be tried"); err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunFailover, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, models.FailoverArgs{From: primary.Name})
		return err
	})
}

// take locks an available cluster by its state.
func (q Changes) take(ctx context.Context, cluster models.Cluster, to models.ClusterStatus, what string) error {
	moved, err := q.db.Clusters.move(ctx, cluster.ID, to, "", models.ClusterAvailable)
	if err != nil {
		return err
	} else if !moved {
		return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; %s when it is available.", cluster.Name, cluster.Status, what))
	}
	return nil
}
