package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"rekindle/internal/store"
)

// queue has the closed segments that wait for the store. The first of them is being stored. As soon as there is more than one, all lie on disk.
type queue struct {
	st       store.Store
	recorder *recorder
	folder   string // "": there is none
	limit    int64

	mu      sync.Mutex
	waiting []*waiting
	spooled int64  // bytes on disk
	safe    Resume // behind what is in the store; only while storing, and afterwards
	failed  error
	changed chan struct{} // has room for one: something waits
	ended   chan struct{} // closed: nothing comes any more
}

// waiting is a segment that waits.
type waiting struct {
	segment Segment
	index   Index
	head    []byte
	body    *buffer // nil: it is on disk only
	path    string  // "": it is in memory only
	busy    bool    // the store reads its body
	adopted bool    // an earlier recording has left it
}

func newQueue(st store.Store, r *recorder) *queue {
	q := &queue{st: st, recorder: r, limit: r.o.SpoolBytes, safe: r.state.Resume, changed: make(chan struct{}, 1), ended: make(chan struct{})}
	if r.o.SpoolDir != "" {
		q.folder = filepath.Join(r.o.SpoolDir, r.place.Cluster, fmt.Sprintf("shard-%04d", r.place.Shard))
	}
	return q
}

// adopt takes over what an earlier recording has left in the spool.
func (q *queue) adopt() error {
	if q.folder == "" {
		return nil
	}
	found, err := leftovers(q.folder)
	if err != nil {
		return err
	}
	for _, path := range found {
		w, err := fromFile(path, false) // the link waits; whether they are whole is seen when they are stored
		if errors.Is(err, ErrDamaged) {
			_ = os.Remove(path) // what a killed console was writing
			continue
		}
		if err != nil {
			return err
		}
		if w.adopted = true; w.segment.Place == q.recorder.place {
			q.waiting = append(q.waiting, w)
			q.spooled += w.segment.Size
		}
	}
	slices.SortStableFunc(q.waiting, func(a, b *waiting) int { return cmp.Compare(a.segment.Key, b.segment.Key) })
	q.signal()
	return nil
}

// put appends a segment. The error wraps ErrSpoolFull, or is the disk's.
func (q *queue) put(w *waiting) error {
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	var err error
	if len(q.waiting) > 1 {
		err = q.spill()
	}
	if err != nil { // it is the newest that has no room
		q.waiting = q.waiting[:len(q.waiting)-1]
	}
	count, size := q.load()
	q.mu.Unlock()
	if err != nil {
		return err
	}
	q.signal()
	q.recorder.tell(func(s *State) {
		s.Waiting, s.WaitingBytes, s.Resume = count, size, w.index.Resume()
	})
	return nil
}

// load is how many segments wait, and their bytes.
func (q *queue) load() (count int, size int64) {
	for _, w := range q.waiting {
		size += w.segment.Size
	}
	return len(q.waiting), size
}

// spill writes to disk what is in memory only.
func (q *queue) spill() error {
	if q.folder == "" {
		if _, size := q.load(); size > maxWaiting {
			return fmt.Errorf("%w (%d bytes wait)", ErrSpoolFull, size)
		}
		return nil
	}
	for _, w := range q.waiting {
		if w.path != "" {
			continue
		}
		if q.spooled+w.segment.Size > q.limit {
			return fmt.Errorf("%w (%d bytes wait)", ErrSpoolFull, q.spooled)
		}
		path, err := toFile(q.folder, w)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSpoolFull, err)
		}
		w.path = path
		q.spooled += w.segment.Size
		if !w.busy {
			w.body.free()
			w.body = nil
		}
	}
	return nil
}

func (q *queue) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// finish says that nothing more comes.
func (q *queue) finish() { close(q.ended) }

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = cmp.Or(q.failed, err)
}

func (q *queue) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failed
}

