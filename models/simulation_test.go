package models_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"rekindle/models"
	"rekindle/models/modelstest"
)

// store does with decisions what the catalog does: unique marks.
type store struct {
	plan   models.Plan
	fails  func() bool
	ledger *modelstest.History
}

func (s *store) tick(t *testing.T, now time.Time, double bool) {
	s.ledger.Tick(now)
	since := s.plan.Since
	plan := s.plan
	if since.After(now) {
		plan.Since = now
	}
	asked := 1
	if double {
		asked = 2 // both before either has written anything
	}
	var due, missed []models.Decision
	for range asked {
		d, m := models.Due(now, []models.Plan{plan})
		due, missed = append(due, d...), append(missed, m...)
	}
	for _, d := range due {
		key := d.Occurrence.Opens.Unix()
		mark, known := s.plan.Marks[key]
		if d.Attempt == 1 && known && mark.Outcome != models.MarkMissed || d.Attempt > 1 && mark.Attempts != d.Attempt-1 {
			continue // somebody else was first
		}
		p := s.ledger.Begin(t, now, d.Occurrence)
		outcome := models.MarkQueued
		if s.fails() {
			outcome = models.MarkFailed
		} else {
			p.Succeeded++
		}
		s.plan.Marks[key] = models.Mark{outcome, d.Attempt, now}
	}
	for _, d := range missed {
		if _, known := s.plan.Marks[d.Occurrence.Opens.Unix()]; !known {
			s.plan.Marks[d.Occurrence.Opens.Unix()] = models.Mark{Outcome: models.MarkMissed, Tried: now}
			s.ledger.At(d.Occurrence).Reported++
		}
	}
	if age := now.Sub(since); age > 24*time.Hour || age < 0 {
		s.plan.Since = now
	}
}

func TestYearsOfSchedulesMissAndDoubleNothing(t *testing.T) {
	t.Parallel()
	years := 3
	if os.Getenv("REKINDLE_SOAK_ROUNDS") != "" {
		years = 10
	}
	kinds := []struct {
		name          string
		outages, back bool
		failures      float64
		clusters      int
	}{
		{"always on", false, false, 0, 4},
		{"with failures", false, false, 0.3, 2},
		{"with outages", true, false, 0, 4},
		{"with outages and failures", true, false, 0.5, 2},
		{"with a clock that jumps", true, true, 0, 5},
	}
	for k, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			days, begun, missed, ticks := 0, 0, 0, 0
			for n := range kind.clusters {
				random := rand.New(rand.NewPCG(uint64(k), uint64(n)))
				window := models.Window{Start: random.IntN(24 * 60), Length: models.MinWindowMinutes + random.IntN(24*60-models.MinWindowMinutes)}
				switch n { // the edges, always among them
				case 0:
					window = models.Window{0, models.MinWindowMinutes}
				case 1:
					window = models.Window{24*60 - 1, models.MinWindowMinutes}
				case 2:
					window = models.Window{23*60 + 30, 24*60 - 1}
				case 3:
					window = models.Window{0, 24*60 - 1}
				}
				name := fmt.Sprintf("cluster-%d", n)
				now := time.Date(2024, 1, 1, random.IntN(24), random.IntN(60), random.IntN(60), 0, time.UTC) // 2024 has a 29th of February
				end := now.AddDate(years, 0, 0)
				ledger := modelstest.NewHistory(window, name, now)
				s := &store{plan: models.Plan{ClusterID: 1, Cluster: name, Window: window, Retention: 7, Since: now, Marks: map[int64]models.Mark{}}, ledger: ledger,
					fails: func() bool { return random.Float64() < kind.failures }}
				for now.Before(end) {
					s.tick(t, now, random.IntN(3) == 0)
					ticks++
					now = now.Add(s.pause(now, random))
					switch {
					case kind.outages && random.IntN(200) == 0:
						now = now.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))) // off, or the clock jumped forward
					case kind.back && random.IntN(300) == 0:
						now = now.Add(-time.Duration(random.Int64N(int64([]time.Duration{time.Minute, time.Hour, 3 * 24 * time.Hour}[random.IntN(3)]))))
					}
				}
				d, b, m := ledger.Verify(t, kind.failures > 0, kind.back)
				days, begun, missed = days+d, begun+b, missed+m
			}
			if missed == 0 == kind.outages {
				t.Errorf("%d windows were reported as missed", missed)
			}
			t.Logf("%d windows, %d ticks: %d begun, %d reported as missed", days, ticks, begun, missed)
		})
	}
}

// pause is until the next tick: a minute around the instants that matter, else something longer, for then nothing can be due.
func (s *store) pause(now time.Time, random *rand.Rand) time.Duration {
	rest := time.Hour
	for day := -1; day <= 1; day++ {
		o := s.plan.Window.On(now.AddDate(0, 0, day), s.plan.Cluster)
		for _, edge := range []time.Time{o.Opens, o.Begins, o.Closes} {
			if until := edge.Sub(now); until > -time.Minute && until <= time.Minute {
				return time.Minute
			} else if until > 0 && until-time.Minute < rest {
				rest = until - time.Minute
			}
		}
		if mark := s.plan.Marks[o.Opens.Unix()]; mark.Outcome == models.MarkFailed && now.Before(o.Closes) && rest > 11*time.Minute {
			rest = time.Duration(1+random.IntN(11)) * time.Minute
		}
	}
	return max(time.Minute, rest/2+time.Duration(random.Int64N(int64(rest/2)+1)))
}

func TestEveryMinuteOfAYear(t *testing.T) {
	t.Parallel()
	start := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) // a leap year
	window := models.Window{23*60 + 45, 90}
	ledger := modelstest.NewHistory(window, "orders", start)
	s := &store{plan: models.Plan{Cluster: "orders", Window: window, Retention: 1, Since: start, Marks: map[int64]models.Mark{}}, ledger: ledger,
		fails: func() bool { return false }}
	for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(time.Minute) {
		s.tick(t, now, now.Minute()%5 == 0)
	}
	days, begun, missed := ledger.Verify(t, false, false)
	// The window of the last of December 2027 reaches into the year, that of 2028's last day opens in it and is not over.
	if days < 366 || days > 367 || begun != days || missed > 1 {
		t.Errorf("%d windows, %d begun, %d missed", days, begun, missed)
	}
}
