package jobs

import (
	"context"
	"errors"
	"fmt"

	"rekindle/internal/archive"
	"rekindle/models"
)

// This file stands between the catalog and what may be removed from the store. A name alone proves nothing: after a database was lost, or with
// two consoles on one store, a committed snapshot of the same name may be there that this catalog does not know. Nothing here ever touches one.

// errNameInStore refuses a snapshot whose place in the store is taken.
var errNameInStore = errors.New("the store already has a snapshot of this name that the catalog does not know: choose another name, or rebuild the catalog")

// stored tells what lies in a snapshot's place: its own manifest, or none, or somebody else's.
func (m *Manager) stored(ctx context.Context, row models.Snapshot) (manifest archive.Manifest, committed, foreign bool, err error) {
	manifest, err = m.archive.Manifest(ctx, refOf(row))
	switch {
	case err == nil:
		return manifest, true, !manifest.CreatedAt.Equal(row.CreatedAt), nil
	case errors.Is(err, archive.ErrMissing):
		return manifest, false, false, nil
	case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		// It cannot be read. If the catalog had this snapshot as complete it is ours and broken; else it is not ours.
		return manifest, true, row.CompletedAt == nil, nil
	}
	return manifest, false, false, err
}

// removeStored removes a snapshot from the store, or what is left of it. That of somebody else stays.
func (m *Manager) removeStored(ctx context.Context, row models.Snapshot) error {
	_, _, foreign, err := m.stored(ctx, row)
	if err != nil {
		return fmt.Errorf("look at snapshot %s in the store: %w", row.Name, err)
	}
	if foreign {
		m.Logger.Warn("a snapshot of this name in the store is not the catalog's; it stays", "snapshot", row.Name, "cluster", row.ClusterName)
		return nil
	}
	if err := m.archive.Remove(ctx, refOf(row)); err != nil {
		return fmt.Errorf("remove snapshot %s from the store: %w", row.Name, err)
	}
	return nil
}
