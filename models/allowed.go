package models

import (
	"fmt"
	"slices"
	"strings"
)

// This file says in which state what may be done to a cluster or a snapshot, and why not otherwise. Pages ask before they offer an action, and the
// catalog asks again when it is carried out.

// InMotion tells whether something is being done to a cluster that will soon bring it into another state.
func (s ClusterStatus) InMotion() bool {
	switch s {
	case ClusterCreating, ClusterModifying, ClusterSnapshotting, ClusterRebooting, ClusterDeleting:
		return true
	}
	return false
}

// ByClustersFile stands for a person in requests that come from a clusters file; see [Cluster.Declared].
const ByClustersFile = "the clusters file"

// Elsewhere says why this requester may not change or detach the cluster here, or "". What a clusters file declares must be changed in the file, which
// would undo the change otherwise.
func (c Cluster) Elsewhere(requestedBy string) string {
	if c.Declared == "" || requestedBy == ByClustersFile {
		return ""
	}
	return fmt.Sprintf("The cluster %s comes from the clusters file %s: change it there, and send the console SIGHUP.", c.Name, c.Declared)
}

// Unprotected says why a cluster of this kind cannot be backed up at all, or "".
func (c Cluster) Unprotected() string {
	if c.Cached() {
		return fmt.Sprintf("The cluster %s runs memcached, whose nodes only cache: it cannot be backed up.", c.Name)
	}
	if t, _ := FindNodeType(c.NodeType); t.NoSnapshots {
		return fmt.Sprintf("The cluster %s has the node type %s, which cannot be backed up, as in ElastiCache. Choose a larger type to take snapshots.", c.Name, t.Name)
	}
	return ""
}

// NoSnapshot says why no snapshot of the cluster can be taken now, or "". A launched cluster whose primary does not answer can be backed up as long as
// a replica is in step.
func (c Cluster) NoSnapshot() string {
	if why := c.Unprotected(); why != "" {
		return why
	}
	switch c.Status {
	case ClusterAvailable:
		return ""
	case ClusterUnreachable:
		if c.Attached() { // which nodes it has now is not known
			return strings.TrimSpace(fmt.Sprintf("The cluster %s is unreachable, so no snapshot of it can be taken. %s", c.Name, c.StatusReason))
		}
		if c.inStep() {
			return ""
		}
		return strings.TrimSpace(fmt.Sprintf("The cluster %s is unreachable and has no replica that is in step with its primary, so there is nothing to take a snapshot from. %s",
			c.Name, c.StatusReason))
	case ClusterCreateFailed, ClusterRestoreFailed:
		return fmt.Sprintf("The cluster %s never came up and its nodes are gone, so there is nothing to take a snapshot of.", c.Name)
	case ClusterMigrating:
		return fmt.Sprintf("Data is being moved into %s from %s: attach the cluster there to take snapshots of it, until the migration is completed.", c.Name, c.Migration.Source)
	case ClusterSnapshotting:
		return fmt.Sprintf("A snapshot of %s is already being taken; the next one can begin when it is done.", c.Name)
	}
	return fmt.Sprintf("The cluster %s is %s; a snapshot can be taken when it is available.", c.Name, c.Status)
}

// inStep tells whether each shard has a replica that is in step.
func (c Cluster) inStep() bool {
	shards := c.Shards()
	return len(shards) > 0 && !slices.ContainsFunc(shards, func(s Shard) bool { return !slices.ContainsFunc(s.Nodes, Node.InStep) })
}

// NoFinalSnapshot says why the cluster cannot be deleted with a final snapshot now, or "".
func (c Cluster) NoFinalSnapshot() string {
	if why := c.Elsewhere(""); why != "" {
		return why
	}
	if why := c.Unprotected(); why != "" {
		return why
	}
	switch c.Status {
	case ClusterAvailable:
		return ""
	case ClusterUnreachable:
		return "The primary does not answer, so no final snapshot can be taken. Take a snapshot by hand first: a replica can serve it."
	}
	return fmt.Sprintf("The cluster %s is %s; a final snapshot needs an available cluster.", c.Name, c.Status)
}

// NoDeletion says why the cluster cannot be deleted now, or "".
func (c Cluster) NoDeletion() string {
	if why := c.Elsewhere(""); why != "" {
		return why
	}
	switch c.Status {
	case ClusterAvailable, ClusterUnreachable, ClusterMigrating, ClusterRestoreFailed, ClusterCreateFailed: // a migration leaves the data at its source
		return ""
	}
	return fmt.Sprintf("The cluster %s is %s; it can be deleted when that is done.", c.Name, c.Status)
}

// NoReboot says why nodes of the cluster cannot be restarted now, or "".
func (c Cluster) NoReboot() string {
	if c.Attached() {
		return c.notOurs("Restart them")
	}
	return c.unavailable("its nodes can be restarted")
}

// NoFailover says why no failover of the cluster can be tried now, or "".
func (c Cluster) NoFailover() string {
	if c.Attached() {
		return c.notOurs("Have a replica promoted")
	}
	if !c.HasReplica() {
		return fmt.Sprintf("The cluster %s has no replica that could take over.", c.Name)
	}
	return c.unavailable("a failover can be tried")
}

// NoChangeOfNodes says why nodes of the cluster cannot be added, removed or given another type now, or "".
func (c Cluster) NoChangeOfNodes() string {
	if c.Attached() {
		return c.notOurs("Change them")
	}
	return c.unavailable("its nodes can be changed")
}

// notOurs refuses to touch the nodes of an attached cluster.
func (c Cluster) notOurs(what string) string {
	return fmt.Sprintf("The cluster %s is attached: its nodes were there before, and Rekindle does not run them. %s where they are run.", c.Name, what)
}

func (c Cluster) unavailable(what string) string {
	if c.Status == ClusterAvailable {
		return ""
	}
	return fmt.Sprintf("The cluster %s is %s; %s when it is available.", c.Name, c.Status, what)
}

// HasReplica tells whether any node of the cluster is a replica.
func (c Cluster) HasReplica() bool {
	return slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Role == RoleReplica })
}

// NoRestore says why the snapshot cannot be restored now, or "".
func (s Snapshot) NoRestore() string {
	switch {
	case s.Usable():
		return ""
	case s.Damaged():
		return fmt.Sprintf("The snapshot %s is damaged: %s", s.Name, s.Damage)
	}
	return fmt.Sprintf("The snapshot %s is %s; only an available one can be restored.", s.Name, s.Status)
}

// NoDeletion says why the snapshot cannot be deleted now, or "".
func (s Snapshot) NoDeletion() string {
	if s.Status == SnapshotAvailable || s.Status == SnapshotFailed {
		return ""
	}
	return fmt.Sprintf("The snapshot %s is %s and cannot be deleted now.", s.Name, s.Status)
}
