package views

import (
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// WindowsPath is the page about a day's windows.
const WindowsPath = "/windows"

// HourLoad is what the schedules do in one hour of each day (UTC).
type HourLoad struct {
	Starts int // snapshots that begin
	Open   int // windows that are open
}

// DayPlan is what all schedules do in a day.
type DayPlan struct {
	Hours    []HourLoad // 24, from midnight UTC
	Lanes    []Lane     // single clusters; none if there are too many
	Clusters int        // that have a schedule
	Hour     int        // the one that is looked at; -1: none
}

// Lane is one cluster's window.
type Lane struct {
	Cluster string
	Start   int // minutes after midnight UTC
	Length  int
	Begins  int // minutes after midnight UTC
}

// ComingStart is an automatic snapshot that is to come.
type ComingStart struct {
	Cluster string
	At      time.Time
	Window  string // "03:00-04:00"
	Takes   time.Duration
	Hosts   []string

	OfJournal bool // it is made from the journal, and no node of the cluster forks
}

// HostClash is that one host has to bear several forks at once.
type HostClash struct {
	Host     string
	From     time.Time
	Clusters []string
}

func (c HostClash) sentence() string {
	return fmt.Sprintf("%s UTC: %s are snapshotted from %s at the same time, so it forks for each of them.", c.From.UTC().Format("15:04"), andList(c.Clusters, 5), c.Host)
}

// andList joins names, at most some of them: "a, b and 3 more".
func andList(names []string, most int) string {
	switch {
	case len(names) > most:
		return strings.Join(names[:most], ", ") + " and " + itoa(len(names)-most) + " more"
	case len(names) > 1:
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

// Windows is the page about a day's windows.
type Windows struct {
	Plan    DayPlan
	Starts  []ComingStart // those of the hour, or the next ones
	Clashes []HostClash   // among these
	List    List          // the pages of the hour
}

// busiest is the greatest number of starts in an hour.
func (p DayPlan) busiest() int {
	most := 0
	for _, h := range p.Hours {
		most = max(most, h.Starts)
	}
	return most
}

// sentence sums the day up.
func (p DayPlan) sentence() string {
	if p.Clusters == 0 {
		return "No cluster has a schedule."
	}
	at, open := 0, 0
	for hour, h := range p.Hours {
		if h.Starts > p.Hours[at].Starts {
			at = hour
		}
		open = max(open, h.Open)
	}
	text := fmt.Sprintf("%s begin each day, at most %s of them in one hour (%02d:00 to %02d:00 UTC).", Plural(p.Clusters, "snapshot"), Count(p.Hours[at].Starts), at, (at+1)%24)
	if p.Clusters == 1 {
		text = fmt.Sprintf("1 snapshot begins each day, between %02d:00 and %02d:00 UTC.", at, (at+1)%24)
	}
	if open > 1 {
		text += fmt.Sprintf(" Up to %s windows are open at the same time.", Count(open))
	}
	return text
}

// The height of the bars in pixels.
const barHeight = 72

// barTop is the upper edge of an hour's bar.
func (p DayPlan) barTop(h HourLoad) string {
	return pixels(20 + barHeight - p.barLength(h))
}

func (p DayPlan) barLength(h HourLoad) float64 {
	if h.Starts == 0 {
		return 0
	}
	return max(3, float64(barHeight)*float64(h.Starts)/float64(p.busiest()))
}

// hourPlace is where an hour begins, in percent of the width.
func hourPlace(hour float64) string { return percents(hour * 100 / 24) }

// label says what happens in an hour.
func (p DayPlan) label(hour int) string {
	h := p.Hours[hour]
	return fmt.Sprintf("%02d:00 to %02d:00 UTC: %s, %s open", hour, (hour+1)%24, beginText(h.Starts), Plural(h.Open, "window"))
}

func beginText(n int) string {
	switch n {
	case 0:
		return "nothing begins"
	case 1:
		return "1 snapshot begins"
	}
	return Count(n) + " snapshots begin"
}

func windowsHour(hour int) templ.SafeURL { return LinkQuery(WindowsPath, "hour", itoa(hour)) }

// localHour is the local time at a full hour in UTC: "05", or "05:30" where the zone's offset is not whole hours.
func localHour(s Shell, hour int) string {
	year, month, day := s.Now.UTC().Date()
	local := time.Date(year, month, day, hour, 0, 0, 0, time.UTC).In(s.zone())
	if local.Minute() != 0 {
		return local.Format("15:04")
	}
	return local.Format("15")
}

// laneTop is the upper edge of a lane, in pixels.
func laneTop(i int) int { return i * laneHeight }

const laneHeight = 22

func (l Lane) label() string {
	return fmt.Sprintf("%s: window %s to %s UTC, begins at %s", l.Cluster, clockText(l.Start), clockText(l.Start+l.Length), clockText(l.Begins))
}

func minutePlace(minutes int) string { return percents(float64(minutes) * 100 / (24 * 60)) }

// title says which snapshots are listed.
func (p Windows) title() string {
	if p.Plan.Hour < 0 {
		return "The next snapshots"
	}
	return fmt.Sprintf("From %02d:00 to %02d:00 UTC", p.Plan.Hour, (p.Plan.Hour+1)%24)
}

// hoursHeight is the height of the hours below the bars: one line, or two where the viewer's time is another one.
func hoursHeight(s Shell) int {
	if offsetMinutes(s.Now, s.Zone) != 0 {
		return 32
	}
	return 16
}

// briefCount is a number that fits under a bar: "417", "1.2k".
func briefCount(n int) string {
	if n < 1000 {
		return itoa(n)
	}
	if n < 99_950 {
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return itoa(n/1000) + "k"
}
