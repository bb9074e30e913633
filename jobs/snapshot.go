package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/replica"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// SnapshotSource says where a snapshot of the cluster would be taken now: in each shard the freshest replica whose link is up; the primary only
// when there is none, and then whether its host can bear the fork. Of several shards it tells of the first that cannot, else of the first.
//
// An error is a refusal in words.
func (m *Manager) SnapshotSource(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error) {
	if !m.nodes.Here(cluster) {
		return models.SnapshotSource{Elsewhere: true, Fits: true}, nil
	}
	sources, err := m.nodes.Sources(ctx, cluster)
	if err != nil {
		m.Logger.Warn("no node to take a snapshot from", "cluster", cluster.Name, "error", err)
		return models.SnapshotSource{}, models.Faults{{Code: models.CodeClusterState, Message: sentence(err)}}
	}
	for _, source := range sources {
		if !source.Fits {
			return source, nil
		}
	}
	return sources[0], nil
}

// snapshot is the body of a snapshot run.
func (m *Manager) snapshot(ctx context.Context, run models.Run, args models.SnapshotArgs, report *queue.Report) error {
	if closes := args.WindowCloses; closes != nil && !m.DB.Now().Before(*closes) {
		return because(nil, "Its window closed at %s UTC before its turn came, because other snapshots took so long. Give the clusters windows that are longer or further apart.",
			closes.UTC().Format("15:04"))
	}
	measured, err := m.take(ctx, run, args.Override, report)
	if err != nil {
		return err
	}
	if err := m.DB.Settle.Snapshot(context.WithoutCancel(ctx), run, measured); err != nil {
		return err
	}
	m.calendar.applyRetention(ctx)
	return nil
}

// take brings a cluster's data into the store and commits it with a manifest. It returns what was measured, for the catalog.
//
// The order is what makes a snapshot trustworthy: the parts are stored and flushed, then read back whole and compared, and only
// then is the manifest written. Without a manifest there is no snapshot.
func (m *Manager) take(ctx context.Context, run models.Run, override bool, report *queue.Report) (models.Snapshot, error) {
	var none models.Snapshot
	name := run.SnapshotName
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return none, err
	}
	row, err := m.DB.Snapshots.Get(ctx, name)
	if err != nil {
		return none, err
	}
	if err := m.usable(ctx); err != nil {
		return none, err
	}
	report.Stage("Choosing a node to take it from", nil)
	sources, err := m.nodes.Sources(ctx, cluster)
	if err != nil {
		return none, err
	}
	for _, source := range sources {
		if !source.Fits && !override {
			return none, because(nil, "The host of the %s %s has %s of memory free, and the fork may need up to %s. Free some memory, or take the snapshot by hand with the override.",
				source.Node.Role, source.Node.Name, words.Size(source.Available), words.Size(source.UsedMemory))
		}
	}
	switch manifest, committed, foreign, err := m.stored(ctx, row); {
	case err != nil:
		return none, fmt.Errorf("look at the place of snapshot %s: %w", name, err)
	case foreign:
		return none, errNameInStore
	case committed: // by a console that was killed before it could say so
		return measuredBy(manifest), nil
	}
	at, err := m.beginAttempt(ctx, run, row)
	if err != nil {
		return none, err
	}
	taken := make([]takenPart, len(sources))
	for i, source := range sources { // one after the other: each is a fork on the same host
		if taken[i], err = m.takePart(ctx, cluster, source, at, report); err != nil {
			return none, err
		}
	}
	manifest := manifestOf(row, cluster, at, taken)
	manifest.CompletedAt = m.DB.Now()
	if manifest.Hash, err = m.archive.Commit(ctx, manifest); err != nil {
		return none, fmt.Errorf("commit snapshot %s: %w", name, err)
	}
	if err := m.inPlace(ctx); err != nil {
		return none, err
	}
	measured := measuredBy(manifest)
	var warnings []string
	for _, part := range taken {
		if part.warning != "" {
			warnings = append(warnings, part.warning)
		}
	}
	if len(warnings) > 0 {
		measured.Warning = strings.Join(warnings, " ")
	}
	return measured, nil
}

