package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/archive"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// copySnapshot is the body of a copy: object to object, compared on the way, read back, and only then committed.
func (m *Manager) copySnapshot(ctx context.Context, run models.Run, args models.CopyArgs, report *queue.Report) error {
	source, err := m.DB.Snapshots.Get(ctx, args.Source)
	if err != nil {
		return err
	}
	manifest, err := m.manifest(ctx, source)
	if err != nil {
		if args.Store != "" {
			m.leave(ctx, run.ID, nil, err) // of an earlier attempt
		}
		return fmt.Errorf("copy %s: %w", source.Name, err)
	}
	from := manifest
	manifest.Snapshot, manifest.Source = args.Target, archive.Manual
	manifest.Origin = fmt.Sprintf("Copied from %s on %s UTC.", source.Name, run.CreatedAt.UTC().Format("2006-01-02 15:04"))
	if args.Store != "" {
		return m.copyOut(ctx, run, from, manifest, args, report)
	}
	target, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	manifest.Origin, manifest.CreatedAt = target.Origin, target.CreatedAt
	at, complete, err := m.clearPlace(ctx, run, target)
	if err != nil || complete {
		return err
	}
	manifest = manifest.In(at)
	if err := m.copyParts(ctx, from, manifest, m.archive, report); err != nil {
		return err
	}
	return m.commitMove(ctx, run, manifest, "")
}

// commitMove commits what has become a snapshot of this catalog, and says so in it, with a warning if there is one.
func (m *Manager) commitMove(ctx context.Context, run models.Run, manifest archive.Manifest, warning string) (err error) {
	manifest.CompletedAt = m.DB.Now()
	if manifest.Hash, err = m.archive.Commit(ctx, manifest); err != nil {
		return fmt.Errorf("commit snapshot %s: %w", manifest.Snapshot, err)
	}
	if err := m.inPlace(ctx); err != nil {
		return err
	}
	measured := describedBy(manifest)
	if warning != "" {
		measured.Warning = warning
	}
	return m.DB.Settle.Move(context.WithoutCancel(ctx), run, measured, "")
}

// describedBy is measuredBy for a snapshot whose row does not know yet what it is of.
func describedBy(manifest archive.Manifest) models.Snapshot {
	s := measuredBy(manifest)
	s.Engine, s.EngineVersion, s.NodeType = manifest.Configuration.Engine, manifest.Configuration.Version, manifest.Configuration.NodeType
	s.ShardCount, s.Origin = max(1, manifest.Configuration.Shards), manifest.Origin
	return s
}

// clearPlace makes sure that nothing lies where a snapshot is to be stored, and begins an attempt at it. When an earlier attempt of this run
// had committed it already, it is settled as complete.
func (m *Manager) clearPlace(ctx context.Context, run models.Run, row models.Snapshot) (at archive.Attempt, complete bool, err error) {
	if err := m.usable(ctx); err != nil {
		return at, false, err
	}
	manifest, committed, foreign, err := m.stored(ctx, row)
	switch {
	case err != nil:
		return at, false, fmt.Errorf("look at the place of snapshot %s: %w", row.Name, err)
	case foreign || committed && run.Attempts <= 1:
		return at, false, errNameInStore
	case committed:
		return at, true, m.DB.Settle.Move(context.WithoutCancel(ctx), run, describedBy(manifest), "")
	}
	at, err = m.beginAttempt(ctx, run, row)
	return at, false, err
}

// copyParts copies the parts of a snapshot to the place that the manifest names, and reads them back.
func (m *Manager) copyParts(ctx context.Context, from, manifest archive.Manifest, to *archive.Archive, report *queue.Report) error {
	var done int64
	total := manifest.StoredBytes()
	for i, part := range manifest.Parts {
		var progress, check archive.Progress
		before := done
		report.Stage(fmt.Sprintf("Copying part %d of %d", part.Number, len(manifest.Parts)), func() models.Progress {
			return models.Progress{BytesDone: before + progress.Stored(), BytesTotal: total}
		})
		if _, err := m.archive.CopyPart(ctx, from.Ref(), from.Parts[i], to, manifest.At(), &progress); err != nil {
			return err
		}
		report.Stage(fmt.Sprintf("Reading part %d of %d back", part.Number, len(manifest.Parts)), func() models.Progress {
			return models.Progress{BytesDone: before + check.Stored(), BytesTotal: total}
		})
		if err := to.ReadBack(ctx, manifest.Ref(), part, &check); err != nil {
			return fmt.Errorf("verify the copy: %w", err)
		}
		done += part.StoredBytes
	}
	return nil
}

