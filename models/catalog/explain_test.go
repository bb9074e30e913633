package catalog

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// What the pages ask of a large catalog is found by an index, and not by looking at each row.
func TestLargeTablesAreReadByIndex(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 200, 10))
	now := db.Now()
	if db.place.InPostgres() {
		check(t, db.gorm.Exec("ANALYZE").Error)
	}
	for name, test := range map[string]struct {
		query string
		args  []any
		want  []string // in SQLite's plan
		index string   // in PostgreSQL's
	}{
		"newest snapshots of some clusters": {"SELECT * FROM snapshots WHERE id IN (WITH newest AS MATERIALIZED (SELECT " + db.Snapshots.newestGood("id") + " AS id FROM clusters WHERE name IN ('shop-00001', 'shop-00002')) SELECT id FROM newest)", []any{now, now, now},
			[]string{"SEARCH tallies USING INDEX", "SEARCH snapshots USING COVERING INDEX idx_snapshots_good (cluster_name=? AND created_at<?)", "SEARCH snapshots USING INTEGER PRIMARY KEY"}, "tallies_pkey"},
		"clusters by their newest snapshot": {"SELECT clusters.* FROM clusters JOIN " + db.Schedule.by("newest_at") + " ON standings.cluster_id = clusters.id ORDER BY standings.newest_at DESC NULLS LAST, standings.cluster_id DESC LIMIT 50", nil,
			[]string{"USING COVERING INDEX idx_standings_newest_at", "SEARCH clusters USING INTEGER PRIMARY KEY"}, "idx_standings_newest_at"},
		"the oldest of the newest snapshots": {"SELECT * FROM " + db.Schedule.by("newest_at") + " WHERE newest_at IS NOT NULL AND rank > 1 AND judged_at <= ? ORDER BY newest_at NULLS FIRST, cluster_id LIMIT 1", []any{now},
			[]string{"SEARCH standings USING INDEX idx_standings_newest_at (newest_at>?)"}, "idx_standings_newest_at"},
		"clusters that stand worst": {"SELECT cluster_id FROM " + db.Schedule.by("rank") + " WHERE rank >= 0 AND judged_at <= ? ORDER BY rank DESC, newest_at NULLS FIRST, cluster_name LIMIT 50", []any{now},
			[]string{"SEARCH standings USING INDEX idx_standings_rank"}, "idx_standings_rank"},
		"clusters that are late":             {"SELECT cluster_id FROM " + db.Schedule.by("late_at") + " WHERE late_at <= ? AND rank IN (2, 3)", []any{now}, []string{"idx_standings_late_at (late_at<?)"}, "idx_standings_late_at"},
		"clusters that are due":              {"SELECT cluster_id FROM standings WHERE due_at <= ?", []any{now}, []string{"idx_standings_due_at (due_at<?)"}, "idx_standings_due_at"},
		"clusters with outlived snapshots":   {"SELECT cluster_id FROM standings WHERE outlive_at <= ?", []any{now}, []string{"idx_standings_outlive_at (outlive_at<?)"}, "idx_standings_outlive_at"},
		"clusters that have to be looked at": {"SELECT cluster_id FROM standings WHERE rank = -1", nil, []string{"idx_standings_rank (rank=?)"}, "idx_standings_rank"},
		"and by another clock":               {"SELECT cluster_id FROM standings WHERE judged_at > ?", []any{now}, []string{"idx_standings_judged_at (judged_at>?)"}, "idx_standings_judged_at"},
		"snapshots of a status":              {"SELECT * FROM snapshots WHERE status = 'available' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_status_created (status=?)"}, "idx_snapshots_status_created"},
		"snapshots of a source":              {"SELECT * FROM snapshots WHERE source = 'manual' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_source_created (source=?)"}, "idx_snapshots_source_created"},
		"snapshots of a cluster":             {"SELECT * FROM snapshots WHERE cluster_name = 'shop-00001' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_cluster_name (cluster_name=?)"}, "idx_snapshots_cluster_name"},
		"drills that are due":                {"SELECT * FROM drill_plans WHERE due_at <= ? ORDER BY due_at, cluster_id LIMIT 500", []any{now}, []string{"idx_drill_plans_due_at (due_at<?)"}, "idx_drill_plans_due_at"},
		"the drills of a cluster":            {"SELECT COUNT(*) FROM drills WHERE cluster_name = 'shop-00001'", nil, []string{"idx_drills_cluster_name (cluster_name=?)"}, "idx_drills_cluster_name"},
		"drills of a span":                   {"SELECT COUNT(*) FROM drills WHERE ended_at >= ? AND ended_at < ?", []any{now, now}, []string{"idx_drills_ended_at (ended_at>? AND ended_at<?)"}, "idx_drills_ended_at"},
		"the last drills of some snapshots":  {"SELECT * FROM drills WHERE id IN (SELECT MAX(id) FROM drills WHERE snapshot_id IN (1, 2) GROUP BY snapshot_id)", nil, []string{"idx_drills_snapshot_id (snapshot_id=?)"}, "idx_drills_snapshot_id"},
		"sizes of a cluster's automatic snapshots": {"SELECT id, name, stored FROM " + db.kind.using("snapshots", "idx_snapshots_cluster_name") + " WHERE cluster_name = 'shop-00001' AND source = 'automatic' AND status IN ('available', 'restoring', 'copying') ORDER BY created_at DESC LIMIT 7", nil,
			[]string{"idx_snapshots_cluster_name (cluster_name=?)"}, "cluster_name = 'shop-00001'"},
		"snapshots one by one":     {"SELECT * FROM snapshots WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT 500", []any{now, 7}, []string{"idx_snapshots_created_at"}, "idx_snapshots_created_at"},
		"the schedule's last run":  {"SELECT id FROM runs WHERE cluster_name = 'shop-00001' AND kind = 'snapshot' AND requested_by = 'schedule' ORDER BY id DESC LIMIT 1", nil, []string{"idx_runs_cluster_kind (cluster_name=? AND kind=?)"}, "idx_runs_cluster_kind"},
		"windows that were missed": {"SELECT COUNT(*) FROM window_marks WHERE outcome = 'missed' AND opens > ?", []any{now}, []string{"idx_window_marks_missed (opens>?)"}, "idx_window_marks_missed"},
		"clusters that begin in an hour": {"SELECT clusters.* FROM clusters JOIN " + db.Schedule.by("begins") + " ON standings.cluster_id = clusters.id WHERE begins >= 60 AND begins < 120 ORDER BY begins, opens, closes, cluster_id LIMIT 50", nil,
			[]string{"USING COVERING INDEX idx_standings_begins (begins>? AND begins<?)", "SEARCH clusters USING INTEGER PRIMARY KEY"}, "idx_standings_begins"},
		"what begins in each hour": {"SELECT COUNT(*) FROM " + db.Schedule.by("begins") + " WHERE begins IS NOT NULL AND closes <= opens AND closes > 0", nil,
			[]string{"USING COVERING INDEX idx_standings_begins"}, ""},
		"what takes the most space": {"SELECT cluster_name FROM tallies ORDER BY stored DESC, cluster_name LIMIT 20", nil, []string{"USING COVERING INDEX idx_tallies_stored"}, "idx_tallies_stored"},
		"removed snapshots":         {"SELECT * FROM past_snapshots WHERE cluster_name = 'shop-00001' AND removed_at > ?", []any{now}, []string{"idx_past_snapshots_cluster_name (cluster_name=? AND removed_at>?)"}, "Index Scan"},
		"clusters one by one":       {"SELECT * FROM clusters WHERE name > 'shop-00001' ORDER BY name LIMIT 500", nil, []string{"idx_clusters_name (name>?)"}, "idx_clusters_name"},
	} {
		plan := sqlitePlan
		if db.place.InPostgres() {
			plan, test.want = postgresPlan, []string{test.index}
		}
		text := plan(t, db, test.query, test.args)
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the plan has no %q:\n%s", name, want, text)
			}
		}
		for _, bad := range []string{"TEMP B-TREE", "SCAN snapshots", "Sort Key: created_at", "Sort Key: name", "Sort Key: newest_at", "Seq Scan on snapshots"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: it sorts or looks at all:\n%s", name, text)
			}
		}
	}
}

func sqlitePlan(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	var steps []struct{ Detail string }
	check(t, db.gorm.Raw("EXPLAIN QUERY PLAN "+query, args...).Scan(&steps).Error)
	var plan []string
	for _, step := range steps {
		plan = append(plan, step.Detail)
	}
	return strings.Join(plan, "\n")
}

// postgresPlan is the plan for a table that is too large to be read as a whole. The test's tables are not.
func postgresPlan(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	var plan []string
	check(t, db.gorm.Transaction(func(tx *gorm.DB) error {
		return errors.Join(tx.Exec("SET LOCAL enable_seqscan = off").Error, tx.Exec("SET LOCAL enable_bitmapscan = off").Error, tx.Raw("EXPLAIN "+query, args...).Scan(&plan).Error)
	}))
	return strings.Join(plan, "\n")
}
