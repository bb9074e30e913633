package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/archive"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Copier copies snapshots: here, under another name, and into other stores.
type Copier struct {
	kit
	reader  *Reader
	mover   *Mover
	remains *remains
	opener  *opener
}

// Copy is the body of a copy: object to object, compared on the way, read back, and only then committed.
func (c *Copier) Copy(ctx context.Context, run models.Run, args models.CopyArgs, report *queue.Report) error {
	source, err := c.DB.Snapshots.Get(ctx, args.Source)
	if err != nil {
		return err
	}
	manifest, err := c.reader.Manifest(ctx, source)
	if err != nil {
		if args.Store != "" {
			c.remains.leave(ctx, run.ID, nil, err) // of an earlier attempt
		}
		return fmt.Errorf("copy %s: %w", source.Name, err)
	}
	from := manifest
	if c.hidesNames(ctx) {
		manifest = manifest.WithoutNames()
	}
	manifest.Snapshot, manifest.Source = args.Target, archive.Manual
	manifest.Origin = fmt.Sprintf("Copied from %s on %s UTC.", source.Name, run.CreatedAt.UTC().Format("2006-01-02 15:04"))
	if args.Store != "" {
		return c.copyOut(ctx, run, from, manifest, args, report)
	}
	target, err := c.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	manifest.Origin, manifest.CreatedAt = target.Origin, target.CreatedAt
	at, complete, err := c.mover.clearPlace(ctx, run, target)
	if err != nil || complete {
		return err
	}
	manifest = manifest.In(at)
	if err := c.copyParts(ctx, from, manifest, c.archive, report); err != nil {
		return err
	}
	c.describeCopy(ctx, from, manifest, c.archive)
	return c.mover.commit(ctx, run, manifest, "")
}

// copyParts copies the parts of a snapshot to the place that the manifest names, and reads them back.
func (c *Copier) copyParts(ctx context.Context, from, manifest archive.Manifest, to *archive.Archive, report *queue.Report) error {
	for i, part := range manifest.Parts {
		var progress, check archive.Progress
		report := queue.Part(report, i, len(manifest.Parts))
		report.Step(1, 2, fmt.Sprintf("Copying part %d of %d", part.Number, len(manifest.Parts)), func() models.Progress {
			return models.Progress{BytesDone: progress.Stored(), BytesTotal: part.StoredBytes}
		})
		if _, err := c.archive.CopyPart(ctx, from.Ref(), from.Parts[i], to, manifest.At(), &progress); err != nil {
			return err
		}
		report.Step(2, 2, fmt.Sprintf("Reading part %d of %d back", part.Number, len(manifest.Parts)), func() models.Progress {
			return models.Progress{BytesDone: check.Stored(), BytesTotal: part.StoredBytes}
		})
		if err := to.ReadBack(ctx, manifest.Ref(), part, &check); err != nil {
			return fmt.Errorf("verify the copy: %w", err)
		}
	}
	return nil
}

// copyOut copies a snapshot into another store.
func (c *Copier) copyOut(ctx context.Context, run models.Run, from, manifest archive.Manifest, args models.CopyArgs, report *queue.Report) (err error) {
	ref, done := manifest.Ref(), false
	earlier, begun := copyAttempt(args, ref)
	if begun {
		manifest = manifest.In(earlier)
	}
	st, release, err := c.opener.target(ctx, args.Store)
	if err != nil {
		c.remains.leave(ctx, run.ID, &manifest, err)
		return err
	}
	defer release()
	defer func() {
		if !done {
			c.remains.undo(ctx, run, st, manifest, nil)
		}
	}()
	to, where := archive.New(st), strings.TrimSuffix(args.Store, "/")+" as "+ref.String()
	if begun {
		if err := st.clear(ctx, copiedKeys(manifest)...); err != nil {
			return err
		}
		if whole, err := to.Manifest(ctx, ref); err == nil && sameParts(whole, manifest) {
			done = true
			return c.DB.Settle.Move(context.WithoutCancel(ctx), run, models.Snapshot{}, fmt.Sprintf("The snapshot %s was copied to %s.", args.Source, where))
		}
		if err := c.remains.takeBack(ctx, run.ID, st, manifest, nil); err != nil {
			return err
		}
	}
	if err := c.remains.takeBackBefore(ctx, args.Store); err != nil {
		return err
	}
	for object, err := range st.List(ctx, ref.String()+"/") {
		if err != nil {
			return fmt.Errorf("look into %s: %w", args.Store, err)
		}
		return reason.Because(nil, "There is already something at %s (%s). It was left alone. Choose another name or another store.", where, object.Key)
	}
	manifest = manifest.In(archive.NewAttempt(ref))
	if err := c.DB.Copies.NoteWritten(ctx, run.ID, copyNote(manifest.At())); err != nil {
		return err
	}
	if err := c.copyParts(ctx, from, manifest, to, report); err != nil {
		return err
	}
	c.describeCopy(ctx, from, manifest, to)
	manifest.CompletedAt = c.DB.Now()
	if _, err := to.Commit(ctx, manifest); err != nil {
		return fmt.Errorf("commit the copy: %w", err)
	}
	done = true
	report.Stage("Copied to "+where, nil)
	return c.DB.Settle.Move(context.WithoutCancel(ctx), run, models.Snapshot{}, fmt.Sprintf("The snapshot %s was copied to %s.", args.Source, where))
}

// copyNote is what a run writes down when it copies into another store at this attempt.
func copyNote(at archive.Attempt) string {
	if at.ID == "" {
		return at.Ref.String()
	}
	return at.Ref.String() + copyNoted + at.ID
}

const copyNoted = " at the attempt "

// copyAttempt returns the last attempt at a copy into another store that a run has written down, if any.
func copyAttempt(args models.CopyArgs, ref archive.Ref) (archive.Attempt, bool) {
	for _, written := range slices.Backward(args.Written) {
		if written == ref.String() { // by a console that did not have attempts yet
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
