package views

// FillCluster is the page on which a snapshot is restored into an existing cluster: it asks first for the cluster, then what to do with its keys.
// Form: POST /snapshots/{name}/into with cluster, existing, safety, safety_name and confirm.
type FillCluster struct {
	Fields
	Snapshot  string
	Keys      int64 // of the snapshot; -1: unknown
	Bytes     int64
	Logical   string // a sentence that says that it is not of one point in time; "": it is
	Deadlines Deadlines
	Clusters  Choices // to choose from, until one is chosen
	Target    *FillTarget
}

// FillTarget is the chosen cluster.
type FillTarget struct {
	ID       string
	Status   string
	Refusal  string // a sentence, if nothing can be restored into it now
	Topology string
	Keys     int64 // -1: unknown
	Used     int64
}

// empty tells that nothing can be lost.
func (t FillTarget) empty() bool { return t.Keys == 0 }

func (p FillCluster) existing() []fillChoice {
	return []fillChoice{
		{"keep", "Keep them", "Keys that it does not have are added. Where both have a key, the cluster's stays."},
		{"replace", "Replace them by the snapshot's", "Where both have a key, the snapshot's takes its place. Keys that only the cluster has stay."},
		{"flush", "Delete all of them first", "The cluster holds what the snapshot holds, and nothing else."},
	}
}

type fillChoice struct{ value, label, help string }

// path is where the form goes.
func (p FillCluster) path() string { return string(Link("snapshots", p.Snapshot, "into")) }
