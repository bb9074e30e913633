package nodes

import (
	"context"
	"time"

	"rekindle/models"
)

// Seen is a node's row, updated with its state now, whoever started it. A replica alone does not tell how far it is behind: its lag is 0 as long
// as its link is up.
func Seen(ctx context.Context, cluster models.Cluster, node models.Node, now time.Time) models.Node {
	s, err := Probe(ctx, cluster, node)
	if err != nil {
		node.State = "unreachable"
		return node
	}
	node.State, node.SeenAt, node.UsedMemory, node.MaxMemory, node.Keys, node.LagBytes = "available", &now, s.UsedMemory, s.MaxMemory, s.Keys, 0
	if s.Loading || s.Syncing {
		node.State = "loading"
	}
	if s.Replica && !s.LinkUp {
		node.LagBytes = -1
	}
	return node
}
