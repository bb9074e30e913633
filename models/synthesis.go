package models

import (
	"fmt"
	"time"
)

// A synthetic snapshot is the automatic one of a day, made of the one before it and the journal behind that, in a node that exists only for this: so the
// cluster does not fork. Whether the journal is the truth is seen each week: then a snapshot is taken of the cluster, and compared with what the journal
// makes of the same place.

// ComparedEvery is how often a snapshot is taken of the cluster, and compared.
const ComparedEvery = 7 * 24 * time.Hour

// comparedEarly lets the comparison not wait for one day more because the snapshots of two days do not begin at the same minute.
const comparedEarly = 12 * time.Hour

// DailyWay is how the automatic snapshot of a day is made.
type DailyWay string

// The ways of an automatic snapshot.
const (
	OfCluster    DailyWay = "of the cluster"
	OfJournal    DailyWay = "of the journal"
	ToBeCompared DailyWay = "of the cluster, to be compared"
)

// Verdict is what came out of a comparison.
type Verdict string

// The verdicts of a [JournalComparison].
const (
	VerdictSame    Verdict = "same"
	VerdictDiffers Verdict = "differs"
	VerdictNone    Verdict = "none" // nobody could find out
)

// JournalComparison is a snapshot that was compared with what the journal makes of the same place in the stream.
type JournalComparison struct {
	ID           uint
	ClusterID    uint
	SnapshotID   uint
	SnapshotName string
	Base         string // the snapshot behind which the journal was played back; "": none was found
	Verdict      Verdict
	Reason       string // in sentences, unless they are the same
	ComparedAt   time.Time
	SeenAt       *time.Time // when somebody who knows of a difference asked for another comparison
}

// TableName is the table of the comparisons.
func (JournalComparison) TableName() string { return "journal_comparisons" }

// Stops tells whether no more snapshots are made from the journal until somebody has looked.
func (c JournalComparison) Stops() bool { return c.Verdict == VerdictDiffers && c.SeenAt == nil }

// Daily is how the automatic snapshot of a day is made. last is the newest comparison; its zero value: there was none.
func (p JournalPlan) Daily(last JournalComparison, now time.Time) DailyWay {
	age := now.Sub(last.ComparedAt)
	switch {
	case !p.Kept || !p.Synthetic || last.Stops():
		return OfCluster
	case last.Verdict == VerdictSame && age >= 0 && age < ComparedEvery-comparedEarly:
		return OfJournal
	}
	return ToBeCompared
}

// NextCompared is when the next snapshot is taken of the cluster to be compared: from then on, as soon as the window opens. The zero time is as soon as possible.
func (p JournalPlan) NextCompared(last JournalComparison) time.Time {
	if last.Verdict != VerdictSame {
		return time.Time{}
	}
	return last.ComparedAt.Add(ComparedEvery - comparedEarly)
}

// Sentence says what came out.
func (c JournalComparison) Sentence() string {
	switch c.Verdict {
	case VerdictSame:
		return fmt.Sprintf("Compared with what the journal makes of %s at the same place: the same.", c.Base)
	case VerdictDiffers:
		return fmt.Sprintf("Compared with what the journal makes of %s at the same place: not the same. %s", c.Base, c.Reason)
	}
	return "It could not be compared with what the journal makes at the same place. " + c.Reason
}

// Event says what came out.
func (c JournalComparison) Event(cluster string) Event {
	e := Event{Severity: SeverityInfo, ClusterName: cluster, SnapshotName: c.SnapshotName}
	switch c.Verdict {
	case VerdictSame:
		e.Message, e.Ends = fmt.Sprintf("The snapshot %s of %s is the same as what the journal makes of %s at the same place.", c.SnapshotName, cluster, c.Base), []Condition{ConditionDiffers}
	case VerdictDiffers:
		e.Severity, e.Raises = SeverityError, ConditionDiffers
		e.Message = fmt.Sprintf("The snapshot %s, which was taken of %s itself, is not what the journal makes of %s at the same place. %s So snapshots that were made from the journal since %s, and moments behind it, may not be what the cluster was.",
			c.SnapshotName, cluster, c.Base, c.Reason, c.Base)
		e.Next = "Until somebody has looked at the journal's page, daily snapshots are taken of the cluster itself."
	}
	return e
}

// NotSynthetic says that a snapshot that was to be made from the journal is taken of the cluster itself.
func NotSynthetic(why string) string {
	return "It was taken of the cluster itself, because it could not be made from the journal. " + why
}
