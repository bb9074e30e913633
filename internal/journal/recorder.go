package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/DataDog/zstd"
	"github.com/jonboulle/clockwork"

	"rekindle/internal/digest"
	"rekindle/internal/store"
)

// Why a recording ends, beside its link and its context.
var (
	// ErrTaken: another console records the same.
	ErrTaken = errors.New("another console writes this journal, too")
	// ErrSpoolFull: the store has not taken segments for so long that the room for those that wait is used up.
	ErrSpoolFull = errors.New("the snapshot store is too slow or away, and the room for the journal on this host is used up")
)

// Link is a link to a node that sends its stream, see replica.Link.
type Link interface {
	io.Reader
	ReplicationID() string
	PreviousID() string  // what was asked for, if the node has given the history another id; else ""
	Offset() int64       // place behind what was read; asked for at any time
	Stored(offset int64) // everything up to this place is kept for good
	Close() error        // ends a Read
}

// RecorderOptions change how a recording is made; their zero values mean the defaults.
type RecorderOptions struct {
	Every time.Duration // a segment closes after this long (default 10 s)
	Bytes int64         // or when it has so many bytes of the stream (default 8 MiB, at most 64 MiB)
	Idle  time.Duration // one with nothing but signs of life stays open this long (default 60 s, at most 1 h)
	Burst int64         // a second in which more keys than this are removed is an event (default 1000)

	// SpoolDir is a folder for segments that wait for the store, each place in a folder of its own below; "": there is none, and 8 MiB may wait in
	// memory.
	SpoolDir   string
	SpoolBytes int64 // how much may wait there (default 1 GiB)

	Resume *Resume // what is known about the place where the link begins; nil: that a command begins there, no more
	Clock  clockwork.Clock
	// OnSegment is called when a segment has been stored, in order, and OnState when something has changed. They are called one at a time, and must
	// return soon.
	OnSegment func(Segment, Index)
	OnState   func(State)
}

// State is how a recording is getting on.
type State struct {
	Place
	Run          string
	Received     int64     // place behind everything that has come
	Stored       int64     // place behind what is in the store
	StoredUntil  time.Time // when its last byte came; zero: nothing is stored yet
	Waiting      int       // segments that are closed and not stored
	WaitingBytes int64     // what they have, as stored
	StoreErr     error     // why the store did not take the last one; nil: it did
	// Resume is where another recording of this run goes on behind what is stored or waits in the spool.
	Resume Resume
}

const (
	defaultEvery = 10 * time.Second
	defaultBytes = 8 << 20
	defaultIdle  = 60 * time.Second
	defaultBurst = 1000
	defaultSpool = 1 << 30

	// maxStored closes a segment that does not compress, so that two of them fit into the memory of a link.
	maxStored = 5 << 20
	// maxWaiting is how much waits in memory where there is no spool, what is being stored included.
	maxWaiting = 8 << 20
	readSize   = 128 << 10
	// farewell is how long the last segment may take to be stored.
	farewell = 5 * time.Second
)

func (o RecorderOptions) withDefaults() RecorderOptions {
	o.Every = min(cmp.Or(max(o.Every, 0), defaultEvery), longest)
	o.Idle = min(max(cmp.Or(max(o.Idle, 0), defaultIdle), o.Every), longest)
	o.Bytes = min(cmp.Or(max(o.Bytes, 0), defaultBytes), maxPlain)
	o.Burst = cmp.Or(max(o.Burst, 0), defaultBurst)
	o.SpoolBytes = cmp.Or(max(o.SpoolBytes, 0), defaultSpool)
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	return o
}

// Record reads the stream from a link and stores it in segments, until ctx ends, the link ends, the stream is malformed, or the room for what waits for
// the store is used up. It always returns an error that says which: ctx's cause, the link's, ErrMalformed, ErrSpoolFull or ErrTaken. The link is closed
// then, and what came has been closed as a segment and stored, if that took no longer than a few seconds; otherwise it waits in the spool.
//
// The link is never made to wait for the store. Segments that wait in the spool of an earlier recording of this place are stored first. Memory is that
// of two segments, and of what the store needs.
func Record(ctx context.Context, link Link, st store.Store, place Place, run string, o RecorderOptions) error {
	o = o.withDefaults()
	begin := Resume{Run: run, ReplicationID: link.ReplicationID(), Offset: link.Offset(), Database: Unknown}
	if o.Resume != nil && o.Resume.Offset == begin.Offset {
		begin.Database = o.Resume.Database
	}
	r := &recorder{
		place: place, run: run, id: link.ReplicationID(), previous: link.PreviousID(), link: link, o: o, pool: newPool(),
		collector: newCollector(begin, o.Burst), offset: begin.Offset,
	}
	r.state = State{Place: place, Run: run, Stored: begin.Offset, Resume: begin}
	if err := r.record(ctx, st); err != nil {
		return fmt.Errorf("record the journal of %s: %w", place, err)
	}
	return nil
}

// recorder is one recording.
type recorder struct {
	place        Place
	run          string
	id, previous string
	link         Link
	o            RecorderOptions
	pool         *pool
	queue        *queue

	mu        sync.Mutex // of what follows
	collector *collector
	open      *draft // nil: nothing has come since the last segment
	offset    int64  // place behind what came
	now       time.Time

	telling sync.Mutex // of what follows
	state   State
}

// draft is the segment that is open.
type draft struct {
	from    int64
	begin   time.Time
	end     time.Time
	hash    digest.Hash
	encoder *zstd.Writer
	body    *buffer
}

