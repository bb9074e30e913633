package vault

import (
	"context"
	"slices"
	"strconv"

	"rekindle/internal/journal"
	"rekindle/internal/rdb"
	"rekindle/models"
)

// selected is the database that is selected where a recording begins, if the stream does not say it: a replica passes on its primary's stream, in which it
// may have been said long ago. The RDB of a snapshot that was taken of a replica, somewhere before the stream says a database, has it. Otherwise it is not
// known, and the page says so.
func (t *tracing) selected(ctx context.Context, r models.Recording) int {
	first, found, err := t.segment(ctx, r, r.From)
	if err != nil || !found {
		return journal.Unknown
	}
	x, err := journal.ReadIndex(ctx, t.Store, first)
	if err != nil || x.Start.Database != journal.Unknown {
		return journal.Unknown
	}
	bases, err := t.DB.Journal.Bases(ctx, models.Cluster{ID: r.ClusterID, Name: t.run.ClusterName})
	if err != nil {
		return journal.Unknown
	}
	for _, base := range bases {
		if base.Shard != r.Shard || base.Run != r.Run {
			continue
		}
		if base.Offset > r.From && !t.unsaid(ctx, r, base.Offset) {
			continue
		}
		if database := t.selectedIn(ctx, base); database != journal.Unknown {
			return database
		}
	}
	return journal.Unknown
}

// unsaid tells whether the stream has not said a database yet at a place.
func (t *tracing) unsaid(ctx context.Context, r models.Recording, place int64) bool {
	segment, found, err := t.segment(ctx, r, place-1)
	if err != nil || !found {
		return false
	}
	x, plain, err := journal.Load(ctx, t.Store, segment)
	if err != nil || place < x.Start.Offset {
		return false
	}
	scanner := x.Scanner(nil)
	if _, err := scanner.Write(plain[x.Start.Offset-x.From : min(place, x.To)-x.From]); err != nil {
		return false
	}
	_, database := scanner.Safe()
	return database == journal.Unknown
}

// selectedIn is what the RDB of a snapshot says about it. That of a primary says nothing: its stream says the database again.
func (t *tracing) selectedIn(ctx context.Context, base models.JournalBase) int {
	row, err := t.DB.Snapshots.Get(ctx, base.SnapshotName)
	if err != nil || row.ID != base.SnapshotID {
		return journal.Unknown
	}
	i := slices.IndexFunc(row.Parts, func(p models.Part) bool { return p.Number == base.Shard && p.ServedRole == models.RoleReplica })
	if i < 0 {
		return journal.Unknown
	}
	part, err := t.quiet.OpenPart(ctx, refOf(row), archivePart(row.Parts[i]))
	if err != nil {
		return journal.Unknown
	}
	defer part.Close()
	header, err := rdb.ReadHeader(part)
	if err != nil {
		return journal.Unknown
	}
	database, err := strconv.Atoi(header.Aux["repl-stream-db"])
	if err != nil || database < 0 {
		return journal.Unknown
	}
	return database
}
