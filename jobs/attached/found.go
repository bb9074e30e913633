package attached

import (
	"context"
	"errors"

	"rekindle/internal/secret"
	"rekindle/internal/topology"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// discover looks for a cluster.
func discover(ctx context.Context, a models.Access, password secret.Text) (topology.Topology, error) {
	access, err := reach.Access(a, password)
	if err != nil {
		return topology.Topology{}, err
	}
	return topology.Discover(ctx, access)
}

// foundOf is a topology in the catalog's terms.
func foundOf(t topology.Topology) models.Found {
	found := models.Found{Topology: string(t.Kind), Engine: models.Engine{Name: t.Engine, Version: t.Version}}
	for _, shard := range t.Shards {
		s := models.FoundShard{Slots: shard.Slots}
		head := int64(0)
		for _, n := range shard.Nodes {
			if n.Primary {
				head = n.Info.Int("master_repl_offset")
			}
		}
		for _, n := range shard.Nodes {
			s.Nodes = append(s.Nodes, nodeOf(n, head))
		}
		found.Shards = append(found.Shards, s)
	}
	return found
}

// nodeOf is a node in the catalog's terms. head is how far its primary has got.
func nodeOf(n topology.Node, head int64) models.FoundNode {
	f := models.FoundNode{Address: n.Addr, Ident: n.ID, Role: models.RoleReplica, State: "unreachable", LagBytes: -1}
	if n.Primary {
		f.Role = models.RolePrimary
	}
	if denied, is := errors.AsType[reach.DeniedError](n.Err); is {
		f.Denied = denied.Why
	}
	if !n.Reached() {
		return f
	}
	f.Answers, f.State = true, "available"
	if n.Info.Int("loading") != 0 || n.Info.Int("master_sync_in_progress") != 0 {
		f.State = "loading"
	}
	f.UsedMemory, f.MaxMemory, f.Keys = n.Info.Int("used_memory"), n.Info.Int("maxmemory"), n.Info.Keys()
	switch {
	case n.Primary:
		f.LagBytes = 0
	case n.Info["master_link_status"] == "up":
		f.LagBytes = max(0, head-n.Info.Int("slave_repl_offset"))
	}
	return f
}
