package jobs

import (
	"context"
	"errors"

	"rekindle/internal/restore"
	"rekindle/internal/words"
)

// hasDatabases makes sure that each primary has this number of databases.
func (t bringTarget) hasDatabases(ctx context.Context, databases int) error {
	if databases <= 1 {
		return nil
	}
	var again room
	for i, primary := range t.cluster.Primaries() {
		if err := again.ask(ctx, t.primaries[i], databases); err != nil {
			return because(err, "The primary %s cannot take the keys. %s", primary.Name, whyNoKeys(err, t.cluster))
		}
	}
	return nil
}

// takes decides whether what the keys take fits, at each primary by itself.
func (t bringTarget) takes(memory []int64) error {
	for i, needs := range memory {
		if i >= len(t.room.spaces) {
			break
		}
		space := t.room.spaces[i]
		if space.limit == 0 || needs == 0 || needs <= space.left() {
			continue
		}
		then := "it would refuse to take all of them"
		if space.evicts {
			then = "it would evict other keys to take them"
		}
		return because(nil, "The keys take about %s of memory at the primary %s, and it has %s left of its maxmemory: %s. Nothing was written. Raise maxmemory, then try again.",
			words.Size(needs), t.cluster.Primaries()[i].Name, words.Size(space.left()), then)
	}
	return nil
}

// mayLose tells whether keys that were written may be lost after all, because a replica takes over, or has taken over, that may not have them yet.
func (t bringTarget) mayLose(err error) bool {
	lost := errors.Is(err, restore.ErrGone) || errors.Is(err, restore.ErrNotPrimary) || errors.Is(err, restore.ErrMoved)
	return lost && len(t.cluster.Nodes) > len(t.primaries)
}
