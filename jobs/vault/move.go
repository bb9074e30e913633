package vault

import (
	"context"
	"errors"
	"fmt"

	"rekindle/internal/archive"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// Mover is what copies, exports and imports share: how a snapshot that comes into the catalog is begun and committed, and how such runs end.
type Mover struct {
	kit
	keeper   *Keeper
	verifier *Verifier
	remains  *remains
}

// clearPlace makes sure that nothing lies where a snapshot is to be stored, and begins an attempt at it. If an earlier attempt of this run has
// already committed it, it is settled as complete.
func (m *Mover) clearPlace(ctx context.Context, run models.Run, row models.Snapshot) (at archive.Attempt, complete bool, err error) {
	if err := m.health.Usable(ctx); err != nil {
		return at, false, err
	}
	manifest, committed, foreign, err := m.keeper.stored(ctx, row)
	switch {
	case err != nil:
		return at, false, fmt.Errorf("look at the place of snapshot %s: %w", row.Name, err)
	case foreign || committed && run.Attempts <= 1:
		return at, false, ErrNameTaken
	case committed:
		return at, true, m.DB.Settle.Move(context.WithoutCancel(ctx), run, describedBy(manifest), "")
	}
	at, err = m.keeper.beginAttempt(ctx, run, row)
	return at, false, err
}

// commit commits a new snapshot of this catalog and records it there, with a warning if there is one.
func (m *Mover) commit(ctx context.Context, run models.Run, manifest archive.Manifest, warning string) (err error) {
	manifest.CompletedAt = m.DB.Now()
	if manifest.Hash, err = m.archive.Commit(ctx, manifest); err != nil {
		return fmt.Errorf("commit snapshot %s: %w", manifest.Snapshot, err)
	}
	if err := m.health.inPlace(ctx); err != nil {
		return err
	}
	measured := describedBy(manifest)
	if warning != "" {
		measured.Warning = warning
	}
	return m.DB.Settle.Move(context.WithoutCancel(ctx), run, measured, "")
}

// describedBy is measuredBy for a snapshot whose row does not say yet what it is of.
func describedBy(manifest archive.Manifest) models.Snapshot {
	s := measuredBy(manifest)
	s.Engine, s.EngineVersion, s.NodeType = manifest.Configuration.Engine, manifest.Configuration.Version, manifest.Configuration.NodeType
	s.TransitEncryption = manifest.Configuration.TransitEncryption
	s.ClusterMode, s.ShardCount, s.Origin = inClusterMode(manifest), max(1, manifest.Configuration.Shards), manifest.Origin
	return s
}

// Settle ends a copy, an export or an import that did not succeed.
func (m *Mover) Settle(ctx context.Context, run models.Run, f queue.Failure) error {
	args, err := run.Carries()
	if err != nil {
		return err
	}
	if args.Source != "" && (errors.Is(f.Err, archive.ErrDamaged) || errors.Is(f.Err, archive.ErrMissing)) {
		defer m.verifier.request(ctx, args.Source, "copy")
	}
	if args.Store != "" { // its body has removed what it wrote, if it came that far
		if errors.Is(f.Err, queue.ErrTooOften) {
			m.remains.leave(ctx, run.ID, nil, f.Err)
		}
		return f.Settle(ctx, m.DB, run)
	}
	if errors.Is(f.Err, ErrNameTaken) {
		return m.DB.Settle.AbandonMove(ctx, run, f.Status, f.Reason)
	}
	removed := m.discard(ctx, run)
	if removed == nil && !FromStore(run) {
		return m.DB.Settle.AbandonMove(ctx, run, f.Status, f.Reason) // the form has said why, and the name is free for another try
	}
	return errors.Join(removed, f.Settle(ctx, m.DB, run))
}

// discard removes what a move has brought into the store.
func (m *Mover) discard(ctx context.Context, run models.Run) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil {
		err = m.keeper.remove(ctx, row)
	}
	if err != nil {
		m.Logger.Error("remove what is left; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
	return err
}

// Elsewhere tells whether a run writes into another store. Such a run is begun again after the console was killed, because it has written down what
// it writes. A run that brings something into the catalog is settled like a snapshot.
func Elsewhere(run models.Run) bool {
	args, err := run.Carries()
	return err == nil && args.Store != ""
}

// FromStore tells whether what an import reads can be read again. What a browser sent cannot.
func FromStore(run models.Run) bool {
	args, err := models.Args[models.ImportArgs](run)
	return err != nil || !args.Upload
}

// RecoverCopy settles a copy that a killed console left. What is stored is the copy's own if its origin says so.
func (m *Mover) RecoverCopy(ctx context.Context, run models.Run) error {
	return m.conclude(ctx, run, func(stored archive.Manifest, row models.Snapshot) bool { return stored.Origin == row.Origin })
}

// RecoverImport settles an import that a killed console left. Only what is stored knows where its data came from.
func (m *Mover) RecoverImport(ctx context.Context, run models.Run) error {
	return m.conclude(ctx, run, func(archive.Manifest, models.Snapshot) bool { return true })
}

// conclude settles a copy or an import by what is stored, if that is its own: the manifest is the commit.
func (m *Mover) conclude(ctx context.Context, run models.Run, own func(archive.Manifest, models.Snapshot) bool) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		return m.DB.Settle.Fail(ctx, run, models.RunFailed, "Rekindle ended in the middle of it.")
	} else if err != nil {
		return err
	}
	manifest, committed, foreign, err := m.keeper.stored(ctx, row)
	switch {
	case err == nil && run.GivenUp != "" && !foreign:
		return m.Settle(ctx, run, queue.Failure{Status: run.GivenUp, Reason: run.Error}) // its remains may already be partly removed
	case err != nil:
		// The store does not answer. Whether the snapshot was committed shows when it does; the next tick asks again.
		m.Logger.Error("look for the manifest of a run that was cut off", "snapshot", run.SnapshotName, "error", err)
		return nil
	case committed && !foreign && own(manifest, row):
		return m.DB.Settle.Move(ctx, run, describedBy(manifest), "")
	case committed:
		text, _ := m.Sentence(ErrNameTaken)
		return m.DB.Settle.AbandonMove(ctx, run, models.RunFailed, text)
	}
	return m.Settle(ctx, run, queue.Failure{Status: models.RunFailed, Reason: "Rekindle ended in the middle of it. What had been stored was removed."})
}
