package jobs

import (
	"context"
	"errors"

	"rekindle/jobs/declared"
	"rekindle/models"
)

// Redeclare reads the clusters file again, for a manager that was started with one, and tells whether what it says is in force. A file with mistakes
// changes nothing and causes an event.
func (m *Manager) Redeclare(ctx context.Context, source declared.Source) (applied bool, err error) {
	file, err := source.Load()
	if mistakes, wrong := errors.AsType[declared.Mistakes](err); wrong {
		return false, m.declared.Refuse(ctx, mistakes)
	} else if err != nil {
		return false, err
	}
	m.Logger.Info("the clusters file was read", "file", file.Path, "clusters", len(file.Clusters))
	m.declared.Declare(file)
	return true, nil
}

// Declared says how far the clusters file is in force.
func (m *Manager) Declared() models.Declared { return m.declared.State() }
