package models

import (
	"fmt"
	"time"
)

// SilentAfter is for how long a replica must not have answered before people are told. A node that is started again by its supervisor, or by whoever
// runs it, answers sooner.
const SilentAfter = 3 * time.Minute

// silentStates are the states of a node that was looked for and did not answer.
var silentStates = []string{"starting", "unreachable", "stopped"}

// SilentStates are the states of nodes that do not answer.
func SilentStates() []string { return silentStates }

// Silence is a replica that does not answer while its cluster does. An unreachable cluster is an alarm of its own.
type Silence struct {
	Node
	ClusterName string
}

// Event says that the replica is silent.
func (s Silence) Event() Event {
	since := "has not answered yet"
	if s.SeenAt != nil {
		since = "has not answered since " + s.SeenAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	return Event{Severity: SeverityError, ClusterName: s.ClusterName, Place: s.Name, Raises: ConditionSilent,
		Message: fmt.Sprintf("The replica %s (%s) of the cluster %s %s. The cluster itself answers.", s.Name, s.Address(), s.ClusterName, since),
		Next:    "It is looked at again and again. Snapshots are taken from another node until it answers; if its shard has no other replica, from the primary."}
}

// SilenceOver says that the alarm about a replica is over: because it answers again, or else because its cluster does not have it any more.
func SilenceOver(a Alarm, answers bool) Event {
	text := fmt.Sprintf("The node %s is no longer part of the cluster %s.", a.Subject, a.ClusterName)
	if answers {
		text = fmt.Sprintf("The node %s of the cluster %s answers again.", a.Subject, a.ClusterName)
	}
	return Event{Severity: SeverityInfo, ClusterName: a.ClusterName, Place: a.Subject, Message: text, Ends: []Condition{ConditionSilent}}
}
