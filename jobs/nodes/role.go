package nodes

import (
	"context"
	"strconv"

	"rekindle/internal/formation"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// This file changes whose replica a node is: by itself outside of cluster mode, and in the terms of its cluster in it, where REPLICAOF is refused.

// managed tells whether Rekindle looks after a cluster that is in cluster mode.
func managed(cluster models.Cluster) bool { return cluster.ClusterMode && !cluster.Attached() }

// Member is a node as formation knows it.
func Member(cluster models.Cluster, node models.Node) (formation.Node, error) {
	o, err := reach.Node(cluster, node)
	return formation.Node{Options: o, Host: node.Host, Port: node.Port}, err
}

// Promote makes a node a primary, whatever has become of the one that it follows.
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

// Follow makes a node a replica of the primary.
func Follow(ctx context.Context, cluster models.Cluster, node, primary models.Node) error {
	if !managed(cluster) {
		return Tell(ctx, cluster, node, "REPLICAOF", primary.Host, strconv.Itoa(primary.Port))
	}
	to, err := Member(cluster, primary)
	if err != nil {
		return err
	}
	id, err := to.ID(ctx)
	if err != nil {
		return err
	}
	member, err := Member(cluster, node)
	if err != nil {
		return err
	}
	return member.Replicate(ctx, id)
}

// Join makes a node that was just started a replica of the primary, of whose cluster it does not know yet.
func Join(ctx context.Context, cluster models.Cluster, node, primary models.Node) error {
	member, err := Member(cluster, node)
	if err != nil {
		return err
	}
	to, err := Member(cluster, primary)
	if err != nil {
		return err
	}
	return formation.Join(ctx, member, to)
}
