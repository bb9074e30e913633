package models

// Examination is what a cluster was found to be that might be attached, and what may be done with it there. Nothing was changed to find out.
type Examination struct {
	Found
	PrimaryName string // what Sentinels call it
	Nodes       []Examined
	Modules     []string // whose data only nodes with the same modules load
	Hindrances  []string // why no snapshot could be taken, as sentences
	Notes       []string // what else to know, as sentences
	Rights      string   // the command that gives the user what it lacks; "": it lacks nothing
}

// Examined is a node as it was found.
type Examined struct {
	FoundNode
	Announced   string // where others know it, when that is somewhere else
	Shard       int    // from 1
	Version     Engine
	Persistence string // "RDB", "AOF", "RDB and AOF", "none"
	Source      bool   // a snapshot of its shard would be taken here
	ForkMemory  int64  // bytes that a fork may have to copy in the worst case
	HostMemory  int64  // bytes, of its whole host; 0: it does not say
	Problem     string // why it does not answer
}
