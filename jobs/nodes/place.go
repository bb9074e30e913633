package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/models"
)

// This file has nodes follow their host: after a start with other addresses, as in a new container, they are started at those, and applications are told
// so. A node that still runs stays where it is until it is started again.

// announceAgainAfter is the pause between two attempts to have nodes announce another host.
const announceAgainAfter = 30 * time.Second

// misplaced tells whether a cluster's nodes may have to be placed anew: one that does not run cannot be started where it was, or applications are told
// another host than they should be.
func (s *Supervisor) misplaced(cluster models.Cluster, rounds []*round) bool {
	for _, r := range rounds {
		if slices.ContainsFunc(r.look.nodes, func(v seen) bool { return !v.running && !s.Launcher.Serves(v.node.Host) }) {
			return true
		}
	}
	other := slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Announced != s.Launcher.Announced() })
	return other && s.memory.may(cluster.Name+" announced", announceAgainAfter)
}

// replace places the nodes of a cluster anew that have to be, and returns the cluster as it is from now on. The caller holds the cluster's lock.
func (s *Supervisor) replace(ctx context.Context, cluster models.Cluster) (models.Cluster, error) {
	var lost, others []models.Node
	for _, n := range cluster.Nodes {
		running, err := s.Launcher.Running(ctx, cluster.Name, n.Name)
		if err != nil {
			return cluster, err
		}
		switch {
		case !running && !s.Launcher.Serves(n.Host):
			lost = append(lost, n)
		case n.Announced != s.Launcher.Announced():
			others = append(others, n)
		}
	}
	told, err := s.DB.Nodes.Announce(ctx, s.Launcher.Announced(), others)
	if err != nil {
		return cluster, err
	}
	var before, after []models.Node
	for i, n := range told {
		running, err := s.Launcher.Running(ctx, cluster.Name, n.Name)
		switch {
		case err != nil:
			return cluster, err
		case !running && n.Announced != s.Launcher.Announced(): // its port is another node's at that host
			lost = append(lost, others[i])
		case n.Announced == others[i].Announced:
		case running && s.announces(ctx, cluster, n) != nil: // it does not answer: later
		default:
			before, after = append(before, others[i]), append(after, n)
		}
	}
	return s.placed(ctx, cluster, lost, before, after)
}

// placed writes down what has become of the places of nodes.
func (s *Supervisor) placed(ctx context.Context, cluster models.Cluster, lost, before, after []models.Node) (models.Cluster, error) {
	if len(after) > 0 {
		if err := s.DB.Nodes.Announced(ctx, cluster, before, after); err != nil {
			return cluster, err
		}
	}
	if len(lost) > 0 {
		moved, err := s.DB.Nodes.Relocate(ctx, cluster, lost)
		if err != nil {
			return cluster, fmt.Errorf("find other places for nodes of %s: %w", cluster.Name, err)
		}
		after = append(after, moved...)
	}
	if len(after) == 0 {
		return cluster, nil
	}
	return s.DB.Clusters.ByID(ctx, cluster.ID)
}

// Settle gives a node that does not run another place, if it cannot be started any more where it was. It returns the node and its cluster as they are
// from now on.
func (o *Operator) Settle(ctx context.Context, cluster models.Cluster, node models.Node) (models.Cluster, models.Node, error) {
	if o.Launcher.Serves(node.Host) {
		return cluster, node, nil
	}
	moved, err := o.DB.Nodes.Relocate(ctx, cluster, []models.Node{node})
	if err != nil {
		return cluster, node, fmt.Errorf("find another place for %s: %w", node.Name, err)
	}
	cluster, err = o.DB.Clusters.ByID(ctx, cluster.ID)
	return cluster, moved[0], err
}

// announces has a running node give its clients another host. Only nodes in cluster mode send clients anywhere, and only from Redis 7.0 on by a name.
func (s *Supervisor) announces(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if !managed(cluster) {
		return nil
	}
	host, kind := launch.InCluster(node.Announced), "hostname"
	if host == "" {
		kind = "ip"
	}
	for _, setting := range [][2]string{{"cluster-announce-hostname", host}, {"cluster-preferred-endpoint-type", kind}} {
		err := Tell(ctx, cluster, node, "CONFIG", "SET", setting[0], setting[1])
		if reply, answered := errors.AsType[resp.Error](err); answered && !reply.PasswordRefused() {
			return nil // it does not know the setting
		} else if err != nil {
			return err
		}
	}
	return nil
}
