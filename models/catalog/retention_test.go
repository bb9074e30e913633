package catalog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rekindle/models"
)

func TestQueueOutlivedOverSixtyDays(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}, "other": {Start: 13 * 60, Length: 60}})
	db := s.db[0]
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: pointer(7)}))(t)
	taken(t, db, "orders", "by-hand")
	removeOutlived := func() (names []string) {
		t.Helper()
		names = must(db.Schedule.QueueOutlived(t.Context()))(t)
		for range names {
			run := claim(t, db)
			if run.Kind != models.RunDeleteSnapshot || run.RequestedBy != "retention" || !slices.Contains(names, run.SnapshotName) {
				t.Fatalf("unexpected run %+v", run)
			}
			check(t, db.Settle.SnapshotDeletion(t.Context(), run))
		}
		return names
	}
	for day := range 60 {
		s.fails = func() bool { return day >= 40 }
		for range 24 * 2 {
			s.tick(t, false)
			s.clock.Advance(30 * time.Minute)
		}
		removeOutlived()
		good := count(t, db, &models.Snapshot{}, "cluster_name = ? AND source = ? AND status = ?", "orders", models.SourceAutomatic, models.SnapshotAvailable)
		switch {
		case day < 7 && good != day+1, day >= 7 && day < 40 && good != 7, day >= 47 && good != 1:
			t.Errorf("after day %d there are %d good automatic snapshots of a limit of 7 days", day, good)
		}
		if failed := count(t, db, &models.Snapshot{}, "cluster_name = ? AND status = ?", "orders", models.SnapshotFailed); failed > 7*models.MaxAttempts {
			t.Errorf("%d failed snapshots are kept", failed)
		}
	}
	if n := count(t, db, &models.Snapshot{}, "name = ?", "by-hand"); n != 1 {
		t.Error("a manual snapshot was removed")
	}
	if n := count(t, db, &models.Part{}); n != count(t, db, &models.Snapshot{}, "status = ?", models.SnapshotAvailable) {
		t.Errorf("%d parts remain", n)
	}
	// Turned off, they go when they were to go; the newest good one stays for ever.
	must(db.Changes.Modify(t.Context(), "other", models.ModifySpec{Retention: pointer(0)}))(t)
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: pointer(0)}))(t)
	s.clock.Advance(400 * 24 * time.Hour)
	removeOutlived()
	if again := removeOutlived(); len(again) != 0 {
		t.Errorf("removed in a second round: %v", again)
	}
	for _, name := range []string{"orders", "other"} {
		if n := count(t, db, &models.Snapshot{}, "cluster_name = ? AND source = ?", name, models.SourceAutomatic); n != 1 {
			t.Errorf("%s has %d automatic snapshots", name, n)
		}
	}
}

func TestRetentionLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	c := spec("orders")
	c.Retention = 1
	cluster := launched(t, db, c)
	for i := range 3 {
		check(t, db.with(t.Context()).Create(&models.Snapshot{Name: fmt.Sprintf("automatic.orders-%d", i), ClusterName: "orders", ClusterID: cluster.ID,
			Source: models.SourceAutomatic, Status: models.SnapshotAvailable, Configuration: models.Configuration{RetentionLimit: 1}, RDBVersion: 10, CreatedAt: db.Now()}).Error)
		clock.Advance(24 * time.Hour)
	}
	restore := spec("copy")
	restore.Snapshot = "automatic.orders-0"
	must(db.Clusters.Create(t.Context(), restore))(t)
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-1"}) {
		t.Errorf("removed %v", names)
	}
	check(t, db.Settle.Cluster(t.Context(), claim(t, db), "Restored."))
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-0"}) {
		t.Errorf("removed %v after the restore", names)
	}
}

// aged is a cluster with a retention of a day and automatic snapshots that are that old, or older.
func aged(t *testing.T, snapshots int) (*DB, models.Cluster) {
	t.Helper()
	db, clock := catalog(t)
	c := spec("orders")
	c.Retention = 1
	cluster := launched(t, db, c)
	for i := range snapshots {
		check(t, db.with(t.Context()).Create(&models.Snapshot{Name: fmt.Sprintf("automatic.orders-%d", i), ClusterName: "orders", ClusterID: cluster.ID,
			Source: models.SourceAutomatic, Status: models.SnapshotAvailable, Configuration: models.Configuration{RetentionLimit: 1}, RDBVersion: 10, CreatedAt: db.Now()}).Error)
		clock.Advance(24 * time.Hour)
	}
	return db, cluster
}

// Somebody has to look at a damaged one, and to delete it by hand.
func TestRetentionLeavesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	db, _ := aged(t, 3)
	damaged := must(db.Snapshots.Get(t.Context(), "automatic.orders-0"))(t)
	must(db.Verifications.Request(t.Context(), damaged.Name, "admin"))(t)
	check(t, db.Settle.Verify(t.Context(), claim(t, db), damaged, "Its part is gone."))
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-1"}) {
		t.Errorf("removed %v", names)
	}
	expectSnapshot(t, db, damaged.Name, models.SnapshotFailed)
}

// What a cluster had whose nodes are lost is all that is left of it.
func TestRetentionLeavesTheSnapshotsOfAClusterWithoutNodes(t *testing.T) {
	t.Parallel()
	db, cluster := aged(t, 3)
	nodes := must(db.Clusters.ByID(t.Context(), cluster.ID))(t).Nodes
	for _, node := range nodes {
		check(t, db.Nodes.Remove(t.Context(), node.ID))
	}
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); len(names) != 0 {
		t.Errorf("without nodes: removed %v", names)
	}
	for _, node := range nodes {
		check(t, db.with(t.Context()).Create(&node).Error)
	}
	if names := must(db.Schedule.QueueOutlived(t.Context()))(t); len(names) != 2 {
		t.Errorf("with its nodes: removed %v", names)
	}
}
