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
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// merge writes the parts of a snapshot of several shards into the only shard of a new cluster. A node can be fed one RDB, and the shards have one each; so
// each key is sent by itself. A key that two of them had would end it.
func (b *builder) merge(ctx context.Context, cluster models.Cluster, node models.Node, row models.Snapshot, manifest archive.Manifest, report *queue.Report) (primary.Result, error) {
	var none primary.Result
	if err := nodes.Tell(ctx, cluster, node, "REPLICAOF", "NO", "ONE"); err != nil { // a node that waits to be filled takes no writes
		return none, err
	}
	w, err := restore.Open(ctx, []resp.Options{{Addr: node.Address(), Password: cluster.Password}}, restore.Options{Now: b.Clock.Now})
	if err != nil {
		return none, err
	}
	defer w.Close()
	var read atomic.Int64
	keys, mortal := int64(0), int64(0)
	for _, part := range manifest.Parts {
		keys, mortal = keys+max(0, part.Keys), mortal+max(0, part.Expires)
	}
	for i, part := range manifest.Parts {
		report.Stage(fmt.Sprintf("Writing shard %d of %d into %s", i+1, len(manifest.Parts), node.Name), func() models.Progress {
			return models.Progress{BytesDone: read.Load(), BytesTotal: manifest.Bytes(), KeysDone: w.Counts().Written, KeysTotal: keys}
		})
		if err := writePart(ctx, b.reader, w, row, part, &read); err != nil {
			return none, inTermsOfNode(err)
		}
	}
	return merged(ctx, cluster, node, w.Counts().Written, mortal)
}

// merged counts what the node has, of so many keys that were written; mortal ones among them may have gone.
func merged(ctx context.Context, cluster models.Cluster, node models.Node, written, mortal int64) (primary.Result, error) {
	conn, err := nodes.Dial(ctx, cluster, node)
	if err != nil {
		return primary.Result{}, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "memory", "stats", "keyspace")
	if err != nil {
		return primary.Result{}, err
	}
	missing := written - info.Keys()
	switch evicted := info.Int("evicted_keys"); {
	case evicted != 0:
		return primary.Result{}, fmt.Errorf("%w: it evicted %d keys", primary.ErrTooBig, evicted)
	case missing < 0 || missing > mortal:
		return primary.Result{}, fmt.Errorf("%w: %d keys were written, %d are there, and %d could expire", primary.ErrCount, written, info.Keys(), mortal)
	}
	return primary.Result{Keys: info.Keys(), Expired: missing, Memory: info.Int("used_memory") - info.Int("mem_not_counted_for_evict")}, nil
}

// inTermsOfNode says what is wrong as it is said of a node that is fed.
func inTermsOfNode(err error) error {
	if errors.Is(err, restore.ErrFull) {
		return fmt.Errorf("%w: %w", primary.ErrTooBig, err)
	}
	return err
}
