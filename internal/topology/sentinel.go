package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/resp"
)

func (d *discovery) sentinelOptions(addr string) resp.Options {
	o := d.options(addr)
	o.Username, o.Password = d.SentinelUsername, d.SentinelPassword
	return o
}

// bySentinel asks a Sentinel who the nodes are, and the nodes for the rest.
func (d *discovery) bySentinel(ctx context.Context, seeds []seed) (Topology, error) {
	var failures []error
	for _, s := range seeds {
		t, err := d.askSentinel(ctx, s)
		if err == nil {
			return t, nil
		}
		failures = append(failures, err)
		if _, choose := errors.AsType[*ChooseError](err); choose {
			break
		}
	}
	return Topology{}, errors.Join(failures...)
}

func (d *discovery) askSentinel(ctx context.Context, s seed) (Topology, error) {
	o := d.sentinelOptions(s.addr)
	if !s.sentinel && d.SentinelPassword == "" { // it accepted what the nodes accept
		o = d.options(s.addr)
	}
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return Topology{}, err
	}
	defer conn.Close()
	name, err := d.nameAt(ctx, conn, s.addr)
	if err != nil {
		return Topology{}, err
	}
	v, err := conn.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
	if err != nil {
		return Topology{}, fmt.Errorf("ask the Sentinel %s for %s: %w", s.addr, name, err)
	}
	pair := v.Strings()
	if len(pair) != 2 {
		return Topology{}, fmt.Errorf("ask the Sentinel %s for %s: %w", s.addr, name, ErrNoName)
	}
	addr, ok := announced(pair[0], pair[1])
	if !ok {
		return Topology{}, fmt.Errorf("the Sentinel %s has no address of the primary %s: %w", s.addr, name, ErrNoPrimary)
	}
	v, err = conn.Do(ctx, "SENTINEL", "REPLICAS", name)
	if err != nil {
		return Topology{}, fmt.Errorf("ask the Sentinel %s for the replicas of %s: %w", s.addr, name, err)
	}
	nodes := []Node{{Addr: d.Reach(addr), Announced: addr, Primary: true}}
	for _, fields := range v.Array[:min(len(v.Array), maxNodes)] {
		of := pairs(fields)
		if addr, ok := announced(of["ip"], of["port"]); ok {
			nodes = append(nodes, Node{Addr: d.Reach(addr), Announced: addr})
		}
	}
	nodes = each(nodes, func(n Node) Node { return d.look(ctx, n) })
	if nodes[0].Err != nil {
		return Topology{}, fmt.Errorf("%w: the Sentinel %s names %s, which cannot be reached: %w", ErrNoPrimary, s.addr, addr, nodes[0].Err)
	}
	if nodes[0].Info["role"] != "master" { // a failover is under way
		return Topology{}, fmt.Errorf("%w: the Sentinel %s names %s, which is a replica at the moment", ErrNoPrimary, s.addr, addr)
	}
	nodes = slices.DeleteFunc(nodes, func(n Node) bool { return !n.Primary && n.Reached() && n.Info["role"] == "master" })
	return Topology{Kind: Sentinel, Name: name, Shards: []Shard{{Nodes: nodes}}}, nil
}

// nameAt is the name of the primary to look for.
func (d *discovery) nameAt(ctx context.Context, conn *resp.Conn, addr string) (string, error) {
	if d.Name != "" {
		return d.Name, nil
	}
	v, err := conn.Do(ctx, "SENTINEL", "MASTERS")
	if err != nil {
		return "", fmt.Errorf("ask the Sentinel %s for its primaries: %w", addr, err)
	}
	var names []string
	for _, fields := range v.Array {
		names = append(names, pairs(fields)["name"])
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return "", fmt.Errorf("ask the Sentinel %s for its primaries: %w", addr, ErrNoName)
	case 1:
		return names[0], nil
	}
	return "", &ChooseError{Names: names}
}

// pairs reads alternating names and values.
func pairs(v resp.Value) map[string]string {
	fields := make(map[string]string)
	texts := v.Strings()
	for i := 0; i+1 < len(texts); i += 2 {
		fields[strings.ToLower(texts[i])] = texts[i+1]
	}
	return fields
}
