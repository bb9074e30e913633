package views

// FillCluster is the page on which a snapshot is restored into a cluster that exists: first which one, then what becomes of the keys that it has.
// Form: POST /snapshots/{name}/into with cluster, existing, safety, safety_name and confirm.
type FillCluster struct {
	Fields
	Snapshot string
	Keys     int64 // of the snapshot; -1: not known
	Bytes    int64
	Clusters Choices // to choose from, while none is chosen
	Target   *FillTarget
}

// FillTarget is the cluster that was chosen.
type FillTarget struct {
	ID       string
	Status   string
	Refusal  string // a sentence, when nothing can be restored into it now
	Topology string
	Keys     int64 // -1: not known
	Used     int64
}

// empty tells whether nothing can be lost.
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
