package models

// Examination describes a cluster before it is attached, and what may be done with it. Nothing was changed to find out.
type Examination struct {
	Found
	PrimaryName string // the name that Sentinels use for it
	Nodes       []Examined
	Modules     []string // whose data only nodes with the same modules load
	Hindrances  []string // why no snapshot could be taken, as sentences
	Notes       []string // what else to know, as sentences
	Rights      string   // the command that gives the user what it lacks; "": it lacks nothing
	Tuning      string   // whether nodes would be tuned for a snapshot, as sentences; "": that is turned off
	TuningRight string   // the command that gives the user what tuning needs; "": nothing is missing, or a command would not help
}

// Examined is a node as it was found.
type Examined struct {
	FoundNode
	Announced   string // the address under which other nodes know it, if different
	Shard       int    // from 1
	Version     Engine
	Persistence string // "RDB", "AOF", "RDB and AOF", "none"
	Source      bool   // a snapshot of its shard would be taken here
	ForkMemory  int64  // bytes that a fork may have to copy in the worst case; 0: nothing forks
	HostMemory  int64  // memory of its whole host in bytes; 0: it does not say
	Problem     string // why it does not answer
}
