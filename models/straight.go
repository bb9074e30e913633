package models

import (
	"fmt"
	"slices"
	"time"

	"rekindle/internal/words"
)

// A straight restore makes a new cluster of a moment: its primaries get a snapshot from before it, and the cluster's journal behind that up to the moment.
// No snapshot is made of it in between, which is faster. Therefore the new cluster has the shards of the snapshot, and keys expire
// when they would have expired. Whoever wants something else makes a snapshot of the moment, see [RecoverSpec], and restores that.

// StraightFrom is the moment of a cluster that a new one is made of.
type StraightFrom struct {
	Cluster string
	Moment  time.Time     // the last second, or part of one, that is in it
	Places  []RecoverFrom // of shards that are wanted at an exact place in their stream instead
}

// asSnapshot says how everything that a straight restore cannot do is had.
func (f StraightFrom) asSnapshot() string {
	return fmt.Sprintf("Recover %s to the moment as a snapshot instead, and restore that: it can be restored in any way.", f.Cluster)
}

// CheckStraight refuses straight restores that could only fail later, and brings the request into its final form. source is the cluster whose moment it is.
func CheckStraight(spec *ClusterSpec, source Cluster, now time.Time) Faults {
	from := *spec.Straight
	asked := RecoverSpec{Name: "unused", Moment: from.Moment, Places: from.Places}
	faults := asked.Check(now)
	from.Cluster, from.Moment = source.Name, asked.Moment
	spec.Straight = &from
	if spec.Snapshot != "" || len(spec.Sources) > 0 {
		faults.Add(CodeCombination, "moment", "Make the cluster either of a moment, or from a snapshot or files, not of both.")
	}
	if spec.Deadlines != DeadlinesKept {
		faults.Add(CodeCombination, "deadlines", "In a cluster that is made straight from a moment, keys expire when they would have expired. "+from.asSnapshot())
	}
	var sets []string
	for _, shard := range source.Shards() {
		sets = append(sets, shard.Slots)
	}
	if spec.ClusterMode && len(spec.Slots) == 0 && spec.ShardCount() == len(sets) {
		spec.Slots = sets
	}
	if spec.ClusterMode != source.Sharded() || spec.ShardCount() != max(1, len(sets)) || spec.ClusterMode && !slices.Equal(spec.Slots, sets) {
		faults.Add(CodeCombination, "shards", fmt.Sprintf("The cluster %s has %s, and one that is made straight from a moment of it has the same, with the same slots. %s",
			source.Name, shapeText(source.Sharded(), max(1, len(sets))), from.asSnapshot()))
	}
	return faults
}

// NotStraight says why a new cluster cannot be made straight from a snapshot and the journal behind it, or "".
func (c Cluster) NotStraight(from StraightFrom, base Snapshot) string {
	var own, its []string
	for _, node := range c.Primaries() {
		own = append(own, node.Slots)
	}
	for _, part := range base.Parts {
		its = append(its, part.Slots)
	}
	if c.ClusterMode == base.ClusterMode && (slices.Equal(own, its) || !c.ClusterMode && len(own) == len(its)) {
		return ""
	}
	has, had := shapeText(c.ClusterMode, len(own)), shapeText(base.ClusterMode, len(its))
	if has == had {
		had += " with other slots"
	}
	return fmt.Sprintf("The cluster %s has %s, and the snapshot %s, behind which the journal was to be replayed, has %s. %s", c.Name, has, base.Name, had, from.asSnapshot())
}

// NotFed says that an engine cannot load a snapshot as it is, so that nothing can be replayed behind it.
func (f StraightFrom) NotFed(engine Engine, base Snapshot) string {
	return fmt.Sprintf("The snapshot %s, behind which the journal was to be replayed, was made by %s (RDB version %d), which %s does not load as it is. %s",
		base.Name, base.EngineName(), base.RDBVersion, engine, f.asSnapshot())
}

func shapeText(clusterMode bool, shards int) string {
	if !clusterMode {
		return "one shard outside of cluster mode"
	}
	return words.Plural(int64(shards), "shard") + " in cluster mode"
}

// Like returns a request for a new cluster that is like this one, of an engine that is installed.
func (c Cluster) Like(engine Engine) ClusterSpec {
	nodeType := c.NodeType
	if nodeType == "" { // of an attached cluster, whose nodes have no type
		nodeType = c.roomyNodeType()
	}
	spec := ClusterSpec{Description: c.Description, Engine: engine, NodeType: nodeType, ClusterMode: c.Sharded(), Shards: max(1, len(c.Shards())), Replicas: min(c.Replicas, MaxReplicas),
		Encrypted: c.Encrypted(), Retention: c.RetentionLimit, Window: c.SnapshotWindow, Auth: AuthNone, UserGroup: c.UserGroup}
	if c.AuthEnabled() {
		spec.Auth = AuthGenerate // its own password is not for another cluster
	}
	if !c.Attached() && engine.Family() == c.ShownEngine().Family() { // otherwise the parameters are others
		spec.ParameterGroup = c.ParameterGroup
	}
	return spec
}

// roomyNodeType is the node type that comes next to the nodes of an attached cluster, and has room for what they hold.
func (c Cluster) roomyNodeType() string {
	var used int64
	for _, n := range c.Nodes {
		used = max(used, n.UsedMemory)
	}
	room := SuggestNodeType(used)
	if shown, known := FindNodeType(c.ShownNodeType()); known && shown.Memory > room.Memory {
		return shown.Name
	}
	return room.Name
}

// Made is the text of the event about a cluster that was made straight from a moment.
func (f StraightFrom) Made(cluster Cluster, cut Cut, keys, expired int64) string {
	text := fmt.Sprintf("The cluster %s was restored straight from %s as it was at %s UTC, exact to %s: %s, from %s", cluster.Name, f.Cluster, momentText(f.Moment), words.Duration(cut.Exactly()),
		words.Plural(keys, "key"), cut.Base)
	if cut.Commands > 0 {
		text += fmt.Sprintf(" and %s of the journal behind it.", words.Plural(cut.Commands, "command"))
	} else {
		text += ", behind which nothing had been written."
	}
	if cut.Shards > 1 {
		text += fmt.Sprintf(" The last commands of its %d shards are at most %s apart.", cut.Shards, words.Duration(cut.Skew))
	}
	if expired > 0 {
		text += fmt.Sprintf(" %s had expired since.", words.Plural(expired, "more key"))
	}
	return text
}
