package nodes

import (
	"context"
	"strconv"
	"time"

	"rekindle/internal/formation"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// This file changes whose replica a node is: with REPLICAOF outside cluster mode, and with the commands of the cluster in cluster mode, where
// REPLICAOF is refused.

// managed tells whether a cluster is in cluster mode and Rekindle runs its nodes.
func managed(cluster models.Cluster) bool { return cluster.ClusterMode && !cluster.Attached() }

// Member is a node as formation knows it.
func Member(cluster models.Cluster, node models.Node) (formation.Node, error) {
	o, err := reach.Node(cluster, node)
	return formation.Node{Options: o, Host: node.Host, Port: node.Port}, err
}

// Promote makes a node a primary, whatever has become of the primary that it follows.
func Promote(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if !managed(cluster) {
		return Tell(ctx, cluster, node, "REPLICAOF", "NO", "ONE")
	}
	member, err := Member(cluster, node)
	if err != nil {
		return err
	}
	return member.TakeOver(ctx)
}

// joinTimeout limits how long nodes that do not know each other yet may take to get acquainted.
const joinTimeout = 15 * time.Second

// Follow makes a node a replica of the primary. In cluster mode the node need not know the primary yet.
func Follow(ctx context.Context, cluster models.Cluster, node, primary models.Node) error {
	if !managed(cluster) {
		return Tell(ctx, cluster, node, "REPLICAOF", primary.Host, strconv.Itoa(primary.Port))
	}
	member, err := Member(cluster, node)
	if err != nil {
		return err
	}
	to, err := Member(cluster, primary)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	return formation.Join(ctx, member, to)
}

// Identify asks a node for its ID in its cluster.
func Identify(ctx context.Context, cluster models.Cluster, node models.Node) (string, error) {
	member, err := Member(cluster, node)
	if err != nil {
		return "", err
	}
	return member.ID(ctx)
}

// members are the nodes of a cluster as formation knows them.
func members(cluster models.Cluster) ([]formation.Node, error) {
	var all []formation.Node
	for _, n := range cluster.Nodes {
		member, err := Member(cluster, n)
		if err != nil {
			return nil, err
		}
		all = append(all, member)
	}
	return all, nil
}

// Agree waits until all nodes of a cluster in cluster mode know each other. Before that, no replica could take over.
func Agree(ctx context.Context, cluster models.Cluster) error {
	all, err := members(cluster)
	if err != nil {
		return err
	}
	return formation.Agree(ctx, all, len(cluster.Primaries()))
}

// Forget makes the nodes of the cluster forget the one with this ID, which is gone.
func Forget(ctx context.Context, cluster models.Cluster, id string) error {
	all, err := members(cluster)
	if err != nil {
		return err
	}
	return formation.Forget(ctx, all, id)
}
