package local

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rekindle/internal/memcached"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
)

const probeTimeout = 5 * time.Second // for each command

var (
	// errRefused means that a server answers, but does not let us in.
	errRefused = errors.New("the server refuses us")
	// errForeign means that the process that answers on the port is not the node.
	errForeign = errors.New("another server answers on its port")
)

// nodeState is what a node reports about itself.
type nodeState struct {
	pid     int
	loading bool
	replica bool // it was started as one
}

// ready reports whether the node has finished starting. A replica that is loading gets its data from its primary, which is not part of the
// start.
func (s nodeState) ready() bool { return !s.loading || s.replica }

// probe asks the node in dir for its state. If something else answers, the error is errForeign.
func probe(ctx context.Context, dir string) (nodeState, error) {
	r, err := readRecord(dir)
	if err != nil {
		return nodeState{}, err
	}
	if r.Engine == engineMemcached {
		state, err := memcached.Probe(ctx, r.addr())
		if err == nil {
			err = checkOwn(state.PID, dir, r)
		}
		return nodeState{pid: state.PID}, err
	}
	conn, state, err := dial(ctx, dir, r, probeTimeout)
	if err != nil {
		return state, err
	}
	return state, conn.Close()
}

// dial connects to the redis or valkey node in dir, whose record is r, after making sure that it is
// really this node that answers. The timeout is for each command.
func dial(ctx context.Context, dir string, r record, timeout time.Duration) (*resp.Conn, nodeState, error) {
	o := resp.Options{Addr: r.addr(), Username: r.User, Password: secret.Text(r.Password), Others: r.logins(), DialTimeout: 2 * time.Second, Timeout: timeout}
	if r.TLS {
		var err error
		if o.TLS, err = trust(dir); err != nil {
			return nil, nodeState{}, err
		}
	}
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return nil, nodeState{}, refused(err)
	}
	info, err := conn.Info(ctx)
	if err != nil {
		_ = conn.Close()
		return nil, nodeState{}, refused(err)
	}
	pid, _ := strconv.Atoi(info["process_id"])
	if err := checkOwn(pid, dir, r); err != nil {
		_ = conn.Close()
		return nil, nodeState{}, err
	}
	return conn, nodeState{pid: pid, loading: info["loading"] == "1", replica: r.Replica}, nil
}

// logins returns the former ways to sign in, which the node may still have.
func (r record) logins() []resp.Login {
	var logins []resp.Login
	for _, former := range r.others() {
		logins = append(logins, resp.Login{Username: r.FormerUser, Password: former})
	}
	return logins
}

// others returns the former passwords, which the node may still have.
func (r record) others() []secret.Text {
	var others []secret.Text
	for _, former := range r.Former {
		others = append(others, secret.Text(former))
	}
	return others
}

// checkOwn returns errForeign if the process that answered at a node's address is not the node in dir.
func checkOwn(pid int, dir string, r record) error {
	if !belongs(pid, dir) {
		return fmt.Errorf("%w (%s, process %d)", errForeign, r.addr(), pid)
	}
	return nil
}

// refused marks error replies: the server is there, but does not let us in.
func refused(err error) error {
	if reply, ok := errors.AsType[resp.Error](err); ok {
		return fmt.Errorf("%w: %s", errRefused, reply.Error())
	}
	return err
}

// poll calls done at intervals until it returns true or an error, or until ctx ends.
func poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// patience runs out when limit has passed since the last sign of life.
type patience struct {
	limit time.Duration
	since time.Time
}

func newPatience(limit time.Duration) *patience { return &patience{limit: limit, since: time.Now()} }

func (p *patience) renew()               { p.since = time.Now() }
func (p *patience) spent() time.Duration { return time.Since(p.since) }
func (p *patience) over() bool           { return p.spent() > p.limit }
