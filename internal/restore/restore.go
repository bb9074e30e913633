// Package restore writes the keys of an RDB into running servers, by RESTORE: into one node, or into the primaries of a cluster in cluster mode, each
// key where its slot is.
//
// A [Writer] reads an RDB as it streams by, sends each key to its node in batches, and reads the answers meanwhile. It does not interpret values:
// their bytes go from the RDB into the command, except for values that the nodes do not read as they are stored, and for hashes whose fields get other
// deadlines. A key with a large value is put aside on disk, because the command begins with its length.
package restore

import (
	"context"
	"errors"
	"io"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
)

// Policy says what happens to a key that is already there.
type Policy int

// The policies.
const (
	Refuse  Policy = iota // the restore ends with [ErrExists]
	Keep                  // it stays as it is
	Replace               // it gets the value and the deadline from the RDB
)

var (
	// ErrExists says that a key, or a library of functions, is already there.
	ErrExists = errors.New("it already exists")
	// ErrValue says that the server cannot read a value: its type came with a later version.
	ErrValue = errors.New("the server does not know how the value is stored")
	// ErrMoved says that a node no longer has the slot of a key.
	ErrMoved = errors.New("that node does not have its slot")
	// ErrNotPrimary says that the node no longer accepts writes.
	ErrNotPrimary = errors.New("the node is no longer a primary")
	// ErrFull says that the server's memory is full.
	ErrFull = errors.New("the server has no memory left")
	// ErrDatabase says that the server has no database of that number.
	ErrDatabase = errors.New("the server has no such database")
	// ErrGone says that a node closed the connection, or neither read nor answered for too long.
	ErrGone = errors.New("the node has gone")
	// ErrSpool says that a large value could not be put aside.
	ErrSpool = errors.New("a large value cannot be stored temporarily")
	// ErrDenied says that the user may not do this.
	ErrDenied = errors.New("the user is not allowed to do this")
)

// Deadlines says when keys with a deadline expire, and fields of hashes that have one.
type Deadlines int

// The choices.
const (
	KeepDeadlines  Deadlines = iota // at the time in the RDB
	ShiftDeadlines                  // after the time that they had left when the RDB was written
	DropDeadlines                   // never
)

// Options say how keys are written.
type Options struct {
	Policy        Policy
	KeepLibraries bool // existing libraries of functions stay as they are, even if existing keys are refused
	Deadlines     Deadlines
	Into          rdb.Target         // the engine of the nodes: values take a form that it reads; the zero value leaves them as they are
	Spool         string             // a folder for values that are too large for memory; "": the system's folder for temporary files
	Route         func(slot int) int // the index of the node that has a slot; nil: there is one node
	Now           func() time.Time   // for deadlines, and to count expired keys; nil: time.Now
}

// Counts says what has been done.
type Counts struct {
	Written   int64 // keys that the servers have accepted
	Kept      int64 // keys that were already there and stay as they were
	Expired   int64 // how many of the written keys have expired: a server accepts them and does not have them
	Libraries int64 // of functions, that the servers have accepted
}

// Writer writes into the nodes of a cluster.
type Writer struct {
	times
	spread[*writing]
	options Options
	spool   *spool
	stop    func() bool
}

// Open connects to the nodes that keys are written to, which are primaries.
func Open(ctx context.Context, nodes []resp.Options, options Options) (*Writer, error) {
	w := &Writer{times: timesOf(options), spread: newSpread[*writing](options.Route), options: options, spool: &spool{folder: options.Spool}}
	for _, node := range nodes {
		conn, err := resp.Dial(ctx, node)
		if err != nil {
			_ = w.Close()
			return nil, err
		}
		w.to = append(w.to, newWriting(conn, node.Addr, options))
	}
	w.stop = context.AfterFunc(ctx, func() {
		for _, l := range w.to {
			l.fail(context.Cause(ctx))
		}
	})
	return w, nil
}

// Write writes the keys of one RDB, and returns when the servers have accepted them all. It may be called again for another RDB.
//
// Errors are those of [rdb.Visit] and, with the key and the node in the text, ErrExists, ErrValue, ErrMoved, ErrNotPrimary, ErrFull, ErrDatabase,
// ErrDenied, ErrGone, ErrSpool, another answer of a server ([resp.Error]), or the cause of the context given to [Open]. What was written before the
// error stays written.
func (w *Writer) Write(r io.Reader) (rdb.Summary, error) {
	sum, err := rdb.Visit(r, visitor{w})
	for _, l := range w.to {
		if err == nil {
			err = l.flush()
		}
	}
	for _, l := range w.to {
		if failed := l.settle(); err == nil || errors.Is(err, errLane) {
			err = failed
		}
	}
	return sum, err
}

// Counts may be called at any time, even while Write runs.
func (w *Writer) Counts() Counts {
	var all Counts
	for _, l := range w.to {
		all.Written += l.written.Load()
		all.Kept += l.kept.Load()
		all.Expired += l.expired.Load()
		all.Libraries += l.libraries.Load()
	}
	return all
}

// Close closes the connections.
func (w *Writer) Close() error {
	if w.stop != nil {
		w.stop()
	}
	for _, l := range w.to {
		l.close()
	}
	return w.spool.close()
}
