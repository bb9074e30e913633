package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// Tunings keeps what was changed on nodes of attached clusters for the beginning of a snapshot, until it has been put back.
type Tunings struct{ db *DB }

// Begin writes down what is about to be changed for a run. The error is ErrRunEnded when the run is no longer this owner's: then nothing may be
// changed.
func (q Tunings) Begin(ctx context.Context, run models.Run, tunings []models.Tuning) ([]models.Tuning, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Runs.hold(ctx, run); err != nil {
			return err
		}
		for i := range tunings {
			tunings[i].RunID, tunings[i].Since = run.ID, tx.Now()
		}
		return tx.with(ctx).Create(&tunings).Error
	})
	if err != nil {
		return nil, fmt.Errorf("write down what is changed on a node of %s: %w", run.ClusterName, err)
	}
	return tunings, nil
}

// Open returns what is still to be put back on the nodes of a cluster.
func (q Tunings) Open(ctx context.Context, clusterID uint) ([]models.Tuning, error) {
	var tunings []models.Tuning
	if err := q.db.with(ctx).Where("cluster_id = ?", clusterID).Order("id").Find(&tunings).Error; err != nil {
		return nil, fmt.Errorf("list what is changed on the nodes of cluster %d: %w", clusterID, err)
	}
	return tunings, nil
}

// Left returns what is still to be put back of runs on which no other console works. The caller has to leave out those that this owner is working on.
func (q Tunings) Left(ctx context.Context, owner string) ([]models.Tuning, error) {
	var tunings []models.Tuning
	alive := q.db.with(ctx).Model(&models.Run{}).Select("id").Where("status = ? AND owner NOT IN ?", models.RunRunning, []string{"", owner})
	if err := q.db.with(ctx).Where("run_id NOT IN (?)", alive).Order("cluster_id, address, id").Find(&tunings).Error; err != nil {
		return nil, fmt.Errorf("list what was left changed on nodes: %w", err)
	}
	return tunings, nil
}

// End forgets a setting that the node has as before, or that somebody else has changed since. If an event said that it was still to be put back,
// another one says this.
func (q Tunings) End(ctx context.Context, t models.Tuning, message string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		row, found, err := find[models.Tuning](tx.with(ctx).Where("id = ?", t.ID))
		if err != nil || !found { // another console was faster
			return err
		}
		if err := tx.with(ctx).Delete(&row).Error; err != nil || !row.Told {
			return err
		}
		return tx.Tunings.say(ctx, row.ClusterID, models.SeverityInfo, message)
	})
	if err != nil {
		return fmt.Errorf("forget what was changed at %s: %w", t.Address, err)
	}
	return nil
}

// Tell says in an event, once, what could not be put back on a node, and why.
func (q Tunings) Tell(ctx context.Context, tunings []models.Tuning, why string) error {
	ids := make([]uint, len(tunings))
	for i, t := range tunings {
		ids[i] = t.ID
	}
	err := q.db.transaction(ctx, func(tx *DB) error {
		told := tx.with(ctx).Model(&models.Tuning{}).Where("id IN ? AND told = ?", ids, false).UpdateColumn("told", true)
		if told.Error != nil || told.RowsAffected == 0 {
			return told.Error
		}
		return tx.Tunings.say(ctx, tunings[0].ClusterID, models.SeverityWarning, fmt.Sprintf("The node at %s still has settings that were changed for a snapshot, because %s. "+
			"Rekindle goes on trying to put them back. By hand: %s", tunings[0].Address, why, models.TuningCommands(tunings)))
	})
	if err != nil {
		return fmt.Errorf("say what is still changed at %s: %w", tunings[0].Address, err)
	}
	return nil
}

func (q Tunings) say(ctx context.Context, clusterID uint, severity models.Severity, message string) error {
	cluster, err := q.db.Clusters.ByID(ctx, clusterID)
	if err != nil {
		return err
	}
	return q.db.Events.Add(ctx, models.Event{Severity: severity, ClusterName: cluster.Name, Message: message})
}

// leave forgets the settings of a cluster that is being detached, and says which ones its nodes still have.
func (q Tunings) leave(ctx context.Context, cluster models.Cluster) error {
	tunings, err := q.Open(ctx, cluster.ID)
	if err != nil || len(tunings) == 0 {
		return err
	}
	if err := q.db.with(ctx).Delete(&tunings).Error; err != nil {
		return fmt.Errorf("forget what was changed on the nodes of %s: %w", cluster.Name, err)
	}
	return q.say(ctx, cluster.ID, models.SeverityWarning, fmt.Sprintf("%s is detached, but nodes of it still have settings that were changed for a snapshot and could not be put back. Run: %s",
		cluster.Name, models.TuningCommands(tunings)))
}
