package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/jobs/reason"
	"rekindle/models/catalog"
)

// errUnmarked: the store does not have the mark that the catalog remembers, nor any of the snapshots that the catalog lists.
var errUnmarked = errors.New("the store is not the console's own")

// evidence is how many listed snapshots are looked for in a store without the right mark.
const evidence = 20

// recognise finds out whether a store is the console's own, and sees to it that it has a mark and that the catalog remembers that.
//
// The mark decides, if it is the right one. Otherwise the snapshots do: a store that has any of those that the catalog lists is its own, and so is any
// store for a catalog that lists none, unless the mark that it remembers is gone.
func (m *marked) recognise(ctx context.Context, st store.Store) (unmarkable bool, err error) {
	here := archive.New(st)
	remembered, err := m.db.Settings.StoreMark(ctx)
	if err != nil {
		return false, err
	}
	mark, err := here.Mark(ctx)
	absent := errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrInvalid)
	switch {
	case err != nil && !absent:
		return false, err
	case err == nil && mark.ID == remembered:
		return false, nil
	}
	listed, found, err := m.look(ctx, here)
	switch {
	case err != nil:
		return false, err
	case found == 0 && (listed > 0 || absent && remembered != ""):
		return false, unmarked(st, absent)
	}
	return m.remember(ctx, here, mark, absent, remembered)
}

// look counts the newest snapshots that the catalog lists, and those of them that are there.
func (m *marked) look(ctx context.Context, here *archive.Archive) (listed, found int, err error) {
	rows, err := m.db.Snapshots.Latest(ctx, evidence)
	if err != nil {
		return 0, 0, err
	}
	for _, row := range rows {
		_, err := here.Manifest(ctx, refOf(row))
		switch {
		case err == nil, errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
			return len(rows), 1, nil // one is enough
		case !errors.Is(err, archive.ErrMissing):
			return 0, 0, err
		}
	}
	return len(rows), 0, nil
}

// remember gives the store a mark if it has none, and writes it down. A store that may only be read stays without.
func (m *marked) remember(ctx context.Context, here *archive.Archive, mark archive.Mark, absent bool, remembered string) (unmarkable bool, err error) {
	if absent {
		mark, err = here.CreateMark(ctx, remembered)
		if errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrFull) || errors.Is(err, archive.ErrInvalid) {
			m.logger.Warn("give the store its mark; without it, an unmounted disk cannot be told from an empty store", "error", err)
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, m.db.Settings.RememberStoreMark(ctx, mark.ID)
}

// unmarked says that a store is not the console's own.
func unmarked(st store.Store, absent bool) error {
	where, asks := "The snapshot store "+place(st.Location()), "is its address right?"
	if folder, is := strings.CutPrefix(st.Location(), "dir:"); is {
		where, asks = "The folder "+folder, "is its disk mounted?"
	}
	has := "does not have the mark of this console's store"
	if !absent {
		has = "has the mark of another store"
	}
	return reason.Because(errUnmarked, "%s %s (store.json): %s Nothing is written there, and all snapshots stay as they are. "+
		"If it is another store on purpose, `rekindle store adopt` makes it this console's.", where, has, asks)
}

// note keeps why the store is not recognised, and logs when that begins and ends.
func (m *marked) note(err error) {
	if err != nil && !errors.Is(err, errUnmarked) { // it does not answer: other tasks say that
		return
	}
	switch {
	case err != nil && m.trouble == nil:
		m.logger.Error("recognise the snapshot store", "error", err)
	case err == nil && m.trouble != nil:
		m.logger.Info("the snapshot store is back")
	}
	m.trouble = err
}

// Trouble is why the store is not taken for the console's own, nil if it is.
func (h *Health) Trouble() error {
	own, is := h.Store.(*marked)
	if !is {
		return nil
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.trouble
}

// Unrecognised says in a sentence why the store is not the console's own, "" if it is.
func (h *Health) Unrecognised() string {
	text, _ := reason.Text(h.Trouble())
	return text
}

// watch is the minute tick that finds out that the store was exchanged, or is back.
func (h *Health) watch(ctx context.Context) {
	own, is := h.Store.(*marked)
	if !is {
		return
	}
	err := own.unmoved(ctx)
	if err == nil {
		_, err = own.hold(ctx)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errUnmarked) {
		h.Logger.Debug("look at the store's mark", "error", err)
	}
}

// Adopt makes a store the one of this catalog, whatever mark it remembers.
func Adopt(ctx context.Context, db *catalog.DB, st store.Store) error {
	here := archive.New(st)
	mark, err := here.Mark(ctx)
	if errors.Is(err, archive.ErrMissing) {
		mark, err = here.CreateMark(ctx, "")
	}
	if err != nil {
		return fmt.Errorf("mark the store %s: %w", place(st.Location()), err)
	}
	return db.Settings.RememberStoreMark(ctx, mark.ID)
}
