package jobs

import (
	"context"
	"errors"
	"fmt"

	"rekindle/jobs/queue"
	"rekindle/models"
)

// errFinalSnapshot marks a deletion that went no further because its final snapshot failed.
var errFinalSnapshot = errors.New("the final snapshot failed")

// delete is the body of a run that deletes a cluster: the final snapshot, then the nodes, then the automatic snapshots, then the rows.
// Once the nodes are being removed there is no way back, and each step may be repeated. A cluster that lost its nodes together with their host keeps
// its snapshots. The nodes of an attached cluster keep running.
func (m *Manager) delete(ctx context.Context, run models.Run, args models.DeleteArgs, report *queue.Report) error {
	unlock, err := m.locks.lock(ctx, run.ClusterName)
	if err != nil {
		return err
	}
	defer unlock()
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return err
	}
	if run.SnapshotName != "" {
		if err := m.finalSnapshot(ctx, run, report); err != nil {
			return err
		}
	}
	if cluster.Attached() {
		err = m.tuner.Leave(ctx, cluster)
	} else {
		report.Stage("Stopping the nodes", nil)
		err = m.builder.removeNodes(ctx, cluster, cluster.Nodes)
	}
	if err != nil {
		return err
	}
	var names []string
	if !cluster.Lost() && !args.KeepAutomatic { // of a lost cluster they are all that is left
		if names, err = m.DB.Snapshots.Automatic(ctx, cluster.ID); err != nil {
			return err
		}
	}
	for i, name := range names {
		report.Stage(fmt.Sprintf("Removing automatic snapshot %d of %d", i+1, len(names)), nil)
		if err := m.vault.Remover.RemoveAutomatic(ctx, name); err != nil {
			if cluster.Attached() {
				return because(err, "Its automatic snapshots could not all be removed from the store. Detach it again when the store answers.")
			}
			return because(err, "Its nodes are gone, but its automatic snapshots could not all be removed from the store. Delete it again when the store answers.")
		}
	}
	m.vault.Recorder.Forget(ctx, cluster)
	return m.DB.Settle.ClusterDeletion(context.WithoutCancel(ctx), run)
}

func (m *Manager) settleDelete(ctx context.Context, run models.Run, f queue.Failure) error {
	if !errors.Is(f.Err, errFinalSnapshot) {
		return m.fail(ctx, run, f)
	}
	run.Error = f.Reason
	return m.abandonDelete(ctx, run)
}

// abandonDelete ends a deletion whose final snapshot failed. The run has the reason.
func (m *Manager) abandonDelete(ctx context.Context, run models.Run) error {
	return errors.Join(m.vault.Keeper.Discard(ctx, run), m.DB.Settle.AbandonDelete(ctx, run, run.Error))
}

// finalSnapshot takes the final snapshot unless an earlier attempt of this run has taken it already.
func (m *Manager) finalSnapshot(ctx context.Context, run models.Run, report *queue.Report) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return errors.Join(errFinalSnapshot, err)
	}
	if row.Usable() {
		return nil
	}
	measured, err := m.take(ctx, run, true, report)
	if err != nil {
		return errors.Join(errFinalSnapshot, err)
	}
	return m.DB.Settle.Snapshot(context.WithoutCancel(ctx), run, measured)
}
