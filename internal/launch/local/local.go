// Package local launches nodes as processes on this host: it starts them, finds them again and stops them.
//
// A node lives in a directory of its own, <dir>/<cluster>/<node>/, for its whole life:
//
//	node.conf   its configuration, written anew at every start (0600: it contains the password);
//	            a memcached node has none, only arguments
//	node.json   what was started, for finding the node again (0600)
//	node.log    what the server printed
//	node.pid    the server's process id, written by the server, for people
//	dump.rdb    its data, written by the server when it saves, or before its first start by who fills it; memcached never does
//	node.pem    if it speaks TLS, its certificate with the key (0600), and ca.pem with the authorities that it accepts
//	lock        locked exactly as long as the server lives
//
// Next to the clusters is authority.pem (0600), which issues these certificates: see package authority.
//
// The lock makes sure that a node is started only once. The launcher opens it, takes a flock on it and passes
// the open file on to the server. A flock belongs to the open file, not to a process, so it
// stays until the server and every child that it forked are gone, whatever becomes of the console.
// "Is the node running" is therefore the same question as "is the lock held", and neither two
// consoles nor one that was killed in the middle can ever start a node twice.
//
// Nodes outlive the console: they are in a session of their own, so that no signal meant for the
// console reaches them. (A service manager that kills the whole control group must be told not to:
// KillMode=process.) A process is only ever signalled after a look at /proc has shown that it works
// in the node's directory and has the node's lock open.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"rekindle/internal/launch"
)

// Options of a Launcher. The zero value is fine.
type Options struct {
	EnginePaths   []string         // programs to offer besides redis-server, valkey-server and memcached in PATH
	FirstPort     int              // of the range for Place; default 16379
	LastPort      int              // default 26378
	StartTimeout  time.Duration    // for a node that does not answer at all; loading data does not count; default 60 s
	StopTimeout   time.Duration    // for a node that saves and stops; default 5 min
	KillGrace     time.Duration    // between SHUTDOWN NOSAVE, for memcached SIGTERM, and SIGKILL; default 5 s
	Announce      string           // a host by which clients reach all nodes, beside their addresses
	AllowOpen     bool             // allow nodes without a password on addresses that others can reach
	ControlGroups string           // where they are mounted; default /sys/fs/cgroup
	Log           *slog.Logger     // default slog.Default()
	Now           func() time.Time // for certificates; default time.Now
}

// Launcher starts nodes on this machine. It is safe for concurrent use, also by several processes on
// the same directory: it keeps nothing important in memory.
type Launcher struct {
	dir       string
	host      string // the first of the addresses
	addresses Addresses
	opts      Options
	log       *slog.Logger

	enginesMu sync.Mutex
	engines   []program // as found by the first look; nil before

	portMu   sync.Mutex
	nextPort int
}

var (
	_ launch.Launcher    = (*Launcher)(nil)
	_ launch.FolderOwner = (*Launcher)(nil)
)

// New returns a launcher whose nodes live under dir and listen on addresses, by default
// only on 127.0.0.1. It touches nothing yet.
func New(dir string, addresses Addresses, opts Options) *Launcher {
	if abs, err := filepath.Abs(dir); err == nil { // fails only without a working directory
		dir = abs
	}
	if len(addresses) == 0 {
		addresses = Addresses{netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 32)}
	}
	setDefault(&opts.FirstPort, 16379)
	setDefault(&opts.LastPort, 26378)
	setDefault(&opts.StartTimeout, time.Minute)
	setDefault(&opts.StopTimeout, 5*time.Minute)
	setDefault(&opts.KillGrace, 5*time.Second)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	return &Launcher{dir: dir, host: addresses.first(), addresses: addresses, opts: opts, log: opts.Log}
}

func setDefault[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

// Running tells whether the node's server, or a child that it forked, is alive. A node that never
// existed is not running.
func (l *Launcher) Running(_ context.Context, cluster, name string) (bool, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return false, err
	}
	held, err := lockHeld(dir)
	if err != nil {
		return false, fmt.Errorf("look for node %s/%s: %w", cluster, name, err)
	}
	return held, nil
}

