// Package links keeps the replication links to the shards whose streams are kept: it opens them, has what comes stored, and begins again where they
// break. Which console keeps which link is in the catalog. What is stored is in the store, and the catalog follows it.
//
// A link begins where it ended, if the node still has that place in its backlog. If it does not, it begins with the newest snapshot whose place the node
// still has, and otherwise with the present; then there is a gap, and a snapshot is asked for that the stream can be played back behind. No link
// makes a node fork: snapshots do.
package links

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/journal"
	"rekindle/internal/store"
	"rekindle/jobs/nodes"
	"rekindle/jobs/tick"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Config is what a [Keeper] is built from.
type Config struct {
	DB       *catalog.DB
	Store    store.Store // which takes nothing from a console that has lost its lease
	Nodes    *nodes.Supervisor
	Clock    clockwork.Clock
	Logger   *slog.Logger
	Spool    string                                     // a folder of this console's own, for what the store does not take at once
	Owner    func() string                              // the console's lease
	Within   within                                     // derives a context that ends with it
	Mine     func(ctx context.Context) (bool, error)    // whether this console is the one that looks after what is shared
	Present  func(ctx context.Context) error            // fails when the store does not answer, or is not the console's own
	Sentence func(err error) (sentence string, is bool) // words an error for people
	Wake     func()                                     // tells the queue that runs were queued
}

type within = func(context.Context) (context.Context, context.CancelCauseFunc)

// Keeper keeps the links of this console.
type Keeper struct {
	Config
	loops *drain.Loops
	mu    sync.Mutex
	open  map[place]*following
	found map[uint]bool // clusters without nodes whose journals were taken in
}

// place is a shard of a cluster.
type place struct {
	cluster uint
	shard   int
}

// New builds a keeper; nothing happens before its ticks.
func New(config Config) *Keeper {
	return &Keeper{Config: config, loops: drain.NewLoops(), open: make(map[place]*following), found: make(map[uint]bool)}
}

// Ticks are the tasks that are repeated.
func (k *Keeper) Ticks() []tick.Tick {
	return []tick.Tick{{Name: "journal-retention", Every: 10 * time.Minute, Do: k.sweep}}
}

// The pauses between two looks, in real time: they only pace.
const (
	lookEvery   = 2 * time.Second
	verifyEvery = 10 * time.Second
)

// Start begins to open links, and to read back what was stored.
func (k *Keeper) Start(context.Context) error {
	k.loops.Go(func(ctx context.Context) {
		for again := true; again; {
			began := time.Now()
			k.look(ctx)
			k.askForBases(ctx)
			again = drain.Pause(ctx, max(lookEvery, time.Since(began))) // thousands of journals must not keep the catalog busy
		}
	})
	k.loops.Go(func(ctx context.Context) {
		for again := true; again; {
			pause := verifyEvery
			if k.verify(ctx) > 0 {
				pause = lookEvery // there may be more
			}
			again = drain.Pause(ctx, pause)
		}
	})
	return nil
}

// Stop closes the links, has stored what came, and waits for that until ctx ends.
func (k *Keeper) Stop(ctx context.Context) error { return k.loops.Stop(ctx) }

func (k *Keeper) failed(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		k.Logger.Error(what, "error", err)
	}
}

// look opens the links that should be there and closes those that should not.
func (k *Keeper) look(ctx context.Context) {
	plans, err := k.DB.Recording.Kept(ctx)
	if err != nil {
		k.failed(ctx, "look for journals", err)
		return
	}
	wanted := make(map[place]bool)
	for _, plan := range plans {
		cluster, err := k.DB.Clusters.ByID(ctx, plan.ClusterID)
		if err != nil {
			k.failed(ctx, "look for the cluster of a journal", err)
			k.keepAsItIs(plan.ClusterID, wanted)
			continue
		}
		if k.Nodes.Here(cluster) && len(cluster.Nodes) == 0 {
			k.failed(ctx, "look for the journal of a cluster without nodes", k.takeIn(ctx, cluster))
		}
		if !k.Nodes.Here(cluster) || !recorded(cluster) {
			continue
		}
		for _, shard := range cluster.Shards() {
			at := place{cluster.ID, shard.Number}
			wanted[at] = true
			k.begin(at, plan)
		}
	}
	k.closeOthers(wanted)
}

