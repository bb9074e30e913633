package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// Events keeps what happened.
type Events struct{ db *DB }

// List filters by severity and cluster; the newest come first. What is for the API alone is left out.
func (q Events) List(ctx context.Context, l models.List) (models.Rows[models.Event], error) {
	return list[models.Event](q.db, q.db.with(ctx).Where("source = ''"), table{
		text:    []string{"message", "cluster_name", "snapshot_name"},
		filters: map[string]string{"severity": "severity", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts: map[string]string{"time": "at", "cluster": "cluster_name",
			"severity": "CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END"},
		time:  "at",
		order: []ordering{{by: "at", desc: true}, byID},
	}, l)
}

// Page returns up to limit events that are about something and follow this number, the oldest first.
func (q Events) Page(ctx context.Context, f models.EventFilter, after uint, limit int) ([]models.Event, error) {
	query := q.db.with(ctx).Where("id > ? AND source_type <> '' AND at >= ? AND at <= ?", after, catalogTime(f.From), catalogTime(f.To)).Order("id").Limit(limit)
	if f.Member != "" {
		query = query.Where("source IN ?", []string{"", f.Member})
	} else if f.SourceType != "" {
		query = query.Where("source_type = ?", f.SourceType)
	}
	if f.Source != "" {
		query = query.Where("cluster_name = ?", f.Source)
		if f.Member == "" {
			query = query.Where("source IN ?", []string{"", f.Source})
		}
	}
	var rows []models.Event
	if err := query.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return rows, nil
}

// Add writes an event with the catalog's time, and what people are told because of it, in one transaction.
func (q Events) Add(ctx context.Context, e models.Event) error {
	if e.Raises == "" && len(e.Ends) == 0 {
		return q.add(ctx, e)
	}
	return q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Events.add(ctx, e); err != nil {
			return err
		}
		return tx.Alarms.note(ctx, e)
	})
}

// AddAll writes events.
func (q Events) AddAll(ctx context.Context, events ...models.Event) error {
	for _, e := range events {
		if err := q.Add(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Recovered says that a node serves again, if it was said that it is being started, and nothing since.
func (q Events) Recovered(ctx context.Context, cluster models.Cluster, node string) error {
	event, began := models.NodeRecovered(cluster, node), models.NodeRecovering(cluster, node).Message
	last, found, err := find[models.Event](q.db.with(ctx).Where("source = ? AND cluster_name = ? AND message IN ?", event.Source, cluster.Name, []string{began, event.Message}).Order("id DESC"))
	if err != nil {
		return fmt.Errorf("look for what was said of %s: %w", node, err)
	} else if !found || last.Message != began {
		return nil
	}
	return q.Add(ctx, event)
}

func (q Events) add(ctx context.Context, e models.Event) error {
	if e.At.IsZero() {
		e.At = q.db.Now()
	}
	e.At = catalogTime(e.At)
	if e.ClusterName != "" && e.SourceType == "" {
		e.SourceType = models.SourceGroup
		if cluster, found, err := find[models.Cluster](q.db.with(ctx).Where("name = ?", e.ClusterName)); err != nil {
			return fmt.Errorf("find the cluster of an event: %w", err)
		} else if found && !cluster.Grouped {
			e.SourceType = models.SourceCluster
		}
	}
	if err := q.db.with(ctx).Create(&e).Error; err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}
