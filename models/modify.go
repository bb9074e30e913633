package models

import (
	"context"
	"fmt"
)

// ModifySpec changes a cluster; what is nil stays as it is.
type ModifySpec struct {
	Description *string
	NodeType    *string
	Replicas    *int
	Retention   *int
	Window      *Window // zero: no preference
	RequestedBy string
}

// ModifyCluster changes a cluster. Schedule and description hold at once; another node type or number of replicas is brought
// to the nodes by a run, and the cluster is modifying until then.
func (db *DB) ModifyCluster(ctx context.Context, name string, spec ModifySpec) (Cluster, error) {
	var cluster Cluster
	err := retryPorts(func() (err error) {
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
	var ports []int
	if spec.Replicas != nil && *spec.Replicas <= MaxReplicas {
		more := *spec.Replicas // than there are, which may be fewer than before.Replicas
		for _, n := range before.Nodes {
			if n.Role == RoleReplica {
				more--
			}
		}
		if more > 0 {
			if ports, err = db.pickPorts(ctx, ClusterSpec{Replicas: more - 1}, 1); err != nil {
				return before, err
			}
		}
	}
	err = db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Cluster(ctx, name)
		if err != nil {
			return err
		}
		faults, changes := tx.changes(cluster, spec)
		if len(faults) > 0 {
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
		var options RunOptions
		if spec.Replicas != nil {
			if options.RemoveNodes, err = tx.resize(ctx, cluster, *spec.Replicas, ports); err != nil {
				return err
			}
		}
		if err := tx.with(ctx).Model(&Cluster{ID: cluster.ID}).Updates(changes).Error; err != nil {
			return err
		}
		_, err = tx.enqueue(ctx, Run{Kind: RunModify, ClusterName: name, ClusterID: cluster.ID, RequestedBy: spec.RequestedBy}, options)
		return err
	})
	if err != nil {
		return before, err
	}
	return db.Cluster(ctx, name)
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
		} else if primary, ok := cluster.Primary(); ok && primary.UsedMemory > nodeType.Memory {
			faults.add(CodeCombination, "node_type", fmt.Sprintf("The cluster holds %s, and %s has room for %s. Choose a larger node type.",
				gigabytes(primary.UsedMemory), nodeType.Name, gigabytes(nodeType.Memory)))
		}
		set["node_type"] = *spec.NodeType
	}
	if spec.Replicas != nil {
		if *spec.Replicas < 0 || *spec.Replicas > MaxReplicas {
			faults.add(CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", MaxReplicas, *spec.Replicas))
		}
		set["replicas"] = *spec.Replicas
	}
	retention := cluster.RetentionLimit
	if spec.Retention != nil {
		retention = *spec.Retention
		set["retention_limit"] = retention
	}
	faults = append(faults, checkRetention(retention, nodeType)...)
	window := cluster.SnapshotWindow
	if spec.Window != nil {
		faults = append(faults, checkWindow(*spec.Window)...)
		window = *spec.Window
		set["window_chosen"] = !window.IsZero()
		if window.IsZero() {
			window = PickWindow(cluster.Name)
		}
		set["snapshot_window"] = window
	}
	if window != cluster.SnapshotWindow || (retention > 0) != (cluster.RetentionLimit > 0) {
		set["schedule_since"] = db.Now()
	}
	return faults, set
}

// resize adds the rows of new replicas, and names those replicas that the run has to remove: the youngest ones.
func (db *DB) resize(ctx context.Context, cluster Cluster, replicas int, ports []int) (remove []string, err error) {
	var present []Node
	used := make(map[string]bool)
	for _, n := range cluster.Nodes {
		used[n.Name] = true
		if n.Role == RoleReplica {
			present = append(present, n)
		}
	}
	for len(present) > replicas {
		remove = append(remove, present[len(present)-1].Name)
		present = present[:len(present)-1]
	}
	number := 0
	for i := 0; len(present) < replicas; i++ {
		for number++; used[NodeName(cluster.Name, number)]; number++ {
		}
		if i == len(ports) { // it lost nodes since the ports were looked for
			return nil, refuse(CodeClusterState, "", fmt.Sprintf("The nodes of %s changed in the meantime. Try again.", cluster.Name))
		}
		node := Node{ClusterID: cluster.ID, Name: NodeName(cluster.Name, number), Shard: 1, Role: RoleReplica, Host: db.host.Address(), Port: ports[i],
			State: "starting", CreatedAt: db.Now()}
		if err := db.with(ctx).Create(&node).Error; err != nil {
			return nil, fmt.Errorf("write node %s: %w", node.Name, err)
		}
		present = append(present, node)
	}
	return remove, nil
}
