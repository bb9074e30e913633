package models

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestOutlived(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := monday
	kept := func(id uint, age time.Duration, good bool) Kept { return Kept{id, now.Add(-age), good, 3} }
	tests := []struct {
		name   string
		limit  int
		have   []Kept
		want   []uint
		losses []time.Time
	}{
		{"nothing", 1, nil, nil, nil},
		{"within", 2, []Kept{kept(1, 2*day-1, true), kept(2, day, true)}, nil, nil},
		{"at the limit", 2, []Kept{kept(1, 2*day, true), kept(2, day, true)}, []uint{1}, nil},
		{"the longest", 35, []Kept{kept(1, 35*day, true), kept(2, 35*day-1, true)}, []uint{1}, nil},
		{"the only good one stays", 1, []Kept{kept(1, 400*day, true)}, nil, nil},
		{"the newest good one stays when newer ones failed", 1, []Kept{kept(1, 9*day, true), kept(2, 5*day, true), kept(3, 4*day, false), kept(4, time.Hour, false)}, []uint{1, 3}, nil},
		{"only failed ones", 1, []Kept{kept(1, 9*day, false), kept(2, time.Hour, false)}, []uint{1}, nil},
		{"turned off: as promised", 0, []Kept{kept(1, 3*day, true), kept(2, 3*day-1, true), kept(3, day, true)}, []uint{1}, nil},
		{"turned off: the newest stays", 0, []Kept{kept(1, 30*day, true), kept(2, 20*day, true)}, []uint{1}, nil},
		{"raised", 35, []Kept{kept(1, 30*day, true), kept(2, 20*day, true)}, nil, nil},
		{"lowered", 1, []Kept{kept(1, 3*day, true), kept(2, 2*day, true), kept(3, day, true)}, []uint{1, 2}, nil},
		{"two of the same instant", 1, []Kept{kept(1, 3*day, true), kept(2, 3*day, true)}, []uint{2}, nil},
		{"from the future, it is not the newest", 1, []Kept{kept(1, -day, true), kept(2, 2*day, true)}, nil, nil},
		{"the newest good one from before a loss stays", 1, []Kept{kept(1, 9*day, true), kept(2, 8*day, true), kept(3, 7*day, false), kept(4, 3*day, true), kept(5, time.Hour, true)},
			[]uint{1, 3, 4}, []time.Time{now.Add(-6 * day)}},
		{"of two losses each keeps its own", 1, []Kept{kept(1, 9*day, true), kept(2, 8*day, true), kept(3, 4*day, true), kept(4, time.Hour, true)},
			[]uint{1}, []time.Time{now.Add(-6 * day), now.Add(-3 * day)}},
		{"a loss with nothing before it", 1, []Kept{kept(1, 4*day, true), kept(2, time.Hour, true)}, []uint{1}, []time.Time{now.Add(-6 * day)}},
		{"a loss, and backups turned off", 0, []Kept{kept(1, 30*day, true), kept(2, 20*day, true), kept(3, 10*day, true)}, []uint{1}, []time.Time{now.Add(-15 * day)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Outlived(now, test.limit, test.losses, test.have); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRetentionOfRandomHistories(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		limit := random.IntN(MaxRetention + 1)
		have := make([]Kept, random.IntN(12))
		for i := range have {
			have[i] = Kept{ID: uint(i + 1), CreatedAt: monday.Add(-time.Duration(random.Int64N(int64(60 * 24 * time.Hour)))), Good: random.IntN(3) > 0, Promised: 1 + random.IntN(35)}
		}
		var losses []time.Time
		for range random.IntN(3) {
			losses = append(losses, monday.Add(-time.Duration(random.Int64N(int64(60*24*time.Hour)))))
		}
		outlived := Outlived(monday, limit, losses, have)
		floors := make(map[time.Time]bool)
		for _, before := range append(losses, monday.Add(time.Hour)) {
			var newest time.Time
			for _, k := range have {
				if k.Good && k.CreatedAt.Before(before) && k.CreatedAt.After(newest) {
					newest = k.CreatedAt
				}
			}
			floors[newest] = true
		}
		for _, k := range have {
			days := limit
			if days == 0 {
				days = k.Promised
			}
			old := monday.Sub(k.CreatedAt) >= time.Duration(days)*24*time.Hour
			floor := k.Good && floors[k.CreatedAt]
			if gone := slices.Contains(outlived, k.ID); gone != (old && !floor) {
				t.Fatalf("limit %d, %+v of %+v: removed %t", limit, k, have, gone)
			}
		}
	}
}

func TestQueueOutlivedOverSixtyDays(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]Window{"orders": {12 * 60, 60}, "other": {13 * 60, 60}})
	db := s.db[0]
	must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Retention: pointer(7)}))(t)
	taken(t, db, "orders", "by-hand")
	removeOutlived := func() (names []string) {
		t.Helper()
		names = must(db.QueueOutlived(t.Context()))(t)
		for range names {
			run := claim(t, db)
			if run.Kind != RunDeleteSnapshot || run.RequestedBy != "retention" || !slices.Contains(names, run.SnapshotName) {
				t.Fatalf("unexpected run %+v", run)
			}
			check(t, db.CompleteSnapshotDeletion(t.Context(), run))
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
		good := count(t, db, &Snapshot{}, "cluster_name = ? AND source = ? AND status = ?", "orders", SourceAutomatic, SnapshotAvailable)
		switch {
		case day < 7 && good != day+1, day >= 7 && day < 40 && good != 7, day >= 47 && good != 1:
			t.Errorf("after day %d there are %d good automatic snapshots of a limit of 7 days", day, good)
		}
		if failed := count(t, db, &Snapshot{}, "cluster_name = ? AND status = ?", "orders", SnapshotFailed); failed > 7*MaxAttempts {
			t.Errorf("%d failed snapshots are kept", failed)
		}
	}
	if n := count(t, db, &Snapshot{}, "name = ?", "by-hand"); n != 1 {
		t.Error("a manual snapshot was removed")
	}
	if n := count(t, db, &Part{}); n != count(t, db, &Snapshot{}, "status = ?", SnapshotAvailable) {
		t.Errorf("%d parts remain", n)
	}
	// Turned off, they go when they were to go; the newest good one stays for ever.
	must(db.ModifyCluster(t.Context(), "other", ModifySpec{Retention: pointer(0)}))(t)
	must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Retention: pointer(0)}))(t)
	s.clock.Advance(400 * 24 * time.Hour)
	removeOutlived()
	if again := removeOutlived(); len(again) != 0 {
		t.Errorf("removed in a second round: %v", again)
	}
	for _, name := range []string{"orders", "other"} {
		if n := count(t, db, &Snapshot{}, "cluster_name = ? AND source = ?", name, SourceAutomatic); n != 1 {
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
		check(t, db.with(t.Context()).Create(&Snapshot{Name: fmt.Sprintf("automatic.orders-%d", i), ClusterName: "orders", ClusterID: cluster.ID,
			Source: SourceAutomatic, Status: SnapshotAvailable, RetentionLimit: 1, RDBVersion: 10, CreatedAt: db.Now()}).Error)
		clock.Advance(24 * time.Hour)
	}
	restore := spec("copy")
	restore.Snapshot = "automatic.orders-0"
	must(db.CreateCluster(t.Context(), restore))(t)
	if names := must(db.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-1"}) {
		t.Errorf("removed %v", names)
	}
	check(t, db.CompleteCluster(t.Context(), claim(t, db), "Restored."))
	if names := must(db.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-0"}) {
		t.Errorf("removed %v after the restore", names)
	}
}

