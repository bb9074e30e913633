package models

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// What is kept about the good snapshots of each cluster is what one would count, whatever was done to them.
func TestTalliesAreWhatOneWouldCount(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	random := rand.New(rand.NewPCG(14, 0))
	statuses := []SnapshotStatus{SnapshotCreating, SnapshotAvailable, SnapshotRestoring, SnapshotCopying, SnapshotDeleting, SnapshotFailed}
	for i := range 600 {
		clock.Advance(time.Second)
		name := fmt.Sprintf("s%d", random.IntN(60))
		row := db.with(t.Context()).Model(&Snapshot{}).Where("name = ?", name)
		switch random.IntN(5) {
		case 0:
			check(t, db.with(t.Context()).Where("name = ?", name).Delete(&Snapshot{}).Error)
		case 1:
			check(t, row.UpdateColumn("stored", random.IntN(1000)).Error)
		case 2:
			check(t, row.UpdateColumns(map[string]any{"status": statuses[random.IntN(len(statuses))], "keys": i}).Error)
		default:
			s := Snapshot{Name: fmt.Sprintf("s%d", i%60), ClusterName: fmt.Sprintf("c%d", random.IntN(4)), Status: statuses[random.IntN(len(statuses))], Stored: int64(random.IntN(1000)), CreatedAt: db.Now()}
			_ = db.with(t.Context()).Create(&s).Error // one of that name may be there
		}
		var wrong int
		check(t, db.gorm.Raw(`SELECT COUNT(*) FROM (
			SELECT cluster_name, snapshots, stored FROM tallies
			EXCEPT SELECT cluster_name, COUNT(*), SUM(stored) FROM snapshots WHERE `+good+` GROUP BY cluster_name) AS wrong`).Scan(&wrong).Error)
		kept, counted := count(t, db, &tallyRow{}), 0
		check(t, db.gorm.Raw("SELECT COUNT(DISTINCT cluster_name) FROM snapshots WHERE "+good).Scan(&counted).Error)
		if wrong != 0 || kept != counted {
			t.Fatalf("after %d changes %d of %d tallies of %d clusters are wrong", i, wrong, kept, counted)
		}
	}
	if n := must(db.CountSnapshots(t.Context(), SnapshotAvailable))(t); n != count(t, db, &Snapshot{}, "status = ?", SnapshotAvailable) || n == 0 {
		t.Errorf("%d available", n)
	}
}

type tallyRow struct{}

func (tallyRow) TableName() string { return "tallies" }
