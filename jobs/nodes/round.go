package nodes

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rekindle/internal/launch"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// round carries out the plans for one shard, and looks again after each.
type round struct {
	*Supervisor
	cluster models.Cluster // with the nodes of this shard only
	look    look
	over    bool // nothing more can be done now
	saved   bool // the data that the shard was filled with is on a disk
	ready   bool // its nodes can be given the changed parameters
}

// mostPlans limits a round: no repair needs so many plans.
const mostPlans = 50

// settle carries out plans until nothing is left to do, or nothing more can be done. The caller holds the cluster's lock.
func (r *round) settle(ctx context.Context) error {
	var failures []error
	for range mostPlans {
		steps := plan(r.cluster, r.look)
		if len(steps) == 0 || r.over || ctx.Err() != nil {
			return errors.Join(failures...)
		}
		if err := r.carryOut(ctx, steps); err != nil {
			failures = append(failures, err)
		}
		r.lookAgain(ctx, steps)
	}
	return errors.Join(append(failures, fmt.Errorf("%d plans for %s have not brought it to rest", mostPlans, r.cluster.Name))...)
}

// carryOut carries out the steps of a plan. A failure on one node does not hold up the others.
func (r *round) carryOut(ctx context.Context, steps []step) error {
	var failures []error
	broken := make(map[string]bool) // nodes on which a step has failed
	for _, s := range steps {
		if broken[s.about()] {
			continue
		}
		err := s.carryOut(ctx, r)
		if errors.Is(err, errUndone) {
			broken[s.about()] = true // the next plan deals with it
			continue
		}
		if err != nil {
			broken[s.about()], r.look.failed = true, true
			failures = append(failures, err)
			if v := r.look.node(s.about()); v != nil {
				v.handled = true
			}
		}
		if err != nil && ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// errUndone is returned by a step that could not be done, if the next plan has to decide what that means.
var errUndone = errors.New("undone")

// changesNode tells whether a node may look different after a step.
func changesNode(s step) bool {
	switch s.(type) {
	case startNode, endNode, promote, follow, followSource, configure:
		return true
	}
	return false
}

// lookAgain looks again at the nodes that were changed, and keeps what was done with them.
func (r *round) lookAgain(ctx context.Context, steps []step) {
	changed := make(map[string]bool)
	for _, s := range steps {
		if changesNode(s) {
			changed[s.about()] = true
		}
	}
	var probes sync.WaitGroup
	for i, node := range r.cluster.Nodes {
		if !changed[node.Name] {
			continue
		}
		probes.Go(func() {
			fresh := r.see(ctx, r.cluster, node)
			fresh.done = r.look.nodes[i].done
			r.look.nodes[i] = fresh
		})
	}
	probes.Wait()
}

func (s appoint) carryOut(ctx context.Context, r *round) error {
	if err := r.DB.Nodes.Promote(ctx, r.cluster.ID, r.look.node(s.about()).node); err != nil {
		return err
	}
	for i := range r.look.nodes {
		if was := r.look.nodes[i].node; was.Role == models.RolePrimary && was.Name != s.about() {
			r.tell(ctx, models.FailoverCompleted(r.cluster.Name, was.Name, s.about())...)
		}
		role := models.RoleReplica
		if r.look.nodes[i].node.Name == s.about() {
			role = models.RolePrimary
		}
		r.look.nodes[i].node.Role, r.cluster.Nodes[i].Role = role, role
	}
	return nil
}

func (s startNode) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	err := r.StartNode(ctx, r.cluster, v.node)
	if err == nil {
		if v.started = true; !v.node.Halted {
			r.tell(ctx, models.NodeRecovering(r.cluster, v.node.Name))
		}
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	v.failure = &failure{err: err, text: r.Sentence(err), words: r.LastWords(ctx, r.cluster, v.node), data: errors.Is(err, launch.ErrData)}
	if v.failure.data {
		r.Logger.Error("load what a node has saved", "cluster", r.cluster.Name, "node", v.node.Name, "error", err)
	}
	return errUndone
}

func (s setAside) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	name, err := r.Launcher.SetAside(ctx, r.cluster.Name, v.node.Name)
	if err != nil {
		err = errors.Join(v.failure.err, err)
		v.failure = &failure{err: err, text: r.Sentence(err)}
		return errUndone
	}
	r.Logger.Warn("a replica is started without its dump.rdb", "cluster", r.cluster.Name, "node", v.node.Name, "file", name)
	v.aside, v.refused, v.failure = name, v.failure.words, nil
	return nil
}

func (s endNode) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	if err := r.Launcher.Stop(ctx, r.cluster.Name, v.node.Name, launch.Kill); err != nil {
		if ctx.Err() != nil {
			return err
		}
		v.failure = &failure{err: err, text: s.otherwise}
		return errUndone
	}
	v.ended = true
	return nil
}

