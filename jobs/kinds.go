package jobs

import (
	"context"
	"errors"
	"maps"

	"rekindle/jobs/queue"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// kinds is the queue's table: what a console does with the runs of each kind. What people and the catalog's rules know about them is in models.
func (m *Manager) kinds() queue.Kinds {
	all := m.clusterKinds()
	maps.Copy(all, m.snapshotKinds())
	return all
}

// clusterKinds are the kinds of runs that make, change, fill or remove a cluster.
func (m *Manager) clusterKinds() queue.Kinds {
	return queue.Kinds{
		models.RunCreate: {
			Weighs: chore, May: atOnce, Does: m.builder.create, Again: always,
			Removes: inAnyCase, Settles: m.builder.settleCreate, Recovers: beginningAgain,
		},
		models.RunRestore: {
			Weighs: transfer, May: m.importIsThere, Does: m.builder.create, Again: always,
			Removes: inAnyCase, Settles: m.builder.settleRestore, Recovers: beginningAgain,
		},
		models.RunModify: {
			Weighs: chore, May: atOnce, Does: queue.With(m.builder.modify), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunReboot: {
			Weighs: chore, May: atOnce, Does: queue.With(m.builder.reboot), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunFailover: {
			Weighs: chore, May: atOnce, Does: queue.With(m.handover.failOver), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunStraight: {
			Weighs: transfer, May: atOnce, Does: m.builder.create, Again: always,
			Removes: inAnyCase, Settles: m.builder.settleStraight, Recovers: beginningAgain,
		},
		models.RunFill: {
			Weighs: transfer, May: m.filler.may, Does: queue.With(m.filler.fill), Again: never, // half of it is written, and nobody can tell which keys are from it
			Removes: inNoCase, Settles: m.filler.settle, Recovers: by(m.filler.recover),
		},
		models.RunBringBack: {
			Weighs: transfer, May: m.bringer.may, Does: queue.With(m.bringer.bring), Again: rehearsal, // otherwise some of it is written
			Removes: inNoCase, Settles: m.bringer.settle, Recovers: m.bringer.recovering,
		},
		models.RunMigrate: {
			Weighs: chore, May: atOnce, Does: queue.With(m.migrator.begin), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunCompleteMigration: {
			Weighs: chore, May: atOnce, Does: queue.With(m.migrator.complete), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunDelete: {
			Weighs: asItsSnapshot, May: atOnce, Does: queue.With(m.delete), Again: always,
			Removes: finalSnapshotFailed, Settles: m.settleDelete, Recovers: m.abandoning,
		},
	}
}

// snapshotKinds are the kinds of runs that make, read or remove snapshots.
func (m *Manager) snapshotKinds() queue.Kinds {
	return queue.Kinds{
		models.RunSnapshot: {
			Weighs: transfer, May: m.hostAllows, Does: queue.With(m.snapshot), Again: never, // its moment cannot be had again
			Removes: inAnyCase, Settles: m.vault.Writer.Settle, Recovers: by(m.vault.Writer.Recover),
		},
		models.RunDeleteSnapshot: {
			Weighs: chore, May: atOnce, Does: m.vault.Remover.Delete, Again: always,
			Removes: inNoCase, Settles: m.vault.Remover.Settle, Recovers: beginningAgain,
		},
		models.RunCopy: {
			Weighs: transfer, May: atOnce, Does: queue.With(m.vault.Copier.Copy), Again: always,
			Removes: atHome, Settles: m.vault.Mover.Settle, Recovers: m.recoveringCopy,
		},
		models.RunExport: {
			Weighs: transfer, May: atOnce, Does: queue.With(m.vault.Exporter.Export), Again: always,
			Removes: inNoCase, Settles: m.vault.Mover.Settle, Recovers: beginningAgain,
		},
		models.RunImport: {
			Weighs: transfer, May: atOnce, Does: queue.With(m.vault.Importer.Import), Again: vault.FromStore,
			Removes: inAnyCase, Settles: m.vault.Mover.Settle, Recovers: by(m.vault.Mover.RecoverImport),
		},
		models.RunVerify: {
			Weighs: chore, May: m.vault.Verifier.MayRun, Does: m.vault.Verifier.Verify, Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunDrill: {
			Weighs: chore, May: m.vault.Driller.May, Does: queue.With(m.vault.Driller.Drill), Again: always, // no slot of those for snapshots: they need not wait for it
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunRecover: {
			Weighs: transfer, May: m.vault.Recoverer.May, Does: queue.With(m.vault.Recoverer.Recover), Again: always,
			Removes: inAnyCase, Settles: m.vault.Recoverer.Settle, Recovers: m.recoveringMoment,
		},
		models.RunCompare: {
			Weighs: chore, May: m.vault.Comparer.May, Does: m.vault.Comparer.Compare, Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunFind: {
			Weighs: chore, May: m.vault.Finder.May, Does: queue.With(m.vault.Finder.Find), Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
		models.RunRebuild: {
			Weighs: chore, May: atOnce, Does: m.vault.Rebuilder.Rebuild, Again: always,
			Removes: inNoCase, Settles: m.fail, Recovers: beginningAgain,
		},
	}
}

func always(models.Run) bool { return true }
func never(models.Run) bool  { return false }

func transfer(models.Run) queue.Weight { return queue.Transfer }
func chore(models.Run) queue.Weight    { return queue.Chore }

// asItsSnapshot weighs a deletion as a transfer if it begins with a final snapshot.
func asItsSnapshot(run models.Run) queue.Weight {
	if run.SnapshotName != "" {
		return queue.Transfer
	}
	return queue.Chore
}

func atOnce(context.Context, models.Run, int) bool { return true }

// hostAllows keeps the number of simultaneous forks on one host within the limit.
func (m *Manager) hostAllows(ctx context.Context, run models.Run, _ int) bool {
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil || len(cluster.Nodes) == 0 {
		return true // it will fail with a reason once it begins
	}
	n, err := m.DB.Runs.SnapshotsOnHost(ctx, cluster.Nodes[0].Host)
	return err == nil && n < m.SnapshotsPerHost
}

// importIsThere tells whether a restore can begin: it waits while its snapshot is still being imported.
func (m *Manager) importIsThere(ctx context.Context, run models.Run, _ int) bool {
	importing, err := m.DB.Copies.Importing(ctx, run.SnapshotName)
	return err == nil && !importing
}

func inAnyCase(models.Run, error) bool { return true }
func inNoCase(models.Run, error) bool  { return false }

// atHome tells whether a copy goes to the console's own store. What a copy writes elsewhere it removes itself.
func atHome(run models.Run, _ error) bool { return !vault.Elsewhere(run) }

func finalSnapshotFailed(_ models.Run, err error) bool { return errors.Is(err, errFinalSnapshot) }

func beginningAgain(models.Run) queue.Recovery { return nil }

func by(r queue.Recovery) func(models.Run) queue.Recovery {
	return func(models.Run) queue.Recovery { return r }
}

// abandoning ends a deletion that was given up because its final snapshot failed.
func (m *Manager) abandoning(run models.Run) queue.Recovery {
	if run.GivenUp == "" {
		return nil
	}
	return m.abandonDelete
}

func (m *Manager) recoveringCopy(run models.Run) queue.Recovery {
	if vault.Elsewhere(run) {
		return nil // its arguments list what it writes
	}
	return m.vault.Mover.RecoverCopy
}

// recoveringMoment ends a recovery that was given up. Any other is begun again.
func (m *Manager) recoveringMoment(run models.Run) queue.Recovery {
	if run.GivenUp == "" {
		return nil
	}
	return m.vault.Recoverer.Abandon
}

// fail ends a run that leaves nothing behind.
func (m *Manager) fail(ctx context.Context, run models.Run, f queue.Failure) error {
	return f.Settle(ctx, m.DB, run)
}
