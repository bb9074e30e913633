package views

import "time"

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
	Window string // "03:00-04:00"
	Next   time.Time
}

// whenText says when drills are held.
func (p DrillPlan) whenText() string {
	switch p.Every {
	case "weekly":
		return "each week"
	case "monthly":
		return "each month"
	}
	return "never"
}

// DrillPlanForm is the form that changes when the drills of a cluster are held. Form: POST /clusters/{id}/drills, fields every, window_start,
// window_length.
type DrillPlanForm struct {
	ID   string
	Plan DrillPlan // as it is now
	Fields
}

var cadences = []Option{{Value: "", Label: "Never"}, {Value: "weekly", Label: "Each week"}, {Value: "monthly", Label: "Each month"}}
