// Package gate bounds how much of the console unknown people and programs can occupy, so that those who are signed in, and those who want to sign in,
// get through.
//
// A connection is a stranger's until a request on it has shown a session or a valid signature ([Known]), and again when the next request begins. The
// number of strangers is limited, in all and per address, to a good deal less than there are file descriptors. When there is one too many, the one
// that has kept the console waiting longest has to go: one of the same address or, when all places are taken, of the address that holds most of them.
// A connection keeps the console waiting while it is idle or has not sent its request to the end. So thousands of slow requests displace each other,
// and one that is sent in one go is answered. When everybody's request is being worked on, the newcomer is told to come back later.
//
// For everybody, the time that a request may take to arrive is limited; see [Gate.Handler].
package gate

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits of a Gate; none of them may be 0.
type Limits struct {
	Connections int // in all
	Strangers   int // of unknown clients
	PerAddress  int // of strangers from one address
	// Request is how long the rest of a request may take after its header, and how long an answer to a stranger may take.
	Request time.Duration
}

// DefaultLimits leave half of the process's file descriptors to everything else: the catalog, the store, the nodes.
func DefaultLimits() Limits {
	files := 1024
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur > 0 {
		files = int(min(limit.Cur, 1<<16))
	}
	connections := max(files/2, 16)
	strangers := min(connections/2, 512)
	return Limits{Connections: connections, Strangers: strangers, PerAddress: max(strangers/4, 8), Request: 30 * time.Second}
}

// Gate counts connections.
type Gate struct {
	limits  Limits
	proxies []netip.Prefix // their addresses stand for many clients

	mu        sync.Mutex
	conns     map[*conn]struct{}
	strangers int
	from      map[string]int // strangers by address
	refusing  int
}

// New returns a gate. Strangers that come through one of the proxies are counted by the address that the proxy names, as soon as that is known.
func New(limits Limits, proxies []netip.Prefix) *Gate {
	return &Gate{limits: limits, proxies: proxies, conns: make(map[*conn]struct{}), from: make(map[string]int)}
}

// Bind lets the gate learn from a server how its connections are doing. The server must serve connections of [Gate.Listener].
func (g *Gate) Bind(server *http.Server) {
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if c, ours := c.(*conn); ours {
			g.changed(c, state)
		}
	}
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
}

type connKey struct{}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// Known says that the sender of this context's request is known, by a session or by a signature.
func Known(ctx context.Context) {
	c := connOf(ctx)
	if c == nil {
		return
	}
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	c.gate.setStranger(c, false)
	_ = c.SetWriteDeadline(time.Time{}) // a download takes as long as it takes
}

// changed follows a connection from one request to the next.
func (g *Gate) changed(c *conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, there := g.conns[c]; !there {
		return
	}
	switch state {
	case http.StateActive: // a request has begun, and nobody knows whose it is
		c.waits, c.idle, c.since = true, false, time.Now()
		if c.proxy {
			g.setStranger(c, false)
			c.address, c.named = c.peer, false
		}
		if !c.stranger {
			g.setStranger(c, true)
			g.makeRoom(c)
		}
	case http.StateIdle:
		c.waits, c.idle, c.since = true, true, time.Now()
	}
}

// arrived says that the console no longer waits for this connection: its request is there.
func (g *Gate) arrived(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waits, c.since = false, time.Now()
}

// nameAddress says where a stranger that came through a proxy comes from.
func (g *Gate) nameAddress(c *conn, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.proxy || c.named {
		return
	}
	stranger := c.stranger
	g.setStranger(c, false)
	c.address, c.named = address, true
	g.setStranger(c, stranger)
	if stranger {
		g.makeRoom(c)
	}
}

// setStranger updates the counts. The gate must be locked.
func (g *Gate) setStranger(c *conn, stranger bool) {
	if c.stranger == stranger {
		return
	}
	c.stranger = stranger
	if stranger {
		g.strangers++
		g.from[c.address]++
		return
	}
	g.strangers--
	if g.from[c.address]--; g.from[c.address] == 0 {
		delete(g.from, c.address)
	}
}

// makeRoom displaces somebody if there are too many connections, and tells whether there is room afterwards. c is the newest, which is already
// counted and stays. The gate must be locked.
func (g *Gate) makeRoom(c *conn) bool {
	room := true
	if (!c.proxy || c.named) && g.from[c.address] > g.limits.PerAddress {
		room = g.displace(c, func(o *conn) bool { return o.stranger && o.address == c.address })
	}
	if g.strangers > g.limits.Strangers {
		most := g.crowded()
		room = g.displace(c, func(o *conn) bool { return o.stranger && o.address == most }) || g.displace(c, func(o *conn) bool { return o.stranger })
	}
	if len(g.conns) > g.limits.Connections {
		room = g.displace(c, func(o *conn) bool { return o.stranger }) || g.displace(c, func(o *conn) bool { return o.idle })
	}
	return room
}

// crowded is the address that holds most strangers.
func (g *Gate) crowded() string {
	most, count := "", 0
	for address, n := range g.from {
		if n > count {
			most, count = address, n
		}
	}
	return most
}

// displace ends the one of these connections that has kept the console waiting longest. A stranger that does not read its answer counts as well.
func (g *Gate) displace(newest *conn, among func(*conn) bool) bool {
	var oldest *conn
	stuck := time.Now().Add(-g.limits.Request)
	for c := range g.conns {
		if c != newest && (c.waits || c.since.Before(stuck)) && among(c) && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	g.forget(oldest)
	oldest.hasten()
	return true
}

// forget removes a connection from the counts. The gate must be locked.
func (g *Gate) forget(c *conn) {
	if _, there := g.conns[c]; there {
		g.setStranger(c, false)
		delete(g.conns, c)
	}
}
