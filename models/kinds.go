package models

import (
	"fmt"
	"slices"
	"strings"
)

// runKind is what people need to know about the runs of one kind. What the catalog does about them is in runWays, what a console does in jobs.
type runKind struct {
	kind        RunKind
	label       string // what people call it
	cancellable bool   // can be stopped without leaving something half done
	removes     bool   // a run that was begun may have written something that only its worker can remove, even while it waits to begin again
	goesOn      bool   // after the snapshot that it takes is available
	title       func(Run) string
	says        func(run Run, status RunStatus, reason string) string // the message of the event about a run that did not succeed; "": there is none
}

// runKinds has every kind of run, in the order in which lists name them.
var runKinds = []runKind{
	{
		kind: RunSnapshot, label: "Snapshot", cancellable: true,
		title: func(r Run) string { return "Snapshot " + r.SnapshotName + " of " + r.ClusterName },
		says:  saysSnapshot,
	}, {
		kind: RunRestore, label: "Restore", cancellable: true,
		title: func(r Run) string { return "Restore " + r.SnapshotName + " into " + r.ClusterName },
		says:  saysNew(func(r Run) string { return "restored from " + r.SnapshotName }),
	}, {
		kind: RunStraight, label: "Restore of a moment", cancellable: true,
		title: titleStraight,
		says: saysNew(func(r Run) string {
			args, _ := Args[StraightArgs](r) // an error is reported where the snapshot is freed
			return fmt.Sprintf("restored straight from %s as it was at %s UTC", args.Cluster, momentText(args.Moment))
		}),
	}, {
		kind: RunFill, label: "Restore into an existing cluster", cancellable: true,
		title: func(r Run) string { return "Restore " + r.SnapshotName + " into the existing cluster " + r.ClusterName },
		says:  saysFill,
	}, {
		kind: RunBringBack, label: "Bring keys back", cancellable: true,
		title: titleBringBack,
		says:  saysBringBack,
	}, {
		kind: RunCreate, label: "Create",
		title: func(r Run) string { return "Create " + r.ClusterName },
		says:  saysNew(func(Run) string { return "created" }),
	}, {
		kind: RunModify, label: "Modify",
		title: func(r Run) string { return "Modify " + r.ClusterName },
		says:  saysCluster("The cluster %s could not be modified. "),
	}, {
		kind: RunReboot, label: "Reboot",
		title: titleReboot,
		says:  saysCluster("Nodes of the cluster %s could not be restarted. "),
	}, {
		kind: RunFailover, label: "Failover",
		title: func(r Run) string { return "Fail over " + r.ClusterName },
		says:  saysCluster("The failover of the cluster %s did not succeed. "),
	}, {
		kind: RunMigrate, label: "Start migration",
		title: titleMigrate,
		says:  saysCluster("The migration into %s did not begin. "),
	}, {
		kind: RunCompleteMigration, label: "End migration",
		title: titleCompletion,
		says:  saysCluster("The migration into %s was not completed, and goes on. "),
	}, {
		kind: RunDelete, label: "Delete cluster", goesOn: true,
		title: func(r Run) string { return "Delete " + r.ClusterName },
		says:  saysReason,
	}, {
		kind: RunDeleteSnapshot, label: "Delete snapshot",
		title: func(r Run) string { return "Delete snapshot " + r.SnapshotName },
		says:  saysReason,
	}, {
		kind: RunCopy, label: "Copy", cancellable: true, removes: true,
		title: titleCopy,
		says:  saysMove(func(_ Run, a CopyArgs) string { return "copy of the snapshot " + a.Source + " to " + a.Target }),
	}, {
		kind: RunExport, label: "Export", cancellable: true, removes: true,
		title: titleExport,
		says:  saysMove(func(_ Run, a CopyArgs) string { return "export of the snapshot " + a.Source }),
	}, {
		kind: RunImport, label: "Import", cancellable: true, removes: true,
		title: func(r Run) string { return "Import " + r.SnapshotName },
		says:  saysMove(func(r Run, _ CopyArgs) string { return "import of the snapshot " + r.SnapshotName }),
	}, {
		kind: RunVerify, label: "Verify", cancellable: true,
		title: func(r Run) string { return "Verify " + r.SnapshotName },
		says:  saysVerify,
	}, {
		kind: RunDrill, label: "Restore drill", cancellable: true,
		title: func(r Run) string { return "Restore drill of " + r.SnapshotName },
		says:  saysDrill,
	}, {
		kind: RunRecover, label: "Recover to a moment", cancellable: true, removes: true,
		title: titleRecover,
		says: saysMove(func(r Run, _ CopyArgs) string {
			return "recovery of " + r.ClusterName + " as the snapshot " + r.SnapshotName
		}),
	}, {
		kind: RunCompare, label: "Comparison with the journal", cancellable: true,
		title: func(r Run) string { return "Compare " + r.SnapshotName + " with the journal" },
		says:  saysCompare,
	}, {
		kind: RunFind, label: "Find a key", cancellable: true,
		title: titleFind,
		says:  func(Run, RunStatus, string) string { return "" }, // whoever looks for a key waits for the answer
	}, {
		kind: RunRebuild, label: "Rebuild catalog",
		title: func(Run) string { return "Rebuild the catalog from the store" },
		says:  saysReason,
	},
}

