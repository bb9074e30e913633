package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"rekindle/internal/secret"
)

const (
	defaultDialTimeout = 5 * time.Second
	defaultTimeout     = 10 * time.Second
)

// ErrClosed is returned by a Conn that was closed, or that was abandoned because a command was interrupted:
// its reply might still arrive and be mistaken for the next command's.
var ErrClosed = errors.New("connection to the server is closed")

// Options say where and how to connect.
type Options struct {
	Addr        string        // host:port
	Username    string        // ACL user; empty: the default user
	Password    secret.Text   // empty: no AUTH is sent
	Others      []Login       // tried if the server refuses the password, such as while it is being changed; an empty one allows no password at all
	TLS         *tls.Config   // nil: plain TCP. Without a ServerName, the certificate must name the host of Addr
	DialTimeout time.Duration // for the connection, TLS included; 0: 5 s
	Timeout     time.Duration // for each command and its reply; 0: 10 s
	// Control is called before each attempt to connect, with the resolved address; see [net.Dialer]. An error refuses the attempt.
	Control func(network, address string, c syscall.RawConn) error
}

// Login is a way to sign in.
type Login struct {
	Username string // empty: the default user
	Password secret.Text
}

// Conn is one connection to a Redis or Valkey server. It is not safe for concurrent use, except for Close.
type Conn struct {
	nc      net.Conn
	r       *Reader
	timeout time.Duration
	broken  bool // a command ended without its reply
}

// Dial connects and, if there is a password, signs in with AUTH. A refused sign-in is an [Error]
// ("WRONGPASS", or "ERR" from servers older than 6). Errors never contain the password.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if o.DialTimeout <= 0 {
		o.DialTimeout = defaultDialTimeout
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	nc, err := connect(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("connect to %s: %w", o.Addr, err)
	}
	c := NewConn(nc, o.Timeout)
	if err := c.signIn(ctx, o); err != nil {
		c.Close()
		return nil, fmt.Errorf("sign in at %s: %w", o.Addr, err)
	}
	return c, nil
}

// signIn tries the passwords in turn. It leaves the connection unauthenticated if there is no password, or if the server accepts none of
// them and one of the Others is empty.
func (c *Conn) signIn(ctx context.Context, o Options) error {
	var last error
	for _, login := range append([]Login{{o.Username, o.Password}}, o.Others...) {
		if login.Password == "" {
			continue
		}
		last = c.auth(ctx, login.Username, login.Password)
		if reply, ok := errors.AsType[Error](last); !ok || !reply.PasswordRefused() {
			return last
		}
	}
	if o.Password == "" || slices.ContainsFunc(o.Others, func(l Login) bool { return l.Password == "" }) {
		return nil
	}
	return last
}

func (c *Conn) auth(ctx context.Context, user string, password secret.Text) error {
	args := []string{"AUTH", password.Reveal()}
	if user != "" {
		args = []string{"AUTH", user, password.Reveal()}
	}
	_, err := c.Do(ctx, args...)
	if reply, ok := errors.AsType[Error](err); ok {
		// A server that does not know AUTH repeats the arguments in its answer, and answers end up in logs.
		return Error(strings.ReplaceAll(string(reply), password.Reveal(), password.String()))
	}
	return err
}

// connect opens the connection, with TLS if asked for, within the dial timeout.
func connect(ctx context.Context, o Options) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	d := net.Dialer{Control: o.Control}
	nc, err := d.DialContext(limited, "tcp", o.Addr)
	if err != nil || o.TLS == nil {
		return nc, err
	}
	config := o.TLS.Clone()
	if config.ServerName == "" {
		if config.ServerName, _, err = net.SplitHostPort(o.Addr); err != nil {
			nc.Close()
			return nil, err
		}
	}
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(limited); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}

// NewConn wraps an open connection. The timeout is for each command with its reply.
func NewConn(nc net.Conn, timeout time.Duration) *Conn {
	return &Conn{nc: nc, r: NewReader(nc), timeout: timeout}
}

// Do sends one command and returns its reply. An error reply is returned as an [Error]. When ctx ends or the
// time is up, the call returns at once and the connection is closed: later calls return [ErrClosed].
func (c *Conn) Do(ctx context.Context, args ...string) (Value, error) {
	var v Value
	err := c.exchange(ctx, args[0], func() (err error) {
		if _, err = c.nc.Write(AppendCommand(nil, args...)); err == nil {
			v, err = c.r.ReadValue()
		}
		return err
	})
	if err == nil && v.Kind == KindError {
		return Value{}, Error(v.Str)
	}
	return v, err
}

// Send sends one command and does not wait for a reply. Errors are as with [Conn.Do].
func (c *Conn) Send(ctx context.Context, args ...string) error {
	return c.exchange(ctx, args[0], func() error {
		_, err := c.nc.Write(AppendCommand(nil, args...))
		return err
	})
}

// exchange runs f within the command's timeout and ctx, and abandons the connection when f fails.
func (c *Conn) exchange(ctx context.Context, command string, f func() error) error {
	if c.broken {
		return fmt.Errorf("%s: %w", command, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
	// A failing SetDeadline means a closed connection, which f reports by itself.
	_ = c.nc.SetDeadline(time.Now().Add(c.timeout))
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	err := f()
	if !stop() && err == nil {
		err = ctx.Err() // the reply was read, but the connection is gone
	}
	if err == nil {
		_ = c.nc.SetDeadline(time.Time{})
		return nil
	}
	c.broken = true
	c.nc.Close()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("no answer within %s: %w", c.timeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the server closed the connection: %w", err)
	case errors.Is(err, net.ErrClosed):
		err = ErrClosed
	}
	return fmt.Errorf("%s: %w", command, err)
}

// Info asks for INFO: the given sections, or the server's default ones. Each section is a command of its own, because
// servers older than 7.0 accept only one at a time.
func (c *Conn) Info(ctx context.Context, sections ...string) (Info, error) {
	if len(sections) == 0 {
		v, err := c.Do(ctx, "INFO")
		return ParseInfo(v.Str), err
	}
	info := Info{}
	for _, section := range sections {
		v, err := c.Do(ctx, "INFO", section)
		if err != nil {
			return nil, err
		}
		for name, value := range ParseInfo(v.Str) {
			info[name] = value
		}
	}
	return info, nil
}

// NetConn returns the underlying connection, for callers that leave the request-reply pattern.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Reader returns the connection's reader; its buffer may already hold bytes that follow the last reply.
func (c *Conn) Reader() *Reader { return c.r }

// Close closes the connection. It may be called at any time, more than once, and interrupts a running Do.
func (c *Conn) Close() error {
	err := c.nc.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
