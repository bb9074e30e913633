package topology

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/resp"
	"rekindle/internal/secret"
)

// Kind is how the nodes of a cluster belong together.
type Kind string

// The kinds of clusters.
const (
	Standalone Kind = "standalone" // one node
	Replicated Kind = "replicated" // a primary with replicas
	Sentinel   Kind = "sentinel"   // the same, watched by Sentinels
	Cluster    Kind = "cluster"    // cluster mode
)

const (
	dialTimeout  = 3 * time.Second
	replyTimeout = 5 * time.Second
	// maxNodes bounds what is asked for: a server that answers with more cannot be one of ours.
	maxNodes = 1000
)

// What can go wrong, for errors.Is. Each begins a sentence; what was being done comes before it.
var (
	// ErrNoName says that the Sentinels watch no primary, or not the one that was asked for.
	ErrNoName = errors.New("the Sentinels watch no primary of that name")
	// ErrStrangers says that addresses belong to different clusters.
	ErrStrangers = errors.New("the addresses belong to different clusters")
	// ErrMovesHidden says that the user may not see which slots are being moved.
	ErrMovesHidden = errors.New("the user is not allowed to see which slots are moving")
	// ErrNoPrimary says that no node that accepts writes was found.
	ErrNoPrimary = errors.New("no primary was found")
)

// ChooseError says that the Sentinels watch several primaries, and that one has to be chosen.
type ChooseError struct{ Names []string }

// Error lists the names.
func (e *ChooseError) Error() string {
	return "the Sentinels watch several primaries: " + strings.Join(e.Names, ", ")
}

// Access says where and how a cluster is reached.
type Access struct {
	Addresses []string     // host:port, of its nodes or of its Sentinels
	Node      resp.Options // how nodes are reached: everything but the address

	Name             string // of the primary, as the Sentinels know it; "": the only one that they watch
	SentinelUsername string
	SentinelPassword secret.Text // "": Sentinels have none

	Map map[string]string // from an address that a node announces, or its host alone, to one that is reached from here
}

// Topology is what a cluster is made of.
type Topology struct {
	Kind    Kind
	Name    string // what Sentinels call it
	Engine  string // of the first node that answers: "redis" or "valkey"
	Version string
	Shards  []Shard
	// Silent are the given addresses that did not answer although others did, each with the reason.
	Silent []error
}

// Shard is a set of slots with the nodes that have them, the primary first.
type Shard struct {
	Slots string // "0-5460,9000"; "" outside of cluster mode
	Nodes []Node
}

// Node is one server.
type Node struct {
	Addr      string // host:port, as it is reached from here
	Announced string // the same, as others call it
	ID        string // in cluster mode: the node's
	Primary   bool
	Info      resp.Info // what it says about itself (server, replication, memory, persistence, keyspace); nil when it does not answer
	Err       error     // why not
}

// Reached tells whether the node has answered.
func (n Node) Reached() bool { return n.Err == nil && n.Info != nil }

// Nodes are the nodes of all shards.
func (t Topology) Nodes() []Node {
	var all []Node
	for _, s := range t.Shards {
		all = append(all, s.Nodes...)
	}
	return all
}

// Discover finds out what the cluster is made of. Errors wrap [ErrNoName], [ErrStrangers], [ErrNoPrimary], a [*ChooseError], the nodes' answers
// ([resp.Error]), the cause of ctx, or errors of the network and of TLS.
func Discover(ctx context.Context, a Access) (Topology, error) {
	if len(a.Addresses) == 0 {
		return Topology{}, errors.New("discover a cluster: no address was given")
	}
	d := &discovery{Access: a, known: make(map[string]bool)}
	seeds, silent := d.seeds(ctx)
	if len(seeds) == 0 {
		return Topology{}, errors.Join(silent...)
	}
	mode := seeds[0].mode()
	for _, s := range seeds[1:] {
		if s.mode() != mode {
			return Topology{}, fmt.Errorf("%w: %s is %s and %s is %s", ErrStrangers, seeds[0].addr, inWords(mode), s.addr, inWords(s.mode()))
		}
	}
	var t Topology
	var err error
	switch mode {
	case "sentinel":
		t, err = d.bySentinel(ctx, seeds)
	case "cluster":
		t, err = d.byCluster(ctx, seeds)
	default:
		t, err = d.byReplication(ctx, seeds)
	}
	if err != nil {
		return Topology{}, err
	}
	t.Silent = silent
	for _, n := range t.Nodes() {
		if n.Reached() {
			t.Engine, t.Version = n.Info.Engine()
			break
		}
	}
	return t, nil
}

