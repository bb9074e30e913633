package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rekindle/internal/archive"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// The store is the truth, and the catalog is a list of it. A rebuild reads every manifest and writes down what the catalog does not know.

const (
	rebuildReaders  = 16  // manifests that are read at once
	rebuildBatch    = 500 // snapshots that are written at once
	rebuildWarnings = 50  // events of one rebuild; a last one counts the others
)

// Rebuilder makes a catalog from what is stored.
type Rebuilder struct{ kit }

// Rebuild is the body of a run that rebuilds the catalog.
func (b *Rebuilder) Rebuild(ctx context.Context, run models.Run, report *queue.Report) error {
	done, err := b.Read(ctx, func(text string) { report.Stage(text, nil) })
	if err != nil {
		return err
	}
	return b.DB.Settle.Rebuild(context.WithoutCancel(ctx), run, done)
}

// rebuilding is the state of a rebuild under way.
type rebuilding struct {
	*Rebuilder
	done      models.Rebuilt
	since     time.Time // when the store began to be read
	committed map[archive.Ref]bool
	newest    map[string]archive.Manifest      // the newest snapshot taken of each cluster
	living    map[string]bool                  // clusters with automatic snapshots, which go when a cluster is deleted on purpose
	records   map[string]archive.ClusterRecord // of clusters that the catalog does not know
}

// Read reads the store and writes down what the catalog does not know. say is told from time to time how far it is.
func (b *Rebuilder) Read(ctx context.Context, say func(text string)) (models.Rebuilt, error) {
	r := &rebuilding{Rebuilder: b, since: b.DB.Now(), committed: make(map[archive.Ref]bool), newest: make(map[string]archive.Manifest),
		living: make(map[string]bool), records: make(map[string]archive.ClusterRecord)}
	say("Listing the store")
	if err := r.health.Present(ctx); err != nil {
		return r.done, err
	}
	if err := r.health.emptied(ctx); err != nil {
		return r.done, err
	}
	if err := r.adopt(ctx, say); err != nil {
		return r.done, err
	}
	say("Looking for snapshots that the store does not have")
	if err := r.lose(ctx); err != nil {
		return r.done, err
	}
	say("Reading the records of clusters and of the console")
	recorded, err := r.read(ctx)
	if err != nil {
		return r.done, err
	}
	say("Looking for clusters by their nodes")
	nodes, err := r.clusters(ctx)
	if err != nil {
		return r.done, err
	}
	if err := r.lost(ctx, nodes, recorded); err != nil {
		return r.done, err
	}
	if more := r.done.Warnings - rebuildWarnings; more > 0 {
		r.event(ctx, models.SeverityWarning, "", fmt.Sprintf("While the catalog was rebuilt there were %d more warnings like the last ones; the log has them all.", more))
	}
	return r.done, nil
}

func (r *rebuilding) warn(ctx context.Context, e models.Event, cause error) {
	r.done.Warnings++
	r.Logger.Warn("rebuild", "cluster", e.ClusterName, "snapshot", e.SnapshotName, "message", e.Message, "error", cause)
	if r.done.Warnings > rebuildWarnings {
		return
	}
	e.Severity = models.SeverityWarning
	if err := r.DB.Events.Add(ctx, e); err != nil {
		r.Logger.Error("write event", "message", e.Message, "error", err)
	}
}

// manifestRead is what a reader found.
type manifestRead struct {
	ref      archive.Ref
	manifest archive.Manifest
	err      error
}