// copyOut copies a snapshot into another store.
func (m *Manager) copyOut(ctx context.Context, run models.Run, from, manifest archive.Manifest, args models.CopyArgs, report *queue.Report) (err error) {
	ref, done := manifest.Ref(), false
	earlier, begun := copyAttempt(args, ref)
	if begun {
		manifest = manifest.In(earlier)
	}
	st, release, err := m.openTarget(ctx, args.Store)
	if err != nil {
		m.leave(ctx, run.ID, &manifest, err)
		return err
	}
	defer release()
	defer func() {
		if !done {
			m.undo(ctx, run, st, manifest, nil)
		}
	}()
	to, where := archive.New(st), strings.TrimSuffix(args.Store, "/")+" as "+ref.String()
	if begun {
		if err := st.clear(ctx, copiedKeys(manifest)...); err != nil {
			return err
		}
		if whole, err := to.Manifest(ctx, ref); err == nil && sameParts(whole, manifest) {
			done = true
			return m.DB.Settle.Move(context.WithoutCancel(ctx), run, models.Snapshot{}, fmt.Sprintf("The snapshot %s was copied to %s.", args.Source, where))
		}
		if err := m.takeBack(ctx, run.ID, st, manifest, nil); err != nil {
			return err
		}
	}
	if err := m.takeBackBefore(ctx, args.Store); err != nil {
		return err
	}
	for object, err := range st.List(ctx, ref.String()+"/") {
		if err != nil {
			return fmt.Errorf("look into %s: %w", args.Store, err)
		}
		return because(nil, "There is already something at %s (%s). It was left as it is. Choose another name or another store.", where, object.Key)
	}
	manifest = manifest.In(archive.NewAttempt(ref))
	if err := m.DB.Copies.NoteWritten(ctx, run.ID, copyNote(manifest.At())); err != nil {
		return err
	}
	if err := m.copyParts(ctx, from, manifest, to, report); err != nil {
		return err
	}
	manifest.CompletedAt = m.DB.Now()
	if _, err := to.Commit(ctx, manifest); err != nil {
		return fmt.Errorf("commit the copy: %w", err)
	}
	done = true
	report.Stage("Copied to "+where, nil)
	return m.DB.Settle.Move(context.WithoutCancel(ctx), run, models.Snapshot{}, fmt.Sprintf("The snapshot %s was copied to %s.", args.Source, where))
}

// copyNote is how a run writes down that it copies into another store at this attempt.
func copyNote(at archive.Attempt) string {
	if at.ID == "" {
		return at.Ref.String()
	}
	return at.Ref.String() + copyNoted + at.ID
}

const copyNoted = " at the attempt "

// copyAttempt is the last attempt at a copy into another store that a run has written down, if there is one.
func copyAttempt(args models.CopyArgs, ref archive.Ref) (archive.Attempt, bool) {
	for _, written := range slices.Backward(args.Written) {
		if written == ref.String() { // by a console that had no attempts yet
			return archive.Attempt{Ref: ref}, true
		}
		if id, found := strings.CutPrefix(written, ref.String()+copyNoted); found {
			return archive.Attempt{Ref: ref, ID: id}, true
		}
	}
	return archive.Attempt{}, false
}

// sameParts tells whether two manifests are of the same snapshot, stored at the same attempt with the same bytes.
func sameParts(a, b archive.Manifest) bool {
	return a.At() == b.At() && slices.EqualFunc(a.Parts, b.Parts, func(x, y archive.Part) bool {
		return x.Number == y.Number && x.Digest() == y.Digest() && x.StoredSHA256 == y.StoredSHA256
	})
}

