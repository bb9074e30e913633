package catalog

import (
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// planned has drills of a cluster held in a window that opens in an hour.
func planned(t *testing.T, db *DB, cluster string, every models.Cadence) models.DrillPlan {
	t.Helper()
	start := (db.Now().Hour()*60 + db.Now().Minute() + 60) % (24 * 60)
	check(t, db.Drills.SavePlan(t.Context(), cluster, models.DrillPlan{Every: every, Window: models.Window{Start: start, Length: 60}}, "admin"))
	return planOf(t, db, cluster)
}

func planOf(t *testing.T, db *DB, cluster string) models.DrillPlan {
	t.Helper()
	return must(db.Drills.Plan(t.Context(), must(db.Clusters.Get(t.Context(), cluster))(t)))(t)
}

func due(t *testing.T, db *DB, want int) {
	t.Helper()
	if queued := must(db.Drills.QueueDue(t.Context()))(t); queued != want {
		t.Fatalf("%d drills were queued at %s, not %d", queued, db.Now(), want)
	}
}

func TestDrillOfTheNewestSnapshotIsHeldEachWeek(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	clock.Advance(time.Minute)
	two := taken(t, db, "orders", "two")
	plan := planned(t, db, "orders", models.Weekly)
	due(t, db, 0)
	clock.Advance(plan.DueAt.Sub(db.Now()))
	due(t, db, 1)
	due(t, db, 0)
	run := claim(t, db)
	args := must(models.Args[models.DrillArgs](run))(t)
	if run.Kind != models.RunDrill || run.SnapshotName != "two" || run.RequestedBy != models.DrillBySchedule || args.WindowCloses == nil || !args.WindowCloses.After(db.Now()) {
		t.Fatalf("%+v with %+v was queued", run, args)
	}
	if next := planOf(t, db, "orders"); next.DueAt.Sub(plan.DueAt) != week {
		t.Errorf("the next one is due %s after this one", next.DueAt.Sub(plan.DueAt))
	}
	result := models.Drill{SnapshotID: two.ID, Engine: "redis", EngineVersion: "7.0.15", Host: "here", StartedAt: db.Now(), LoadedIn: 12 * time.Second, Expected: 5, Keys: 5, Sampled: 5, Outcome: models.DrillPassed}
	check(t, db.Drills.Settle(t.Context(), run, result))
	expectRun(t, db, run.ID, models.RunSucceeded)
	said(t, db, "The restore drill of the snapshot two of orders succeeded. Loaded by Redis 7.0.15 in 12 s: 5 of 5 keys;")
	kept, found, err := db.Drills.Last(t.Context(), two.ID)
	if err != nil || !found || kept.Outcome != models.DrillPassed || kept.ClusterName != "orders" || kept.SnapshotName != "two" || kept.LoadedIn != 12*time.Second || kept.EndedAt.IsZero() {
		t.Errorf("%+v, %t, %v is kept", kept, found, err)
	}
	check(t, db.Snapshots.RemoveRow(t.Context(), "two"))
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	if count(t, db, &models.Drill{}) != 1 || count(t, db, &models.DrillPlan{}) != 0 {
		t.Errorf("%d drills and %d plans are left of the cluster %d", count(t, db, &models.Drill{}), count(t, db, &models.DrillPlan{}), cluster.ID)
	}
}

func TestDrillWhoseWindowPassedIsMadeUpForInTheNextOne(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	plan := planned(t, db, "orders", models.Monthly)
	clock.Advance(plan.DueAt.Sub(db.Now()) + 2*time.Hour)
	due(t, db, 0)
	next := planOf(t, db, "orders")
	if late := next.DueAt.Sub(plan.DueAt); late != 24*time.Hour {
		t.Errorf("it is made up for after %s", late)
	}
	said(t, db, "No restore drill of orders began in its window")
	clock.Advance(next.DueAt.Sub(db.Now()))
	due(t, db, 1)
	run := claim(t, db)
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "There was no memory."))
	if again := planOf(t, db, "orders"); again.DueAt.Sub(next.DueAt) != 24*time.Hour {
		t.Errorf("after a drill that was not carried out, the next is due %s later", again.DueAt.Sub(next.DueAt))
	}
	said(t, db, "The restore drill of the snapshot one of orders could not be carried out. There was no memory.")
	kept, _, err := db.Drills.Last(t.Context(), must(db.Snapshots.Get(t.Context(), "one"))(t).ID)
	if err != nil || kept.Outcome != models.DrillUndone || kept.Reason != "There was no memory." {
		t.Errorf("%+v, %v is kept", kept, err)
	}
}

func said(t *testing.T, db *DB, text string) {
	t.Helper()
	events := must(db.Events.List(t.Context(), models.List{}))(t)
	for _, e := range events.Rows {
		if strings.Contains(e.Message, text) {
			return
		}
	}
	t.Errorf("no event says %q: %+v", text, events.Rows)
}

