package jobs

import (
	"context"
	"errors"
	"fmt"

	"rekindle/models"
)

// job is what a console does about the runs of one kind. What people and the catalog's rules know about them is in models.
type job struct {
	moves    func(models.Run) bool                                      // data, and takes one of the slots for that; else it is a chore
	may      func(m *Manager, run models.Run, moving int) bool          // begin now, while so many others move data
	does     func(*Manager, context.Context, models.Run, *report) error // what it is about; its success it settles itself
	again    func(models.Run) bool                                      // it is begun again when the console was stopped in its middle
	removes  func(run models.Run, err error) bool                       // from the store or a host, when it has failed
	settles  func(*Manager, context.Context, models.Run, failure) error // one that did not succeed
	recovers func(models.Run) recovery                                  // one that was cut off; nil: it is begun again
}

// failure is how a run ends that did not succeed.
type failure struct {
	err    error // nil when it was another console that worked on it
	status models.RunStatus
	reason string // a sentence
}

// recovery settles, by what is in the store, a run that was cut off.
type recovery = func(*Manager, context.Context, models.Run) error

// kinds has every kind of run.
var kinds = map[models.RunKind]job{
	models.RunSnapshot: {
		moves: always, may: (*Manager).hostAllows, does: (*Manager).snapshot, again: never, // its moment cannot be had again
		removes: inAnyCase, settles: (*Manager).settleSnapshot, recovers: by((*Manager).recoverSnapshot),
	},
	models.RunRestore: {
		moves: always, may: (*Manager).importIsThere, does: (*Manager).create, again: always,
		removes: inAnyCase, settles: (*Manager).settleRestore, recovers: beginningAgain,
	},
	models.RunCreate: {
		moves: never, may: atOnce, does: (*Manager).create, again: always,
		removes: inAnyCase, settles: (*Manager).settleCreate, recovers: beginningAgain,
	},
	models.RunModify: {
		moves: never, may: atOnce, does: (*Manager).modify, again: always,
		removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
	},
	models.RunReboot: {
		moves: never, may: atOnce, does: (*Manager).reboot, again: always,
		removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
	},
	models.RunFailover: {
		moves: never, may: atOnce, does: (*Manager).failOver, again: always,
		removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
	},
	models.RunDelete: {
		moves: takesSnapshot, may: atOnce, does: (*Manager).delete, again: always,
		removes: finalSnapshotFailed, settles: (*Manager).settleDelete, recovers: abandoning,
	},
	models.RunDeleteSnapshot: {
		moves: never, may: atOnce, does: (*Manager).deleteSnapshot, again: always,
		removes: inNoCase, settles: (*Manager).settleRemoval, recovers: beginningAgain,
	},
	models.RunCopy: {
		moves: always, may: atOnce, does: (*Manager).copySnapshot, again: always,
		removes: atHome, settles: (*Manager).settleMove, recovers: recoveringCopy,
	},
	models.RunExport: {
		moves: always, may: atOnce, does: (*Manager).export, again: always,
		removes: inNoCase, settles: (*Manager).settleMove, recovers: beginningAgain,
	},
	models.RunImport: {
		moves: always, may: atOnce, does: (*Manager).importSnapshot, again: fromStore,
		removes: inAnyCase, settles: (*Manager).settleMove, recovers: by((*Manager).recoverImport),
	},
	models.RunVerify: {
		moves: never, may: (*Manager).verifyMayRun, does: (*Manager).verify, again: always,
		removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
	},
	models.RunRebuild: {
		moves: never, may: atOnce, does: (*Manager).rebuild, again: always,
		removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
	},
}

// jobOf returns what is done about a run. One that only a newer console knows fails.
func jobOf(run models.Run) job {
	if j, known := kinds[run.Kind]; known {
		return j
	}
	return job{moves: never, may: atOnce, again: always, removes: inNoCase, settles: (*Manager).fail, recovers: beginningAgain,
		does: func(_ *Manager, _ context.Context, run models.Run, _ *report) error {
			return fmt.Errorf("unknown kind of run %q", run.Kind)
		}}
}

func always(models.Run) bool { return true }
func never(models.Run) bool  { return false }

// takesSnapshot tells whether a deletion begins with a final snapshot.
func takesSnapshot(run models.Run) bool { return run.SnapshotName != "" }

// fromStore tells whether what an import reads can be read again: what a browser has sent is gone.
func fromStore(run models.Run) bool {
	args, err := models.Args[models.ImportArgs](run)
	return err != nil || !args.Upload
}

func atOnce(*Manager, models.Run, int) bool { return true }

func inAnyCase(models.Run, error) bool { return true }
func inNoCase(models.Run, error) bool  { return false }

// atHome tells whether a copy goes to the console's own store. What it writes elsewhere it takes back itself.
func atHome(run models.Run, _ error) bool { return !elsewhere(run) }

func finalSnapshotFailed(_ models.Run, err error) bool { return errors.Is(err, errFinalSnapshot) }

func beginningAgain(models.Run) recovery { return nil }

func by(r recovery) func(models.Run) recovery {
	return func(models.Run) recovery { return r }
}

// abandoning ends a deletion that had been given up, because its final snapshot failed.
func abandoning(run models.Run) recovery {
	if run.GivenUp == "" {
		return nil
	}
	return (*Manager).abandonDelete
}

func recoveringCopy(run models.Run) recovery {
	if elsewhere(run) {
		return nil // it has written down what it writes
	}
	return (*Manager).recoverCopy
}

// fail is how a run ends that leaves nothing behind.
func (m *Manager) fail(ctx context.Context, run models.Run, f failure) error {
	return m.DB.Settle.Fail(ctx, run, f.status, f.reason)
}
