package models

import (
	"hash/fnv"
	"sort"
	"time"
)

// Verifying reads every byte of a snapshot back from the store. The snapshot stays what it is meanwhile: what is found out changes it
// at the end, in one transaction with the end of the run.

// DefaultVerifyEvery is after how many days a snapshot is verified again when nobody chose another number.
const DefaultVerifyEvery = 7

// MaxVerifyEvery is the greatest number of days that can be chosen.
const MaxVerifyEvery = 365

// verifyAgainAfter is the pause after a scheduled verification that came to no result, such as when the store was away.
const verifyAgainAfter = 6 * time.Hour

// VerifyBySchedule is who has asked for the verifications of the schedule.
const VerifyBySchedule = "schedule"

// Verifiable tells whether it can be verified: it is whole as far as anybody knows, or it was, and may be so again when the store has
// been repaired.
func (s Snapshot) Verifiable() bool { return s.Usable() || s.Damaged() }

// Damaged tells whether it was once whole and what is stored of it is not any more.
func (s Snapshot) Damaged() bool { return s.Status == SnapshotFailed && s.Damage != "" }

// Scrubbed is what [VerifyDue] needs to know of a snapshot.
type Scrubbed struct {
	ID       uint
	Name     string
	Verified time.Time // zero: never
	Tried    time.Time // zero: never
}

// VerifyDue is the whole schedule of verifications: which snapshots are to be verified at this instant, those first that have waited
// longest. It has no state and no side effects.
//
// A snapshot is due between six sevenths of the time and all of it after it was last verified, each by its name at a moment of its
// own, so that those of one day (or of a rebuilt catalog) do not all come at once again. A time in the future is from a clock that
// stood wrong, and does not count.
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

// spread is a part of the span that belongs to this name.
func spread(name string, span time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("verify " + name))
	return time.Duration(int64(hash.Sum32()) % max(1, int64(span/time.Second)) * int64(time.Second))
}
