package jobs

import (
	"context"
	"os"
	"strings"

	"rekindle/models"
)

// What the notifier needs to know about the store and the host.

// storePresent fails when the store does not answer, or is not taken for the console's own.
func (m *Manager) storePresent(ctx context.Context) error {
	if err := m.vault.Health.Present(ctx); err != nil {
		return err
	}
	return m.vault.Health.Trouble()
}

// storeSpace is how full the store is; zero: it does not say. Buckets never do, and asking them costs money.
func (m *Manager) storeSpace(ctx context.Context) models.Space {
	if !strings.HasPrefix(m.Store.Location(), "dir:") {
		return models.Space{}
	}
	info, err := m.vault.Health.Describe(ctx)
	if err != nil || info.Free < 0 || info.Capacity <= 0 {
		return models.Space{}
	}
	return models.Space{Free: info.Free, Total: info.Capacity}
}

// hostName is this host's name, "" if it has none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