func (r *recorder) record(ctx context.Context, st store.Store) error {
	if err := (Segment{Place: r.place, Run: r.run, ReplicationID: r.id, From: r.offset, To: r.offset + 1, Begin: r.time(), End: r.time()}).check(); err != nil {
		_ = r.link.Close()
		return err
	}
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	r.queue = newQueue(st, r)
	if err := r.queue.adopt(); err != nil {
		_ = r.link.Close()
		return err
	}
	count, size := r.queue.load()
	r.tell(func(s *State) { s.Waiting, s.WaitingBytes = count, size })
	detach := context.AfterFunc(ctx, func() { _ = r.link.Close() })
	defer detach()

	var stored, closing sync.WaitGroup
	stored.Go(func() { r.queue.store(working) })
	ended := make(chan struct{})
	closing.Go(func() { r.closeInTime(ended) })

	err := r.read()
	_ = r.link.Close()
	close(ended)
	closing.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	closeErr := r.close(true)
	r.queue.finish()
	timer := time.AfterFunc(farewell, func() { stop(errFarewell) })
	defer timer.Stop()
	stored.Wait()
	return errors.Join(cmp.Or(r.queue.failure(), err), closeErr, r.queue.keep())
}

var errFarewell = errors.New("the recording has ended")

// read adds what comes from the link, until it ends.
func (r *recorder) read() error {
	p := make([]byte, readSize)
	for {
		n, err := r.link.Read(p)
		if n > 0 {
			if addErr := r.add(p[:n]); addErr != nil {
				return addErr
			}
		}
		if err != nil {
			return err
		}
	}
}

// leap is by how much the clock must have been set, or this console frozen, for what comes to be another segment. Within one, time does not run backwards.
const leap = time.Minute

// leapt ends the open segment if the clock was set since something last came.
func (r *recorder) leapt() error {
	now := r.o.Clock.Now().UTC().Truncate(time.Millisecond)
	if r.now.IsZero() || now.Sub(r.now).Abs() < leap {
		return nil
	}
	if r.open != nil {
		if err := r.closeLocked(true); err != nil {
			return err
		}
	}
	r.now = now
	return nil
}

// time is the clock's, in milliseconds, and does not run backwards between two calls of leapt.
func (r *recorder) time() time.Time {
	if now := r.o.Clock.Now().UTC().Truncate(time.Millisecond); now.After(r.now) {
		r.now = now
	}
	return r.now
}

// add adds bytes to the open segment, and closes it when it is full.
func (r *recorder) add(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.leapt(); err != nil {
		return err
	}
	for len(p) > 0 {
		if r.open == nil {
			r.begin()
		}
		d := r.open
		piece := p[:min(int64(len(p)), r.o.Bytes-(r.offset-d.from))]
		p = p[len(piece):]
		d.end = r.time()
		scanErr := r.collector.add(piece, d.end)
		piece = piece[:r.collector.scanner.Offset()-r.offset] // less than all of it when it is malformed
		r.offset += int64(len(piece))
		_, _ = d.hash.Write(piece)
		if _, err := d.encoder.Write(piece); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		if scanErr != nil {
			return scanErr
		}
		if r.offset-d.from >= r.o.Bytes || d.body.size >= maxStored {
			if err := r.closeLocked(false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *recorder) begin() {
	body := &buffer{pool: r.pool}
	r.collector.begin()
	r.open = &draft{from: r.offset, begin: r.time(), hash: digest.New(), body: body, encoder: zstd.NewWriterLevel(body, zstd.BestSpeed)}
}

// closeInTime closes segments when it is time to.
func (r *recorder) closeInTime(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-r.o.Clock.After(min(max(r.o.Every/20, 10*time.Millisecond), time.Second)):
		}
		if err := r.closeDue(); err != nil {
			r.queue.fail(err)
			_ = r.link.Close()
			return
		}
	}
}

func (r *recorder) closeDue() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.leapt(); err != nil || r.open == nil {
		return err
	}
	after := r.o.Idle
	if r.collector.busy || r.collector.scanner.Boundary() < r.offset {
		after = r.o.Every
	}
	if r.time().Sub(r.open.begin) < after {
		return nil
	}
	return r.closeLocked(false)
}

func (r *recorder) close(last bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return nil
	}
	return r.closeLocked(last)
}

// closeLocked ends the open segment and puts it into the queue for the store.
func (r *recorder) closeLocked(last bool) error {
	d := r.open
	r.open = nil
	if err := d.encoder.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if r.offset == d.from { // nothing of it was good
		d.body.free()
		return nil
	}
	x := Index{FormatVersion: FormatVersion, Cluster: r.place.Cluster, Shard: r.place.Shard, Run: r.run, ReplicationID: r.id, PreviousReplicationID: r.previous,
		From: d.from, To: r.offset, Begin: d.begin, End: d.end, Bytes: r.offset - d.from, Digest: d.hash.Digest()}
	r.previous = ""
	r.collector.take(&x, last)
	head, err := frame(x)
	if err != nil {
		return err
	}
	return r.queue.put(&waiting{index: x, segment: x.Segment(int64(len(head)) + d.body.size), head: head, body: d.body})
}

// tell changes the state and reports it.
func (r *recorder) tell(change func(*State)) {
	r.telling.Lock()
	defer r.telling.Unlock()
	change(&r.state)
	r.state.Received = r.link.Offset()
	if r.o.OnState != nil {
		r.o.OnState(r.state)
	}
}
