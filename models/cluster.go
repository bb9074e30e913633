package models

import (
	"crypto/rand"
	"hash/fnv"

	"rekindle/internal/secret"
)

// Limits of a cluster, as in ElastiCache; the number of copies is Rekindle's own.
const (
	MaxReplicas  = 5
	MaxRetention = 35
	MaxCopies    = 20
)

// How a new cluster gets its password (Redis AUTH).
const (
	AuthNone     = "none"
	AuthGenerate = "generate"
	AuthGiven    = "given"
)

// ClusterSpec asks for a new cluster, or for several filled from one snapshot.
type ClusterSpec struct {
	Name        string
	Description string
	Engine      Engine
	NodeType    string
	Replicas    int
	Port        int // 0: automatic
	Auth        string
	Password    secret.Text // with AuthGiven
	Retention   int         // days; 0: no automatic backups
	Window      Window      // zero: no preference
	Snapshot    string      // "": empty
	Copies      int         // 0 counts as 1
	RequestedBy string

	CacheCluster   bool // a cache cluster in ElastiCache's terms, which has no replicas; else a replication group
	CacheNodes     int  // of memcached
	ParameterGroup string
	Attributes     Attributes
	Tags           map[string]string
	Sources        []string // RDB files elsewhere to be imported and restored; see [ImportSpec]
}

// GeneratePassword makes a password that [AuthGiven] would accept, with more than 128 bits of randomness.
func GeneratePassword() secret.Text { return secret.Text(rand.Text() + rand.Text()[:6]) }

// nodes is how many nodes each cluster is to have.
func (spec ClusterSpec) Nodes() int {
	if spec.Engine.Name == EngineMemcached {
		return spec.CacheNodes
	}
	return spec.Replicas + 1
}

// PickWindow chooses a window of one hour for a cluster whose owner has no preference: in the quiet hours from 22:00 to 06:00
// UTC, spread by the cluster's name, as ElastiCache picks one from a block of eight hours.
func PickWindow(cluster string) Window {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("window of " + cluster))
	return Window{Start: (22*60 + int(hash.Sum32()%14)*30) % dayMinutes, Length: MinWindowMinutes}
}

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
