package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// modify is the body of a run that brings a cluster's nodes in line with its changed row: password, users, memory and number of replicas.
// Each step can be repeated, so an interrupted run simply starts over.
func (b *builder) modify(ctx context.Context, run models.Run, args models.ModifyArgs, report *queue.Report) error {
	unlock, err := b.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := b.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	changed, err := b.bringAccess(ctx, &cluster, report)
	if err != nil {
		return err
	}
	if err := b.removeLeavers(ctx, &cluster, args.RemoveNodes, report); err != nil {
		return err
	}
	if err := b.adjust(ctx, cluster, report); err != nil {
		return err
	}
	if err := b.agree(ctx, cluster, report); err != nil {
		return err
	}
	return b.DB.Settle.Cluster(context.WithoutCancel(ctx), run, fmt.Sprintf("The cluster %s was modified: %s, %s.%s",
		cluster.Name, cluster.NodeType, words.Plural(int64(cluster.Replicas), "replica"), changed))
}

// bringAccess brings a changed password and changed users to the nodes. It returns a sentence that says so, for the event; "" if there was nothing to do.
func (b *builder) bringAccess(ctx context.Context, cluster *models.Cluster, report *queue.Report) (changed string, err error) {
	if cluster.PasswordPending {
		report.Stage("Changing the password", nil)
		if err := b.nodes.ChangePassword(ctx, *cluster); err != nil {
			return "", err
		}
		changed = " Its password was changed."
		if cluster.FormerUser != "" {
			changed = " Access to it was changed."
		}
		cluster.PasswordPending, cluster.FormerPassword, cluster.FormerUser = false, "", ""
	}
	if cluster.UsersPending() {
		report.Stage("Changing the users", nil)
		if err := b.nodes.BringUsers(ctx, *cluster); err != nil {
			return "", err
		}
		changed = " Access to it was changed."
	}
	return changed, nil
}

// removeLeavers removes those replicas that the cluster no longer has, the ones named first.
func (b *builder) removeLeavers(ctx context.Context, cluster *models.Cluster, named []string, report *queue.Report) error {
	var leaving []string
	for _, shard := range cluster.Shards() {
		leave := leavers(shard, cluster.Replicas, named)
		if primary, found := shard.Primary(); found && lastReplicaGoes(shard, leave) {
			report.Stage("Saving the data of "+primary.Name, nil) // its replicas have done that so far
			b.save(ctx, *cluster, primary)
		}
		leaving = append(leaving, leave...)
	}
	var stay []models.Node
	var gone []string // their node ids in cluster mode
	for _, node := range cluster.Nodes {
		if !slices.Contains(leaving, node.Name) {
			stay = append(stay, node)
			continue
		}
		report.Stage("Removing replica "+node.Name, nil)
		gone = append(gone, b.idOf(ctx, *cluster, node)...)
		if err := b.removeNodes(ctx, *cluster, []models.Node{node}); err != nil {
			return err
		}
		if err := b.DB.Nodes.Remove(ctx, node.ID); err != nil {
			return err
		}
	}
	cluster.Nodes = stay
	for _, id := range gone {
		if err := nodes.Forget(ctx, *cluster, id); err != nil {
			b.Logger.Warn("make a cluster forget a node that was removed", "cluster", cluster.Name, "id", id, "error", err)
		}
	}
	return nil
}

// adjust starts the replicas that do not run yet, and gives each node its memory. Nodes of the cluster that get another address are changed in place.
func (b *builder) adjust(ctx context.Context, cluster models.Cluster, report *queue.Report) error {
	for i, node := range cluster.Nodes {
		running, err := b.Launcher.Running(ctx, cluster.Name, node.Name)
		if err != nil {
			return fmt.Errorf("look for %s: %w", node.Name, err)
		}
		if !running && node.Role == models.RoleReplica {
			if node, err = b.join(ctx, cluster, node, report); err != nil { // perhaps on another port
				return err
			}
			cluster.Nodes[i] = node
		}
		report.Stage("Setting the memory of "+node.Name, nil)
		if err := nodes.Configure(ctx, cluster, node); err != nil {
			return err
		}
	}
	return nil
}

// idOf returns a node's id in its cluster, if the cluster is in cluster mode and the node answers. The other nodes must forget a removed
// node, or they would keep looking for it.
func (b *builder) idOf(ctx context.Context, cluster models.Cluster, node models.Node) []string {
	if !cluster.ClusterMode {
		return nil
	}
	id, err := nodes.Identify(ctx, cluster, node)
	if err != nil {
		b.Logger.Warn("ask a node for its id in the cluster", "cluster", cluster.Name, "node", node.Name, "error", err)
		return nil
	}
	return []string{id}
}

// leavers returns the replicas to remove. A replica that was to go may have become the primary meanwhile. It stays, and another replica
// goes instead, unless one was already removed before the run was interrupted.
func leavers(shard models.Shard, replicas int, remove []string) []string {
	var leaving, stay []string
	promoted := false
	for _, node := range shard.Nodes {
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
	if promoted && len(stay) > replicas {
		leaving = append(leaving, stay[len(stay)-1])
	}
	return leaving
}

// lastReplicaGoes reports whether a shard that has replicas loses all of them.
func lastReplicaGoes(shard models.Shard, remove []string) bool {
	replicas := shard.Replicas()
	return len(replicas) > 0 && !slices.ContainsFunc(replicas, func(n models.Node) bool { return !slices.Contains(remove, n.Name) })
}

// save makes a node save its data and waits until it is on disk. A failure is only logged; the caller carries on.
func (b *builder) save(ctx context.Context, cluster models.Cluster, node models.Node) {
	err := nodes.Tell(ctx, cluster, node, "BGSAVE")
	for err == nil {
		var s nodes.State
		if s, err = nodes.Probe(ctx, cluster, node); err == nil && !s.Saving {
			return
		}
		drain.Pause(ctx, 50*time.Millisecond)
	}
	b.Logger.Warn("make a node save its data", "cluster", cluster.Name, "node", node.Name, "error", err)
}
