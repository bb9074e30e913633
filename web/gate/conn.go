package gate

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// conn is a connection that the gate has let in. The gate's lock guards what the gate keeps about it.
type conn struct {
	net.Conn
	gate     *Gate
	peer     string // who opened it
	address  string // whom its request comes from
	proxy    bool   // the peer is a proxy,
	named    bool   // which has named the address
	stranger bool
	idle     bool      // between two requests
	waits    bool      // the console waits for a request, or for the rest of one
	since    time.Time // when that began

	once     sync.Once
	deadline sync.Mutex
	hastened bool
}

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.gate.mu.Lock()
		defer c.gate.mu.Unlock()
		c.gate.forget(c)
	})
	return c.Conn.Close()
}

// farewell is how long a connection that must go may take to be told so.
const farewell = 2 * time.Second

// hasten makes reading a request fail now. The server, or the handler that reads, then says that it took too long, and closes the connection, so that
// nobody writes into an answer that somebody else is writing.
func (c *conn) hasten() {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	c.hastened = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	_ = c.Conn.SetWriteDeadline(time.Now().Add(farewell))
}

// SetReadDeadline sets the deadline, unless the connection must go.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if c.hastened {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline, unless the connection must go.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if c.hastened {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// Listener counts the connections that l accepts. Those for which there is no room are told so.
func (g *Gate) Listener(l net.Listener) net.Listener { return &listener{l, g} }

type listener struct {
	net.Listener
	gate *Gate
}

// Accept waits for a connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, room := l.gate.admit(accepted); room {
			return c, nil
		}
	}
}

func (g *Gate) admit(accepted net.Conn) (*conn, bool) {
	address, proxy := g.origin(accepted.RemoteAddr())
	c := &conn{Conn: accepted, gate: g, peer: address, address: address, proxy: proxy, waits: true, since: time.Now()}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = struct{}{}
	g.setStranger(c, true)
	if g.makeRoom(c) {
		return c, true
	}
	g.forget(c)
	if g.refusing < maxRefusing {
		g.refusing++
		go g.refuse(accepted)
	} else {
		_ = accepted.Close()
	}
	return nil, false
}

// origin returns the address of a peer, and whether it is a proxy's.
func (g *Gate) origin(peer net.Addr) (string, bool) {
	host, _, err := net.SplitHostPort(peer.String())
	if err != nil {
		return peer.String(), false
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host, false
	}
	address = address.Unmap().WithZone("")
	return block(address), slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// block is what counts as one address. Whoever has an IPv6 address has a whole /64 of them.
func block(address netip.Addr) string {
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}

// maxRefusing is how many connections at a time are told that there is no room; further ones are just closed.
const maxRefusing = 16

const refusal = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nCache-Control: no-store\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 70\r\n\r\n" + refusalText

const refusalText = "The console has too many requests at once. Try again in a few moments.\n"

// refuse says that there is no room. It reads what has been sent, because otherwise the answer would be lost with it.
func (g *Gate) refuse(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c, refusal); err == nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, c, 64<<10)
	}
	_ = c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusing--
}
