package models

import (
	"testing"
	"time"
)

// 2026-03-10 is a Tuesday.
func TestDrillsAreHeldOnTheDayThatWasChosen(t *testing.T) {
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
		day             int
		now, last, want string // want is when the window opens
	}{
		"the first one later in the week":        {Weekly, 4, "2026-03-10 01:00", "", "2026-03-12 03:00"},
		"the first one today":                    {Weekly, 2, "2026-03-10 01:00", "", "2026-03-10 03:00"},
		"the first one in a window that is open": {Weekly, 2, "2026-03-10 03:30", "", "2026-03-10 03:00"},
		"the first one when today's is over":     {Weekly, 2, "2026-03-10 04:00", "", "2026-03-17 03:00"},
		"the first one on a Sunday":              {Weekly, 7, "2026-03-10 01:00", "", "2026-03-15 03:00"},
		"the first one of a month":               {Monthly, 1, "2026-03-10 01:00", "", "2026-04-01 03:00"},
		"the first one over a year's end":        {Monthly, 5, "2026-12-10 01:00", "", "2027-01-05 03:00"},
		"a week later":                           {Weekly, 2, "2026-03-10 03:30", "2026-03-10 03:00", "2026-03-17 03:00"},
		"after one that was made up for":         {Weekly, 2, "2026-03-11 03:30", "2026-03-11 03:00", "2026-03-17 03:00"},
		"a month later":                          {Monthly, 28, "2026-01-28 03:30", "2026-01-28 03:00", "2026-02-28 03:00"},
		"made up for late in the month":          {Monthly, 28, "2026-03-01 03:30", "2026-03-01 03:00", "2026-03-28 03:00"},
		"after an outage the next day":           {Weekly, 2, "2026-04-09 12:00", "2026-03-10 03:00", "2026-04-10 03:00"},
	} {
		plan := DrillPlan{Every: c.every, Day: c.day, Window: Window{Start: 180, Length: 60}}
		got := plan.First(at(c.now), "orders")
		if c.last != "" {
			got = plan.Next(at(c.now), at(c.last), "orders")
		}
		if !got.Opens.Equal(at(c.want)) {
			t.Errorf("%s: the window opens at %s, not %s", name, got.Opens, c.want)
		}
	}
}

func TestDrillPlansAreWrittenAndRead(t *testing.T) {
	t.Parallel()
	window := Window{Start: 180, Length: 60}
	for _, plan := range []DrillPlan{
		{}, {Every: Weekly, Window: window}, {Every: Weekly, Window: window, Day: 1}, {Every: Weekly, Window: window, Day: 7},
		{Every: Monthly, Window: window, Day: 1}, {Every: Monthly, Window: window, Day: 28},
	} {
		if read, err := ParseDrillPlan(string(plan.Every), plan.Window.String(), plan.DayText()); err != nil || read != plan {
			t.Errorf("%+v became %+v, %v", plan, read, err)
		}
	}
	for name, bad := range map[string]struct{ every, window, day, field string }{
		"another cadence":        {"daily", "03:00-04:00", "", "every"},
		"no window":              {"weekly", "", "", "window_start"},
		"no time":                {"weekly", "3-4", "", "window_start"},
		"a short window":         {"weekly", "03:00-03:10", "", "window_length"},
		"no day of the week":     {"weekly", "03:00-04:00", "someday", "weekday"},
		"a number for a weekday": {"weekly", "03:00-04:00", "3", "weekday"},
		"a day that is too late": {"monthly", "03:00-04:00", "29", "month_day"},
		"day 0":                  {"monthly", "03:00-04:00", "0", "month_day"},
		"a weekday for a day":    {"monthly", "03:00-04:00", "monday", "month_day"},
		"a day without drills":   {"", "03:00-04:00", "monday", "weekday"},
	} {
		_, err := ParseDrillPlan(bad.every, bad.window, bad.day)
		if faults, refused := AsFaults(err); !refused || faults[0].Field != bad.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}
