package models

import (
	"fmt"
	"strings"
	"time"

	"rekindle/internal/words"
)

// A moment becomes a snapshot: a snapshot from before it is loaded into a node that exists only for this, the cluster's journal is played back up to the
// moment, and a manual snapshot is taken of the node. From then on it is a snapshot like any other. It counts as one that was taken by hand, on the day
// it was asked for; its age is that of its data.

// RecoverSpec asks for a snapshot of a cluster as it was at a moment.
type RecoverSpec struct {
	Cluster     string
	Name        string        // of the snapshot
	Moment      time.Time     // the last second, or part of one, that is in it
	Places      []RecoverFrom // of shards that are wanted at an exact place in their stream instead
	Tags        map[string]string
	RequestedBy string
}

// RecoverFrom is an exact place in the stream of a shard, between two commands and outside of a transaction.
type RecoverFrom struct {
	Shard  int    `json:"shard"`
	Run    string `json:"run"` // names the unbroken recording
	Offset int64  `json:"offset"`
}

// Check refuses what cannot be asked for, and brings the request into its final form. Whether the journal has the moment, only the store can tell.
func (s *RecoverSpec) Check(now time.Time) Faults {
	var faults Faults
	var problem string
	if s.Name, problem = CheckSnapshotName(s.Name); problem != "" {
		faults.Add(CodeInvalid, "name", problem)
	}
	s.Moment = s.Moment.UTC()
	switch {
	case s.Moment.IsZero():
		faults.Add(CodeInvalid, "moment", "Say to which moment, in UTC, such as 2026-11-27 10:41:07.")
	case s.Moment.After(now):
		faults.Add(CodeInvalid, "moment", fmt.Sprintf("That moment is still to come: now it is %s UTC.", now.UTC().Format(time.DateTime)))
	case s.Moment.Year() < 2009:
		faults.Add(CodeInvalid, "moment", "Nothing was recorded as early as that.")
	}
	seen := make(map[int]bool)
	for _, p := range s.Places {
		if p.Shard < 1 || seen[p.Shard] || p.Run == "" || p.Offset < 0 {
			faults.Add(CodeInvalid, "moment", fmt.Sprintf("Shard %d is asked for at no place, or at two.", p.Shard))
		}
		seen[p.Shard] = true
	}
	return faults
}

// RecoveryFailed begins the sentence about a recovery that failed; the reason follows.
func RecoveryFailed(cluster, snapshot string) string {
	return fmt.Sprintf("The recovery of %s as the snapshot %s failed.", cluster, snapshot)
}

// momentLayouts are how people write a moment.
var momentLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04"}

// ParseMoment reads a moment, in UTC unless it says something else; false when it is none.
func ParseMoment(text string) (time.Time, bool) {
	text = strings.TrimSuffix(strings.Join(strings.Fields(text), " "), " UTC")
	for _, layout := range momentLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

const (
	recoveredOrigin = "Recovered to "
	syntheticOrigin = "Made from the journal, as of "
)

// Recovered tells whether the snapshot was made from another one and the journal behind it, because somebody asked for a moment.
func (s Snapshot) Recovered() bool { return strings.HasPrefix(s.Origin, recoveredOrigin) }

// Synthetic tells whether the snapshot was made from another one and the journal behind it, because its day had come.
func (s Snapshot) Synthetic() bool { return strings.HasPrefix(s.Origin, syntheticOrigin) }

// Replayed tells whether the snapshot was made from another one and the journal behind it. Nodes of the cluster did not serve it.
func (s Snapshot) Replayed() bool { return s.Recovered() || s.Synthetic() }

// Cut is which moment a recovered snapshot is of.
type Cut struct {
	Asked    time.Time
	Last     time.Time     // when the last command in it came
	Skew     time.Duration // between the last commands of two shards, at most
	Shards   int
	Base     string // the snapshot that the journal was played back behind
	Commands int64
}

// Exactly is the most by which the snapshot may be older than the moment. The journal has a mark for each second in which something came, behind the last
// command of it: so what came in the moment's own second, before the moment, is not in it. Times are to the millisecond.
func (c Cut) Exactly() time.Duration {
	return max(min(c.Asked.Sub(c.Last), c.Asked.Sub(c.Asked.Truncate(time.Second))), time.Millisecond)
}

// Origin is the sentence about where a recovered snapshot comes from.
func (c Cut) Origin() string { return c.origin(recoveredOrigin) }

// SyntheticOrigin is Origin for a snapshot that the schedule had made.
func (c Cut) SyntheticOrigin() string { return c.origin(syntheticOrigin) }

func (c Cut) origin(begins string) string {
	text := fmt.Sprintf("%s%s UTC, exact to %s: replayed from %s", begins, momentText(c.Asked), words.Duration(c.Exactly()), c.Base)
	if c.Commands > 0 {
		text += fmt.Sprintf(" and %s, the last of which came %s before.", words.Plural(c.Commands, "command"), words.Duration(c.Asked.Sub(c.Last)))
	} else {
		text += ", behind which nothing had been written."
	}
	if c.Shards > 1 {
		text += fmt.Sprintf(" The last commands of its %d shards are at most %s apart.", c.Shards, words.Duration(c.Skew))
	}
	return text
}

// RecoveringOrigin is Origin as long as the journal has not been looked at.
func RecoveringOrigin(moment time.Time) string { return recoveredOrigin + momentText(moment) + " UTC." }

func momentText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999") }
