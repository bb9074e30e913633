package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/drain"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// A copy or an export into another store that fails takes back what it has written there: whole objects and, in a bucket, unfinished uploads. If the
// other store does not allow that, this is written down and tried again every hour.

// remainsTried is for how long taking back is tried again.
const remainsTried = 7 * 24 * time.Hour

// remainsLock is held while something is taken back later, so that this never meets a run that writes the same keys anew. No cluster can have this
// name.
const remainsLock = "what was left in other stores"

// abroad tells how what a kind of run writes to another store is recognized there.
type abroad struct {
	writes    func(models.CopyArgs, archive.Manifest) archive.Manifest // the manifest of what it writes, given its source's
	takesBack func(ctx context.Context, st target, args models.CopyArgs, manifest archive.Manifest, ours map[string]int64) error
}

// abroads has the kinds that write to other stores. It is not part of the other table because these runs take back what earlier ones have left.
var abroads = map[models.RunKind]abroad{
	models.RunCopy:   {writesCopy, takeBackCopy},
	models.RunExport: {writesFiles, takeBackFiles},
}

// remains are what runs have left in other stores.
type remains struct {
	kit
	clocks *clocks
	opener *opener
}

// undo takes back what a failed run has written, unless the run is begun again: after the console was stopped, or by another console, whose objects
// have the same keys.
func (r *remains) undo(ctx context.Context, run models.Run, st target, manifest archive.Manifest, ours map[string]int64) {
	if errors.Is(context.Cause(ctx), drain.ErrStopping) {
		return
	}
	left := r.DB.Runs.Hold(context.WithoutCancel(ctx), run)
	if errors.Is(left, models.ErrRunEnded) {
		return
	}
	if left == nil {
		left = r.takeBack(ctx, run.ID, st, manifest, ours)
	}
	if left != nil {
		r.leave(ctx, run.ID, &manifest, left)
	}
}

// takeBack removes what this run has put into another store. Before the run began it wrote down which keys were free. Of what lies there now, only
// exactly what the run writes is taken for its own.
func (r *remains) takeBack(ctx context.Context, id uint, st target, manifest archive.Manifest, ours map[string]int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queue.SettleTimeout)
	defer cancel()
	run, err := r.DB.Runs.Get(ctx, id)
	if err != nil {
		return err
	}
	args, err := models.Args[models.CopyArgs](run)
	if err != nil || len(args.Written) == 0 {
		return err
	}
	return abroads[run.Kind].takesBack(ctx, st, args, manifest, ours)
}

// takeBackCopy takes back a copy: its manifest, then the parts that have the name and length of one of its own.
func takeBackCopy(ctx context.Context, st target, args models.CopyArgs, manifest archive.Manifest, _ map[string]int64) error {
	ref := manifest.Ref()
	if !slices.Contains(args.Written, copyNote(manifest.At())) {
		return nil
	}
	if err := st.clear(ctx, copiedKeys(manifest)...); err != nil {
		return err
	}
	whole, err := archive.New(st).Manifest(ctx, ref)
	ours := err == nil && sameParts(whole, manifest) || errors.Is(err, archive.ErrInvalid)
	switch {
	case err == nil && !ours && manifest.Attempt == "":
		return nil // somebody else's, and so may be the parts, which have the same names
	case err != nil && !ours && !errors.Is(err, archive.ErrMissing) && !errors.Is(err, archive.ErrNewer):
		return err
	}
	if ours {
		if err := st.Delete(ctx, ref.String()+"/manifest.json"); err != nil {
			return err
		}
	}
	at := manifest.At()
	if at.ID != "" { // else it wrote none
		if err := st.Delete(ctx, ref.String()+"/"+at.Contents()); err != nil {
			return err
		}
	}
	for _, part := range manifest.Parts {
		if at.ID != "" {
			if err := st.Delete(ctx, ref.String()+"/"+at.Filter(part.Number)); err != nil {
				return err
			}
		}
		if err := removeSized(ctx, st, ref.String()+"/"+part.Object, part.StoredBytes); err != nil {
			return err
		}
	}
	return nil
}

// writesCopy returns the manifest of a copy, as the last attempt wrote it if there was one.
func writesCopy(args models.CopyArgs, manifest archive.Manifest) archive.Manifest {
	manifest.Snapshot = args.Target
	if at, begun := copyAttempt(args, manifest.Ref()); begun {
		return manifest.In(at)
	}
	return manifest
}

// copiedKeys are the keys of a snapshot's objects.
func copiedKeys(manifest archive.Manifest) []string {
	return manifest.At().Keys(len(manifest.Parts))
}

func writesFiles(_ models.CopyArgs, manifest archive.Manifest) archive.Manifest { return manifest }

// takeBackFiles takes back the files of an export: those that it knows it wrote (ours, with their lengths), and under the names it had found free,
// those that read back as exactly its bytes. A Put whose answer was lost may have left one.
func takeBackFiles(ctx context.Context, st target, args models.CopyArgs, manifest archive.Manifest, ours map[string]int64) error {
	failures := []error{st.clear(ctx, args.Written...)}
	for _, part := range manifest.Parts {
		key := models.ExportedObject(args.Target, part.Number)
		if !slices.Contains(args.Written, key) {
			continue
		}
		size, sure := ours[key]
		if !sure {
			switch err := archive.VerifyPlain(ctx, st, key, part, new(archive.Progress)); {
			case err == nil:
				size = part.Bytes
			case errors.Is(err, archive.ErrMissing), errors.Is(err, archive.ErrDamaged):
				continue // there is none, or somebody else's
			default:
				failures = append(failures, err)
				continue
			}
		}
		failures = append(failures, removeSized(ctx, st, key, size))
	}
	return errors.Join(failures...)
}

