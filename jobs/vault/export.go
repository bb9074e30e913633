package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Exporter writes snapshots as plain RDB files into people's own stores.
type Exporter struct {
	kit
	reader  *Reader
	remains *remains
	opener  *opener
}

// Export is the body of a run that writes a snapshot's shards as plain RDB files into somebody's own store.
//
// Nothing that exists is overwritten: all names are looked at first, and noted as free before the first byte is written. A store's Put leaves a whole
// object or none. So what is found under a noted name after the console was killed is verified and kept if it is ours, and the rest is written. A run
// that fails removes what it has written.
func (e *Exporter) Export(ctx context.Context, run models.Run, args models.CopyArgs, report *queue.Report) (err error) {
	source, err := e.DB.Snapshots.Get(ctx, args.Source)
	if err != nil {
		return err
	}
	manifest, err := e.reader.Manifest(ctx, source)
	if err != nil {
		e.remains.leave(ctx, run.ID, nil, err) // of an earlier attempt
		return fmt.Errorf("export %s: %w", source.Name, err)
	}
	st, release, err := e.opener.target(ctx, args.Store)
	if err != nil {
		e.remains.leave(ctx, run.ID, &manifest, err)
		return err
	}
	defer release()
	w := exporting{Exporter: e, st: st, run: run, args: args, ref: refOf(source), parts: manifest.Parts, ours: map[string]int64{}, report: report}
	done := false
	defer func() {
		if !done {
			e.remains.undo(ctx, run, st, manifest, w.ours)
		}
	}()
	if err := w.write(ctx); err != nil {
		return err
	}
	done = true
	files := models.ExportedObject(args.Target, 1)
	if n := len(manifest.Parts); n > 1 {
		files = fmt.Sprintf("%s to %s", files, models.ExportedObject(args.Target, n))
	}
	where := files + " in " + args.Store
	report.Stage("Written: "+where, nil)
	return e.DB.Settle.Move(context.WithoutCancel(ctx), run, models.Snapshot{}, fmt.Sprintf("The snapshot %s was exported: %s.", source.Name, where))
}

// exporting is one export.
type exporting struct {
	*Exporter
	st     target
	run    models.Run
	args   models.CopyArgs
	ref    archive.Ref
	parts  []archive.Part
	ours   map[string]int64 // objects that this run has certainly written, with their lengths
	report *queue.Report
}

func (w *exporting) key(part archive.Part) string {
	return models.ExportedObject(w.args.Target, part.Number)
}

func (w *exporting) write(ctx context.Context) error {
	if len(w.args.Written) > 0 { // an earlier attempt had begun
		if err := w.st.clear(ctx, w.args.Written...); err != nil {
			return err
		}
	}
	if err := w.remains.takeBackBefore(ctx, w.args.Store); err != nil {
		return err
	}
	var missing []archive.Part
	for _, part := range w.parts {
		there, err := w.find(ctx, part)
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, part)
		}
	}
	keys := make([]string, len(missing))
	for i, part := range missing {
		keys[i] = w.key(part)
	}
	if err := w.DB.Copies.NoteWritten(ctx, w.run.ID, keys...); err != nil {
		return err
	}
	for i, part := range missing {
		if err := w.put(ctx, part, queue.Part(w.report, i, len(missing))); err != nil {
			return err
		}
	}
	return nil
}

// find tells whether an earlier attempt has already written a part's file. Somebody else's file ends the export.
func (w *exporting) find(ctx context.Context, part archive.Part) (bool, error) {
	key := w.key(part)
	object, err := w.st.Stat(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for %s in %s: %w", key, w.args.Store, err)
	case !slices.Contains(w.args.Written, key) || object.Size != part.Bytes:
		return false, reason.Because(nil, "There is already a file %s in %s. It was left alone. Choose another name or another place.", key, w.args.Store)
	}
	check := step(w.report, 0, 0, "Reading "+key+" back", part)
	if err := archive.VerifyPlain(ctx, w.st, key, part, check); errors.Is(err, archive.ErrDamaged) {
		return false, reason.Because(err, "The file %s in %s is not what this export wrote. It was left alone. Choose another name or another place.", key, w.args.Store)
	} else if err != nil {
		return false, err
	}
	w.ours[key] = part.Bytes
	return true, nil
}

// step reports that all of a part is being read or written.
func step(report queue.Stager, number, of int, text string, part archive.Part) *archive.Progress {
	var progress archive.Progress
	report.Step(number, of, text, func() models.Progress {
		return models.Progress{BytesDone: progress.Bytes(), BytesTotal: part.Bytes}
	})
	return &progress
}

func (w *exporting) put(ctx context.Context, part archive.Part, report queue.Stager) error {
	key := w.key(part)
	written := step(report, 1, 2, "Writing "+key, part)
	if err := w.archive.PutPlain(ctx, w.ref, part, w.st, key, written); err != nil {
		if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrDenied) {
			return reason.Because(err, "%s is full, or cannot be written to. Nothing of the export was kept.", w.args.Store)
		}
		return err
	}
	w.ours[key] = part.Bytes
	if err := archive.VerifyPlain(ctx, w.st, key, part, step(report, 2, 2, "Reading "+key+" back", part)); err != nil {
		return reason.Because(err, "What was written to %s cannot be read back, or reads back differently. Nothing of the export was kept.", w.args.Store)
	}
	return nil
}
