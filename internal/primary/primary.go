// Package primary acts as a primary: it makes a fresh Redis or Valkey node load an RDB by replication.
//
// [Feed] tells the node (the target) "REPLICAOF <us>", answers its PSYNC with "+FULLRESYNC", streams the RDB to it as
// a primary would, and lets it go with "REPLICAOF NO ONE". No file on the target's host is touched, memory here is
// limited to a few buffers, and an append-only file over there cannot override the data.
//
// [Hold] does the same and sends the stream behind the RDB as well, up to a place in the source's history. It does not let the node go: as long as its
// link is up, nothing in it changes, and others can take a snapshot of it. [FeedUpTo] does let it go, so that it serves as it was at that place.
//
// A node that loads a bad RDB exits, and one that loads too much evicts silently. Therefore:
//   - A target that holds keys, or whose version cannot read the RDB, is refused before anything is changed.
//   - A target may be a replica of Nobody, so that no client writes to it before the data is there. After a failure it is one again.
//   - The RDB's end is held back until all of it has been read and its SHA-256 is correct.
//   - The port that the target fetches the RDB from requires a password that is used once and that only the target knows.
//   - Before the promotion the keys are counted and the memory is checked, and after it the keys are counted again.
//   - The target's settings are restored, also after a failure. A target that failed is never left as a primary with
//     data: it is an empty primary again, or, if it has data, a read-only replica of Nobody.
package primary

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"rekindle/internal/digest"
	"rekindle/internal/secret"
)

// Errors that Feed wraps. Errors of Dump.Open and its reader, and the cause of ctx, are passed on too.
var (
	// ErrNotEmpty: the target holds keys. Nothing was changed.
	ErrNotEmpty = errors.New("the target holds data already: only an empty node can be restored into")
	// ErrVersion: the target's engine cannot load an RDB of that version. Nothing was changed.
	ErrVersion = errors.New("the target's engine is too old or of the wrong kind for this RDB")
	// ErrHash: what was read is not the RDB that was announced (length or SHA-256). Its end was never sent.
	ErrHash = errors.New("the data is not what it should be: its length or SHA-256 differs")
	// ErrTooBig: the data is larger in memory than the target's maxmemory: promoted, it would evict keys or refuse writes.
	ErrTooBig = errors.New("the data does not fit into the target's maxmemory: choose a larger node type")
	// ErrCount: the target holds another number of keys than it should.
	ErrCount = errors.New("the target does not hold the number of keys that it should")
	// ErrRefused: the target's configuration or its user's rights do not allow it; the message says what to do.
	ErrRefused = errors.New("the target refuses to be restored into")
	// ErrGone: the target went away, or fell silent, in the middle. Damaged data can be the cause: a node that loads from
	// the socket exits when it finds something impossible, which may be before the hash is known. Verify the data.
	ErrGone = errors.New("the target broke off")
)

// Target is the node to feed.
type Target struct {
	Addr     string      // host:port
	Username string      // ACL user; empty: the default user
	Password secret.Text // empty: no AUTH is sent
	TLS      *tls.Config // as in [resp.Options]
}

// Dump is the RDB to feed the target with.
type Dump struct {
	Length  int64         // bytes of the plain RDB
	Digest  digest.Digest // of the plain RDB
	Version int           // of the RDB format
	Keys    int64         // in all databases; -1: unknown, not compared
	Expires int64         // keys with an expiry among them; -1: unknown
	Fitted  bool          // the data was in a node with this maxmemory: it is accepted even if it is somewhat larger now
	// Open starts to read the RDB. The reader must end when ctx does.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Options are settings of a Feed; their zero values mean the defaults.
type Options struct {
	// ListenHost is the address of this host that the target connects to, "127.0.0.1" by default. "0.0.0.0" or "::"
	// listens everywhere and tells the target the address that this host reaches it from.
	ListenHost string
	// Certificate proves this host's identity to a target that replicates by TLS; nil: the target connects without TLS.
	Certificate *tls.Certificate
	// OnProgress is called with the number of bytes sent so far, every few hundred KiB and at the end. It must not block.
	OnProgress func(sent int64)
	// ConnectTimeout is how long the target may take to connect and ask for the data (default 30 s).
	ConnectTimeout time.Duration
	// StallTimeout is how long the target may accept no bytes, and, once it has them all, give no sign of life (default 60 s).
	StallTimeout time.Duration
}

// Result says what the target holds.
type Result struct {
	Keys    int64 // in all databases, after the promotion
	Expired int64 // keys that have expired at the target since
	Memory  int64 // how much memory the data takes at the target, as far as it counts against maxmemory
}

const (
	defaultListenHost     = "127.0.0.1"
	defaultConnectTimeout = 30 * time.Second
	defaultStallTimeout   = 60 * time.Second
	// cleanUpTime is how long restoring the target's settings may take, whatever has become of the caller's context.
	cleanUpTime = 10 * time.Second
	// held is how many bytes at the RDB's end are held back for the hash: the end mark and the CRC64, and some more.
	held = 64
)

// Feed makes the target load the dump. Without an error the target is then a primary that holds exactly the dump's data,
// except for expired keys. After an error (see the errors above) it is an empty primary as before if that was possible,
// otherwise a read-only replica to be thrown away; its settings are restored, and the error says so if they could not
// be. Feed returns soon after ctx ends or the target goes away.
func Feed(ctx context.Context, target Target, dump Dump, options Options) (Result, error) {
	f := feeder{target: target, dump: dump, options: options.withDefaults()}
	result, err := f.run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("feed %s: %w", target.Addr, err)
	}
	return result, nil
}

