package web

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rekindle/models"
	"rekindle/views"
)

// This file has the facts on a snapshot's page that differ by what became of it and how it was made.

// whatHappened adds what only the rest of the catalog knows: what became of the snapshot's cluster, how the snapshot was made, and what follows if
// it has failed.
func (h snapshotPages) whatHappened(ctx context.Context, snapshot models.Snapshot, props *views.Snapshot) error {
	living, _, err := h.db.Present(ctx, []string{snapshot.ClusterName}, nil)
	if err != nil {
		return err
	}
	props.ClusterExists = living[snapshot.ClusterName]
	if props.ClusterNote, err = h.clusterNote(ctx, snapshot, props.ClusterExists); err != nil {
		return err
	}
	if props.Cost, err = h.present.snapshotCost(ctx, snapshot); err != nil {
		return err
	}
	maker, known, err := h.db.Runs.Maker(ctx, snapshot)
	if err != nil {
		return err
	}
	var making time.Duration
	if known && maker.Status == models.RunSucceeded && maker.StartedAt != nil && maker.EndedAt != nil {
		making = maker.EndedAt.Sub(*maker.StartedAt)
	}
	props.Lasted = lasted(snapshot, making)
	if props.Impact, props.ImpactHref, err = h.present.impactSentences(ctx, snapshot); err != nil {
		return err
	}
	if !known || snapshot.Damaged() {
		return nil
	}
	shown := views.Run{ClusterExists: props.ClusterExists, SnapshotExists: true}
	if props.Again, err = h.present.again(ctx, maker, shown); err != nil {
		return err
	}
	props.NextTry, err = h.present.nextTry(ctx, maker)
	return err
}

// clusterNote says what must be known besides the name of the snapshot's cluster.
func (h snapshotPages) clusterNote(ctx context.Context, snapshot models.Snapshot, exists bool) (string, error) {
	if exists && snapshot.ClusterID != 0 {
		return "", nil
	}
	removed, err := h.db.Runs.Removed(ctx, snapshot.ClusterName, snapshot.CreatedAt)
	switch {
	case err != nil:
		return "", err
	case exists && removed:
		return "an earlier cluster of this name", nil
	case exists:
		return "", nil
	case !removed:
		return "not here", nil
	case snapshot.NodeType == "" && !snapshot.Foreign():
		return "detached since", nil
	}
	return "deleted since", nil
}

// lasted says how long what took that was done to make the snapshot. making is how long its run took; 0: unknown.
func lasted(snapshot models.Snapshot, making time.Duration) []views.Lasted {
	if snapshot.CompletedAt == nil {
		return nil
	}
	var all []views.Lasted
	add := func(label string, took time.Duration) {
		if took > 0 {
			all = append(all, views.Lasted{Label: label, Took: max(took, time.Millisecond)})
		}
	}
	add("Taken in", snapshot.TakenIn())
	switch {
	case snapshot.Copied():
		add("Copied in", making)
	case snapshot.Foreign():
		add("Imported in", making)
	case snapshot.Recovered():
		add("Recovered in", making)
	case snapshot.Synthetic():
		add("Made in", making)
	}
	return all
}

// configurationFacts are what is known of the cluster that the snapshot was taken from, as it was then; of an imported one, what a restore suggests.
func configurationFacts(snapshot models.Snapshot) []views.Fact {
	var facts []views.Fact
	add := func(label, value string) {
		if value != "" {
			facts = append(facts, views.Fact{Label: label, Value: value})
		}
	}
	if snapshot.Foreign() {
		if snapshot.CompletedAt == nil {
			return nil // the files have not been looked at
		}
		add("Engine", views.EngineText(snapshot.Engine, snapshot.EngineVersion))
		add("Suggested node type", snapshot.NodeType)
		add("Shards", strconv.Itoa(snapshot.ShardCount))
		return facts
	}
	schedule, auth, description := "off", "none", "none"
	if snapshot.RetentionLimit > 0 {
		schedule = fmt.Sprintf("%s UTC, kept %s", snapshot.SnapshotWindow, views.Plural(snapshot.RetentionLimit, "day"))
	}
	if snapshot.AuthEnabled {
		auth = "by password, or as users of a group; neither is part of the snapshot"
	}
	if snapshot.Description != "" {
		description = snapshot.Description
	}
	nodeType := nodeTypeFact(snapshot)
	add("Description", description)
	add("Engine", views.EngineText(snapshot.Engine, snapshot.EngineVersion))
	add(nodeType.Label, nodeType.Value)
	add("Shards", strconv.Itoa(snapshot.ShardCount))
	add("Replicas", strconv.Itoa(snapshot.Replicas))
	if snapshot.Port > 0 { // otherwise nobody has chosen one
		add("Port", strconv.Itoa(snapshot.Port))
	}
	add("Automatic snapshots", schedule)
	add("Authentication", auth)
	return facts
}

// nodeTypeFact is the node type of the snapshot's cluster, or a suitable one if its nodes had none.
func nodeTypeFact(snapshot models.Snapshot) views.Fact {
	switch {
	case snapshot.NodeType == "" && snapshot.CompletedAt == nil:
		return views.Fact{Label: "Node type", Value: "none: the cluster was attached"}
	case snapshot.NodeType == "":
		return views.Fact{Label: "Suggested node type", Value: models.SuggestNodeType(snapshot.UsedMemory).Name}
	}
	return views.Fact{Label: "Node type", Value: snapshot.NodeType}
}
