package jobs

import (
	"context"
	"strings"
	"sync"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/models"
)

// replicaPause is how long a restore waits before it asks a replica again.
const replicaPause = 100 * time.Millisecond

// behind waits until the replicas of a cluster have what its primaries had when it was called, for a while, and names those that have not, or do not
// say so. It asks the nodes: WAIT would count other replicas too, such as whoever takes a snapshot, and needs a permission of its own.
func (f *filler) behind(ctx context.Context, cluster models.Cluster) []string {
	ctx, cancel := context.WithTimeout(ctx, f.ReplicaWait)
	defer cancel()
	shards := cluster.Shards()
	late := make([][]string, len(shards))
	var asking sync.WaitGroup
	for i, shard := range shards {
		asking.Go(func() { late[i] = behindIn(ctx, cluster, shard) })
	}
	asking.Wait()
	var all []string
	for _, names := range late {
		all = append(all, names...)
	}
	return all
}

// behindIn waits for the replicas of one shard.
func behindIn(ctx context.Context, cluster models.Cluster, shard models.Shard) (names []string) {
	waiting := shard.Replicas()
	if len(waiting) == 0 {
		return nil
	}
	primary, _ := shard.Primary()
	want, failed := placeOf(ctx, cluster, primary)
	for failed == nil {
		var still []models.Node
		for _, replica := range waiting {
			if at, err := placeOf(ctx, cluster, replica); err != nil || !at.reaches(want) {
				still = append(still, replica)
			}
		}
		if waiting = still; len(waiting) == 0 || !drain.Pause(ctx, replicaPause) {
			break
		}
	}
	for _, replica := range waiting {
		names = append(names, replica.Name)
	}
	return names
}

// place is how far a node is in its history.
type place struct {
	history string
	offset  int64
	cut     bool // it is a replica without its primary
}

func (p place) reaches(want place) bool {
	return !p.cut && p.history == want.history && p.offset >= want.offset
}

func placeOf(ctx context.Context, cluster models.Cluster, node models.Node) (place, error) {
	info, err := nodes.Ask(ctx, cluster, node, "replication")
	if err != nil {
		return place{}, err
	}
	p := place{history: info["master_replid"], offset: info.Int("master_repl_offset")}
	if info["role"] == "slave" {
		p.offset, p.cut = info.Int("slave_repl_offset"), info["master_link_status"] != "up"
	}
	return p, nil
}

// behindText says which replicas do not have what was restored; "" if all have.
func behindText(names []string, waited time.Duration) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " The replica " + names[0] + " did not have all of it " + waitedText(waited) + ": until it does, a failover to it would lose keys."
	}
	return " The replicas " + strings.Join(names, ", ") + " did not have all of it " + waitedText(waited) + ": until they do, a failover to one of them would lose keys."
}

func waitedText(waited time.Duration) string {
	return words.Plural(int64(waited.Seconds()), "second") + " later"
}
