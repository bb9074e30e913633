package views

import (
	"net"
	"slices"
	"strings"
	"time"
)

// Node is one node of a cluster.
type Node struct {
	Name       string
	Shard      int    // from 1
	Role       string // "primary", "replica", "cache"
	Endpoint   string // host:port
	Slots      string // of a primary in cluster mode
	Status     string // "available", "starting", "loading", "syncing", "unreachable"...
	UsedMemory int64
	MaxMemory  int64
	Keys       int64 // -1: unknown
	LinkUp     bool  // replicas: the link to the primary is up
	LagBytes   int64 // replicas: behind the primary
	LagSeconds int64 // replicas: since the primary was last heard, -1: unknown
}

// Cluster is one cluster's page.
type Cluster struct {
	ID           string
	Drills       DrillPlan
	Journal      JournalLine
	Description  string
	Kind         string // "launched", "attached"
	Status       string
	StatusReason string // a sentence; shown as a banner when not empty
	ARN          string
	Engine       string
	Version      string
	NodeType     string
	Host         string // of the primary endpoint; for memcached: of the first node
	Port         int
	ClusterMode  bool
	Shards       int
	Replicas     int // per shard
	AuthEnabled  bool
	UserGroup    string // whose users sign in, each by a password of their own; "": none
	Encrypted    bool   // in transit; of launched clusters
	AtRest       bool   // its files are on encrypted storage, as was declared
	Certificate  bool   // that of the CA is known, and can be downloaded
	UsedMemory   int64
	MaxMemory    int64
	Keys         int64 // -1: unknown
	CreatedAt    time.Time
	Schedule     Schedule
	Newest       *SnapshotRow // the newest good snapshot of it; nil: there is none
	History      ClusterHistory
	Cost         *ClusterCost // of its snapshots; nil: nothing is kept
	Running      Work
	// RestoredFrom is the snapshot that its data came from, or was meant to come from. It may be gone, or no longer be good.
	RestoredFrom string
	Moment       time.Time // up to which the journal was replayed behind it; zero: it was not
	SourceExists bool
	SourceUsable bool
	// CanSnapshot is false for a type that cannot be snapshotted or a cluster in a state that forbids it; Refusal then says why.
	CanSnapshot bool
	Refusal     string
	Reach       *Reach // attached clusters
	Declared    string // the clusters file that it comes from; "": none
	Elsewhere   string // why it cannot be changed here, then
	CacheOnly   bool   // memcached: each node has its own keys, and there is nothing to back up
	CanReboot   bool
	CanMigrate  bool       // data can be moved into it
	Migration   *Migration // data is being moved into it
	CanFailOver bool       // there is a replica that could take over

	Tab           string // "nodes", "snapshots", "history", "events", "connect"; empty: nodes
	Nodes         []Node
	NodeCount     int
	Snapshots     []SnapshotRow // newest first, for that tab
	SnapshotCount int
	Events        []Event
	EventCount    int
	// Password is set only on the page that follows POST /clusters/{id}/password, once.
	Password      string
	PasswordKnown bool // launched clusters
	OldPassword   bool // another one is taken as well
	// Restored is what came of a restore into this cluster a while ago; nil: there was none.
	Restored *Restored
	// PasswordCommand changes the password; "": nobody can.
	PasswordCommand string
}

// Reach is how an attached cluster is reached, and what was seen of it.
type Reach struct {
	Topology    string // "a primary with 2 replicas"
	Addresses   []string
	Mapped      []string // announced=reached
	User        string   // "": the default one
	Password    bool     // there is one
	PrimaryName string   // as the Sentinels know it
	TLS         bool
	ServerName  string
	Unverified  bool
	Certificate bool // the console presents its own certificate
	PSYNC       string
	ByKey       bool      // snapshots are read key by key
	Tuned       bool      // nodes may be tuned while a snapshot begins
	Since       time.Time // when it became unreachable; zero: it is reachable
}

func (r Reach) user() string {
	name := "The default user"
	if r.User != "" {
		name = r.User
	}
	if r.Password {
		return name + ", with a password"
	}
	return name + ", without a password"
}

