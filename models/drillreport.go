package models

import "time"

// DrillSpan is the span of time that a report on drills is about: From is in it, To is not.
type DrillSpan struct{ From, To time.Time }

// DrilledCluster is a cluster in a report on drills.
type DrilledCluster struct {
	Cluster string
	Exists  bool      // it is here now
	Plan    DrillPlan // when its drills are held
	Totals  DrillTotals
	Last    *Drill // the last one in the span; nil: it was not drilled
}

// DrillTotals are how many drills of a span ended how.
type DrillTotals struct{ Passed, Failed, Undone int }

// NotDrilled is the result by which a report finds the clusters that were not drilled.
const NotDrilled DrillOutcome = "none"

// Add counts drills that ended like this.
func (t *DrillTotals) Add(outcome DrillOutcome, drills int) {
	switch outcome {
	case DrillPassed:
		t.Passed += drills
	case DrillFailed:
		t.Failed += drills
	case DrillUndone:
		t.Undone += drills
	}
}
