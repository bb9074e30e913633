package nodes

import (
	"context"
	"errors"

	"rekindle/internal/resp"
	"rekindle/models"
)

// fillingUser is the user that writes to nodes that are filled key by key.
const fillingUser = "rekindle-restore"

// Reserve blocks all other clients from writing to the primaries of a cluster that is about to be filled: clients that know its endpoint
// from before would otherwise write in between. It returns how to connect to each primary as the one user that may write, in the order of
// the primaries, and a function that lets the others in again. A node that restarts forgets the reservation.
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
			err = Promote(ctx, cluster, node) // only now: until then it takes no writes from anybody
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
			if cluster.UserGroup == "" { // users are set up once the cluster is filled: see BringUsers
				failures = append(failures, Tell(ctx, cluster, node, "ACL", "SETUSER", models.DefaultAccessUser, "+@all"))
			}
		}
		return errors.Join(failures...)
	}, nil
}

// shutOut stops clients from writing to a node. The default user loses its write commands; the users of a group are removed until
// BringUsers sets them up again.
func shutOut(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if cluster.UserGroup == "" {
		return Tell(ctx, cluster, node, "ACL", "SETUSER", models.DefaultAccessUser, "-@write")
	}
	return bringUsers(ctx, cluster, node, nil)
}
