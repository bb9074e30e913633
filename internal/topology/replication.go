package topology

import (
	"context"
	"fmt"
	"strings"

	"rekindle/internal/resp"
)

// maxHops is how many levels of replicas of replicas are followed upwards.
const maxHops = 8

// byReplication goes from the given nodes to their primary, and from there down to all of its replicas.
func (d *discovery) byReplication(ctx context.Context, seeds []seed) (Topology, error) {
	given := make([]Node, len(seeds))
	for i, s := range seeds {
		given[i] = Node{Addr: s.addr, Announced: s.addr, Info: s.info, Primary: s.info["role"] == "master"}
	}
	primary, err := d.primaryOf(ctx, given)
	if err != nil {
		return Topology{}, err
	}
	for _, n := range given {
		if n.Info["master_replid"] != primary.Info["master_replid"] && !follows(n, primary) {
			return Topology{}, fmt.Errorf("%w: %s is not of the same data as %s", ErrStrangers, n.Addr, primary.Addr)
		}
	}
	shard := Shard{Nodes: d.family(ctx, primary, given)}
	kind := Replicated
	if len(shard.Nodes) == 1 {
		kind = Standalone
	}
	return Topology{Kind: kind, Shards: []Shard{shard}}, nil
}

// follows tells whether a node was told to follow the primary, even if its first copy is still under way.
func follows(n, primary Node) bool {
	if n.Primary {
		return false
	}
	addr, ok := announced(n.Info["master_host"], n.Info["master_port"])
	return ok && (addr == primary.Announced || addr == primary.Addr)
}

// primaryOf finds the primary: one of the given nodes, or the one that they follow, through a few levels of replicas.
func (d *discovery) primaryOf(ctx context.Context, given []Node) (Node, error) {
	for _, n := range given {
		if n.Primary {
			return n, nil
		}
	}
	n := given[0]
	for range maxHops {
		addr, ok := announced(n.Info["master_host"], n.Info["master_port"])
		if !ok {
			break
		}
		up := d.look(ctx, Node{Addr: d.Reach(addr), Announced: addr})
		if up.Err != nil {
			return up, fmt.Errorf("%w: %s is a replica of %s, which cannot be reached: %w", ErrNoPrimary, n.Addr, addr, up.Err)
		}
		if up.Info["role"] == "master" {
			up.Primary = true
			return up, nil
		}
		n = up
	}
	return n, fmt.Errorf("%w: %s is a replica of replicas without an end", ErrNoPrimary, given[0].Addr)
}

// family is the primary with all of its replicas, and theirs: the given ones, under their given addresses, and the announced ones. An announced
// address that cannot be reached may be another name for a given node. It counts only if the given nodes do not account for it.
func (d *discovery) family(ctx context.Context, primary Node, given []Node) []Node {
	nodes := []Node{primary}
	known := map[string]bool{primary.Info["run_id"]: true}
	for _, n := range given {
		if run := n.Info["run_id"]; !known[run] {
			known[run] = true
			nodes = append(nodes, n)
		}
	}
	asked, unmatched := make(map[string]bool), len(nodes)-1
	var silent []Node
	for at := 0; at < len(nodes) && len(nodes) < maxNodes; at++ {
		var fresh []Node
		for _, addr := range replicasIn(nodes[at].Info) {
			if !asked[addr] {
				asked[addr] = true
				fresh = append(fresh, Node{Addr: d.Reach(addr), Announced: addr})
			}
		}
		for _, n := range each(fresh, func(n Node) Node { return d.look(ctx, n) }) {
			switch run := n.Info["run_id"]; {
			case n.Err != nil:
				silent = append(silent, n)
			case known[run]: // under its given address
				unmatched--
			case n.Info["role"] != "master": // otherwise its address belongs to something else by now
				known[run] = true
				nodes = append(nodes, n)
			}
		}
	}
	if unmatched = max(unmatched, 0); len(silent) > unmatched {
		nodes = append(nodes, silent[unmatched:]...)
	}
	return nodes
}

// replicasIn lists the replicas in INFO ("slave0:ip=10.0.0.2,port=6379,state=online,..."). An entry without a port is not a replica: a client that
// reads the data once, like Rekindle, announces none.
func replicasIn(info resp.Info) []string {
	var addrs []string
	for i := range maxNodes {
		line, found := info[fmt.Sprintf("slave%d", i)]
		if !found {
			return addrs
		}
		fields := make(map[string]string)
		for field := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		if addr, ok := announced(fields["ip"], fields["port"]); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
