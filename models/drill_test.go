package models

import (
	"testing"
	"time"
)

// A year of minutes: every drill begins in its window, none is left out and none comes twice.
func TestDrillsAreDueOncePerPeriodInTheirWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every Cadence
		want  int
	}{{Weekly, 54}, {Monthly, 14}} {
		plan := DrillPlan{Every: c.every, Window: Window{Start: 23*60 + 30, Length: 90}} // over midnight
		now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
		var last time.Time
		drills := 0
		for end := now.AddDate(1, 0, 1); now.Before(end); {
			next := plan.Next(now, last, "orders")
			open, is := plan.Window.Open(next.Begins, "orders")
			if !is || !open.Opens.Equal(next.Opens) || next.Begins.Before(now) {
				t.Fatalf("%s: at %s the next drill begins at %s, outside of its window", c.every, now, next.Begins)
			}
			if !last.IsZero() && (next.Opens.Sub(last) < 7*24*time.Hour || next.Opens.Sub(last) > 31*24*time.Hour) {
				t.Fatalf("%s: a drill at %s follows one at %s", c.every, next.Opens, last)
			}
			now, last = next.Begins, next.Opens
			drills++
		}
		if drills < c.want-1 || drills > c.want {
			t.Errorf("%s: %d drills in a year, not about %d", c.every, drills, c.want)
		}
	}
}

func TestTheNextDrill(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		parsed, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for name, c := range map[string]struct {
		every           Cadence
		now, last, want string // want is when the window opens
	}{
		"the first one today":                {Weekly, "2026-03-10 01:00", "", "2026-03-10 03:00"},
		"the first one in an open window":    {Weekly, "2026-03-10 03:59", "", "2026-03-10 03:00"},
		"the first one tomorrow":             {Weekly, "2026-03-10 04:00", "", "2026-03-11 03:00"},
		"a week later":                       {Weekly, "2026-03-10 03:30", "2026-03-10 03:00", "2026-03-17 03:00"},
		"a month later":                      {Monthly, "2026-03-10 03:30", "2026-03-10 03:00", "2026-04-10 03:00"},
		"in a short month":                   {Monthly, "2026-01-31 03:30", "2026-01-31 03:00", "2026-02-28 03:00"},
		"over a year's end":                  {Monthly, "2026-12-31 03:30", "2026-12-31 03:00", "2027-01-31 03:00"},
		"after an outage":                    {Weekly, "2026-04-10 12:00", "2026-03-10 03:00", "2026-04-11 03:00"},
		"after an outage, in an open window": {Weekly, "2026-04-10 03:10", "2026-03-10 03:00", "2026-04-10 03:00"},
		"when the clock was set back":        {Weekly, "2026-03-10 12:00", "2026-06-10 03:00", "2026-03-11 03:00"},
	} {
		plan := DrillPlan{Every: c.every, Window: Window{Start: 180, Length: 60}}
		var last time.Time
		if c.last != "" {
			last = at(c.last)
		}
		if got := plan.Next(at(c.now), last, "orders"); !got.Opens.Equal(at(c.want)) {
			t.Errorf("%s: the window opens at %s, not %s", name, got.Opens, c.want)
		}
	}
}

func TestAWindowThatIsOpenIsNotTheNextOne(t *testing.T) {
	t.Parallel()
	plan := DrillPlan{Every: Weekly, Window: Window{Start: 180, Length: 60}}
	for minute := range 60 {
		now := time.Date(2026, 3, 10, 3, minute, 0, 0, time.UTC)
		if next := plan.Tomorrow(now, "orders"); next.Opens.Day() != 11 {
			t.Fatalf("at %s the next window opens at %s", now, next.Opens)
		}
	}
}

func TestDrillPlanIsChecked(t *testing.T) {
	t.Parallel()
	window := Window{Start: 180, Length: 60}
	for name, c := range map[string]struct {
		plan DrillPlan
		ok   bool
	}{
		"never":          {DrillPlan{}, true},
		"weekly":         {DrillPlan{Every: Weekly, Window: window}, true},
		"without window": {DrillPlan{Every: Monthly}, false},
		"unknown":        {DrillPlan{Every: "daily", Window: window}, false},
	} {
		if err := c.plan.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDrillSaysWhatCameOut(t *testing.T) {
	t.Parallel()
	passed := Drill{SnapshotName: "one", ClusterName: "orders", Engine: "redis", EngineVersion: "7.0.15", LoadedIn: 12 * time.Second, Expected: 1_504_003, Keys: 1_504_003, Outcome: DrillPassed}
	sampled := passed
	sampled.Sampled, sampled.Expired, sampled.Expected = 200, 3, -1
	failed := Drill{SnapshotName: "one", ClusterName: "orders", Outcome: DrillFailed, Reason: "Part 1 is damaged."}
	for want, drill := range map[string]Drill{
		"The restore drill of the snapshot one of orders succeeded. Loaded by Redis 7.0.15 in 12 s: 1,504,003 of 1,504,003 keys.":                                                                         passed,
		"The restore drill of the snapshot one of orders succeeded. Loaded by Redis 7.0.15 in 12 s: 1,504,003 keys, 3 of which had expired since; the values of 200 keys were compared and are the same.": sampled,
		"The restore drill of the snapshot one of orders failed. Part 1 is damaged.":                                                                                                                      failed,
	} {
		if got := drill.Message(); got != want {
			t.Errorf("%q\nnot %q", got, want)
		}
	}
}

func TestDrillMemoryIsThatOfTheLargestPart(t *testing.T) {
	t.Parallel()
	const gb = 1 << 30
	for name, c := range map[string]struct {
		snapshot Snapshot
		want     int64
	}{
		"known":   {Snapshot{UsedMemory: 8 * gb, Bytes: 4 * gb, Parts: []Part{{Bytes: gb}, {Bytes: 3 * gb}}}, 6*gb + 6*gb/8 + 64<<20},
		"unknown": {Snapshot{Bytes: 4 * gb, Parts: []Part{{Bytes: 4 * gb}}}, 9*gb + 64<<20},
		"nothing": {Snapshot{}, 64 << 20},
	} {
		if got := c.snapshot.DrillMemory(); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}
