package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/launch"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// reboot is the body of a run that restarts nodes, replicas first. A node saves its data before it ends and comes back with it; a node that
// cannot save is not restarted, and one whose address its host no longer has is started elsewhere. Each step may be repeated.
func (b *builder) reboot(ctx context.Context, run models.Run, args models.RebootArgs, report *queue.Report) error {
	unlock, err := b.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := b.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	var nodes []models.Node
	for _, node := range cluster.Nodes {
		if slices.Contains(args.Nodes, node.Name) {
			nodes = append(nodes, node)
		}
	}
	slices.SortStableFunc(nodes, func(a, b models.Node) int { return strings.Compare(string(b.Role), string(a.Role)) }) // "replica" before "primary"
	for _, node := range nodes {
		report.Stage("Stopping "+node.Name, nil)
		if err := b.Launcher.Stop(ctx, cluster.Name, node.Name, launch.Save); err != nil {
			return because(err, "The node %s could not save its data, so it was not restarted.", node.Name)
		}
		if cluster, node, err = b.nodes.Settle(ctx, cluster, node); err != nil {
			return err
		}
		report.Stage("Starting "+node.Name, nil)
		if node.Role == models.RoleReplica {
			_, err = b.join(ctx, cluster, node, report)
		} else {
			err = b.nodes.StartNode(ctx, cluster, node)
		}
		if err != nil {
			return err
		}
	}
	if len(nodes) == len(cluster.Nodes) { // all nodes were started with the parameters that are wanted now
		if err := b.DB.Parameters.Applied(ctx, cluster.ID, cluster.ParametersWanted); err != nil {
			return err
		}
	}
	return b.DB.Settle.Cluster(context.WithoutCancel(ctx), run, fmt.Sprintf("Nodes of %s were restarted: %s.", cluster.Name, strings.Join(args.Nodes, ", ")))
}
