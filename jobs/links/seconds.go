package links

import (
	"context"
	"time"

	"rekindle/internal/journal"
	"rekindle/models"
)

// Seconds says how much was written to a cluster in each second of a span, as its segments have it.
func (k *Keeper) Seconds(ctx context.Context, cluster models.Cluster, span models.RecoverySpan) ([]models.JournalWrites, error) {
	writes := make([]models.JournalWrites, int(span.To.Sub(span.From)/time.Second))
	for i := range writes {
		writes[i].At = span.From.Add(time.Duration(i) * time.Second)
	}
	segments, err := k.DB.Journal.Around(ctx, cluster.ID, span)
	if err != nil {
		return nil, err
	}
	for _, s := range segments {
		index, err := journal.ReadIndex(ctx, k.Store, stored(cluster, s))
		if err != nil {
			return nil, err
		}
		for _, c := range index.Counts {
			if i := int(c.Second.Sub(span.From) / time.Second); !c.Second.Before(span.From) && i < len(writes) {
				writes[i].Writes += writesOf([]journal.Counts{c})
				for _, command := range c.Commands {
					writes[i].Bytes += command.Bytes
				}
			}
		}
	}
	return writes, nil
}

// stored is a segment in the store's terms.
func stored(cluster models.Cluster, s models.JournalSegment) journal.Segment {
	return journal.Segment{Place: journal.Place{Cluster: cluster.Name, Shard: s.Shard}, Run: s.Run, ReplicationID: s.ReplicationID, From: s.From, To: s.To, Begin: s.Begin, End: s.End,
		Size: s.Size, Key: s.Key}
}
