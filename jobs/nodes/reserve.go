package nodes

import (
	"context"
	"errors"

	"rekindle/internal/resp"
	"rekindle/models"
)

// fillingUser is who writes to nodes that are filled key by key.
const fillingUser = "rekindle-restore"

// Reserve keeps everybody else from writing to the primaries of a cluster that is to be filled: who knows its endpoint from before would write in
// between. It returns how to connect to them as the one who may, in their order, and what lets the others in again. A node that is started anew
// knows nothing of it.
func Reserve(ctx context.Context, cluster models.Cluster) (own []resp.Options, reopen func(context.Context) error, err error) {
	password := models.GeneratePassword()
	for _, node := range cluster.Primaries() {
		member, err := Member(cluster, node)
		if err != nil {
			return nil, nil, err
		}
		err = errors.Join(
			shutOut(ctx, cluster, node),
			Tell(ctx, cluster, node, "ACL", "SETUSER", fillingUser, "reset", "on", ">"+password.Reveal(), "~*", "+@all"))
		if err == nil && !managed(cluster) {
			err = Promote(ctx, cluster, node) // not before: one that waits to be filled takes no writes from anybody
		}
		if err != nil {
			return nil, nil, err
		}
		member.Username, member.Password, member.Others = fillingUser, password, nil
		own = append(own, member.Options)
	}
	return own, func(ctx context.Context) error {
		var failures []error
		for _, node := range cluster.Primaries() {
			failures = append(failures, Tell(ctx, cluster, node, "ACL", "DELUSER", fillingUser))
			if cluster.UserGroup == "" { // users come when the cluster is filled: see BringUsers
				failures = append(failures, Tell(ctx, cluster, node, "ACL", "SETUSER", models.DefaultAccessUser, "+@all"))
			}
		}
		return errors.Join(failures...)
	}, nil
}

// shutOut keeps clients from writing to a node: the default user, or all users of the cluster's group, who get nothing at all until they are brought
// to the node again.
func shutOut(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if cluster.UserGroup == "" {
		return Tell(ctx, cluster, node, "ACL", "SETUSER", models.DefaultAccessUser, "-@write")
	}
	return bringUsers(ctx, cluster, node, nil)
}
