package models

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/words"
)

// Migration is the move of a running server's data into a launched cluster, as ElastiCache's online migration: the cluster's primary is a replica of
// that server until the migration is completed or given up.
type Migration struct {
	Source  string     // host:port, as somebody has named it; "": the cluster is a primary of its own
	Address string     // IP:port, to which the name led when the migration began
	Since   *time.Time // when it began
	Copied  bool       // the cluster has had all of the source's data once, and follows
}

// Migrating tells whether the primary of the cluster is to follow a server outside.
func (c Cluster) Migrating() bool { return c.Migration.Source != "" }

// MigrationSource is what a server says about itself that a cluster is to be filled from.
type MigrationSource struct {
	Address   string // IP:port
	Engine    Engine
	Sharded   bool // it is in cluster mode
	Loading   bool
	CutOff    bool     // it is a replica without a link to its primary
	Own       bool     // it is the cluster itself, or follows it
	Unread    bool     // the cluster's engine cannot load what it writes
	Modules   []string // that it has loaded, and the cluster's nodes have not
	Used      int64    // bytes
	Keys      int64
	Databases int // as many as it uses: the number of the last one that has keys, and one more
}

// CheckMigration says whether data can be moved into the cluster from a server at this address, as far as that can be told without asking any node.
// It returns the address in its final form.
func CheckMigration(cluster Cluster, source string) (string, error) {
	if code, why := cluster.noMigration(); why != "" {
		return source, Refuse(code, "", why)
	}
	endpoint, problem := CheckEndpoint(strings.TrimSpace(source))
	if problem != "" || strings.Contains(endpoint, "%") { // no zone of IPv6 either
		return source, Refuse(CodeInvalid, "source", fmt.Sprintf("%.100q is no address of a server. It must look like db1.example:6379, 10.0.0.5:6379 or [fd00::5]:6379.", source))
	}
	return endpoint, nil
}

// NoMigration says why no migration into the cluster can begin now, or "".
func (c Cluster) NoMigration() string {
	_, why := c.noMigration()
	return why
}

func (c Cluster) noMigration() (code Code, why string) {
	switch {
	case c.Attached():
		return CodeClusterState, c.notOurs("Have its primary follow another")
	case !c.Grouped || c.Cached():
		return CodeCombination, fmt.Sprintf("The cluster %s is a cache cluster, and data is moved into replication groups only, as in ElastiCache. Create one.", c.Name)
	case c.ClusterMode:
		return CodeCombination, fmt.Sprintf("The cluster %s is in cluster mode, whose nodes follow nobody outside. Move the data into one without cluster mode; "+
			"a snapshot of that can be restored into any number of shards.", c.Name)
	case c.TransitEncryption:
		return CodeCombination, fmt.Sprintf("The nodes of %s speak only TLS, and would do so with the source. As in ElastiCache, data is moved into a cluster without encryption in transit; "+
			"a snapshot of that can be restored into one that encrypts.", c.Name)
	case c.Migrating():
		return CodeMigrating, fmt.Sprintf("Data is being moved into %s already, from %s. Complete that first, or give it up.", c.Name, c.Migration.Source)
	case c.PasswordPending:
		return CodeClusterState, fmt.Sprintf("Not all nodes of %s have the password of its last change yet. Begin when they do: the console sees to that as soon as they answer.", c.Name)
	}
	return CodeClusterState, c.unavailable("data can be moved into it")
}

// NoCompletion says why the migration into the cluster can be neither completed nor given up now, or "".
func (c Cluster) NoCompletion() string {
	_, why := c.noCompletion()
	return why
}

func (c Cluster) noCompletion() (code Code, why string) {
	switch {
	case !c.Migrating():
		return CodeNotMigrating, fmt.Sprintf("No data is being moved into the cluster %s.", c.Name)
	case c.Status != ClusterMigrating:
		return CodeClusterState, fmt.Sprintf("The cluster %s is %s; its migration can be completed or given up when that is done.", c.Name, c.Status)
	}
	return "", ""
}