func (r Reach) tls() string {
	var text string
	switch {
	case !r.TLS:
		return "No: data crosses the network in the clear"
	case r.Unverified:
		text = "Yes, but certificates are not checked"
	case r.ServerName != "":
		text = "Yes, for the name " + r.ServerName
	default:
		text = "Yes, for the host of each address"
	}
	if r.Certificate {
		text += "; with a certificate of the console"
	}
	return text
}

func (r Reach) tuning() string {
	if r.Tuned {
		return "While a snapshot begins, where the user may do so"
	}
	return "Off: nothing is ever configured on its nodes"
}

// away tells whether an attached cluster cannot be reached.
func (p Cluster) away() bool { return p.Reach != nil && p.Status == "unreachable" }

func (p Cluster) awayText() string {
	if p.StatusReason == "" {
		return "The cluster does not answer."
	}
	return p.StatusReason
}

// slotted tells whether the primaries share the slots of a cluster.
func (p Cluster) slotted() bool {
	return slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Slots != "" })
}

// endpoints are those of all nodes with a role, one per line.
func (p Cluster) endpoints(role string) string {
	var lines []string
	for _, n := range p.Nodes {
		if n.Role == role {
			lines = append(lines, n.Endpoint)
		}
	}
	return strings.Join(lines, "\n")
}

func endpointsTitle(role, all string) string {
	many := strings.Contains(all, "\n")
	switch {
	case role == "primary" && many:
		return "Primaries"
	case many:
		return "Replicas"
	}
	return sentenceCase(role)
}

type tab struct{ key, label, count string }

func (p Cluster) tabs() []tab {
	tabs := []tab{{"nodes", "Nodes", Count(p.NodeCount)}}
	if !p.CacheOnly || p.SnapshotCount > 0 {
		tabs = append(tabs, tab{"snapshots", "Snapshots", Count(p.SnapshotCount)})
	}
	if !p.CacheOnly && !p.NeverRan() {
		tabs = append(tabs, tab{"history", "History", ""})
	}
	tabs = append(tabs, tab{"events", "Events", ""})
	if !p.NeverRan() {
		tabs = append(tabs, tab{"connect", "Connect", ""})
	}
	return tabs
}

// again is how a cluster that never came up is asked for anew: from the same snapshot, if there was one and it is still good.
func (p Cluster) again() Again {
	switch {
	case !p.NeverRan():
	case p.SourceUsable:
		return Again{Href: Link("snapshots", p.RestoredFrom, "restore")}
	case p.RestoredFrom == "":
		return Again{Href: "/clusters/-/new"}
	}
	return Again{}
}

// NeverRan tells whether it could not be created or restored; see [NeverRan].
func (p Cluster) NeverRan() bool { return NeverRan(p.Status) }

func (p Cluster) tab() string {
	if p.Tab == "" {
		return "nodes"
	}
	return p.Tab
}

// line describes the cluster in one line.
func (p Cluster) line() string {
	parts := []string{}
	if p.Description != "" {
		parts = append(parts, p.Description)
	}
	about := EngineText(p.Engine, p.Version)
	if p.NodeType != "" {
		about += " on " + p.NodeType
	}
	parts = append(parts, about)
	if !p.NeverRan() {
		parts = append(parts, Plural(p.NodeCount, "node"))
	}
	if p.Kind == KindAttached {
		parts = append(parts, "attached")
	}
	return strings.Join(parts, " · ")
}

func (p Cluster) endpointLabel() string {
	if p.CacheOnly {
		return "Endpoint of the first node"
	}
	if p.slotted() {
		return "Endpoint of the first primary"
	}
	return "Primary endpoint"
}

func (p Cluster) endpoint() string { return net.JoinHostPort(p.Host, itoa(p.Port)) }

