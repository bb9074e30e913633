package catalog

import (
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestARecoveryHoldsTheSnapshotThatItBeginsWith(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	clock.Advance(time.Hour)
	taken(t, db, "orders", "two")
	clock.Advance(time.Hour)
	moment := db.Now().Add(-time.Minute)
	ask := func(name string) error {
		_, err := db.Recoveries.Request(t.Context(), models.RecoverSpec{Cluster: "orders", Name: name, Moment: moment, Tags: map[string]string{"why": "undo"}, RequestedBy: "admin"})
		return err
	}
	check(t, ask("back"))
	refused(t, ask("back"), models.CodeSnapshotExists)
	refused(t, db.Recoveries.Check(t.Context(), &models.RecoverSpec{Cluster: "nobody", Name: "x", Moment: moment}), models.CodeClusterNotFound)
	if row := must(db.Snapshots.Get(t.Context(), "back"))(t); !row.CreatedAt.Equal(moment) || row.Source != models.SourceManual || row.Status != models.SnapshotCreating || !row.Recovered() {
		t.Errorf("%+v", row)
	}
	if got := must(db.Clusters.Get(t.Context(), "orders"))(t); got.Status != models.ClusterAvailable || got.ID != cluster.ID {
		t.Errorf("the cluster is %s", got.Status)
	}
	if bases := must(db.Recoveries.Bases(t.Context(), "orders", moment, 10))(t); len(bases) != 2 || bases[0].Name != "two" || len(bases[0].Parts) != 1 {
		t.Errorf("%d snapshots to begin with: %+v", len(bases), bases)
	}
	if bases := must(db.Recoveries.Bases(t.Context(), "orders", moment.Add(-90*time.Minute), 10))(t); len(bases) != 1 || bases[0].Name != "one" {
		t.Errorf("%d snapshots of before: %+v", len(bases), bases)
	}

	run := claim(t, db)
	if may := must(db.Recoveries.MayRun(t.Context(), models.Run{ID: run.ID + 1}, run.Owner))(t); may {
		t.Error("a second one may run beside it")
	}
	if may := must(db.Recoveries.MayRun(t.Context(), models.Run{ID: run.ID + 1}, "another console"))(t); !may {
		t.Error("another console may not run one")
	}
	status := func(name string, want models.SnapshotStatus) {
		t.Helper()
		if got := must(db.Snapshots.Get(t.Context(), name))(t).Status; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	one, two := must(db.Snapshots.Get(t.Context(), "one"))(t), must(db.Snapshots.Get(t.Context(), "two"))(t)
	must(db.Recoveries.Begin(t.Context(), run, one))(t)
	status("one", models.SnapshotCopying)
	run = must(db.Recoveries.Begin(t.Context(), run, two))(t) // the console was killed, and another snapshot serves now
	status("one", models.SnapshotAvailable)
	status("two", models.SnapshotCopying)
	refused(t, db.Snapshots.Delete(t.Context(), []string{"two"}, "admin"), models.CodeSnapshotState)
	if args, err := models.Args[models.RecoverArgs](must(db.Runs.Get(t.Context(), run.ID))(t)); err != nil || args.Base != "two" || !args.Moment.Equal(moment) {
		t.Errorf("%+v, %v", args, err)
	}
	done := measured(db, "back")
	done.Origin = models.Cut{Asked: moment, Last: moment, Base: "two", Shards: 1, Commands: 7}.Origin()
	done.Configuration = two.Configuration
	check(t, db.Settle.Move(t.Context(), run, done, ""))
	status("two", models.SnapshotAvailable)
	status("back", models.SnapshotAvailable)
	made := must(db.Snapshots.Get(t.Context(), "back"))(t)
	if made.NodeType != two.NodeType || made.Origin != done.Origin || made.TakenIn() != 0 || made.RetentionLimit != two.RetentionLimit {
		t.Errorf("%+v", made)
	}
	if maker, found, err := db.Runs.Maker(t.Context(), made); err != nil || !found || maker.ID != run.ID {
		t.Errorf("it was made by %+v, %v, %v", maker, found, err)
	}
}

func TestAClusterThatIsMadeOfAMomentHoldsTheSnapshotThatItBeginsWith(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"well", "badly"} {
		db, clock := catalog(t)
		orders := launched(t, db, spec("orders"))
		taken(t, db, "orders", "one")
		clock.Advance(time.Hour)
		taken(t, db, "orders", "two")
		clock.Advance(time.Hour)
		again := spec("again")
		again.Straight = &models.StraightFrom{Cluster: "orders", Moment: db.Now().Add(-time.Minute)}
		cluster := must(db.Clusters.Create(t.Context(), again))(t)[0]
		if cluster.Status != models.ClusterCreating || cluster.RestoredFrom != "" {
			t.Errorf("it is %s, made from %q", cluster.Status, cluster.RestoredFrom)
		}
		run := claimKind(t, db, models.RunStraight)
		if args, err := models.Args[models.StraightArgs](run); err != nil || args.Cluster != "orders" || args.ClusterID != orders.ID || run.ClusterID != cluster.ID || run.Home != cluster.Home {
			t.Errorf("%+v, %v of %+v", args, err, run)
		}
		status := func(name string, want models.SnapshotStatus) {
			t.Helper()
			if got := must(db.Snapshots.Get(t.Context(), name))(t).Status; got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		one, two := must(db.Snapshots.Get(t.Context(), "one"))(t), must(db.Snapshots.Get(t.Context(), "two"))(t)
		must(db.Recoveries.BeginStraight(t.Context(), run, cluster, one))(t)
		status("one", models.SnapshotCopying)
		cluster = must(db.Recoveries.BeginStraight(t.Context(), run, cluster, two))(t) // the console was killed, and another snapshot serves now
		status("one", models.SnapshotAvailable)
		status("two", models.SnapshotCopying)
		if cluster.RestoredFrom != "two" {
			t.Errorf("it is made from %q", cluster.RestoredFrom)
		}
		refused(t, db.Snapshots.Delete(t.Context(), []string{"two"}, "admin"), models.CodeSnapshotState)
		other := two
		other.ClusterMode, other.Parts = true, []models.Part{{Number: 1, Slots: "0-8191"}, {Number: 2, Slots: "8192-16383"}}
		_, err := db.Recoveries.BeginStraight(t.Context(), run, cluster, other)
		refused(t, err, models.CodeCombination)
		want, from := models.ClusterAvailable, "two"
		if ends == "well" {
			check(t, db.Settle.Cluster(t.Context(), run, "It was made."))
		} else {
			want, from = models.ClusterRestoreFailed, ""
			check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
		}
		status("two", models.SnapshotAvailable)
		if ends == "well" {
			check(t, db.Losses.Emptied(t.Context(), cluster.ID, "again-001"))
			notice := "It was made of orders as it was at " + again.Straight.Moment.UTC().Format(time.DateTime) + " UTC: recover that again"
			if got := must(db.Clusters.Get(t.Context(), "again"))(t); !strings.Contains(got.StatusReason, notice) {
				t.Errorf("after a loss it says %q", got.StatusReason)
			}
		}
		if cluster = must(db.Clusters.Get(t.Context(), "again"))(t); cluster.Status != want || cluster.RestoredFrom != from || cluster.UnsavedFrom != "" {
			t.Errorf("it is %s, made from %q, unsaved %q", cluster.Status, cluster.RestoredFrom, cluster.UnsavedFrom)
		}
	}
}

func TestRecoveriesCountAgainstTheQuotaOnTheDayThatTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	check(t, db.Settings.Save(t.Context(), models.Settings{ManualQuota: 1, Currency: "$"}))
	clock.Advance(30 * 24 * time.Hour)
	moment := db.Now().Add(-20 * 24 * time.Hour)
	ask := func(name string) error {
		_, err := db.Recoveries.Request(t.Context(), models.RecoverSpec{Cluster: "orders", Name: name, Moment: moment})
		return err
	}
	check(t, ask("one"))
	refused(t, ask("two"), models.CodeSnapshotQuota)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "There is a gap."))
	check(t, ask("two"))
	clock.Advance(25 * time.Hour)
	check(t, ask("three"))
}
