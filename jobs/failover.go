package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/resp"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// failoverTimeout limits how long the new primary may take to catch up with the old one, which takes no writes meanwhile.
const failoverTimeout = 10 * time.Second

// handover lets a replica take over from a healthy primary.
type handover struct {
	Config
	locks *locks
}

// failOver is the body of a run that lets the freshest replica take over from a healthy primary without losing a write: the primary stops taking
// writes until the replica has them all.
//
// Source: the FAILOVER command of Redis 6.2 and Valkey.
func (h *handover) failOver(ctx context.Context, run models.Run, args models.FailoverArgs, report *queue.Report) error {
	unlock, err := h.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := h.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	shard, _ := cluster.ShardWith(args.From)
	old, found := shard.Primary()
	if !found {
		return because(nil, "The cluster %s has no primary.", cluster.Name)
	}
	cluster = cluster.Only(shard)
	if old.Name == args.From { // otherwise the run was cut off after the change was recorded
		next, err := h.successorOf(ctx, cluster, old)
		if err != nil {
			return err
		}
		report.Stage(fmt.Sprintf("Handing over from %s to %s", old.Name, next.Name), nil)
		if err := h.handOver(ctx, cluster, old, next); err != nil {
			return err
		}
		if err := h.DB.Nodes.Promote(context.WithoutCancel(ctx), cluster.ID, next); err != nil {
			return err
		}
		if cluster, err = h.DB.Clusters.ByID(ctx, run.ClusterID); err != nil {
			return err
		}
		shard, _ = cluster.ShardWith(next.Name)
		cluster, old = cluster.Only(shard), next
	}
	var failures []error
	for _, node := range cluster.Nodes {
		if node.Role == models.RoleReplica {
			report.Stage("Attaching "+node.Name, nil)
			failures = append(failures, nodes.Follow(ctx, cluster, node, old))
		}
		failures = append(failures, nodes.Configure(ctx, cluster, node))
	}
	if err := errors.Join(failures...); err != nil {
		h.Logger.Warn("after failover; the supervisor goes on", "cluster", cluster.Name, "error", err)
	}
	return h.DB.Settle.Cluster(context.WithoutCancel(ctx), run,
		fmt.Sprintf("Failover of %s: %s is the primary now, and %s is a replica.", cluster.Name, old.Name, args.From), models.FailoverCompleted(cluster.Name, args.From, old.Name)...)
}

// successorOf chooses the replica that is in step and furthest ahead. A node that is already a primary was promoted by a console that was then killed.
func (h *handover) successorOf(ctx context.Context, cluster models.Cluster, old models.Node) (models.Node, error) {
	var next models.Node
	best := int64(-1)
	for _, node := range cluster.Nodes {
		if node.Role != models.RoleReplica {
			continue
		}
		s, err := nodes.Probe(ctx, cluster, node)
		if err == nil && !s.Replica && !s.Loading {
			return node, nil
		}
		if err == nil && s.LinkUp && !s.Loading && !s.Syncing && s.Primary == old.Address() && s.Offset > best {
			best, next = s.Offset, node
		}
	}
	if best < 0 {
		return next, because(nil, "No replica of %s is in step with its primary, so none can take over. Nothing was changed.", cluster.Name)
	}
	return next, nil
}

// handOver makes the next node a primary and the old one its replica.
func (h *handover) handOver(ctx context.Context, cluster models.Cluster, old, next models.Node) error {
	if s, err := nodes.Probe(ctx, cluster, next); err == nil && !s.Replica {
		return nil // it is one already
	}
	if cluster.ClusterMode {
		return h.handOverInCluster(ctx, cluster, old, next)
	}
	err := nodes.Tell(ctx, cluster, old, "FAILOVER", "TO", next.Host, fmt.Sprint(next.Port), "TIMEOUT", fmt.Sprint(failoverTimeout.Milliseconds()))
	if reply, refused := errors.AsType[resp.Error](err); refused && strings.Contains(strings.ToLower(reply.Error()), "unknown command") {
		return h.handOverByHand(ctx, cluster, old, next)
	} else if err != nil {
		return because(err, "The primary %s did not begin the failover. Nothing was changed.", old.Name)
	}
	deadline, cancel := context.WithTimeout(ctx, failoverTimeout+2*nodes.ProbeTimeout)
	defer cancel()
	for {
		if s, err := nodes.Probe(deadline, cluster, next); err == nil && !s.Replica {
			return nil
		}
		if !drain.Pause(deadline, 20*time.Millisecond) {
			if err := nodes.Tell(context.WithoutCancel(ctx), cluster, old, "FAILOVER", "ABORT"); err != nil {
				h.Logger.Warn("abort failover", "node", old.Name, "error", err)
			}
			return because(context.Cause(ctx), "The replica %s did not take over within %s. The primary is as it was.", next.Name, failoverTimeout)
		}
	}
}

// handOverInCluster makes the replica ask its cluster for the role. See CLUSTER FAILOVER.
func (h *handover) handOverInCluster(ctx context.Context, cluster models.Cluster, old, next models.Node) error {
	member, err := nodes.Member(cluster, next)
	if err != nil {
		return err
	}
	deadline, cancel := context.WithTimeout(ctx, failoverTimeout+2*nodes.ProbeTimeout)
	defer cancel()
	if err := member.Succeed(deadline); err != nil {
		return because(err, "The replica %s did not take over from %s. The primary is as it was.", next.Name, old.Name)
	}
	return nil
}

// handOverByHand is for Redis before 6.2, which has no FAILOVER. CLIENT PAUSE makes the primary's clients wait, as far as it can.
func (h *handover) handOverByHand(ctx context.Context, cluster models.Cluster, old, next models.Node) error {
	if err := nodes.Tell(ctx, cluster, old, "CLIENT", "PAUSE", fmt.Sprint(failoverTimeout.Milliseconds())); err != nil {
		return because(err, "The primary %s did not begin the failover. Nothing was changed.", old.Name)
	}
	deadline, cancel := context.WithTimeout(ctx, failoverTimeout/2)
	defer cancel()
	last := int64(-1)
	for { // the paused primary answers nobody, so the replica's offset has to stand still for a moment
		if s, err := nodes.Probe(deadline, cluster, next); err == nil {
			if s.LinkUp && s.Offset == last {
				break
			}
			last = s.Offset
		}
		if !drain.Pause(deadline, 500*time.Millisecond) {
			return because(context.Cause(ctx), "The replica %s did not get in step. The primary is as it was.", next.Name)
		}
	}
	return nodes.Promote(ctx, cluster, next)
}