// kindOf returns what is known about a kind. Of a kind that only a newer console knows, that is no more than its name.
func kindOf(kind RunKind) runKind {
	if i := slices.IndexFunc(runKinds, func(k runKind) bool { return k.kind == kind }); i >= 0 {
		return runKinds[i]
	}
	return runKind{kind: kind, label: string(kind), says: saysReason,
		title: func(r Run) string { return string(r.Kind) + " " + r.ClusterName }}
}

// RunKinds lists every kind of run.
func RunKinds() []RunKind {
	kinds := make([]RunKind, len(runKinds))
	for i, k := range runKinds {
		kinds[i] = k.kind
	}
	return kinds
}

// Label is what people call runs of the kind.
func (k RunKind) Label() string { return kindOf(k).label }

// LeavesRemains tells whether the run was begun and may have written something that only its worker can remove.
func (r Run) LeavesRemains() bool { return kindOf(r.Kind).removes && r.Attempts > 0 }

// GoesOn tells whether the run continues after the snapshot that it takes is available.
func (r Run) GoesOn() bool { return kindOf(r.Kind).goesOn }

// Says is the message of the event about a run that did not succeed; "": there is none.
func (r Run) Says(status RunStatus, reason string) string {
	return kindOf(r.Kind).says(r, status, reason)
}

// Title says in a few words what the run does.
func (r Run) Title() string { return kindOf(r.Kind).title(r) }

func titleReboot(r Run) string {
	args, err := Args[RebootArgs](r)
	switch {
	case err != nil || len(args.Nodes) == 0:
		return "Reboot " + r.ClusterName
	case len(args.Nodes) == 1:
		return "Reboot " + args.Nodes[0] + " of " + r.ClusterName
	}
	return fmt.Sprintf("Reboot %d nodes of %s", len(args.Nodes), r.ClusterName)
}

func titleMigrate(r Run) string {
	args, err := Args[MigrateArgs](r)
	if err != nil {
		return "Migrate into " + r.ClusterName
	}
	return "Migrate " + args.Source + " into " + r.ClusterName
}

func titleCompletion(r Run) string {
	if args, err := Args[CompleteArgs](r); err == nil && args.Force {
		return "Give up the migration into " + r.ClusterName
	}
	return "Complete the migration into " + r.ClusterName
}

func titleCopy(r Run) string {
	args, err := r.Carries()
	switch {
	case err != nil:
		return "Copy " + r.SnapshotName
	case args.Store != "":
		return "Copy " + args.Source + " to " + args.Store
	}
	return "Copy " + args.Source + " to " + args.Target
}

func titleFind(r Run) string {
	what := "Find a key in "
	args, err := Args[FindArgs](r)
	if err == nil && args.Pattern {
		what = "Find keys in "
	}
	switch journal := args.Journal; {
	case journal != nil && journal.Only:
		return what + "the journal of " + r.ClusterName
	case journal != nil:
		return what + "all snapshots and the journal of " + r.ClusterName
	}
	if r.SnapshotName != "" {
		return what + r.SnapshotName
	}
	return what + "all snapshots of " + r.ClusterName
}

