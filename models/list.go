package models

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
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
	text    []string            // columns that the text is looked for in
	filters map[string]string   // a filter's name to its column
	sorts   map[string]string   // a sort's name to its SQL expression
	missing []string            // sorts whose expression can be NULL, which counts as less than any value
	order   []ordering          // when no sort is asked for
	total   func() (int, error) // of all rows that match, when that is known without counting them
}

// ordering is one expression that rows are sorted by.
type ordering struct {
	by      string
	desc    bool
	missing bool // it can be NULL
}

var byID = ordering{by: "id", desc: true}

// orderBy is the clause, or the one for the same rows from the other end.
func orderBy(all []ordering, reverse bool) string {
	terms := make([]string, len(all))
	for i, o := range all {
		direction, nulls := "", " NULLS FIRST"
		if o.desc != reverse {
			direction, nulls = " DESC", " NULLS LAST"
		}
		if !o.missing {
			nulls = ""
		}
		terms[i] = o.by + direction + nulls
	}
	return strings.Join(terms, ", ")
}

// deep is from how many rows before it on a page is looked for among numbers only: rows are wide.
const deep = 1000

// maxText is how much of a search text counts, in bytes. SQLite refuses a LIKE pattern beyond 50,000.
const maxText = 1000

func list[T any](db *DB, query *gorm.DB, t table, l List) (Rows[T], error) {
	var page Rows[T]
	var row T
	query = query.Model(&row)
	if text := strings.TrimSpace(l.Text); text != "" {
		clauses, args := make([]string, len(t.text)), make([]any, len(t.text))
		for i, column := range t.text {
			clauses[i], args[i] = db.contains(column, text)
		}
		query = query.Where("("+strings.Join(clauses, " OR ")+")", args...)
	}
	for name, value := range l.Equal {
		if column, known := t.filters[name]; known && value != "" {
			query = query.Where(column+" = ?", value)
		}
	}
	total, err := t.countOr(query)
	if err != nil {
		return page, err
	}
	page.Total = total
	order := t.order
	if expression, known := t.sorts[l.Sort]; known {
		order = []ordering{{expression, l.Desc, slices.Contains(t.missing, l.Sort)}, byID}
	}
	if l.Size > 0 {
		skip := (min(max(l.Page, 1), math.MaxInt/l.Size) - 1) * l.Size
		if skip >= total {
			return page, nil
		}
		query = onPage(query, order, total, skip, l.Size)
	}
	if err := query.Order(orderBy(order, false)).Find(&page.Rows).Error; err != nil {
		return page, fmt.Errorf("list rows: %w", err)
	}
	return page, nil
}

func (t table) countOr(query *gorm.DB) (int, error) {
	if t.total != nil {
		return t.total()
	}
	var total int64
	if err := query.Session(&gorm.Session{}).Count(&total).Error; err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return int(total), nil
}

// onPage leaves the rows of one page. One that lies deep is looked for in an index, from the end that is nearer.
func onPage(query *gorm.DB, order []ordering, total, skip, size int) *gorm.DB {
	if skip < deep {
		return query.Limit(size).Offset(skip)
	}
	reverse, length := skip > total/2, min(size, total-skip)
	if reverse {
		skip = total - skip - length
	}
	numbers := query.Session(&gorm.Session{}).Select("id").Order(orderBy(order, reverse)).Limit(length).Offset(skip)
	return query.Where("id IN (?)", numbers)
}

// ListClusters filters by status and engine.
func (db *DB) ListClusters(ctx context.Context, l List) (Rows[Cluster], error) {
	return list[Cluster](db, db.with(ctx).Preload("Nodes", inOrder), table{
		text:    []string{"name", "description"},
		filters: map[string]string{"status": "status", "engine": "engine"},
		sorts: map[string]string{"name": "name", "status": "status", "engine": "engine", "node_type": "node_type", "nodes": "(SELECT COUNT(*) FROM nodes WHERE nodes.cluster_id = clusters.id)",
			"created": "created_at",
			"newest":  "(SELECT newest_at FROM tallies WHERE cluster_name = clusters.name)",
			"memory":  "(SELECT SUM(used_memory) FROM nodes WHERE nodes.cluster_id = clusters.id AND nodes.role <> 'replica')"},
		missing: []string{"newest", "memory"},
		order:   []ordering{{by: "name"}},
	}, l)
}

