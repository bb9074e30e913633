package nodes

import (
	"fmt"
	"slices"
	"time"

	"rekindle/models"
)

// seenEvery is how often the state of a node is recorded when hardly anything has changed.
const seenEvery = 20 * time.Second

// report returns the steps that record, for the pages, how the nodes were seen and whether the cluster can be reached. Only changes are recorded.
// There is one look for each shard.
func report(cluster models.Cluster, shards []look, now time.Time) []step {
	var steps []step
	reachable, why := true, ""
	for _, l := range shards {
		head := l.head()
		for _, v := range l.nodes {
			if n := describedIn(cluster, l, v, head, now); !n.SameAs(v.node, seenEvery) {
				steps = append(steps, noteNode{on(n.Name), n})
				if n.State == "available" && v.node.State != n.State && v.node.SeenAt != nil {
					steps = append(steps, noteRecovered{on(n.Name)})
				}
			}
			if managed(cluster) && v.node.Role == models.RolePrimary && v.answers && !v.state.Replica && v.state.Slots != v.node.Slots {
				steps = append(steps, noteSlots{on(v.node.Name), v.node, v.state.Slots})
			}
			if trouble := outOfReach(v); trouble != "" {
				reachable, why = false, trouble
			}
		}
	}
	if cluster.Migrating() { // it stays so, whatever its nodes do
		return append(steps, reportMigrating(cluster, shards)...)
	}
	was := cluster.Status == models.ClusterUnreachable
	switch {
	case reachable && was:
		steps = append(steps, mark{"", true, ""})
	case !reachable && (!was || why != cluster.StatusReason):
		steps = append(steps, mark{"", false, why})
	}
	return steps
}

// described is a node's row, updated with how the node was seen.
func described(v seen, head int64, now time.Time) models.Node {
	n := v.node
	switch {
	case v.started:
		n.State = "starting"
	case !v.running:
		n.State = "stopped"
	case !v.answers:
		n.State = "unreachable"
	case v.state.Loading || v.state.Syncing:
		n.State = "loading"
	case v.state.Unserved && !v.state.Replica:
		n.State = models.NodeRefusing
	default:
		n.State = "available"
	}
	if v.answers {
		n.SeenAt, n.UsedMemory, n.MaxMemory, n.Keys, n.LagBytes = &now, v.state.UsedMemory, v.state.MaxMemory, v.state.Keys, head-v.state.Offset
		if v.state.Replica && !v.state.LinkUp {
			n.LagBytes = -1
		}
	}
	return n
}

// outOfReach says why a cluster cannot be reached because of this node, "" if it can.
func outOfReach(v seen) string {
	n := v.node
	switch {
	case n.Role == models.RoleReplica:
		return ""
	case v.trouble != "":
		return v.trouble
	case v.silent.probes < silentProbes:
		return ""
	case v.refuses:
		return fmt.Sprintf("The %s %s answers, but does not accept the console's password: somebody has changed it. %s", n.Role, n.Name, SetPasswordBack)
	}
	return fmt.Sprintf("The %s %s does not answer.", n.Role, n.Name)
}

// away returns the clusters whose nodes are on the host of another console that is away: no other console can tell how they are or start them.
// Clusters that are already marked so are left out.
func away(clusters []models.Cluster, home string, homes map[string]bool) []models.Cluster {
	var found []models.Cluster
	for _, c := range clusters {
		if elsewhere(c, home) && !homes[c.Home] && (c.Status != models.ClusterUnreachable || c.StatusReason != hostAway) {
			found = append(found, c)
		}
	}
	return found
}

func elsewhere(c models.Cluster, home string) bool {
	return slices.Contains(markedStates, c.Status) && !c.Attached() && c.Home != home
}

// hostAway is the reason why a cluster is unreachable if no console runs on its host.
const hostAway = "The console on the host of its nodes is away. Start it there; should the host be lost, restore a snapshot into a new cluster."