// cliCommand is how to connect from a terminal. It asks for the password, so that it is not in the history.
func (p Cluster) cliCommand() string {
	cli := "redis-cli"
	if p.Engine == "valkey" {
		cli = "valkey-cli"
	}
	command := cli + " -h " + p.Host + " -p " + itoa(p.Port)
	if p.slotted() {
		command += " -c"
	}
	if p.Encrypted {
		command += " --tls --cacert " + p.certificateFile()
	}
	if p.UserGroup != "" {
		command += " --user USER --askpass"
	} else if p.AuthEnabled {
		command += " --askpass"
	}
	return command
}

// versionCommand asks a memcached node for its version without a client program.
func (p Cluster) versionCommand() string {
	return `printf 'version\r\nquit\r\n' | nc ` + p.Host + " " + itoa(p.Port)
}

// servers are all nodes, in the form that memcached clients take.
func (p Cluster) servers() string {
	all := make([]string, len(p.Nodes))
	for i, n := range p.Nodes {
		all[i] = n.Endpoint
	}
	return strings.Join(all, ",")
}

func (p Cluster) memcachedExample() string {
	quoted := make([]string, len(p.Nodes))
	for i, n := range p.Nodes {
		quoted[i] = `"` + n.Endpoint + `"`
	}
	return "from pymemcache.client.hash import HashClient\ncache = HashClient([" + strings.Join(quoted, ", ") +
		"])\ncache.set(\"greeting\", \"hello\")\ncache.get(\"greeting\")"
}

// url is the address that most clients take.
func (p Cluster) url() string {
	scheme := "redis://"
	if p.Encrypted {
		scheme = "rediss://"
	}
	if p.UserGroup != "" {
		return scheme + "USER:PASSWORD@" + p.endpoint() + "/0"
	}
	if !p.AuthEnabled {
		return scheme + p.endpoint() + "/0"
	}
	return scheme + ":PASSWORD@" + p.endpoint() + "/0"
}

// certificateFile is what the certificate of the CA is called when it is downloaded.
func (p Cluster) certificateFile() string { return p.ID + "-ca.pem" }

func (p Cluster) pythonExample() string {
	auth := ""
	if p.UserGroup != "" {
		auth = ", username=USER, password=PASSWORD"
	} else if p.AuthEnabled {
		auth = ", password=PASSWORD"
	}
	if p.Encrypted {
		auth += ", ssl=True, ssl_ca_certs=\"" + p.certificateFile() + "\""
	}
	return "import redis\nr = redis.Redis(host=\"" + p.Host + "\", port=" + itoa(p.Port) + auth + ")\nr.ping()"
}

// lagText says how far a replica is behind.
func lagText(n Node) string {
	switch {
	case n.Role != "replica":
		return "is the primary"
	case !n.LinkUp:
		return "link is down"
	case n.LagBytes == 0 && n.LagSeconds <= 1:
		return "none"
	case n.LagSeconds > 1:
		return SizeText(n.LagBytes) + ", " + DurationText(time.Duration(n.LagSeconds)*time.Second)
	}
	return SizeText(n.LagBytes)
}

func authText(on bool) string {
	if on {
		return "Password (AUTH)"
	}
	return "None: whoever reaches the port may read and write"
}

func clusterBannerKind(status string) string {
	switch status {
	case "restore-failed", "create-failed", "unreachable":
		return "error"
	}
	return "warning"
}

// modifiable tells whether a cluster in this status can be modified, now or soon.
func modifiable(status string) bool { return !NeverRan(status) && status != "deleting" }

// sourceText says what became of the snapshot from which a cluster could not be restored. Nothing is lost only if that snapshot can still be
// restored.
func (p Cluster) sourceText() string {
	switch {
	case p.RestoredFrom == "":
		return ""
	case p.SourceUsable:
		return "The snapshot " + p.RestoredFrom + " is untouched and can be restored again."
	case p.SourceExists:
		return "The snapshot " + p.RestoredFrom + " cannot be restored as it is now: its page says why."
	}
	return "The snapshot " + p.RestoredFrom + " no longer exists."
}

func neverRanText(p Cluster) string {
	switch {
	case p.StatusReason != "":
		return p.StatusReason
	case p.Status == "restore-failed":
		return "The cluster could not be restored."
	}
	return "The cluster could not be created."
}
