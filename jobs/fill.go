package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/restore"
	"rekindle/internal/words"
	"rekindle/jobs/attached"
	"rekindle/jobs/queue"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// filler restores snapshots into existing clusters.
type filler struct {
	Config
	locks    *locks
	attached *attached.Follower
	reader   *vault.Reader
	verifier *vault.Verifier
}

// may tells whether the snapshot that is taken beforehand has ended.
func (f *filler) may(ctx context.Context, run models.Run, _ int) bool {
	args, err := models.Args[models.FillArgs](run)
	if err != nil {
		return true // it fails with that when it begins
	}
	begin, err := f.DB.Fills.MayBegin(ctx, run, args.Safety)
	return err == nil && begin
}

// fill is the body of a run that restores a snapshot into an existing cluster. Before it writes the first key it checks everything that could be in
// the way and reads the whole snapshot once, so that the cluster's data is not given up for a snapshot that turns out to be damaged.
func (f *filler) fill(ctx context.Context, run models.Run, args models.FillArgs, report *queue.Report) error {
	unlock, err := f.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, row, err := f.DB.Fills.Begin(ctx, run, args.Safety, models.Cluster.NoFill)
	if err != nil {
		return err
	}
	report.Stage("Looking at the cluster", nil)
	cluster, guard, err := f.attached.Prepare(ctx, cluster, func(text string) { report.Stage(text, nil) })
	if err != nil {
		return err
	}
	manifest, err := f.reader.Manifest(ctx, row)
	if err != nil {
		return fmt.Errorf("restore %s: %w", row.Name, err)
	}
	target, err := f.target(ctx, cluster, manifest, args)
	if err != nil {
		return err
	}
	for i, part := range manifest.Parts {
		report.Stage(fmt.Sprintf("Reading the snapshot before anything is written (part %d of %d)", i+1, len(manifest.Parts)), nil)
		if err := f.reader.Verify(ctx, row, part); err != nil {
			return fmt.Errorf("restore %s: %w", row.Name, err)
		}
	}
	if args.Existing == models.ExistingFlush {
		report.Stage("Deleting the keys of "+cluster.Name, nil)
		if err := target.flush(ctx); err != nil {
			return err
		}
	}
	counts, err := f.write(ctx, target, row, manifest, report)
	if err == nil {
		err = guard.Check(ctx)
	}
	var evicted int64
	if err == nil {
		evicted, err = target.evictedMeanwhile(ctx)
	}
	if err != nil {
		if ctx.Err() != nil { // whichever step that cut off
			err = errors.Join(context.Cause(ctx), err)
		}
		return halfWritten(err, counts, args.Existing)
	}
	if len(cluster.Nodes) > len(cluster.Primaries()) {
		report.Stage("Waiting until the replicas have it", nil)
	}
	message := filled(run, counts, evicted) + behindText(f.behind(ctx, cluster), f.ReplicaWait)
	return f.DB.Settle.Fill(context.WithoutCancel(ctx), run, message)
}

// write sends the keys of all parts.
func (f *filler) write(ctx context.Context, target fillTarget, row models.Snapshot, manifest archive.Manifest, report *queue.Report) (restore.Counts, error) {
	w, err := restore.Open(ctx, target.primaries, target.options)
	if err != nil {
		return restore.Counts{}, err
	}
	defer w.Close()
	var read atomic.Int64
	keys := keysOf(manifest)
	for i, part := range manifest.Parts {
		stage := "Writing into " + target.cluster.Name
		if len(manifest.Parts) > 1 {
			stage = fmt.Sprintf("%s (part %d of %d)", stage, i+1, len(manifest.Parts))
		}
		report.Step(1, 1, stage, func() models.Progress {
			c := w.Counts()
			return models.Progress{BytesDone: read.Load(), BytesTotal: manifest.Bytes(), KeysDone: c.Written + c.Kept, KeysTotal: keys}
		})
		if err := writePart(ctx, f.reader, w, row, part, &read); err != nil {
			return w.Counts(), fmt.Errorf("restore part %d of %s into %s: %w", part.Number, row.Name, target.cluster.Name, err)
		}
	}
	return w.Counts(), nil
}

// writePart writes the keys of one part.
func writePart(ctx context.Context, reader *vault.Reader, w interface {
	Write(r io.Reader) (rdb.Summary, error)
}, row models.Snapshot, part archive.Part, read *atomic.Int64) error {
	plain, err := reader.Open(ctx, row, part)
	if err != nil {
		return err
	}
	defer plain.Close()
	_, err = w.Write(counted{plain, read})
	return err
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// settle ends a restore that did not succeed. The snapshot may be to blame.
func (f *filler) settle(ctx context.Context, run models.Run, failure queue.Failure) error {
	f.verifier.Suspect(ctx, run, failure.Err)
	if half, begun := errors.AsType[halfError](failure.Err); begun && failure.Status == models.RunCancelled {
		failure.Reason += half.holds
	}
	return failure.Settle(ctx, f.DB, run)
}

// recover ends a restore whose console was killed in the middle: how much was written is not known.
func (f *filler) recover(ctx context.Context, run models.Run) error {
	return queue.Failure{Status: models.RunFailed, Reason: "Rekindle was stopped in the middle of it: some of the keys may have been written. " + repeatFill}.Settle(ctx, f.DB, run)
}

const repeatFill = "To get all of it, restore it again and choose to replace existing keys."

// halfError is the error of a restore that ended in the middle. holds says what the cluster holds now, to be appended to a sentence that says why the
// restore ended; "": what it held before.
type halfError struct {
	error
	holds string
}

func (e halfError) Unwrap() error { return e.error }

// halfWritten says why a restore ended and what the cluster holds now.
func halfWritten(err error, counts restore.Counts, existing models.Existing) error {
	holds := ""
	if counts.Written > 0 {
		holds = fmt.Sprintf(" %s had been written by then, and they stay. %s", words.Plural(counts.Written, "key"), repeatFill)
	} else if existing == models.ExistingFlush {
		holds = " The keys that it had are deleted."
	}
	return because(halfError{err, holds}, "%s%s", explainFill(err), holds)
}

// explainFill says why a restore ended in the middle.
func explainFill(err error) string {
	if errors.Is(err, restore.ErrExists) {
		return "The cluster has a key that it did not have before: an application is writing to it. Choose to keep or to replace existing keys."
	}
	return sentence(err)
}

// filled is the message of the event about a restore.
func filled(run models.Run, counts restore.Counts, evicted int64) string {
	message := fmt.Sprintf("The snapshot %s was restored into %s: %s written", run.SnapshotName, run.ClusterName, words.Plural(counts.Written, "key"))
	if counts.Kept > 0 {
		message += fmt.Sprintf(", %s kept as they were", words.Number(counts.Kept))
	}
	if message += "."; counts.Expired > 0 {
		message += fmt.Sprintf(" %s of them had expired since the snapshot.", words.Number(counts.Expired))
	}
	if evicted > 0 {
		message += fmt.Sprintf(" Meanwhile the cluster evicted %s, as its maxmemory-policy says.", words.Plural(evicted, "key"))
	}
	return message
}
