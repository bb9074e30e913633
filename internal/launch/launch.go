// Package launch says what a launcher does: it places the nodes of launched clusters, starts and stops them, and finds them again. Ports,
// addresses, processes and files are its own business; everybody else knows a node by its names and speaks to it at its endpoint.
package launch

import (
	"context"
	"errors"
	"time"

	"rekindle/internal/secret"
)

var (
	// ErrName: a cluster's or node's name that cannot be placed.
	ErrName = errors.New("names may only contain a-z, 0-9 and hyphens, must not begin with a hyphen and have at most 63 characters")
	// ErrNode: a node that is described wrongly; the text says how.
	ErrNode = errors.New("invalid node")
	// ErrNoEngine: the engine is not installed in this version or a newer one.
	ErrNoEngine = errors.New("engine not installed")
	// ErrNoTLS: the engine was built without TLS, and the node is to encrypt.
	ErrNoTLS = errors.New("engine built without TLS")
	// ErrPortTaken: somebody else listens on the node's port. Another port may work.
	ErrPortTaken = errors.New("port is taken by another process")
	// ErrData: the server could not load the RDB that the node has saved.
	ErrData = errors.New("its dump.rdb cannot be loaded")
	// ErrNoPort: no endpoint is free.
	ErrNoPort = errors.New("no free port")
	// ErrRunning: the node runs, so its data cannot be touched.
	ErrRunning = errors.New("node is running")
	// ErrNotStopped: the node still runs after the time it was given.
	ErrNotStopped = errors.New("node did not stop in time")
	// ErrNotSaved: the node refused to stop, because it could not save. It runs on.
	ErrNotSaved = errors.New("node could not save its data and runs on")
)

// A Launcher has nodes and what they run on. It is safe for concurrent use, also by several consoles on the same nodes.
type Launcher interface {
	Placer
	Runner
	Historian
	Certifier
}

// Placer says what nodes can be started, and where.
type Placer interface {
	// Engines lists what nodes can run, sorted by name and newest first within a name. None at all is no error.
	Engines(ctx context.Context) ([]Engine, error)
	// Memory is what there is for nodes.
	Memory(ctx context.Context) (Memory, error)
	// Address is that of nodes which are told no other.
	Address() string
	// Place finds an endpoint for a new node: with this port at any address, or with port 0 any port at [Placer.Address]. Nobody listens there now,
	// and taken (may be nil) does not claim it. Until the node is started somebody else may take it: then Start says ErrPortTaken. ErrNoPort
	// when there is none.
	Place(ctx context.Context, port int, taken func(Endpoint) bool) (Endpoint, error)
}

// Runner starts and stops nodes.
type Runner interface {
	// Start makes sure that the node runs and returns when it answers. One that runs already is left as it is, whatever n says. A primary answers
	// when it has loaded what it saved, a replica as soon as it takes commands. When the server cannot start, it is gone, and the error says
	// why: ErrPortTaken, ErrNoEngine, ErrNoTLS, ErrName, ErrNode, ErrData, or in other words.
	Start(ctx context.Context, n Node) error
	// Stop ends the node and returns when it is gone. One that does not run is fine.
	Stop(ctx context.Context, cluster, name string, how How) error
	// Remove deletes a node with all that it has saved. ErrRunning, and nothing deleted, when it runs; one that never was is fine.
	Remove(ctx context.Context, cluster, name string) error
	// KeepPasswords writes down by which passwords a node is reached from here, and with former ones it may still have, when they are changed while it
	// runs. A node that never was is fine.
	KeepPasswords(ctx context.Context, cluster, name string, passwords Passwords) error
	// Running tells whether the node's server, or a child that it forked, is alive. One that never was is not running.
	Running(ctx context.Context, cluster, name string) (bool, error)
	// List returns all nodes that were started and not removed, running or not, sorted: more than the catalog has are orphans.
	List(ctx context.Context) ([]ID, error)
}

// Historian knows what is left of a node: what a console needs to bring one back that has ended.
type Historian interface {
	// Describe says as what the node was started last, its password included. One that never was is fs.ErrNotExist.
	Describe(ctx context.Context, cluster, name string) (Found, error)
	// Saved looks at the RDB that the node has saved last. A node without one is no error. Whether it can be loaded, Start says: ErrData.
	Saved(ctx context.Context, cluster, name string) (Saved, error)
	// SetAside puts the node's RDB, which cannot be loaded, out of its way, so that it starts without, and returns the file's new name. An older
	// one that was set aside is replaced. ErrRunning when the node runs.
	SetAside(ctx context.Context, cluster, name string) (string, error)
	// LastWords says in a sentence why a node that was started has ended, or does not take what it is fed: the cause that it has named since it was
	// started, else, with named false, the last that it said; "" when that is nothing. Without the password, and shortened when it is long.
	LastWords(ctx context.Context, cluster, name string) (sentence string, named bool)
}

