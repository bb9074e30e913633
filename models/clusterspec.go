package models

import (
	"crypto/rand"
	"hash/fnv"
	"time"

	"rekindle/internal/secret"
	"rekindle/internal/slots"
)

// Limits of a cluster, as in ElastiCache; the number of copies is Rekindle's own.
const (
	MaxReplicas  = 5
	MaxShards    = 90
	MaxRetention = 35
	MaxCopies    = 20
)

// How a new cluster gets its password (Redis AUTH).
const (
	AuthNone     = "none"
	AuthGenerate = "generate"
	AuthGiven    = "given"
)

// ClusterSpec is a request for a new cluster, or for several filled from one snapshot.
type ClusterSpec struct {
	Name        string
	Description string
	Engine      Engine
	NodeType    string
	ClusterMode bool
	Shards      int      // in cluster mode; 0 counts as 1
	Slots       []string // of each shard, "0-5460,9000"; none: spread evenly
	Replicas    int      // of each shard
	Port        int      // 0: automatic
	Auth        string
	Password    secret.Text   // with AuthGiven
	Encrypted   bool          // in transit
	UserGroup   string        // who may sign in, instead of by a password
	Retention   int           // days; 0: no automatic backups
	Window      Window        // zero: no preference
	Snapshot    string        // "": empty
	Straight    *StraightFrom // the moment that it is made of; nil: none
	Deadlines   Deadlines     // of the keys that are restored
	Copies      int           // 0 counts as 1
	RequestedBy string

	CacheCluster   bool // a cache cluster in ElastiCache's terms, which has no replicas; otherwise a replication group
	CacheNodes     int  // of memcached
	ParameterGroup string
	Attributes     Attributes
	Tags           map[string]string
	Sources        []string // RDB files elsewhere, to be imported and restored; see [ImportSpec]
}

// GeneratePassword returns a password with more than 128 bits of randomness, which [AuthGiven] would accept.
func GeneratePassword() secret.Text { return secret.Text(rand.Text() + rand.Text()[:6]) }

// Nodes returns how many nodes each cluster is to have.
func (spec ClusterSpec) Nodes() int {
	if spec.Engine.Name == EngineMemcached {
		return spec.CacheNodes
	}
	return spec.ShardCount() * (spec.Replicas + 1)
}

// ShardCount returns how many shards each cluster is to have.
func (spec ClusterSpec) ShardCount() int {
	if !spec.ClusterMode {
		return 1
	}
	return max(1, spec.Shards)
}

// ShownEngine returns the engine with the version that was asked for; see [Configuration.ShownEngine].
func (spec ClusterSpec) ShownEngine() Engine {
	return Configuration{Engine: spec.Engine.Name, EngineVersion: spec.Engine.Version, Attributes: spec.Attributes}.ShownEngine()
}

// NodeNames returns the names of the nodes of a cluster with this name: shard by shard, the primary first.
func (spec ClusterSpec) NodeNames(cluster string) []string {
	var names []string
	for i := range spec.Nodes() {
		if spec.ClusterMode {
			each := spec.Replicas + 1
			names = append(names, ShardNodeName(cluster, i/each+1, i%each+1))
		} else {
			names = append(names, NodeName(cluster, i+1))
		}
	}
	return names
}

// PickWindow chooses a window of one hour for a cluster whose owner has no preference: in the quiet hours from 22:00 to 06:00
// UTC, spread by the cluster's name, as ElastiCache picks one from a block of eight hours.
func PickWindow(cluster string) Window {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("window of " + cluster))
	return Window{Start: (22*60 + int(hash.Sum32()%14)*30) % dayMinutes, Length: MinWindowMinutes}
}

// RenameField makes a refusal name another field of the form.
func RenameField(err error, from, to string) error {
	faults, ok := AsFaults(err)
	if !ok {
		return err
	}
	renamed := make(Faults, len(faults))
	for i, f := range faults {
		if f.Field == from {
			f.Field = to
		}
		renamed[i] = f
	}
	return renamed
}

// NewCluster returns the row of a requested cluster, with its nodes, which are placed at these endpoints of a host.
func NewCluster(spec ClusterSpec, name, home string, endpoints []Endpoint, now time.Time) Cluster {
	cluster := Cluster{
		Name: name, Kind: KindLaunched, Home: home,
		Configuration: Configuration{
			Description: spec.Description, Grouped: !spec.CacheCluster, Engine: spec.Engine.Name, EngineVersion: spec.Engine.Version, NodeType: spec.NodeType,
			ClusterMode: spec.ClusterMode, ShardCount: spec.ShardCount(), Replicas: spec.Replicas, Port: endpoints[0].Port, RetentionLimit: spec.Retention, SnapshotWindow: spec.Window, ParameterGroup: spec.ParameterGroup,
			TransitEncryption: spec.Encrypted,
		},
		PortChosen: spec.Port != 0, Password: spec.Password, WindowChosen: !spec.Window.IsZero(), ScheduleSince: now,
		UserGroup: spec.UserGroup, UsersWanted: 1,
		Status: ClusterCreating, RestoredFrom: spec.Snapshot, CreatedAt: now, UpdatedAt: now,
	}
	if cluster.SnapshotWindow.IsZero() {
		cluster.SnapshotWindow = PickWindowBeside(name, spec.Attributes.MaintenanceWindow)
	}
	cluster.Attributes = spec.Attributes.Complete(cluster.SnapshotWindow, endpoints[0].Host)
	names, each := spec.NodeNames(name), spec.Replicas+1
	sets := spec.Slots
	if spec.ClusterMode && len(sets) == 0 {
		sets = slots.Spread(spec.ShardCount())
	}
	for i, endpoint := range endpoints {
		node := Node{Name: names[i], Shard: i/each + 1, Role: RoleReplica, Host: endpoint.Host, Port: endpoint.Port, Announced: endpoint.Announced, State: NodePlanned, MaxMemory: cluster.MaxMemory(), CreatedAt: now}
		switch {
		case cluster.Cached():
			node.Shard, node.Role = 1, RoleCache
		case i%each == 0:
			if node.Role = RolePrimary; spec.ClusterMode {
				node.Slots = sets[node.Shard-1]
			}
		}
		if i < len(spec.Attributes.Zones) {
			node.Zone = spec.Attributes.Zones[i]
		}
		cluster.Nodes = append(cluster.Nodes, node)
	}
	return cluster
}

// DeleteSpec is a request to delete a cluster; an attached one is only detached.
type DeleteSpec struct {
	FinalSnapshot string // taken first, under this name; "": none
	KeepAutomatic bool   // its automatic snapshots stay, until somebody deletes them
	RequestedBy   string
}
