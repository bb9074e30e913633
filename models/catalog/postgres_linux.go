package catalog

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitUnacknowledged ends a connection whose other end does not acknowledge what was sent. TCP by itself would try for a quarter of an hour.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(postgresPatience.Milliseconds()))
	})
	if errors.Is(failed, unix.EOPNOTSUPP) || errors.Is(failed, unix.ENOPROTOOPT) {
		failed = nil // a Unix socket
	}
	return errors.Join(err, failed)
}

// spoken tells whether a connection on which nothing is expected has something to read, or has been closed by the server.
func spoken(connection net.Conn) bool {
	if encrypted, ok := connection.(interface{ NetConn() net.Conn }); ok {
		connection = encrypted.NetConn()
	}
	socket, ok := connection.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	something := false
	// Not by raw.Read, which waits for whoever reads: after a slow write pgx leaves a reader on a connection that is at rest.
	err = raw.Control(func(fd uintptr) {
		_, _, failed := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		something = !errors.Is(failed, unix.EAGAIN)
	})
	return something || err != nil
}
