package vault

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"sync"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/models/catalog"
)

// marked is the console's own store. It carries a mark that the catalog remembers, and without that it is treated as away: a folder on a disk that is
// not mounted looks like an empty store, and so does a bucket whose name was mistyped.
//
// A bucket is looked at until it was recognised once. A folder is looked at before each operation, which costs next to nothing.
type marked struct {
	db     *catalog.DB
	logger *slog.Logger

	looking sync.Mutex // held while a store is looked at, which may take as long as a request to it

	mu         sync.Mutex // guards what follows
	opened     store.Store
	recognised bool
	unmarkable bool  // it was recognised by its snapshots, and does not let a mark be written
	trouble    error // why it is not recognised
}

var (
	_ store.Store     = (*marked)(nil)
	_ store.Clock     = (*marked)(nil)
	_ store.Abandoner = (*marked)(nil)
	_ store.Starter   = (*marked)(nil)
)

// reachable is a store that can be asked whether it is there.
type reachable interface {
	Present(ctx context.Context) error
}

// inFolder is a store that may be moved, or hidden by what is mounted over it.
type inFolder interface {
	store.Store
	reachable
	Again() (store.Store, error) // what is in its place now
}

// at is the store that is open, recognised or not.
func (m *marked) at() store.Store {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened
}

// hold returns the store if it is the console's own.
func (m *marked) hold(ctx context.Context) (store.Store, error) {
	if st, known, err := m.still(ctx); known {
		return st, err
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	st, known, err := m.still(ctx) // somebody else may have looked meanwhile
	if known {
		return st, err
	}
	if f, is := st.(inFolder); is && f.Present(ctx) != nil { // a disk may have been mounted there since
		if again, err := f.Again(); err == nil {
			st = again // the garbage collector closes the other one, when nobody reads from it any more
		}
	}
	m.mu.Lock()
	m.opened, m.recognised = st, false
	m.mu.Unlock()
	return st, m.use(ctx, st)
}

// still tells whether the store that is open is known to be the console's own. An error says nothing about that.
func (m *marked) still(ctx context.Context) (st store.Store, known bool, err error) {
	m.mu.Lock()
	st, known = m.opened, m.recognised
	_, is := st.(inFolder)
	is = is && !m.unmarkable
	m.mu.Unlock()
	if !known || !is {
		return st, known, nil
	}
	err = archive.New(st).Marked(ctx)
	return st, !errors.Is(err, archive.ErrMissing), err
}

// use opens a store if it is the console's own. It must be the only look under way.
func (m *marked) use(ctx context.Context, st store.Store) error {
	unmarkable, err := m.recognise(ctx, st)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(err)
	if err == nil {
		m.opened, m.recognised, m.unmarkable = st, true, unmarkable
	}
	return err
}

// unmoved fails when another folder than the one that was opened is at its path. If it has the same mark, it is used from now on. Of a bucket there is
// nothing to ask.
func (m *marked) unmoved(ctx context.Context) error {
	f, is := m.at().(inFolder)
	if !is {
		return nil
	}
	moved := f.Present(ctx)
	if moved == nil {
		m.back()
		return nil
	}
	again, err := f.Again()
	if err != nil {
		return moved
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	return m.use(ctx, again)
}

// back notes that the folder that was recognised before is in its place again.
func (m *marked) back() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recognised {
		m.note(nil)
	}
}

// InPlace fails when the store cannot be asked, or was moved.
func (m *marked) InPlace(ctx context.Context) error {
	st := m.at()
	if _, is := st.(inFolder); is {
		return m.unmoved(ctx)
	}
	if s, can := st.(reachable); can {
		return s.Present(ctx)
	}
	return nil
}

// Present fails when the store is away, or is not the console's own. It writes nothing but a mark.
func (m *marked) Present(ctx context.Context) error {
	if err := m.InPlace(ctx); err != nil {
		return err
	}
	st, err := m.hold(ctx)
	if _, can := st.(reachable); err != nil || can {
		return err
	}
	for _, err = range st.List(ctx, "") { // needs no more rights than reading does
		break
	}
	return err
}

func (m *marked) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	st, err := m.hold(ctx)
	if err != nil {
		return store.Object{}, err
	}
	return st.Put(ctx, key, r)
}

func (m *marked) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	st, err := m.hold(ctx)
	if err != nil {
		return store.Object{}, err
	}
	return st.Create(ctx, key, r)
}

func (m *marked) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	st, err := m.hold(ctx)
	if err != nil {
		return nil, err
	}
	return st.Open(ctx, key)
}

func (m *marked) Stat(ctx context.Context, key string) (store.Object, error) {
	st, err := m.hold(ctx)
	if err != nil {
		return store.Object{}, err
	}
	return st.Stat(ctx, key)
}

func (m *marked) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return m.ListAfter(ctx, prefix, "")
}

// ListAfter lists behind a key; see store.Starter.
func (m *marked) ListAfter(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		st, err := m.hold(ctx)
		if err != nil {
			yield(store.Object{}, err)
			return
		}
		store.ListAfter(ctx, st, prefix, after)(yield)
	}
}

func (m *marked) Delete(ctx context.Context, key string) error {
	st, err := m.hold(ctx)
	if err != nil {
		return err
	}
	return st.Delete(ctx, key)
}

func (m *marked) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	st, err := m.hold(ctx)
	if err != nil {
		return 0, err
	}
	return st.Sweep(ctx, olderThan)
}

func (m *marked) Check(ctx context.Context) error {
	if err := m.unmoved(ctx); err != nil {
		return err
	}
	st, err := m.hold(ctx)
	if err != nil {
		return err
	}
	return st.Check(ctx)
}

func (m *marked) Exclusive(ctx context.Context) bool {
	st, err := m.hold(ctx)
	return err == nil && st.Exclusive(ctx)
}

// Abandon drops uploads where the store keeps them.
func (m *marked) Abandon(ctx context.Context, keys ...string) error {
	st, err := m.hold(ctx)
	bucket, can := st.(store.Abandoner)
	if err != nil || !can {
		return err
	}
	return bucket.Abandon(ctx, keys...)
}

// Now is the store's own time, if it has any.
func (m *marked) Now() time.Time {
	if clock, has := m.at().(store.Clock); has {
		return clock.Now()
	}
	return time.Time{}
}

func (m *marked) Describe(ctx context.Context) (store.Description, error) {
	return m.at().Describe(ctx)
}

func (m *marked) Location() string { return m.at().Location() }

func (m *marked) Place() string { return m.at().Place() }
