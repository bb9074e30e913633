package nodes

import (
	"fmt"
	"slices"
	"strings"

	"rekindle/jobs/reason"
	"rekindle/models"
)

// A plan only decides. It lists the steps that are possible now. Once they are carried out, the nodes are looked at again and a new plan is
// made, until there are no more steps.

// plan returns the next steps towards what the catalog wants.
func plan(cluster models.Cluster, l look) []step {
	if steps := repair(cluster, l); len(steps) > 0 || l.failed {
		return steps
	}
	return keepSaved(cluster, l)
}

// repair restarts nodes that died and corrects roles. It must not be used on a cluster that somebody else is changing. A dead primary is
// never started empty over replicas that have its data.
func repair(cluster models.Cluster, l look) []step {
	if cluster.Cached() {
		return repairCaches(l)
	}
	p := l.primary()
	if p < 0 {
		return []step{giveUp{err: reason.Because(nil, "The cluster %s has no primary.", cluster.Name)}}
	}
	if i := elected(cluster, l, p); i >= 0 {
		name := l.nodes[i].node.Name
		return []step{appoint{on(name)}, say{on(name), models.SeverityWarning, fmt.Sprintf("The nodes of %s have made %s the primary of its shard in place of %s.",
			cluster.Name, name, l.nodes[p].node.Name)}}
	}
	primary := l.nodes[p]
	switch {
	case primary.trouble != "" || l.filling || primary.started && !primary.running:
		// A replica started now would look like one that had stayed alive, and be promoted with its data, which may be older.
		return nil
	case cluster.Migrating():
		return settled(cluster, l, repairMigrating(cluster, l, p))
	case !primary.running:
		return replacePrimary(cluster, l, p)
	case primary.failure != nil:
		return []step{complainOf(primary)}
	case hung(l):
		return fence(primary)
	case managed(cluster) && primary.state.Replica && livesAt(l, primary.state.Primary):
		return nil // the nodes have elected another, which does not answer just now: it may have taken writes
	}
	steps := repairPrimary(cluster, primary)
	for i, v := range l.nodes {
		if i != p {
			steps = append(steps, repairReplica(cluster, primary.node, v)...)
		}
	}
	return settled(cluster, l, steps)
}

// settled adds the step that applies wanted parameters, once no node needs a repair.
func settled(cluster models.Cluster, l look, steps []step) []step {
	if len(steps) > 0 || l.failed || cluster.ParametersApplied >= cluster.ParametersWanted {
		return steps
	}
	if slices.ContainsFunc(l.nodes, func(v seen) bool { return !v.running || !v.answers || v.state.Loading }) {
		return nil // wait until all of them answer
	}
	return []step{setParameters{}}
}

// elected returns the index of the node that the cluster itself has made the shard's primary, or -1. In cluster mode the nodes hold a vote
// when a primary is silent for long. The catalog's primary must know of the vote or not answer.
func elected(cluster models.Cluster, l look, p int) int {
	if !managed(cluster) || l.nodes[p].answers && !l.nodes[p].state.Replica {
		return -1
	}
	return slices.IndexFunc(l.nodes, func(v seen) bool {
		return v.node.Role == models.RoleReplica && v.answers && !v.state.Replica && v.state.Slots != ""
	})
}

// livesAt reports whether the node at this address has a running process.
func livesAt(l look, address string) bool {
	return slices.ContainsFunc(l.nodes, func(v seen) bool { return v.node.Address() == address && v.running })
}

// repairCaches starts memcached nodes that have died. They come back empty.
func repairCaches(l look) []step {
	var steps []step
	for _, v := range l.nodes {
		steps = append(steps, startAgain(v, ", empty", false)...)
	}
	return steps
}

// startAgain restarts a node that has ended, with an event that says in which role. If another node feeds it, its own RDB does not matter.
func startAgain(v seen, as string, fed bool) []step {
	name := on(v.node.Name)
	switch {
	case v.running || v.started || v.handled || v.trouble != "":
		return nil
	case v.failure != nil && v.failure.data && fed && v.aside == "": // the node that it follows has the data
		return []step{setAside{name}}
	case v.failure != nil:
		return []step{complainOf(v)}
	}
	steps := []step{startNode{name}}
	if v.aside != "" {
		steps = append(steps, say{name, models.SeverityWarning, fmt.Sprintf("The replica %s could not load its dump.rdb.%s The file is %s in the node's folder now, and %s gets the data from its primary.",
			v.node.Name, v.refused, v.aside, v.node.Name)})
	}
	if v.node.Halted {
		return append(steps, say{name, models.SeverityInfo, fmt.Sprintf("The node %s, which was stopped with the console, was started again%s.", v.node.Name, as)})
	}
	return append(steps, say{name, models.SeverityWarning, fmt.Sprintf("The node %s had stopped. It was started again%s.", v.node.Name, as)})
}