func (s promote) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	v.handled = true
	return Promote(ctx, r.cluster, v.node)
}

func (s follow) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	v.handled = true
	return Follow(ctx, r.cluster, v.node, r.look.nodes[r.look.primary()].node)
}

func (s configure) carryOut(ctx context.Context, r *round) error {
	v := r.look.node(s.about())
	v.handled = true
	return Configure(ctx, r.cluster, v.node)
}

func (s setParameters) carryOut(_ context.Context, r *round) error {
	r.ready, r.cluster.ParametersApplied = true, r.cluster.ParametersWanted
	return nil
}

func (s saveNode) carryOut(ctx context.Context, r *round) error {
	r.look.triedToSave = true
	if !r.memory.may(r.cluster.Name+" save "+s.history, saveAgainAfter) {
		return nil
	}
	if err := Tell(ctx, r.cluster, r.look.node(s.about()).node, "BGSAVE"); err != nil && ctx.Err() == nil {
		r.Logger.Warn("make a node save its data", "cluster", r.cluster.Name, "node", s.about(), "error", err)
	}
	return nil
}

func (s noteSaved) carryOut(_ context.Context, r *round) error {
	r.look.triedToSave, r.saved = true, true
	return nil
}

// carryOut has the cluster filled again, unless that was tried a moment ago, which happens while the store cannot be reached.
func (s refill) carryOut(ctx context.Context, r *round) error {
	r.look.filling = true
	r.look.node(s.about()).trouble = r.cluster.StatusReason
	if !r.memory.may(r.cluster.Name+" refill", refillRounds*r.Every) {
		return nil
	}
	queued, err := r.DB.Losses.Refill(ctx, r.cluster.ID)
	switch {
	case err != nil:
		r.Logger.Warn("fill a cluster again", "cluster", r.cluster.Name, "error", err)
	case queued:
		r.Wake()
	default:
		r.look.filling, r.look.cannotRefill = false, true
		r.look.node(s.about()).trouble = ""
	}
	return nil
}

// carryOut records it even while the console is being stopped: nobody could find it out afterwards.
func (s noteEmptied) carryOut(ctx context.Context, r *round) error {
	if err := r.DB.Losses.Emptied(context.WithoutCancel(ctx), r.cluster.ID, s.about()); err != nil {
		r.Logger.Error("write down that the cluster was started empty", "cluster", r.cluster.Name, "error", err)
	}
	return nil
}

// carryOut records it even while the console is being stopped, as with noteEmptied.
func (s noteReplaced) carryOut(ctx context.Context, r *round) error {
	if err := r.DB.Losses.Replaced(context.WithoutCancel(ctx), r.cluster.ID, s.about(), s.by, s.history); err != nil {
		r.Logger.Error("write down that the cluster's data was replaced", "cluster", r.cluster.Name, "error", err)
	}
	return nil
}

func (s noteNode) carryOut(ctx context.Context, r *round) error { return r.DB.Nodes.Seen(ctx, s.node) }

func (s noteRecovered) carryOut(ctx context.Context, r *round) error {
	if err := r.DB.Events.Recovered(ctx, r.cluster, s.about()); err != nil {
		r.Logger.Error("write event", "cluster", r.cluster.Name, "node", s.about(), "error", err)
	}
	return nil
}

// tell writes events for those who ask the API. People are told by a step of its own.
func (r *round) tell(ctx context.Context, events ...models.Event) {
	if err := r.DB.Events.AddAll(ctx, events...); err != nil {
		r.Logger.Error("write event", "cluster", r.cluster.Name, "error", err)
	}
}

func (s noteSlots) carryOut(ctx context.Context, r *round) error {
	return r.DB.Nodes.SetSlots(ctx, s.node, s.slots)
}

func (s mark) carryOut(ctx context.Context, r *round) error {
	_, err := r.DB.Clusters.MarkReachable(ctx, r.cluster.ID, s.reachable, s.reason)
	return err
}

func (s say) carryOut(ctx context.Context, r *round) error {
	if err := r.DB.Events.Add(ctx, models.Event{Severity: s.severity, ClusterName: r.cluster.Name, Message: s.text}); err != nil {
		r.Logger.Error("write event", "message", s.text, "error", err)
	}
	return nil
}

func (s complain) carryOut(ctx context.Context, r *round) error {
	r.look.node(s.about()).trouble = s.text
	if !r.memory.complain(s.about(), s.text) {
		return nil
	}
	r.Logger.Error("repair node", "cluster", r.cluster.Name, "node", s.about(), "trouble", s.text, "error", s.cause)
	return say{s.on, models.SeverityError, s.text}.carryOut(ctx, r)
}

func (s await) carryOut(_ context.Context, r *round) error {
	r.over = true
	r.memory.wait(s.about())
	return reason.Because(nil, "%s", s.text)
}

func (s giveUp) carryOut(_ context.Context, r *round) error {
	r.over = true
	return s.err
}
