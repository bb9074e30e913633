package attached

import (
	"context"
	"strings"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/topology"
	"rekindle/jobs/reach"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// How long a snapshot waits for slots that are being moved, and how often it looks.
const (
	migrationPatience = 10 * time.Minute
	migrationPause    = 2 * time.Second
)

// Guard makes sure that a snapshot of a cluster in cluster mode has every slot exactly once. It is asked before the first shard is read, and again
// after the last.
type Guard struct {
	cluster models.Cluster
	slots   string
}

// Prepare looks at a cluster before a snapshot is taken of it, and returns it with the catalog brought up to date. It waits while slots are being
// moved between shards, and tells say so.
func (f *Follower) Prepare(ctx context.Context, cluster models.Cluster, say func(text string)) (models.Cluster, *Guard, error) {
	found, err := f.settled(ctx, cluster, say)
	if err != nil {
		return cluster, nil, err
	}
	if missing := found.MissingSlots(); missing != "" {
		return cluster, nil, reason.Because(nil, "%s", models.UnservedText(cluster.Name, missing))
	}
	if err := f.DB.Attachments.Follow(ctx, cluster, foundOf(found)); err != nil {
		return cluster, nil, err
	}
	cluster, err = f.DB.Clusters.ByID(ctx, cluster.ID)
	return cluster, &Guard{cluster, slotsOf(found)}, err
}

// settled is a cluster in which no slot is being moved.
func (f *Follower) settled(ctx context.Context, cluster models.Cluster, say func(text string)) (topology.Topology, error) {
	until := f.Clock.Now().Add(migrationPatience)
	for {
		found, moving, err := lookWhole(ctx, cluster)
		switch {
		case err != nil:
			return found, err
		case len(moving) == 0:
			return found, nil
		case !f.Clock.Now().Before(until):
			return found, reason.Because(nil, "Slots of %s have been moving between shards for %d minutes (%s): neither shard has all of their keys. Take the snapshot when the move has ended.",
				cluster.Name, int(migrationPatience.Minutes()), shortList(moving))
		}
		say("Waiting until no slots are moving between shards")
		if !drain.Pause(ctx, migrationPause) {
			return found, context.Cause(ctx)
		}
	}
}

// lookWhole looks at a cluster, and for slots that are being moved.
func lookWhole(ctx context.Context, cluster models.Cluster) (topology.Topology, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := look(ctx, cluster)
	if err != nil {
		return found, nil, reason.Because(err, "%s", Sentence(err, cluster.Attachment.Access))
	}
	access, err := reach.Access(cluster.Attachment.Access, cluster.Password)
	if err != nil {
		return found, nil, err
	}
	moving, err := topology.Moving(ctx, access, found)
	if err != nil {
		return found, nil, reason.Because(err, "Whether slots are moving between shards cannot be found out. %s", Sentence(err, cluster.Attachment.Access))
	}
	return found, moving, nil
}

// Check fails when slots have moved since the snapshot began, or are moving now: then keys are missing in it, or are in it twice.
func (g *Guard) Check(ctx context.Context) error {
	if g.slots == "" {
		return nil
	}
	found, moving, err := lookWhole(ctx, g.cluster)
	if err != nil {
		return err
	}
	if len(moving) > 0 || slotsOf(found) != g.slots {
		return reason.Because(nil, "Slots were moved between the shards of %s while the snapshot was being taken, so keys could be missing from it, or be in it twice. It was discarded. Take it again when the move has ended.", g.cluster.Name)
	}
	return nil
}

// slotsOf tells which slots share a shard, whichever of its nodes is the primary.
func slotsOf(t topology.Topology) string {
	var slots []string
	for _, s := range t.Shards { // in the order of their slots
		slots = append(slots, s.Slots)
	}
	return strings.Join(slots, ";")
}

func shortList(texts []string) string {
	if len(texts) > 8 {
		texts = append(texts[:8:8], "…")
	}
	return strings.Join(texts, ", ")
}
