package catalog

import (
	"fmt"
	"math"
	"testing"
	"time"

	"rekindle/models"
)

func TestUsageIsSampledByTheHour(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	check(t, db.Usage.Sample(t.Context()))
	taken(t, db, "orders", "one")
	check(t, db.Usage.Sample(t.Context())) // the first sample of an hour counts
	if n := count(t, db, &models.StorageSample{}); n != 1 {
		t.Fatalf("%d samples of an hour", n)
	}
	if month := must(db.Usage.Month(t.Context(), db.Now()))(t); month.ByteHours != 0 || month.Since.IsZero() {
		t.Errorf("nothing was charged yet: %+v", month)
	}
	clock.Advance(time.Hour)
	taken(t, db, "orders", "two") // now the first one is charged
	began := db.Now()
	for range 24 * 3 {
		check(t, db.Usage.Sample(t.Context()))
		clock.Advance(time.Hour)
	}
	samples := must(db.Usage.Daily(t.Context(), 30))(t)
	if len(samples) != 3 || samples[0].Stored != 0 && samples[0].Snapshots != 2 {
		t.Errorf("of three days: %+v", samples)
	}
	month := must(db.Usage.Month(t.Context(), began))(t)
	if hours := db.Now().Sub(month.Since).Hours(); math.Abs(month.ByteHours-300*hours*72/73) > 1 {
		t.Errorf("%g byte hours in %g hours, since %s", month.ByteHours, hours, month.Since)
	}
	if before := must(db.Usage.Month(t.Context(), began.AddDate(0, -1, 0)))(t); !before.Since.IsZero() || before.ByteHours != 0 {
		t.Errorf("of the month before: %+v", before)
	}
	growth := must(db.Usage.Growth(t.Context(), 900))(t)
	if want := int64(296); growth.Over < 72*time.Hour || growth.PerDay < want-5 || growth.PerDay > want+5 {
		t.Errorf("it grows by %d a day, in %s", growth.PerDay, growth.Over)
	}
	clock.Advance(models.MemoryOfStorage)
	check(t, db.Usage.Sample(t.Context()))
	if n := count(t, db, &models.StorageSample{}); n != 1 {
		t.Errorf("%d samples remain after more than a year", n)
	}
	if growth := must(db.Usage.Growth(t.Context(), 900))(t); growth != (models.StorageGrowth{}) {
		t.Errorf("nothing is known of the last week: %+v", growth)
	}
}

func TestSpansKnowWhatIsGone(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, spec("orders"))
	begins := db.Now()
	for _, name := range []string{"one", "two", "never-whole"} {
		clock.Advance(time.Hour)
		if name == "never-whole" {
			must(db.Snapshots.Request(t.Context(), "orders", name, false, "admin"))(t)
			check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The disk is full."))
			continue
		}
		taken(t, db, "orders", name)
	}
	clock.Advance(time.Hour)
	check(t, db.Snapshots.Delete(t.Context(), []string{"one", "never-whole"}, "admin"))
	for range 2 {
		check(t, db.Settle.SnapshotDeletion(t.Context(), claim(t, db)))
	}
	gone := db.Now()
	spans := must(db.Usage.Spans(t.Context(), "orders", begins))(t)
	if len(spans) != 2 || spans[0].Snapshot != "two" || !spans[0].Until.IsZero() || spans[1].Snapshot != "one" || !spans[1].Until.Equal(gone) || spans[1].Stored != 300 {
		t.Errorf("%+v", spans)
	}
	if spans := must(db.Usage.Spans(t.Context(), "orders", gone.Add(time.Hour)))(t); len(spans) != 1 {
		t.Errorf("what was removed before counts: %+v", spans)
	}
	history := must(db.History.Taken(t.Context(), cluster, begins))(t)
	if len(history) != 2 || history[0].Snapshot != "one" || !history[0].Gone || history[1].Gone || history[0].Stored != 300 || history[0].Bytes != 1000 {
		t.Errorf("%+v", history)
	}
	if largest := must(db.Usage.Largest(t.Context(), 5))(t); len(largest) != 1 || largest[0] != (models.ClusterStorage{Cluster: "orders", There: true, Snapshots: 1, Stored: 300, Free: 300}) {
		t.Errorf("%+v", largest)
	}
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	if largest := must(db.Usage.Largest(t.Context(), 5))(t); len(largest) != 1 || largest[0].There || largest[0].Free != 0 {
		t.Errorf("of a cluster that is gone, nothing is free: %+v", largest)
	}
}

func TestHistoryIsReadFromMarksAndRuns(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}})
	db := s.db[0]
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	for day := range 5 {
		s.fails = func() bool { return day == 1 }
		for range 24 * 6 {
			if day != 3 { // nobody is there
				s.tick(t, false)
			}
			s.clock.Advance(10 * time.Minute)
		}
	}
	s.tick(t, false)
	days := must(db.History.Of(t.Context(), cluster))(t)
	var got []models.DayOutcome
	for _, day := range days[len(days)-6:] {
		got = append(got, day.Outcome)
		if (day.Outcome == models.DayTaken || day.Outcome == models.DayFailed) && (day.Run == 0 || day.Snapshot == "") {
			t.Errorf("%+v has no run", day)
		}
	}
	want := []models.DayOutcome{models.DayTaken, models.DayFailed, models.DayTaken, models.DayMissed, models.DayTaken, models.DayAhead}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if last := must(db.History.LastStored(t.Context(), "orders", 2))(t); len(last) != 2 || models.ExpectedStored(last) != 300 {
		t.Errorf("%+v", last)
	}
}

// Of a cluster with years of snapshots no more is read than of one with a few hundred, and nothing is left out of the sum.
func TestManyOldSnapshotsAreCountedTogether(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, spec("orders"))
	var rows []models.Snapshot
	for i := range spansRead + 50 {
		at := db.Now().Add(time.Duration(i) * time.Minute)
		rows = append(rows, models.Snapshot{Name: fmt.Sprintf("s-%04d", i), ClusterName: "orders", ClusterID: cluster.ID, Source: models.SourceManual, Status: models.SnapshotAvailable,
			Stored: int64(i), CreatedAt: at, CompletedAt: &at})
	}
	check(t, db.with(t.Context()).CreateInBatches(&rows, 50).Error)
	clock.Advance(24 * time.Hour)
	spans := must(db.Usage.Spans(t.Context(), "orders", db.Now()))(t)
	sum, rest := int64(0), int64(-1)
	for _, s := range spans {
		if sum += s.Stored; s.Snapshot == "" {
			rest = s.Stored
		}
	}
	if want := int64(449 * 450 / 2); len(spans) != spansRead+1 || sum != want || rest != 49*50/2 {
		t.Errorf("%d spans of %d bytes, %d of them of old ones; want %d bytes", len(spans), sum, rest, want)
	}
}
