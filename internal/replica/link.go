package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rekindle/internal/resp"
)

// Link returns the stream of writes that a node sends to its replicas. It is not safe for concurrent use, except for Stored and Close.
type Link struct {
	conn     *resp.Conn
	in       *lowWater
	ctx      context.Context // of Follow; only to tell why the connection closed
	stop     func() bool     // detaches from ctx
	once     sync.Once
	closed   chan struct{} // once
	origin   Origin        // where it began
	previous string
	offset   atomic.Int64
	stored   atomic.Int64
	err      error
}

// Follow asks a node for its stream behind a place, and returns when the node has agreed to send it. No RDB is ever taken: a node that does not have the
// place is left alone. ctx covers the Link's whole life: when it ends, the connection closes at once.
//
// Errors wrap [ErrNoContinue], alone or with [ErrRenamed], and what [Open]'s wrap. Of the Options, StartTimeout counts until the node has agreed, and
// IdleTimeout (by default the node's repl-timeout) is how long it may then be silent: a primary sends a PING every 10 seconds (repl-ping-replica-period),
// and a replica passes it on.
func Follow(ctx context.Context, src Source, at At, o Options) (*Link, error) {
	if o.StartTimeout <= 0 {
		o.StartTimeout = defaultStartTimeout
	}
	l, err := follow(ctx, src, at, o)
	if err != nil {
		return nil, fmt.Errorf("follow %s from %d: %w", src.Addr, at.Offset, explain(err))
	}
	return l, nil
}

func follow(ctx context.Context, src Source, at At, o Options) (*Link, error) {
	if src.PSYNC != "" && !strings.EqualFold(src.PSYNC, "PSYNC") {
		return nil, fmt.Errorf("%w (%w)", ErrRenamed, ErrNoContinue)
	}
	start := time.Now().Add(o.StartTimeout)
	startCtx, cancel := context.WithDeadline(ctx, start)
	defer cancel()
	c, err := resp.Dial(startCtx, src.Options)
	if err != nil {
		return nil, err
	}
	origin, info, err := introduce(startCtx, c)
	if p := position(info); err == nil && p.announced && !p.Has(at) {
		// Asking all the same would make it fork.
		err = fmt.Errorf("it has the bytes behind %d up to %d: %w", p.First, p.Offset, ErrNoContinue)
	}
	if err == nil {
		err = c.Send(startCtx, "PSYNC", at.ReplicationID, strconv.FormatInt(at.Offset+1, 10))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	origin.ReplicationID, origin.Offset = at.ReplicationID, at.Offset
	l := newLink(ctx, c, origin, o)
	if err := l.begin(start); err != nil {
		l.Close()
		return nil, err
	}
	go l.acknowledge(o.Acknowledge)
	return l, nil
}

func newLink(ctx context.Context, c *resp.Conn, origin Origin, o Options) *Link {
	idle := o.IdleTimeout
	if idle <= 0 {
		idle = origin.ReplTimeout
	}
	l := &Link{conn: c, in: newLowWater(c.NetConn(), idle), ctx: ctx, origin: origin, closed: make(chan struct{})}
	l.stop = context.AfterFunc(ctx, func() { c.Close() })
	l.offset.Store(origin.Offset)
	l.stored.Store(origin.Offset)
	return l
}

// begin reads the answer to PSYNC: "+CONTINUE", or with the history's new id. Empty lines are signs of life.
func (l *Link) begin(start time.Time) error {
	line := ""
	for line == "" {
		var err error
		if line, err = nextLine(l.conn, start); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("the node did not answer in time: %w", err)
			}
			return broken(l.ctx, err)
		}
	}
	words := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "-"):
		return fmt.Errorf("PSYNC: %w", resp.Error(line[1:]))
	case words[0] == "+FULLRESYNC":
		return fmt.Errorf("the node offered all of its data instead: %w", ErrNoContinue)
	case line[0] == '$': // what SYNC is answered with
		return fmt.Errorf("%w (%w)", ErrRenamed, ErrNoContinue)
	case words[0] != "+CONTINUE" || len(words) > 2:
		return fmt.Errorf("PSYNC was answered with %.80q: %w", line, resp.ErrProtocol)
	}
	if len(words) == 2 && words[1] != l.origin.ReplicationID {
		l.previous, l.origin.ReplicationID = l.origin.ReplicationID, words[1]
	}
	return nil
}

// Origin says what the node is, and where in its history the Link began. Length means nothing here.
func (l *Link) Origin() Origin { return l.origin }

// ReplicationID is what the node calls its history now. Offsets are the same as before if it has a new name.
func (l *Link) ReplicationID() string { return l.origin.ReplicationID }

// PreviousID is the id that was asked for if the history has another one now, as after a failover, else "".
func (l *Link) PreviousID() string { return l.previous }

// Offset is the place behind what was read. It may be asked for at any time.
func (l *Link) Offset() int64 { return l.offset.Load() }

// Stored says that everything up to a place is kept for good, which [Options] may have the node told.
func (l *Link) Stored(offset int64) {
	for {
		before := l.stored.Load()
		if offset <= before || l.stored.CompareAndSwap(before, offset) {
			return
		}
	}
}

// Read returns the next bytes of the stream. Errors wrap io.ErrUnexpectedEOF (the node closed the connection), os.ErrDeadlineExceeded (it fell silent),
// the cause of Follow's ctx, or are network errors; it never ends in any other way. Reads of 64 KiB and more are fast.
func (l *Link) Read(p []byte) (int, error) {
	if l.err != nil || len(p) == 0 {
		return 0, l.err
	}
	n, err := 0, error(nil)
	if l.conn.Reader().Buffered() > 0 {
		n, err = l.conn.Reader().Read(p)
	} else {
		n, err = l.in.Read(p)
	}
	l.offset.Add(int64(n))
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		l.err = fmt.Errorf("the stream broke off at %d: %w", l.offset.Load(), broken(l.ctx, err))
		l.Close()
	}
	return n, l.err
}

// acknowledge tells the node that this replica lives: what is stored, each second, or no more than what keeps the link, by naming no place at all, which
// satisfies no WAIT.
func (l *Link) acknowledge(stored bool) {
	every := max(l.origin.ReplTimeout/2, time.Second/2)
	if stored {
		every = time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-l.closed:
			return
		case <-ticker.C:
		}
		place := int64(0)
		if stored {
			place = l.stored.Load()
		}
		nc := l.conn.NetConn()
		_ = nc.SetWriteDeadline(time.Now().Add(every))
		if _, err := nc.Write(resp.AppendCommand(nil, "REPLCONF", "ACK", strconv.FormatInt(place, 10))); err != nil {
			l.conn.Close() // Read finds out
			return
		}
	}
}

// Close closes the connection. It may be called at any time and more than once.
func (l *Link) Close() error {
	l.stop()
	l.once.Do(func() { close(l.closed) })
	return l.conn.Close()
}
