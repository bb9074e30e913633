package testkit

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Tap stands between a client and a server, hears the commands before the server does, and can be closed.
type Tap struct {
	Addr  string
	heard func(command string)

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// NewTap listens in front of the server at this address. heard is called with each command, "CONFIG SET save \"\"", and the server only gets it when
// that has returned; several connections may call it at once.
func NewTap(t testing.TB, server string, heard func(command string)) *Tap {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tap := &Tap{Addr: listener.Addr().String(), heard: heard, open: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		listener.Close()
		tap.Close()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go tap.serve(client, server)
		}
	}()
	return tap
}

// Close ends all connections, and lets nobody through from now on.
func (t *Tap) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for conn := range t.open {
		conn.Close()
	}
}

// Open lets clients through again.
func (t *Tap) Open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = false
}

func (t *Tap) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil || !t.keep(client, server) {
		return
	}
	defer t.forget(client, server)
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if n > 0 {
			t.heard(commandIn(string(buffer[:n])))
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (t *Tap) keep(conns ...net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, conn := range conns {
		if t.closed {
			conn.Close()
		} else {
			t.open[conn] = true
		}
	}
	return !t.closed
}

func (t *Tap) forget(conns ...net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(t.open, conn)
	}
}

// commandIn are the words of a command that came in one piece.
func commandIn(raw string) string {
	var words []string
	for i, line := range strings.Split(raw, "\r\n") {
		if i > 0 && i%2 == 0 && line != "" { // after the count, lengths and words alternate
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