// aged is a cluster with a retention of a day and automatic snapshots that are that old, or older.
func aged(t *testing.T, snapshots int) (*DB, Cluster) {
	t.Helper()
	db, clock := catalog(t)
	c := spec("orders")
	c.Retention = 1
	cluster := launched(t, db, c)
	for i := range snapshots {
		check(t, db.with(t.Context()).Create(&Snapshot{Name: fmt.Sprintf("automatic.orders-%d", i), ClusterName: "orders", ClusterID: cluster.ID,
			Source: SourceAutomatic, Status: SnapshotAvailable, RetentionLimit: 1, RDBVersion: 10, CreatedAt: db.Now()}).Error)
		clock.Advance(24 * time.Hour)
	}
	return db, cluster
}

// Somebody has to look at a damaged one, and to delete it by hand.
func TestRetentionLeavesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	db, _ := aged(t, 3)
	damaged := must(db.Snapshot(t.Context(), "automatic.orders-0"))(t)
	must(db.RequestVerify(t.Context(), damaged.Name, "admin"))(t)
	check(t, db.CompleteVerify(t.Context(), claim(t, db), damaged, "Its part is gone."))
	if names := must(db.QueueOutlived(t.Context()))(t); !slices.Equal(names, []string{"automatic.orders-1"}) {
		t.Errorf("removed %v", names)
	}
	expectSnapshot(t, db, damaged.Name, SnapshotFailed)
}

// What a cluster had whose nodes are lost is all that is left of it.
func TestRetentionLeavesTheSnapshotsOfAClusterWithoutNodes(t *testing.T) {
	t.Parallel()
	db, cluster := aged(t, 3)
	nodes := must(db.ClusterByID(t.Context(), cluster.ID))(t).Nodes
	for _, node := range nodes {
		check(t, db.RemoveNode(t.Context(), node.ID))
	}
	if names := must(db.QueueOutlived(t.Context()))(t); len(names) != 0 {
		t.Errorf("without nodes: removed %v", names)
	}
	for _, node := range nodes {
		check(t, db.with(t.Context()).Create(&node).Error)
	}
	if names := must(db.QueueOutlived(t.Context()))(t); len(names) != 2 {
		t.Errorf("with its nodes: removed %v", names)
	}
}
