package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/models"
)

// The store is the truth and the catalog a list of it. Rebuilding reads every manifest and writes down what the catalog does not know.

const (
	rebuildReaders  = 16  // manifests that are read at once
	rebuildBatch    = 500 // snapshots that are written at once
	rebuildWarnings = 50  // events of one rebuild; a last one counts the others
)

// rebuild is the body of a run that rebuilds the catalog.
func (m *Manager) rebuild(ctx context.Context, run models.Run, report *report) error {
	done, err := m.readStore(ctx, func(text string) { report.stage(text, nil) })
	if err != nil {
		return err
	}
	return m.DB.CompleteRebuild(context.WithoutCancel(ctx), run, done)
}

// RebuildCatalog does the same without a run, for a console that is not started. Say is told from time to time how far it is.
func (m *Manager) RebuildCatalog(ctx context.Context, say func(text string)) (models.Rebuilt, error) {
	done, err := m.readStore(ctx, say)
	if err != nil {
		return done, fmt.Errorf("rebuild the catalog: %w", err)
	}
	return done, m.DB.RebuildEvent(ctx, done)
}

// rebuilding is what is known in the middle of it.
type rebuilding struct {
	m         *Manager
	done      models.Rebuilt
	committed map[archive.Ref]bool
	newest    map[string]models.Snapshot // of each cluster, without its parts
}

func (m *Manager) readStore(ctx context.Context, say func(string)) (models.Rebuilt, error) {
	r := &rebuilding{m: m, committed: make(map[archive.Ref]bool), newest: make(map[string]models.Snapshot)}
	say("Listing the store")
	if err := m.present(ctx); err != nil {
		return r.done, err
	}
	if err := m.emptied(ctx); err != nil {
		return r.done, err
	}
	if err := r.adopt(ctx, say); err != nil {
		return r.done, err
	}
	say("Looking for snapshots that the store does not have")
	if err := r.lose(ctx); err != nil {
		return r.done, err
	}
	say("Looking for clusters by their nodes")
	if err := r.clusters(ctx); err != nil {
		return r.done, err
	}
	if more := r.done.Warnings - rebuildWarnings; more > 0 {
		m.event(ctx, models.SeverityWarning, "", fmt.Sprintf("While the catalog was rebuilt there were %d more warnings like the last ones; the log has them all.", more))
	}
	return r.done, nil
}

func (r *rebuilding) warn(ctx context.Context, e models.Event, cause error) {
	r.done.Warnings++
	r.m.Logger.Warn("rebuild", "cluster", e.ClusterName, "snapshot", e.SnapshotName, "message", e.Message, "error", cause)
	if r.done.Warnings > rebuildWarnings {
		return
	}
	e.Severity = models.SeverityWarning
	if err := r.m.DB.AddEvent(ctx, e); err != nil {
		r.m.Logger.Error("write event", "message", e.Message, "error", err)
	}
}

// manifestRead is one answer of a reader.
type manifestRead struct {
	ref      archive.Ref
	manifest archive.Manifest
	err      error
}

