package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"rekindle/internal/digest"
	"rekindle/internal/fuse"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
)

// Beside each part there is keys-<number>-<attempt>.fuse, a small filter of the names of its keys, so that whoever looks for one need not read the parts that
// cannot have it. Like the contents it is written before the manifest, or by a later verification, and no snapshot needs it: without it the part is
// read. It is described in docs/snapshot-format.md.

// Filter is the name of the object with the filter of a part, by the part's number (from 1): "keys-0001-6c1f0de2b49a8857.fuse".
func (a Attempt) Filter(number int) string {
	if a.ID == "" {
		return fmt.Sprintf("keys-%04d.fuse", number)
	}
	return fmt.Sprintf("keys-%04d-%s.fuse", number, a.ID)
}

// filterKey is the store's key of a part's filter.
func filterKey(ref Ref, p Part) (string, error) {
	if _, err := partKey(ref, p); err != nil {
		return "", err
	}
	id, _ := attemptOf(p.Object)
	return ref.key(Attempt{ref, id}.Filter(p.Number)), nil
}

// filtering makes the filter of a part while that is scanned. Nothing of it is in the store before the part has a block of names more than a filter has
// room for, and none of it stays when the part turns out not to be whole.
type filtering struct {
	ctx    context.Context
	store  store.Store
	key    string
	writer *fuse.Writer
	stored chan error // nil: storing has not begun
}

func newFiltering(ctx context.Context, st store.Store, at Attempt, number int) *filtering {
	return &filtering{ctx: ctx, store: st, key: at.key(at.Filter(number)), writer: fuse.NewWriter()}
}

// see adds the name of a key. A name that the scan did not look into makes the filter one that denies nothing.
func (f *filtering) see(key *rdb.Observed) {
	if len(key.Name) == 0 && key.Length > 0 {
		f.writer.Miss()
		return
	}
	if f.writer.Full() && f.stored == nil {
		f.begin()
	}
	f.writer.Add(key.Name)
}

// heldFilter is up to which size a filter, in bytes, is stored only once it is whole: an upload takes memory of its own, and that of the part goes on.
const heldFilter = 4 << 20

// begin stores what the writer makes, until that ends.
func (f *filtering) begin() {
	f.stored = make(chan error, 1)
	go func() {
		held, err := io.ReadAll(io.LimitReader(f.writer, heldFilter))
		if err == nil {
			_, err = f.store.Put(f.ctx, f.key, io.MultiReader(bytes.NewReader(held), f.writer))
		}
		f.writer.Stop()
		f.stored <- err
	}()
}

// whole stores the filter of a part that is whole.
func (f *filtering) whole(rdb digest.Digest, sum rdb.Summary) error {
	if !sum.StatsKnown {
		f.writer.Miss()
	}
	if f.stored == nil {
		f.begin()
	}
	f.writer.End(string(rdb), nil)
	if err := <-f.stored; err != nil {
		return fmt.Errorf("write the filter %s: %w", f.key, err)
	}
	return nil
}

// errNotWhole is why a filter is not stored.
var errNotWhole = errors.New("the part is not whole")

// abandon ends the storing of a filter whose part is not whole.
func (f *filtering) abandon() {
	if f.stored != nil {
		f.writer.End("", errNotWhole)
		<-f.stored
	}
}

// MayHave tells whether a part may have a key of one of these names: false is certain. Errors: ErrMissing (there is no filter), ErrDamaged, ErrNewer, the
// store's; then the part has to be read.
func (a *Archive) MayHave(ctx context.Context, ref Ref, p Part, names ...[]byte) (bool, error) {
	may := false
	err := a.readFilter(ctx, ref, p, func(r io.Reader) (err error) {
		may, err = fuse.MayHave(r, string(p.Digest()), names...)
		return err
	})
	return may, err
}

// CheckFilters reads the filters of these parts and says what is wrong with the first one that is missing or damaged. Errors as for MayHave.
func (a *Archive) CheckFilters(ctx context.Context, ref Ref, parts []Part) error {
	for _, p := range parts {
		if err := a.readFilter(ctx, ref, p, func(r io.Reader) error { return fuse.Check(r, string(p.Digest())) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) readFilter(ctx context.Context, ref Ref, p Part, read func(io.Reader) error) error {
	key, err := filterKey(ref, p)
	if err != nil {
		return err
	}
	r, err := a.store.Open(ctx, key)
	if err == nil {
		err = read(r)
		_ = r.Close()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fuse.ErrDamaged):
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	case errors.Is(err, fuse.ErrNewer):
		err = fmt.Errorf("%w: %w", ErrNewer, err)
	}
	return fmt.Errorf("read the filter %s: %w", key, missing(err))
}

// CopyFilters copies the filters of these parts beside the copies of the parts, which an attempt has written into another archive (or into this one).
// It is fine if there are none.
func (a *Archive) CopyFilters(ctx context.Context, ref Ref, parts []Part, to *Archive, target Attempt) error {
	for _, p := range parts {
		from, err := filterKey(ref, p)
		if err != nil {
			return err
		}
		if err := a.copyFilter(ctx, from, to, target.key(target.Filter(p.Number))); err != nil && !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("copy the filter %s: %w", from, err)
		}
	}
	return nil
}

func (a *Archive) copyFilter(ctx context.Context, from string, to *Archive, key string) error {
	r, err := a.store.Open(ctx, from)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = to.store.Put(ctx, key, r)
	return err
}
