package topology

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/resp"
	"rekindle/internal/slots"
)

// byCluster asks a node in cluster mode about all nodes.
func (d *discovery) byCluster(ctx context.Context, seeds []seed) (Topology, error) {
	var failures []error
	for _, s := range seeds {
		members, err := d.members(ctx, s.addr)
		if err == nil {
			return d.shards(ctx, members, seeds)
		}
		failures = append(failures, err)
	}
	return Topology{}, errors.Join(failures...)
}

// member is one line of CLUSTER NODES.
type member struct {
	id, announced, primary string // primary: the ID of a replica's primary
	slots                  []string
	first                  int // its lowest slot
	replica                bool
}

func (d *discovery) members(ctx context.Context, addr string) ([]member, error) {
	conn, err := resp.Dial(ctx, d.options(addr))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	v, err := conn.Do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return nil, fmt.Errorf("ask %s for the nodes of its cluster: %w", addr, err)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	members, err := parseNodes(v.Str, host)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the nodes of its cluster: %w", addr, err)
	}
	return members, nil
}

// parseNodes reads CLUSTER NODES: "<id> <ip:port@bus[,name]> <flags> <primary> <ping> <pong> <epoch> <link> <slot> ...". A node that does not know
// its own address leaves it out: then it is the host that was asked. Nodes in handshake are left out. See
// https://redis.io/docs/latest/commands/cluster-nodes/.
func parseNodes(text, host string) ([]member, error) {
	var members []member
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 8 || len(members) >= maxNodes {
			return nil, fmt.Errorf("%w: CLUSTER NODES has the line %.80q", resp.ErrProtocol, line)
		}
		m := member{id: fields[0], primary: fields[3]}
		flags := strings.Split(fields[2], ",")
		if slices.Contains(flags, "noaddr") || slices.Contains(flags, "handshake") {
			continue
		}
		m.replica = slices.Contains(flags, "slave")
		at, _, _ := strings.Cut(fields[1], ",")
		at, _, _ = strings.Cut(at, "@")
		colon := strings.LastIndexByte(at, ':')
		if colon < 0 {
			return nil, fmt.Errorf("%w: CLUSTER NODES has the line %.80q", resp.ErrProtocol, line)
		}
		var ok bool
		if m.announced, ok = announced(cmp.Or(at[:colon], host), at[colon+1:]); !ok {
			continue
		}
		for _, slot := range fields[8:] {
			if strings.HasPrefix(slot, "[") { // it is being moved from here, or to here
				continue
			}
			first, _, _ := strings.Cut(slot, "-")
			n, err := strconv.Atoi(first)
			if err != nil {
				return nil, fmt.Errorf("%w: CLUSTER NODES has the line %.80q", resp.ErrProtocol, line)
			}
			if len(m.slots) == 0 {
				m.first = n
			}
			m.slots = append(m.slots, slot)
		}
		members = append(members, m)
	}
	return members, nil
}

// shards returns the primaries that have slots, sorted by slot, each with its replicas.
func (d *discovery) shards(ctx context.Context, members []member, seeds []seed) (Topology, error) {
	primaries := slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.replica || len(m.slots) == 0 })
	slices.SortFunc(primaries, func(a, b member) int { return a.first - b.first })
	t := Topology{Kind: Cluster}
	var nodes []Node
	for _, p := range primaries {
		nodes = append(nodes, Node{Addr: d.Reach(p.announced), Announced: p.announced, ID: p.id, Primary: true})
		for _, m := range members {
			if m.replica && m.primary == p.id {
				nodes = append(nodes, Node{Addr: d.Reach(m.announced), Announced: m.announced, ID: m.id})
			}
		}
		t.Shards = append(t.Shards, Shard{Slots: strings.Join(p.slots, ",")})
	}
	if len(nodes) == 0 {
		return t, fmt.Errorf("%w: no node that %s knows has slots", ErrNoPrimary, seeds[0].addr)
	}
	shard := -1
	for _, n := range each(nodes, func(n Node) Node { return d.look(ctx, n) }) {
		if n.Primary {
			shard++
		}
		t.Shards[shard].Nodes = append(t.Shards[shard].Nodes, n)
	}
	reached := make(map[string]bool)
	for _, n := range t.Nodes() {
		reached[n.Info["run_id"]] = true
	}
	for _, s := range seeds { // one without slots may be new; one that belongs to another cluster shares no node
		if others, err := d.members(ctx, s.addr); !reached[s.info["run_id"]] && err == nil && !slices.ContainsFunc(others, func(o member) bool {
			return slices.ContainsFunc(members, func(m member) bool { return m.id == o.id })
		}) {
			return t, fmt.Errorf("%w: %s and %s do not know each other", ErrStrangers, seeds[0].addr, s.addr)
		}
	}
	return t, nil
}