// first waits for a segment. It returns nil when none will come.
func (q *queue) first(ctx context.Context) *waiting {
	for {
		if w := q.head(); w != nil {
			return w
		}
		select {
		case <-q.changed:
		case <-q.ended:
			return q.head()
		case <-ctx.Done():
			return nil
		}
	}
}

// head is the first segment, which is being stored from now on, or nil.
func (q *queue) head() *waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	q.waiting[0].busy = true
	return q.waiting[0]
}

// Between attempts to store.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// store stores segments, in order, until there are no more or ctx ends.
func (q *queue) store(ctx context.Context) {
	pause := firstPause
	for {
		w := q.first(ctx)
		if w == nil {
			return
		}
		err := q.storeOne(ctx, w)
		switch {
		case err == nil:
			pause = firstPause
			q.stored(w)
			continue
		case ctx.Err() != nil:
			return
		case w.adopted && errors.Is(err, ErrTaken), errors.Is(err, errSpool) && (errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist)):
			q.recorder.tell(func(s *State) { s.StoreErr = err }) // what is missing then is a gap that Chain names
			q.remove(w)
			continue
		case errors.Is(err, ErrTaken), errors.Is(err, store.ErrKey):
			q.fail(err)
			_ = q.recorder.link.Close()
			return
		}
		q.recorder.tell(func(s *State) { s.StoreErr = err })
		q.secure()
		select {
		case <-q.recorder.o.Clock.After(pause):
		case <-q.spooledForGood():
			return
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// spooledForGood is closed when nothing comes any more, if what waits lies on disk then.
func (q *queue) spooledForGood() <-chan struct{} {
	if q.folder == "" {
		return nil
	}
	return q.ended
}

// secure writes to disk what the store did not take, so that it outlives this console.
func (q *queue) secure() {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.waiting[0]
	if w.busy = false; w.path != "" && w.body != nil {
		w.body.free()
		w.body = nil
	}
	_ = q.spill() // whoever puts the next one finds out
}

// storeOne creates the object of a segment.
func (q *queue) storeOne(ctx context.Context, w *waiting) error {
	q.mu.Lock()
	path, body := w.path, w.body
	q.mu.Unlock()
	if body == nil {
		return create(ctx, q.st, w.segment, path)
	}
	_, err := q.st.Create(ctx, w.segment.Key, io.MultiReader(bytes.NewReader(w.head), body.reader()))
	return taken(ctx, q.st, w.segment, w.index, err)
}

// stored says that the first segment is in the store.
func (q *queue) stored(w *waiting) {
	count, size := q.remove(w)
	r := q.recorder
	same := w.index.Run == r.run
	if same {
		q.safe = w.index.Resume()
		r.link.Stored(w.index.To)
	}
	r.tell(func(s *State) {
		if s.StoreErr = nil; same {
			s.Stored, s.StoredUntil = max(s.Stored, w.index.To), w.index.End
		}
		s.Waiting, s.WaitingBytes = count, size
		if r.o.OnSegment != nil {
			r.o.OnSegment(w.segment, w.index)
		}
	})
}

// remove removes the first segment, and returns what is left.
func (q *queue) remove(w *waiting) (count int, size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = q.waiting[1:]
	if w.path != "" {
		_ = os.Remove(w.path) // if it stays, it is found to be in the store the next time
		q.spooled -= w.segment.Size
	}
	if w.body != nil {
		w.body.free()
	}
	return q.load()
}

// keep puts into the spool what was not stored in the end. Where there is no room, the recording goes on before what is lost.
func (q *queue) keep() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	for _, w := range q.waiting {
		w.busy = false
	}
	err := q.spill()
	kept, lost := q.safe, 0
	for _, w := range q.waiting {
		switch {
		case w.path == "":
			lost++
		case lost == 0 && w.index.Run == kept.Run:
			kept = w.index.Resume()
		}
	}
	if lost == 0 {
		return err
	}
	q.recorder.tell(func(s *State) { s.Resume = kept })
	return errors.Join(err, fmt.Errorf("%d segments were not stored", lost))
}