// adopt reads all manifests, some at a time, and writes them down in batches.
func (r *rebuilding) adopt(ctx context.Context, say func(string)) error {
	since := r.m.DB.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	refs, read := make(chan archive.Ref), make(chan manifestRead)
	listed := make(chan error, 1)
	go func() {
		defer close(refs)
		for entry, err := range r.m.archive.List(ctx) {
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
				manifest, err := r.m.archive.Manifest(ctx, ref)
				select {
				case read <- manifestRead{ref, manifest, err}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() { readers.Wait(); close(read) }()

	var found []models.Snapshot
	write := func() error {
		done, warnings, err := r.m.DB.Adopt(ctx, found, since)
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
	for one := range read {
		switch {
		case one.err == nil:
			row := rowOf(one.manifest)
			r.committed[one.ref] = true
			found = append(found, row)
			if newest := r.newest[row.ClusterName]; newest.Name == "" || row.CreatedAt.After(newest.CreatedAt) {
				row.Parts = nil
				r.newest[row.ClusterName] = row
			}
		case errors.Is(one.err, archive.ErrMissing): // deleted meanwhile
		case errors.Is(one.err, archive.ErrNewer), errors.Is(one.err, archive.ErrInvalid):
			r.committed[one.ref] = true
			text := fmt.Sprintf("The manifest of %s in the store cannot be read: it is damaged, or another snapshot's. It was left as it is.", one.ref)
			if errors.Is(one.err, archive.ErrNewer) {
				text = fmt.Sprintf("The manifest of %s in the store was written by a newer Rekindle than this one. Upgrade to see that snapshot.", one.ref)
			}
			r.warn(ctx, models.Event{ClusterName: one.ref.Cluster, SnapshotName: one.ref.Snapshot, Message: text}, one.err)
		default:
			return r.m.away(one.err)
		}
		if len(found) == rebuildBatch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if err := <-listed; err != nil {
		return r.m.away(err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return write()
}

// lose turns the snapshots failed that the catalog holds for whole and the store does not have.
func (r *rebuilding) lose(ctx context.Context) error {
	for after := uint(0); ; {
		rows, err := r.m.DB.UsableSnapshots(ctx, after, 1000)
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
			if _, err := r.m.archive.Manifest(ctx, ref); err == nil || errors.Is(err, archive.ErrInvalid) || errors.Is(err, archive.ErrNewer) {
				continue
			} else if !errors.Is(err, archive.ErrMissing) {
				return r.m.away(err)
			}
			if err := r.m.present(ctx); err != nil {
				return err
			}
			lost, err := r.m.DB.LoseSnapshot(ctx, row, "The manifest is missing in the store.")
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

// noteUnknown says, once in a console's life, that the store has a snapshot that the catalog does not know: somebody who has lost the
// database should hear of the way back.
func (m *Manager) noteUnknown(ctx context.Context, entry archive.Entry) {
	if !entry.Committed || m.noted.Load() {
		return
	}
	if _, err := m.archive.Manifest(ctx, entry.Ref); err != nil { // deleted meanwhile, or nothing that a rebuild could use
		return
	}
	if !m.noted.Swap(true) {
		m.event(ctx, models.SeverityWarning, entry.Cluster, fmt.Sprintf("The store has snapshots that the catalog does not know, such as %s of %s. "+
			"Rebuild the catalog under Settings to list them.", entry.Snapshot, entry.Cluster))
	}
}

// rowOf is a snapshot of the catalog as its manifest describes it. A manifest is written when all has been read back, so it counts as
// verified then.
func rowOf(manifest archive.Manifest) models.Snapshot {
	row := measuredBy(manifest)
	c := manifest.Configuration
	completed := manifest.CompletedAt
	row.Source, row.Status, row.CreatedAt, row.CompletedAt, row.VerifiedAt = manifest.Source, models.SnapshotAvailable, manifest.CreatedAt, &completed, &completed
	row.Description, row.Engine, row.EngineVersion, row.NodeType = c.Description, c.Engine, c.Version, c.NodeType
	if row.Engine == "" || row.EngineVersion == "" {
		row.Engine, row.EngineVersion = manifest.Engine, manifest.EngineVersion
	}
	row.Origin = manifest.Origin
	row.Shards, row.Replicas, row.Port, row.RetentionLimit, row.AuthEnabled = max(1, c.Shards), c.Replicas, c.Port, c.RetentionLimit, c.AuthEnabled
	row.Grouped = c.Grouped == nil || *c.Grouped
	row.Node = row.ServedBy
	row.ParameterGroup, row.Attributes = c.ParameterGroup, models.ReadAttributes(c.Attributes)
	if window, err := models.ParseWindow(c.SnapshotWindow); err == nil {
		row.SnapshotWindow = window
	}
	return row
}

// clusters brings back those clusters whose node directories are there and that the catalog does not know.
func (r *rebuilding) clusters(ctx context.Context) error {
	ids, err := r.m.Nodes.List(ctx)
	if err != nil {
		return err
	}
	nodes := make(map[string][]string)
	for _, id := range ids {
		nodes[id.Cluster] = append(nodes[id.Cluster], id.Name)
	}
	names := make([]string, 0, len(nodes))
	for name := range nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if _, err := r.m.DB.Cluster(ctx, name); err == nil {
			continue
		} else if !models.HasCode(err, models.CodeClusterNotFound) {
			return err
		}
		cluster, err := r.cluster(ctx, name, nodes[name])
		var adopted bool
		if err == nil {
			adopted, err = r.m.DB.AdoptCluster(ctx, cluster, r.adoptedSentence(cluster))
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile, or never started
		case err != nil:
			text := sentence(err)
			if text == unexpected {
				text = "The log says why."
			}
			r.warn(ctx, models.Event{ClusterName: name,
				Message: fmt.Sprintf("There are files of nodes of a cluster %s, which the catalog does not know and which could not be brought back. %s They were left as they are.", name, text)}, err)
		case adopted:
			r.done.Clusters = append(r.done.Clusters, name)
		}
	}
	return nil
}

func (r *rebuilding) adoptedSentence(c models.Cluster) string {
	text := fmt.Sprintf("The cluster %s was brought back from the files of its nodes (%s).", c.Name, strings.Join(nodeNames(c), ", "))
	if newest, found := r.newest[c.Name]; found {
		return text + fmt.Sprintf(" Its schedule and description are those of the snapshot %s: look whether they are still right.", newest.Name)
	}
	return text + " There is no snapshot of it, so automatic snapshots are off: give it a schedule."
}

func nodeNames(c models.Cluster) []string {
	names := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		names[i] = n.Name
	}
	return names
}

// cluster puts a cluster together from its nodes' directories and its newest manifest. It refuses what is not plain: a wrong guess about
// who is the primary could cost the data.
func (r *rebuilding) cluster(ctx context.Context, name string, names []string) (models.Cluster, error) {
	var none models.Cluster
	if checked, problem := models.CheckName("cluster id", name); problem != "" || checked != name {
		return none, because(nil, "That is no name of a cluster.")
	}
	config, known := r.newest[name]
	cluster := models.Cluster{Name: name, Kind: "launched", Grouped: config.Grouped || !known, Description: config.Description, Shards: 1, Replicas: len(names) - 1,
		ParameterGroup: config.ParameterGroup, Attributes: config.Attributes,
		RetentionLimit: min(config.RetentionLimit, models.MaxRetention), SnapshotWindow: config.SnapshotWindow, WindowChosen: !config.SnapshotWindow.IsZero()}
	slices.Sort(names)
	var started []launch.Found
	for _, node := range names {
		found, err := r.m.Nodes.Describe(ctx, name, node)
		if err != nil {
			return none, because(err, "The files of the node %s cannot be read.", node)
		}
		started = append(started, found)
		if found.Password != started[0].Password || found.Engine != started[0].Engine || found.MaxMemory != started[0].MaxMemory {
			return none, because(nil, "The nodes %s and %s were not started alike.", started[0].Name, node)
		}
		cluster.Nodes = append(cluster.Nodes, models.Node{Name: node, Shard: 1, Role: models.RoleReplica, Host: found.Host, Port: found.Port, State: "starting"})
	}
	first := started[0]
	most := 1 + models.MaxReplicas
	if first.Engine == models.EngineMemcached {
		most = models.MaxCacheNodes
	}
	if len(names) > most {
		return none, because(nil, "There are %d nodes, and a cluster has %d at most.", len(names), most)
	}
	cluster.Engine, cluster.EngineVersion, cluster.Password = first.Engine, first.Version, first.Password
	if cluster.NodeType = nodeTypeOf(first.MaxMemory, config.NodeType); cluster.NodeType == "" {
		return none, because(nil, "The memory limit of its nodes, %s, is that of no node type.", byteCount(first.MaxMemory))
	}
	for i := range cluster.Nodes {
		cluster.Nodes[i].MaxMemory = cluster.MaxMemory()
	}
	if cluster.Cached() {
		cluster.Grouped, cluster.Replicas, cluster.Port = false, 0, first.Port
		for i := range cluster.Nodes {
			cluster.Nodes[i].Role = models.RoleCache
		}
		return cluster, nil
	}
	cluster.Grouped = cluster.Grouped || cluster.Replicas > 0
	primary, err := r.primary(ctx, cluster, started)
	if err != nil {
		return none, err
	}
	cluster.Nodes[primary].Role, cluster.Port = models.RolePrimary, cluster.Nodes[primary].Port
	return cluster, nil
}

// primary finds out who is the primary. Living nodes know; when none lives it is the one that was started as one, and the supervisor
// takes the latest data of any of them, whoever that is.
func (r *rebuilding) primary(ctx context.Context, cluster models.Cluster, started []launch.Found) (int, error) {
	running, live := 0, []int{}
	followed := make(map[string]bool) // whom living replicas follow
	for i, node := range cluster.Nodes {
		is, err := r.m.Nodes.Running(ctx, cluster.Name, node.Name)
		if err != nil {
			return 0, err
		}
		if !is {
			continue
		}
		running++
		state, err := r.m.probe(ctx, cluster, node)
		if err != nil {
			return 0, because(err, "The node %s runs but does not answer.", node.Name)
		}
		if !state.replica {
			live = append(live, i)
		} else {
			followed[state.primary] = true
		}
	}
	if running > 0 && len(live) == 0 && len(followed) == 1 {
		// The primary has died, and the supervisor finds it a successor.
		for i, node := range cluster.Nodes {
			if followed[node.Address()] {
				return i, nil
			}
		}
	}
	switch {
	case len(live) == 1:
		return live[0], nil
	case running > 0:
		return 0, because(nil, "%d of its %d running nodes say that they are the primary.", len(live), running)
	}
	for i, found := range started {
		if !found.Replica {
			return i, nil
		}
	}
	return 0, nil
}

// foreignNode tells whether the files of a node are of another cluster that had this name, as after the catalog was lost: it was started
// with another password. Nothing may start over them or remove them. Of clusters without a password this cannot be told.
func (m *Manager) foreignNode(ctx context.Context, cluster models.Cluster, node string) bool {
	found, err := m.Nodes.Describe(ctx, cluster.Name, node)
	return err == nil && found.Password != cluster.Password
}

// nodeTypeOf is the node type with this memory, the preferred one if that fits.
func nodeTypeOf(memory int64, preferred string) string {
	if t, ok := models.FindNodeType(preferred); ok && t.Memory == memory {
		return preferred
	}
	for _, t := range models.NodeTypes() {
		if t.Memory == memory {
			return t.Name
		}
	}
	return ""
}
