package nodes

import (
	"context"

	"rekindle/models"
)

// Open ends the state in which a primary started with a preload: it gets its limit of memory, and clients may write. The users of a group are set up once
// the whole cluster is filled: see [Supervisor.BringUsers].
func Open(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if err := Configure(ctx, cluster, node); err != nil {
		return err
	}
	if cluster.UserGroup != "" {
		return nil
	}
	return Tell(ctx, cluster, node, "ACL", "SETUSER", models.DefaultAccessUser, "+@all")
}