// cancelledSnapshot holds for a snapshot that failed because somebody cancelled the run that was making it.
// One whose run the catalog does not know has failed.
const cancelledSnapshot = `(status = 'failed' AND COALESCE((SELECT r.status FROM runs r WHERE r.snapshot_name = snapshots.name
	AND r.kind IN ('snapshot', 'copy', 'import') ORDER BY r.id DESC LIMIT 1), '') = 'cancelled')`

// FilterCancelled is the status by which [DB.ListSnapshots] finds the failed snapshots that were cancelled; failed finds the others.
const FilterCancelled = string(RunCancelled)

// ListSnapshots filters by cluster, source and status; the newest come first.
func (db *DB) ListSnapshots(ctx context.Context, l List) (Rows[Snapshot], error) {
	query, total := db.with(ctx), db.snapshotTotal(ctx, l)
	switch status := l.Equal["status"]; status {
	case FilterCancelled, string(SnapshotFailed):
		condition := cancelledSnapshot
		if status != FilterCancelled {
			condition = "status = 'failed' AND NOT " + cancelledSnapshot
		}
		query = query.Where(condition)
		l.Equal = maps.Clone(l.Equal)
		delete(l.Equal, "status")
	}
	return list[Snapshot](db, query, table{
		text:    []string{"name", "cluster_name"},
		filters: map[string]string{"cluster": "cluster_name", "source": "source", "status": "status"},
		sorts: map[string]string{"name": "name", "cluster": "cluster_name", "source": "source", "status": "status", "size": "bytes",
			"stored": "stored", "keys": "keys", "verified": "verified_at", "created": "created_at"},
		missing: []string{"verified"},
		total:   total,
		order:   []ordering{{by: "created_at", desc: true}, byID},
	}, l)
}

// snapshotTotal adds up what is kept of the good snapshots and the few others, where a list has all of them or all of a cluster; else it is nil.
func (db *DB) snapshotTotal(ctx context.Context, l List) func() (int, error) {
	if strings.TrimSpace(l.Text) != "" || l.Equal["source"] != "" || l.Equal["status"] != "" {
		return nil
	}
	return func() (total int, err error) {
		kept, others, cluster := "", "", l.Equal["cluster"]
		var args []any
		if cluster != "" {
			kept, others, args = " WHERE cluster_name = ?", " AND cluster_name = ?", []any{cluster, cluster}
		}
		row := db.with(ctx).Raw("SELECT COALESCE((SELECT SUM(snapshots) FROM tallies"+kept+"), 0) + (SELECT COUNT(*) FROM snapshots WHERE status IN ('creating', 'deleting', 'failed')"+
			others+")", args...).Row()
		if err := row.Scan(&total); err != nil {
			return 0, fmt.Errorf("count snapshots: %w", err)
		}
		return total, nil
	}
}

// CountSnapshots counts what [DB.ListSnapshots] finds by a status.
func (db *DB) CountSnapshots(ctx context.Context, status SnapshotStatus) (int, error) {
	query := db.with(ctx).Model(&Snapshot{}).Where("status = ?", status)
	switch status {
	case SnapshotFailed:
		query = query.Where("NOT " + cancelledSnapshot)
	case SnapshotAvailable: // nearly all: what is kept of the good ones, less the few that are worked on
		var sum int
		row := db.with(ctx).Raw(`SELECT COALESCE((SELECT SUM(snapshots) FROM tallies), 0) - (SELECT COUNT(*) FROM ` + db.kind.using("snapshots", "idx_snapshots_status_created") + ` WHERE status IN ('restoring', 'copying'))`).Row()
		if err := row.Scan(&sum); err != nil {
			return 0, fmt.Errorf("count available snapshots: %w", err)
		}
		return sum, nil
	}
	var n int64
	if err := query.Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count %s snapshots: %w", status, err)
	}
	return int(n), nil
}

// CancelledSnapshots returns which of these snapshots failed because they were cancelled.
func (db *DB) CancelledSnapshots(ctx context.Context, names ...string) (map[string]bool, error) {
	return nameSet(db.with(ctx).Model(&Snapshot{}).Where("name IN ? AND "+cancelledSnapshot, names), "name")
}

