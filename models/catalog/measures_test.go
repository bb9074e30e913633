package catalog

import (
	"slices"
	"testing"
	"time"

	"rekindle/models"
)

func TestTheCatalogIsMeasured(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	daily := spec("orders")
	daily.Retention, daily.Window = 3, models.Window{Start: 3 * 60, Length: 60}
	orders := launched(t, db, daily)
	launched(t, db, spec("parcels"))
	launched(t, db, spec("quotes"))
	taken(t, db, "orders", "morning")
	must(db.Snapshots.Request(t.Context(), "parcels", "noon", false, "admin"))(t) // is still queued
	now := clock.Now()
	for opens, outcome := range map[time.Duration]models.MarkOutcome{-2 * time.Hour: models.MarkMissed, -26 * time.Hour: models.MarkMissed, -3 * time.Hour: models.MarkFailed} {
		check(t, db.gorm.Create(&models.WindowMark{ClusterID: orders.ID, Opens: now.Add(opens), Outcome: outcome, Tried: now}).Error)
	}

	m := must(db.Measures.Now(t.Context(), 2))(t)
	if m.All != 3 || len(m.Clusters) != 2 || m.Clusters[0].Cluster.Name != "orders" || m.Clusters[1].Cluster.Name != "parcels" {
		t.Fatalf("%d of %d clusters: %+v", len(m.Clusters), m.All, m.Clusters)
	}
	if first, second := m.Clusters[0], m.Clusters[1]; first.Newest.Name != "morning" || first.Standing() != models.StandingGood || second.Newest.ID != 0 || second.Standing() != models.StandingUnscheduled {
		t.Errorf("their newest snapshots are %q and %q, and they stand %d and %d", first.Newest.Name, second.Newest.Name, first.Standing(), second.Standing())
	}
	if m.Missed != 1 {
		t.Errorf("%d windows were missed in a day", m.Missed)
	}
	if !slices.Contains(m.Snapshots, models.SnapshotCount{Status: models.SnapshotAvailable, Count: 1}) || !slices.Contains(m.Snapshots, models.SnapshotCount{Status: models.SnapshotCreating, Count: 1}) {
		t.Errorf("snapshots are %+v", m.Snapshots)
	}
	if !slices.Equal(m.Runs, []models.RunCount{{Kind: models.RunSnapshot, Status: models.RunQueued, Count: 1}}) {
		t.Errorf("runs are %+v", m.Runs)
	}
	if m.Storage.Stored != 300 || len(m.Owners) != 1 {
		t.Errorf("%d bytes are stored, and there are %d consoles", m.Storage.Stored, len(m.Owners))
	}

	copied := spec("copy")
	copied.Snapshot = "morning"
	must(db.Clusters.Create(t.Context(), copied))(t)
	restore := claimKind(t, db, models.RunRestore)
	clock.Advance(3 * time.Second)
	check(t, db.Settle.Cluster(t.Context(), restore, "It is there."))
	if restores := must(db.Runs.Restores(t.Context(), 5))(t); !slices.Equal(restores, []models.Measured{{Bytes: 1000, Took: 3 * time.Second}}) {
		t.Errorf("restores took %+v", restores)
	}

	check(t, db.Schedule.Judge(t.Context()))
	clock.Advance(24 * time.Hour)
	due := time.Date(2026, 1, 6, 3, 0, 0, 0, time.UTC)
	if m = must(db.Measures.Now(t.Context(), 2))(t); m.DueSince.Before(due) || m.DueSince.After(due.Add(time.Hour)) {
		t.Errorf("the schedule has had something to do since %s", m.DueSince)
	}
}

// claimKind takes the oldest queued run of a kind.
func claimKind(t *testing.T, db *DB, kind models.RunKind) models.Run {
	t.Helper()
	run, ok, err := db.Runs.Claim(t.Context(), lease(t, db, "console"), func(r models.Run) bool { return r.Kind == kind })
	if err != nil || !ok {
		t.Fatalf("claim a %s: found %t, %v", kind, ok, err)
	}
	return run
}
