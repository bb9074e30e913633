package nodes

import (
	"fmt"
	"slices"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// This file decides what becomes of a shard whose primary hangs or is gone.

// silentProbes is how often a primary whose process is alive may fail to answer before the cluster counts as unreachable.
const silentProbes = 3

// hung tells whether the primary hangs: its process is there but has answered nothing for too long, not even with a refusal, and a replica that has
// all of the data has not heard from it either. If any replica has heard from it lately, it does not hang.
func hung(l look) bool {
	primary := l.nodes[l.primary()]
	if l.limit == 0 || primary.silent.probes < silentProbes || primary.ended {
		return false
	}
	if !primary.running || primary.answers || primary.lives || primary.silent.length() < l.limit {
		return false
	}
	ready := false
	for _, v := range l.nodes {
		if v.node.Role != models.RoleReplica || !v.answers || !v.state.Replica || v.state.Primary != primary.node.Address() {
			continue
		}
		if v.state.Heard < l.limit {
			return false
		}
		ready = ready || complete(v)
	}
	return ready
}

// complete tells whether a replica has a whole copy of the data, up to its offset.
func complete(v seen) bool {
	return v.answers && !v.state.Loading && !v.state.Syncing && (!v.state.Replica || v.state.Offset > 1)
}

// fence ends a primary that hangs, so that a replica can take over. It cannot be asked to step down, and may wake at any moment with clients that
// still write to it. So it is ended before a replica is promoted, and not when it wakes: its process is on this host, a killed process never runs
// again, and at no moment do two nodes take writes. What it had not yet passed on to a replica is lost, as in any failover.
func fence(primary seen) []step {
	name := primary.node.Name
	return []step{
		endNode{on(name), fmt.Sprintf("The primary %s hangs and its process could not be ended, so no replica takes over: it might wake up and go on taking writes.", name)},
		say{on(name), models.SeverityError, fmt.Sprintf("The primary %s had not answered for %s, and its replicas had not heard from it. "+
			"Its process was ended, so that it can no longer take writes; what it had not yet passed on to a replica is lost.", name, primary.silent.length().Round(time.Second))},
	}
}

// replacePrimary decides which node becomes the primary when the primary's process is gone: the live replica that is furthest ahead, otherwise the
// node with the most recent RDB.
func replacePrimary(cluster models.Cluster, l look, p int) []step {
	if slices.ContainsFunc(l.nodes, func(v seen) bool { return v.handled }) {
		return nil // an appointment has failed
	}
	old := l.nodes[l.was].node.Name
	chosen, silent := successor(l, p)
	if chosen >= 0 {
		v := l.nodes[chosen]
		text := fmt.Sprintf("The primary %s had stopped. The replica %s was promoted; %s joins it as a replica.", old, v.node.Name, old)
		if !v.state.Replica { // it was promoted by a console that was killed before it could say so
			text = fmt.Sprintf("The primary %s had stopped. %s is the primary now; %s joins it as a replica.", old, v.node.Name, old)
		}
		return []step{appoint{on(v.node.Name)}, say{on(v.node.Name), models.SeverityWarning, text}}
	}
	if silent >= 0 && l.nodes[silent].waited+1 < 10*silentProbes {
		v := l.nodes[silent]
		return []step{await{on(v.node.Name), fmt.Sprintf("The primary %s has stopped, and the replica %s is not ready yet.", old, v.node.Name)}}
	}
	return fromDisk(cluster, l, p)
}

// successor chooses the live replica that is furthest ahead, -1 if none is ready. silent is one that runs but does not answer, or is still loading, or
// was being given a new copy when the primary ended: once it has noticed that, it has the copy from before.
func successor(l look, primary int) (chosen, silent int) {
	chosen, silent = -1, -1
	for i, v := range l.nodes {
		switch {
		case i == primary || !v.running:
		case !v.answers || v.state.Loading || v.state.Syncing:
			silent = i
		case !complete(v):
		case !v.state.Replica:
			return i, silent // promoted already
		case chosen < 0 || v.state.Offset > l.nodes[chosen].state.Offset:
			chosen = i
		}
	}
	return chosen, silent
}

// leftover is the RDB that a node has left.
type leftover struct {
	index int // of the node
	launch.Saved
}

// newer tells whether this RDB has newer data than the other.
func (l leftover) newer(than leftover) bool {
	if l.ReplicationID != "" && l.ReplicationID == than.ReplicationID {
		return l.Offset > than.Offset // within one history the offset is more reliable than the clock
	}
	return l.At.After(than.At)
}

// leftovers are the RDBs of the nodes that do not run, the freshest first. In a tie the RDB of the previous primary comes first.
func leftovers(l look) ([]leftover, error) {
	var found []leftover
	for _, i := range append([]int{l.was}, indexesWithout(len(l.nodes), l.was)...) {
		v := l.nodes[i]
		switch {
		case v.running:
		case v.unsure != nil:
			return nil, fmt.Errorf("look for the RDB of %s: %w", v.node.Name, v.unsure)
		case v.saved.Exists:
			found = append(found, leftover{i, v.saved})
		}
	}
	return freshestFirst(found), nil
}

// freshestFirst picks the freshest again and again: sorting needs a consistent order, and histories and clocks together do not give one.
func freshestFirst(found []leftover) []leftover {
	var ordered []leftover
	for len(found) > 0 {
		best := 0
		for i := range found {
			if found[i].newer(found[best]) {
				best = i
			}
		}
		ordered = append(ordered, found[best])
		found = slices.Delete(found, best, best+1)
	}
	return ordered
}

func indexesWithout(n, without int) []int {
	var indexes []int
	for i := range n {
		if i != without {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// fromDisk brings back a shard whose nodes have all ended, with the freshest RDB that can be loaded. If none can, no data is touched: somebody may
// still rescue it by hand.
func fromDisk(cluster models.Cluster, l look, p int) []step {
	found, err := leftovers(l)
	if err != nil {
		return []step{giveUp{err: err}}
	}
	if len(found) == 0 {
		return fromNothing(cluster, l, p)
	}
	var refused []string
	for _, rdb := range found {
		v := l.nodes[rdb.index]
		switch {
		case v.failure == nil:
			return append(appointed(v), startNode{on(v.node.Name)}, cameFrom(cluster, l.nodes[l.was].node, v.node, rdb.At, refused))
		case !v.failure.data:
			return []step{complainOf(v)}
		}
		refused = append(refused, fmt.Sprintf("The RDB that %s saved at %s UTC cannot be loaded.%s", v.node.Name, clockText(rdb.At), v.failure.words))
	}
	freshest := l.nodes[found[0].index]
	if len(found) == 1 {
		refused = []string{freshest.failure.text}
	}
	return append(appointed(freshest), complain{on(freshest.node.Name), join(refused), freshest.failure.err})
}

func appointed(v seen) []step {
	if v.node.Role == models.RolePrimary {
		return nil
	}
	return []step{appoint{on(v.node.Name)}}
}

// earlier chooses a live replica that has data although it no longer knows of which place in the stream: Redis 6 forgets that when a new copy begins.
// That it has been promoted already shows in its role, and then it is no replica.
func earlier(l look, primary int) (best seen, is bool) {
	for i, v := range l.nodes {
		if i == primary || !v.running || !v.answers || !v.state.Replica || v.state.Loading || v.state.Syncing {
			continue
		}
		if v.state.Keys > best.state.Keys {
			best, is = v, true
		}
	}
	return best, is
}

// fromNothing is for a shard without any RDB. A replica may still have an earlier copy of the data. If the shard was restored and died before any of its
// nodes had saved the data, it is filled again from the snapshot that it came from. Any other has lost its data.
func fromNothing(cluster models.Cluster, l look, p int) []step {
	primary := l.nodes[p]
	name := on(primary.node.Name)
	if v, is := earlier(l, p); is {
		return []step{appoint{on(v.node.Name)}, say{on(v.node.Name), models.SeverityError, fmt.Sprintf("The primary %s had stopped while no replica was in step with it. "+
			"The replica %s was promoted with the copy of the data that it had; what was written since then is lost.", l.nodes[l.was].node.Name, v.node.Name)}}
	}
	if primary.failure != nil {
		return []step{complainOf(primary)}
	}
	// Not in cluster mode, where the other shards stay alive and may have changed since.
	if cluster.UnsavedFrom != "" && !l.cannotRefill && !managed(cluster) {
		return []step{refill{name}}
	}
	return []step{startNode{name}, noteEmptied{name}}
}

// cameFrom says from which RDB a cluster came back, and which fresher ones could not be loaded.
func cameFrom(cluster models.Cluster, old, node models.Node, at time.Time, refused []string) step {
	if len(refused) == 0 && old.Halted {
		return say{on(node.Name), models.SeverityInfo, fmt.Sprintf("The cluster %s, which was stopped with the console, was started again with what %s saved at %s UTC.",
			cluster.Name, node.Name, clockText(at))}
	}
	severity, text := models.SeverityWarning, fmt.Sprintf("The primary %s had stopped and no replica was alive.", old.Name)
	if len(refused) > 0 {
		severity, text = models.SeverityError, text+" "+join(refused)
	}
	return say{on(node.Name), severity, fmt.Sprintf("%s The cluster comes back from the RDB that %s saved at %s UTC.", text, node.Name, clockText(at))}
}

func clockText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") }
