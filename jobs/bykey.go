package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/slots"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// byKey writes the parts of a snapshot into the primaries of a new cluster key by key, each key to the primary that has its slot. A node can be fed
// only one RDB, and none in cluster mode. So this is for clusters with another number of shards than the snapshot, for cluster mode, and for engines
// that cannot read this version of RDB as a whole but can read each value. It fails on a key that is in two parts.
func (b *builder) byKey(ctx context.Context, cluster models.Cluster, row models.Snapshot, manifest archive.Manifest, report *queue.Report) (primary.Result, error) {
	var none primary.Result
	route, err := router(cluster.Primaries())
	if err != nil {
		return none, err
	}
	own, reopen, err := nodes.Reserve(ctx, cluster)
	if err != nil {
		return none, err
	}
	result, err := b.writeKeys(ctx, cluster, own, route, row, manifest, report)
	if err != nil {
		return none, err // the nodes are removed
	}
	return result, reopen(ctx)
}

// router returns a function that finds the primary of a slot; nil outside cluster mode, where there is one primary.
func router(primaries []models.Node) (func(slot int) int, error) {
	var sets []string
	for _, p := range primaries {
		if p.Slots == "" {
			return nil, nil
		}
		sets = append(sets, p.Slots)
	}
	spread, err := slots.NewMap(sets)
	if err != nil {
		return nil, fmt.Errorf("find the shard of each slot: %w", err)
	}
	return spread.Find, nil
}

func (b *builder) writeKeys(ctx context.Context, cluster models.Cluster, own []resp.Options, route func(int) int, row models.Snapshot, manifest archive.Manifest, report *queue.Report) (primary.Result, error) {
	w, err := restore.Open(ctx, own, restore.Options{Route: route, Now: b.Clock.Now})
	if err != nil {
		return primary.Result{}, err
	}
	defer w.Close()
	var read atomic.Int64
	keys, mortal := int64(0), int64(0)
	for _, part := range manifest.Parts {
		keys, mortal = keys+max(0, part.Keys), mortal+max(0, part.Expires)
	}
	for i, part := range manifest.Parts {
		report.Stage(fmt.Sprintf("Writing part %d of %d into %s", i+1, len(manifest.Parts), cluster.Name), func() models.Progress {
			return models.Progress{BytesDone: read.Load(), BytesTotal: manifest.Bytes(), KeysDone: w.Counts().Written, KeysTotal: keys}
		})
		if err := writePart(ctx, b.reader, w, row, part, &read); err != nil {
			return primary.Result{}, inTermsOfNode(err)
		}
	}
	return countKeys(ctx, cluster, w.Counts().Written, mortal)
}

// countKeys counts the keys in the primaries and compares them with those that were written, of which the mortal ones may have expired.
func countKeys(ctx context.Context, cluster models.Cluster, written, mortal int64) (primary.Result, error) {
	var all primary.Result
	evicted := int64(0)
	for _, node := range cluster.Primaries() {
		info, err := nodes.Ask(ctx, cluster, node, "memory", "stats", "keyspace")
		if err != nil {
			return all, err
		}
		all.Keys += info.Keys()
		all.Memory = max(all.Memory, info.Int("used_memory")-info.Int("mem_not_counted_for_evict")) // of the fullest
		evicted += info.Int("evicted_keys")
	}
	all.Expired = written - all.Keys
	switch {
	case evicted != 0:
		return all, fmt.Errorf("%w: it evicted %d keys", primary.ErrTooBig, evicted)
	case all.Expired < 0 || all.Expired > mortal:
		return all, fmt.Errorf("%w: %d keys were written, %d are there, and %d could expire", primary.ErrCount, written, all.Keys, mortal)
	}
	return all, nil
}

// inTermsOfNode translates an error to the one that a node which is fed an RDB would give.
func inTermsOfNode(err error) error {
	if errors.Is(err, restore.ErrFull) {
		return fmt.Errorf("%w: %w", primary.ErrTooBig, err)
	}
	return err
}
