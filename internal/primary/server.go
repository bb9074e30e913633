package primary

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"rekindle/internal/resp"
	"rekindle/internal/secret"
)

const (
	// handshakeTime is what a connection may take from connecting to PSYNC.
	handshakeTime = 10 * time.Second
	// maxCommands is how many commands it may need for that; a real node sends about six.
	maxCommands = 32
	// maxHandshakes is how many connections may be in the handshake at a time, so that strangers cannot pile up.
	maxHandshakes = 64
	// acceptPause is how long to wait after a failure to accept, because the failure may persist.
	acceptPause = 50 * time.Millisecond
)

// server is the port that the target fetches the RDB from. It hands over one connection: the first that comes from the
// target's address, knows the password and sends PSYNC. All others get an error reply.
type server struct {
	password   secret.Text
	host, port string // as the target is told
	accepted   chan *connection

	listener net.Listener
	secured  *tls.Config // nil: without TLS
	peer     netip.Addr  // the target's
	slots    chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	taken   bool                  // a connection was handed over
	open    map[net.Conn]struct{} // connections that were not handed over
	refused error                 // why the last one was turned away
}

// connection is the target's connection, after it has signed in and asked for the data with PSYNC.
type connection struct {
	net.Conn
	reader *resp.Reader
}

// listen opens a port of this host for the target at the other end of control.
func listen(ctx context.Context, options Options, control net.Conn) (*server, error) {
	host := options.ListenHost
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for the target: %w", err)
	}
	s := &server{
		password: secret.Text(rand.Text()), host: host, port: portText(listener.Addr()),
		accepted: make(chan *connection, 1), listener: listener, peer: address(control.RemoteAddr()),
		slots: make(chan struct{}, maxHandshakes), open: map[net.Conn]struct{}{},
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		s.host = address(control.LocalAddr()).String()
	}
	if options.Certificate != nil {
		s.secured = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*options.Certificate}}
	}
	s.work.Go(s.accept)
	return s, nil
}

func address(addr net.Addr) netip.Addr { return addr.(*net.TCPAddr).AddrPort().Addr().Unmap() }

// expected tells whether the target may connect from an address: from its own or, if it is on this host, from any loopback address.
func (s *server) expected(from netip.Addr) bool {
	return from == s.peer || from.IsLoopback() && s.peer.IsLoopback()
}

func (s *server) address() string { return net.JoinHostPort(s.host, s.port) }

// accept takes connections until the server is closed.
func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // for example too many open files: this connection is lost, but the next one may succeed
			s.refuse(err)
			<-time.After(acceptPause)
			continue
		}
		if from := address(conn.RemoteAddr()); !s.expected(from) {
			s.refuse(fmt.Errorf("a connection from %s, which is not the target's %s", from, s.peer))
			_ = conn.Close()
			continue
		}
		if s.secured != nil {
			conn = tls.Server(conn, s.secured) // the handshake happens at the first read
		}
		select {
		case s.slots <- struct{}{}:
		default:
			s.refuse(fmt.Errorf("more than %d connections at a time", maxHandshakes))
			_ = conn.Close()
			continue
		}
		if !s.track(conn) {
			_ = conn.Close()
			return
		}
		s.work.Go(func() {
			defer func() { <-s.slots }()
			if err := s.handshake(conn); err != nil {
				s.refuse(err)
				s.drop(conn)
			}
		})
	}
}

// track remembers a connection so that close can end it; false if the server is closed already.
func (s *server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.open[conn] = struct{}{}
	}
	return !s.closed
}

func (s *server) drop(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (s *server) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// refusal says why the last connection was turned away, nil if none was.
func (s *server) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// hand gives a connection to the feeder if it is the first; from then on it belongs to the feeder.
func (s *server) hand(conn *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken || s.closed {
		return false
	}
	s.taken = true
	delete(s.open, conn.Conn)
	s.accepted <- conn
	return true
}

// close stops listening, closes every connection that was not handed over, and waits for the goroutines. It may be called twice.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	_ = s.listener.Close()
	for conn := range s.open {
		_ = conn.Close()
	}
	select {
	case conn := <-s.accepted:
		_ = conn.Close()
	default:
	}
	s.mu.Unlock()
	s.work.Wait()
}

// handshake answers a replica's commands up to PSYNC. An error means that the connection is useless.
func (s *server) handshake(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	reader := resp.NewReader(conn)
	signedIn := false
	for range maxCommands {
		args, err := reader.ReadCommand()
		if err != nil {
			return err
		}
		reply := "+OK"
		var end error
		switch command := strings.ToUpper(args[0]); {
		case command == "AUTH":
			if signedIn = s.knows(args[1:]); !signedIn {
				reply, end = "-WRONGPASS invalid username-password pair or user is disabled.", errors.New("a wrong password")
			}
		case !signedIn:
			reply = "-NOAUTH Authentication required."
		case command == "PING":
			reply = "+PONG"
		case command == "REPLCONF":
		case command == "PSYNC":
			return s.begin(&connection{Conn: conn, reader: reader})
		default:
			reply = "-ERR unknown command, this is a restore under way"
		}
		if _, err := conn.Write([]byte(reply + "\r\n")); err != nil {
			return err
		}
		if end != nil {
			return end
		}
	}
	return fmt.Errorf("%d commands and still no PSYNC", maxCommands)
}

// knows compares AUTH's arguments, [user] password, with the one valid password.
func (s *server) knows(args []string) bool {
	if len(args) == 2 && args[0] == "default" {
		args = args[1:]
	}
	return len(args) == 1 && subtle.ConstantTimeCompare([]byte(args[0]), []byte(s.password.Reveal())) == 1
}

// begin answers PSYNC and hands the connection over.
func (s *server) begin(conn *connection) error {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	if !s.hand(conn) {
		_, _ = conn.Write([]byte("-ERR the data is being fetched already\r\n"))
		return errors.New("a second connection")
	}
	return nil
}
