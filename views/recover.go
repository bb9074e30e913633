package views

import "time"

// RecoverForm asks for a snapshot of a cluster as it was at a moment.
type RecoverForm struct {
	Fields
	Cluster        string
	Places         []string  // exact places in the streams of shards, which are handed on
	Oldest, Newest time.Time // of the snapshots that a recovery can begin with; zero: there are none
	Command        string    // the equivalent one; "": no moment was given yet
}