// List returns the IDs of all node directories, running or not, sorted. Those that are not in the
// catalog are orphans.
func (l *Launcher) List(ctx context.Context) ([]launch.ID, error) {
	var out []launch.ID
	clusters, err := subdirectories(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	for _, cluster := range clusters {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		nodes, err := subdirectories(filepath.Join(l.dir, cluster))
		if err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		for _, node := range nodes {
			out = append(out, launch.ID{Cluster: cluster, Name: node})
		}
	}
	return out, nil
}

// subdirectories returns the names of directories that could be ours. A missing dir has none.
func subdirectories(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && validName(e.Name()) {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func validName(name string) bool { return namePattern.MatchString(name) }

// nodeDir is the only place that turns names into a path.
func (l *Launcher) nodeDir(cluster, name string) (string, error) {
	for _, n := range []string{cluster, name} {
		if !validName(n) {
			return "", fmt.Errorf("%w: %q", launch.ErrName, n)
		}
	}
	return filepath.Join(l.dir, cluster, name), nil
}

// maxClusterPort is the highest port of a node in cluster mode, whose second port, for the rest of the cluster, is 10000 higher.
const maxClusterPort = 65535 - busDistance

// busDistance is how much higher that port is.
const busDistance = 10000

// complete fills in defaults and refuses what could not work or would do harm.
func (l *Launcher) complete(n launch.Node) (launch.Node, error) {
	setDefault(&n.Engine, engineRedis)
	setDefault(&n.Host, l.host)
	wrong := func(format string, args ...any) (launch.Node, error) {
		return n, fmt.Errorf("%w: %s", launch.ErrNode, fmt.Sprintf(format, args...))
	}
	switch {
	case n.Engine != engineRedis && n.Engine != engineValkey && n.Engine != engineMemcached:
		return wrong("unknown engine %q", n.Engine)
	case !validHost(n.Host):
		return wrong("%q is not an address to listen on", n.Host)
	case n.Announced != "" && !validHost(n.Announced):
		return wrong("%q is not a host that clients could be told", n.Announced)
	case n.Port < 1 || n.Port > 65535:
		return wrong("port %d is not between 1 and 65535", n.Port)
	case n.ClusterMode && n.Port > maxClusterPort:
		return wrong("port %d leaves no room for the cluster bus: in cluster mode it must not be above %d", n.Port, maxClusterPort)
	case n.PrimaryPort < 0 || n.PrimaryPort > 65535:
		return wrong("the primary's port %d is not between 1 and 65535", n.PrimaryPort)
	case n.PrimaryPort != 0 && !validHost(n.PrimaryHost):
		return wrong("%q is not the address of a primary", n.PrimaryHost)
	case n.MaxMemory < 0:
		return wrong("a memory limit of %d bytes", n.MaxMemory)
	case strings.ContainsRune(n.Password.Reveal(), 0):
		return wrong("the password contains a zero byte, at which older servers cut it off")
	case n.OldPassword != "" && (n.Password == "" || strings.ContainsFunc(n.OldPassword.Reveal()+n.Password.Reveal(), unicode.IsControl)):
		return wrong("an old password needs a new one beside it, and neither may have control characters")
	case n.User != "" && n.Password == "":
		return wrong("the user %s needs a password", n.User)
	case !validUsers(n):
		return wrong("the name or a rule of a user is not one word of printable characters")
	case len(n.Password.Reveal()) > 512:
		return wrong("the password is longer than 512 bytes, which servers do not accept")
	}
	check := l.checkServer
	if n.Engine == engineMemcached {
		check = l.checkMemcached
	}
	if err := check(n); err != nil {
		return n, fmt.Errorf("%w: %w", launch.ErrNode, err)
	}
	return n, nil
}

// validUsers tells whether users can be written into a configuration, and none of them twice.
func validUsers(n launch.Node) bool {
	names := map[string]bool{n.User: true}
	for _, u := range n.Users {
		if names[u.Name] || !userPattern.MatchString(u.Name) || slices.ContainsFunc(u.Rules, func(rule string) bool { return strings.ContainsFunc(rule, unicode.IsControl) }) {
			return false
		}
		names[u.Name] = true
	}
	return n.User == "" && len(n.Users) == 0 || userPattern.MatchString(n.User)
}

var userPattern = regexp.MustCompile(`^[!-~]+$`)

// checkServer refuses what would harm a redis or valkey node. The error is a sentence for people.
func (l *Launcher) checkServer(n launch.Node) error {
	if n.Password == "" && !isLoopback(n.Host) && !l.opts.AllowOpen {
		return fmt.Errorf("a node on %s needs a password: everyone who reaches that address could read and change its data", n.Host)
	}
	if n.Debug && !isLoopback(n.Host) {
		return fmt.Errorf("a node on %s must not answer DEBUG: everyone who reaches that address could end it", n.Host)
	}
	return checkDirectives(n.Config)
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

func validHost(host string) bool { return net.ParseIP(host) != nil || hostPattern.MatchString(host) }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
