package nodes

import (
	"context"
	"errors"
	"sync"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/models"
)

// look is everything that a plan is based on besides the cluster's row: its nodes as they were seen, and what this repair has done so far.
type look struct {
	nodes []seen        // in the order of the cluster's
	was   int           // index of the primary when the repair began; -1: none
	limit time.Duration // how long a primary that hangs may be silent before it is replaced; 0: forever

	source int64 // how far the server outside has got that a migrating cluster follows; 0: it did not say

	filling      bool // the cluster is being filled again, or is about to be
	cannotRefill bool // there is no snapshot to fill it from
	triedToSave  bool
	failed       bool // a step has failed
}

// seen is one node as it was seen.
type seen struct {
	node    models.Node
	running bool
	answers bool
	refuses bool // it answers, but does not know the console's password
	lives   bool // it answered something, even if only an error
	state   State
	saved   launch.Saved
	unsure  error // why it is unknown what it has saved

	silent silence // the series of probes without an answer up to this look
	waited int     // how often it was waited for, as the successor of a stopped primary
	owned  string  // its history when it was last seen as a primary

	done
}

// done is what this repair has done with a node, and the result.
type done struct {
	started bool
	ended   bool
	failure *failure // why it could not be started, or ended
	aside   string   // the new name of the RDB that it could not load
	refused string   // what it said about that RDB
	handled bool     // it was told something, or a step on it has failed: the rest is left to the next round
	trouble string   // what is wrong with it, in a sentence
}

// failure is why a node could not be started or ended.
type failure struct {
	err   error
	text  string // for people
	words string // the node's last words, with a space before them
	data  bool   // the data is to blame
}

// primary is the index of the node that is the primary in the catalog, -1 if there is none.
func (l *look) primary() int {
	for i, v := range l.nodes {
		if v.node.Role == models.RolePrimary {
			return i
		}
	}
	return -1
}

// head is the offset of the node that is furthest ahead.
func (l *look) head() int64 {
	var head int64
	for _, v := range l.nodes {
		if v.answers {
			head = max(head, v.state.Offset)
		}
	}
	return head
}

// node finds a node by its name; the plan only names nodes that exist.
func (l *look) node(name string) *seen {
	for i := range l.nodes {
		if l.nodes[i].node.Name == name {
			return &l.nodes[i]
		}
	}
	return nil
}

// look looks at all nodes of a cluster at once.
func (s *Supervisor) look(ctx context.Context, cluster models.Cluster) look {
	l := look{nodes: make([]seen, len(cluster.Nodes))}
	var probes sync.WaitGroup
	for i, node := range cluster.Nodes {
		probes.Go(func() { l.nodes[i] = s.see(ctx, cluster, node) })
	}
	if cluster.Migrating() {
		_, l.source, _ = SourceOffset(ctx, cluster) // the link's state says that it is away
	}
	probes.Wait()
	if l.was = l.primary(); l.was >= 0 && l.nodes[l.was].silent.probes >= silentProbes {
		seconds, err := s.DB.Settings.PromoteAfter(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("look after a primary that does not answer", "cluster", cluster.Name, "error", err)
		}
		l.limit = time.Duration(seconds) * time.Second
		if err != nil {
			l.limit = 0
		}
	}
	return l
}

func (s *Supervisor) see(ctx context.Context, cluster models.Cluster, node models.Node) seen {
	v := seen{node: node}
	v.silent, v.waited, v.owned = s.memory.recall(node.Name)
	running, err := s.Launcher.Running(ctx, cluster.Name, node.Name)
	if err != nil {
		s.Logger.Error("look for node", "node", node.Name, "error", err)
		v.running = true // unknown: never start a second one
		return v
	}
	if v.running = running; running {
		v.state, err = Probe(ctx, cluster, node)
		_, refused := errors.AsType[resp.Error](err)
		v.answers, v.lives, v.refuses = err == nil, err == nil || refused, PasswordRefused(err)
	}
	if savesAtAll(cluster) || !running && !cluster.Cached() {
		v.saved, v.unsure = s.Launcher.Saved(ctx, cluster.Name, node.Name)
	}
	return v
}
