package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rekindle/models"
)

// BringBacks brings keys of snapshots back into running clusters.
type BringBacks struct{ db *DB }

// Check says whether keys can be brought back, as far as the catalog knows.
func (q BringBacks) Check(ctx context.Context, spec models.BringBackSpec) (models.Cluster, models.Snapshot, error) {
	snapshot, err := q.db.Snapshots.Get(ctx, spec.Snapshot)
	if err != nil {
		return models.Cluster{}, snapshot, models.RenameField(err, "", "snapshot")
	}
	cluster, err := q.db.Clusters.Get(ctx, spec.Cluster)
	if err != nil {
		return cluster, snapshot, models.RenameField(err, "", "cluster")
	}
	return cluster, snapshot, models.CheckBringBack(spec, cluster, snapshot).OrNil()
}

// Request queues it. A rehearsal does not lock the cluster; otherwise that is locked as for a restore into it, see [Fills.Request]. Refusals are
// [models.Faults].
func (q BringBacks) Request(ctx context.Context, spec models.BringBackSpec) (models.Run, error) {
	var run models.Run
	choice, err := json.Marshal(spec.Choice)
	if err != nil {
		return run, fmt.Errorf("keep which keys are brought back: %w", err)
	}
	err = q.db.transaction(ctx, func(tx *DB) error {
		cluster, snapshot, err := tx.BringBacks.Check(ctx, spec)
		if err != nil {
			return err
		}
		if !spec.Rehearse {
			if spec.Safety, err = tx.Fills.lock(ctx, cluster, spec.Safety, spec.RequestedBy); err != nil {
				return err
			}
		}
		if err := tx.Snapshots.holdForRestore(ctx, snapshot.Name); err != nil {
			return err
		}
		run, err = tx.Runs.enqueue(ctx, models.Run{Kind: models.RunBringBack, ClusterName: cluster.Name, ClusterID: cluster.ID, SnapshotName: snapshot.Name, RequestedBy: spec.RequestedBy},
			models.BringBackArgs{Rehearse: spec.Rehearse, Replace: spec.Replace, Safety: spec.Safety, Deadlines: spec.Deadlines, Token: spec.Token})
		if err != nil {
			return err
		}
		return tx.with(ctx).Create(&models.BringBack{RunID: run.ID, Choice: string(choice)}).Error
	})
	return run, err
}

// Of returns which keys a run was to bring back and, if known is true, what became of them.
func (q BringBacks) Of(ctx context.Context, run models.Run) (choice models.KeyChoice, outcome models.Brought, known bool, err error) {
	row, found, err := find[models.BringBack](q.db.with(ctx).Where("run_id = ?", run.ID))
	if err == nil && !found {
		err = errors.New("there is nothing")
	}
	if err == nil {
		err = json.Unmarshal([]byte(row.Choice), &choice)
	}
	if err == nil && row.Outcome != "" {
		known, err = true, json.Unmarshal([]byte(row.Outcome), &outcome)
	}
	if err != nil {
		return choice, outcome, false, fmt.Errorf("read which keys run %d brings back: %w", run.ID, err)
	}
	return choice, outcome, known, nil
}

// Spec is what was asked for when the run was.
func (q BringBacks) Spec(ctx context.Context, run models.Run) (models.BringBackSpec, error) {
	args, err := models.Args[models.BringBackArgs](run)
	if err != nil {
		return models.BringBackSpec{}, err
	}
	choice, _, _, err := q.Of(ctx, run)
	return models.BringBackSpec{Snapshot: run.SnapshotName, Cluster: run.ClusterName, Choice: choice, Replace: args.Replace, Deadlines: args.Deadlines, Rehearse: args.Rehearse}, err
}

// Note keeps what became of the keys so far.
func (q BringBacks) Note(ctx context.Context, run models.Run, outcome models.Brought) error {
	text, err := json.Marshal(outcome)
	if err == nil {
		err = q.db.with(ctx).Model(&models.BringBack{}).Where("run_id = ?", run.ID).UpdateColumn("outcome", string(text)).Error
	}
	if err != nil {
		return fmt.Errorf("keep what run %d has brought back: %w", run.ID, err)
	}
	return nil
}

// Settle ends a run that succeeded. A rehearsal has no message, because nothing has changed.
func (q BringBacks) Settle(ctx context.Context, run models.Run, outcome models.Brought, message string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.BringBacks.Note(ctx, run, outcome); err != nil {
			return err
		}
		if message != "" {
			return tx.Settle.Fill(ctx, run, message)
		}
		return errors.Join(tx.Runs.end(ctx, run, models.RunSucceeded, ""), tx.Settle.releaseSnapshot(ctx, run))
	})
}
