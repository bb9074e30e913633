package replica

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// highMark is how many bytes the kernel lets accumulate before it wakes a waiting reader.
	highMark = 128 << 10
	// gatherTime is how long a reader waits for that many before it takes what there is.
	gatherTime = 20 * time.Millisecond
)

// lowWater reads from a connection in large pieces. Nodes write an RDB 16 KiB at a time, and a reader that wakes up for each piece spends half of its
// time on waking up. SO_RCVLOWAT makes the kernel wait for more. The end of an RDB is shorter than that, and nothing follows it: so a read that did
// not get its 128 KiB soon lowers the mark to one byte and waits as long as it may. The mark rises again with the next bytes.
type lowWater struct {
	nc   net.Conn
	raw  syscall.RawConn // nil: the connection has no such option
	idle time.Duration
	high bool
}

func newLowWater(nc net.Conn, idle time.Duration) *lowWater {
	l := &lowWater{nc: nc, idle: idle}
	if sc, ok := nc.(syscall.Conn); ok {
		l.raw, _ = sc.SyscallConn()
	}
	return l
}

// Read reads what there is, or waits. It returns os.ErrDeadlineExceeded when nothing came within idle.
func (l *lowWater) Read(p []byte) (int, error) {
	if l.raw != nil && l.idle > 2*gatherTime && len(p) >= highMark/2 && l.set(true) {
		// Setting a deadline fails only on a closed connection, where the read after it fails, too.
		_ = l.nc.SetReadDeadline(time.Now().Add(gatherTime))
		n, err := l.nc.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	if l.high && !l.set(false) {
		return 0, errors.New("the socket refused SO_RCVLOWAT=1")
	}
	_ = l.nc.SetReadDeadline(time.Now().Add(l.idle))
	return l.nc.Read(p)
}

// set raises or lowers the mark and reports whether it is there.
func (l *lowWater) set(high bool) bool {
	if l.high == high {
		return true
	}
	mark := 1
	if high {
		mark = highMark
	}
	var failed error
	err := l.raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, mark)
	})
	if err != nil || failed != nil {
		return false
	}
	l.high = high
	return true
}
