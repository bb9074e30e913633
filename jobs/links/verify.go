package links

import (
	"context"
	"errors"
	"fmt"

	"rekindle/internal/journal"
	"rekindle/models"
)

// verifiedAtOnce is how many segments are read back in one go.
const verifiedAtOnce = 100

// verify reads back what was stored, as is done with snapshots: soon after it was, and again when snapshots are. One console does it, and what cannot be
// read is a gap from then on. It returns how many it has read.
func (k *Keeper) verify(ctx context.Context) (read int) {
	if mine, err := k.Mine(ctx); err != nil || !mine || k.Present(ctx) != nil {
		k.failed(ctx, "look whose journals are to be read back", err)
		return 0
	}
	segments, err := k.DB.Journal.Unverified(ctx, verifiedAtOnce)
	if err != nil {
		k.failed(ctx, "look for segments of journals to read back", err)
		return 0
	}
	for _, s := range segments {
		if err := k.verifyOne(ctx, s); err != nil {
			k.failed(ctx, "read back a segment of a journal", fmt.Errorf("%s: %w", s.Key, err))
		} else {
			read++
		}
	}
	return read
}

// verifyOne reads a segment back, and writes down when it is lost. An error says nothing about it.
func (k *Keeper) verifyOne(ctx context.Context, s models.JournalSegment) error {
	parsed, err := journal.ParseKey(s.Key, s.Size)
	if err != nil {
		return err
	}
	index, err := journal.Verify(ctx, k.Store, parsed)
	why := ""
	switch {
	case err == nil:
		return k.DB.Journal.Verified(ctx, s, writesOf(index.Counts), eventsOf(index))
	case errors.Is(err, journal.ErrDamaged):
		why = "What is stored of it is not what was written."
	case errors.Is(err, journal.ErrMissing):
		if err := k.Present(ctx); err != nil { // another store has nothing of it
			return err
		}
		why = "It is missing in the snapshot store."
	default:
		return err
	}
	if lost := k.DB.Journal.Lost(ctx, s, why); lost != nil {
		return lost
	}
	return fmt.Errorf("it is lost: %w", err)
}
