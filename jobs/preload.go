package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/restore"
	"rekindle/internal/slots"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// A new cluster whose nodes cannot be fed the parts of a snapshot as they are gets RDBs that are made of them, one for each shard, which its primaries load
// when they start: in cluster mode, for another number of shards, for other deadlines, and for an engine that reads each value but not this version of RDB.

// filling is the snapshot that a new cluster is filled with.
type filling struct {
	row       models.Snapshot
	manifest  archive.Manifest
	deadlines models.Deadlines
	contents  []restore.Content // of the RDBs that the primaries start with, in their order; nil: they start empty and are fed
}

func (f filling) preloaded() bool { return f.contents != nil }

// source opens the snapshot that a cluster is to be filled with, and writes the RDBs that its primaries start with if they are not to be fed.
func (b *builder) source(ctx context.Context, cluster models.Cluster, snapshot string, deadlines models.Deadlines, report *queue.Report) (filling, error) {
	row, err := b.DB.Snapshots.Get(ctx, snapshot)
	if err != nil {
		return filling{}, err
	}
	if row.Damaged() {
		return filling{}, because(nil, "The snapshot %s is damaged: %s", snapshot, row.Damage)
	}
	manifest, err := b.reader.Manifest(ctx, row)
	if err != nil {
		return filling{}, fmt.Errorf("restore %s: %w", snapshot, err)
	}
	f := filling{row: row, manifest: manifest, deadlines: deadlines}
	if !cluster.ClusterMode && len(manifest.Parts) == 1 && wholly(cluster, manifest) && deadlines == models.DeadlinesKept {
		return f, nil
	}
	if f.contents, err = b.preload(ctx, cluster, f, b, report); err != nil {
		return f, fmt.Errorf("restore %s into %s: %w", snapshot, cluster.Name, err)
	}
	return f, nil
}

// splitter writes the keys that a cluster is filled with.
type splitter interface {
	split(ctx context.Context, files *restore.Files, cluster models.Cluster, f filling, report *queue.Report) error
}