// Certifier gives nodes that encrypt what they prove with who they are.
type Certifier interface {
	// Authority is what clients of nodes that encrypt are to trust: certificates, as PEM. The first call makes the authority.
	Authority(ctx context.Context) (string, error)
	// Certify returns a certificate of this host's own at an address, with its key, as PEM: nodes that encrypt take it for one of theirs.
	Certify(ctx context.Context, host string) ([]byte, error)
	// Renew sees to it that a node which encrypts goes on proving who it is: when its certificate will end soon, or is by another authority than now,
	// it gets a new one, without a restart, and the answer is true. Others, and nodes that do not run, are left as they are.
	Renew(ctx context.Context, cluster, name string) (bool, error)
}

// FolderOwner is a Launcher whose nodes have their files in a folder of this host, where nothing else may be written.
type FolderOwner interface {
	// Owns tells whether a path, which need not exist, lies in that folder or is it, by whatever links.
	Owns(path string) bool
}

// How a node is stopped.
type How int

const (
	// Save: it saves first, however long that takes within the launcher's patience, and is never killed: ErrNotSaved when it says that it
	// cannot, ErrNotStopped when the time is up, and in both cases it still runs. A cache has nothing to save.
	Save How = iota
	// NoSave: what it has not saved is lost. A server that does not react is killed.
	NoSave
	// Kill: the same, without being asked. Whatever it was about to do, it does not do it any more.
	Kill
)

// Node is what is needed to start a node.
type Node struct {
	Cluster  string
	Name     string
	Engine   string // "redis", "valkey" or "memcached"; "" is redis
	Version  string // such as "7.0.15"; "" is the newest installed
	Host     string // address to listen on; "" is the launcher's
	Port     int
	Password secret.Text // for clients and between nodes; "" is none; memcached has none
	// OldPassword is taken as well as the password, while clients go over to that; "" is none.
	OldPassword secret.Text

	// MaxMemory in bytes. 0 is no limit, for memcached its own of 64 MiB; it takes whole MiB, 2 at least.
	MaxMemory   int64
	PrimaryHost string // whom to replicate; see PrimaryPort
	PrimaryPort int    // 0: the node is a primary; memcached's always is
	Held        bool   // a primary that starts as a replica of nobody, so that nobody writes to it before it is filled; nothing to memcached
	TLS         bool   // it speaks TLS and nothing else, also to other nodes; memcached cannot
	ClusterMode bool   // it forms a cluster with others, and is told there whose replica it is: PrimaryPort only says that it is one; nothing to memcached
	SavePoints  bool   // save dump.rdb now and then, not only at a clean stop; nothing to memcached

	// Config has more settings, which an administrator has chosen. For redis and valkey they are directives of the configuration
	// file, but none that Rekindle sets for its own working; for memcached ElastiCache's parameters, such as "max_item_size". A value
	// that the engine does not like makes the start fail with the engine's own words.
	Config map[string]string
}

// Passwords are those of a node, as it is to have them; see [Node].
type Passwords struct {
	Password, OldPassword secret.Text
	Former                []secret.Text // which it may still have; "": none
}

// ID names a node.
type ID struct{ Cluster, Name string }

// Endpoint is where a node listens.
type Endpoint struct {
	Host string
	Port int
}

// Engine is a server that nodes can run.
type Engine struct {
	Name    string // "redis", "valkey" or "memcached"
	Version string // such as "7.0.15"
}

// Memory is what there is for nodes, in bytes.
type Memory struct {
	Total     int64
	Available int64 // without swapping
}

// Found is a node as the launcher knows it: what a console needs that has lost its own record of the node.
type Found struct {
	Node
	Former  []secret.Text // passwords that it may still have, in the middle of a change
	Replica bool          // it was last started as one; roles may have changed since
	CA      string        // what its clients are to trust (PEM), when it encrypts
}

// Saved is what a node's RDB says about itself.
type Saved struct {
	Exists        bool
	At            time.Time // when it was written, UTC
	Bytes         int64
	ReplicationID string // "" when the node had not replicated
	Offset        int64  // position in that replication stream
}
