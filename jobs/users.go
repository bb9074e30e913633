package jobs

import (
	"context"

	"rekindle/jobs/nodes"
	"rekindle/models"
)

// TryUser asks a cluster whether its engine takes the access string of a user, and changes nothing. A refusal says why not.
func (m *Manager) TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error {
	return nodes.TryUser(ctx, cluster, user)
}