func TestClusterWithoutSnapshotsIsAskedAgainTomorrow(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	plan := planned(t, db, "orders", models.Weekly)
	clock.Advance(plan.DueAt.Sub(db.Now()))
	due(t, db, 0)
	if next := planOf(t, db, "orders"); next.DueAt.Sub(plan.DueAt) != 24*time.Hour {
		t.Errorf("it is asked again %s later", next.DueAt.Sub(plan.DueAt))
	}
}

func TestFewDrillsWaitAtATime(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	check(t, db.Sample(t.Context(), maxDrills+2, 1))
	window := models.Window{Start: (db.Now().Hour()*60 + 60) % (24 * 60), Length: 60}
	for _, cluster := range must(db.Clusters.All(t.Context()))(t) {
		check(t, db.Drills.SavePlan(t.Context(), cluster.Name, models.DrillPlan{Every: models.Weekly, Window: window}, "admin"))
	}
	opens := window.Next(db.Now(), "x").Opens
	clock.Advance(opens.Add(59 * time.Minute).Sub(db.Now()))
	due(t, db, maxDrills)
	due(t, db, 0)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "It failed."))
	due(t, db, 1)
}

func TestDrillsOfSeveralConsolesAreQueuedOnce(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	plan := planned(t, db, "orders", models.Weekly)
	clock.Advance(plan.DueAt.Sub(db.Now()))
	for _, err := range atOnce(4, func(int) error { _, err := db.Drills.QueueDue(t.Context()); return err }) {
		check(t, err)
	}
	if n := count(t, db, &models.Run{}, "kind = ?", models.RunDrill); n != 1 {
		t.Errorf("%d drills were queued", n)
	}
}

func TestPlanOfDrillsIsChangedAndTurnedOff(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	first := planned(t, db, "orders", models.Weekly)
	clock.Advance(first.DueAt.Sub(db.Now()))
	due(t, db, 1)
	later := planOf(t, db, "orders")
	check(t, db.Drills.SavePlan(t.Context(), "orders", later, "admin"))
	if same := planOf(t, db, "orders"); !same.DueAt.Equal(later.DueAt) {
		t.Errorf("saving what is there changes when it is due from %s to %s", later.DueAt, same.DueAt)
	}
	refused(t, db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: "daily"}, "admin"), models.CodeInvalid)
	refused(t, db.Drills.SavePlan(t.Context(), "nobody", later, "admin"), models.CodeClusterNotFound)
	check(t, db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{}, "admin"))
	if off := planOf(t, db, "orders"); off.Every != models.Never || count(t, db, &models.DrillPlan{}) != 0 {
		t.Errorf("%+v is left", off)
	}
	said(t, db, "Restore drills of orders were turned off by admin.")
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "It failed.")) // without a plan nothing is due again
	due(t, db, 0)
}

func TestDrillGivesWay(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	drill := must(db.Drills.Request(t.Context(), "one", "admin"))(t)
	may := func(want bool) {
		t.Helper()
		if got := must(db.Drills.MayRun(t.Context(), drill, "me"))(t); got != want {
			t.Errorf("it may run: %t", got)
		}
	}
	may(true)
	must(db.Snapshots.Request(t.Context(), "orders", "two", false, "admin"))(t)
	may(false)
	refused(t, failure(db.Drills.Request(t.Context(), "one", "admin")), models.CodeSnapshotState)
	refused(t, failure(db.Drills.Request(t.Context(), "two", "admin")), models.CodeSnapshotState)
	refused(t, failure(db.Drills.Request(t.Context(), "nothing", "admin")), models.CodeSnapshotNotFound)
}

func failure[T any](_ T, err error) error { return err }

func TestDrillOfASnapshotThatIsDeletedHasNoResult(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	one := taken(t, db, "orders", "one")
	must(db.Drills.Request(t.Context(), "one", "admin"))(t)
	run := claim(t, db)
	check(t, db.Snapshots.Delete(t.Context(), []string{"one"}, "admin"))
	if asked := must(db.Runs.CancelRequested(t.Context(), run.ID))(t); !asked {
		t.Error("the drill was not asked to end")
	}
	check(t, db.Drills.Settle(t.Context(), run, models.Drill{SnapshotID: one.ID, Outcome: models.DrillFailed, Reason: "Part 1 is missing.", StartedAt: db.Now()}))
	expectRun(t, db, run.ID, models.RunCancelled)
	if n := count(t, db, &models.Drill{}); n != 0 {
		t.Errorf("%d drills are kept", n)
	}
}

func TestAFailedDrillIsToldAndSoIsTheNextThatSucceeds(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	one := taken(t, db, "orders", "one")
	channel(t, db, "on call", nil)
	for _, drill := range []models.Drill{
		{SnapshotID: one.ID, Outcome: models.DrillFailed, Reason: "Two keys are missing.", StartedAt: db.Now()},
		{SnapshotID: one.ID, Outcome: models.DrillPassed, StartedAt: db.Now()},
	} {
		must(db.Drills.Request(t.Context(), "one", "admin"))(t)
		check(t, db.Drills.Settle(t.Context(), claim(t, db), drill))
	}
	expectTitles(t, db, "a drill that failed, and one that did not", "on call: The restore drill of orders failed", "on call: The restore drill of orders succeeds again")
}
