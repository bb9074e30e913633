package views

import "time"

// RecoverForm asks for a snapshot of a cluster as it was at a moment, or for a new cluster.
type RecoverForm struct {
	Fields
	Cluster        string
	Places         []string  // exact places in the streams of shards, which are handed on
	Oldest, Newest time.Time // of the snapshots that a recovery can begin with; zero: there are none
	NodeTypes      []NodeType
	Command        string // the equivalent one; "": no moment was given yet
	CommandInto    string // the same for a new cluster
}

// chosen is what the moment becomes: "snapshot" or "cluster".
func (p RecoverForm) chosen() string { return p.or("into", "snapshot") }
