package views

import (
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// How a drill ended, and that there was none.
const (
	DrillPassed = "passed"
	DrillFailed = "failed"
	DrillUndone = "not-carried-out"
	DrillNever  = "none"
)

// Drill is one restore drill, as a page shows it.
type Drill struct {
	Run     string // its number
	Outcome string // DrillPassed...
	Finding string // a sentence
	At      time.Time
	Host    string // on which it was held; may be empty
}

// DrillPlan is when the drills of a cluster are held.
type DrillPlan struct {
	Every  string // "weekly", "monthly"; "": never
	On     string // "Wednesday", "day 15"; "": on no day in particular
	Window string // "03:00-04:00"
	Next   time.Time
}

// whenText says when drills are held.
func (p DrillPlan) whenText() string {
	text := "never"
	switch p.Every {
	case "weekly":
		text = "each week"
	case "monthly":
		text = "each month"
	}
	if p.On != "" {
		text += " on " + p.On
	}
	return text
}

// DrillPlanForm is the form that changes when the drills of a cluster are held. Form: POST /clusters/{id}/drills, fields every, weekday,
// month_day, window_start, window_length.
type DrillPlanForm struct {
	ID   string
	Plan DrillPlan // as it is now
	Fields
}

var cadences = []Option{{Value: "", Label: "Never"}, {Value: "weekly", Label: "Each week"}, {Value: "monthly", Label: "Each month"}}

// weekdays and monthDays are the days on which drills can be held.
var weekdays, monthDays = drillDays()

func drillDays() (week, month []Option) {
	week, month = []Option{{Label: "Any day"}}, []Option{{Label: "Any day"}}
	for day := 1; day <= 7; day++ {
		week = append(week, Option{Value: strconv.Itoa(day), Label: time.Weekday(day % 7).String()})
	}
	for day := 1; day <= 28; day++ {
		month = append(month, Option{Value: strconv.Itoa(day), Label: "Day " + strconv.Itoa(day)})
	}
	return week, month
}

// DrillReport says of all clusters how they were drilled in a span of time. Its address has the filters q, result, from and to.
type DrillReport struct {
	List   List
	From   time.Time // first day
	To     time.Time // last day
	Passed int       // drills of all clusters in the span
	Failed int
	Undone int
	Rows   []DrilledCluster
	Any    bool   // there are clusters or drills at all
	Wrong  string // a sentence: what is wrong with the days that were asked for; "": nothing
}

// DrilledCluster is one cluster in the report.
type DrilledCluster struct {
	Cluster        string
	Exists         bool
	Plan           DrillPlan
	Passed         int
	Failed         int
	Undone         int
	Last           *Drill // nil: it was not drilled
	Snapshot       string // of the last one
	SnapshotExists bool
}

// DrillReportFilters are the names of the filters of the report.
var DrillReportFilters = []string{"result", "from", "to"}

func (p DrillReport) filters() []Filter {
	return []Filter{
		{Name: "q", Label: "Cluster"},
		{Name: "result", Label: "Last result", Options: []Option{{Value: DrillPassed, Label: "Passed"}, {Value: DrillFailed, Label: "Failed"},
			{Value: DrillUndone, Label: "Not carried out"}, {Value: DrillNever, Label: "Not drilled"}}},
		{Name: "from", Label: "From (UTC)", Day: true, Usual: p.From.Format(time.DateOnly)},
		{Name: "to", Label: "To (UTC)", Day: true, Usual: p.To.Format(time.DateOnly)},
	}
}

// csv is the address of the same report for a spreadsheet.
func (p DrillReport) csv() templ.SafeURL {
	q := p.List.Query
	return LinkQuery("/drills.csv", "q", q.Get("q"), "result", q.Get("result"), "from", q.Get("from"), "to", q.Get("to"))
}

// line says what happened in the span.
func (p DrillReport) line() string {
	text := "From " + p.From.Format(time.DateOnly) + " to " + p.To.Format(time.DateOnly) + " (UTC): "
	all := p.Passed + p.Failed + p.Undone
	if all == 0 {
		return text + "no drill was held."
	}
	return text + Plural(all, "drill") + ", of which " + Count(p.Passed) + " passed, " + Count(p.Failed) + " failed, and " + Count(p.Undone) + " could not be carried out."
}