// manifests reads all manifests of the store, several at a time. When the channel closes, end returns the error, if any.
func (r *rebuilding) manifests(ctx context.Context) (read <-chan manifestRead, end func() error) {
	refs, answers := make(chan archive.Ref), make(chan manifestRead)
	listed := make(chan error, 1)
	go func() {
		defer close(refs)
		for entry, err := range r.archive.List(ctx) {
			if err != nil {
				listed <- err
				return
			}
			if !entry.Committed {
				continue
			}
			select {
			case refs <- entry.Ref:
			case <-ctx.Done():
				listed <- context.Cause(ctx)
				return
			}
		}
		listed <- nil
	}()
	var readers sync.WaitGroup
	for range rebuildReaders {
		readers.Go(func() {
			for ref := range refs {
				manifest, err := r.archive.Manifest(ctx, ref)
				select {
				case answers <- manifestRead{ref, manifest, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() { readers.Wait(); close(answers) }()
	return answers, func() error {
		if err := <-listed; err != nil {
			return r.health.away(err)
		}
		return context.Cause(ctx)
	}
}

// adopt writes down the snapshots that the store has, in batches.
func (r *rebuilding) adopt(ctx context.Context, say func(string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var found []models.Snapshot
	write := func() error {
		done, warnings, err := r.DB.Rebuild.Adopt(ctx, found, r.since)
		if err != nil {
			return err
		}
		found = found[:0]
		r.done.Found += done.Found
		r.done.Adopted += done.Adopted
		r.done.Restored += done.Restored
		r.done.Agreed += done.Agreed
		for _, w := range warnings {
			r.warn(ctx, w, nil)
		}
		say(fmt.Sprintf("%d snapshots read", r.done.Found))
		return nil
	}
	read, end := r.manifests(ctx)
	for one := range read {
		row, is, err := r.understand(ctx, one)
		if err != nil {
			return err
		}
		if is {
			found = append(found, row)
		}
		if len(found) == rebuildBatch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if err := end(); err != nil {
		return err
	}
	return write()
}

// understand makes a row from what was read, and warns when it cannot, or not completely.
func (r *rebuilding) understand(ctx context.Context, one manifestRead) (row models.Snapshot, is bool, err error) {
	warn := func(cause error, format string) {
		r.warn(ctx, models.Event{ClusterName: one.ref.Cluster, SnapshotName: one.ref.Snapshot, Message: fmt.Sprintf(format, one.ref)}, cause)
	}
	switch {
	case one.err == nil:
		r.committed[one.ref] = true
		row, damage := rowOf(one.manifest)
		if damage != nil {
			warn(damage, "The manifest of %s in the store describes a cluster that is not valid, such as one with an impossible window. That part was left out; the data is not affected.")
		}
		r.learn(one.manifest)
		return row, true, nil
	case errors.Is(one.err, archive.ErrMissing): // deleted meanwhile
		return row, false, nil
	case errors.Is(one.err, archive.ErrNewer):
		r.committed[one.ref] = true
		warn(one.err, "The manifest of %s in the store was written by a newer Rekindle than this one. Upgrade to see that snapshot.")
		return row, false, nil
	case errors.Is(one.err, archive.ErrInvalid):
		r.committed[one.ref] = true
		warn(one.err, "The manifest of %s in the store cannot be read: it is damaged, or another snapshot's. It was left alone.")
		return row, false, nil
	}
	return row, false, r.health.away(one.err)
}

// lose marks those snapshots failed that the catalog has as whole and the store does not have.
func (r *rebuilding) lose(ctx context.Context) error {
	for after := uint(0); ; {
		rows, err := r.DB.Snapshots.Usable(ctx, after, 1000)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			ref := refOf(row)
			if r.committed[ref] {
				continue
			}
			// It may have been taken since the store was listed.
			if _, err := r.archive.Manifest(ctx, ref); err == nil || errors.Is(err, archive.ErrInvalid) || errors.Is(err, archive.ErrNewer) {
				continue
			} else if !errors.Is(err, archive.ErrMissing) {
				return r.health.away(err)
			}
			if err := r.health.Present(ctx); err != nil {
				return err
			}
			lost, err := r.DB.Snapshots.Lose(ctx, row, "The manifest is missing in the store.")
			if err != nil {
				return err
			}
			if lost {
				r.done.Missing++
			}
		}
		if len(rows) == 0 {
			return nil
		}
	}
}

// learn keeps what a manifest says about its cluster. An import says nothing: it was filed under that name, and has no schedule.
func (r *rebuilding) learn(manifest archive.Manifest) {
	c := manifest.Configuration
	if c.SnapshotWindow == "" || manifest.Parts[0].SourceNode == "" {
		return
	}
	if manifest.Source == archive.Automatic {
		r.living[manifest.Cluster] = true
	}
	newest, known := r.newest[manifest.Cluster]
	copied, was := isCopy(manifest), isCopy(newest)
	if !known || was && !copied || was == copied && r.newer(manifest.CreatedAt, newest.CreatedAt) { // a copy counts only when there is nothing else
		r.newest[manifest.Cluster] = manifest
	}
}

// isCopy tells whether the configuration in a manifest is that of another snapshot.
func isCopy(m archive.Manifest) bool {
	return m.Origin != "" && !models.Snapshot{Origin: m.Origin}.Synthetic()
}

// newer tells whether a comes after b. A time in the future comes from a clock that was wrong, and counts as the oldest.
func (r *rebuilding) newer(a, b time.Time) bool {
	if ahead := a.After(r.since); ahead != b.After(r.since) {
		return !ahead
	}
	return a.After(b)
}

// rowOf is a row of the catalog for a snapshot, as its manifest describes it. The error says what was left out. Nobody has looked at the parts since
// the catalog was lost, so the schedule of verifications soon will.
func rowOf(manifest archive.Manifest) (models.Snapshot, error) {
	row := measuredBy(manifest)
	configuration, damage := readConfiguration(manifest.Configuration)
	configuration.ClusterMode = inClusterMode(manifest)
	if configuration.Engine == "" || configuration.EngineVersion == "" {
		configuration.Engine, configuration.EngineVersion = manifest.Engine, manifest.EngineVersion
	}
	completed := manifest.CompletedAt
	row.Configuration, row.Source, row.Status, row.Origin = configuration, manifest.Source, models.SnapshotAvailable, manifest.Origin
	row.CreatedAt, row.CompletedAt = manifest.CreatedAt, &completed
	row.AuthEnabled, row.Node, row.NodeCreatedAt = manifest.Configuration.AuthEnabled, row.ServedBy, manifest.Configuration.NodeCreatedAt
	return row, damage
}
