package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"rekindle/models"
)

// modify is the body of a run that brings the nodes of a cluster in line with its changed row: memory, and replicas up or down. Each
// step may be repeated, so it is simply begun again after it was cut off.
func (m *Manager) modify(ctx context.Context, run models.Run, report *report) error {
	unlock, err := m.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	args, err := models.Args[models.ModifyArgs](run)
	if err != nil {
		return err
	}
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	leaving := leavers(cluster, args.RemoveNodes)
	if primary, found := cluster.Primary(); found && lastReplicaGoes(cluster, leaving) {
		report.stage("Saving the data of "+primary.Name, nil) // its replicas did that so far
		m.save(ctx, cluster, primary)
	}
	var stay []models.Node
	for _, node := range cluster.Nodes {
		if !slices.Contains(leaving, node.Name) {
			stay = append(stay, node)
			continue
		}
		report.stage("Removing replica "+node.Name, nil)
		if err := m.removeNodes(ctx, cluster, []models.Node{node}); err != nil {
			return err
		}
		if err := m.DB.Nodes.Remove(ctx, node.ID); err != nil {
			return err
		}
	}
	cluster.Nodes = stay
	for _, node := range cluster.Nodes {
		running, err := m.Nodes.Running(ctx, cluster.Name, node.Name)
		if err != nil {
			return fmt.Errorf("look for %s: %w", node.Name, err)
		}
		if !running && node.Role == models.RoleReplica {
			if node, err = m.join(ctx, cluster, node, report); err != nil { // perhaps at another port
				return err
			}
		}
		report.stage("Setting the memory of "+node.Name, nil)
		if err := m.configure(ctx, cluster, node); err != nil {
			return err
		}
	}
	return m.DB.Settle.Cluster(context.WithoutCancel(ctx), run, fmt.Sprintf("The cluster %s was modified: %s, %s.",
		cluster.Name, cluster.NodeType, count(int64(cluster.Replicas), "replica")))
}

// leavers are the replicas that go, of those that were to. One of them may have become the primary meanwhile: that stays, and a replica
// goes in its place, unless one went before the run was cut off.
func leavers(cluster models.Cluster, remove []string) []string {
	var leaving, stay []string
	promoted := false
	for _, node := range cluster.Nodes {
		named := slices.Contains(remove, node.Name)
		switch {
		case node.Role == models.RolePrimary:
			promoted = named
		case named:
			leaving = append(leaving, node.Name)
		case node.Role == models.RoleReplica:
			stay = append(stay, node.Name)
		}
	}
	if promoted && len(stay) > cluster.Replicas {
		leaving = append(leaving, stay[len(stay)-1])
	}
	return leaving
}

// lastReplicaGoes tells whether a cluster that has replicas keeps none.
func lastReplicaGoes(cluster models.Cluster, remove []string) bool {
	replicas, stay := 0, 0
	for _, node := range cluster.Nodes {
		if node.Role == models.RoleReplica {
			replicas++
			if !slices.Contains(remove, node.Name) {
				stay++
			}
		}
	}
	return replicas > 0 && stay == 0
}

// savePoints are Redis's own defaults, as package launch writes them into a node's configuration.
const savePoints = "3600 1 300 100 60 10000"

// configure sets what may change while a node runs.
func (m *Manager) configure(ctx context.Context, cluster models.Cluster, node models.Node) error {
	saves := ""
	if savesItself(cluster, node) {
		saves = savePoints
	}
	err := errors.Join(
		tell(ctx, cluster, node, "CONFIG", "SET", "maxmemory", strconv.FormatInt(cluster.MaxMemory(), 10)),
		tell(ctx, cluster, node, "CONFIG", "SET", "save", saves))
	if err != nil {
		return because(err, "The node %s did not take its new settings.", node.Name)
	}
	return nil
}

// applyParameters brings a changed parameter group to the nodes: what holds at once is set, and what takes a restart waits for one. Also
// parameters that the group does not set are, to the engine's defaults, for it may have set them before.
func (m *Manager) applyParameters(ctx context.Context, cluster models.Cluster, nodes []models.Node) error {
	if cluster.Cached() {
		return nil // every parameter of memcached takes a restart
	}
	set, err := m.DB.Parameters.OfNodes(ctx, cluster)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		for _, p := range models.Parameters(cluster.EngineName().Family()) {
			if p.Reboot {
				continue
			}
			value, given := set[p.Name]
			if !given {
				value = p.Default
			}
			if err := tell(ctx, cluster, node, "CONFIG", "SET", p.Name, value); err != nil {
				return because(err, "The node %s did not take the parameter %s.", node.Name, p.Name)
			}
		}
	}
	return m.DB.Parameters.Applied(ctx, cluster.ID, cluster.ParametersWanted)
}
