package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// This file stands between the catalog and what may be removed from the store. A name alone proves nothing: after a database was lost, or with
// two consoles on one store, a committed snapshot of the same name may be there that this catalog does not know. Nothing here ever touches one:
// what the catalog's own attempt has stored is told by the attempt's id.

// errNameInStore refuses a snapshot whose place in the store is taken.
var errNameInStore = errors.New("the store already has a snapshot of this name that the catalog does not know: choose another name, or rebuild the catalog")

// stored tells what lies in a snapshot's place: its own manifest, or none, or somebody else's.
func (m *Manager) stored(ctx context.Context, row models.Snapshot) (manifest archive.Manifest, committed, foreign bool, err error) {
	manifest, err = m.archive.Manifest(ctx, refOf(row))
	switch {
	case err == nil:
		return manifest, true, !owns(row, manifest), nil
	case errors.Is(err, archive.ErrMissing):
		return manifest, false, false, nil
	case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		// It cannot be read. If the catalog had this snapshot as complete it is ours and broken; else it is not ours.
		return manifest, true, row.CompletedAt == nil, nil
	}
	return manifest, false, false, err
}

// owns tells whether a manifest is of what this row stands for.
func owns(row models.Snapshot, manifest archive.Manifest) bool {
	if row.Attempt != "" || manifest.Attempt != "" {
		return row.Attempt == manifest.Attempt
	}
	// Of format version 1, which has no attempts: a row that is complete has the same parts, any other is as old.
	if row.CompletedAt == nil {
		return manifest.CreatedAt.Equal(row.CreatedAt)
	}
	return slices.EqualFunc(row.Parts, manifest.Parts, func(a models.Part, b archive.Part) bool { return a.StoredSHA256 == b.StoredSHA256 })
}

// manifest reads the manifest of a snapshot that the catalog holds for whole. One that is not the manifest that the catalog remembers is
// ErrDamaged.
func (m *Manager) manifest(ctx context.Context, row models.Snapshot) (archive.Manifest, error) {
	manifest, err := m.archive.Manifest(ctx, refOf(row))
	if err == nil && row.ManifestSHA256 != "" && manifest.Hash != row.ManifestSHA256 {
		err = fmt.Errorf("the manifest of %s is %w: its hash is %s instead of %s", refOf(row), archive.ErrDamaged, manifest.Hash, row.ManifestSHA256)
	}
	return manifest, err
}

// beginAttempt makes room for a new attempt at storing a snapshot, and writes it down before it stores anything: what lies in the store without
// being known to belong to anybody is never removed.
func (m *Manager) beginAttempt(ctx context.Context, run models.Run, row models.Snapshot) (archive.Attempt, error) {
	if err := m.removeStored(ctx, row); err != nil {
		return archive.Attempt{}, err
	}
	at := archive.NewAttempt(refOf(row))
	return at, m.DB.Snapshots.NoteAttempt(ctx, run, row.Name, at.ID)
}

// removeStored removes a snapshot from the store, or what an attempt at it has left. That of somebody else stays, and is a failure when it
// lies where a whole snapshot of this catalog was.
func (m *Manager) removeStored(ctx context.Context, row models.Snapshot) error {
	_, committed, foreign, err := m.stored(ctx, row)
	if err != nil {
		return fmt.Errorf("look at snapshot %s in the store: %w", row.Name, err)
	}
	if foreign {
		m.Logger.Warn("a snapshot of this name in the store is not the catalog's; it stays", "snapshot", row.Name, "cluster", row.ClusterName)
	}
	if !foreign || row.Attempt != "" { // without an attempt its parts have the names that a foreign one's may have
		if err := m.archive.Remove(ctx, attemptOf(row), committed && !foreign); err != nil {
			return fmt.Errorf("remove snapshot %s from the store: %w", row.Name, err)
		}
		m.abandon(ctx, row)
	}
	if foreign && row.CompletedAt != nil {
		return because(nil, "In the store there is another snapshot in the place of %s: its manifest is not the one that the catalog remembers. It was left as it is. "+
			"Look at %s in %s, and remove it there by hand if nobody needs it; then delete the snapshot again.", row.Name, refOf(row), m.Store.Location())
	}
	return nil
}

// abandon takes back what was sent of a snapshot that never was committed and has not become an object: a bucket keeps that until it is
// told otherwise. A failure costs nothing but space, for some hours: what is left the sweep of the store takes.
func (m *Manager) abandon(ctx context.Context, row models.Snapshot) {
	bucket, ok := m.Store.(store.Abandoner)
	if !ok || row.CompletedAt != nil {
		return
	}
	if err := bucket.Abandon(ctx, attemptOf(row).Keys(max(1, row.ShardCount))...); err != nil {
		m.Logger.Warn("abandon the uploads of a snapshot; the sweep of the store tries again", "snapshot", row.Name, "error", err)
	}
}

// whole tells whether all of a snapshot that the catalog had as complete is in the store still, by the lengths of its objects.
func (m *Manager) whole(ctx context.Context, row models.Snapshot) bool {
	manifest, committed, foreign, err := m.stored(ctx, row)
	if err != nil || !committed || foreign || row.CompletedAt == nil || len(manifest.Parts) == 0 {
		return false
	}
	for _, part := range manifest.Parts {
		object, err := m.Store.Stat(ctx, refOf(row).String()+"/"+part.Object)
		if err != nil || object.Size != part.StoredBytes {
			return false
		}
	}
	return true
}

// settleRemoval ends the removal of a snapshot that the store refused. The manifest goes first: as long as that is there nothing was removed,
// and the snapshot is what it was.
func (m *Manager) settleRemoval(ctx context.Context, run models.Run, f queue.Failure) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil && m.whole(ctx, row) {
		return m.DB.Snapshots.Keep(ctx, run, f.Reason)
	}
	return m.fail(ctx, run, f)
}

// usable fails when the store cannot be written now, or is not what was opened: a folder that is moved away takes what is written with it.
func (m *Manager) usable(ctx context.Context) error { return m.unusable(ctx, m.Store.Check(ctx)) }

// inPlace fails when the store was moved since it was opened, so that what was just committed is not where it should be. That it does not
// answer at the moment proves nothing.
func (m *Manager) inPlace(ctx context.Context) error {
	s, can := m.Store.(interface{ Present(context.Context) error })
	if !can {
		return nil
	}
	if err := s.Present(ctx); !errors.Is(err, store.ErrUnavailable) {
		return m.unusable(ctx, err)
	}
	return nil
}

func (m *Manager) unusable(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case sentence(err) != unexpected && !errors.Is(err, store.ErrNotExist):
		return err
	}
	return because(err, "The snapshot store %s is not what it was when Rekindle was started: it was moved, removed or unmounted, or cannot be written. "+
		"Bring it back, or restart Rekindle with the right --store.", m.Store.Location())
}
