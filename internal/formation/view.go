package formation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/resp"
	hashslots "rekindle/internal/slots"
)

// View is what a node says about its place in the cluster.
type View struct {
	ID     string
	Slots  string // those that it serves as a primary, "0-5460,9000"
	Moving bool   // some slot is being moved from or to it
	Served bool   // it finds all slots served, and takes commands
}

// Look asks a node about its place.
func Look(ctx context.Context, conn *resp.Conn) (View, error) {
	nodes, err := conn.Do(ctx, "CLUSTER", "NODES")
	if err != nil {
		return View{}, fmt.Errorf("ask a node for its place in the cluster: %w", err)
	}
	info, err := conn.Do(ctx, "CLUSTER", "INFO")
	if err != nil {
		return View{}, fmt.Errorf("ask a node how its cluster is: %w", err)
	}
	v := readPlace(nodes.Str)
	v.Served = resp.ParseInfo(info.Str)["cluster_state"] == "ok"
	return v, nil
}

// member is a line of CLUSTER NODES: "<id> <address> <flags> <primary> <ping> <pong> <epoch> <link> <slot> ...". A slot in brackets is being moved to
// or from another shard.
type member struct {
	id    string
	flags []string
	sets  []string
	moves bool
}

func readMembers(text string) (members []member) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		all := len(fields) - 8
		sets := slices.DeleteFunc(fields[8:], func(set string) bool { return strings.HasPrefix(set, "[") })
		members = append(members, member{id: fields[0], flags: strings.Split(fields[2], ","), sets: sets, moves: len(sets) < all})
	}
	return members
}

// readPlace reads the line of the node itself.
func readPlace(text string) View {
	for _, m := range readMembers(text) {
		if slices.Contains(m.flags, "myself") {
			return View{ID: m.id, Slots: strings.Join(m.sets, ","), Moving: m.moves}
		}
	}
	return View{}
}

// census counts the nodes, the replicas among them, and the slots that are served.
func census(text string) (nodes, replicas, served int) {
	for _, m := range readMembers(text) {
		if slices.Contains(m.flags, "handshake") {
			continue
		}
		if nodes++; slices.Contains(m.flags, "slave") {
			replicas++
		}
		ranges, err := hashslots.Parse(strings.Join(m.sets, ","))
		if err != nil {
			continue // it has none
		}
		for _, r := range ranges {
			served += r.Last - r.First + 1
		}
	}
	return nodes, replicas, served
}