// settleMove ends a copy, an export or an import that did not succeed.
func (m *Manager) settleMove(ctx context.Context, run models.Run, f queue.Failure) error {
	args, err := run.Carries()
	if err != nil {
		return err
	}
	if args.Source != "" && (errors.Is(f.Err, archive.ErrDamaged) || errors.Is(f.Err, archive.ErrMissing)) {
		defer m.suspectSource(ctx, args.Source)
	}
	if args.Store != "" { // its body has removed what it wrote, if it has come so far
		if errors.Is(f.Err, queue.ErrTooOften) {
			m.leave(ctx, run.ID, nil, f.Err)
		}
		return m.fail(ctx, run, f)
	}
	if errors.Is(f.Err, errNameInStore) {
		return m.DB.Settle.AbandonMove(ctx, run, f.Status, f.Reason)
	}
	removed := m.discardMove(ctx, run)
	if removed == nil && !fromStore(run) {
		return m.DB.Settle.AbandonMove(ctx, run, f.Status, f.Reason) // the form has said why, and the name is free for another try
	}
	return errors.Join(removed, m.fail(ctx, run, f))
}

// suspectSource has a snapshot verified whose copy or export failed because of what is stored.
func (m *Manager) suspectSource(ctx context.Context, name string) {
	if _, err := m.DB.Verifications.Request(ctx, name, "copy"); err != nil {
		m.Logger.Warn("verify a snapshot whose copy failed", "snapshot", name, "error", err)
		return
	}
	m.Wake()
}

func (m *Manager) discardMove(ctx context.Context, run models.Run) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil {
		err = m.removeStored(ctx, row)
	}
	if err != nil {
		m.Logger.Error("remove what is left; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
	return err
}

// elsewhere tells whether a run writes into another store, which is begun again after the console was killed: it has written
// down what it writes. What comes into the catalog is settled like a snapshot.
func elsewhere(run models.Run) bool {
	args, err := run.Carries()
	return err == nil && args.Store != ""
}

// recoverCopy settles a copy that a killed console left. What was stored is its own when that says so.
func (m *Manager) recoverCopy(ctx context.Context, run models.Run) error {
	return m.recoverMove(ctx, run, func(stored archive.Manifest, row models.Snapshot) bool { return stored.Origin == row.Origin })
}

// recoverImport settles an import that a killed console left. What its data comes from is only known to what was stored.
func (m *Manager) recoverImport(ctx context.Context, run models.Run) error {
	return m.recoverMove(ctx, run, func(archive.Manifest, models.Snapshot) bool { return true })
}

// recoverMove settles a copy or an import by what is stored, if that is its own: the manifest is the commit.
func (m *Manager) recoverMove(ctx context.Context, run models.Run, own func(archive.Manifest, models.Snapshot) bool) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		return m.DB.Settle.Fail(ctx, run, models.RunFailed, "Rekindle ended in the middle of it.")
	} else if err != nil {
		return err
	}
	manifest, committed, foreign, err := m.stored(ctx, row)
	switch {
	case err == nil && run.GivenUp != "" && !foreign:
		return m.settleMove(ctx, run, queue.Failure{Status: run.GivenUp, Reason: run.Error}) // its remains may be removed in part
	case err != nil:
		// The store does not answer: whether it was committed is known when it does. The next tick asks again.
		m.Logger.Error("look for the manifest of a run that was cut off", "snapshot", run.SnapshotName, "error", err)
		return nil
	case committed && !foreign && own(manifest, row):
		return m.DB.Settle.Move(ctx, run, describedBy(manifest), "")
	case committed:
		return m.DB.Settle.AbandonMove(ctx, run, models.RunFailed, sentence(errNameInStore))
	}
	return m.settleMove(ctx, run, queue.Failure{Status: models.RunFailed, Reason: "Rekindle ended in the middle of it. What had been stored was removed."})
}
