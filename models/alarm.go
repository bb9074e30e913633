package models

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/words"
)

// Condition is something that people want to be told about: when it begins, while it lasts, and when it is over.
type Condition string

// The conditions.
const (
	ConditionFailed      Condition = "snapshot-failed"
	ConditionMissed      Condition = "window-missed"
	ConditionOverdue     Condition = "snapshot-overdue"
	ConditionDamaged     Condition = "verification-failed"
	ConditionDrill       Condition = "drill-failed"
	ConditionUnreachable Condition = "cluster-unreachable"
	ConditionSilent      Condition = "node-unreachable" // a replica, while its cluster answers
	ConditionStalled     Condition = "journal-stalled"
	ConditionDiffers     Condition = "journal-differs"
	ConditionStore       Condition = "store-unusable"
	ConditionFull        Condition = "disk-nearly-full"
)

// OverdueAfter is how old the newest good snapshot of a cluster with a schedule may become. A schedule takes one a day; two hours are left for windows
// and for what the snapshot itself takes.
const OverdueAfter = 26 * time.Hour

// condition is what is said about a condition.
type condition struct {
	Condition
	label  string // of the box in a form
	begins string // with what it is about
	ends   string
	lasts  bool // it is said again while it goes on; the others are, when they happen again
	named  func(Event) string
	with   Condition // that is chosen in its place; "": it is chosen itself
}

func ofCluster(e Event) string  { return e.ClusterName }
func ofSnapshot(e Event) string { return e.SnapshotName }
func ofPlace(e Event) string    { return e.Place }

var conditions = []condition{
	{ConditionFailed, "A snapshot failed", "A snapshot of %s failed", "Snapshots of %s succeed again", false, ofCluster, ""},
	{ConditionMissed, "A snapshot window was missed", "%s missed a snapshot window", "%s has a snapshot again", false, ofCluster, ""},
	{ConditionOverdue, "The newest snapshot is too old, or a journal stands still", "The newest snapshot of %s is too old", "%s has a new snapshot", true, ofCluster, ""},
	{ConditionDamaged, "A verification failed, or a journal differs from its cluster", "The verification of the snapshot %s failed", "The snapshot %s is verified", false, ofSnapshot, ""},
	{ConditionDrill, "A restore drill failed", "The restore drill of %s failed", "The restore drill of %s succeeds again", false, ofCluster, ""},
	{ConditionUnreachable, "A cluster or one of its nodes is unreachable", "The cluster %s is unreachable", "The cluster %s answers again", true, ofCluster, ""},
	{ConditionSilent, "A node is unreachable", "The node %s is unreachable", "The alarm about the node %s is over", true, ofPlace, ConditionUnreachable},
	{ConditionStalled, "A journal stands still", "The journal of %s stands still", "The journal of %s goes on", true, ofCluster, ConditionOverdue},
	{ConditionDiffers, "A journal differs from its cluster", "The journal of %s differs from the cluster", "The journal of %s agrees with the cluster again", true, ofCluster, ConditionDamaged},
	{ConditionStore, "The snapshot store cannot be used", "The snapshot store cannot be used", "The snapshot store can be used again", true, ofPlace, ""},
	{ConditionFull, "A disk is nearly full", "%s is nearly full", "%s has free space again", true, ofPlace, ""},
}

// Conditions are all conditions that can be chosen, in the order of the form.
func Conditions() []Condition {
	var all []Condition
	for _, c := range conditions {
		if c.with == "" {
			all = append(all, c.Condition)
		}
	}
	return all
}

// chosen is the condition that a channel names to be told of this one.
func (c Condition) chosen() Condition {
	k, _ := c.known()
	return cmp.Or(k.with, c)
}

func (c Condition) known() (condition, bool) {
	i := slices.IndexFunc(conditions, func(k condition) bool { return k.Condition == c })
	if i < 0 {
		return condition{label: string(c), begins: "%s", ends: "%s"}, false
	}
	return conditions[i], true
}

