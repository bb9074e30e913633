package catalog

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// table says how a list of one kind of row is searched, filtered and sorted. Only these columns ever get into a query.
type table struct {
	text    []string            // columns that are searched for the text
	filters map[string]string   // a filter's name to its column
	sorts   map[string]string   // a sort's name to its SQL expression
	time    string              // the column that a span of time is about; "": there is none
	missing []string            // sorts whose expression can be NULL, which counts as less than any value
	ties    map[string]ordering // what breaks ties in some sorts, where that is not the number, so that one index has both
	joins   map[string]string   // what some sorts need in addition
	order   []ordering          // the order when no sort is asked for
	total   func() (int, error) // the number of rows that match, if it is known without counting
}

// ordering is one expression that rows are sorted by.
type ordering struct {
	by      string
	desc    bool
	missing bool // it can be NULL
}

var byID = ordering{by: "id", desc: true}

// orderBy is the clause, or the one that reads the same rows from the other end.
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

// deep is how many rows must precede a page before it is looked for by numbers only: rows are wide.
const deep = 1000

// maxText is how much of a search text counts, in bytes. SQLite refuses a LIKE pattern beyond 50,000.
const maxText = 1000

func list[T any](db *DB, query *gorm.DB, t table, l models.List) (models.Rows[T], error) {
	var page models.Rows[T]
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
	if t.time != "" && !l.From.IsZero() {
		query = query.Where(t.time+" >= ?", catalogTime(l.From))
	}
	if t.time != "" && !l.To.IsZero() {
		query = query.Where(t.time+" < ?", catalogTime(l.To))
	}
	total, err := t.countOr(query)
	if err != nil {
		return page, err
	}
	page.Total = total
	order := t.order
	if expression, known := t.sorts[l.Sort]; known {
		tie, known := t.ties[l.Sort]
		if !known {
			tie = byID
		}
		order = []ordering{{expression, l.Desc, slices.Contains(t.missing, l.Sort)}, tie}
	}
	if join, has := t.joins[l.Sort]; has {
		query = query.Joins(join)
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

// onPage selects the rows of one page. A page that lies deep is found in an index, from the nearer end.
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

// cancelledSnapshot holds for a snapshot that failed because somebody cancelled the run that was making it. A snapshot whose run the catalog does not
// know counts as failed.
const cancelledSnapshot = `(status = 'failed' AND COALESCE((SELECT r.status FROM runs r WHERE r.snapshot_name = snapshots.name
	AND r.kind IN ('snapshot', 'copy', 'import') ORDER BY r.id DESC LIMIT 1), '') = 'cancelled')`

// nameSet is the set of a column's values.
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

// Present tells which of these clusters and snapshots exist.
func (db *DB) Present(ctx context.Context, clusters, snapshots []string) (presentClusters, presentSnapshots map[string]bool, err error) {
	if presentClusters, err = nameSet(db.with(ctx).Model(&models.Cluster{}).Where("name IN ?", clusters), "name"); err != nil {
		return nil, nil, err
	}
	presentSnapshots, err = nameSet(db.with(ctx).Model(&models.Snapshot{}).Where("name IN ?", snapshots), "name")
	return presentClusters, presentSnapshots, err
}

// good holds for the snapshots that can be restored.
const good = "status IN ('available', 'restoring', 'copying')"