// Moving says which slots are being moved between shards. During a move, neither of the two shards has all of the slot's keys, and an RDB of the
// receiving one can crash a server that loads it. Marks of a move appear only where the nodes concerned describe themselves, and moves by Valkey 9
// and Redis 8.4 leave none, so every primary is asked for both.
func Moving(ctx context.Context, a Access, t Topology) ([]string, error) {
	if t.Kind != Cluster {
		return nil, nil
	}
	d := &discovery{Access: a}
	type answer struct {
		moves []string
		err   error
	}
	var primaries []Node
	for _, n := range t.Nodes() {
		if n.Primary {
			primaries = append(primaries, n)
		}
	}
	var moving []string
	for _, a := range each(primaries, func(n Node) answer {
		moves, err := d.movesAt(ctx, n)
		return answer{moves, err}
	}) {
		if a.err != nil {
			return nil, a.err
		}
		moving = append(moving, a.moves...)
	}
	slices.Sort(moving)
	return slices.Compact(moving), nil
}

func (d *discovery) movesAt(ctx context.Context, n Node) ([]string, error) {
	addr := n.Addr
	conn, err := resp.Dial(ctx, d.options(addr))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	v, err := conn.Do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return nil, fmt.Errorf("ask %s for slots on their way: %w", addr, err)
	}
	moves := openMarks(v.Str)
	v, err = conn.Do(ctx, "CLUSTER", "GETSLOTMIGRATIONS")
	if reply, refused := errors.AsType[resp.Error](err); refused && reply.Code() == "NOPERM" && !strings.HasPrefix(n.Info["redis_version"], "6.") {
		return nil, fmt.Errorf("ask %s for slots on their way: %w: %w", addr, ErrMovesHidden, err) // from 7 on, "unknown command" comes before "not allowed"
	} else if refused {
		return moves, nil // it does not know the command, so its moves leave marks
	} else if err != nil {
		return nil, fmt.Errorf("ask %s for slots on their way: %w", addr, err)
	}
	return append(moves, openMigrations(v)...), nil
}

// openMarks returns the slots that a node is giving or taking: "[93-<-292f8b...]" in its own line.
func openMarks(text string) []string {
	var open []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !slices.Contains(strings.Split(fields[2], ","), "myself") {
			continue
		}
		for _, mark := range fields[8:] {
			if slot, _, found := strings.Cut(strings.TrimPrefix(mark, "["), "-"); found && mark[0] == '[' {
				open = append(open, slot)
			}
		}
	}
	return open
}

// openMigrations returns the slot ranges that CLUSTER GETSLOTMIGRATIONS lists as not ended.
func openMigrations(v resp.Value) []string {
	var ranges []string
	for _, migration := range v.Array {
		fields := pairs(migration)
		switch state := strings.ToLower(fields["state"]); state {
		case "", "success", "failed", "cancelled", "canceled":
		default:
			ranges = append(ranges, fields["slot_ranges"])
		}
	}
	return ranges
}

// MissingSlots says which slots no shard has, or more than one; "" if each has exactly one.
func (t Topology) MissingSlots() string {
	if t.Kind != Cluster {
		return ""
	}
	sets := make([]string, len(t.Shards))
	for i, shard := range t.Shards {
		sets[i] = shard.Slots
	}
	missing, err := slots.Missing(sets)
	if bad, is := errors.AsType[*slots.Error](err); is {
		return bad.Piece
	}
	return missing
}
