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
