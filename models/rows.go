package models

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"rekindle/internal/secret"
)

// ClusterStatus is the state of a cluster, in ElastiCache's words.
type ClusterStatus string

// The states of a cluster. A cluster is created, then available; from there each action leads to a state of its own and back.
// Only one action at a time has a cluster: the change of state, made in the transaction that queues the run, is the lock.
const (
	ClusterCreating      ClusterStatus = "creating"
	ClusterAvailable     ClusterStatus = "available"
	ClusterModifying     ClusterStatus = "modifying"
	ClusterSnapshotting  ClusterStatus = "snapshotting"
	ClusterRebooting     ClusterStatus = "rebooting cluster nodes"
	ClusterDeleting      ClusterStatus = "deleting"
	ClusterRestoreFailed ClusterStatus = "restore-failed"
	ClusterCreateFailed  ClusterStatus = "create-failed" // as ElastiCache calls it
	ClusterUnreachable   ClusterStatus = "unreachable"
)

// Cluster is what a user names: one or more shards with the same configuration.
type Cluster struct {
	ID            uint
	Name          string `gorm:"uniqueIndex"`
	Description   string
	Kind          string // "launched"; clusters that were there before will be "attached"
	Home          string // of its nodes: the console with this [Owner.Home] looks after them
	Grouped       bool   // a replication group in ElastiCache's terms; else a cache cluster
	Engine        string
	EngineVersion string
	NodeType      string
	Shards        int
	Replicas      int  // per shard
	Databases     int  // of each node, from its creation on; 0: the engine's 16
	Port          int  // of the primary
	PortChosen    bool // false: automatic, and may change as long as the cluster is being created
	Password      secret.Text

	RetentionLimit int // days; 0: automatic backups are off
	SnapshotWindow Window
	WindowChosen   bool      // false: "no preference", Rekindle picked it
	ScheduleSince  time.Time // when the schedule came into force; missed windows were looked for until here

	Attributes        Attributes
	ParameterGroup    string
	ParametersWanted  int // grows whenever the parameters change
	ParametersApplied int // what the nodes have of it

	Status       ClusterStatus `gorm:"index"`
	StatusReason string        // a sentence, when the state needs one
	EmptiedAt    *time.Time    // when its data was lost; until somebody takes a snapshot by hand
	LossCause    string        // what became of the data that was lost then; "": it was started empty
	RestoredFrom string        // the snapshot's name
	UnsavedFrom  string        // the same, as long as no node has saved what it was filled with
	CreatedAt    time.Time
	UpdatedAt    time.Time

	Nodes []Node
}

// EngineName returns the engine with its version.
func (c Cluster) EngineName() Engine { return Engine{c.Engine, c.EngineVersion} }

// Backups tells whether automatic backups are on.
func (c Cluster) Backups() bool { return c.RetentionLimit > 0 && !c.SnapshotWindow.IsZero() }

// MaxMemory is what each node may hold, in bytes.
func (c Cluster) MaxMemory() int64 {
	t, _ := FindNodeType(c.NodeType)
	return t.Memory
}

// Primary returns the primary node.
func (c Cluster) Primary() (Node, bool) {
	for _, n := range c.Nodes {
		if n.Role == RolePrimary {
			return n, true
		}
	}
	return Node{}, false
}

// Role is what a node is within its shard.
type Role string

// The roles of a node.
const (
	RolePrimary Role = "primary"
	RoleReplica Role = "replica"
	RoleCache   Role = "cache" // of memcached: a node beside others, with keys of its own
)

// Node is one server process.
type Node struct {
	ID        uint
	ClusterID uint   `gorm:"index"`
	Name      string `gorm:"uniqueIndex"` // "orders-001"
	Shard     int    // from 1
	Role      Role
	Zone      string // availability zone, kept and given back; "": the region's first
	Host      string `gorm:"uniqueIndex:idx_nodes_endpoint"`
	Port      int    `gorm:"uniqueIndex:idx_nodes_endpoint"`
	CreatedAt time.Time

	// What the supervisor saw last.
	State      string // "starting", "available", "loading", "unreachable", "stopped"
	UsedMemory int64  // bytes
	MaxMemory  int64  // bytes
	Keys       int64
	LagBytes   int64 // behind the primary; -1: the link is down
	SeenAt     *time.Time
	Halted     bool // it was stopped on purpose, with the console
}

// InStep tells whether a node was, when it was last seen, a replica with a link to its primary.
func (n Node) InStep() bool {
	return n.Role == RoleReplica && n.State == "available" && n.LagBytes >= 0
}

// The states of nodes that the rules know; the supervisor writes others.
const NodeDeleting = "deleting" // a run is removing it

