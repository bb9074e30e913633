package nodes

import (
	"context"
	"fmt"

	"rekindle/internal/slots"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Spread says which shard of a launched cluster has which slots. Rekindle assigns the slots when it creates a cluster and never moves any, but
// anybody with the password can.
type Spread struct {
	cluster models.Cluster
	sets    []string
}

// Spread asks the primaries which slots they have, and returns the cluster with these. It refuses if a slot is missing, is in two shards or is being
// moved between them: a snapshot would not be complete. Outside cluster mode there is nothing to ask.
func (s *Supervisor) Spread(ctx context.Context, cluster models.Cluster) (models.Cluster, *Spread, error) {
	spread := &Spread{cluster: cluster}
	if !managed(cluster) {
		return cluster, spread, nil
	}
	sets, err := askForSlots(ctx, cluster)
	if err != nil {
		return cluster, spread, err
	}
	cluster.Nodes = append([]models.Node(nil), cluster.Nodes...)
	for i := range cluster.Nodes {
		if n := &cluster.Nodes[i]; n.Role == models.RolePrimary {
			n.Slots = sets[n.Name]
		}
	}
	for _, p := range cluster.Primaries() {
		spread.sets = append(spread.sets, p.Slots)
	}
	return cluster, spread, nil
}

// Check fails when the slots have moved since.
func (s *Spread) Check(ctx context.Context) error {
	if !managed(s.cluster) {
		return nil
	}
	sets, err := askForSlots(ctx, s.cluster)
	if err != nil {
		return err
	}
	for i, p := range s.cluster.Primaries() {
		if sets[p.Name] != s.sets[i] {
			return reason.Because(nil, "Slots were moved between the shards of %s while the snapshot was being taken, so keys could be missing from it, or be in it twice. It was discarded. Take it again when the move has ended.", s.cluster.Name)
		}
	}
	return nil
}

// askForSlots asks in each shard whichever node is the primary now for its slots. The result is keyed by the name of the catalog's primary.
func askForSlots(ctx context.Context, cluster models.Cluster) (map[string]string, error) {
	found := make(map[string]string)
	var sets []string
	for _, shard := range cluster.Shards() {
		primary, _ := shard.Primary()
		state, err := primaryState(ctx, cluster, shard)
		if err != nil {
			return nil, err
		}
		if state.Moving {
			return nil, reason.Because(nil, "Slots of %s are moving from or to the shard %s: neither shard has all of their keys. Take the snapshot when the move has ended.", cluster.Name, shard.ID())
		}
		if found[primary.Name] = state.Slots; state.Slots != "" {
			sets = append(sets, state.Slots)
		}
	}
	missing, err := slots.Missing(sets)
	if err != nil {
		return nil, fmt.Errorf("find the shard of each slot of %s: %w", cluster.Name, err)
	}
	if missing != "" {
		return nil, reason.Because(nil, "%s", models.UnservedText(cluster.Name, missing))
	}
	return found, nil
}

// primaryState is the state of whichever node of a shard is its primary now. If that one does not answer but a replica does, as in an unreachable
// cluster, the slots are those in the catalog.
func primaryState(ctx context.Context, cluster models.Cluster, shard models.Shard) (State, error) {
	replies := false
	for _, n := range shard.Nodes {
		state, err := Probe(ctx, cluster, n)
		if err == nil && !state.Replica {
			return state, nil
		}
		replies = replies || err == nil
	}
	if !replies {
		return State{}, reason.Because(nil, "No node of the shard %s of %s answers, so it cannot be found out which slots it has.", shard.ID(), cluster.Name)
	}
	return State{Slots: shard.Slots}, nil
}