func titleExport(r Run) string {
	args, err := r.Carries()
	if err != nil {
		return "Export " + r.SnapshotName
	}
	return "Export " + args.Source + " to " + args.Store
}

func titleRecover(r Run) string {
	args, err := Args[RecoverArgs](r)
	if err != nil {
		return "Recover " + r.ClusterName
	}
	return fmt.Sprintf("Recover %s to %s UTC as %s", r.ClusterName, momentText(args.Moment), r.SnapshotName)
}

func titleStraight(r Run) string {
	args, err := Args[StraightArgs](r)
	if err != nil {
		return "Restore a moment into " + r.ClusterName
	}
	return fmt.Sprintf("Restore %s as it was at %s UTC into %s", args.Cluster, momentText(args.Moment), r.ClusterName)
}

func saysReason(_ Run, _ RunStatus, reason string) string { return reason }

func saysSnapshot(r Run, status RunStatus, reason string) string {
	what := fmt.Sprintf("The snapshot %s of %s ", r.SnapshotName, r.ClusterName)
	if status == RunCancelled { // no more needs to be said
		return what + "was cancelled."
	}
	return what + "failed. " + reason
}

func saysCompare(r Run, status RunStatus, reason string) string {
	if status == RunCancelled {
		return fmt.Sprintf("The comparison of the snapshot %s with the journal of %s was cancelled.", r.SnapshotName, r.ClusterName)
	}
	return fmt.Sprintf("The snapshot %s could not be compared with the journal of %s. %s", r.SnapshotName, r.ClusterName, reason)
}

func saysFill(r Run, status RunStatus, reason string) string {
	verb := "was not restored completely"
	if status == RunCancelled {
		verb = "was not restored"
	}
	return fmt.Sprintf("The snapshot %s %s into %s. %s", r.SnapshotName, verb, r.ClusterName, reason)
}

func titleBringBack(r Run) string {
	if args, err := Args[BringBackArgs](r); err == nil && args.Rehearse {
		return "Rehearse bringing keys of " + r.SnapshotName + " back into " + r.ClusterName
	}
	return "Bring keys of " + r.SnapshotName + " back into " + r.ClusterName
}

func saysBringBack(r Run, status RunStatus, reason string) string {
	if args, err := Args[BringBackArgs](r); err == nil && args.Rehearse {
		return "" // nothing was to change
	}
	verb := "not all brought back"
	if status == RunCancelled {
		verb = "no longer brought back"
	}
	return fmt.Sprintf("Keys of the snapshot %s were %s into %s. %s", r.SnapshotName, verb, r.ClusterName, reason)
}

func saysVerify(r Run, status RunStatus, reason string) string {
	if status == RunCancelled {
		return ""
	}
	return fmt.Sprintf("The snapshot %s could not be verified. %s", r.SnapshotName, reason)
}

func saysDrill(r Run, status RunStatus, reason string) string {
	if status == RunCancelled {
		return ""
	}
	return fmt.Sprintf("The restore drill of the snapshot %s of %s could not be carried out. %s", r.SnapshotName, r.ClusterName, reason)
}

func saysNew(what func(Run) string) func(Run, RunStatus, string) string {
	return func(r Run, status RunStatus, reason string) string {
		verb := "could not be"
		if status == RunCancelled {
			verb = "was not"
		}
		return fmt.Sprintf("The cluster %s %s %s. %s", r.ClusterName, verb, what(r), reason)
	}
}

func saysCluster(format string) func(Run, RunStatus, string) string {
	return func(r Run, _ RunStatus, reason string) string { return fmt.Sprintf(format, r.ClusterName) + reason }
}

func saysMove(what func(Run, CopyArgs) string) func(Run, RunStatus, string) string {
	return func(r Run, status RunStatus, reason string) string {
		args, _ := r.Carries() // an error is reported where the snapshot is freed
		verb := "failed"
		if status == RunCancelled {
			verb = "was cancelled"
			if reason == "It was cancelled." {
				reason = "" // the verb says so already
			}
		}
		return strings.TrimSpace(fmt.Sprintf("The %s %s. %s", what(r, args), verb, reason))
	}
}
