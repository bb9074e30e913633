package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// drilled holds a drill of a snapshot that ends like this.
func drilled(t *testing.T, db *DB, snapshot models.Snapshot, outcome models.DrillOutcome) {
	t.Helper()
	must(db.Drills.Request(t.Context(), snapshot.Name, "admin"))(t)
	check(t, db.Drills.Settle(t.Context(), claim(t, db), models.Drill{SnapshotID: snapshot.ID, StartedAt: db.Now(), Outcome: outcome, Reason: string(outcome)}))
}

func TestReportOnDrills(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	for _, name := range []string{"gone", "never", "orders"} {
		launched(t, db, spec(name))
	}
	orders, gone := taken(t, db, "orders", "one"), taken(t, db, "gone", "two")
	drilled(t, db, orders, models.DrillFailed) // before the span
	clock.Advance(time.Hour)
	from := db.Now()
	drilled(t, db, orders, models.DrillPassed)
	drilled(t, db, gone, models.DrillPassed)
	clock.Advance(time.Hour)
	drilled(t, db, gone, models.DrillFailed)
	clock.Advance(time.Hour)
	to := db.Now()
	drilled(t, db, orders, models.DrillUndone) // after it
	check(t, db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 60, Length: 60}}, "admin"))
	check(t, db.Clusters.Delete(t.Context(), "gone", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))

	span := models.DrillSpan{From: from, To: to}
	for name, c := range map[string]struct {
		list models.List
		want string // cluster, whether it exists, when drills are held, how many ended how, the last result
	}{
		"all":             {models.List{}, "gone false  1 1 0 failed; never true  0 0 0 none; orders true weekly 1 0 0 passed"},
		"by text":         {models.List{Text: "ORD"}, "orders true weekly 1 0 0 passed"},
		"passed":          {models.List{Equal: map[string]string{"result": "passed"}}, "orders true weekly 1 0 0 passed"},
		"failed":          {models.List{Equal: map[string]string{"result": "failed"}}, "gone false  1 1 0 failed"},
		"not drilled":     {models.List{Equal: map[string]string{"result": "none"}}, "never true  0 0 0 none"},
		"the second page": {models.List{Page: 2, Size: 2}, "orders true weekly 1 0 0 passed"},
		"nonsense":        {models.List{Equal: map[string]string{"result": "' OR 1=1"}}, ""},
	} {
		rows := must(db.Drills.Report(t.Context(), span, c.list))(t)
		var got []string
		for _, row := range rows.Rows {
			last := models.NotDrilled
			if row.Last != nil {
				last = row.Last.Outcome
			}
			got = append(got, fmt.Sprintf("%s %t %s %d %d %d %s", row.Cluster, row.Exists, row.Plan.Every, row.Totals.Passed, row.Totals.Failed, row.Totals.Undone, last))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %s", name, text)
		}
	}
	if totals := must(db.Drills.Totals(t.Context(), span))(t); totals != (models.DrillTotals{Passed: 2, Failed: 1}) {
		t.Errorf("the totals are %+v", totals)
	}
	if after := must(db.Drills.ReportAfter(t.Context(), span, models.List{}, "gone", 1))(t); len(after) != 1 || after[0].Cluster != "never" {
		t.Errorf("after gone comes %+v", after)
	}
	all := must(db.Drills.In(t.Context(), span, "gone", 0, 10))(t)
	if len(all) != 2 || all[0].Outcome != models.DrillPassed || all[1].Outcome != models.DrillFailed {
		t.Errorf("the drills of gone are %+v", all)
	}
	if rest := must(db.Drills.In(t.Context(), span, "gone", all[0].ID, 10))(t); len(rest) != 1 || rest[0].ID != all[1].ID {
		t.Errorf("after the first come %+v", rest)
	}
}