// Label names the condition in a form.
func (c Condition) Label() string {
	k, _ := c.known()
	return k.label
}

// Lasts tells whether the condition goes on until something ends it, so that people are reminded of it.
func (c Condition) Lasts() bool {
	k, _ := c.known()
	return k.lasts
}

// OfConsole tells whether the condition is about the console itself, and not about a cluster.
func (c Condition) OfConsole() bool { return c == ConditionStore || c == ConditionFull }

// Subject names what an event's condition is about: a cluster, a snapshot, or a place.
func (c Condition) Subject(e Event) string {
	k, known := c.known()
	if !known {
		return e.ClusterName
	}
	return k.named(e)
}

// Alarm is a condition of one subject, from when it began until it ended. There is one row for both, which is used again when it comes back.
type Alarm struct {
	ID           uint
	Condition    Condition
	Subject      string // a cluster, a node, a snapshot, or a place
	ClusterName  string
	SnapshotName string
	Message      string // what happened last, in sentences
	Next         string // what Rekindle does about it, in a sentence; may be empty
	Since        time.Time
	EndedAt      *time.Time
}

// Title says in a few words what the alarm is about, at this phase.
func (a Alarm) Title(phase Phase) string {
	k, _ := a.Condition.known()
	form := k.begins
	if phase == PhaseEnds {
		form = k.ends
	}
	title := form
	if a.Condition != ConditionStore {
		title = fmt.Sprintf(form, a.Subject)
	}
	if phase == PhaseLasts {
		return "Still: " + title
	}
	return title
}

// MoreAlarms stands for alarms that a channel is not told of one by one.
func MoreAlarms(n int, now time.Time) Alarm {
	subject, are := words.Plural(n, "more alarm"), "are"
	if n == 1 {
		are = "is"
	}
	return Alarm{Subject: subject + " " + are + " under way", Since: now,
		Message: "Only the oldest are told one by one. The overview names what needs a person, and the events tell how each of them began."}
}

// Telling is what a channel was told of an alarm.
type Telling struct {
	ChannelID uint       `gorm:"primaryKey;autoIncrement:false"`
	AlarmID   uint       `gorm:"primaryKey;autoIncrement:false"`
	Since     time.Time  // when the alarm began that it was told of
	At        time.Time  // when it was last told anything
	AgainAt   *time.Time // when to look whether it must be told; nil: not before something happens
}

// Told tells whether the channel knows of the alarm as it began this time.
func (t Telling) Told(a Alarm) bool { return t.Since.Equal(a.Since) }

// settles is how long a channel is spared an alarm that ends and begins again and again.
const settles = time.Hour

// Tell decides whether a channel is told of an alarm that goes on, as what, and when it has to be looked at again. was is what it was told before; its
// zero value is nothing. happened says that it is asked because of an event, and not because time has passed.
func (c Channel) Tell(a Alarm, was Telling, happened bool, now time.Time) (phase Phase, then Telling) {
	then = was
	then.ChannelID, then.AlarmID, then.AgainAt = c.ID, a.ID, nil
	switch quiet := c.Repeat(); {
	case was.At.IsZero(), was.At.After(now): // never told, or the clock was set back
		phase = PhaseBegins
	case !was.Told(a):
		if again := was.At.Add(settles); again.After(now) {
			then.AgainAt = &again
			return "", then
		}
		phase = PhaseBegins
	case quiet == 0 || !happened && !a.Condition.Lasts():
		return "", then
	case was.At.Add(quiet).After(now):
		if a.Condition.Lasts() {
			again := was.At.Add(quiet)
			then.AgainAt = &again
		}
		return "", then
	default:
		phase = PhaseLasts
	}
	then.Since, then.At = a.Since, now
	if quiet := c.Repeat(); quiet > 0 && a.Condition.Lasts() {
		again := now.Add(quiet)
		then.AgainAt = &again
	}
	return phase, then
}
