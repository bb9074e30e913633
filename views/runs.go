package views

import (
	"time"

	"github.com/a-h/templ"
)

// RunList is the activity list, newest first. Filters: q, kind, status, cluster. Sorted by: started, kind, status, cluster.
type RunList struct {
	List     List
	Rows     []Run
	Kinds    []Option // for the filter: all kinds of runs
	Clusters Choices  // for the filter
	Any      bool
}

func (p RunList) filters() []Filter {
	return []Filter{
		{Name: "q", Label: "Cluster or snapshot"},
		{Name: "kind", Label: "Kind", Options: p.Kinds},
		{Name: "status", Label: "Status", Options: []Option{
			{Value: "queued", Label: "Waiting"}, {Value: "running", Label: "Running"}, {Value: "succeeded", Label: "Succeeded"},
			{Value: "failed", Label: "Failed"}, {Value: "cancelled", Label: "Cancelled"},
			{Value: DamageFound, Label: "Damage found"},
		}},
		{Name: "since", Label: "Requested", Options: []Option{{Value: "day", Label: "In the last 24 hours"}, {Value: "week", Label: "In the last 7 days"}}},
		p.Clusters.filter(),
	}
}

// RunStep is one thing that a run did, or is doing.
type RunStep struct {
	At   time.Time
	Text string // "Reading part 1 from replica orders-002"
	Tone string // "", "ok", "warn", "bad"
}

// RunDetail is one run's page.
type RunDetail struct {
	Run
	AskedBy string // "admin", or "the schedule"
	NextTry string // a sentence about what the schedule does after this failure; may be empty
	Steps   []RunStep
	Impact  *Impact      // nil: nothing was measured
	Brought *BroughtBack // nil: no keys were brought back
	Events  []Event
}

// Again leads to where something that failed can be tried again. Without an address it cannot.
type Again struct {
	Href templ.SafeURL
	Post bool // a button does it; otherwise there is a form to be looked at
}

// If is the same if it is possible.
func (a Again) If(possible bool) Again {
	if !possible {
		return Again{}
	}
	return a
}

// EventList is the list of events, newest first. Filters: q, cluster, severity. Sorted by: time, severity, cluster.
type EventList struct {
	List     List
	Rows     []Event
	Clusters Choices // for the filter
	Any      bool
}

func (p EventList) filters() []Filter {
	return []Filter{
		{Name: "q", Label: "Text"},
		p.Clusters.filter(),
		{Name: "severity", Label: "Severity", Options: []Option{{Value: "info", Label: "Info"}, {Value: "warning", Label: "Warning"}, {Value: "error", Label: "Error"}}},
		{Name: "from", Label: "From (UTC)", Day: true},
		{Name: "to", Label: "To (UTC)", Day: true},
	}
}

func severityIcon(severity string) string {
	switch severity {
	case "warning":
		return "triangle-alert"
	case "error":
		return "circle-alert"
	}
	return "info"
}

// wentWrong is the run's error, as a sentence.
func (p RunDetail) wentWrong() string {
	if p.Error == "" {
		return "It failed for a reason that was not recorded."
	}
	return sentence(p.Error)
}

func runLine(p RunDetail) string {
	line := p.Label + " · run " + p.ID
	if p.Status == "running" && p.Step != "" {
		line += " · " + p.Step
	}
	return line
}
