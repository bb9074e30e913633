package models

import (
	"strings"
	"testing"
)

// What the pages ask of a large catalog is found by an index, and not by looking at each row.
func TestLargeTablesAreReadByIndex(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 200, 10))
	now := db.Now()
	for name, test := range map[string]struct {
		query string
		args  []any
		want  []string // in the plan
	}{
		"newest snapshots of some clusters": {"SELECT * FROM snapshots WHERE id IN (SELECT " + newestGoodSnapshot("id") + " FROM clusters WHERE name IN ('shop-00001', 'shop-00002'))", []any{now, now},
			[]string{"SEARCH snapshots USING COVERING INDEX idx_snapshots_good (cluster_name=? AND created_at<?)", "SEARCH snapshots USING INTEGER PRIMARY KEY"}},
		"clusters by their newest snapshot": {"SELECT name, (SELECT MAX(created_at) FROM " + goodSnapshots + " AND cluster_name = clusters.name) FROM clusters", nil,
			[]string{"SEARCH snapshots USING COVERING INDEX idx_snapshots_good (cluster_name=?)"}},
		"snapshots of a status":   {"SELECT * FROM snapshots WHERE status = 'available' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_status_created (status=?)"}},
		"snapshots of a source":   {"SELECT * FROM snapshots WHERE source = 'manual' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_source_created (source=?)"}},
		"snapshots of a cluster":  {"SELECT * FROM snapshots WHERE cluster_name = 'shop-00001' ORDER BY created_at DESC, id DESC LIMIT 50", nil, []string{"idx_snapshots_cluster_name (cluster_name=?)"}},
		"snapshots one by one":    {"SELECT * FROM snapshots WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT 500", []any{now, 7}, []string{"idx_snapshots_created_at"}},
		"the schedule's last run": {"SELECT id FROM runs WHERE cluster_name = 'shop-00001' AND kind = 'snapshot' AND requested_by = 'schedule' ORDER BY id DESC LIMIT 1", nil, []string{"idx_runs_cluster_kind (cluster_name=? AND kind=?)"}},
		"clusters one by one":     {"SELECT * FROM clusters WHERE name > 'shop-00001' ORDER BY name LIMIT 500", nil, []string{"idx_clusters_name (name>?)"}},
	} {
		var steps []struct{ Detail string }
		check(t, db.gorm.Raw("EXPLAIN QUERY PLAN "+test.query, test.args...).Scan(&steps).Error)
		var plan []string
		for _, step := range steps {
			plan = append(plan, step.Detail)
		}
		text := strings.Join(plan, "\n")
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the plan has no %q:\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "SCAN snapshots") {
			t.Errorf("%s: it sorts or looks at all:\n%s", name, text)
		}
	}
}
