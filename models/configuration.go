package models

// Configuration is how a cluster should be. The same type is used in a cluster, in a snapshot of it, in a manifest and in a record.
type Configuration struct {
	Description    string
	Grouped        bool // a replication group in ElastiCache's terms; otherwise a cache cluster
	Engine         string
	EngineVersion  string
	NodeType       string
	ClusterMode    bool // its keys are spread over shards by slot, however many those are
	ShardCount     int  `gorm:"column:shards"`
	Replicas       int  // per shard
	Port           int  // of the primary
	RetentionLimit int  // days; 0: automatic backups are off
	SnapshotWindow Window
	ParameterGroup string
	Attributes     Attributes

	TransitEncryption bool // its nodes speak TLS and nothing else
}

// EngineName returns the engine with its version.
func (c Configuration) EngineName() Engine { return Engine{c.Engine, c.EngineVersion} }

// Cached tells whether it is a cluster of memcached, which stores nothing permanently.
func (c Configuration) Cached() bool { return c.Engine == EngineMemcached }

// Backups tells whether automatic backups are on.
func (c Configuration) Backups() bool { return c.RetentionLimit > 0 && !c.SnapshotWindow.IsZero() }

// MaxMemory is what each node may hold, in bytes.
func (c Configuration) MaxMemory() int64 {
	t, _ := FindNodeType(c.NodeType)
	return t.Memory
}
