package catalog

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

// The kept sums of the good snapshots of each cluster are what one would count, whatever was done to them.
func TestTalliesAreWhatOneWouldCount(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	random := rand.New(rand.NewPCG(14, 0))
	statuses := []models.SnapshotStatus{models.SnapshotCreating, models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying, models.SnapshotDeleting, models.SnapshotFailed}
	for i := range 600 {
		clock.Advance(time.Second)
		name := fmt.Sprintf("s%d", random.IntN(60))
		row := db.with(t.Context()).Model(&models.Snapshot{}).Where("name = ?", name)
		switch random.IntN(7) {
		case 0:
			check(t, db.with(t.Context()).Where("name = ?", name).Delete(&models.Snapshot{}).Error)
		case 5:
			check(t, row.UpdateColumn("created_at", db.Now().Add(time.Duration(random.IntN(40)-20)*time.Second)).Error)
		case 6:
			check(t, row.UpdateColumn("cluster_name", fmt.Sprintf("c%d", random.IntN(4))).Error)
		case 1:
			check(t, row.UpdateColumn("stored", random.IntN(1000)).Error)
		case 2:
			check(t, row.UpdateColumns(map[string]any{"status": statuses[random.IntN(len(statuses))], "keys": i}).Error)
		default:
			s := models.Snapshot{Name: fmt.Sprintf("s%d", i%60), ClusterName: fmt.Sprintf("c%d", random.IntN(4)), Status: statuses[random.IntN(len(statuses))], Stored: int64(random.IntN(1000)), CreatedAt: db.Now()}
			_ = db.with(t.Context()).Create(&s).Error // one of that name may be there
		}
		wrong := wrongTallies(t, db)
		kept, counted := count(t, db, &tallyRow{}), 0
		check(t, db.gorm.Raw("SELECT COUNT(DISTINCT cluster_name) FROM snapshots WHERE "+good).Scan(&counted).Error)
		if wrong != 0 || kept != counted {
			t.Fatalf("after %d changes %d of %d tallies of %d clusters are wrong", i, wrong, kept, counted)
		}
	}
	if n := must(db.Snapshots.Count(t.Context(), models.SnapshotAvailable))(t); n != count(t, db, &models.Snapshot{}, "status = ?", models.SnapshotAvailable) || n == 0 {
		t.Errorf("%d available", n)
	}
}

// wrongTallies counts the clusters whose kept sums differ from what one would find.
func wrongTallies(t *testing.T, db *DB) (wrong int) {
	t.Helper()
	check(t, db.gorm.Raw(`SELECT COUNT(*) FROM (
		SELECT cluster_name, snapshots, stored FROM tallies
		EXCEPT SELECT cluster_name, COUNT(*), SUM(stored) FROM snapshots WHERE `+good+` GROUP BY cluster_name) AS wrong`).Scan(&wrong).Error)
	if wrong == 0 {
		check(t, db.gorm.Raw(`SELECT COUNT(*) FROM tallies WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = newest_id AND s.created_at = newest_at AND s.stored = newest_stored
			AND s.cluster_name = tallies.cluster_name AND s.`+good+`) OR EXISTS (SELECT 1 FROM snapshots s WHERE s.cluster_name = tallies.cluster_name AND s.`+good+`
			AND (s.created_at, s.id) > (newest_at, newest_id))`).Scan(&wrong).Error)
	}
	return wrong
}

func TestNewestSnapshotsOfAnOldPostgresCatalogAreFilledIn(t *testing.T) {
	t.Parallel()
	place := postgresPlace(t)
	old := must(place.database().connect(clockwork.NewFakeClockAt(monday)))(t)
	check(t, migrate(t.Context(), old, postgresMigrations[:1]))
	for i := range 20 {
		s := models.Snapshot{Name: fmt.Sprintf("s%d", i), ClusterName: fmt.Sprintf("c%d", i%3), Status: []models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotFailed}[i%4/3], Stored: int64(i),
			CreatedAt: monday.Add(time.Duration(i*7%20) * time.Hour)}
		check(t, old.Omit("cluster_mode", "transit_encryption", "logical").Create(&s).Error) // which it did not have yet
	}
	check(t, closePool(old))
	db := open(t, place, clockwork.NewFakeClockAt(monday.AddDate(0, 0, 1)))
	if n := count(t, db, &tallyRow{}); wrongTallies(t, db) != 0 || n != 3 {
		t.Errorf("%d of %d are wrong", wrongTallies(t, db), n)
	}
}

type tallyRow struct{}

func (tallyRow) TableName() string { return "tallies" }
