package logical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
)

const (
	defaultIdleTimeout = 60 * time.Second
	defaultBatchBytes  = 4 << 20
)

// Options are limits; their zero values mean the defaults.
type Options struct {
	// IdleTimeout is how long the node may take for an answer, or for the next piece of a long one (default 60 s).
	IdleTimeout time.Duration
	// BatchBytes is about how much the node is asked for at once, unless a single value is larger (default 4 MiB). The node keeps that much in memory
	// while the reader takes its time.
	BatchBytes int64
	// Spool is a folder for the names of very many keys; "": the system's folder for temporary files.
	Spool string

	seenMemory int64
}

// Stream is an RDB that is made while it is read. It is not safe for concurrent use, except for Close.
type Stream struct {
	*io.PipeReader
	node    *node
	origin  replica.Origin
	missing error
	done    chan struct{} // closed when nothing is read from the node any more
}

// Open signs in, asks the node what it is, and makes sure that it lets its keys be read. ctx covers the Stream's whole life: when it ends, the
// connection closes at once.
//
// Errors, also those of Read, wrap [ErrRefused], [ErrUntied], [ErrAuth], [ErrLoading], [ErrMoved] or [ErrStale] if the node said so, the cause of ctx,
// os.ErrDeadlineExceeded if the node took too long, io.ErrUnexpectedEOF if it closed the connection, or a network error. Those of Read may also wrap
// [ErrSpool], [ErrDamaged] or [ErrVersion], and [ErrWiped], [ErrReplaced] or [ErrShrunk] if the node is not what it was at the beginning.
func Open(ctx context.Context, o resp.Options, options Options) (*Stream, error) {
	if options.IdleTimeout <= 0 {
		options.IdleTimeout = defaultIdleTimeout
	}
	if options.BatchBytes <= 0 {
		options.BatchBytes = defaultBatchBytes
	}
	if options.seenMemory <= 0 {
		options.seenMemory = seenMemory
	}
	s, err := open(ctx, o, options)
	if err != nil {
		return nil, fmt.Errorf("read the keys of %s: %w", o.Addr, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, o resp.Options, options Options) (*Stream, error) {
	o.Timeout = options.IdleTimeout
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	n := newNode(ctx, conn, options.IdleTimeout)
	t, err := newTaking(n, options)
	if err != nil {
		n.close()
		return nil, err
	}
	r, w := io.Pipe()
	s := &Stream{PipeReader: r, node: n, origin: t.origin, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		err := t.run(w)
		s.missing = t.missing
		n.close()
		if err != nil {
			err = fmt.Errorf("read the keys of %s: %w", o.Addr, explain(n.failure(err)))
		}
		w.CloseWithError(err) // nil: io.EOF
	}()
	return s, nil
}

// Try makes sure that the node lets its keys be read, by reading one of them if there is any. Errors are those of [Open].
func Try(ctx context.Context, o resp.Options) error {
	conn, err := resp.Dial(ctx, o)
	if err == nil {
		n := newNode(ctx, conn, defaultIdleTimeout)
		defer n.close()
		_, err = newTaking(n, Options{BatchBytes: defaultBatchBytes})
	}
	if err != nil {
		return fmt.Errorf("read the keys of %s: %w", o.Addr, explain(err))
	}
	return nil
}

// Origin says where the data comes from. It has no place in the node's history.
func (s *Stream) Origin() replica.Origin { return s.origin }

// Missing says after the end of the stream why the libraries of functions are not in it; nil if they are, or if the node has no such thing.
func (s *Stream) Missing() error { return s.missing }

// Close closes the connection. It may be called at any time and more than once.
func (s *Stream) Close() error {
	s.node.close()
	err := s.PipeReader.Close()
	<-s.done
	return err
}

// auxMade is the field by which an RDB says that it was made here.
const auxMade = "rekindle-read"

// Made tells whether an RDB was made here.
func Made(h rdb.Header) bool { return h.Aux[auxMade] != "" }

// originOf is what INFO says.
func originOf(info resp.Info) (replica.Origin, error) {
	o := replica.Origin{Role: "primary", Keys: info.Keys(), UsedMemory: info.Int("used_memory"), Length: -1}
	o.Engine, o.Version = info.Engine()
	if info["role"] == "slave" {
		o.Role = "replica"
		if link := info["master_link_status"]; link != "" && link != "up" {
			return o, ErrStale
		}
	}
	return o, nil
}

// introduce makes CLIENT LIST say who this is, and lets a replica in cluster mode answer.
func (n *node) introduce(info resp.Info) error {
	if _, err := n.conn.Do(n.ctx, "CLIENT", "SETNAME", "rekindle"); err != nil {
		if _, isReply := errors.AsType[resp.Error](err); !isReply {
			return err
		}
	}
	if info["role"] != "slave" || info["cluster_enabled"] != "1" {
		return nil
	}
	_, err := n.conn.Do(n.ctx, "READONLY")
	return err
}
