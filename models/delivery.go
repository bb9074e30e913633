package models

import "time"

// Phase says what a message tells of an alarm.
type Phase string

// The phases.
const (
	PhaseBegins Phase = "begins"
	PhaseLasts  Phase = "lasts"
	PhaseEnds   Phase = "ends"
	PhaseTest   Phase = "test" // somebody tries the channel out
)

// DeliveryState is how far a [Delivery] has come.
type DeliveryState string

// The states of a delivery: waiting, then one of the others.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryGivenUp   DeliveryState = "given-up"
)

// Delivery is a message on its way through a channel, or one that has gone it.
type Delivery struct {
	ID           uint
	Ref          string // unique, and in the message: a receiver that gets it twice can tell
	ChannelID    uint
	ChannelName  string
	Condition    Condition
	Phase        Phase
	ClusterName  string
	SnapshotName string
	Title        string // a few words
	Text         string // what happened, in sentences
	Next         string // what Rekindle does about it
	Since        time.Time
	State        DeliveryState
	Attempts     int
	DueAt        time.Time // of the next attempt, while it waits
	Answer       string    // what the receiver answered last, or why there was no answer
	CreatedAt    time.Time
	EndedAt      *time.Time
}

// Path is the address of the page about it, within the console.
func (d Delivery) Path() string {
	switch {
	case d.Phase == PhaseTest:
		return "/settings/notifications"
	case d.Condition == ConditionDamaged && d.SnapshotName != "":
		return "/snapshots/" + d.SnapshotName
	case d.ClusterName != "":
		return "/clusters/" + d.ClusterName
	case d.Condition == ConditionStore:
		return "/settings/storage"
	}
	return "/events"
}

// retries are the pauses between attempts to deliver a message.
var retries = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

// RetryDelivery tells after which pause a delivery is tried again that has failed this many times, and false when it is given up.
func RetryDelivery(attempts int) (time.Duration, bool) {
	if attempts < 1 {
		attempts = 1
	}
	if attempts > len(retries) {
		return 0, false
	}
	return retries[attempts-1], true
}

// How long events and messages are kept, in days. ElastiCache keeps events for two weeks, so that the API must have as many.
const (
	DefaultKeepEvents = 90
	MinKeepEvents     = 14
	MaxKeepEvents     = 3650
)
