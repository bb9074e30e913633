// Package launch defines what a launcher does: it places the nodes of launched clusters, starts and stops them, and finds them again. Only the
// launcher knows about ports, addresses, processes and files; everybody else knows a node by its names and talks to it at its endpoint.
package launch

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"rekindle/internal/secret"
)

var (
	// ErrName: the name of a cluster or node is not allowed.
	ErrName = errors.New("names may only contain a-z, 0-9 and hyphens, must not begin with a hyphen and have at most 63 characters")
	// ErrNode: the description of a node is wrong; the text says how.
	ErrNode = errors.New("invalid node")
	// ErrNoEngine: the engine is not installed in this version or a newer one.
	ErrNoEngine = errors.New("engine not installed")
	// ErrNoTLS: the node must encrypt, but the engine was built without TLS.
	ErrNoTLS = errors.New("engine built without TLS")
	// ErrPortTaken: somebody else listens on the node's port. Another port may work.
	ErrPortTaken = errors.New("port is taken by another process")
	// ErrNoAddress: this host does not have the node's address, or no longer. Another address may work.
	ErrNoAddress = errors.New("address is not one of this host")
	// ErrData: the server could not load the RDB that the node has saved.
	ErrData = errors.New("its dump.rdb cannot be loaded")
	// ErrNoPort: no endpoint is free.
	ErrNoPort = errors.New("no free port")
	// ErrHasData: the node has saved data, which would be replaced.
	ErrHasData = errors.New("node has data already")
	// ErrRunning: the node runs, so its data cannot be touched.
	ErrRunning = errors.New("node is running")
	// ErrNotStopped: the node still runs after the time that it was given.
	ErrNotStopped = errors.New("node did not stop in time")
	// ErrNotSaved: the node refused to stop, because it could not save. It is still running.
	ErrNotSaved = errors.New("node could not save its data and keeps running")
)

// A Launcher runs nodes on a host. It is safe for concurrent use, also by several consoles on the same nodes.
type Launcher interface {
	Placer
	Runner
	Historian
	Certifier
}

// Placer says what nodes can be started, and where.
type Placer interface {
	// Engines lists the engines that nodes can run, sorted by name and newest first within a name. To find none is not an error.
	Engines(ctx context.Context) ([]Engine, error)
	// Memory is how much memory there is for nodes.
	Memory(ctx context.Context) (Memory, error)
	// Address is the default address of nodes.
	Address() string
	// Serves tells whether nodes may be bound to an address, and this host has it now.
	Serves(host string) bool
	// Announced is the host by which clients reach all nodes, instead of by their own addresses; "" if there is none.
	Announced() string
	// Place finds an endpoint for a new node: with this port at any address, or with port 0 any port at [Placer.Address]. Nobody listens there now,
	// and taken (may be nil) does not claim it. Until the node is started somebody else may take it: then Start returns ErrPortTaken. It returns
	// ErrNoPort if there is none.
	Place(ctx context.Context, port int, taken func(Endpoint) bool) (Endpoint, error)
}

// Runner starts and stops nodes.
type Runner interface {
	// Start makes sure that the node runs and returns when it answers. A node that runs already is left as it is, whatever n says. A primary answers
	// once it has loaded what it saved, a replica as soon as it takes commands. If the server cannot start, it is gone, and the error says
	// why: ErrPortTaken, ErrNoAddress, ErrNoEngine, ErrNoTLS, ErrName, ErrNode, ErrData, or another error.
	Start(ctx context.Context, n Node) error
	// Preload opens a file for the RDB that the node will load when it is started for the first time. It returns ErrRunning if the node runs, and
	// ErrHasData if it has saved something: that stays.
	Preload(ctx context.Context, cluster, name string) (Preload, error)
	// Stop ends the node and returns when it is gone. It is not an error if the node does not run.
	Stop(ctx context.Context, cluster, name string, how How) error
	// Remove deletes a node with everything that it has saved. If the node runs it deletes nothing and returns ErrRunning. It is not an error if the
	// node never existed.
	Remove(ctx context.Context, cluster, name string) error
	// KeepPasswords records the passwords with which a node is reached from here, and former ones that it may still have, when they are changed while
	// it runs. It is not an error if the node never existed.
	KeepPasswords(ctx context.Context, cluster, name string, passwords Passwords) error
	// Running tells whether the node's server, or a child that it forked, is alive. A node that never existed is not running.
	Running(ctx context.Context, cluster, name string) (bool, error)
	// List returns all nodes that were started and not removed, running or not, sorted. Those that the catalog does not have are orphans.
	List(ctx context.Context) ([]ID, error)
}

// Preload is an RDB that is written for a node.
type Preload interface {
	io.Writer
	// Commit puts the RDB, which must be whole, where the node loads it from, and returns when it is on the disk.
	Commit() error
	// Discard removes what was written. After Commit it does nothing.
	Discard() error
}

// Historian knows what is left of a node: what a console needs to bring back a node that has ended.
type Historian interface {
	// Describe says how the node was last started, including its password. It returns fs.ErrNotExist if the node never existed.
	Describe(ctx context.Context, cluster, name string) (Found, error)
	// Saved looks at the RDB that the node saved last. It is not an error if there is none. Only Start finds out whether it can be loaded: ErrData.
	Saved(ctx context.Context, cluster, name string) (Saved, error)
	// SetAside moves the node's RDB, which cannot be loaded, out of the way, so that the node starts without it, and returns the file's new name. It
	// replaces an RDB that was set aside before, and returns ErrRunning if the node runs.
	SetAside(ctx context.Context, cluster, name string) (string, error)
	// LastWords says in a sentence why a node that was started has ended, or does not accept what it is fed. It is the cause that the node's log has
	// named since the start, otherwise, with named false, the log's last line; "" if there is none. The password is left out, and a long text cut.
	LastWords(ctx context.Context, cluster, name string) (sentence string, named bool)
}

