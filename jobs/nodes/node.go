package nodes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"rekindle/internal/formation"
	"rekindle/internal/memcached"
	"rekindle/internal/resp"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// ProbeTimeout is how long a healthy node may take to answer.
const ProbeTimeout = reach.Timeout

// State is what a node says about itself.
type State struct {
	Replica    bool
	Loading    bool
	Syncing    bool  // receiving its first copy of the data
	SyncLeft   int64 // bytes of that to come; 0: unknown
	Saving     bool  // writing an RDB, to its disk or to a replica
	LinkUp     bool
	Heard      time.Duration // since a replica last heard from its primary; very long when the link is down
	Primary    string        // host:port of the primary that a replica follows
	History    string        // the ID of the replication stream that it follows or writes
	Offset     int64
	UsedMemory int64
	MaxMemory  int64
	Keys       int64
	HostMemory int64 // memory of the whole host in bytes; 0: it does not say
	Resident   int64 // bytes of it that the process uses

	// In cluster mode.
	Slots    string // the slots that it serves
	Moving   bool   // some slot is on its way from or to it
	Unserved bool   // it sees that some slots of the cluster are not served, and refuses commands
}

// Probe asks a node how it is.
func Probe(ctx context.Context, cluster models.Cluster, node models.Node) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, ProbeTimeout)
	defer cancel()
	if cluster.Cached() {
		s, err := memcached.Probe(ctx, node.Address())
		return State{UsedMemory: s.UsedMemory, MaxMemory: s.MaxMemory, Keys: s.Items}, err
	}
	conn, err := Dial(ctx, cluster, node)
	if err != nil {
		return State{}, fmt.Errorf("probe %s: %w", node.Name, err)
	}
	defer conn.Close()
	info, err := conn.Info(ctx)
	if err != nil {
		return State{}, fmt.Errorf("probe %s: %w", node.Name, err)
	}
	s := State{
		Replica: info["role"] == "slave", Loading: info.Int("loading") != 0, Syncing: info.Int("master_sync_in_progress") != 0,
		Saving: info.Int("rdb_bgsave_in_progress") != 0, History: info["master_replid"],
		SyncLeft: max(0, info.Int("master_sync_left_bytes")), LinkUp: info["master_link_status"] == "up", Offset: info.Int("master_repl_offset"),
		UsedMemory: info.Int("used_memory"), MaxMemory: info.Int("maxmemory"), Keys: info.Keys(),
		HostMemory: info.Int("total_system_memory"), Resident: info.Int("used_memory_rss"),
	}
	if managed(cluster) {
		view, err := formation.Look(ctx, conn)
		if err != nil {
			return State{}, fmt.Errorf("probe %s: %w", node.Name, err)
		}
		s.Slots, s.Moving, s.Unserved = view.Slots, view.Moving, !view.Served
	}
	if s.Replica {
		s.Primary = net.JoinHostPort(info["master_host"], info["master_port"])
		s.Offset = info.Int("slave_repl_offset")
		if s.Heard = time.Duration(info.Int("master_last_io_seconds_ago")) * time.Second; !s.LinkUp {
			s.Heard = math.MaxInt64
		}
	}
	return s, nil
}

// Follows asks a node whether it is a replica, and of which primary.
func Follows(ctx context.Context, cluster models.Cluster, node models.Node) (primary string, replica bool, err error) {
	s, err := Probe(ctx, cluster, node)
	return s.Primary, s.Replica, err
}

// Dial connects to a node.
func Dial(ctx context.Context, cluster models.Cluster, node models.Node) (*resp.Conn, error) {
	o, err := reach.Node(cluster, node)
	if err != nil {
		return nil, err
	}
	return resp.Dial(ctx, o)
}

// SetPasswordBack says what to do about a node whose password was changed.
const SetPasswordBack = "Set it back to that of the cluster (CONFIG SET requirepass, or ACL SETUSER default)."

// PasswordRefused tells whether the error is a node's answer that it does not accept the console's password.
func PasswordRefused(err error) bool {
	reply, answered := errors.AsType[resp.Error](err)
	return answered && reply.PasswordRefused()
}

// Ask asks a node for sections of INFO.
func Ask(ctx context.Context, cluster models.Cluster, node models.Node, sections ...string) (resp.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*ProbeTimeout)
	defer cancel()
	conn, err := Dial(ctx, cluster, node)
	if err != nil {
		return nil, fmt.Errorf("INFO of %s: %w", node.Name, err)
	}
	defer conn.Close()
	info, err := conn.Info(ctx, sections...)
	if err != nil {
		return nil, fmt.Errorf("INFO of %s: %w", node.Name, err)
	}
	return info, nil
}

// Tell sends one command to a node.
func Tell(ctx context.Context, cluster models.Cluster, node models.Node, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ProbeTimeout)
	defer cancel()
	conn, err := Dial(ctx, cluster, node)
	if err != nil {
		return fmt.Errorf("%s to %s: %w", args[0], node.Name, err)
	}
	defer conn.Close()
	if _, err := conn.Do(ctx, args...); err != nil {
		return fmt.Errorf("%s to %s: %w", args[0], node.Name, err)
	}
	return nil
}