// takeIn brings into the catalog, once, what the store has of the journal of a cluster that was brought back without its nodes.
func (k *Keeper) takeIn(ctx context.Context, cluster models.Cluster) error {
	if k.found[cluster.ID] || k.Present(ctx) != nil {
		return nil
	}
	var found []models.JournalSegment
	for s, err := range journal.List(ctx, k.Store, cluster.Name, time.Time{}) {
		if err != nil {
			return err
		}
		found = append(found, segmentOf(cluster.ID, s))
	}
	_, err := k.DB.Journal.Adopt(ctx, found)
	k.found[cluster.ID] = err == nil
	return err
}

// recorded tells whether a cluster is in a state in which its nodes can be read.
func recorded(cluster models.Cluster) bool {
	switch cluster.Status {
	case models.ClusterCreating, models.ClusterDeleting, models.ClusterCreateFailed, models.ClusterRestoreFailed, models.ClusterMigrating:
		return false
	}
	return len(cluster.Nodes) > 0
}

func (k *Keeper) keepAsItIs(cluster uint, wanted map[place]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at := range k.open {
		if at.cluster == cluster {
			wanted[at] = true
		}
	}
}

// begin follows a shard, unless that is done already in the way that is asked for.
func (k *Keeper) begin(at place, plan models.JournalPlan) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f, is := k.open[at]; is {
		if f.plan != plan {
			f.close(nil) // it ends, and the next look begins it again
		}
		return
	}
	ctx, cancel := k.Within(k.loops.Context())
	f := &following{Keeper: k, at: at, plan: plan, close: cancel}
	k.open[at] = f
	k.loops.Go(func(context.Context) {
		defer cancel(nil)
		defer k.ended(f)
		f.run(ctx)
	})
}

func (k *Keeper) ended(f *following) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, f.at)
}

func (k *Keeper) closeOthers(wanted map[place]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at, f := range k.open {
		if !wanted[at] {
			f.close(nil)
		}
	}
}

// askForBases asks for snapshots of the clusters whose streams could be played back behind none.
func (k *Keeper) askForBases(ctx context.Context) {
	plans, err := k.DB.Recording.Kept(ctx)
	if err != nil {
		k.failed(ctx, "look for journals", err)
		return
	}
	for _, plan := range plans {
		cluster, err := k.DB.Clusters.ByID(ctx, plan.ClusterID)
		if err != nil || !k.Nodes.Here(cluster) {
			k.failed(ctx, "look for the cluster of a journal", err)
			continue
		}
		queued, err := k.DB.Recording.QueueBase(ctx, cluster)
		k.failed(ctx, "ask for a snapshot for a journal", err)
		if queued {
			k.Wake()
		}
	}
}

// sweep removes segments that no recovery window needs any more: first from the store, then from the catalog. The oldest go first, so that what is
// left is whole whenever this ends.
func (k *Keeper) sweep(ctx context.Context) {
	if mine, err := k.Mine(ctx); err != nil || !mine || k.Present(ctx) != nil {
		k.failed(ctx, "look whose journals are to be swept", err)
		return // others say that the store is away
	}
	segments, err := k.DB.Journal.Outlived(ctx)
	if err != nil {
		k.failed(ctx, "look for what journals no longer need", err)
		return
	}
	if err := k.DB.Journal.Leave(ctx, segments); err != nil {
		k.failed(ctx, "remove segments of journals", err)
		return
	}
	var gone []models.JournalSegment
	for _, s := range segments {
		if err := k.Store.Delete(ctx, s.Key); err != nil {
			k.failed(ctx, "remove a segment of a journal", fmt.Errorf("%s: %w", s.Key, err))
			break
		}
		gone = append(gone, s)
	}
	if len(gone) > 0 {
		k.failed(ctx, "forget segments of journals", k.DB.Journal.Forget(context.WithoutCancel(ctx), gone))
	}
}

// spool is the folder for what the store does not take at once of a shard; "": there is none.
func (k *Keeper) spool(cluster models.Cluster, shard int) string {
	if k.Spool == "" {
		return ""
	}
	return filepath.Join(k.Spool, fmt.Sprintf("%s-%04d", cluster.Name, shard))
}

// errTaken ends a link that another console keeps.
var errTaken = errors.New("another console keeps this journal")
