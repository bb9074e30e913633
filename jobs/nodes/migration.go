package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// This file is about migrating clusters: their primary is itself a replica, of an outside server. The cluster's replicas follow the primary
// as usual. During a migration no node is promoted and none loads data from disk: a node that comes back gets everything from the source.

// Hold stops writes to a primary by making it a replica of an address where nobody answers. It keeps its data.
func Hold(ctx context.Context, cluster models.Cluster, node models.Node) error {
	return Tell(ctx, cluster, node, "REPLICAOF", primary.Nobody.Host, strconv.Itoa(primary.Nobody.Port))
}

// FollowSource makes a node a replica of the outside server that the cluster follows. The source needs no password, and must never be sent
// the cluster's.
func FollowSource(ctx context.Context, cluster models.Cluster, node models.Node) error {
	host, port, err := cluster.Migration.SourceEndpoint()
	if err != nil {
		return err
	}
	if err := reach.Check(cluster.Migration.Address); err != nil { // the list may have been shortened since the migration began
		return err
	}
	for _, command := range append(passwordToPrimary("", ""), []string{"REPLICAOF", host, port}) {
		if err := Tell(ctx, cluster, node, command...); err != nil {
			return err
		}
	}
	return nil
}

// beginAtSource has the primary of a migrating cluster start as a replica of the source. If the source's address is no longer allowed, the
// node starts held, so that it answers and the migration can be given up.
func beginAtSource(cluster models.Cluster, node *launch.Node) error {
	host, port, err := cluster.Migration.SourceEndpoint()
	if err != nil {
		return err
	}
	node.PrimaryOpen = true
	if node.Held = reach.Check(cluster.Migration.Address) != nil; node.Held {
		return nil
	}
	node.PrimaryHost = host
	node.PrimaryPort, err = strconv.Atoi(port)
	return err
}

// TakeOver promotes a node that followed an outside server, and gives it back the password for following nodes of its own cluster. It can be
// repeated.
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

// passwordToPrimary returns the commands that tell a node how to sign in to its primary.
func passwordToPrimary(user, password string) [][]string {
	return [][]string{{"CONFIG", "SET", "masteruser", user}, {"CONFIG", "SET", "masterauth", password}}
}

// sourceOf returns the address that the primary of a migrating cluster must follow, in the form that nodes report. An address that
// cannot be parsed is returned as it is, and no node follows it.
func sourceOf(cluster models.Cluster) string {
	host, port, err := cluster.Migration.SourceEndpoint()
	if err != nil {
		return cluster.Migration.Address
	}
	return net.JoinHostPort(host, port)
}

// IsHeld reports whether a node that follows this address is held; see [Hold].
func IsHeld(address string) bool {
	return address == net.JoinHostPort(primary.Nobody.Host, strconv.Itoa(primary.Nobody.Port))
}

// repairMigrating restarts dead nodes of a migrating cluster, and makes its primary follow the source.
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

// strayed returns the text of the event that says that a migrating cluster's primary had stopped following the source, and does so again.
func strayed(cluster models.Cluster, v seen) string {
	was := "an independent primary, and what was written to it is replaced by the source's data"
	if v.state.Replica {
		was = "a replica of " + v.state.Primary
	}
	return fmt.Sprintf("The node %s follows %s again, as its migration requires. It had become %s.", v.node.Name, cluster.Migration.Source, was)
}

// reportMigrating returns the steps that record a migration's progress. The rest is in the nodes' rows.
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

// describedIn is [described] for nodes of any cluster. The lag of a migrating cluster's primary is what it lacks of the source's stream, or
// what is still to be copied, in bytes.
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

// SourceOffset asks the source of a migrating cluster for its replication id and its offset in bytes.
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
		return "", 0, fmt.Errorf("ask %s for its offset: %w", cluster.Migration.Address, err)
	}
	offset = info.Int("master_repl_offset")
	if info["role"] == "slave" {
		offset = info.Int("slave_repl_offset")
	}
	return info["master_replid"], offset, nil
}

// inStep reports whether a node has all of the source's data except what is in transit.
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
