package catalog

import (
	"context"
	"fmt"
	"slices"

	"rekindle/models"
)

// Changes changes existing clusters: their configuration, their nodes, and which node is the primary.
type Changes struct{ db *DB }

// Modify changes a cluster. Schedule and description take effect at once. Another node type or number of replicas is brought to the nodes by a run,
// and until then the cluster is modifying.
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
	endpoints, err := q.endpoints(ctx, before, &spec)
	if err != nil {
		return before, err
	}
	err = q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := spec.Count(cluster); err != nil {
			return err
		}
		faults, columns := spec.Columns(cluster, tx.Now())
		if err := tx.Changes.parameterGroup(ctx, cluster, spec, &faults, columns); err != nil {
			return err
		} else if err := tx.Changes.userGroup(ctx, cluster, spec, &faults); err != nil {
			return err
		} else if len(faults) > 0 {
			return faults
		}
		if !spec.NeedsRun(cluster) {
			if cluster.Status == models.ClusterDeleting {
				return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is being deleted.", name))
			}
			return tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).Updates(columns).Error
		}
		if why := cluster.NoChangeOfNodes(); why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		if err := tx.Clusters.take(ctx, cluster, models.ClusterModifying); err != nil {
			return err
		}
		var args models.ModifyArgs
		if spec.Replicas != nil {
			if args.RemoveNodes, err = tx.Changes.resize(ctx, cluster, spec, endpoints); err != nil {
				return err
			}
		}
		if err := tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).Updates(columns).Error; err != nil {
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

// endpoints finds where the new replicas of a cluster can listen. It looks at the host, so it runs before the transaction that adds them.
func (q Changes) endpoints(ctx context.Context, cluster models.Cluster, spec *models.ModifySpec) ([]models.Endpoint, error) {
	more := 0
	if cluster.Attached() {
		return nil, nil // there are no new ones
	}
	if spec.Add != "" {
		if err := q.checkNewNode(ctx, spec); err != nil {
			return nil, err
		}
		more = 1
	} else if spec.Replicas != nil && *spec.Replicas <= models.MaxReplicas {
		more = len(cluster.Shards()) * *spec.Replicas // than there are, which may be fewer than cluster.Replicas
		for _, n := range cluster.Nodes {
			if n.Role == models.RoleReplica {
				more--
			}
		}
	}
	if more <= 0 {
		return nil, nil
	}
	return q.db.Nodes.endpointsBeside(ctx, cluster, more)
}

// parameterGroup checks the group that a modification names, and adds the columns to set.
func (q Changes) parameterGroup(ctx context.Context, cluster models.Cluster, spec models.ModifySpec, faults *models.Faults, columns map[string]any) error {
	if spec.ParameterGroup == nil {
		return nil
	}
	group, err := q.db.Parameters.check(ctx, *spec.ParameterGroup, cluster.ShownEngine(), cluster.ClusterMode, faults)
	if err == nil && group != cluster.ParameterGroup {
		columns["parameter_group"], columns["parameters_wanted"] = group, cluster.ParametersWanted+1
	}
	return err
}

// userGroup checks the user group that a modification names.
func (q Changes) userGroup(ctx context.Context, cluster models.Cluster, spec models.ModifySpec, faults *models.Faults) error {
	if spec.UserGroup == nil || *spec.UserGroup == "" || *spec.UserGroup == cluster.UserGroup {
		return nil
	}
	return q.db.UserGroups.check(ctx, *spec.UserGroup, cluster.EngineName(), faults)
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

// resize adds the rows of new replicas, and names the replicas that the run has to remove.
func (q Changes) resize(ctx context.Context, cluster models.Cluster, spec models.ModifySpec, endpoints []models.Endpoint) ([]string, error) {
	leave, join := spec.Resized(cluster)
	if len(leave) > 0 {
		leaving := q.db.with(ctx).Model(&models.Node{}).Where("cluster_id = ? AND name IN ?", cluster.ID, leave).UpdateColumn("state", models.NodeDeleting)
		if leaving.Error != nil {
			return nil, fmt.Errorf("mark nodes of %s: %w", cluster.Name, leaving.Error)
		}
	}
	if len(join) > len(endpoints) { // it has lost nodes since the endpoints were looked for
		return nil, models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The nodes of %s changed in the meantime. Try again.", cluster.Name))
	}
	for i, joins := range join {
		node := models.Node{ClusterID: cluster.ID, Name: joins.Name, Shard: joins.Shard, Role: models.RoleReplica, Host: endpoints[i].Host, Port: endpoints[i].Port,
			Announced: endpoints[i].Announced, State: "starting", CreatedAt: q.db.Now()}
		if i < len(spec.Zones) {
			node.Zone = spec.Zones[i]
		}
		if err := q.db.with(ctx).Create(&node).Error; err != nil {
			return nil, fmt.Errorf("write node %s: %w", node.Name, err)
		}
	}
	return leave, nil
}

// Reboot queues the restart of these nodes of a cluster, or of all when no names are given. Nodes with data save it first.
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
		if why := cluster.NoReboot(); why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		if err := tx.Clusters.take(ctx, cluster, models.ClusterRebooting); err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunReboot, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, models.RebootArgs{Nodes: nodes})
		return err
	})
}

// FailOver queues that a replica takes over from the primary of a shard, which is given by its number. The old primary becomes its replica.
func (q Changes) FailOver(ctx context.Context, name string, shard int, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		at, _ := cluster.Shard(shard)
		primary, found := at.Primary()
		if why := cluster.Only(at).NoFailover(); !found || len(at.Replicas()) == 0 || cluster.Attached() {
			return models.Refuse(models.CodeNoFailover, "", why)
		} else if why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		if err := tx.Clusters.take(ctx, cluster, models.ClusterModifying); err != nil {
			return err
		}
		if err := tx.Events.Add(ctx, models.FailoverCalled(name, at)); err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunFailover, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy}, models.FailoverArgs{From: primary.Name})
		return err
	})
}
