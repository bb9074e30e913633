package jobs

import (
	"context"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Examine describes a cluster before it is attached, and says whether snapshots of it could be taken. It records nothing. Refusals are
// [models.Faults].
func (m *Manager) Examine(ctx context.Context, spec models.AttachSpec) (models.Examination, error) {
	return m.attached.Examine(ctx, spec)
}

// Attach attaches a cluster as it finds it. Refusals are [models.Faults].
func (m *Manager) Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error) {
	return m.attached.Attach(ctx, spec)
}

// ChangeAccess changes how an attached cluster is reached, after reaching it in the new way. Refusals are [models.Faults].
func (m *Manager) ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error {
	return m.attached.ChangeAccess(ctx, name, access, password, requestedBy)
}
