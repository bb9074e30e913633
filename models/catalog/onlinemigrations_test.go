package catalog

import (
	"testing"
	"time"

	"rekindle/models"
)

func TestAMigrationIsBegunAndEndedOnce(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	ctx := t.Context()
	launched(t, db, spec("orders"))
	refused(t, db.Migrations.Start(ctx, "nobody", "db1", "admin"), models.CodeClusterNotFound)
	refused(t, db.Migrations.Start(ctx, "orders", "db1 6379", "admin"), models.CodeInvalid)
	refused(t, db.Migrations.Complete(ctx, "orders", false, "admin"), models.CodeNotMigrating)

	check(t, db.Migrations.Start(ctx, "orders", "db1", "admin"))
	expectCluster(t, db, "orders", models.ClusterModifying)
	run := claim(t, db)
	if args := must(models.Args[models.MigrateArgs](run))(t); args.Source != "db1:6379" || run.RequestedBy != "admin" {
		t.Errorf("the run is %+v", run)
	}
	began := models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}
	check(t, db.Migrations.Began(ctx, run, began, "It follows."))
	cluster := must(db.Clusters.Get(ctx, "orders"))(t)
	if m := cluster.Migration; cluster.Status != models.ClusterMigrating || m.Source != began.Source || m.Address != began.Address || m.Since == nil || !m.Since.Equal(monday) || m.Copied {
		t.Errorf("it is %s with %+v", cluster.Status, m)
	}
	if all := must(db.Clusters.LaunchedAt(ctx, cluster.Home, []models.ClusterStatus{models.ClusterMigrating}))(t); len(all) != 1 || all[0].Migration.Address != began.Address {
		t.Errorf("the supervisor sees %+v", all)
	}
	refused(t, db.Migrations.Start(ctx, "orders", "db1", "admin"), models.CodeMigrating)
	refused(t, second(db.Snapshots.Request(ctx, "orders", "one", false, "admin")), models.CodeClusterState)
	node := "cache.m6g.large"
	refused(t, second(db.Changes.Modify(ctx, "orders", models.ModifySpec{NodeType: &node})), models.CodeClusterState)
	refused(t, db.Changes.Reboot(ctx, "orders", nil, "admin"), models.CodeClusterState)

	for range 2 { // reported once
		check(t, db.Migrations.Copied(ctx, cluster))
	}
	if events := must(db.Events.List(ctx, models.List{Text: "has all of the data of db1"}))(t); events.Total != 1 {
		t.Errorf("%d events say that the data is there", events.Total)
	}
	clock.Advance(time.Hour)
	check(t, db.Migrations.Complete(ctx, "orders", false, "admin"))
	refused(t, db.Migrations.Complete(ctx, "orders", true, "admin"), models.CodeClusterState)
	check(t, db.Settle.Fail(ctx, claim(t, db), models.RunFailed, "It is behind."))
	if cluster = must(db.Clusters.Get(ctx, "orders"))(t); cluster.Status != models.ClusterMigrating || !cluster.Migration.Copied || cluster.StatusReason != "The migration could not be completed, and goes on. It is behind." {
		t.Errorf("it is %s (%s) with %+v", cluster.Status, cluster.StatusReason, cluster.Migration)
	}
	check(t, db.Migrations.Complete(ctx, "orders", true, "admin"))
	run = claim(t, db)
	check(t, db.Migrations.Ended(ctx, run, "It is on its own."))
	if cluster = must(db.Clusters.Get(ctx, "orders"))(t); cluster.Status != models.ClusterAvailable || cluster.Migration != (models.Migration{}) || cluster.StatusReason != "" || !cluster.ScheduleSince.Equal(clock.Now()) {
		t.Errorf("it is %s (%s) with %+v since %s", cluster.Status, cluster.StatusReason, cluster.Migration, cluster.ScheduleSince)
	}
	check(t, db.Migrations.Copied(ctx, models.Cluster{ID: cluster.ID, Migration: began})) // it was seen before the migration ended
	if cluster = must(db.Clusters.Get(ctx, "orders"))(t); cluster.Migration.Copied {
		t.Error("what has ended is still written down")
	}
}

func TestAMigrationThatDidNotBeginLeavesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	check(t, db.Migrations.Start(t.Context(), "orders", "db1", "admin"))
	run := claim(t, db)
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "It is not there."))
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	if cluster.Status != models.ClusterAvailable || cluster.Migrating() || cluster.StatusReason != "The last migration into it did not begin. It is not there." {
		t.Errorf("it is %s (%s)", cluster.Status, cluster.StatusReason)
	}
	if err := db.Migrations.Began(t.Context(), run, models.Migration{Source: "db1:6379"}, "Late."); err == nil {
		t.Error("a run that has ended begins a migration")
	}
}

// A cluster whose host is lost can be deleted even while data is being moved into it, because the source still has the data.
func TestAMigratingClusterCanBeDeleted(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	check(t, db.Migrations.Start(t.Context(), "orders", "db1", "admin"))
	check(t, db.Migrations.Began(t.Context(), claim(t, db), models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}, "It follows."))
	refused(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "last"}), models.CodeClusterState)
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{}))
	expectCluster(t, db, "orders", models.ClusterDeleting)
}

func TestNodesOfRekindleAreKnown(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	must(db.Attachments.Attach(t.Context(), attachSpec("far"), foundAt("10.0.0.1:6379")))(t)
	if nodes := must(db.Migrations.LaunchedNodes(t.Context()))(t); len(nodes) != 1 || nodes[0].Name != "orders-001" {
		t.Errorf("the nodes are %+v", nodes)
	}
}

// While data is being moved in, no snapshot is due. Afterwards none counts as missed.
func TestWindowsThatPassDuringAMigrationAreNotMissed(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	ctx := t.Context()
	orders := spec("orders")
	orders.Retention, orders.Window = 3, models.Window{Start: 12 * 60, Length: 60}
	launched(t, db, orders)
	check(t, db.Migrations.Start(ctx, "orders", "db1", "admin"))
	check(t, db.Migrations.Began(ctx, claim(t, db), models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}, "It follows."))
	next := func() bool {
		_, planned, err := db.Schedule.Next(ctx, must(db.Clusters.Get(ctx, "orders"))(t))
		check(t, err)
		return planned
	}
	pass := func() {
		t.Helper()
		for range 6 * 26 {
			clock.Advance(10 * time.Minute)
			if queued := must(db.Schedule.QueueDue(ctx))(t); queued != 0 && must(db.Clusters.Get(ctx, "orders"))(t).Migrating() {
				t.Fatal("a snapshot of a migrating cluster is due")
			} else if queued != 0 {
				return
			}
		}
	}
	pass()
	if next() {
		t.Error("a next snapshot of a migrating cluster is planned")
	}
	check(t, db.Migrations.Complete(ctx, "orders", false, "admin"))
	check(t, db.Migrations.Ended(ctx, claim(t, db), "It is on its own."))
	pass()
	if run := claim(t, db); run.Kind != models.RunSnapshot {
		t.Errorf("due is a %s", run.Kind)
	}
	if events := must(db.Events.List(ctx, models.List{Text: "No automatic snapshot"}))(t); events.Total != 0 {
		t.Errorf("missed: %+v", events.Rows)
	}
}
