package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// stalledLinks are the links of which nothing was stored for a while.
const stalledLinks = "EXISTS (SELECT 1 FROM journal_links l WHERE l.cluster_id = journal_plans.cluster_id AND (l.stored_at <= ? OR l.stored_at IS NULL AND journal_plans.since <= ?))"

// Stalled returns the clusters whose journals stand still although they are to be kept, and of which nothing was said yet. Those of clusters that are
// unreachable, or have no nodes, are left out: that is an alarm of its own.
func (q Recording) Stalled(ctx context.Context) ([]models.Stall, error) {
	before := catalogTime(q.db.Now().Add(-models.StalledAfter))
	var rows []struct {
		models.JournalPlan
		ClusterName string
	}
	err := q.db.with(ctx).Table("journal_plans").Select("journal_plans.*, clusters.name AS cluster_name").Joins("JOIN clusters ON clusters.id = journal_plans.cluster_id").
		Where("journal_plans.kept AND journal_plans.since <= ?", before).Where("clusters.status IN ?", []models.ClusterStatus{models.ClusterAvailable, models.ClusterSnapshotting}).
		Where(stalledLinks, before, before).
		Where("NOT EXISTS (SELECT 1 FROM alarms WHERE condition = ? AND subject = clusters.name AND ended_at IS NULL)", models.ConditionStalled).
		Order("clusters.name").Limit(silentAtOnce).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for journals that stand still: %w", err)
	}
	stalls := make([]models.Stall, len(rows))
	for i, row := range rows {
		links, err := q.Links(ctx, models.Cluster{ID: row.ClusterID, Name: row.ClusterName})
		if err != nil {
			return nil, err
		}
		stalls[i] = models.StallOf(row.ClusterName, links)
	}
	return stalls, nil
}

// EndStalls ends the alarms about journals that go on, or are not kept any more.
func (q Recording) EndStalls(ctx context.Context) error {
	before := catalogTime(q.db.Now().Add(-models.StalledAfter))
	var over []struct {
		models.Alarm
		Kept *bool
	}
	err := q.db.with(ctx).Table("alarms").Select("alarms.*, journal_plans.kept AS kept").Joins("LEFT JOIN clusters ON clusters.name = alarms.subject").
		Joins("LEFT JOIN journal_plans ON journal_plans.cluster_id = clusters.id").
		Where("alarms.condition = ? AND alarms.ended_at IS NULL", models.ConditionStalled).
		Where("(journal_plans.kept IS NULL OR NOT journal_plans.kept OR NOT "+stalledLinks+")", before, before).Order("alarms.id").Limit(silentAtOnce).Find(&over).Error
	if err != nil {
		return fmt.Errorf("look for journals that go on: %w", err)
	}
	for _, o := range over {
		if err := q.db.Alarms.Turn(ctx, models.StallOver(o.Alarm, o.Kept != nil && *o.Kept)); err != nil {
			return fmt.Errorf("report that the journal of %s goes on: %w", o.Subject, err)
		}
	}
	return nil
}
