package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"rekindle/models"
)

// Guarded looks at these clusters, in the order of their names.
func (q Schedule) Guarded(ctx context.Context, ids []uint) ([]models.Guarded, error) {
	now := q.db.Now()
	all := make([]models.Guarded, 0, len(ids)) // they are large: growing the slice costs more than reading them
	for chunk := range slices.Chunk(ids, 500) {
		if err := q.guarded(ctx, now, chunk, &all); err != nil {
			return nil, fmt.Errorf("look at clusters: %w", err)
		}
	}
	slices.SortFunc(all, func(a, b models.Guarded) int { return strings.Compare(a.Cluster.Name, b.Cluster.Name) })
	return all, q.lookForLate(ctx, now, all)
}

func (q Schedule) guarded(ctx context.Context, now time.Time, ids []uint, all *[]models.Guarded) error {
	// The driver starts a goroutine for each row of a query that can be cancelled.
	rows, err := q.db.with(context.WithoutCancel(ctx)).Raw(`SELECT clusters.id, clusters.name, clusters.engine, clusters.node_type, clusters.status, clusters.status_reason, clusters.retention_limit,
			clusters.snapshot_window, clusters.schedule_since, clusters.created_at, `+q.db.Snapshots.newestGood("created_at")+`, COALESCE(`+q.db.Snapshots.newestGood("stored")+`, 0),
			tried.status, tried.created_at, tried.error
		FROM clusters
		LEFT JOIN runs tried ON tried.id = (SELECT id FROM runs WHERE cluster_name = clusters.name AND kind = ? AND requested_by = 'schedule' ORDER BY id DESC LIMIT 1)
		WHERE clusters.id IN ?`, now, now, now, now, now, now, models.RunSnapshot, ids).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		*all = append(*all, models.Guarded{})
		g := &(*all)[len(*all)-1]
		var newest computedTime
		var tried sql.NullTime
		var outcome, failure sql.NullString
		c := &g.Cluster
		err := rows.Scan(&c.ID, &c.Name, &c.Engine, &c.NodeType, &c.Status, &c.StatusReason, &c.RetentionLimit, &c.SnapshotWindow, &c.ScheduleSince, &c.CreatedAt,
			&newest, &g.Stored, &outcome, &tried, &failure)
		if err != nil {
			return err
		}
		g.NewestAt = newest.Time
		g.Failed = models.RunStatus(outcome.String) == models.RunFailed && tried.Time.After(g.NewestAt) && !tried.Time.Before(c.CreatedAt)
		if g.Failed {
			g.Failure = failure.String
		}
	}
	return rows.Err()
}

// lookForLate finds out which clusters are late. Few seem to be, unless something is wrong with all of them.
func (q Schedule) lookForLate(ctx context.Context, now time.Time, all []models.Guarded) error {
	windows := make(map[uint]models.Occurrence)
	var ids []uint
	for i := range all { // not by value: they are large, and many
		g := &all[i]
		if last, seems := g.SeemsLate(now); seems {
			windows[g.Cluster.ID] = last
			if !last.Closes.After(g.Cluster.ScheduleSince) { // ScheduleSince moves on with time; the windows before it are marked
				ids = append(ids, g.Cluster.ID)
			}
		}
	}
	marked := make(map[uint]bool)
	for chunk := range slices.Chunk(ids, 500) {
		var marks []models.WindowMark
		if err := q.db.with(ctx).Where("cluster_id IN ? AND opens >= ?", chunk, now.Add(-72*time.Hour)).Find(&marks).Error; err != nil {
			return fmt.Errorf("look for windows: %w", err)
		}
		for _, mark := range marks {
			if mark.Opens.Equal(windows[mark.ClusterID].Opens) {
				marked[mark.ClusterID] = true
			}
		}
	}
	for i := range all {
		g := &all[i]
		last, seems := windows[g.Cluster.ID]
		g.Late = seems && (last.Closes.After(g.Cluster.ScheduleSince) || marked[g.Cluster.ID])
	}
	return nil
}

// computedTime is a time that a query computes. SQLite returns it as the text that it keeps; NULL is zero.
type computedTime struct{ time.Time }

// Scan implements sql.Scanner.
func (t *computedTime) Scan(src any) (err error) {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v
	case string:
		t.Time, err = time.Parse(sqlite3.SQLiteTimestampFormats[0], v)
	case []byte:
		t.Time, err = time.Parse(sqlite3.SQLiteTimestampFormats[0], string(v))
	default:
		err = fmt.Errorf("scan a time: unexpected %T", src)
	}
	return err
}
