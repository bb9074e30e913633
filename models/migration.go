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

// Migration moves the data of a running server into a launched cluster, like ElastiCache's online migration. The cluster's primary is a
// replica of that server until the migration is completed or given up.
type Migration struct {
	Source  string     // host:port, as it was given; "": the cluster is not migrating
	Address string     // IP:port, what the name resolved to when the migration began
	Since   *time.Time // when it began
	Copied  bool       // the cluster has once had all of the source's data
}

// Migrating reports whether the cluster's primary has to follow an outside server.
func (c Cluster) Migrating() bool { return c.Migration.Source != "" }

// MigrationSource is what a possible source of a migration reports about itself.
type MigrationSource struct {
	Address   string // IP:port
	Engine    Engine
	Sharded   bool // it is in cluster mode
	Loading   bool
	CutOff    bool     // it is a replica without a link to its primary
	Own       bool     // it is the cluster itself, or one of its replicas
	Unread    bool     // the cluster's engine cannot load what it writes
	Modules   []string // that the source has loaded and the cluster's nodes have not
	Used      int64    // bytes
	Keys      int64
	Databases int // in use: the number of the last one with keys, plus one
}

// CheckMigration checks whether data can be moved into the cluster from a server at this address, as far as that is known without asking any
// node. It returns the address in its final form. Refusals are [Faults].
func CheckMigration(cluster Cluster, source string) (string, error) {
	if code, why := cluster.noMigration(); why != "" {
		return source, Refuse(code, "", why)
	}
	endpoint, problem := CheckEndpoint(strings.TrimSpace(source))
	if problem != "" || strings.Contains(endpoint, "%") { // IPv6 zones are refused
		return source, Refuse(CodeInvalid, "source", fmt.Sprintf("%.100q is not the address of a server. It must look like db1.example:6379, 10.0.0.5:6379 or [fd00::5]:6379.", source))
	}
	return endpoint, nil
}

// NoMigration returns a sentence that says why no migration into the cluster can begin now, or "".
func (c Cluster) NoMigration() string {
	_, why := c.noMigration()
	return why
}

func (c Cluster) noMigration() (code Code, why string) {
	switch {
	case c.Attached():
		return CodeClusterState, c.notOurs("Have its primary follow another")
	case !c.Grouped || c.Cached():
		return CodeCombination, fmt.Sprintf("The cluster %s is a cache cluster. As in ElastiCache, data can be moved only into replication groups. Create one.", c.Name)
	case c.ClusterMode:
		return CodeCombination, fmt.Sprintf("The cluster %s is in cluster mode, in which nodes cannot follow outside servers. Move the data into one without cluster mode; "+
			"a snapshot of that can be restored into any number of shards.", c.Name)
	case c.TransitEncryption:
		return CodeCombination, fmt.Sprintf("The nodes of %s speak only TLS, to the source as well. As in ElastiCache, data is moved into a cluster without encryption in transit; "+
			"a snapshot of that can be restored into one that encrypts.", c.Name)
	case c.Migrating():
		return CodeMigrating, fmt.Sprintf("Data is already being moved into %s, from %s. Complete that migration first, or give it up.", c.Name, c.Migration.Source)
	case c.PasswordPending:
		return CodeClusterState, fmt.Sprintf("Not all nodes of %s have the password from its last change yet. They get it as soon as they answer; begin then.", c.Name)
	}
	return CodeClusterState, c.unavailable("data can be moved into it")
}

// NoCompletion returns a sentence that says why the migration into the cluster can be neither completed nor given up now, or "".
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

// CheckCompletion returns [Faults] if the migration into the cluster cannot be ended now.
func CheckCompletion(cluster Cluster) error {
	if code, why := cluster.noCompletion(); why != "" {
		return Refuse(code, "", why)
	}
	return nil
}

// oldestSource is the first version of Redis that speaks today's PSYNC, and the first that ElastiCache migrates from.
const oldestSource = "2.8.21"

// CheckSource returns all reasons why the cluster cannot be filled from this server.
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
		refuse("The server at %s is still loading its data. Try again when that is done.", s.Address)
	case s.CutOff:
		refuse("The server at %s is a replica without a link to its primary, so it cannot be followed. Give the primary's address, or wait for the link.", s.Address)
	}
	if s.Sharded {
		refuse("The server at %s is in cluster mode, and %s is not. Attach that cluster, take a snapshot of it, and restore it into a new one.", s.Address, cluster.Name)
	}
	if s.Engine.Name == "redis" && !s.Engine.AtLeast(oldestSource) {
		refuse("The server at %s is Redis %.20s. Data can be moved from Redis %s and later.", s.Address, s.Engine.Version, oldestSource)
	} else if s.Unread {
		refuse("%s at %s writes its data in a form that %s of the cluster %s cannot load. Create a cluster with an engine that is at least as new.",
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

// CheckEmpty returns [Faults] if the cluster holds keys, because a migration would replace them.
func CheckEmpty(cluster Cluster, keys int64) error {
	if keys == 0 {
		return nil
	}
	return Refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s holds %s, which the source's data would replace. Nothing is deleted for a migration: "+
		"create a new cluster for it, or empty this one yourself (FLUSHALL), after a snapshot if you may want its data back.", cluster.Name, words.Plural(keys, "key")))
}

// CheckStranger returns [Faults] if the address is that of a node that Rekindle runs itself. Its supervision would
// not know about the migration.
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

// SourceEndpoint splits the source's address into host and port. It accepts only an IP address and a port, so that nothing else can get into
// a node's configuration.
func (m Migration) SourceEndpoint() (host, port string, err error) {
	at, err := netip.ParseAddrPort(m.Address)
	if err != nil || at.Addr().Zone() != "" || at.Port() == 0 {
		return "", "", fmt.Errorf("the address of the source is %.60q, which is not valid", m.Address)
	}
	return at.Addr().Unmap().String(), strconv.Itoa(int(at.Port())), nil
}
