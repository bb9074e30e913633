package models

import "context"

// runWay is what the catalog does about the runs of one kind.
type runWay struct {
	home  func(ctx context.Context, tx *DB, run Run) (string, error)
	frees func(ctx context.Context, tx *DB, run Run, e *ending) error
}

// ending is how a run ends that did not succeed. What frees the things that it worked on may amend it.
type ending struct {
	status RunStatus
	reason string
	event  Event // without a message it is not written
}

// runWays has the way of every kind.
var runWays = map[RunKind]runWay{
	RunSnapshot:       {home: atNodes, frees: freeSnapshotted},
	RunRestore:        {home: atNodes, frees: freeRestored},
	RunCreate:         {home: atNodes, frees: freeNew(ClusterCreateFailed)},
	RunModify:         {home: atNodes, frees: freeAvailable("The last change did not succeed. ")},
	RunReboot:         {home: atNodes, frees: freeAvailable("The last restart of nodes did not succeed. ")},
	RunFailover:       {home: atNodes, frees: freeAvailable("The last failover did not succeed. ")},
	RunDelete:         {home: atNodesOrGone, frees: freeDeleting},
	RunDeleteSnapshot: {home: anywhere, frees: freeRemoved},
	RunCopy:           {home: anywhere, frees: freeMoved},
	RunExport:         {home: anywhere, frees: freeMoved},
	RunImport:         {home: anywhere, frees: freeMoved},
	RunVerify:         {home: anywhere, frees: freeVerified},
	RunRebuild:        {home: anywhere, frees: freeNothing},
}

// wayOf returns what the catalog does about a kind. One that only a newer console knows is worked on anywhere and holds nothing.
func wayOf(kind RunKind) runWay {
	if way, known := runWays[kind]; known {
		return way
	}
	return runWay{home: anywhere, frees: freeNothing}
}
