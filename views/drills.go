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
