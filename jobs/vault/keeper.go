package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// ErrNameTaken refuses a snapshot whose place in the store is taken.
var ErrNameTaken = errors.New("the store already has a snapshot of this name that the catalog does not know: choose another name, or rebuild the catalog")

// Keeper decides what may be removed from the store. A name alone proves nothing: after a database was lost, or with two consoles on one store, a
// committed snapshot of the same name may be there that this catalog does not know. The Keeper never touches such a snapshot: it knows what the
// catalog's own attempt has stored by the attempt's ID.
type Keeper struct{ kit }

// stored tells what is in a snapshot's place: its own manifest, none, or somebody else's.
func (k *Keeper) stored(ctx context.Context, row models.Snapshot) (manifest archive.Manifest, committed, foreign bool, err error) {
	manifest, err = k.archive.Manifest(ctx, refOf(row))
	switch {
	case err == nil:
		return manifest, true, !owns(row, manifest), nil
	case errors.Is(err, archive.ErrMissing):
		return manifest, false, false, nil
	case errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		// It cannot be read. If the catalog has this snapshot as complete, it is ours and broken; otherwise it is not ours.
		return manifest, true, row.CompletedAt == nil, nil
	}
	return manifest, false, false, err
}

// owns tells whether a manifest belongs to the snapshot of this row.
func owns(row models.Snapshot, manifest archive.Manifest) bool {
	if row.Attempt != "" || manifest.Attempt != "" {
		return row.Attempt == manifest.Attempt
	}
	// Format version 1 has no attempts: a complete row has the same parts, any other was created at the same time.
	if row.CompletedAt == nil {
		return manifest.CreatedAt.Equal(row.CreatedAt)
	}
	return slices.EqualFunc(row.Parts, manifest.Parts, func(a models.Part, b archive.Part) bool { return a.StoredSHA256 == b.StoredSHA256 })
}

// beginAttempt makes room for a new attempt at storing a snapshot, and writes the attempt down before anything is stored: what is in the store and is
// not known to belong to anybody is never removed.
func (k *Keeper) beginAttempt(ctx context.Context, run models.Run, row models.Snapshot) (archive.Attempt, error) {
	if err := k.remove(ctx, row); err != nil {
		return archive.Attempt{}, err
	}
	at := archive.NewAttempt(refOf(row))
	return at, k.DB.Snapshots.NoteAttempt(ctx, run, row.Name, at.ID)
}

// remove removes a snapshot from the store, or what an attempt at it has left. Somebody else's stays, and is an error when it lies where a whole
// snapshot of this catalog was.
func (k *Keeper) remove(ctx context.Context, row models.Snapshot) error {
	_, committed, foreign, err := k.stored(ctx, row)
	if err != nil {
		return fmt.Errorf("look at snapshot %s in the store: %w", row.Name, err)
	}
	if foreign {
		k.Logger.Warn("a snapshot of this name in the store is not the catalog's; it stays", "snapshot", row.Name, "cluster", row.ClusterName)
	}
	if !foreign || row.Attempt != "" { // without an attempt, its parts may have the same names as a foreign one's
		if err := k.archive.Remove(ctx, attemptOf(row), committed && !foreign); err != nil {
			return fmt.Errorf("remove snapshot %s from the store: %w", row.Name, err)
		}
		k.abandon(ctx, row)
	}
	if foreign && row.CompletedAt != nil {
		return reason.Because(nil, "Another snapshot is in the place of %s in the store: its manifest is not the one that the catalog remembers. It was left alone. "+
			"Look at %s in %s, and remove it there by hand if nobody needs it; then delete the snapshot again.", row.Name, refOf(row), k.Store.Location())
	}
	return nil
}

// abandon drops the uploads of a snapshot that was never committed: those that have not become objects, which a bucket keeps until it is told
// otherwise. A failure only costs space, for some hours: the sweep of the store takes what is left.
func (k *Keeper) abandon(ctx context.Context, row models.Snapshot) {
	bucket, ok := k.Store.(store.Abandoner)
	if !ok || row.CompletedAt != nil {
		return
	}
	if err := bucket.Abandon(ctx, attemptOf(row).Keys(max(1, row.ShardCount))...); err != nil {
		k.Logger.Warn("abandon the uploads of a snapshot; the sweep of the store tries again", "snapshot", row.Name, "error", err)
	}
}

// whole tells whether all of a snapshot that the catalog has as complete is still in the store, by the lengths of its objects.
func (k *Keeper) whole(ctx context.Context, row models.Snapshot) bool {
	manifest, committed, foreign, err := k.stored(ctx, row)
	if err != nil || !committed || foreign || row.CompletedAt == nil || len(manifest.Parts) == 0 {
		return false
	}
	for _, part := range manifest.Parts {
		object, err := k.Store.Stat(ctx, refOf(row).String()+"/"+part.Object)
		if err != nil || object.Size != part.StoredBytes {
			return false
		}
	}
	return true
}

// Discard removes what a failed snapshot left in the store. What it cannot remove now, the sweep removes later.
//
// Only a snapshot that is being created can fail. One that the catalog calls available is never touched: its completion was written, even if the
// answer to that was lost.
func (k *Keeper) Discard(ctx context.Context, run models.Run) error {
	row, err := k.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return fmt.Errorf("look at snapshot %s before its remains are removed: %w", run.SnapshotName, err)
	}
	if row.Status != models.SnapshotCreating {
		return nil
	}
	if err := k.remove(ctx, row); err != nil {
		k.Logger.Error("remove what is left of a failed snapshot; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
	return nil
}

// useless tells whether what the store has of a snapshot is of no use to anybody. What was once whole is for somebody to look at, and is removed only
// by hand.
func useless(row models.Snapshot) bool {
	return row.Status == models.SnapshotFailed && row.Damage == ""
}

// ClearAway removes what a run has stored after another console has settled the run as failed: that console may have looked before the last of it was
// stored.
func (k *Keeper) ClearAway(ctx context.Context, run models.Run) {
	row, err := k.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil && useless(row) && row.CompletedAt == nil {
		err = k.remove(ctx, row)
	}
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		k.Logger.Error("remove what is left of a failed snapshot; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
}

func refOf(s models.Snapshot) archive.Ref {
	return archive.Ref{Cluster: s.ClusterName, Snapshot: s.Name}
}

// attemptOf returns the attempt that stored a snapshot, or the last one that tried to.
func attemptOf(s models.Snapshot) archive.Attempt {
	return archive.Attempt{Ref: refOf(s), ID: s.Attempt}
}
