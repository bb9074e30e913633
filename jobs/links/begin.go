package links

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/journal"
	"rekindle/internal/replica"
	"rekindle/jobs/reach"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// link is an open link to a node.
type link struct {
	stream *replica.Link
	run    string
	node   models.Node
	bridge *models.Node // the replica that goes on as soon as it can; nil: this one stays
}

// begin opens a link at the first place of these that a node still has: where the stream is stored up to, that of the newest snapshot, the present.
func (f *following) begin(ctx context.Context, source models.SnapshotSource) (link, error) {
	if f.link.Run != "" {
		open, err := f.goOn(ctx, source)
		if err == nil || !errors.Is(err, replica.ErrNoContinue) {
			return open, err
		}
		f.gap = "No node had the stream from there on any more, because the link was away for longer than their backlogs reach back."
	}
	return f.beginAnew(ctx, source)
}

// patience is for how long a node that does not answer is waited for, because it may be the only one that has what comes next.
const patience = time.Minute

// goOn opens the link behind what is stored. After a failover the chosen node may have forgotten that place, and another one may have it: then that one
// is read, also if it is the primary, which is left as soon as a replica can go on. The error is ErrNoContinue when no node has it.
func (f *following) goOn(ctx context.Context, source models.SnapshotSource) (link, error) {
	at := replica.At{ReplicationID: f.link.ReplicationID, Offset: f.link.Resume}
	var silent error
	for _, node := range candidates(source, f.shard) {
		stream, err := f.follow(ctx, node, at)
		if err == nil {
			open := link{stream: stream, run: f.link.Run, node: node}
			if node.Name != source.Node.Name && node.Role == models.RolePrimary {
				open.bridge = &source.Node
			}
			return open, nil
		}
		if !errors.Is(err, replica.ErrNoContinue) {
			silent = err
		}
	}
	if silent != nil && f.link.StoredAt != nil && f.DB.Now().Sub(*f.link.StoredAt) < patience {
		return link{}, silent
	}
	return link{}, fmt.Errorf("go on at %d: %w", at.Offset, replica.ErrNoContinue)
}

// candidates are the nodes that may be read, in the order in which they are tried: the chosen one, the other replicas, the primary.
func candidates(source models.SnapshotSource, shard models.Shard) []models.Node {
	nodes := []models.Node{source.Node}
	for _, role := range []models.Role{models.RoleReplica, models.RolePrimary} {
		for _, node := range shard.Nodes {
			if node.Role == role && node.Name != source.Node.Name {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes
}

func (f *following) follow(ctx context.Context, node models.Node, at replica.At) (*replica.Link, error) {
	from, err := reach.Source(f.cluster, node)
	if err != nil {
		return nil, err
	}
	return replica.Follow(ctx, from, at, replica.Options{})
}

// beginAnew opens the link at the place of one of the newest snapshots, or else in the present.
func (f *following) beginAnew(ctx context.Context, source models.SnapshotSource) (link, error) {
	open := link{run: journal.NewRun(), node: source.Node}
	places, err := f.DB.Recording.Places(ctx, f.cluster, f.at.shard)
	if err != nil {
		return open, err
	}
	for _, p := range places {
		open.stream, err = f.follow(ctx, source.Node, replica.At{ReplicationID: p.ReplicationID, Offset: p.Offset})
		if err == nil || !errors.Is(err, replica.ErrNoContinue) {
			return open, err
		}
	}
	from, err := reach.Source(f.cluster, source.Node)
	if err != nil {
		return open, err
	}
	now, err := replica.Current(ctx, from)
	if err != nil {
		return open, err
	}
	if now.Backlog {
		if err := f.awaitBase(ctx); err != nil {
			return open, err
		}
		open.stream, err = f.follow(ctx, source.Node, now.At)
		if err == nil || !errors.Is(err, replica.ErrNoContinue) {
			return open, err
		}
	}
	f.link.NeedsBase = true
	return open, reason.Because(nil, "%s keeps nothing of what was written yet, for nobody has replicated it. It does from the next snapshot on.", f.cluster.Name)
}

// awaitBase fails while the snapshot is being taken that the node needed to keep what is written: what it keeps begins at the snapshot's place, and a link
// that began in the present would leave that out, so that the journal had nothing to begin with.
func (f *following) awaitBase(ctx context.Context) error {
	if !f.link.NeedsBase {
		return nil
	}
	cluster, err := f.DB.Clusters.ByID(ctx, f.at.cluster)
	if err == nil && cluster.Status == models.ClusterSnapshotting {
		err = reason.Because(nil, "A snapshot of %s is being taken, and its journal begins with it.", cluster.Name)
	}
	return err
}

// bridgeEvery is how often it is looked whether a replica can go on.
const bridgeEvery = time.Second

var errBridged = errors.New("a replica has what comes next")

// endBridge ends a link to a primary as soon as this replica has what comes behind what is stored.
func (f *following) endBridge(ctx context.Context, node models.Node, end context.CancelCauseFunc) {
	from, err := reach.Source(f.cluster, node)
	for err == nil && drain.Pause(ctx, bridgeEvery) {
		links, err := f.DB.Recording.Links(ctx, f.cluster)
		if err != nil {
			continue
		}
		for _, l := range links {
			if l.Shard != f.at.shard {
				continue
			}
			if now, err := replica.Current(ctx, from); err == nil && now.Has(replica.At{ReplicationID: l.ReplicationID, Offset: l.Resume}) {
				end(errBridged)
				return
			}
		}
	}
}