// Certifier gives certificates to nodes that encrypt.
type Certifier interface {
	// Authority returns the certificates, as PEM, that clients of encrypting nodes must trust. The first call makes the authority.
	Authority(ctx context.Context) (string, error)
	// Certify returns a certificate for this host at an address, with its key, as PEM: nodes that encrypt accept it like those of other nodes.
	Certify(ctx context.Context, host string) ([]byte, error)
	// Renew keeps the certificate of an encrypting node valid: if it expires soon, or is from another authority than the present one, the node gets a
	// new one without a restart, and the result is true. Other nodes, and nodes that do not run, are left as they are.
	Renew(ctx context.Context, cluster, name string) (bool, error)
}

// FolderOwner is a Launcher whose nodes have their files in a folder of this host, where nothing else may be written.
type FolderOwner interface {
	// Owns tells whether a path, which need not exist, is that folder or in it, following all links.
	Owns(path string) bool
}

// How a node is stopped.
type How int

const (
	// Save: the node saves first, within the launcher's time limit, and is never killed. The error is ErrNotSaved if it says that it
	// cannot save, ErrNotStopped if the time is up, and in both cases the node still runs. A cache has nothing to save.
	Save How = iota
	// NoSave: what the node has not saved is lost. A server that does not react is killed.
	NoSave
	// Kill: the server is killed without being asked first. Whatever it was about to do, it no longer does.
	Kill
)

// Node is what is needed to start a node.
type Node struct {
	Cluster string
	Name    string
	Engine  string // "redis", "valkey" or "memcached"; "" is redis
	Version string // such as "7.0.15"; "" is the newest installed
	Host    string // address to listen on; "" is the launcher's
	Port    int
	// Announced is the host that a node in cluster mode gives its clients, if the engine can give them another one than Host; "" is Host. Other nodes,
	// and who launches it, go on reaching it at Host.
	Announced string
	// Peers says where all nodes of its cluster are, by name, if it is in cluster mode. They may have moved since it ran last.
	Peers    map[string]Endpoint
	Password secret.Text // for clients and between nodes; "" is none; memcached has none
	// OldPassword is accepted too, while clients change to the new password; "" is none.
	OldPassword secret.Text
	// User is whose password that is, and who may do everything; "" is the default user. Another one has Users beside it, and nobody else may sign in.
	User  string
	Users []User

	// MaxMemory is in bytes. 0 is no limit, for memcached its default of 64 MiB; memcached takes whole MiB, at least 2.
	MaxMemory   int64
	PrimaryHost string // the primary to replicate; see PrimaryPort
	PrimaryPort int    // 0: the node is a primary; memcached's always is
	PrimaryOpen bool   // that primary is not of the cluster and takes no password: it is not told the node's
	Held        bool   // a primary that starts as a replica of nobody, so that nobody writes to it before it is filled; ignored by memcached
	Preloaded   bool   // it starts with the RDB of a [Preload]: until that is found to be good no client may write, and nothing limits its memory; ignored by memcached
	TLS         bool   // it speaks only TLS, also to other nodes; memcached cannot
	ClusterMode bool   // it forms a cluster with others, and learns there whose replica it is: PrimaryPort only says that it is one; ignored by memcached
	SavePoints  bool   // save dump.rdb now and then, not only at a clean stop; ignored by memcached
	Debug       bool   // it answers DEBUG, which can end it; only on a loopback address; ignored by memcached

	// Config has more settings, chosen by an administrator. For redis and valkey they are directives of the configuration
	// file, except those that Rekindle needs to set itself; for memcached ElastiCache's parameters, such as "max_item_size". If the
	// engine does not accept a value, the start fails with the engine's own message.
	Config map[string]string
}

// InCluster is how a node in cluster mode gives its clients an announced host: "" if it cannot. There is no setting for an IPv6 address.
func InCluster(announced string) string {
	if strings.Contains(announced, ":") {
		return ""
	}
	return announced
}

// User may sign in at a node.
type User struct {
	Name  string
	Rules []string // for ACL SETUSER, after a reset; passwords are in them only as hashes
}

// Passwords are the passwords that a node should have; see [Node].
type Passwords struct {
	Password, OldPassword secret.Text
	User                  string        // whose they are
	Former                []secret.Text // which it may still have; "": none
	FormerUser            string        // whose those are
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

// Memory is how much memory there is for nodes, in bytes.
type Memory struct {
	Total     int64
	Available int64 // without swapping
}

// Found is a node as the launcher knows it, for a console that has lost its own record of the node.
type Found struct {
	Node
	Former     []secret.Text // passwords that it may still have, in the middle of a change
	FormerUser string        // whose those are
	Replica    bool          // it was last started as a replica; roles may have changed since
	CA         string        // what its clients must trust (PEM), if it encrypts
}

// Saved is what a node's RDB says about itself.
type Saved struct {
	Exists        bool
	At            time.Time // when it was written, UTC
	Bytes         int64
	ReplicationID string // "" if the node had not replicated
	Offset        int64  // position in that replication stream
}
