package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// This file is about clusters whose primary is itself a replica, of a server outside, until data has been moved from there. The replicas follow the
// primary as ever. Nobody is promoted meanwhile and nothing comes back from a disk: whatever a node had, it gets again from the source.

// Hold makes a primary take no writes, by following nobody. It keeps its data.
func Hold(ctx context.Context, cluster models.Cluster, node models.Node) error {
	return Tell(ctx, cluster, node, "REPLICAOF", primary.Nobody.Host, strconv.Itoa(primary.Nobody.Port))
}

// FollowSource makes a node a replica of the server outside that the cluster follows. That takes no password, and must not be told the cluster's.
func FollowSource(ctx context.Context, cluster models.Cluster, node models.Node) error {
	host, port, err := cluster.Migration.SourceEndpoint()
	if err != nil {
		return err
	}
	for _, command := range append(passwordToPrimary("", ""), []string{"REPLICAOF", host, port}) {
		if err := Tell(ctx, cluster, node, command...); err != nil {
			return err
		}
	}
	return nil
}

// TakeOver makes a node that followed a server outside a primary of its own, which can follow others of its cluster again. It may be repeated.
func TakeOver(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if err := Promote(ctx, cluster, node); err != nil {
		return err
	}
	if cluster.Password == "" {
		return nil
	}
	var failures []error
	for _, command := range passwordToPrimary("default", cluster.Password.Reveal()) {
		failures = append(failures, Tell(ctx, cluster, node, command...))
	}
	return errors.Join(failures...)
}

// passwordToPrimary is how a node learns by what it signs in at its primary.
func passwordToPrimary(user, password string) [][]string {
	return [][]string{{"CONFIG", "SET", "masteruser", user}, {"CONFIG", "SET", "masterauth", password}}
}

// sourceOf is the address that the primary of a migrating cluster has to follow, as a node names it. One that cannot be read is followed by nobody.
func sourceOf(cluster models.Cluster) string {
	host, port, err := cluster.Migration.SourceEndpoint()
	if err != nil {
		return cluster.Migration.Address
	}
	return net.JoinHostPort(host, port)
}

// IsHeld tells whether a node that follows this address is held.
func IsHeld(address string) bool {
	return address == net.JoinHostPort(primary.Nobody.Host, strconv.Itoa(primary.Nobody.Port))
}

// repairMigrating brings back nodes of a migrating cluster that have died, and has its primary follow the source.
func repairMigrating(cluster models.Cluster, l look, p int) []step {
	v := l.nodes[p]
	var steps []step
	switch {
	case !v.running:
		steps = startAgain(v, " as a replica of "+cluster.Migration.Source, true)
	case v.handled || !v.answers:
	case !v.state.Replica || v.state.Primary != sourceOf(cluster):
		steps = []step{followSource{on(v.node.Name)}, say{on(v.node.Name), models.SeverityWarning, strayed(cluster, v)}}
	case v.state.MaxMemory != cluster.MaxMemory():
		steps = []step{configure{on(v.node.Name)}}
	}
	for i, r := range l.nodes {
		if i != p {
			steps = append(steps, repairReplica(cluster, v.node, r)...)
		}
	}
	return steps
}

// strayed says what the primary of a migrating cluster had become, which is being undone.
func strayed(cluster models.Cluster, v seen) string {
	was := "a primary of its own, and what was written to it alone is replaced by the source's data"
	if v.state.Replica {
		was = "a replica of " + v.state.Primary
	}
	return fmt.Sprintf("The node %s follows %s again, as its migration wants it. It had been %s.", v.node.Name, cluster.Migration.Source, was)
}

// reportMigrating returns the steps that record how far a migrating cluster is. The nodes' rows have the rest.
func reportMigrating(cluster models.Cluster, shards []look) []step {
	if cluster.Migration.Copied || len(shards) != 1 {
		return nil
	}
	p := shards[0].primary()
	if p < 0 || !inStep(cluster, shards[0].nodes[p]) {
		return nil
	}
	return []step{noteCopied{}}
}

// describedIn is described, for a node of any cluster. The primary of a migrating one is as far behind as its source is ahead, or as much as is still to
// be copied.
func describedIn(cluster models.Cluster, l look, v seen, head int64, now time.Time) models.Node {
	if !cluster.Migrating() || v.node.Role != models.RolePrimary {
		return described(v, head, now)
	}
	n := described(v, max(l.source, v.state.Offset), now)
	if v.answers && v.state.Syncing {
		n.LagBytes = v.state.SyncLeft
	}
	return n
}

// SourceOffset asks the server outside that a cluster follows which stream it writes, and how far that has got.
func SourceOffset(ctx context.Context, cluster models.Cluster) (history string, offset int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	conn, err := resp.Dial(ctx, reach.Stranger(cluster.Migration.Address))
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "replication")
	if err != nil {
		return "", 0, fmt.Errorf("ask %s how far it is: %w", cluster.Migration.Address, err)
	}
	offset = info.Int("master_repl_offset")
	if info["role"] == "slave" {
		offset = info.Int("slave_repl_offset")
	}
	return info["master_replid"], offset, nil
}

// inStep tells whether a node has all of the source's data, but for what is on its way.
func inStep(cluster models.Cluster, v seen) bool {
	s := v.state
	return v.answers && s.Replica && s.Primary == sourceOf(cluster) && s.LinkUp && !s.Syncing && !s.Loading
}

func (s followSource) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	v.handled = true
	return FollowSource(ctx, r.cluster, v.node)
}

func (s noteCopied) carryOut(ctx context.Context, r *round) error {
	return r.DB.Migrations.Copied(ctx, r.cluster)
}