// preload writes the RDBs that the primaries of a cluster start with. They are put in place when everything has been read and found good.
func (b *builder) preload(ctx context.Context, cluster models.Cluster, f filling, from splitter, report *queue.Report) (contents []restore.Content, err error) {
	route, err := router(cluster.Primaries())
	if err != nil {
		return nil, err
	}
	var preloads []launch.Preload
	var to []io.Writer
	defer func() {
		for _, p := range preloads {
			err = errors.Join(err, p.Discard())
		}
	}()
	for _, node := range cluster.Primaries() {
		if err := b.nodes.Own(ctx, cluster, node); err != nil {
			return nil, err
		}
		p, err := b.Launcher.Preload(ctx, cluster.Name, node.Name)
		if err != nil {
			return nil, err
		}
		preloads, to = append(preloads, p), append(to, p)
	}
	files := restore.NewFiles(to, rdb.Written(cluster.Engine, cluster.EngineVersion), restore.Options{Route: route, Into: engineOf(cluster), Deadlines: deadlinesOf(f.deadlines), Now: b.Clock.Now})
	if err := from.split(ctx, files, cluster, f, report); err != nil {
		return nil, err
	}
	if contents, err = files.Close(); err != nil {
		return nil, err
	}
	for _, p := range preloads {
		if err := p.Commit(); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// split writes the keys of all parts of the snapshot.
func (b *builder) split(ctx context.Context, files *restore.Files, cluster models.Cluster, f filling, report *queue.Report) error {
	var read atomic.Int64
	for i, part := range f.manifest.Parts {
		report.Step(1, 2, fmt.Sprintf("Writing part %d of %d for the nodes of %s", i+1, len(f.manifest.Parts), cluster.Name), func() models.Progress {
			return models.Progress{BytesDone: read.Load(), BytesTotal: f.manifest.Bytes(), KeysDone: files.Keys(), KeysTotal: keysOf(f.manifest)}
		})
		if err := writePart(ctx, b.reader, files, f.row, part, &read); err != nil {
			return err
		}
	}
	return nil
}

func keysOf(m archive.Manifest) (keys int64) {
	for _, part := range m.Parts {
		keys += max(0, part.Keys)
	}
	return keys
}

// router returns a function that finds the primary of a slot; nil outside cluster mode, where there is one primary.
func router(primaries []models.Node) (func(slot int) int, error) {
	var sets []string
	for _, p := range primaries {
		if p.Slots == "" {
			return nil, nil
		}
		sets = append(sets, p.Slots)
	}
	spread, err := slots.NewMap(sets)
	if err != nil {
		return nil, fmt.Errorf("find the shard of each slot: %w", err)
	}
	return spread.Find, nil
}

// startPrimaries starts the primaries of a new cluster, and returns it with their final endpoints. Nodes that load an RDB do so at the same time, as many as
// the host has processors.
func (b *builder) startPrimaries(ctx context.Context, cluster models.Cluster, f filling, report *queue.Report) (models.Cluster, error) {
	start, what := b.nodes.StartNode, words.Plural(int64(len(cluster.Nodes)-cluster.Replicas*len(cluster.Shards())), "node")
	loading := &loading{ctx: ctx, cluster: cluster, primaries: cluster.Primaries(), contents: f.contents}
	if report.Stage("Starting "+what, nil); f.preloaded() {
		start = b.nodes.StartPreloaded
		report.Step(2, 2, "Loading the data into "+what, loading.progress)
	}
	begun, each := errgroup.WithContext(ctx)
	begun.SetLimit(runtime.NumCPU())
	started := slices.Clone(cluster.Nodes)
	for i, node := range cluster.Nodes {
		if node.Role == models.RoleReplica {
			continue
		}
		begun.Go(func() error {
			var err error
			if started[i], err = b.startNew(each, cluster, node, start); errors.Is(err, launch.ErrData) {
				return because(err, "%s%s", f.unloadable(node), b.nodes.LastWords(ctx, cluster, node))
			}
			loading.done.Store(node.Name, err == nil)
			return err
		})
	}
	err := begun.Wait()
	cluster.Nodes = started
	return cluster, err
}

// unloadable says that a node could not load its RDB, of which the node's log says more.
func (f filling) unloadable(node models.Node) string {
	if len(f.manifest.Parts) > 1 {
		return fmt.Sprintf("The node %s could not load what the %d parts of the snapshot have for it: if two of them have the same key, it is unclear which to keep.", node.Name, len(f.manifest.Parts))
	}
	return fmt.Sprintf("The node %s could not load the snapshot.", node.Name)
}

// loading is what nodes do that were started with data.
type loading struct {
	ctx       context.Context
	cluster   models.Cluster
	primaries []models.Node
	contents  []restore.Content
	done      sync.Map // by name
}

// progress asks the nodes that are still at it. Those that do not answer at once have just been started, or are about to end.
func (l *loading) progress() (p models.Progress) {
	ctx, cancel := context.WithTimeout(l.ctx, nodes.ProbeTimeout)
	defer cancel()
	for i, node := range l.primaries {
		content := l.contents[i]
		p.BytesTotal, p.KeysTotal = p.BytesTotal+content.Bytes, p.KeysTotal+content.Keys
		if _, done := l.done.Load(node.Name); done {
			p.BytesDone, p.KeysDone = p.BytesDone+content.Bytes, p.KeysDone+content.Keys
		} else if info, err := nodes.Ask(ctx, l.cluster, node, "persistence"); err == nil {
			p.BytesDone += min(content.Bytes, info.Int("loading_loaded_bytes"))
		}
	}
	return p
}

// open lets clients write to the primaries, after a look at what they have loaded.
func (b *builder) open(ctx context.Context, cluster models.Cluster, f filling) (primary.Result, error) {
	var all primary.Result
	for i, node := range cluster.Primaries() {
		one, err := loaded(ctx, cluster, node, f.contents[i], fitted(f.row, cluster))
		if err != nil {
			return all, fmt.Errorf("restore %s into %s: %w", f.row.Name, node.Name, err)
		}
		all.Keys, all.Expired, all.Memory = all.Keys+one.Keys, all.Expired+one.Expired, max(all.Memory, one.Memory) // of the fullest shard
	}
	for _, node := range cluster.Primaries() {
		if err := nodes.Open(ctx, cluster, node); err != nil {
			return all, err
		}
	}
	return all, nil
}

// loaded compares what a node has loaded with its RDB. Keys may have expired since; fitted says that such a node held the data before.
func loaded(ctx context.Context, cluster models.Cluster, node models.Node, content restore.Content, fitted bool) (primary.Result, error) {
	info, err := nodes.Ask(ctx, cluster, node, "memory", "keyspace")
	if err != nil {
		return primary.Result{}, err
	}
	got := primary.Result{Keys: info.Keys(), Expired: content.Keys - info.Keys(), Memory: info.Int("used_memory") - info.Int("mem_not_counted_for_evict")}
	switch limit := cluster.MaxMemory(); {
	case got.Expired < 0 || got.Expired > content.Mortal:
		return got, fmt.Errorf("%w: %d keys were written, %d are there, and %d could expire", primary.ErrCount, content.Keys, got.Keys, content.Mortal)
	case got.Memory > limit && !fitted:
		return got, fmt.Errorf("%w: it takes %d bytes of %d", primary.ErrTooBig, got.Memory, limit)
	}
	return got, nil
}
