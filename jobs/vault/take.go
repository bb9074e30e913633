package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/replica"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Writer brings what clusters hold into the store.
//
// The order is what makes a snapshot trustworthy: the parts are stored and flushed, then read back whole and compared, and only then is the
// manifest written. Without a manifest there is no snapshot.
type Writer struct {
	kit
	keeper *Keeper
}

// Source is a node that serves a part.
type Source struct {
	models.SnapshotSource
	Replica replica.Source // how it is reached
	ByKey   bool           // it is read key by key, because it does not let anybody act as its replica
	Warning string         // about what it serves; for the catalog
	// Life looks at the node right before it serves.
	Life func(context.Context) (Life, error)
	// Tune prepares the node for the beginning of the transfer. What it returns undoes that, and may be called again.
	Tune func(context.Context) (putBack func())
	// Serves is told that the node begins to serve, and what it returns that it no longer does.
	Serves func(context.Context) (served func())
}

// Life says why a node broke off a transfer after it had sent this many bytes, and whether another one may serve in its place.
type Life interface {
	BrokeOff(ctx context.Context, received int64) (why string, another bool)
}

// SourceError says that the node failed, and that another one may serve in its place. Nothing of what it sent is left.
type SourceError struct{ error }

func (e SourceError) Unwrap() error { return e.error }

// Draft is a snapshot that has no manifest yet.
type Draft struct {
	*Writer
	row     models.Snapshot
	cluster models.Cluster
	at      archive.Attempt
	into    *archive.Gathering // what is in the parts
	mu      sync.Mutex
	taken   []takenPart
}

// takenPart is one shard in the store.
type takenPart struct {
	archive.Part
	origin  replica.Origin
	warning string
	logical bool // it was read key by key
}

// Begin makes room for a snapshot of a cluster. If a console committed it and was killed before it could say so, there is nothing to draft, and what
// was measured is returned.
func (w *Writer) Begin(ctx context.Context, run models.Run, cluster models.Cluster, row models.Snapshot) (draft *Draft, measured models.Snapshot, err error) {
	switch manifest, committed, foreign, err := w.keeper.stored(ctx, row); {
	case err != nil:
		return nil, measured, fmt.Errorf("look at the place of snapshot %s: %w", row.Name, err)
	case foreign:
		return nil, measured, ErrNameTaken
	case committed:
		return nil, measuredBy(manifest), nil
	}
	at, err := w.keeper.beginAttempt(ctx, run, row)
	return &Draft{Writer: w, row: row, cluster: cluster, at: at, into: w.gathering(ctx)}, measured, err
}

// Commit makes a snapshot from what was taken. It returns what was measured, for the catalog.
func (d *Draft) Commit(ctx context.Context) (measured models.Snapshot, err error) {
	return d.commit(ctx, d.manifest())
}

// manifest describes what was taken.
func (d *Draft) manifest() archive.Manifest {
	slices.SortFunc(d.taken, func(a, b takenPart) int { return a.Number - b.Number })
	return manifestOf(d.row, d.cluster, d.at, d.taken)
}

func (d *Draft) commit(ctx context.Context, manifest archive.Manifest) (measured models.Snapshot, err error) {
	manifest.CompletedAt = d.DB.Now()
	d.describe(ctx, manifest, d.into)
	if manifest.Hash, err = d.archive.Commit(ctx, manifest); err != nil {
		return measured, fmt.Errorf("commit snapshot %s: %w", d.row.Name, err)
	}
	if err := d.health.inPlace(ctx); err != nil {
		return measured, err
	}
	measured = measuredBy(manifest)
	var warnings []string
	for _, part := range d.taken {
		if part.warning != "" {
			warnings = append(warnings, part.warning)
		}
	}
	if len(warnings) > 0 {
		measured.Warning = strings.Join(warnings, " ")
	}
	return measured, nil
}

