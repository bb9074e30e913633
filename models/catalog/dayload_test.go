package catalog

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"rekindle/models"
)

// What is counted by the database is what one finds by looking at each cluster.
func TestTheLoadOfADayIsWhatOneWouldCount(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	random := rand.New(rand.NewPCG(1, 2))
	var want models.DayLoad
	for i := range 40 {
		s := spec(fmt.Sprintf("c-%02d", i))
		s.Retention = i % 5 // some have no schedule
		s.Window = models.Window{Start: random.IntN(1440), Length: 60 + random.IntN(1380)}
		if i == 7 {
			s.Window = models.Window{Start: 22 * 60, Length: 120} // until midnight
		}
		c := launched(t, db, s)
		if !c.Backups() {
			continue
		}
		want.Clusters++
		o := c.SnapshotWindow.On(db.Now(), c.Name)
		want.Hours[o.Begins.Hour()].Starts++
		for hour := range 24 {
			open := false
			for minute := hour * 60; minute < hour*60+60; minute++ {
				open = open || (minute-c.SnapshotWindow.Start+1440)%1440 < c.SnapshotWindow.Length
			}
			if open {
				want.Hours[hour].Open++
			}
		}
	}
	check(t, db.Schedule.Judge(t.Context()))
	got := must(db.Schedule.DayLoad(t.Context()))(t)
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	next := must(db.Schedule.NextStarting(t.Context(), 12*60, 100))(t)
	if len(next) != want.Clusters {
		t.Fatalf("%d clusters are to come, want %d", len(next), want.Clusters)
	}
	last := -1
	for _, c := range next {
		begins := c.SnapshotWindow.On(db.Now(), c.Name).Begins
		minute := (begins.Hour()*60 + begins.Minute() - 12*60 + 1440) % 1440
		if minute < last {
			t.Errorf("%s begins before the one that is listed before it", c.Name)
		}
		if last = minute; len(c.Nodes) == 0 && c.Replicas > 0 {
			t.Errorf("%s has no nodes", c.Name)
		}
	}
	listed := 0
	for hour := range 24 {
		first := must(db.Schedule.Starting(t.Context(), hour, 0, 2))(t)
		rest := must(db.Schedule.Starting(t.Context(), hour, 2, 100))(t)
		if len(first)+len(rest) != want.Hours[hour].Starts {
			t.Errorf("%d begin at %d, want %d", len(first)+len(rest), hour, want.Hours[hour].Starts)
		}
		listed += len(first) + len(rest)
	}
	if listed != want.Clusters {
		t.Errorf("%d are listed", listed)
	}
	// A cluster that is turned off is no longer counted.
	must(db.Changes.Modify(t.Context(), "c-01", models.ModifySpec{Retention: pointer(0)}))(t)
	check(t, db.Schedule.Judge(t.Context()))
	if got := must(db.Schedule.DayLoad(t.Context()))(t); got.Clusters != want.Clusters-1 {
		t.Errorf("%d have a schedule, want %d", got.Clusters, want.Clusters-1)
	}
}
