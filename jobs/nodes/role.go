package nodes

import (
	"context"
	"strconv"
	"time"

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

// joinTimeout bounds how long nodes that do not know each other yet may take to be introduced.
const joinTimeout = 15 * time.Second

// Follow makes a node a replica of the primary. In cluster mode it need not know of that yet.
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

// Identify asks a node what its cluster calls it.
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

// Agree waits until all nodes of a cluster in cluster mode know each other. Before, none could take over.
func Agree(ctx context.Context, cluster models.Cluster) error {
	all, err := members(cluster)
	if err != nil {
		return err
	}
	return formation.Agree(ctx, all, len(cluster.Primaries()))
}

// Forget has the nodes of the cluster forget the one with this id, which is gone.
func Forget(ctx context.Context, cluster models.Cluster, id string) error {
	all, err := members(cluster)
	if err != nil {
		return err
	}
	return formation.Forget(ctx, all, id)
}
