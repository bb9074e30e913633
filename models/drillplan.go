package models

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cadence is how often something is repeated.
type Cadence string

// The cadences of drills.
const (
	Never   Cadence = ""
	Weekly  Cadence = "weekly"
	Monthly Cadence = "monthly"
)

// Known tells whether it is one of the cadences.
func (c Cadence) Known() bool { return c == Never || c == Weekly || c == Monthly }

// after is one period after an instant. A month that has no such day ends earlier.
func (c Cadence) after(t time.Time) time.Time {
	if c == Weekly {
		return t.AddDate(0, 0, 7)
	}
	next := t.AddDate(0, 1, 0)
	if next.Day() != t.Day() {
		next = next.AddDate(0, 0, -next.Day())
	}
	return next
}

// MaxDrillDay is the last day of the month that can be chosen: every month has it.
const MaxDrillDay = 28

// DrillPlan is when the drills of a cluster are due. A cluster without drills has none.
type DrillPlan struct {
	ClusterID uint      `gorm:"primaryKey;autoIncrement:false"`
	Every     Cadence   //
	Window    Window    `gorm:"column:drill_window"`
	Day       int       // of the week, from Monday as 1, or of the month, up to 28; 0: the one on which the last drill was held
	DueAt     time.Time // when the next one begins, unless something prevents that
}

// TableName is the table of the plans.
func (DrillPlan) TableName() string { return "drill_plans" }

// Check refuses a plan that cannot be kept.
func (p DrillPlan) Check() error {
	switch {
	case !p.Every.Known():
		return Refuse(CodeInvalid, "every", fmt.Sprintf("Drills can be held never, weekly or monthly, not %q.", p.Every))
	case p.Every != Never && p.Window.IsZero():
		return Refuse(CodeInvalid, "window_start", "Say in which window the drills begin.")
	case p.Every == Weekly && (p.Day < 0 || p.Day > 7):
		return Refuse(CodeInvalid, "weekday", "A drill that is held each week can be held on a day from monday to sunday.")
	case p.Every == Monthly && (p.Day < 0 || p.Day > MaxDrillDay):
		return Refuse(CodeInvalid, "month_day", fmt.Sprintf("A drill that is held each month can be held on a day from 1 to %d, which every month has.", MaxDrillDay))
	}
	return nil
}

// Same tells whether drills are held at the same times by another plan.
func (p DrillPlan) Same(other DrillPlan) bool {
	return p.Every == other.Every && (p.Every == Never || p.Window == other.Window && p.Day == other.Day)
}

// On says on which day drills are held, for people: "Wednesday", "day 15"; "" if that is not set.
func (p DrillPlan) On() string {
	switch {
	case p.Day == 0:
		return ""
	case p.Every == Weekly:
		return time.Weekday(p.Day % 7).String()
	}
	return "day " + strconv.Itoa(p.Day)
}

// When says how often and on which day drills are held: "weekly on Wednesday".
func (p DrillPlan) When() string {
	if on := p.On(); on != "" {
		return string(p.Every) + " on " + on
	}
	return string(p.Every)
}

// DayText is the day as files have it: "wednesday", "15"; "" if it is not set.
func (p DrillPlan) DayText() string { return strings.ToLower(strings.TrimPrefix(p.On(), "day ")) }

// ParseDrillPlan reads a plan as files have it. Nothing at all is a plan without drills.
func ParseDrillPlan(every, window, day string) (DrillPlan, error) {
	plan := DrillPlan{Every: Cadence(every)}
	if every == "never" {
		plan.Every = Never
	}
	var err error
	if window != "" {
		if plan.Window, err = ParseWindow(window); err != nil {
			return DrillPlan{}, err
		}
	}
	if day != "" {
		if plan.Day, err = parseDrillDay(plan.Every, day); err != nil {
			return DrillPlan{}, err
		}
	}
	if err := plan.Check(); err != nil {
		return DrillPlan{}, err
	}
	return plan, nil
}

// parseDrillDay reads what [DrillPlan.DayText] writes; what is no day of that cadence is -1, which the check refuses.
func parseDrillDay(every Cadence, text string) (int, error) {
	switch every {
	case Weekly:
		for day := 1; day <= 7; day++ {
			if strings.EqualFold(text, time.Weekday(day%7).String()) {
				return day, nil
			}
		}
	case Monthly:
		if day, err := strconv.Atoi(text); err == nil && day > 0 {
			return day, nil
		}
	case Never:
		return 0, Refuse(CodeCombination, "weekday", "A day needs drills: say whether they are held weekly or monthly.")
	}
	return -1, nil
}

// holdsOn tells whether drills are held in a window that opens at this instant.
func (p DrillPlan) holdsOn(opens time.Time) bool {
	switch {
	case p.Day == 0:
		return true
	case p.Every == Weekly:
		return opens.UTC().Weekday() == time.Weekday(p.Day%7)
	}
	return opens.UTC().Day() == p.Day
}

// after is when the drill that follows one of this instant is due: a period later, or on the next day that was chosen.
func (p DrillPlan) after(t time.Time) time.Time {
	if p.Day == 0 {
		return p.Every.after(t)
	}
	for t = t.AddDate(0, 0, 1); !p.holdsOn(t); {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

// First is the window in which the first drill of a new plan begins: the next one, or the next on the day that was chosen.
func (p DrillPlan) First(now time.Time, cluster string) Occurrence {
	first := p.Next(now, time.Time{}, cluster)
	for !p.holdsOn(first.Opens) {
		first = p.Window.On(first.Opens.AddDate(0, 0, 1), cluster)
	}
	return first
}

// Next is the window in which the next drill begins. last is when the window of the last one opened, zero if there was none, or if the one of then was
// missed and is to be made up for. A last one in the future comes from a wrong clock, and does not count.
func (p DrillPlan) Next(now, last time.Time, cluster string) Occurrence {
	if !last.IsZero() && !last.After(now) {
		if at := p.after(last.UTC()); at.After(now) {
			return p.Window.On(at, cluster)
		}
	}
	if open, ok := p.Window.Open(now, cluster); ok && !open.Opens.Equal(last) {
		return open
	}
	return p.Tomorrow(now, cluster)
}

// Tomorrow is the first window that opens after this instant.
func (p DrillPlan) Tomorrow(now time.Time, cluster string) Occurrence {
	next := p.Window.Next(now, cluster)
	if !next.Opens.After(now) { // it is open, and its own minute is still to come
		next = p.Window.On(next.Opens.AddDate(0, 0, 1), cluster)
	}
	return next
}

// DrillMissedMessage says that a window of drills has passed.
func DrillMissedMessage(cluster string) string {
	return fmt.Sprintf("No restore drill of %s began in its window: Rekindle was not running, or other work took too long. It is made up for in the next window.", cluster)
}
