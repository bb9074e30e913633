package views

// FillCluster is the page on which a snapshot is restored into an existing cluster: it asks first for the cluster, then what to do with its keys.
// Form: POST /snapshots/{name}/into with cluster, existing, safety, safety_name and confirm.
type FillCluster struct {
	Fields
	Snapshot string
	Keys     int64 // of the snapshot; -1: unknown
	Bytes    int64
	Logical  string  // a sentence that says that it is not of one point in time; "": it is
	Mortal   int64   // how many of its keys have a deadline; -1: unknown
	Clusters Choices // to choose from, until one is chosen
	Target   *FillTarget

	FieldsExpire bool // it may have hashes whose fields have deadlines
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

func (p FillCluster) deadlines() []fillChoice {
	return []fillChoice{
		{"", "Keep their deadlines", "They expire when they would have anyway. Those whose time has passed since the snapshot are gone."},
		{"shift", "Give them the time that they had left", "An hour when the snapshot was taken is an hour from now: sessions and caches come back with it."},
		{"drop", "Drop the deadlines", "They stay until somebody deletes them."},
	}
}

// deadlinesLegend says what it is about; "" if nothing has a deadline.
func (p FillCluster) deadlinesLegend() string {
	keys, fields := "", ""
	switch {
	case p.Mortal < 0:
		keys = "Keys of the snapshot with a deadline"
	case p.Mortal > 0:
		keys = Plural(p.Mortal, "key") + " of the snapshot with a deadline"
	}
	switch {
	case p.FieldsExpire && keys == "":
		fields = "Fields of hashes with a deadline"
	case p.FieldsExpire:
		fields = ", and fields of hashes with one"
	}
	return keys + fields
}

type fillChoice struct{ value, label, help string }

// path is where the form goes.
func (p FillCluster) path() string { return string(Link("snapshots", p.Snapshot, "into")) }
