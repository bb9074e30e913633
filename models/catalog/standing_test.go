package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rekindle/models"
)

// What pages say and ticks find from earlier judgements is what looking at each cluster now would give, whatever was done to the clusters, and
// however time passed.
func TestStandingsAreWhatOneWouldFind(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	random := rand.New(rand.NewPCG(18, 0))
	pick := func(ids []uint) uint { return ids[random.IntN(len(ids))] }
	engines := []string{"redis", "redis", "valkey", models.EngineMemcached}
	statuses := []models.ClusterStatus{models.ClusterAvailable, models.ClusterAvailable, models.ClusterAvailable, models.ClusterSnapshotting, models.ClusterUnreachable,
		models.ClusterCreating, models.ClusterRestoreFailed, models.ClusterCreateFailed, models.ClusterDeleting}
	snapshots := []models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotAvailable, models.SnapshotFailed, models.SnapshotCreating, models.SnapshotRestoring}
	made, seen := 0, make(map[models.Standing]int)
	for i := range simulated(7200) {
		var ids []uint
		check(t, db.with(t.Context()).Model(&models.Cluster{}).Order("id").Pluck("id", &ids).Error)
		if len(ids) < 8 {
			made++
			c := models.Cluster{Name: fmt.Sprintf("c-%d", made), Kind: models.KindLaunched, Home: "here", Status: models.ClusterAvailable, CreatedAt: db.Now(), ScheduleSince: db.Now(), Configuration: models.Configuration{
				Engine: engines[random.IntN(len(engines))], NodeType: "cache.t4g.micro", RetentionLimit: random.IntN(4), SnapshotWindow: models.Window{Start: random.IntN(24 * 60), Length: 60 + random.IntN(300)}},
				Nodes: []models.Node{{Name: models.NodeName(fmt.Sprintf("c-%d", made), 1), Host: "127.0.0.1", Port: 7000 + made, Role: models.RolePrimary, Shard: 1}}}
			if random.IntN(3) == 0 {
				c.Kind, c.Home, c.Engine, c.NodeType, c.Attachment = models.KindAttached, "", engines[random.IntN(3)], "", &models.Attachment{Access: models.Access{Addresses: models.Lines{c.Nodes[0].Address()}}}
				if random.IntN(3) == 0 { // brought back with a lost catalog, and not reached since
					c.Status, c.Nodes = models.ClusterUnreachable, nil
				}
			}
			check(t, db.with(t.Context()).Create(&c).Error)
			continue
		}
		id := pick(ids)
		cluster := must(db.Clusters.ByID(t.Context(), id))(t)
		row := db.with(t.Context()).Model(&models.Cluster{ID: id})
		some := db.with(t.Context()).Model(&models.Snapshot{}).Where("cluster_id = ? AND id % 3 = ?", id, random.IntN(3))
		switch random.IntN(18) {
		case 0:
			check(t, row.UpdateColumn("status", statuses[random.IntN(len(statuses))]).Error)
		case 1:
			check(t, row.UpdateColumn("status_reason", []string{"", "It was started empty."}[random.IntN(2)]).Error)
		case 2:
			check(t, row.UpdateColumns(map[string]any{"retention_limit": random.IntN(4), "schedule_since": db.Now()}).Error)
		case 3:
			check(t, row.UpdateColumns(map[string]any{"snapshot_window": models.Window{Start: random.IntN(24 * 60), Length: 60 + random.IntN(300)}, "schedule_since": db.Now()}).Error)
		case 4, 5:
			s := models.Snapshot{Name: fmt.Sprintf("s-%d", i), ClusterName: cluster.Name, ClusterID: id, Status: snapshots[random.IntN(len(snapshots))], Source: []string{models.SourceAutomatic, models.SourceManual}[random.IntN(2)],
				Stored: int64(random.IntN(1000)), CreatedAt: db.Now(), Configuration: cluster.Configuration}
			check(t, db.with(t.Context()).Create(&s).Error)
		case 6:
			check(t, some.UpdateColumns(map[string]any{"status": snapshots[random.IntN(len(snapshots))], "stored": random.IntN(1000)}).Error)
		case 7:
			check(t, some.Delete(&models.Snapshot{}).Error)
		case 8:
			check(t, some.UpdateColumn("created_at", db.Now().Add(time.Duration(random.IntN(72)-48)*time.Hour)).Error)
		case 9:
			check(t, some.UpdateColumn("damage", []string{"", "Part 1 is damaged."}[random.IntN(2)]).Error)
		case 10:
			r := models.Run{Kind: models.RunSnapshot, Status: models.RunFailed, ClusterName: cluster.Name, ClusterID: id, RequestedBy: []string{"schedule", "admin"}[random.IntN(2)], CreatedAt: db.Now()}
			check(t, db.with(t.Context()).Create(&r).Error)
		case 11:
			check(t, db.with(t.Context()).Model(&models.WindowMark{}).Where("cluster_id = ?", id).UpdateColumn("outcome", models.MarkFailed).Error)
		case 12:
			check(t, db.with(t.Context()).Create(&models.Loss{ClusterID: id, At: db.Now().Add(-time.Duration(random.IntN(48)) * time.Hour)}).Error)
		case 13:
			must(db.Schedule.QueueDue(t.Context()))(t)
			must(db.Schedule.QueueOutlived(t.Context()))(t)
			check(t, db.with(t.Context()).Model(&models.Cluster{}).Where("status = ?", models.ClusterSnapshotting).UpdateColumn("status", models.ClusterAvailable).Error)
		case 14:
			check(t, db.Schedule.Judge(t.Context()))
		case 15:
			if random.IntN(6) == 0 {
				for _, rows := range []any{&models.Node{}, &models.WindowMark{}, &models.Loss{}, &models.Attachment{}} {
					check(t, db.with(t.Context()).Where("cluster_id = ?", id).Delete(rows).Error)
				}
				check(t, db.with(t.Context()).Delete(&models.Cluster{}, id).Error)
			}
		case 16:
			check(t, db.Attachments.Unreached(t.Context(), cluster, []string{"Nothing answers.", "It asks for a password."}[random.IntN(2)], nil))
		case 17:
			check(t, db.Attachments.Follow(t.Context(), cluster, models.Found{Engine: models.Engine{Name: engines[random.IntN(3)], Version: "8.0.0"}, Shards: []models.FoundShard{{Nodes: []models.FoundNode{
				{Address: fmt.Sprintf("127.0.0.1:%d", 20_000+int(id)), Role: models.RolePrimary, State: "available", Answers: true}}}}}))
		}
		switch random.IntN(12) {
		case 0:
			clock.Advance(time.Duration(random.IntN(20)) * time.Hour)
		case 1:
			clock.Advance(-time.Duration(random.IntN(10)) * time.Hour)
		default:
			clock.Advance(time.Duration(random.IntN(40)) * time.Minute)
		}
		if wrong := wrongStandings(t, db, seen); wrong != "" {
			t.Fatalf("after %d changes, at %s: %s", i, db.Now(), wrong)
		}
	}
	for s := models.StandingCached; s <= models.StandingLate; s++ {
		if seen[s] == 0 {
			t.Errorf("no cluster ever stood at %d: %v", s, seen)
		}
	}
}

