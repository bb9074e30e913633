package formation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/resp"
)

// View is what a node says of its place in the cluster.
type View struct {
	ID     string
	Slots  string // that it serves as a primary, "0-5460,9000"
	Served bool   // it finds all slots served, and takes commands
}

// Look asks a node for its place.
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

// readPlace reads the line of the node itself: "<id> <address> myself,<flags> <primary> <ping> <pong> <epoch> <link> <slot> ...". A slot in
// brackets is on its way to or from another shard.
func readPlace(text string) View {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !slices.Contains(strings.Split(fields[2], ","), "myself") {
			continue
		}
		sets := slices.DeleteFunc(fields[8:], func(set string) bool { return strings.HasPrefix(set, "[") })
		return View{ID: fields[0], Slots: strings.Join(sets, ",")}
	}
	return View{}
}
