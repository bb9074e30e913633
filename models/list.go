package models

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"gorm.io/gorm"
)

// List says which rows of a table to show: what the query string of a page carries.
type List struct {
	Text  string            // part of a name or description
	Equal map[string]string // a filter's name to its value; empty values do not filter
	Sort  string            // a column's name as the page calls it; unknown names mean the default
	Desc  bool
	Page  int // from 1
	Size  int // rows per page; 0 means all
}

// Rows is one page of a table with the number of all rows that match.
type Rows[T any] struct {
	Rows  []T
	Total int
}

// table says how a list of one kind of row is searched, filtered and sorted. Only these columns ever get into a query.
type table struct {
	text    []string          // columns that the text is looked for in
	filters map[string]string // a filter's name to its column
	sorts   map[string]string // a sort's name to its SQL expression
	order   string            // when no sort is asked for
}

// maxText is how much of a search text counts, in bytes. SQLite refuses a LIKE pattern beyond 50,000.
const maxText = 1000

func list[T any](query *gorm.DB, t table, l List) (Rows[T], error) {
	var page Rows[T]
	var row T
	query = query.Model(&row)
	if text := strings.TrimSpace(l.Text); text != "" {
		text = text[:min(len(text), maxText)]
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		clauses, args := make([]string, len(t.text)), make([]any, len(t.text))
		for i, column := range t.text {
			clauses[i], args[i] = column+` LIKE ? ESCAPE '\'`, pattern
		}
		query = query.Where("("+strings.Join(clauses, " OR ")+")", args...)
	}
	for name, value := range l.Equal {
		if column, known := t.filters[name]; known && value != "" {
			query = query.Where(column+" = ?", value)
		}
	}
	var total int64
	if err := query.Session(&gorm.Session{}).Count(&total).Error; err != nil {
		return page, fmt.Errorf("count rows: %w", err)
	}
	page.Total = int(total)
	order := t.order
	if expression, known := t.sorts[l.Sort]; known {
		order = expression
		if l.Desc {
			order += " DESC"
		}
		order += ", id DESC"
	}
	query = query.Order(order)
	if l.Size > 0 {
		query = query.Limit(l.Size).Offset((min(max(l.Page, 1), math.MaxInt/l.Size) - 1) * l.Size)
	}
	if err := query.Find(&page.Rows).Error; err != nil {
		return page, fmt.Errorf("list rows: %w", err)
	}
	return page, nil
}

// ListClusters filters by status and engine.
func (db *DB) ListClusters(ctx context.Context, l List) (Rows[Cluster], error) {
	return list[Cluster](db.with(ctx).Preload("Nodes", inOrder), table{
		text:    []string{"name", "description"},
		filters: map[string]string{"status": "status", "engine": "engine"},
		sorts: map[string]string{"name": "name", "status": "status", "engine": "engine", "node_type": "node_type", "nodes": "(SELECT COUNT(*) FROM nodes WHERE nodes.cluster_id = clusters.id)",
			"created": "created_at"},
		order: "name",
	}, l)
}

// ListSnapshots filters by cluster, source and status; the newest come first.
func (db *DB) ListSnapshots(ctx context.Context, l List) (Rows[Snapshot], error) {
	return list[Snapshot](db.with(ctx), table{
		text:    []string{"name", "cluster_name"},
		filters: map[string]string{"cluster": "cluster_name", "source": "source", "status": "status"},
		sorts: map[string]string{"name": "name", "cluster": "cluster_name", "source": "source", "status": "status", "size": "bytes",
			"stored": "stored", "keys": "keys", "verified": "verified_at", "created": "created_at"},
		order: "created_at DESC, id DESC",
	}, l)
}

