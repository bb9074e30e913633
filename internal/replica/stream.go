package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"rekindle/internal/resp"
)

const (
	// markSize is the length of the random mark that a node announces before the RDB and sends after it.
	markSize = 40
	// smallRead is the size below which a Read goes through a buffer: holding back the mark would be too much work per byte.
	smallRead = 4 << 10
)

// Stream returns the bytes of an RDB as the node sends them. Reads of 64 KiB and more are fast. It is not safe for concurrent use, except for Close.
type Stream struct {
	conn   *resp.Conn
	in     *lowWater
	ctx    context.Context // of Open; only to tell why the connection closed
	stop   func() bool     // detaches from ctx
	idle   time.Duration
	origin Origin

	renamed bool // PSYNC has another name there

	mark  []byte         // what ends the RDB; nil: its length is known
	left  int64          // bytes to come when the length is known
	held  [markSize]byte // the last bytes read, which may be the mark
	nheld int
	total int64  // bytes returned
	small []byte // read but not returned yet, for callers with small buffers
	buf   []byte // what small points into
	err   error

	limit   time.Duration // how long nobody may read
	timer   *time.Timer   // runs out when nobody has
	stalled atomic.Bool
}

func newStream(ctx context.Context, c *resp.Conn, idle time.Duration) *Stream {
	s := &Stream{conn: c, ctx: ctx, idle: idle}
	s.stop = context.AfterFunc(ctx, func() { c.Close() })
	s.in = newLowWater(c.NetConn(), idle)
	return s
}

// watch begins to watch the reader, who must not stall longer than the node tolerates.
func (s *Stream) watch(onStall func(error)) {
	s.limit = s.origin.ReplTimeout * 3 / 4
	s.timer = time.AfterFunc(s.limit, func() {
		s.stalled.Store(true)
		s.conn.Close()
		if onStall != nil {
			onStall(s.failure(net.ErrClosed))
		}
	})
}

// Origin says where the data comes from.
func (s *Stream) Origin() Origin { return s.origin }

// Read returns the next bytes of the RDB. io.EOF comes only when the RDB is complete. Otherwise errors wrap io.ErrUnexpectedEOF (the node closed the
// connection), os.ErrDeadlineExceeded (it fell silent), [ErrStalled] (too long since the last Read), the cause of Open's ctx, or a network error.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(s.small) > 0 {
			n := copy(p, s.small)
			s.small = s.small[n:]
			return n, nil
		}
		if s.err != nil {
			return 0, s.err
		}
		if len(p) >= smallRead {
			if n := s.next(p); n > 0 {
				return n, nil
			}
			continue
		}
		if s.buf == nil {
			s.buf = make([]byte, 16*smallRead)
		}
		s.small = s.buf[:s.next(s.buf)]
	}
}

// next reads into p, and sets s.err at the end. p has room for more than the mark.
func (s *Stream) next(p []byte) (n int) {
	if s.mark == nil {
		n, s.err = s.nextOfLength(p)
	} else {
		n, s.err = s.nextToMark(p)
	}
	s.total += int64(n)
	if s.err != nil && s.err != io.EOF {
		s.err = fmt.Errorf("the RDB broke off after %d bytes: %w", s.total, s.failure(s.err))
	}
	if s.err != nil {
		s.timer.Stop()
		s.conn.Close() // what a node sends after its RDB is not wanted
	}
	return n
}

func (s *Stream) nextOfLength(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case s.left == 0:
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// nextToMark appends to the bytes that are held back, returns all but the last 40, and holds those back. The node sends nothing after the mark until
// it gets an acknowledgement, so the mark is always last.
func (s *Stream) nextToMark(p []byte) (int, error) {
	copy(p, s.held[:s.nheld])
	n, err := s.read(p[s.nheld:])
	n += s.nheld
	keep := min(n, markSize)
	out := n - keep
	s.nheld = copy(s.held[:], p[out:n])
	switch {
	case bytes.Equal(s.held[:s.nheld], s.mark):
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// read takes what the protocol reader has buffered, then reads from the connection.
func (s *Stream) read(p []byte) (int, error) {
	s.timer.Stop() // now the node is waited for
	defer s.timer.Reset(s.limit)
	if s.conn.Reader().Buffered() > 0 {
		return s.conn.Reader().Read(p)
	}
	return s.in.Read(p)
}

// failure says why a read failed.
func (s *Stream) failure(err error) error {
	if s.stalled.Load() {
		return fmt.Errorf("nothing was taken of the data for %s, and the node waits for %s: %w", s.limit, s.origin.ReplTimeout, ErrStalled)
	}
	return broken(s.ctx, err)
}

// broken says why reading from a node failed.
func broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the node fell silent: %w", err)
	case errors.Is(err, syscall.ECONNRESET): // what a killed node leaves instead of an end
		return fmt.Errorf("the node closed the connection: %w (%w)", io.ErrUnexpectedEOF, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the node closed the connection: %w", err)
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("the stream was closed: %w", err)
	}
	return err
}

// Close closes the connection, which ends the synchronisation on the node if it is still running. It may be
// called at any time and more than once.
func (s *Stream) Close() error {
	s.stop()
	if s.timer != nil { // nil: it has not begun
		s.timer.Stop()
	}
	return s.conn.Close()
}