// removeSized removes an object if it has this length. A Put leaves a whole object or none.
func removeSized(ctx context.Context, st store.Store, key string, size int64) error {
	object, err := st.Stat(ctx, key)
	if errors.Is(err, store.ErrNotExist) || err == nil && object.Size != size {
		return nil
	} else if err != nil {
		return err
	}
	return st.Delete(ctx, key)
}

// leave writes down that a run may have left something in another store. manifest is that of what was written, nil when it is not known. A run that
// is begun again, because the console stops, leaves nothing.
func (r *remains) leave(ctx context.Context, id uint, manifest *archive.Manifest, cause error) {
	if errors.Is(context.Cause(ctx), drain.ErrStopping) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queue.SettleTimeout)
	defer cancel()
	run, err := r.DB.Runs.Get(ctx, id)
	var args models.CopyArgs
	if err == nil {
		args, err = models.Args[models.CopyArgs](run)
	}
	if err == nil && len(args.Written) == 0 {
		return
	}
	var text []byte
	if err == nil && manifest != nil {
		text, err = json.Marshal(manifest)
	}
	if err == nil {
		err = r.DB.Remains.Note(ctx, run, text, fmt.Sprintf("What the %s of the snapshot %s had written to %s could not be removed: %s. It is tried again every hour for %d days.",
			run.Kind, args.Source, place(args.Store), remaining(args), int(remainsTried.Hours())/24))
	}
	r.Logger.Error("remove what a run had written to another store", "run", id, "objects", args.Written, "error", errors.Join(cause, err))
}

// remaining names what may be left.
func remaining(args models.CopyArgs) string {
	names := args.Written
	if more := len(names) - 5; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), more)
	}
	return strings.Join(names, ", ")
}

// takeBackLater is the hourly tick for what was left in other stores.
func (r *remains) takeBackLater(ctx context.Context) {
	all, err := r.DB.Remains.All(ctx)
	for _, left := range all {
		if ctx.Err() != nil {
			return
		}
		if failure := r.takeBackOne(ctx, left); failure != nil && ctx.Err() == nil {
			r.Logger.Warn("remove what was left in another store", "run", left.Run, "error", failure)
		}
	}
	if err != nil && ctx.Err() == nil {
		r.Logger.Error("look for what was left in other stores", "error", err)
	}
}

// takeBackBefore takes back what earlier runs left in a store that is about to be written to: afterwards it could not be told apart.
func (r *remains) takeBackBefore(ctx context.Context, url string) error {
	all, err := r.DB.Remains.All(ctx)
	if err != nil {
		return err
	}
	for _, left := range all {
		run, err := r.DB.Runs.Get(ctx, left.Run)
		if err != nil {
			return err
		}
		args, err := models.Args[models.CopyArgs](run)
		if err == nil && place(args.Store) == place(url) {
			err = r.takeBackOne(ctx, left)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remains) takeBackOne(ctx context.Context, left models.Remains) error {
	unlock, err := r.Lock(ctx, remainsLock)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := r.DB.Remains.All(ctx) // again, now that nobody else is doing it
	if err != nil || !slices.ContainsFunc(all, func(r models.Remains) bool { return r.Run == left.Run }) {
		return err
	}
	run, err := r.DB.Runs.Get(ctx, left.Run)
	if err != nil {
		return err
	}
	args, err := models.Args[models.CopyArgs](run)
	if err != nil {
		return err
	}
	where := place(args.Store)
	failure := r.takeBackFrom(ctx, run, args, left)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failure == nil:
		return r.DB.Remains.End(ctx, run, models.SeverityInfo, fmt.Sprintf("What the %s of the snapshot %s had left in %s is gone.", run.Kind, args.Source, where))
	case r.clocks.agree(ctx) && r.DB.Now().Sub(left.Since) >= remainsTried:
		return errors.Join(failure, r.DB.Remains.End(ctx, run, models.SeverityWarning, fmt.Sprintf("What the %s of the snapshot %s had left in %s could not be removed "+
			"in %d days, and is no longer looked for: %s. Remove it by hand; in a bucket, its unfinished multipart uploads too.",
			run.Kind, args.Source, where, int(remainsTried.Hours())/24, remaining(args))))
	}
	return failure
}

func (r *remains) takeBackFrom(ctx context.Context, run models.Run, args models.CopyArgs, left models.Remains) error {
	var manifest archive.Manifest
	if len(left.Manifest) > 0 {
		if err := json.Unmarshal(left.Manifest, &manifest); err != nil {
			return fmt.Errorf("read what run %d had written: %w", run.ID, err)
		}
	} else {
		source, err := r.DB.Snapshots.Get(ctx, args.Source)
		if err != nil {
			return err
		}
		if manifest, err = r.archive.Manifest(ctx, refOf(source)); err != nil {
			return err
		}
		manifest = abroads[run.Kind].writes(args, manifest)
	}
	st, release, err := r.opener.target(ctx, args.Store)
	if err != nil {
		return err
	}
	defer release()
	return r.takeBack(ctx, run.ID, st, manifest, nil)
}
