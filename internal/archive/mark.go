package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rekindle/internal/store"
)

// storeMark is the object by which a store is known again: a folder on a disk that is not mounted does not have it. List does not see it.
const storeMark = "store.json"

// Mark says which store it is.
type Mark struct {
	FormatVersion int       `json:"format_version"`
	ID            string    `json:"id"` // any text; of new marks random
	WrittenAt     time.Time `json:"written_at"`
}

// Mark reads the store's mark. Errors as for Cluster.
func (a *Archive) Mark(ctx context.Context) (Mark, error) {
	var m Mark
	err := a.readRecord(ctx, storeMark, &m)
	if err == nil && m.ID == "" {
		err = fmt.Errorf("read %s: %w: it has no id", storeMark, ErrInvalid)
	}
	return m, err
}

// Marked fails with ErrMissing if the store has no mark, which it does not read.
func (a *Archive) Marked(ctx context.Context) error {
	_, err := a.store.Stat(ctx, storeMark)
	return missing(err)
}

// CreateMark gives the store a mark; an empty id stands for a new one. If another console has been faster, the mark is that console's.
func (a *Archive) CreateMark(ctx context.Context, id string) (Mark, error) {
	if id == "" {
		id = rand.Text()
	}
	text, err := json.MarshalIndent(Mark{recordVersion, id, a.now()}, "", "  ")
	if err == nil {
		_, err = a.store.Create(ctx, storeMark, bytes.NewReader(append(text, '\n')))
	}
	if err != nil && !errors.Is(err, store.ErrExist) {
		return Mark{}, fmt.Errorf("write %s: %w", storeMark, err)
	}
	return a.Mark(ctx)
}