// Take streams one shard into the store, and reads it back, which are two steps. Several may be taken at once.
func (d *Draft) Take(ctx context.Context, source Source, report queue.Stager) error {
	taken, err := d.stream(ctx, source, report)
	if err != nil {
		return err
	}
	part := taken.Part
	var check archive.Progress
	report.Step(2, 2, "Reading back what was stored", func() models.Progress {
		return models.Progress{BytesDone: check.Stored(), BytesTotal: part.StoredBytes, KeysDone: part.Keys, KeysTotal: part.Keys}
	})
	if err := d.archive.ReadBack(ctx, d.at.Ref, part, &check); err != nil {
		return fmt.Errorf("verify part %d of %s: %w", part.Number, d.at.Snapshot, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = append(d.taken, taken)
	return nil
}

// stream streams one shard into the store.
func (d *Draft) stream(ctx context.Context, source Source, report queue.Stager) (taken takenPart, err error) {
	node := source.Node
	report.Stage(fmt.Sprintf("Waiting for %s %s to begin", node.Role, node.Name), nil)
	// A store that stalls must not stall the node: the transfer ends at once then, and the store is to blame.
	transfer, end := context.WithCancelCause(ctx)
	defer end(nil)
	life, err := source.Life(ctx)
	if err != nil {
		d.Logger.Debug("look at the source of a snapshot", "node", node.Name, "error", err) // at worst, a reason is missing later
	}
	putBack := source.Tune(ctx)
	var early sync.WaitGroup
	defer putBack()
	defer early.Wait()
	served := source.Serves(ctx)
	defer served()
	stream, err := source.open(transfer, end)
	if err != nil {
		return taken, SourceError{fmt.Errorf("read from %s: %w", node.Name, err)}
	}
	defer stream.Close()
	started := d.DB.Now() // the moment that the part is of, as near as can be told from here
	early.Go(putBack)     // the node has forked; its data must not wait for that
	origin := stream.Origin()
	var progress archive.Progress
	report.Step(1, 2, fmt.Sprintf("%s from %s %s", source.verb(), node.Role, node.Name), func() models.Progress { return estimate(&progress, origin) })
	reader := &watched{ReadCloser: atPace(transfer, stream, d.pace.limiter.Load())}
	part, err := d.archive.WritePart(transfer, d.at, source.Shard.Number, source.Shard.Slots, reader, &progress, archive.Into(d.into))
	if errors.Is(err, replica.ErrStalled) {
		return taken, reason.Because(err, "The snapshot store is too slow: after %s it took nothing more, and the %s %s gives up after %s (its repl-timeout). "+
			"The snapshot was discarded. Look at the store and the network to it, or raise repl-timeout.", words.Size(progress.Bytes()), node.Role, node.Name, origin.ReplTimeout)
	}
	if err != nil {
		if reader.failure != nil && ctx.Err() == nil {
			err = source.brokeOff(ctx, life, progress.Bytes(), err)
		}
		return taken, fmt.Errorf("store part %d of %s: %w", source.Shard.Number, d.at.Snapshot, err)
	}
	part.SourceNode, part.SourceRole = node.Name, string(node.Role)
	part.ReplicationID, part.ReplicationOffset, part.UsedMemory = origin.ReplicationID, origin.Offset, origin.UsedMemory
	part.StartedAt, part.CompletedAt = started, d.DB.Now()
	return takenPart{part, origin, strings.TrimSpace(source.Warning + " " + missingFrom(stream)), source.ByKey}, nil
}

// Settle ends a snapshot that did not succeed.
func (w *Writer) Settle(ctx context.Context, run models.Run, f queue.Failure) error {
	return errors.Join(w.keeper.Discard(ctx, run), f.Settle(ctx, w.DB, run))
}

// Recover settles a snapshot that a killed console left. Its moment cannot be had again: if its manifest was written it is available, for the
// manifest is the commit, and otherwise it has failed.
func (w *Writer) Recover(ctx context.Context, run models.Run) error {
	if run.GivenUp != "" { // its remains may already be partly removed
		return w.Settle(ctx, run, queue.Failure{Status: run.GivenUp, Reason: run.Error})
	}
	row, err := w.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	manifest, committed, foreign, err := w.keeper.stored(ctx, row)
	switch {
	case err != nil:
		// The store does not answer. Whether the snapshot was committed shows when it does.
		return fmt.Errorf("look for the manifest of snapshot %s, which was cut off: %w", run.SnapshotName, err)
	case committed && !foreign:
		if err := w.DB.Settle.Snapshot(ctx, run, measuredBy(manifest)); err != nil {
			return fmt.Errorf("complete snapshot %s: %w", run.SnapshotName, err)
		}
		return nil
	}
	if err := w.keeper.Discard(ctx, run); err != nil {
		return err
	}
	return w.DB.Settle.Fail(ctx, run, models.RunFailed, "Rekindle ended in the middle of it. What had been stored was removed.")
}

// estimate is the progress of a stream whose length the node does not tell: the share of keys that have come suggests how many bytes there will be.
func estimate(p *archive.Progress, origin replica.Origin) models.Progress {
	now := models.Progress{BytesDone: p.Bytes(), KeysDone: p.Keys(), KeysTotal: origin.Keys}
	switch {
	case origin.Length > 0:
		now.BytesTotal = origin.Length
	case now.KeysDone > 0 && now.KeysTotal >= now.KeysDone:
		now.BytesTotal = int64(float64(now.BytesDone) * float64(now.KeysTotal) / float64(now.KeysDone))
	case now.KeysDone == 0:
		now.BytesTotal = max(origin.UsedMemory, now.BytesDone)
	default:
		now.BytesTotal = now.BytesDone
	}
	return now
}

// watched remembers whether the source broke, rather than the store.
type watched struct {
	io.ReadCloser
	closed  atomic.Bool // by whoever reads, because something else has failed
	failure error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !w.closed.Load() {
		w.failure = err
	}
	return n, err
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.ReadCloser.Close()
}