// CheckCompletion refuses to end a migration that cannot be ended now.
func CheckCompletion(cluster Cluster) error {
	if code, why := cluster.noCompletion(); why != "" {
		return Refuse(code, "", why)
	}
	return nil
}

// oldestSource is the first Redis that replicates by PSYNC in the way of today, and the first that ElastiCache migrates from.
const oldestSource = "2.8.21"

// CheckSource says why the cluster cannot be filled from this server.
func CheckSource(cluster Cluster, s MigrationSource) Faults {
	var faults Faults
	refuse := func(format string, args ...any) { faults.Add(CodeInvalid, "source", fmt.Sprintf(format, args...)) }
	databases := cluster.Databases
	if databases == 0 {
		databases = engineDatabases
	}
	switch {
	case s.Own:
		refuse("The server at %s is the cluster %s itself, or follows it.", s.Address, cluster.Name)
	case s.Loading:
		refuse("The server at %s is still loading its data. Try again when it has.", s.Address)
	case s.CutOff:
		refuse("The server at %s is a replica without a link to its primary, so it hands out nothing. Give the primary's address, or wait for the link.", s.Address)
	}
	if s.Sharded {
		refuse("The server at %s is in cluster mode, and %s is not. Attach that cluster, take a snapshot of it, and restore it into a new one.", s.Address, cluster.Name)
	}
	if s.Engine.Name == "redis" && !s.Engine.AtLeast(oldestSource) {
		refuse("The server at %s is a Redis %.20s. Data is moved from Redis %s on.", s.Address, s.Engine.Version, oldestSource)
	} else if s.Unread {
		refuse("%s at %s writes its data in a form that %s of the cluster %s cannot load. Create a cluster with an engine that is as new.",
			s.Engine, s.Address, cluster.EngineName(), cluster.Name)
	}
	if len(s.Modules) > 0 {
		refuse("The server at %s has modules whose keys the cluster cannot load: %.200s.", s.Address, strings.Join(s.Modules, ", "))
	}
	if s.Databases > databases {
		refuse("The server at %s uses %d databases, and the nodes of %s have %d.", s.Address, s.Databases, cluster.Name, databases)
	}
	if room := cluster.MaxMemory(); s.Used > room {
		holds, has := SizeTexts(s.Used, room)
		refuse("The server at %s holds %s, and %s has room for %s. Choose a larger node type.", s.Address, holds, cluster.NodeType, has)
	}
	return faults
}

// CheckEmpty refuses to have the data of a cluster replaced by that of another server.
func CheckEmpty(cluster Cluster, keys int64) error {
	if keys == 0 {
		return nil
	}
	return Refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s holds %s, which the source's data would replace. Nothing is deleted for a migration: "+
		"create a new cluster for it, or empty this one yourself (FLUSHALL), after a snapshot if you may want its data back.", cluster.Name, words.Plural(keys, "key")))
}

// CheckStranger refuses to have a cluster follow a node that Rekindle itself runs, which has these for neighbours: the supervision of the one would not
// know of the other.
func CheckStranger(address string, launched []Node) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the source's address %s: %w", address, err)
	}
	same := func(n Node) bool {
		host, err := netip.ParseAddr(n.Host)
		return err == nil && n.Port == int(at.Port()) && (host.Unmap() == at.Addr().Unmap() || host.IsUnspecified())
	}
	if i := slices.IndexFunc(launched, same); i >= 0 {
		return Refuse(CodeInvalid, "source", fmt.Sprintf("The node %s, which Rekindle runs, listens at %s. Take a snapshot of its cluster, and restore it into a new one.", launched[i].Name, address))
	}
	return nil
}

// SourceEndpoint splits the address that a node is told to follow. Only an IP address and a port pass, so that nothing else can get into a node's
// configuration.
func (m Migration) SourceEndpoint() (host, port string, err error) {
	at, err := netip.ParseAddrPort(m.Address)
	if err != nil || at.Addr().Zone() != "" || at.Port() == 0 {
		return "", "", fmt.Errorf("the address of the source is %.60q, which is none", m.Address)
	}
	return at.Addr().Unmap().String(), strconv.Itoa(int(at.Port())), nil
}
