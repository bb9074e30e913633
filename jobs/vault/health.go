package vault

import (
	"context"
	"errors"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/jobs/reason"
)

// Health tells whether the store is there, and is still the one that was opened.
type Health struct {
	Config
	archive *archive.Archive
	checked storeCheck
}

// Usable fails when the store cannot be written now, or is not the one that was opened: what is written into a folder that is moved away goes with
// it.
func (h *Health) Usable(ctx context.Context) error { return h.unusable(ctx, h.Store.Check(ctx)) }

// inPlace fails when the store was moved since it was opened, so that what was just committed is not where it should be. A store that does not answer
// at the moment proves nothing.
func (h *Health) inPlace(ctx context.Context) error {
	s, can := h.Store.(interface{ InPlace(context.Context) error })
	if !can {
		return nil
	}
	if err := s.InPlace(ctx); !errors.Is(err, store.ErrUnavailable) {
		return h.unusable(ctx, err)
	}
	return nil
}

// unmoved is inPlace without a request to a bucket.
func (h *Health) unmoved(ctx context.Context) error {
	own, is := h.Store.(*marked)
	if !is {
		return nil
	}
	return h.unusable(ctx, own.unmoved(ctx))
}

func (h *Health) unusable(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch _, known := h.Sentence(err); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case known && !errors.Is(err, store.ErrNotExist):
		return err
	}
	return reason.Because(err, "The snapshot store %s is no longer the one that Rekindle was started with: it was moved, removed or unmounted, or cannot be written to. "+
		"Bring it back, or restart Rekindle with the right --store.", h.Store.Location())
}

// away says that the store does not answer as it should, unless err has a sentence of its own.
func (h *Health) away(err error) error {
	if _, known := h.Sentence(err); known {
		return err
	}
	return reason.Because(err, "The snapshot store does not answer, so nothing can be said about the snapshot. It stays as it is.")
}

// Present fails when the store is away, so that what cannot be found now does not count as lost.
func (h *Health) Present(ctx context.Context) error {
	var err error
	if s, can := h.Store.(interface{ Present(context.Context) error }); can {
		err = s.Present(ctx)
	} else {
		for _, err = range h.Store.List(ctx, "") { // writes nothing, and needs no more rights than reading does
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrNoBucket), errors.Is(err, store.ErrRegion), errors.Is(err, errUnmarked): // it is there, and says what is wrong
		return err
	case err != nil:
		return reason.Because(err, "The snapshot store is away, so nothing can be said about the snapshots in it. They stay as they are.")
	}
	return nil
}

// emptied fails when the store has nothing at all although the catalog knows several snapshots in it. That is more likely another store, or one that
// is not mounted, than so many losses at once.
func (h *Health) emptied(ctx context.Context) error {
	for _, err := range h.archive.List(ctx) {
		if err != nil {
			return h.away(err)
		}
		return nil
	}
	known, err := h.DB.Snapshots.Storage(ctx)
	if err != nil || known.Snapshots < 2 {
		return err
	}
	return reason.Because(nil, "The snapshot store is empty, although the catalog knows %d snapshots. Is it the right one, and is it mounted? The snapshots stay as they are.", known.Snapshots)
}
