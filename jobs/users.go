package jobs

import (
	"context"

	"rekindle/jobs/nodes"
	"rekindle/models"
)

// TryUser asks a cluster whether its engine takes the access string of a user, and changes nothing. A refusal says why not. Nodes that are gone are
// not asked, nor are those on the host of another console, who may be out of reach from here.
func (m *Manager) TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error {
	if cluster.NodesGone() || !m.nodes.Here(cluster) {
		return nil
	}
	return nodes.TryUser(ctx, cluster, user)
}
