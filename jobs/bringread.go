package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/restore"
	"rekindle/models"
)

// keptBytes is how much of the chosen keys is kept in memory from the first reading.
const keptBytes = 8 << 20

// Nothing is written before all of the selection could be read to the end of its parts, by when these are known to be what was stored, and there is room
// for it. So keys that are too many to be kept meanwhile are read twice: once to look, once to write. Those that can be kept, and all of a
// rehearsal, are read once. Parts that have none of the names are not read at all.

// parts are those that may have a chosen key.
func (b *bringing) parts(ctx context.Context) []archive.Part {
	var may []archive.Part
	for i, part := range b.manifest.Parts {
		b.report.Stage(fmt.Sprintf("Looking for the keys in the snapshot (part %d of %d)", i+1, len(b.manifest.Parts)), nil)
		if part.Keys != 0 && (len(b.names) == 0 || !b.reader.Without(ctx, b.row, part, b.names...)) {
			may = append(may, part)
		}
	}
	return may
}

// look reads the snapshot once before anything is written, and returns the parts that have something of the selection.
func (b *bringing) look(ctx context.Context, selection *restore.Selection) ([]archive.Part, error) {
	var with []archive.Part
	may := b.parts(ctx)
	var read atomic.Int64
	b.report.Step(1, 1, "Looking for the keys in the snapshot", func() models.Progress {
		return models.Progress{BytesDone: read.Load(), BytesTotal: bytesOf(may)}
	})
	for _, part := range may {
		if err := b.proven(ctx, part); err != nil {
			return nil, err
		}
		plain, err := b.reader.Open(ctx, b.row, part)
		if err != nil {
			return nil, fmt.Errorf("look for keys in part %d of %s: %w", part.Number, b.row.Name, err)
		}
		n, err := selection.Read(counted{plain, &read})
		_ = plain.Close() // it was only read
		if err != nil {
			return nil, fmt.Errorf("look for keys in part %d of %s: %w", part.Number, b.row.Name, err)
		}
		if n > 0 {
			with = append(with, part)
		}
	}
	return with, b.none(selection.Chosen())
}

// proven makes sure that a part is what was stored where reading it would not: the plain RDB of a part of format version 1 has no hash that is cheap enough
// to be computed by each reader.
func (b *bringing) proven(ctx context.Context, part archive.Part) error {
	if part.XXH128 != "" {
		return nil
	}
	if err := b.reader.Verify(ctx, b.row, part); err != nil {
		return fmt.Errorf("bring back keys of %s: %w", b.row.Name, err)
	}
	return nil
}

func bytesOf(parts []archive.Part) (sum int64) {
	for _, part := range parts {
		sum += part.Bytes
	}
	return sum
}

func (b *bringing) none(chosen restore.Chosen) error {
	if chosen.Keys == 0 {
		return because(nil, "The snapshot %s has none of these keys. Nothing was written.", b.row.Name)
	}
	return nil
}

// rehearse compares the chosen keys with the cluster's, and writes nothing.
func (b *bringing) rehearse(ctx context.Context) error {
	w := restore.OpenBringer(ctx, b.target.primaries, b.options(true))
	defer w.Close()
	err := b.pass(ctx, w, b.parts(ctx), "Comparing with "+b.target.cluster.Name, -1)
	chosen, brought := w.Chosen(), w.Brought()
	if errors.Is(err, restore.ErrDatabase) {
		err = because(err, "%s", whyNoKeys(errNoDatabase, b.target.cluster))
	} else if err == nil {
		err = b.none(chosen)
	}
	if err == nil {
		err = b.target.hasDatabases(ctx, chosen.Databases)
	}
	if err == nil {
		err = b.target.takes(brought.Memory)
	}
	outcome := outcomeOf(chosen, brought, b.sought)
	if err != nil {
		return b.broken(ctx, outcome, err)
	}
	return b.DB.BringBacks.Settle(context.WithoutCancel(ctx), b.run, outcome, "")
}

func (b *bringing) options(rehearse bool) restore.BringOptions {
	return restore.BringOptions{Choice: b.choice, Replace: b.args.Replace, Rehearse: rehearse, Reach: b.target.reach}
}

// fits makes sure that the cluster has room for what is chosen. What it has already takes no more of it, so if there is little, that is looked at.
func (b *bringing) fits(ctx context.Context, selection *restore.Selection, parts []archive.Part) error {
	chosen := selection.Chosen()
	if err := b.target.hasDatabases(ctx, chosen.Databases); err != nil {
		return err
	}
	tight := b.target.takes(chosen.Memory)
	if tight == nil {
		return nil
	}
	compared, err := b.carry(ctx, selection, parts, true)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		b.Logger.Warn("compare with what the cluster has", "cluster", b.target.cluster.Name, "error", err)
		return tight
	}
	return b.target.takes(compared.Memory)
}

// carry brings the keys back, or compares them with those of the cluster.
func (b *bringing) carry(ctx context.Context, selection *restore.Selection, parts []archive.Part, compare bool) (restore.Brought, error) {
	w := restore.OpenBringer(ctx, b.target.primaries, b.options(compare))
	defer w.Close()
	stage, keys := "Bringing keys back into "+b.target.cluster.Name, selection.Chosen().Keys
	if compare {
		stage = "Comparing with " + b.target.cluster.Name
	}
	if !selection.Whole() {
		err := b.pass(ctx, w, parts, stage, keys)
		return w.Brought(), err
	}
	b.report.Step(1, 1, stage, func() models.Progress { return models.Progress{KeysDone: w.Brought().Done(), KeysTotal: keys} })
	err := w.Keep(selection)
	if err != nil {
		err = fmt.Errorf("bring back keys of %s into %s: %w", b.row.Name, b.target.cluster.Name, err)
	}
	return w.Brought(), err
}

// pass reads parts, and has their chosen keys brought back.
func (b *bringing) pass(ctx context.Context, w *restore.Bringer, parts []archive.Part, stage string, keys int64) error {
	var read atomic.Int64
	b.report.Step(1, 1, stage, func() models.Progress {
		return models.Progress{BytesDone: read.Load(), BytesTotal: bytesOf(parts), KeysDone: w.Brought().Done(), KeysTotal: max(0, keys)}
	})
	for _, part := range parts {
		if err := writePart(ctx, b.reader, w, b.row, part, &read); err != nil {
			return fmt.Errorf("bring back keys of part %d of %s into %s: %w", part.Number, b.row.Name, b.target.cluster.Name, err)
		}
	}
	return nil
}