// takenPart is one shard in the store.
type takenPart struct {
	archive.Part
	origin  replica.Origin
	warning string
}

// takePart streams one shard into the store, when the node that serves it has all that was written before, and reads it back.
func (m *Manager) takePart(ctx context.Context, cluster models.Cluster, source models.SnapshotSource, at archive.Attempt, report *queue.Report) (taken takenPart, err error) {
	report.Stage("Waiting until "+source.Node.Name+" has what was written before", nil)
	if taken.warning, err = nodes.CatchUp(ctx, cluster, source); err != nil {
		return taken, err
	}
	if taken.Part, taken.origin, err = m.streamPart(ctx, cluster, source, at, report); err != nil {
		return taken, err
	}
	part := taken.Part
	var check archive.Progress
	report.Stage("Reading back what was stored", func() models.Progress {
		return models.Progress{BytesDone: check.Stored(), BytesTotal: part.StoredBytes, KeysDone: part.Keys, KeysTotal: part.Keys}
	})
	if err := m.archive.ReadBack(ctx, at.Ref, part, &check); err != nil {
		return taken, fmt.Errorf("verify part %d of %s: %w", part.Number, at.Snapshot, err)
	}
	return taken, nil
}

// streamPart streams one shard into the store.
func (m *Manager) streamPart(ctx context.Context, cluster models.Cluster, source models.SnapshotSource, at archive.Attempt, report *queue.Report) (archive.Part, replica.Origin, error) {
	var part archive.Part
	node := source.Node
	started := m.DB.Now()
	report.Stage(fmt.Sprintf("Waiting for %s %s to begin", node.Role, node.Name), nil)
	// A store that stalls must not stall the node: then the transfer ends at once, and it is the store that is to blame.
	transfer, end := context.WithCancelCause(ctx)
	defer end(nil)
	life, err := nodes.LifeOf(ctx, cluster, node)
	if err != nil {
		m.Logger.Debug("look at the source of a snapshot", "node", node.Name, "error", err) // it costs a reason at most
	}
	stream, err := replica.Open(transfer, replica.Source{Addr: node.Address(), Password: cluster.Password}, replica.Options{OnStall: end})
	if err != nil {
		return part, replica.Origin{}, fmt.Errorf("read from %s: %w", node.Name, err)
	}
	defer stream.Close()
	origin := stream.Origin()
	var progress archive.Progress
	report.Stage(fmt.Sprintf("Reading from %s %s", node.Role, node.Name), func() models.Progress { return estimate(&progress, origin) })
	reader := &watched{ReadCloser: stream}
	part, err = m.archive.WritePart(transfer, at, source.Shard.Number, source.Shard.Slots, reader, &progress)
	if errors.Is(err, replica.ErrStalled) {
		return part, origin, because(err, "The snapshot store is too slow: after %s it took nothing more, and the %s %s gives up after %s (its repl-timeout). "+
			"The snapshot was discarded. Look at the store and the network to it, or raise repl-timeout.", words.Size(progress.Bytes()), node.Role, node.Name, origin.ReplTimeout)
	}
	if err != nil {
		if reader.failure != nil && ctx.Err() == nil {
			err = because(err, "%s", life.BrokeOff(ctx, progress.Bytes()))
		}
		return part, origin, fmt.Errorf("store part %d of %s: %w", source.Shard.Number, at.Snapshot, err)
	}
	part.SourceNode, part.SourceRole = node.Name, string(node.Role)
	part.ReplicationID, part.ReplicationOffset, part.UsedMemory = origin.ReplicationID, origin.Offset, origin.UsedMemory
	part.StartedAt, part.CompletedAt = started, m.DB.Now()
	return part, origin, nil
}

// estimate is the progress of a stream whose length the node does not tell: the share of keys that have come says how many bytes there
// will be.
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

