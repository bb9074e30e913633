package jobs

import (
	"context"

	"rekindle/jobs/nodes"
	"rekindle/models"
)

// TryUser checks, without changing anything, whether a cluster's engine accepts a user's access string. If not, it returns
// [models.Faults] that say why. It skips nodes that are gone, and nodes on another console's host, which may be out of reach.
func (m *Manager) TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error {
	if cluster.NodesGone() || !m.nodes.Here(cluster) {
		return nil
	}
	return nodes.TryUser(ctx, cluster, user)
}
