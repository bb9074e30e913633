package catalog

import (
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// daily is how the snapshot of a cluster would be made now, if its window were open.
func daily(t *testing.T, db *DB, cluster models.Cluster) models.DailyWay {
	t.Helper()
	opens := db.Now()
	return must(db.Comparisons.Daily(t.Context(), cluster, models.SnapshotArgs{WindowOpens: &opens}))(t)
}

// differences counts the alarms about a journal that differs from its cluster.
func differences(t *testing.T, db *DB) int {
	t.Helper()
	return count(t, db, &models.Alarm{}, "condition = ? AND subject = 'orders' AND ended_at IS NULL", models.ConditionDiffers)
}

func TestSnapshotsAreMadeFromTheJournalAsLongAsItAgrees(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster, _ := journaled(t, db)
	if way := daily(t, db, cluster); way != models.OfCluster {
		t.Errorf("nobody asked for it, and a snapshot is made %s", way)
	}
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: 10 * time.Second, Synthetic: true}, "admin"))
	said(t, db, "The daily snapshot is made from it.")
	if way := daily(t, db, cluster); way != models.ToBeCompared {
		t.Errorf("the first one is made %s", way)
	}
	for args, want := range map[models.SnapshotArgs]models.DailyWay{{}: models.OfCluster, {Compare: true}: models.ToBeCompared} {
		if way := must(db.Comparisons.Daily(t.Context(), cluster, args))(t); way != want {
			t.Errorf("with %+v it is made %s", args, way)
		}
	}
	one := taken(t, db, "orders", "one")
	compare := func(row models.Snapshot, verdict models.Verdict) models.Run {
		t.Helper()
		check(t, db.Comparisons.Queue(t.Context(), models.Run{ClusterName: "orders", ClusterID: cluster.ID, SnapshotName: row.Name, RequestedBy: "schedule"}))
		run := claim(t, db)
		if run.Kind != models.RunCompare || run.SnapshotName != row.Name {
			t.Fatalf("%+v was queued", run)
		}
		check(t, db.Comparisons.Settle(t.Context(), run, models.JournalComparison{SnapshotID: row.ID, SnapshotName: row.Name, Base: "base", Verdict: verdict, Reason: map[bool]string{true: "In shard 1, all is other."}[verdict != models.VerdictSame]}))
		return run
	}
	run := compare(one, models.VerdictSame)
	expectRun(t, db, run.ID, models.RunSucceeded)
	said(t, db, "The snapshot one of orders is the same as what the journal makes of base at the same place.")
	if way := daily(t, db, cluster); way != models.OfJournal {
		t.Errorf("once it agrees a snapshot is made %s", way)
	}
	for days, want := range map[int]models.DailyWay{1: models.OfJournal, 7: models.ToBeCompared} {
		if ways := must(db.Comparisons.Coming(t.Context(), map[uint]time.Time{cluster.ID: db.Now().AddDate(0, 0, days), 4711: db.Now()}))(t); len(ways) != 1 || ways[cluster.ID] != want {
			t.Errorf("in %d days it is made %v", days, ways)
		}
	}
	if _, err := db.Comparisons.LookAgain(t.Context(), "orders", "admin"); !models.HasCode(err, models.CodeClusterState) {
		t.Errorf("although nothing differs: %v", err)
	}
	clock.Advance(7 * 24 * time.Hour)
	if way := daily(t, db, cluster); way != models.ToBeCompared {
		t.Errorf("after a week it is made %s", way)
	}
	run = compare(one, models.VerdictDiffers)
	expectRun(t, db, run.ID, models.RunFailed)
	if way := daily(t, db, cluster); way != models.OfCluster || differences(t, db) != 1 {
		t.Errorf("when it differs, %d alarms were raised, and a snapshot is made %s", differences(t, db), way)
	}
	again := must(db.Comparisons.LookAgain(t.Context(), "orders", "admin"))(t)
	if args := must(models.Args[models.SnapshotArgs](again))(t); !args.Compare || !strings.HasPrefix(again.SnapshotName, "automatic.orders-") {
		t.Errorf("%+v was queued", again)
	}
	if last, _, err := db.Comparisons.Last(t.Context(), cluster.ID); err != nil || last.SeenAt == nil || differences(t, db) != 1 || daily(t, db, cluster) != models.ToBeCompared {
		t.Errorf("when somebody has looked, %+v, %v", last, err)
	}
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "It does not matter."))
	compare(taken(t, db, "orders", "two"), models.VerdictSame)
	if way := daily(t, db, cluster); way != models.OfJournal || differences(t, db) != 0 {
		t.Errorf("when it agrees again, %d alarms go on, and a snapshot is made %s", differences(t, db), way)
	}
}

func TestAComparisonWithoutAResultIsMadeAgain(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster, _ := journaled(t, db)
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: 10 * time.Second, Synthetic: true}, "admin"))
	one := taken(t, db, "orders", "one")
	queue := func() models.Run {
		check(t, db.Comparisons.Queue(t.Context(), models.Run{ClusterName: "orders", ClusterID: cluster.ID, SnapshotName: "one", RequestedBy: "schedule"}))
		return claim(t, db)
	}
	check(t, db.Settle.Fail(t.Context(), queue(), models.RunFailed, "The journal has a gap."))
	said(t, db, "The snapshot one could not be compared with the journal of orders. The journal has a gap.")
	if c, found, err := db.Comparisons.Of(t.Context(), one.ID); err != nil || !found || c.Verdict != models.VerdictNone || c.Reason != "The journal has a gap." || daily(t, db, cluster) != models.ToBeCompared {
		t.Errorf("%+v, %t, %v is kept", c, found, err)
	}
	run := queue()
	check(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"))
	check(t, db.Comparisons.Settle(t.Context(), run, models.JournalComparison{SnapshotID: one.ID, Verdict: models.VerdictSame}))
	expectRun(t, db, run.ID, models.RunCancelled)
	check(t, db.Recording.Save(t.Context(), "orders", models.JournalPlan{}, "admin"))
	if plan := must(db.Recording.Plan(t.Context(), cluster))(t); plan.Kept || !plan.Synthetic || daily(t, db, cluster) != models.OfCluster {
		t.Errorf("turned off, the plan is %+v", plan)
	}
}