func (m *Manager) settleSnapshot(ctx context.Context, run models.Run, f queue.Failure) error {
	return errors.Join(m.discard(ctx, run), m.fail(ctx, run, f))
}

// discard removes what a failed snapshot left in the store. What it cannot remove now, the sweep removes later.
//
// Only a snapshot that is being created can fail: one that the catalog calls available, because its completion was written although the
// answer to that was lost, is never touched.
func (m *Manager) discard(ctx context.Context, run models.Run) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return fmt.Errorf("look at snapshot %s before its remains are removed: %w", run.SnapshotName, err)
	}
	if row.Status != models.SnapshotCreating {
		return nil
	}
	if err := m.removeStored(ctx, row); err != nil {
		m.Logger.Error("remove what is left of a failed snapshot; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
	return nil
}

// deleteSnapshot is the body of a run that removes a snapshot: the manifest first, then the parts, then the row.
func (m *Manager) deleteSnapshot(ctx context.Context, run models.Run, report *queue.Report) error {
	report.Stage("Removing it from the store", nil)
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return err
	}
	if err := m.removeStored(ctx, row); err != nil {
		return err
	}
	return m.DB.Settle.SnapshotDeletion(context.WithoutCancel(ctx), run)
}

// sweep is the hourly tick that removes what belongs to no snapshot, here and elsewhere.
func (m *Manager) sweep(ctx context.Context) {
	m.sweepStore(ctx)
	m.takeBackLater(ctx)
}

// sweepStore removes from the store objects half written by a console that was killed, and parts without a manifest whose run has ended.
func (m *Manager) sweepStore(ctx context.Context) {
	if m.clockAgrees(ctx) {
		if _, err := m.Store.Sweep(ctx, time.Now().Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
			m.Logger.Error("sweep store", "error", err)
		}
	}
	for entry, err := range m.archive.List(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				m.Logger.Error("list store", "error", err)
			}
			return
		}
		row, err := m.DB.Snapshots.Get(ctx, entry.Snapshot)
		switch {
		case models.HasCode(err, models.CodeSnapshotNotFound):
			m.noteUnknown(ctx, entry)
			continue // somebody else's, or one that a rebuilt catalog will know: never touched
		case err != nil:
			m.Logger.Error("sweep store", "error", err)
			return
		case row.ClusterName != entry.Cluster || !remains(row):
			continue
		case entry.Committed && row.CompletedAt != nil:
			if m.whole(ctx, row) { // its removal failed while the store could not be asked how far it had come
				if err := m.DB.Snapshots.Reinstate(ctx, row); err != nil {
					m.Logger.Error("reinstate snapshot", "snapshot", row.Name, "error", err)
				}
			}
			continue
		}
		// Also its own manifest, when that was written although it was said to have failed.
		if err := m.removeStored(ctx, row); err != nil {
			m.Logger.Error("remove what is left of a failed snapshot", "snapshot", entry.Snapshot, "error", err)
		}
	}
}

// remains tells whether what the store has of a snapshot is of no use to anybody. What was whole once is for somebody to look at, and goes
// only by hand.
func remains(row models.Snapshot) bool {
	return row.Status == models.SnapshotFailed && row.Damage == ""
}

// clearAway removes what a run has stored that another console has settled as failed meanwhile: that one may have looked before the last
// of it was stored.
func (m *Manager) clearAway(ctx context.Context, run models.Run) {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err == nil && remains(row) && row.CompletedAt == nil {
		err = m.removeStored(ctx, row)
	}
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		m.Logger.Error("remove what is left of a failed snapshot; the next sweep tries again", "snapshot", run.SnapshotName, "error", err)
	}
}

func refOf(s models.Snapshot) archive.Ref {
	return archive.Ref{Cluster: s.ClusterName, Snapshot: s.Name}
}

// attemptOf is the attempt at which a snapshot is, or was last, stored.
func attemptOf(s models.Snapshot) archive.Attempt {
	return archive.Attempt{Ref: refOf(s), ID: s.Attempt}
}

// watched remembers whether it was the source that broke, rather than the store.
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