// wrongStandings says where the judgements differ from what looking at each cluster would give.
func wrongStandings(t *testing.T, db *DB, seen map[models.Standing]int) string {
	t.Helper()
	var ids []uint
	check(t, db.with(t.Context()).Model(&models.Cluster{}).Pluck("id", &ids).Error)
	all := must(db.Schedule.Guarded(t.Context(), ids))(t)
	want := make(map[models.StandingCount]int)
	var oldest time.Time
	free := int64(0)
	for i := range all {
		g := &all[i]
		seen[g.Standing()]++
		want[models.StandingCount{Standing: g.Standing(), Says: g.Cluster.StatusReason != "", Restorable: !g.NewestAt.IsZero()}]++
		free += g.Stored
		if !g.NewestAt.IsZero() && g.Standing() != models.StandingCached && (oldest.IsZero() || g.NewestAt.Before(oldest)) {
			oldest = g.NewestAt
		}
	}
	got := must(db.Schedule.Protection(t.Context(), 5))(t)
	counted := make(map[models.StandingCount]int)
	for _, c := range got.Counts {
		n := c.Clusters
		c.Clusters = 0
		counted[c] += n
	}
	if !maps.Equal(want, counted) || !got.Oldest.Equal(oldest) {
		return fmt.Sprintf("it counts %v, the oldest of %s, want %v, of %s", counted, got.Oldest, want, oldest)
	}
	for _, name := range []string{"cache-only", "protected", "nothing-in", "first-due", "no-schedule", "last-failed", "overdue"} {
		standing, _ := models.StandingNamed(name)
		var stand []string
		for i := range all {
			if all[i].Standing() == standing {
				stand = append(stand, all[i].Cluster.Name)
			}
		}
		listed := must(db.Clusters.List(t.Context(), models.List{Equal: map[string]string{"standing": name}}))(t)
		if !slices.EqualFunc(listed.Rows, stand, func(c models.Cluster, name string) bool { return c.Name == name }) || listed.Total != len(stand) {
			return fmt.Sprintf("%d are listed as %s, want %v", listed.Total, name, stand)
		}
	}
	slices.SortStableFunc(all, func(a, b models.Guarded) int {
		return cmp.Or(rankOf(b.Standing(), b.Cluster.StatusReason != "")-rankOf(a.Standing(), a.Cluster.StatusReason != ""), a.NewestAt.Compare(b.NewestAt))
	})
	if !slices.EqualFunc(got.Worst, all[:min(5, len(all))], func(a, b models.Guarded) bool {
		return a.Cluster.ID == b.Cluster.ID && a.Standing() == b.Standing() && a.NewestAt.Equal(b.NewestAt)
	}) {
		return fmt.Sprintf("the worst are %v, want %v", got.Worst, all[:5])
	}
	var snapshots int
	var stored int64
	check(t, db.gorm.Raw("SELECT COALESCE(SUM(snapshots), 0), COALESCE(SUM(stored), 0) FROM tallies").Row().Scan(&snapshots, &stored))
	if sum := must(db.Snapshots.Storage(t.Context()))(t); sum != (models.Storage{Snapshots: snapshots, Stored: stored, Billable: stored - free}) {
		return fmt.Sprintf("stored are %+v, want %d, %d and %d free", sum, snapshots, stored, free)
	}
	return missedByTicks(t, db)
}

// missedByTicks says what a tick would have to do but would not look at.
func missedByTicks(t *testing.T, db *DB) string {
	t.Helper()
	var clusters []models.Cluster
	check(t, db.with(t.Context()).Preload("Nodes").Order("id").Find(&clusters).Error)
	due := must(db.Schedule.come(t.Context(), "due_at", db.Now()))(t)
	plans := must(db.Schedule.plans(t.Context(), clusters))(t)
	old := must(db.Schedule.come(t.Context(), "outlive_at", db.Now()))(t)
	for i, c := range clusters {
		now, missed := models.Due(db.Now(), plans[i:i+1])
		if len(now)+len(missed) > 0 && scheduled(c.Status) && !slices.Contains(due, c.ID) {
			return fmt.Sprintf("the schedule does not look at %s, of which %v is due and %v was missed", c.Name, now, missed)
		}
		if outlived := must(db.Schedule.outlived(t.Context(), clusters[i:i+1]))(t); len(outlived) > 0 && !slices.Contains(old, c.ID) {
			return fmt.Sprintf("retention does not look at %s, of which %v has outlived", c.Name, outlived)
		}
	}
	return ""
}