// nameSet is a column's values.
func nameSet(query *gorm.DB, column string) (map[string]bool, error) {
	var names []string
	if err := query.Distinct(column).Pluck(column, &names).Error; err != nil {
		return nil, fmt.Errorf("list names: %w", err)
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set, nil
}

// Present tells which of these clusters and snapshots there are.
func (db *DB) Present(ctx context.Context, clusters, snapshots []string) (presentClusters, presentSnapshots map[string]bool, err error) {
	if presentClusters, err = nameSet(db.with(ctx).Model(&Cluster{}).Where("name IN ?", clusters), "name"); err != nil {
		return nil, nil, err
	}
	presentSnapshots, err = nameSet(db.with(ctx).Model(&Snapshot{}).Where("name IN ?", snapshots), "name")
	return presentClusters, presentSnapshots, err
}

// ClusterNames returns the names of clusters that occur in rows of one kind, a [Run], [Event] or [Snapshot], in the order of names. The
// clusters themselves may be gone.
func (db *DB) ClusterNames(ctx context.Context, kind any) ([]string, error) {
	var names []string
	err := db.with(ctx).Model(kind).Where("cluster_name <> ''").Distinct("cluster_name").Order("cluster_name").Pluck("cluster_name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list names of clusters: %w", err)
	}
	return names, nil
}

// FindClusterNames returns the names, in their order and no more than limit, of clusters in which the text occurs: of those that there are, and of
// those that are gone and have left good snapshots. Those of memcached only cache, and are left out where it is about backups.
func (db *DB) FindClusterNames(ctx context.Context, text string, backups bool, limit int) ([]string, error) {
	without := ""
	if backups {
		without = EngineMemcached
	}
	named, pattern := db.contains("name", text)
	left, _ := db.contains("cluster_name", text)
	var names []string
	err := db.with(ctx).Raw("SELECT name FROM clusters WHERE "+named+" AND engine <> ? UNION SELECT cluster_name FROM tallies WHERE "+left+" ORDER BY 1 LIMIT ?",
		pattern, without, pattern, limit).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("find names of clusters: %w", err)
	}
	return names, nil
}

// ListRuns filters by kind, status and cluster; the newest come first.
func (db *DB) ListRuns(ctx context.Context, l List) (Rows[Run], error) {
	return list[Run](db, db.with(ctx), table{
		text:    []string{"cluster_name", "snapshot_name"},
		filters: map[string]string{"kind": "kind", "status": "status", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts:   map[string]string{"started": "created_at", "kind": "kind", "status": "status", "cluster": "cluster_name"},
		order:   []ordering{byID},
	}, l)
}

// ListEvents filters by severity and cluster; the newest come first.
func (db *DB) ListEvents(ctx context.Context, l List) (Rows[Event], error) {
	return list[Event](db, db.with(ctx), table{
		text:    []string{"message", "cluster_name", "snapshot_name"},
		filters: map[string]string{"severity": "severity", "cluster": "cluster_name", "snapshot": "snapshot_name"},
		sorts: map[string]string{"time": "at", "cluster": "cluster_name",
			"severity": "CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END"},
		order: []ordering{{by: "at", desc: true}, byID},
	}, l)
}

// good holds for the snapshots that can be restored.
const good = "status IN ('available', 'restoring', 'copying')"

// goodSnapshots are read by the index that has only these.
func (db *DB) goodSnapshots() string {
	return db.kind.using("snapshots", "idx_snapshots_good") + " WHERE " + good
}

// newestGoodSnapshot is what there is of the newest good snapshot of the cluster that the query is at: its "id", its "created_at" or what it has
// "stored". It is kept in tallies. But one from the future is of a clock that stood wrong: it counts only where there is no other, and then
// they are looked for. It takes the time three times.
func (db *DB) newestGoodSnapshot(column string) string {
	kept := map[string]string{"id": "newest_id", "created_at": "newest_at", "stored": "newest_stored"}[column]
	other := "(SELECT " + column + " FROM " + db.goodSnapshots() + " AND cluster_name = clusters.name AND created_at %s ? ORDER BY created_at DESC, id DESC LIMIT 1)"
	return "(SELECT CASE WHEN newest_at <= ? THEN " + kept + " ELSE COALESCE(" + fmt.Sprintf(other, "<=") + ", " + fmt.Sprintf(other, ">") +
		") END FROM tallies WHERE tallies.cluster_name = clusters.name)"
}

// ClustersAfter returns the next clusters in the order of their names, with their nodes, no more than limit.
func (db *DB) ClustersAfter(ctx context.Context, name string, limit int) ([]Cluster, error) {
	var clusters []Cluster
	err := db.with(ctx).Preload("Nodes", inOrder).Where("name > ?", name).Order("name").Limit(limit).Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters behind %s: %w", name, err)
	}
	return clusters, nil
}

