package nodes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/words"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Life is what tells afterwards what became of a node that broke off while it served a snapshot.
type Life struct {
	cluster models.Cluster
	node    models.Node
	marks   marks
}

// marks identify a moment of a node's life. They are zero if the node did not say.
type marks struct {
	run      string // changes with each start
	flushes  string // how often FLUSHALL was called, and other figures that change with each call
	overruns string // how often a client was dropped for what waited to be sent to it; Redis before 7.0 does not say
}

// LifeOf looks at a node before it serves a snapshot. If that fails, at most a reason is missing later.
func LifeOf(ctx context.Context, cluster models.Cluster, node models.Node) (Life, error) {
	l := Life{cluster: cluster, node: node}
	var err error
	l.marks, err = l.look(ctx)
	return l, err
}

func (l Life) look(ctx context.Context) (marks, error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	conn, err := Dial(ctx, l.cluster, l.node)
	if err != nil {
		return marks{}, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "server", "stats", "commandstats")
	return marks{run: info["run_id"], flushes: info["cmdstat_flushall"], overruns: info["client_output_buffer_limit_disconnections"]}, err
}

// BrokeOff says why the node ended a transfer after this many bytes, by comparing the node with how it was before, and whether another node may
// serve in its place: not if all data was deleted meanwhile, because what another node has now is not what was asked for.
func (l Life) BrokeOff(ctx context.Context, received int64) (why string, another bool) {
	who, after := fmt.Sprintf("The %s %s", l.node.Role, l.node.Name), fmt.Sprintf("after %s", words.Size(received))
	now, err := l.look(ctx)
	switch {
	case PasswordRefused(err):
		return fmt.Sprintf("%s ended the transfer %s, and no longer accepts the console's password: somebody has changed it. %s", who, after, SetPasswordBack), true
	case err != nil:
		return fmt.Sprintf("%s stopped answering %s. The snapshot was discarded.", who, after), true
	case now.run != l.marks.run && l.marks.run != "":
		return fmt.Sprintf("%s was restarted while it sent the snapshot, %s. The snapshot was discarded. Take it again.", who, after), true
	case now.flushes != l.marks.flushes:
		return fmt.Sprintf("All data of %s was deleted (FLUSHALL) while it sent the snapshot, which ends the transfer, %s. The snapshot was discarded. Take it again if the present data is to be kept.", l.node.Name, after), false
	case l.cluster.ReadByKey():
		return fmt.Sprintf("%s stopped sending its keys %s, though it still runs. Its log may say why. The snapshot was discarded. Take it again.", who, after), true
	case now.overruns != l.marks.overruns:
		return fmt.Sprintf("%s ended the transfer %s, because more was written meanwhile than its output buffer holds. %s", who, after, raiseBuffer), true
	case now.run != "" && now.overruns == "":
		return fmt.Sprintf("%s ended the transfer %s, though it still runs. Redis before 7.0 does so when more is written meanwhile than its output buffer holds. Its log says whether that is why. %s",
			who, after, raiseBuffer), true
	}
	return fmt.Sprintf("%s ended the transfer %s, though it still runs: the process that it sends a snapshot with was killed, or it dropped the connection. Its log says why. "+
		"The snapshot was discarded. Take it again.", who, after), true
}

// raiseBuffer says what to do about an output buffer that is too small for a transfer.
const raiseBuffer = "The snapshot was discarded. Raise client-output-buffer-limit for replicas there, or take the snapshot when less is written."