// discovery is one run of Discover.
type discovery struct {
	Access
	known map[string]bool // the run IDs of nodes found so far, because a node may have several addresses
}

// seed is a given address, and what is there.
type seed struct {
	addr     string
	info     resp.Info
	sentinel bool // it accepted the Sentinels' password, or needs none
}

func (s seed) mode() string { return modeOf(s.info) }

// modeOf is what INFO says about a server: "standalone", "cluster" or "sentinel". Valkey has another name for the field.
func modeOf(info resp.Info) string { return cmp.Or(info["redis_mode"], info["server_mode"]) }

// inWords is what [modeOf] means.
func inWords(mode string) string {
	switch mode {
	case "sentinel":
		return "a Sentinel"
	case "cluster":
		return "in cluster mode"
	}
	return "a node outside of cluster mode"
}

// options are how a node at this address is reached.
func (d *discovery) options(addr string) resp.Options {
	o := d.Node
	o.Addr = addr
	if o.DialTimeout <= 0 {
		o.DialTimeout = dialTimeout
	}
	if o.Timeout <= 0 {
		o.Timeout = replyTimeout
	}
	return o
}

// sections are the sections of INFO that are read from each node.
var sections = []string{"server", "replication", "memory", "persistence", "keyspace", "clients"}

// seeds asks all given addresses at once. Those that do not answer are returned as errors.
func (d *discovery) seeds(ctx context.Context) (answered []seed, silent []error) {
	type answer struct {
		seed seed
		err  error
	}
	answers := each(d.Addresses, func(addr string) answer {
		s, err := d.seed(ctx, addr)
		return answer{s, err}
	})
	for _, a := range answers {
		if a.err != nil {
			silent = append(silent, a.err)
		} else if run := a.seed.info["run_id"]; !d.known[run] {
			d.known[run] = run != ""
			answered = append(answered, a.seed)
		}
	}
	return answered, silent
}

// seed asks one given address. It may be a Sentinel, which has its own password, or none.
func (d *discovery) seed(ctx context.Context, addr string) (seed, error) {
	info, err := ask(ctx, d.options(addr), sections...)
	if err == nil {
		return seed{addr: addr, info: info}, nil
	}
	if reply, answered := errors.AsType[resp.Error](err); !answered || !reply.PasswordRefused() {
		return seed{}, err
	}
	if info, other := ask(ctx, d.sentinelOptions(addr), "server"); other == nil && modeOf(info) == "sentinel" {
		return seed{addr: addr, info: info, sentinel: true}, nil
	}
	return seed{}, err
}

// ask connects and asks for INFO.
func ask(ctx context.Context, o resp.Options, sections ...string) (resp.Info, error) {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, sections...)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", o.Addr, err)
	}
	return info, nil
}

// look asks an announced node how it is.
func (d *discovery) look(ctx context.Context, n Node) Node {
	n.Info, n.Err = ask(ctx, d.options(n.Addr), sections...)
	return n
}

// Reach is where an announced address is reached from here. A host can be mapped with or without its port.
func (a Access) Reach(announced string) string {
	if to, mapped := a.Map[announced]; mapped {
		return to
	}
	host, port, err := net.SplitHostPort(announced)
	if err != nil {
		return announced
	}
	if to, mapped := a.Map[host]; mapped {
		return net.JoinHostPort(to, port)
	}
	return announced
}

// announced is an address as nodes write it, if the port is valid.
func announced(host, port string) (string, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || host == "?" {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// each calls do for all values, up to 32 at a time, and returns the results in the order of the values.
func each[V, R any](values []V, do func(V) R) []R {
	results := make([]R, len(values))
	turns := make(chan struct{}, 32)
	done := make(chan struct{})
	for i, v := range values {
		go func() {
			turns <- struct{}{}
			results[i] = do(v)
			<-turns
			done <- struct{}{}
		}()
	}
	for range values {
		<-done
	}
	return results
}
