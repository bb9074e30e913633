package jobs

import (
	"context"

	"rekindle/models"
)

// Settle is how a run ends whose body returned err.
func (m *Manager) Settle(ctx context.Context, run models.Run, err error) error {
	return m.settle(ctx, run, err)
}
