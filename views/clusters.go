package views

import (
	"time"

	"rekindle/internal/words"
)

// ClusterRow is one cluster in a list.
type ClusterRow struct {
	ID            string
	Description   string
	Status        string
	Notice        string // what it has to say, such as that it was started empty; may be empty
	Kind          string // "launched" or "attached"
	Engine        string // "redis", "valkey", "memcached"
	EngineVersion string
	NodeType      string
	Nodes         int
	Schedule      Schedule
	Newest        time.Time // newest good snapshot; zero: none
	NewestName    string
	UsedMemory    int64
	MaxMemory     int64 // 0: no limit, or unknown
	CanSnapshot   bool
	CacheOnly     bool // memcached: there is nothing to back up
	Declared      bool // it comes from a clusters file, and cannot be changed here
}

// kindText says what kind of cluster it is.
func (c ClusterRow) kindText() string {
	if c.Declared {
		return sentenceCase(c.Kind) + ", from file"
	}
	return sentenceCase(c.Kind)
}

// KindAttached is the kind of clusters whose nodes were there before.
const KindAttached = "attached"

// Clusters is the list of clusters. Filters: q, status, engine. Sorted by: name, status, engine, node_type, nodes.
//
// Its select boxes are a GET form to DeleteClustersPath or SnapshotClustersPath: "name" once for each chosen row, or "all=on" with the filters, for
// all that match them.
type Clusters struct {
	List List
	Rows []ClusterRow
	Any  bool // there are clusters at all, whatever the filters say
	File ClustersFile
}

// The pages that ask about the clusters chosen in the list. No cluster can be called "-".
const (
	DeleteClustersPath   = "/clusters/-/delete"
	SnapshotClustersPath = "/clusters/-/snapshot"
)

var clusterFilterNames = []string{"q", "status", "standing", "engine"}

var clusterFilters = []Filter{
	{Name: "q", Label: "Name or description"},
	{Name: "status", Label: "Status", Options: []Option{
		{Value: "available", Label: "Available"}, {Value: "creating", Label: "Creating"},
		{Value: "modifying", Label: "Modifying"}, {Value: "snapshotting", Label: "Snapshotting"},
		{Value: "migrating", Label: "Migrating"}, {Value: "rebooting cluster nodes", Label: "Rebooting cluster nodes"}, {Value: "deleting", Label: "Deleting"}, {Value: "create-failed", Label: "Create failed"},
		{Value: "restore-failed", Label: "Restore failed"},
		{Value: "unreachable", Label: "Unreachable"},
	}},
	{Name: "standing", Label: "Protection", Options: []Option{
		{Value: Protected, Label: "Protected"}, {Value: Overdue, Label: "Overdue"}, {Value: LastFailed, Label: "Last failed"}, {Value: NoSchedule, Label: "No schedule"},
		{Value: FirstPending, Label: "No snapshot yet"}, {Value: NothingInIt, Label: "Never came up"}, {Value: CacheOnly, Label: "Cache only"},
	}},
	{Name: "engine", Label: "Engine", Options: []Option{{Value: "redis", Label: "Redis"}, {Value: "valkey", Label: "Valkey"}, {Value: "memcached", Label: "Memcached"}}},
}

// EngineText names an engine and its version: "Redis 7.0.15".
func EngineText(engine, version string) string { return words.Engine(engine, version) }