// ListRuns filters by kind, status and cluster; the newest come first.
func (db *DB) ListRuns(ctx context.Context, l List) (Rows[Run], error) {
	return list[Run](db.with(ctx), table{
		text:    []string{"cluster_name", "snapshot_name"},
		filters: map[string]string{"kind": "kind", "status": "status", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts:   map[string]string{"started": "created_at", "kind": "kind", "status": "status", "cluster": "cluster_name"},
		order:   "id DESC",
	}, l)
}

// ListEvents filters by severity and cluster; the newest come first.
func (db *DB) ListEvents(ctx context.Context, l List) (Rows[Event], error) {
	return list[Event](db.with(ctx), table{
		text:    []string{"message", "cluster_name", "snapshot_name"},
		filters: map[string]string{"severity": "severity", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts:   map[string]string{"time": "at", "severity": "severity", "cluster": "cluster_name"},
		order:   "at DESC, id DESC",
	}, l)
}

// NewestSnapshots returns each cluster's newest usable snapshot, by the cluster's name.
func (db *DB) NewestSnapshots(ctx context.Context) (map[string]Snapshot, error) {
	var snapshots []Snapshot
	err := db.with(ctx).Where(`id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY cluster_name ORDER BY created_at DESC, id DESC) AS place
		FROM snapshots WHERE status IN ?) WHERE place = 1)`, []SnapshotStatus{SnapshotAvailable, SnapshotRestoring, SnapshotCopying}).Find(&snapshots).Error
	if err != nil {
		return nil, fmt.Errorf("list newest snapshots: %w", err)
	}
	newest := make(map[string]Snapshot, len(snapshots))
	for _, s := range snapshots {
		newest[s.ClusterName] = s
	}
	return newest, nil
}

// Storage is what the snapshots take up in the store.
type Storage struct {
	Snapshots int
	Stored    int64 // bytes of all usable snapshots
	Billable  int64 // bytes beyond the one free snapshot of each active cluster
}

// Storage sums the usable snapshots. As in ElastiCache, storage for one snapshot per active cluster is free: the newest one.
//
// Source: Amazon ElastiCache user guide, "Backup costs".
func (db *DB) Storage(ctx context.Context) (Storage, error) {
	var sum Storage
	newest, err := db.NewestSnapshots(ctx)
	if err != nil {
		return sum, err
	}
	var clusters []string
	if err := db.with(ctx).Model(&Cluster{}).Pluck("name", &clusters).Error; err != nil {
		return sum, fmt.Errorf("list clusters: %w", err)
	}
	row := db.with(ctx).Model(&Snapshot{}).Select("COUNT(*), COALESCE(SUM(stored), 0)").
		Where("status IN ?", []SnapshotStatus{SnapshotAvailable, SnapshotRestoring, SnapshotCopying}).Row()
	if err := row.Scan(&sum.Snapshots, &sum.Stored); err != nil {
		return sum, fmt.Errorf("sum snapshots: %w", err)
	}
	sum.Billable = sum.Stored
	for _, name := range clusters {
		sum.Billable -= newest[name].Stored
	}
	return sum, nil
}

// ClusterStorage sums one cluster's usable snapshots, in bytes.
func (db *DB) ClusterStorage(ctx context.Context, name string) (count int, stored int64, err error) {
	row := db.with(ctx).Model(&Snapshot{}).Select("COUNT(*), COALESCE(SUM(stored), 0)").
		Where("cluster_name = ? AND status IN ?", name, []SnapshotStatus{SnapshotAvailable, SnapshotRestoring, SnapshotCopying}).Row()
	if err := row.Scan(&count, &stored); err != nil {
		return 0, 0, fmt.Errorf("sum snapshots of %s: %w", name, err)
	}
	return count, stored, nil
}

// LastRun returns the newest run of a kind for a cluster since an instant.
func (db *DB) LastRun(ctx context.Context, cluster string, kind RunKind, since time.Time) (Run, bool, error) {
	return find[Run](db.with(ctx).Where("cluster_name = ? AND kind = ? AND created_at >= ?", cluster, kind, since.UTC()).Order("id DESC"))
}