// SnapshotsAfter returns the next snapshots in the order of their creation, without their parts, no more than limit. The first ones come after a
// zero Snapshot.
func (db *DB) SnapshotsAfter(ctx context.Context, last Snapshot, limit int) ([]Snapshot, error) {
	query := db.with(ctx)
	if last.ID > 0 {
		query = query.Where("(created_at, id) > (?, ?)", catalogTime(last.CreatedAt), last.ID)
	}
	var snapshots []Snapshot
	if err := query.Order("created_at, id").Limit(limit).Find(&snapshots).Error; err != nil {
		return nil, fmt.Errorf("list snapshots behind %s: %w", last.Name, err)
	}
	return snapshots, nil
}

// NewestSnapshots returns the newest good snapshot of each of these clusters, by the cluster's name.
func (db *DB) NewestSnapshots(ctx context.Context, clusters ...string) (map[string]Snapshot, error) {
	newest := make(map[string]Snapshot, len(clusters))
	now := db.Now()
	for names := range slices.Chunk(clusters, 500) {
		var snapshots []Snapshot
		err := db.with(ctx).Where("id IN (SELECT "+db.newestGoodSnapshot("id")+" FROM (SELECT cluster_name AS name FROM tallies WHERE cluster_name IN ?) AS clusters)", now, now, now, names).Find(&snapshots).Error
		if err != nil {
			return nil, fmt.Errorf("list newest snapshots: %w", err)
		}
		for _, s := range snapshots {
			newest[s.ClusterName] = s
		}
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
	row := db.with(ctx).Table("tallies").Select("COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0)").Row()
	if err := row.Scan(&sum.Snapshots, &sum.Stored); err != nil {
		return sum, fmt.Errorf("sum snapshots: %w", err)
	}
	var free int64
	now := db.Now()
	row = db.with(ctx).Raw("SELECT COALESCE(SUM("+db.newestGoodSnapshot("stored")+"), 0) FROM clusters", now, now, now).Row()
	if err := row.Scan(&free); err != nil {
		return sum, fmt.Errorf("sum newest snapshots: %w", err)
	}
	sum.Billable = sum.Stored - free
	return sum, nil
}

// ClusterStorage sums one cluster's usable snapshots, in bytes.
func (db *DB) ClusterStorage(ctx context.Context, name string) (count int, stored int64, err error) {
	row := db.with(ctx).Table("tallies").Select("COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0)").Where("cluster_name = ?", name).Row()
	if err := row.Scan(&count, &stored); err != nil {
		return 0, 0, fmt.Errorf("sum snapshots of %s: %w", name, err)
	}
	return count, stored, nil
}

// LastRun returns the newest run of a kind for a cluster since an instant.
func (db *DB) LastRun(ctx context.Context, cluster string, kind RunKind, since time.Time) (Run, bool, error) {
	return find[Run](db.with(ctx).Where("cluster_name = ? AND kind = ? AND created_at >= ?", cluster, kind, catalogTime(since)).Order("id DESC"))
}

// LastAutomaticRun returns the newest snapshot run that the schedule asked for since an instant.
func (db *DB) LastAutomaticRun(ctx context.Context, cluster string, since time.Time) (Run, bool, error) {
	return find[Run](db.with(ctx).Where("cluster_name = ? AND kind = ? AND requested_by = 'schedule' AND created_at >= ?", cluster, RunSnapshot, catalogTime(since)).
		Order("id DESC"))
}

// EndedRuns returns the runs that have ended since an instant, the last one first. It looks among the newest thousand, for nobody asks
// for more and the runs of years need not be read for it.
func (db *DB) EndedRuns(ctx context.Context, since time.Time) ([]Run, error) {
	var runs []Run
	if err := db.with(ctx).Where("id > (SELECT COALESCE(MAX(id), 0) - 1000 FROM runs) AND ended_at >= ?", catalogTime(since)).Order("ended_at DESC, id DESC").Find(&runs).Error; err != nil {
		return nil, fmt.Errorf("list ended runs: %w", err)
	}
	return runs, nil
}