func (o Options) withDefaults() Options {
	if o.ListenHost == "" {
		o.ListenHost = defaultListenHost
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = defaultStallTimeout
	}
	if o.OnProgress == nil {
		o.OnProgress = func(int64) {}
	}
	return o
}

// check refuses a dump that is obviously not an RDB.
func (d Dump) check() error {
	if err := d.Digest.Check(); err != nil || d.Length < 10 || d.Open == nil {
		return fmt.Errorf("%w: %d bytes, hash %.80q", ErrHash, d.Length, d.Digest)
	}
	return nil
}

// feeder is the state of one Feed, Hold or FeedUpTo.
type feeder struct {
	target  Target
	dump    Dump
	options Options

	patience time.Duration // for each answer of the target; 0: the default
	control  *control
	srv      *server
	link     *link
	old      []setting // of the target, to be put back
	evicted  int64     // evicted_keys of the target before
	attached bool      // the target was told REPLICAOF
	wasHeld  bool      // it was a replica of Nobody
}

// run makes the target fetch and load the RDB, checks the result, and makes it a primary. The link stays open until then: a replica that has lost its
// primary is not in a normal state.
func (f *feeder) run(ctx context.Context) (result Result, err error) {
	defer func() {
		if undo := f.end(ctx, err != nil); undo != nil {
			err = errors.Join(err, undo)
		}
	}()
	if err := f.begin(ctx); err != nil {
		return Result{}, err
	}
	if err := f.link.send(freshHistory(), f.dump, f.options.OnProgress); err != nil {
		return Result{}, f.link.cause(err)
	}
	if err := f.link.requestAck(); err != nil {
		return Result{}, f.link.cause(err)
	}
	if err := f.link.awaitAck(); err != nil {
		return Result{}, err
	}
	return f.promote(ctx)
}

// begin makes the target connect and ask for the data.
func (f *feeder) begin(ctx context.Context) (err error) {
	if err := f.dump.check(); err != nil {
		return err
	}
	if f.control, err = dial(ctx, f.target, f.patience); err != nil {
		return err
	}
	if err := f.inspect(ctx); err != nil {
		return err
	}
	if f.srv, err = listen(ctx, f.options, f.control.NetConn()); err != nil {
		return err
	}
	if f.old, err = f.control.protect(ctx, f.srv.password, f.dump.Fitted); err != nil {
		return err
	}
	f.attached = true
	if err := f.control.replicaOf(ctx, f.srv.host, f.srv.port); err != nil {
		return err
	}
	conn, err := f.awaitConnection(ctx, f.srv)
	if err != nil {
		return err
	}
	f.link = newLink(ctx, conn, f.options.StallTimeout)
	return nil
}

// end cuts the link and puts the target's settings back. A target that was not promoted is let go as after a failure.
func (f *feeder) end(ctx context.Context, unpromoted bool) error {
	if f.link != nil {
		f.link.close()
	}
	if f.control != nil {
		defer func() { _ = f.control.Close() }()
	}
	if f.srv == nil {
		return nil
	}
	// The port is closed first, so that nobody can fetch anything any more, and then the target is let go.
	f.srv.close()
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return f.cleanUp(clean, f.old, unpromoted)
}

// awaitConnection waits until the target has connected and asked for the data. Meanwhile it checks that the target is
// alive at all.
func (f *feeder) awaitConnection(ctx context.Context, srv *server) (*connection, error) {
	timeout := time.NewTimer(f.options.ConnectTimeout)
	defer timeout.Stop()
	alive := time.NewTicker(500 * time.Millisecond)
	defer alive.Stop()
	for {
		select {
		case conn := <-srv.accepted:
			return conn, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-alive.C:
			if err := f.control.ping(ctx); err != nil {
				return nil, err
			}
		case <-timeout.C:
			reason := fmt.Errorf("it did not ask for the data at %s within %s: can it reach that address?", srv.address(), f.options.ConnectTimeout)
			if refused := srv.refusal(); refused != nil {
				reason = fmt.Errorf("%w (last refused: %w)", reason, refused)
			}
			return nil, fmt.Errorf("%w: %w", ErrGone, reason)
		}
	}
}
