package catalog

import (
	"context"
	"fmt"
	"slices"

	"rekindle/models"
)

// silentAtOnce bounds how many silent nodes one look finds. Those that were reported are left out, so that others follow.
const silentAtOnce = 500

// Silent returns the replicas that have not answered for a while although their clusters do, and of which nothing was said yet.
func (q Alarms) Silent(ctx context.Context) ([]models.Silence, error) {
	before := q.db.Now().Add(-models.SilentAfter)
	var silent []models.Silence
	err := q.db.with(ctx).Table("nodes").Select("nodes.*, clusters.name AS cluster_name").Joins("JOIN clusters ON clusters.id = nodes.cluster_id").
		Where("nodes.state IN ? AND nodes.role = ? AND NOT nodes.halted", models.SilentStates(), models.RoleReplica).
		Where("(nodes.seen_at <= ? OR nodes.seen_at IS NULL AND nodes.created_at <= ?)", before, before).
		Where("clusters.status IN ?", []models.ClusterStatus{models.ClusterAvailable, models.ClusterSnapshotting}).
		Where("NOT EXISTS (SELECT 1 FROM alarms WHERE condition = ? AND subject = nodes.name AND ended_at IS NULL)", models.ConditionSilent).
		Order("nodes.name").Limit(silentAtOnce).Find(&silent).Error
	if err != nil {
		return nil, fmt.Errorf("look for nodes that do not answer: %w", err)
	}
	return silent, nil
}

// EndSilences ends the alarms about nodes that answer again, or that their clusters do not have any more.
func (q Alarms) EndSilences(ctx context.Context) error {
	var over []struct {
		models.Alarm
		There bool
	}
	waiting := append(slices.Clone(models.SilentStates()), models.NodePlanned, models.NodeDeleting)
	err := q.db.with(ctx).Table("alarms").Select("alarms.*, nodes.id IS NOT NULL AS there").Joins("LEFT JOIN nodes ON nodes.name = alarms.subject").
		Where("alarms.condition = ? AND alarms.ended_at IS NULL", models.ConditionSilent).Where("(nodes.id IS NULL OR nodes.state NOT IN ?)", waiting).
		Order("alarms.id").Limit(silentAtOnce).Find(&over).Error
	if err != nil {
		return fmt.Errorf("look for nodes that answer again: %w", err)
	}
	for _, o := range over {
		if err := q.Turn(ctx, models.SilenceOver(o.Alarm, o.There)); err != nil {
			return fmt.Errorf("report that the silence of %s is over: %w", o.Subject, err)
		}
	}
	return nil
}
