package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestLossStaysVisibleUntilASnapshotByHandAndItsSnapshotIsKept(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	c := spec("orders")
	c.Retention = 1
	cluster := launched(t, db, c)
	automatic := func(name string) {
		t.Helper()
		check(t, db.with(t.Context()).Create(&models.Snapshot{Name: name, ClusterName: "orders", ClusterID: cluster.ID, Source: models.SourceAutomatic,
			Status: models.SnapshotAvailable, Configuration: models.Configuration{RetentionLimit: 1}, RDBVersion: 10, CreatedAt: db.Now()}).Error)
		clock.Advance(24 * time.Hour)
	}
	automatic("automatic.orders-1")
	automatic("automatic.orders-2") // the last one with data in it
	check(t, db.Losses.Emptied(t.Context(), cluster.ID, "orders-001"))
	automatic("automatic.orders-3")
	check(t, db.Losses.Emptied(t.Context(), cluster.ID, "orders-001")) // again: the notice stays about the first loss
	automatic("automatic.orders-4")

	says := func(want bool) {
		t.Helper()
		cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
		told := strings.Contains(cluster.StatusReason, "was started empty at 2026-01-07 10:00:00 UTC") && strings.Contains(cluster.StatusReason, "is automatic.orders-2:")
		if told != want {
			t.Errorf("the %s cluster says %q", cluster.Status, cluster.StatusReason)
		}
	}
	says(true)
	must(db.Clusters.MarkReachable(t.Context(), cluster.ID, false, "No answer."))(t)
	says(false)
	must(db.Clusters.MarkReachable(t.Context(), cluster.ID, true, ""))(t)
	says(true)
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{NodeType: pointer("cache.t4g.small")}))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "No."))
	says(true)
	if n := count(t, db, &models.Event{}, "severity = ? AND message LIKE ?", models.SeverityError, "The primary orders-001 had stopped and there is no RDB%"); n != 2 {
		t.Errorf("%d events speak of the losses", n)
	}

	clock.Advance(1000 * 24 * time.Hour)
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-1"}) {
		t.Errorf("removed %v", names)
	}
	check(t, db.Settle.SnapshotDeletion(t.Context(), claim(t, db)))
	taken(t, db, "orders", "by-hand")
	says(false)
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); len(names) != 0 {
		t.Errorf("removed %v after a snapshot by hand", names)
	}
	check(t, db.Snapshots.Delete(t.Context(), []string{"automatic.orders-2"}, "admin"))
	check(t, db.Settle.SnapshotDeletion(t.Context(), claim(t, db)))
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	if n := count(t, db, &models.Loss{}); n != 0 {
		t.Errorf("%d losses remain of a cluster that is gone", n)
	}
}

func TestUnreachableClusterCanBeBackedUpFromAReplicaInStep(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Replicas = 1
	cluster := launched(t, db, c)
	replica := cluster.Nodes[1]
	seen := func(state string, lag int64) {
		t.Helper()
		replica.State, replica.LagBytes = state, lag
		check(t, db.Nodes.Seen(t.Context(), replica))
	}
	must(db.Clusters.MarkReachable(t.Context(), cluster.ID, false, "The primary orders-001 does not answer."))(t)
	for _, other := range []struct {
		state string
		lag   int64
	}{{"available", -1}, {"loading", 0}, {"unreachable", 0}, {"stopped", 0}} {
		seen(other.state, other.lag)
		_, err := db.Snapshots.Request(t.Context(), "orders", "s1", false, "admin")
		refused(t, err, models.CodeClusterState)
	}
	seen("available", 0)
	must(db.Snapshots.Request(t.Context(), "orders", "s1", false, "admin"))(t)
	check(t, db.Settle.Snapshot(t.Context(), claim(t, db), measured(db, "s1")))
	again := must(db.Clusters.Get(t.Context(), "orders"))(t)
	if again.Status != models.ClusterUnreachable || again.StatusReason != "The primary orders-001 does not answer." {
		t.Errorf("afterwards the cluster is %s: %q", again.Status, again.StatusReason)
	}
	must(db.Snapshots.Request(t.Context(), "orders", "s2", false, "admin"))(t)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunCancelled, "It was cancelled."))
	if again = must(db.Clusters.Get(t.Context(), "orders"))(t); again.Status != models.ClusterUnreachable {
		t.Errorf("after a cancelled one the cluster is %s", again.Status)
	}
	if n := count(t, db, &models.Event{}, "message = ?", "The snapshot s2 of orders was cancelled."); n != 1 {
		t.Errorf("%d events say in one sentence that it was cancelled", n)
	}
	if !must(db.Clusters.MarkReachable(t.Context(), cluster.ID, true, ""))(t) {
		t.Error("the cluster cannot become available again")
	}
}

func TestReasonOfAnUnreachableClusterFollowsWhatIsKnown(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders"))
	for i, reason := range []string{"The primary does not answer.", "Its port is taken."} {
		if changed := must(db.Clusters.MarkReachable(t.Context(), cluster.ID, false, reason))(t); changed != (i == 0) {
			t.Errorf("%q: changed %t", reason, changed)
		}
		if now := must(db.Clusters.Get(t.Context(), "orders"))(t); now.StatusReason != reason {
			t.Errorf("the reason is %q, want %q", now.StatusReason, reason)
		}
	}
}

func TestHaltedNodesAreToldFromThoseThatDied(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders"))
	check(t, db.Nodes.Halted(t.Context(), cluster.Nodes...))
	node := must(db.Clusters.Get(t.Context(), "orders"))(t).Nodes[0]
	if !node.Halted || node.State != "stopped" {
		t.Errorf("the halted node is %+v", node)
	}
	check(t, db.Nodes.Started(t.Context(), node))
	if node = must(db.Clusters.Get(t.Context(), "orders"))(t).Nodes[0]; node.Halted {
		t.Error("it counts as halted after it was started")
	}
}
