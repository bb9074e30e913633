package models

import (
	"hash/fnv"
	"sort"
	"time"
)

// A verification reads every byte of a snapshot back from the store. The snapshot keeps its state meanwhile: the result changes it only at the end, in
// the same transaction that ends the run.

// DefaultVerifyEvery is after how many days a snapshot is verified again, unless somebody chose another number.
const DefaultVerifyEvery = 7

// MaxVerifyEvery is the greatest number of days that can be chosen.
const MaxVerifyEvery = 365

// verifyAgainAfter is the pause after a scheduled verification without a result, for example because the store could not be reached.
const verifyAgainAfter = 6 * time.Hour

// VerifyBySchedule stands for a person in the verifications that the schedule asks for.
const VerifyBySchedule = "schedule"

// Verifiable tells whether the snapshot can be verified: it is complete as far as is known, or it was, and may be again after the store has
// been repaired.
func (s Snapshot) Verifiable() bool { return s.Usable() || s.Damaged() }

// Damaged tells whether the snapshot was complete once and its stored data no longer is.
func (s Snapshot) Damaged() bool { return s.Status == SnapshotFailed && s.Damage != "" }

// Scrubbed is what [VerifyDue] needs to know about a snapshot.
type Scrubbed struct {
	ID       uint
	Name     string
	Verified time.Time // zero: never
	Tried    time.Time // zero: never
}

// VerifyDue is the whole schedule of verifications: which snapshots are due at this instant, those that have waited longest first.
// It has no state and no side effects.
//
// After its last verification a snapshot is due again after between six sevenths of the interval and all of it, at a moment that depends on
// its name, so that those of one day (or of a rebuilt catalog) do not all come at once again. A time in the future comes from a wrong
// clock, and does not count.
func VerifyDue(now time.Time, every time.Duration, snapshots []Scrubbed) []Scrubbed {
	if every <= 0 {
		return nil
	}
	var due []Scrubbed
	for _, s := range snapshots {
		tried := !s.Tried.IsZero() && !s.Tried.After(now) && now.Sub(s.Tried) < min(verifyAgainAfter, every/2)
		verified := !s.Verified.IsZero() && !s.Verified.After(now) && now.Before(s.Verified.Add(every-spread(s.Name, every/7)))
		if !tried && !verified {
			due = append(due, s)
		}
	}
	sort.SliceStable(due, func(i, j int) bool { return due[i].Verified.Before(due[j].Verified) })
	return due
}

// spread maps a name to a part of the span.
func spread(name string, span time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("verify " + name))
	return time.Duration(int64(hash.Sum32()) % max(1, int64(span/time.Second)) * int64(time.Second))
}
