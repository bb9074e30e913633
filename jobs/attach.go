package jobs

import (
	"context"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Examine says what a cluster is that might be attached, and whether snapshots of it could be taken. Nothing is written down. Refusals are
// [models.Faults].
func (m *Manager) Examine(ctx context.Context, spec models.AttachSpec) (models.Examination, error) {
	return m.attached.Examine(ctx, spec)
}

// Attach attaches a cluster as it is found. Refusals are [models.Faults].
func (m *Manager) Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error) {
	return m.attached.Attach(ctx, spec)
}

// ChangeAccess changes how an attached cluster is reached, once it was found in the new way. Refusals are [models.Faults].
func (m *Manager) ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error {
	return m.attached.ChangeAccess(ctx, name, access, password, requestedBy)
}