func complainOf(v seen) step { return complain{on(v.node.Name), v.failure.text, v.failure.err} }

func repairPrimary(cluster models.Cluster, v seen) []step {
	name := on(v.node.Name)
	switch {
	case v.handled || !v.answers:
		return nil
	case v.state.Replica:
		return slices.Concat([]step{promote{name}}, ledAstray(cluster, v), []step{configure{name}})
	case v.state.MaxMemory != cluster.MaxMemory():
		return []step{configure{name}} // a change of the node type did not reach it
	}
	return nil
}

// ledAstray returns the event for a primary that somebody made a replica of a node outside the cluster; another step undoes it. Unless the
// primary's data is certainly still its own, it counts as lost.
func ledAstray(cluster models.Cluster, v seen) []step {
	if memberAt(cluster, v.state.Primary) {
		return nil // a killed console did not finish promoting it
	}
	if v.owned != "" && v.owned == v.state.History && !v.state.Loading {
		return []step{say{on(v.node.Name), models.SeverityWarning, fmt.Sprintf("The primary %s was made a replica of %s by a REPLICAOF that Rekindle did not send. "+
			"It was made a primary again before it had taken over any data.", v.node.Name, v.state.Primary)}}
	}
	return []step{noteReplaced{on(v.node.Name), v.state.Primary, v.state.History}}
}

func memberAt(cluster models.Cluster, address string) bool {
	return slices.ContainsFunc(cluster.Nodes, func(n models.Node) bool { return n.Address() == address })
}

func repairReplica(cluster models.Cluster, primary models.Node, v seen) []step {
	name := on(v.node.Name)
	switch {
	case !v.running:
		return startAgain(v, " as a replica of "+primary.Name, true)
	case v.handled || !v.answers:
		return nil
	case managed(cluster) && !v.state.Replica && v.state.Slots != "":
		return nil // a former primary that does not know yet that it was replaced: the others will tell it
	case !v.state.Replica || v.state.Primary != primary.Address():
		return slices.Concat([]step{follow{name}}, replicaAgain(cluster, primary, v), []step{configure{name}})
	case v.state.MaxMemory != cluster.MaxMemory():
		return []step{configure{name}}
	}
	return nil
}

// replicaAgain returns the event for a replica that had become something else; another step undoes it.
func replicaAgain(cluster models.Cluster, primary models.Node, v seen) []step {
	was := "a replica of " + v.state.Primary
	if !v.state.Replica {
		was = "an independent primary, and what was written only to it is gone"
	} else if memberAt(cluster, v.state.Primary) {
		return nil // it follows an earlier primary
	}
	return []step{say{on(v.node.Name), models.SeverityWarning, fmt.Sprintf("The node %s is a replica of %s again. It had become %s.", v.node.Name, primary.Name, was)}}
}

// keepSaved makes a replica save if no node has an RDB of the current history yet. The primary saves only if no replica runs: the
// application feels the fork, but at least there is an RDB to start from. A primary that has no replicas uses its own save points, once it
// has saved what it was filled with.
//
// A shard whose nodes all end at once comes back from an RDB on disk. Its replicas write one by their save points, but only after a number of
// changes, and not at all when the data came by replication, from a snapshot or a new primary. Saving takes a while: if all nodes of a restored
// cluster die before that, it is filled again.
func keepSaved(cluster models.Cluster, l look) []step {
	p := l.primary()
	if !savesAtAll(cluster) || l.triedToSave || p < 0 {
		return nil
	}
	if slices.ContainsFunc(l.nodes, func(v seen) bool { return v.answers && v.state.Saving }) {
		return nil // what it writes is checked once it is complete
	}
	primary := l.nodes[p]
	history := primary.state.History
	if !primary.answers || primary.state.Replica || primary.state.Loading || history == "" || primary.state.Keys == 0 {
		return nil // an empty RDB would make a loss look like a recovery
	}
	chosen := ""
	replicas := false // any that runs
	for i, v := range l.nodes {
		if v.unsure == nil && v.saved.Exists && (v.saved.ReplicationID == history || len(l.nodes) == 1) {
			if cluster.UnsavedFrom == "" {
				return nil
			}
			return []step{noteSaved{}}
		}
		replicas = replicas || i != p && (v.running || v.started)
		s := v.state
		if chosen == "" && v.answers && s.Replica && s.LinkUp && !s.Loading && !s.Syncing && s.History == history {
			chosen = v.node.Name
		}
	}
	if chosen == "" && !replicas {
		chosen = primary.node.Name
	}
	if chosen == "" {
		return nil
	}
	return []step{saveNode{on(chosen), history}}
}

// savesAtAll reports whether a cluster's running nodes need a saved RDB.
func savesAtAll(cluster models.Cluster) bool {
	return !cluster.Cached() && (len(cluster.Nodes) > 1 || cluster.UnsavedFrom != "")
}

// join joins sentences.
func join(sentences []string) string { return strings.Join(sentences, " ") }