// Sources says where the parts of a snapshot would be taken now, one for each shard: from its freshest replica whose link is up, and from the primary
// only if there is none. It also says whether the host has memory for the fork.
func (o *Operator) Sources(ctx context.Context, cluster models.Cluster) ([]models.SnapshotSource, error) {
	shards := cluster.Shards()
	if len(shards) == 0 {
		return nil, reason.Because(nil, "The cluster %s has no nodes.", cluster.Name)
	}
	sources := make([]models.SnapshotSource, len(shards))
	for i, shard := range shards {
		var err error
		if sources[i], err = o.source(ctx, cluster, shard); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// Source says which node of a shard would serve now, as [Operator.Sources] does for all of them.
func (o *Operator) Source(ctx context.Context, cluster models.Cluster, shard models.Shard) (models.SnapshotSource, error) {
	return o.source(ctx, cluster, shard)
}

// Another finds a replica of the shard that can serve in place of those that were tried. The primary is never used for that: it serves the
// application.
func (o *Operator) Another(ctx context.Context, cluster models.Cluster, shard models.Shard, tried []string) (models.SnapshotSource, bool) {
	shard.Nodes = slices.DeleteFunc(slices.Clone(shard.Nodes), func(n models.Node) bool { return n.Role == models.RoleReplica && slices.Contains(tried, n.Name) })
	source, err := o.source(ctx, cluster, shard)
	return source, err == nil && !source.Fallback && source.Fits
}

func (o *Operator) source(ctx context.Context, cluster models.Cluster, shard models.Shard) (models.SnapshotSource, error) {
	source := models.SnapshotSource{Shard: shard}
	var head int64 // the primary's offset, or that of the freshest replica
	primary, found := shard.Primary()
	if !found {
		return source, reason.Because(nil, "%s has no primary.", shardName(cluster, shard))
	}
	states := make(map[string]State)
	var refused error // a node answers, but does not accept the password
	for _, node := range shard.Nodes {
		s, err := Probe(ctx, cluster, node)
		if err == nil {
			states[node.Name] = s
			head = max(head, s.Offset)
		} else if PasswordRefused(err) {
			refused = reason.Because(err, "The %s %s answers, but does not accept the console's password: somebody has changed it. %s", node.Role, node.Name, SetPasswordBack)
		}
	}
	best := int64(-1)
	chosen := false
	for _, node := range shard.Nodes {
		s, answers := states[node.Name]
		if !answers || node.Role != models.RoleReplica || !s.Replica || !s.LinkUp || s.Loading || s.Syncing || chosen {
			continue
		}
		// The replica that somebody chose to serve snapshots does so as long as it can.
		if chosen = node.Name == cluster.Attributes.SnapshottingNode; chosen || s.Offset > best {
			best = s.Offset
			source.Node, source.UsedMemory, source.LagBytes = node, s.UsedMemory, head-s.Offset
		}
	}
	if best < 0 {
		s, answers := states[primary.Name]
		if !answers && refused != nil {
			return source, refused
		} else if !answers {
			return source, reason.Because(nil, "No node of %s answers, so there is nothing to take a snapshot from.", strings.TrimPrefix(shardName(cluster, shard), "The cluster "))
		}
		source.Node, source.UsedMemory, source.Fallback = primary, s.UsedMemory, true
		source.Why = "The cluster has no replica, so the primary has to serve the snapshot."
		if cluster.Replicas > 0 {
			source.Why = "No replica is in step with its primary, so the primary has to serve the snapshot."
		}
	}
	var err error
	if source.Available, err = o.freeMemory(ctx, cluster, states[source.Node.Name]); err != nil {
		return source, err
	}
	source.Fits = source.Available < 0 || source.UsedMemory <= source.Available || cluster.ReadByKey() /* without a fork */
	return source, nil
}

// freeMemory is how much memory the host of a node has free, in bytes. Of another host only the size is known, so the result is the most that can be
// free there; -1: the node does not say.
func (o *Operator) freeMemory(ctx context.Context, cluster models.Cluster, s State) (int64, error) {
	if cluster.Attached() {
		if s.HostMemory == 0 {
			return -1, nil
		}
		return max(0, s.HostMemory-s.Resident), nil
	}
	memory, err := o.Launcher.Memory(ctx)
	if err != nil {
		return 0, fmt.Errorf("read memory of host: %w", err)
	}
	return memory.Available, nil
}

// shardName names a shard for people, at the beginning of a sentence: by the cluster's name if it has only one shard.
func shardName(cluster models.Cluster, shard models.Shard) string {
	if len(cluster.Shards()) == 1 {
		return "The cluster " + cluster.Name
	}
	return fmt.Sprintf("Shard %s of %s", shard.ID(), cluster.Name)
}

// catchUpTimeout limits how long a snapshot waits for its replica to have everything that was written before the snapshot was asked for.
const catchUpTimeout = 15 * time.Second

// CatchUp waits until the replica has what the primary had when the snapshot began, so that a snapshot taken by hand contains what its owner
// has just written. A replica that does not get there in time serves all the same, with its lag in the warning. If the primary does not answer,
// there is nothing to compare with, and the warning says so.
func CatchUp(ctx context.Context, cluster models.Cluster, source models.SnapshotSource) (warning string, err error) {
	primary, found := source.Shard.Primary()
	if source.Fallback || !found {
		return "", nil
	}
	head, err := Probe(ctx, cluster, primary)
	if err != nil {
		return fmt.Sprintf("The primary %s did not answer, so it is not known how far the replica %s was behind.", primary.Name, source.Node.Name), nil
	}
	deadline, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	for {
		s, err := Probe(deadline, cluster, source.Node)
		if err == nil && s.Offset >= head.Offset {
			return "", nil
		}
		if !drain.Pause(deadline, 10*time.Millisecond) {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			return fmt.Sprintf("The replica %s was %s behind its primary when the snapshot was taken.", source.Node.Name, words.Size(head.Offset-s.Offset)), nil
		}
	}
}
