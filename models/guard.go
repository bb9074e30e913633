package models

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Guarded is a cluster as far as it matters for whether its data can be brought back. All clusters are looked at so at once, so it is little.
type Guarded struct {
	Cluster  Cluster   // without nodes, and with what its schedule and its state say only
	NewestAt time.Time // of its newest good snapshot; zero: it has none
	Failed   bool      // the schedule's last snapshot has failed, and none was good since
	Late     bool      // its last window closed without a snapshot since it opened
}

// Guarded looks at all clusters, in the order of their names.
func (db *DB) Guarded(ctx context.Context) ([]Guarded, error) {
	now := db.Now()
	var clusters int64
	if err := db.with(ctx).Model(&Cluster{}).Count(&clusters).Error; err != nil {
		return nil, fmt.Errorf("count clusters: %w", err)
	}
	// The driver would start a goroutine for each row of a query that can be cancelled.
	rows, err := db.with(context.WithoutCancel(ctx)).Raw(`SELECT clusters.id, clusters.name, clusters.engine, clusters.node_type, clusters.status, clusters.status_reason, clusters.retention_limit,
			clusters.snapshot_window, clusters.schedule_since, clusters.created_at, `+db.newestGoodSnapshot("created_at")+`,
			tried.status, tried.created_at
		FROM clusters
		LEFT JOIN runs tried ON tried.id = (SELECT id FROM runs WHERE cluster_name = clusters.name AND kind = ? AND requested_by = 'schedule' ORDER BY id DESC LIMIT 1)
		ORDER BY clusters.name`, now, now, now, RunSnapshot).Rows()
	if err != nil {
		return nil, fmt.Errorf("look at all clusters: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := make([]Guarded, 0, clusters) // they are large: growing costs more than reading them
	for rows.Next() {
		all = append(all, Guarded{})
		g := &all[len(all)-1]
		var newest computedTime
		var tried sql.NullTime
		var outcome sql.NullString
		c := &g.Cluster
		err := rows.Scan(&c.ID, &c.Name, &c.Engine, &c.NodeType, &c.Status, &c.StatusReason, &c.RetentionLimit, &c.SnapshotWindow, &c.ScheduleSince, &c.CreatedAt,
			&newest, &outcome, &tried)
		if err != nil {
			return nil, fmt.Errorf("look at all clusters: %w", err)
		}
		g.NewestAt = newest.Time
		g.Failed = RunStatus(outcome.String) == RunFailed && tried.Time.After(g.NewestAt) && !tried.Time.Before(c.CreatedAt)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look at all clusters: %w", err)
	}
	return all, db.lookForLate(ctx, now, all)
}

// lookForLate finds out which clusters are late. Those that seem so are few, unless something is wrong with all.
func (db *DB) lookForLate(ctx context.Context, now time.Time, all []Guarded) error {
	windows := make(map[uint]Occurrence)
	var ids []uint
	for i := range all { // not by value: they are large, and many
		g := &all[i]
		if last, seems := g.seemsLate(now); seems {
			windows[g.Cluster.ID] = last
			if !last.Closes.After(g.Cluster.ScheduleSince) { // the schedule's beginning moves on with time; the windows that it has seen are marked
				ids = append(ids, g.Cluster.ID)
			}
		}
	}
	marked := make(map[uint]bool)
	for chunk := range slices.Chunk(ids, 500) {
		var marks []WindowMark
		if err := db.with(ctx).Where("cluster_id IN ? AND opens >= ?", chunk, now.Add(-72*time.Hour)).Find(&marks).Error; err != nil {
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

// seemsLate tells whether a cluster's last window has closed without a snapshot since it opened, whether or not its schedule was in force then.
func (g *Guarded) seemsLate(now time.Time) (Occurrence, bool) {
	c := &g.Cluster
	switch c.Status {
	case ClusterCreating, ClusterSnapshotting, ClusterDeleting, ClusterCreateFailed, ClusterRestoreFailed:
		return Occurrence{}, false
	}
	if !c.Backups() {
		return Occurrence{}, false
	}
	closed := c.SnapshotWindow.Closed(now.Add(-48*time.Hour), now, c.Name)
	if len(closed) == 0 {
		return Occurrence{}, false
	}
	last := closed[len(closed)-1]
	return last, c.CreatedAt.Before(last.Opens) && (g.NewestAt.Before(last.Opens) || g.NewestAt.After(now))
}

// computedTime is a time that a query computes, which SQLite gives as the text that it keeps; NULL is zero.
type computedTime struct{ time.Time }

// Scan reads it.
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
