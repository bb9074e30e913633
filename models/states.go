package models

import (
	"fmt"
	"slices"
)

// This file has the state machines of clusters, snapshots and runs: which state can follow which, and why. Nothing else can happen, because the
// functions that change states check it. docs/states.md is generated from it.

// move is a step from one state to another. An empty From is the creation of the row, an empty To its removal.
type move[S ~string] struct {
	From, To S
	When     string
}

// ClusterMoves are the moves between the states of clusters.
var ClusterMoves = []move[ClusterStatus]{
	{"", ClusterCreating, "somebody creates or restores it"},
	{"", ClusterAvailable, "somebody attaches it, or a rebuild of the catalog finds its nodes"},
	{"", ClusterMigrating, "a rebuild finds its nodes, which follow a server outside"},
	{"", ClusterRestoreFailed, "a rebuild finds it in the store, without nodes"},
	{"", ClusterUnreachable, "a rebuild finds in the store that it was attached"},
	{ClusterCreating, ClusterAvailable, "its nodes run and have their data"},
	{ClusterCreating, ClusterCreateFailed, "a node could not be started"},
	{ClusterCreating, ClusterRestoreFailed, "it could not be filled from the snapshot, or that was cancelled"},
	{ClusterCreating, ClusterUnreachable, "it could not be filled again after all its nodes had died; that is tried again"},
	{ClusterAvailable, ClusterSnapshotting, "a snapshot is asked for or due"},
	{ClusterSnapshotting, ClusterAvailable, "the snapshot has ended, well or not"},
	{ClusterAvailable, ClusterModifying, "a change, a failover, a restore into it or a migration is asked for"},
	{ClusterModifying, ClusterAvailable, "that has ended, well or not"},
	{ClusterModifying, ClusterMigrating, "its primary follows a server outside, or goes on doing so"},
	{ClusterMigrating, ClusterModifying, "the migration is to be completed, or given up"},
	{ClusterMigrating, ClusterDeleting, "somebody deletes it"},
	{ClusterAvailable, ClusterRebooting, "a restart of nodes is asked for"},
	{ClusterRebooting, ClusterAvailable, "the restart has ended, well or not"},
	{ClusterAvailable, ClusterUnreachable, "its primary does not answer, or its host has no console"},
	{ClusterUnreachable, ClusterAvailable, "it answers again"},
	{ClusterUnreachable, ClusterUnreachable, "there is another reason"},
	{ClusterUnreachable, ClusterSnapshotting, "a snapshot is taken from a replica that is in step"},
	{ClusterSnapshotting, ClusterUnreachable, "that snapshot has ended"},
	{ClusterAvailable, ClusterCreating, "all its nodes have died before one had saved: it is filled again"},
	{ClusterUnreachable, ClusterCreating, "all its nodes have died before one had saved: it is filled again"},
	{ClusterAvailable, ClusterDeleting, "somebody deletes it"},
	{ClusterUnreachable, ClusterDeleting, "somebody deletes it"},
	{ClusterCreateFailed, ClusterDeleting, "somebody deletes it"},
	{ClusterRestoreFailed, ClusterDeleting, "somebody deletes it"},
	{ClusterDeleting, ClusterDeleting, "it could not be deleted completely; deleting it again goes on"},
	{ClusterDeleting, ClusterAvailable, "its final snapshot failed, and nothing was deleted"},
	{ClusterDeleting, "", "its nodes are gone"},
}

// SnapshotMoves are the moves between the states of snapshots.
var SnapshotMoves = []move[SnapshotStatus]{
	{"", SnapshotCreating, "it is asked for, due, copied or imported"},
	{"", SnapshotAvailable, "a rebuild of the catalog finds its manifest"},
	{SnapshotCreating, SnapshotAvailable, "all of it is stored, read back and committed by a manifest"},
	{SnapshotCreating, SnapshotFailed, "it was not, and what was stored is removed"},
	{SnapshotCreating, "", "an upload or a copy was refused"},
	{SnapshotAvailable, SnapshotRestoring, "a cluster is filled from it"},
	{SnapshotAvailable, SnapshotCopying, "it is copied or exported"},
	{SnapshotRestoring, SnapshotRestoring, "another cluster is filled from it"},
	{SnapshotRestoring, SnapshotCopying, "it is copied, too"},
	{SnapshotCopying, SnapshotRestoring, "a cluster is filled from it, too"},
	{SnapshotCopying, SnapshotCopying, "it is copied once more"},
	{SnapshotRestoring, SnapshotAvailable, "the last restore or copy has ended"},
	{SnapshotCopying, SnapshotAvailable, "the last restore or copy has ended"},
	{SnapshotAvailable, SnapshotFailed, "it is found damaged or missing"},
	{SnapshotRestoring, SnapshotFailed, "it is found damaged or missing"},
	{SnapshotCopying, SnapshotFailed, "it is found damaged or missing"},
	{SnapshotFailed, SnapshotFailed, "the damage is found once more"},
	{SnapshotFailed, SnapshotAvailable, "it is found whole again"},
	{SnapshotAvailable, SnapshotDeleting, "somebody deletes it, or it is older than the retention"},
	{SnapshotFailed, SnapshotDeleting, "somebody deletes it"},
	{SnapshotDeleting, SnapshotDeleting, "its cluster's deletion goes on"},
	{SnapshotDeleting, SnapshotAvailable, "the store refused, and nothing was removed"},
	{SnapshotDeleting, SnapshotFailed, "it could not be removed completely"},
	{SnapshotDeleting, "", "it is gone from the store"},
}

// RunMoves are the moves between the states of runs.
var RunMoves = []move[RunStatus]{
	{"", RunQueued, "somebody asks for it, or the schedule does"},
	{"", RunRunning, "a browser begins to send a file"},
	{RunQueued, RunRunning, "a console with a lease claims it"},
	{RunRunning, RunQueued, "its console stops, or has lost its lease, and it can be begun again"},
	{RunQueued, RunCancelled, "somebody cancels it"},
	{RunRunning, RunSucceeded, "it has done its work"},
	{RunRunning, RunDamaged, "it is a verification, and what it read back is not what was written"},
	{RunRunning, RunFailed, "it failed; what it has made is removed first"},
	{RunRunning, RunCancelled, "somebody cancels it; what it has made is removed first"},
}

// CheckMoves fails if a state must not follow one of these. That is a mistake in the code, and nothing is changed.
func CheckMoves[S ~string](moves []move[S], to S, from ...S) error {
	for _, state := range from {
		if !slices.ContainsFunc(moves, func(m move[S]) bool { return m.From == state && m.To == to }) {
			return fmt.Errorf("there is no way from the state %q to %q", state, to)
		}
	}
	return nil
}