// Address returns "host:port".
func (n Node) Address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// NodeName is the name of the n-th node of a cluster, counted from 1, as ElastiCache numbers them.
func NodeName(cluster string, n int) string { return fmt.Sprintf("%s-%03d", cluster, n) }

// SnapshotStatus is the state of a snapshot, in ElastiCache's words.
type SnapshotStatus string

// The states of a snapshot.
const (
	SnapshotCreating  SnapshotStatus = "creating"
	SnapshotAvailable SnapshotStatus = "available"
	SnapshotRestoring SnapshotStatus = "restoring"
	SnapshotCopying   SnapshotStatus = "copying"
	SnapshotDeleting  SnapshotStatus = "deleting"
	SnapshotFailed    SnapshotStatus = "failed"
)

// Where a snapshot comes from.
const (
	SourceAutomatic = "automatic"
	SourceManual    = "manual"
)

// Snapshot is one backup of a whole cluster. The row is a catalog entry; the truth is the manifest in the store.
type Snapshot struct {
	ID           uint
	Name         string         `gorm:"uniqueIndex"`
	ClusterName  string         `gorm:"index"`
	ClusterID    uint           `gorm:"index"` // 0 when the cluster is gone
	Source       string         `gorm:"index"`
	Status       SnapshotStatus `gorm:"index"`
	StatusReason string

	// The cluster's configuration at that time.
	Description    string
	Engine         string
	EngineVersion  string
	NodeType       string
	Shards         int
	Replicas       int
	Port           int
	RetentionLimit int
	SnapshotWindow Window
	AuthEnabled    bool
	Grouped        bool
	ParameterGroup string
	Attributes     Attributes
	Node           string // stands for the cluster where ElastiCache names a node: the one asked for, else one that would serve
	NodeCreatedAt  *time.Time

	RDBVersion int
	Bytes      int64 // plain RDB
	Stored     int64 // in the store
	Keys       int64 // -1: unknown
	UsedMemory int64 // of the source, bytes
	ServedBy   string
	ServedRole Role
	Warning    string // what the person should know, such as that the primary had to serve
	Origin     string // a sentence: copied or imported from where; "": taken of a cluster

	Attempt        string // at which its parts are, or were last, stored: what lies there is this catalog's own; "": in format version 1
	ManifestSHA256 string // by which its manifest is known; "": not known yet

	VerifiedAt    *time.Time // when every byte of it was last read back and found right; at first, its completion
	VerifyTriedAt *time.Time // when the schedule last asked for that
	Damage        string     // what is wrong with what is stored, in sentences; its bytes stay until it is deleted by hand

	CreatedAt   time.Time `gorm:"index"`
	StartedAt   *time.Time
	CompletedAt *time.Time

	Parts []Part
}

// EngineName returns the engine with its version.
func (s Snapshot) EngineName() Engine { return Engine{s.Engine, s.EngineVersion} }

// Usable tells whether it can be restored, downloaded or copied.
func (s Snapshot) Usable() bool {
	return s.Status == SnapshotAvailable || s.Status == SnapshotRestoring || s.Status == SnapshotCopying
}

// Part is one shard's RDB within a snapshot, as the manifest has it.
type Part struct {
	ID                uint
	SnapshotID        uint `gorm:"index"`
	Number            int
	Object            string
	Slots             string
	Bytes             int64
	Stored            int64
	Keys              int64
	Expires           int64
	Databases         int    // how many a node needs to load it; 0: unknown
	Digest            string // of the plain RDB: "xxh128:..." or "sha256:..."
	StoredSHA256      string
	CRC64             string
	ServedBy          string
	ServedRole        Role
	ReplicationID     string
	ReplicationOffset int64
	StartedAt         time.Time
	CompletedAt       time.Time
}

// WindowMark says what became of one cluster's window on one day. Its unique pair of cluster and window is what decides when
// two ticks, or two consoles, see the same window at once.
type WindowMark struct {
	ID        uint
	ClusterID uint      `gorm:"uniqueIndex:idx_window_marks_window"`
	Opens     time.Time `gorm:"uniqueIndex:idx_window_marks_window"`
	Outcome   MarkOutcome
	Attempts  int
	Tried     time.Time
}

// Severity sorts events.
type Severity string

// The severities of an [Event].
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Event is something that happened and that somebody may want to know later.
type Event struct {
	ID           uint
	At           time.Time `gorm:"index"`
	Severity     Severity
	ClusterName  string `gorm:"index"`
	SnapshotName string
	SourceType   string // what kind of thing the cluster was, as ElastiCache calls it; "" without a cluster
	Message      string // one sentence or two, for a person
}

// Setting is one value that an administrator can change while the console runs.
type Setting struct {
	Name  string `gorm:"primaryKey"`
	Value string
}
