package nodes

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"rekindle/internal/launch"
	"rekindle/models"
)

// shard is one of which nothing is real: steps change what was seen of it, as a round does it with nodes.
type shard struct {
	cluster   models.Cluster
	look      look
	damaged   map[string]bool // those whose RDB cannot be loaded
	blocked   map[string]bool // those that cannot be started
	snapshot  bool            // it can be filled again
	complains bool
	over      bool
	emptied   bool
}

// newShard is a shard in any state that can be thought of.
func newShard(dice *rand.Rand) *shard {
	s := &shard{damaged: make(map[string]bool), blocked: make(map[string]bool), snapshot: dice.IntN(2) == 0}
	one := func(of int) bool { return dice.IntN(of) == 0 }
	for n := 1; n <= 1+dice.IntN(4); n++ {
		v := member(n, nil)
		v.state.Offset, v.state.Syncing, v.state.MaxMemory, v.state.Keys = int64(dice.IntN(4)), one(5), int64(dice.IntN(2)), int64(dice.IntN(3))
		switch {
		case one(6):
			v.state.Replica, v.state.Primary = false, ""
		case one(6):
			v.state.Replica, v.state.Primary = true, "10.0.0.1:6379"
		}
		switch {
		case one(3):
			dead(&v)
		case one(5):
			v.answers, v.state, v.waited = false, State{}, dice.IntN(40)
		}
		if one(2) {
			v.saved = saved([]string{"h", "i"}[dice.IntN(2)], int64(dice.IntN(9)))
		}
		s.damaged[v.node.Name], s.blocked[v.node.Name] = v.saved.Exists && one(3), one(8)
		s.look.nodes = append(s.look.nodes, v)
	}
	s.cluster = clusterOf(s.look, func(c *models.Cluster) {
		c.ParametersWanted = dice.IntN(2)
		if one(3) {
			c.UnsavedFrom = "s1"
		}
	})
	return s
}

// holds tells whether any node that runs has the data, all of it or an earlier copy.
func (s *shard) holds() bool {
	return slices.ContainsFunc(s.look.nodes, func(v seen) bool {
		return v.running && (complete(v) || v.answers && v.state.Replica && !v.state.Syncing && v.state.Keys > 0)
	})
}

func (s *shard) start(v *seen) error {
	switch {
	case s.blocked[v.node.Name]:
		v.failure = &failure{text: "It cannot be started."}
		return errUndone
	case s.damaged[v.node.Name] && v.aside == "":
		v.failure = &failure{text: "It cannot be loaded.", data: true}
		return errUndone
	}
	v.started, v.running, v.answers, v.lives = true, true, true, true
	v.state = State{History: "new", MaxMemory: s.cluster.MaxMemory(), Offset: v.saved.Offset, Keys: 1}
	if v.node.Role == models.RoleReplica {
		v.state.Replica, v.state.Primary = true, s.look.nodes[s.look.primary()].node.Address()
	}
	return nil
}

func (s *shard) take(next step) error {
	v := s.look.node(next.about())
	switch next := next.(type) {
	case appoint:
		for i := range s.look.nodes {
			s.look.nodes[i].node.Role = models.RoleReplica
		}
		v.node.Role = models.RolePrimary
		for i := range s.look.nodes {
			s.cluster.Nodes[i].Role = s.look.nodes[i].node.Role
		}
	case startNode:
		return s.start(v)
	case setAside:
		v.aside, v.failure, v.saved = "damaged.rdb", nil, launch.Saved{}
	case promote:
		v.state.Replica, v.state.Primary, v.handled = false, "", true
	case follow:
		v.state.Replica, v.state.Primary, v.handled = true, s.look.nodes[s.look.primary()].node.Address(), true
	case configure:
		v.state.MaxMemory, v.handled = s.cluster.MaxMemory(), true
	case setParameters:
		s.cluster.ParametersApplied = s.cluster.ParametersWanted
	case saveNode, noteSaved:
		s.look.triedToSave = true
	case refill:
		s.look.filling, s.look.cannotRefill = s.snapshot, !s.snapshot
	case noteEmptied:
		s.emptied = true
	case complain:
		v.trouble, s.complains = next.text, true
	case await, giveUp:
		s.over = true
	}
	return nil
}

// settle is what a round does. It returns the number of plans.
func (s *shard) settle() int {
	for plans := 1; ; plans++ {
		steps := plan(s.cluster, s.look)
		if len(steps) == 0 || s.over || plans == mostPlans {
			return plans
		}
		broken := make(map[string]bool)
		for _, next := range steps {
			if !broken[next.about()] && errors.Is(s.take(next), errUndone) {
				broken[next.about()] = true
			}
		}
	}
}

func TestEveryShardComesToRestWithoutALoss(t *testing.T) {
	t.Parallel()
	const seed = 7
	rested := 0
	for n := range uint64(20_000) {
		s := newShard(rand.New(rand.NewPCG(seed, n)))
		had := s.holds()
		leftovers := slices.ContainsFunc(s.look.nodes, func(v seen) bool { return !v.running && v.saved.Exists })
		if plans := s.settle(); plans > 4*len(s.look.nodes)+4 {
			t.Fatalf("shard %d has not come to rest after %d plans: %+v", n, plans, s.look)
		}
		primary := s.look.nodes[s.look.primary()]
		if s.emptied && leftovers {
			t.Fatalf("shard %d was started empty although a node had an RDB: %+v", n, s.look)
		}
		if s.emptied && had {
			t.Fatalf("shard %d was started empty although a node had its data: %+v", n, s.look)
		}
		if s.over || s.complains || s.look.filling || !primary.running {
			continue // and for the next round, or for people
		}
		rested++
		for _, v := range s.look.nodes {
			if !v.running || v.answers && v.state.Replica != (v.node.Role == models.RoleReplica) || v.answers && v.state.Replica && v.state.Primary != primary.node.Address() {
				t.Fatalf("shard %d has come to rest with %s not as it should be: %+v", n, v.node.Name, s.look)
			}
		}
	}
	if rested < 5_000 {
		t.Errorf("only %d shards were brought to rest", rested)
	}
}
