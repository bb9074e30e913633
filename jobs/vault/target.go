package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/jobs/reason"
)

// target is another store that a copy or an export writes to. Its errors say its address, so that nobody looks for the fault in the snapshot store.
type target struct {
	store.Store
	url  string
	hold func(context.Context) error // fails when this console has lost its lease: then nothing is removed
}

// target opens another store to write to.
func (o *opener) target(ctx context.Context, url string) (target, func(), error) {
	owner, ok := o.Launcher.(launch.FolderOwner)
	if folder, local := strings.CutPrefix(url, "dir:"); ok && local && owner.Owns(folder) { // before opening it makes a folder there
		return target{}, nil, reason.Because(nil, "%s is in the folder where the nodes keep their data. Choose another place.", url)
	}
	st, release, err := o.other(ctx, url)
	if err != nil {
		return target{}, nil, err
	}
	if store.Within(st, o.Store) {
		release()
		return target{}, nil, reason.Because(nil, "%s is in the console's own store. Choose another place.", url)
	}
	return target{st, url, o.Lease.Hold}, release, nil
}

// other opens another store.
func (o *opener) other(ctx context.Context, url string) (store.Store, func(), error) {
	st, err := o.OpenStore(ctx, url)
	if err != nil {
		if errors.Is(err, store.ErrNotExist) {
			return nil, nil, reason.Because(err, "%s cannot be used: the folder does not exist and cannot be created.", url)
		}
		if errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrFull) {
			return nil, nil, reason.Because(err, "%s cannot be used: the console is not allowed to read or write there.", url)
		}
		return nil, nil, reason.Because(err, "%s cannot be opened. Check the address; the log says more.", url)
	}
	release := func() {}
	if closer, ok := st.(io.Closer); ok {
		release = func() { _ = closer.Close() }
	}
	return st, release, nil
}

// openFolder opens folders only. It is used when no other opener is given.
func openFolder(_ context.Context, url string) (store.Store, error) {
	path, ok := strings.CutPrefix(url, "dir:")
	if !ok {
		return nil, fmt.Errorf("%q is not a folder: %w", url, store.ErrKey)
	}
	return dir.Open(path)
}

// place is the address of a store without its options.
func place(location string) string {
	if mark := strings.LastIndexByte(location, '?'); mark >= 0 && strings.HasPrefix(location, "s3://") {
		location = location[:mark]
	}
	return strings.TrimSuffix(location, "/")
}

// clear removes the unfinished uploads of these objects: those of a killed console, and those left when the store went away. A bucket is told the
// keys, because it cannot tell another console's live upload from a dead one. In a folder, what is still being written is locked.
func (t target) clear(ctx context.Context, keys ...string) error {
	err := t.hold(ctx)
	if err != nil {
		return err
	}
	if bucket, ok := t.Store.(store.Abandoner); ok {
		err = bucket.Abandon(ctx, keys...)
	} else {
		_, err = t.Store.Sweep(ctx, time.Now())
	}
	return t.reason(ctx, err)
}

// reason adds to an error which store it was.
func (t target) reason(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, store.ErrExist) || errors.Is(err, store.ErrKey) || errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket) {
		return err
	}
	where := place(t.url)
	if text, failed := reason.Store(where, err); failed {
		return reason.Because(err, "%s", text)
	}
	return reason.Because(err, "%s could not be used. The log says why.", where)
}

// Put is the store's. Only what the store refused is put down to the store: the bytes come from the snapshot store, and reading them can fail too.
func (t target) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	return t.write(ctx, key, r, t.Store.Put)
}

// Create is the store's, as Put is.
func (t target) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	return t.write(ctx, key, r, t.Store.Create)
}

func (t target) write(ctx context.Context, key string, r io.Reader, put func(context.Context, string, io.Reader) (store.Object, error)) (store.Object, error) {
	in := &noted{Reader: r}
	object, err := put(ctx, key, in)
	switch {
	case in.failed:
		return object, err
	case errors.Is(err, store.ErrNotExist): // not a missing object, but a missing place for it
		return object, reason.Because(err, "No file can be created in %s. Choose another place.", place(t.url))
	case errors.Is(err, store.ErrKey):
		return object, reason.Because(err, "The file %s cannot be created in %s: there is a folder of that name, or the name is too long. Choose another name or another place.", key, place(t.url))
	}
	return object, t.reason(ctx, err)
}

// noted remembers whether reading has failed.
type noted struct {
	io.Reader
	failed bool
}

func (n *noted) Read(p []byte) (int, error) {
	read, err := n.Reader.Read(p)
	n.failed = n.failed || err != nil && err != io.EOF
	return read, err
}

// Open is the store's.
func (t target) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := t.Store.Open(ctx, key)
	if err != nil {
		return nil, t.reason(ctx, err)
	}
	return targetReader{r, ctx, t}, nil
}

type targetReader struct {
	io.ReadCloser
	ctx    context.Context
	target target
}

func (r targetReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = r.target.reason(r.ctx, err)
	}
	return n, err
}

// Stat is the store's.
func (t target) Stat(ctx context.Context, key string) (store.Object, error) {
	object, err := t.Store.Stat(ctx, key)
	return object, t.reason(ctx, err)
}

// Delete is the store's.
func (t target) Delete(ctx context.Context, key string) error {
	if err := t.hold(ctx); err != nil {
		return err
	}
	return t.reason(ctx, t.Store.Delete(ctx, key))
}

// List is the store's.
func (t target) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for object, err := range t.Store.List(ctx, prefix) {
			if !yield(object, t.reason(ctx, err)) {
				return
			}
		}
	}
}
