package models

import (
	"fmt"
	"time"

	"rekindle/internal/words"
)

// A restore drill loads a snapshot into a node that exists only for this, counts the keys and compares some values, and removes the node. It proves
// what a verification cannot: that an engine takes what was stored.

// DrillBySchedule stands for a person in the drills that the schedule asks for.
const DrillBySchedule = "schedule"

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
	}
	return nil
}

// Next is the window in which the next drill begins. last is when the window of the last one opened, zero if there was none, or if the one of then was
// missed and is to be made up for. A last one in the future comes from a wrong clock, and does not count.
func (p DrillPlan) Next(now, last time.Time, cluster string) Occurrence {
	if !last.IsZero() && !last.After(now) {
		if at := p.Every.after(last.UTC()); at.After(now) {
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

// DrillOutcome says how a drill ended.
type DrillOutcome string

// The outcomes of a [Drill].
const (
	DrillPassed DrillOutcome = "passed"
	DrillFailed DrillOutcome = "failed"          // the snapshot could not be loaded, or what was loaded is not what was stored
	DrillUndone DrillOutcome = "not-carried-out" // something else prevented it, and nothing is known about the snapshot
)

// Drill is what came out of a restore drill. It is kept when the snapshot and the cluster are gone.
type Drill struct {
	ID            uint
	RunID         uint
	SnapshotName  string
	SnapshotID    uint
	ClusterName   string
	RequestedBy   string
	Engine        string // that loaded it; "": none did
	EngineVersion string
	Host          string // on which it ran
	StartedAt     time.Time
	EndedAt       time.Time
	LoadedIn      time.Duration // all parts, one after the other
	Expected      int64         // keys, as the manifest says; -1: it does not
	Keys          int64         // that were loaded, with those that have expired since the snapshot
	Expired       int64         // how many of them
	Sampled       int64         // keys whose type and value were compared with the RDB
	Differing     int64         // how many of them were not the same
	Outcome       DrillOutcome
	Reason        string // in sentences, unless it passed
}

// Finding says in a sentence what came out.
func (d Drill) Finding() string {
	if d.Outcome != DrillPassed {
		return d.Reason
	}
	keys := words.Number(d.Keys)
	if d.Expected >= 0 {
		keys += " of " + words.Number(d.Expected)
	}
	text := fmt.Sprintf("Loaded by %s in %s: %s keys", words.Engine(d.Engine, d.EngineVersion), words.Duration(d.LoadedIn), keys)
	if d.Expired > 0 {
		text += fmt.Sprintf(", %s of which had expired since", words.Number(d.Expired))
	}
	if d.Sampled > 0 {
		text += fmt.Sprintf("; the values of %s were compared and are the same", words.Plural(d.Sampled, "key"))
	}
	return text + "."
}

// Message is the text of the event about a drill that came to a result.
func (d Drill) Message() string {
	what := "succeeded"
	if d.Outcome != DrillPassed {
		what = "failed"
	}
	return fmt.Sprintf("The restore drill of the snapshot %s of %s %s. %s", d.SnapshotName, d.ClusterName, what, d.Finding())
}

// drillReserve is what a node needs beside its data, in bytes.
const drillReserve = 64 << 20

// DrillMemory is how much memory a drill may need at a time, in bytes: its parts are loaded one after the other.
func (s Snapshot) DrillMemory() int64 {
	most := int64(0)
	for _, part := range s.Parts {
		most = max(most, s.partMemory(part))
	}
	return most + most/8 + drillReserve
}

// partMemory is how much memory the data of a part takes: its share of what the cluster's took, or, where that is not known, twice its RDB.
func (s Snapshot) partMemory(part Part) int64 {
	if s.UsedMemory > 0 && s.Bytes > 0 {
		return int64(float64(s.UsedMemory) * float64(part.Bytes) / float64(s.Bytes))
	}
	return 2 * part.Bytes
}

// DrillMissedMessage says that a window of drills has passed.
func DrillMissedMessage(cluster string) string {
	return fmt.Sprintf("No restore drill of %s began in its window: Rekindle was not running, or other work took too long. It is made up for in the next window.", cluster)
}
