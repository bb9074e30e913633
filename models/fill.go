package models

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Existing says what becomes of the keys that a cluster has when a snapshot is restored into it.
type Existing string

// What can become of them.
const (
	ExistingNone    Existing = "none"    // there must not be any
	ExistingKeep    Existing = "keep"    // they stay as they are, also where the snapshot has another value
	ExistingReplace Existing = "replace" // the snapshot's value takes their place; keys that the snapshot does not have stay
	ExistingFlush   Existing = "flush"   // all of them are deleted before
)

// Destroys tells whether data of the cluster may be lost.
func (e Existing) Destroys() bool { return e == ExistingReplace || e == ExistingFlush }

// Deadlines says when keys expire that a snapshot is restored into a cluster with.
type Deadlines string

// The choices. Deadlines of a hash's fields are kept.
const (
	DeadlinesKept    Deadlines = ""      // when they would have expired anyway
	DeadlinesShifted Deadlines = "shift" // after the time that they had left when the snapshot was taken
	DeadlinesDropped Deadlines = "drop"  // never
)

// FillSpec asks for a snapshot to be restored into a cluster that exists.
type FillSpec struct {
	Snapshot    string
	Cluster     string
	Existing    Existing
	Deadlines   Deadlines
	Safety      string // name of a snapshot of the cluster that is taken before; "": none is
	RequestedBy string
}

// NoFill says why no snapshot can be restored into the cluster, or "".
func (c Cluster) NoFill() string {
	if !c.Attached() {
		return fmt.Sprintf("The cluster %s was launched here. Restore the snapshot into a new cluster instead.", c.Name)
	}
	return c.unavailable("a snapshot can be restored into it")
}

// CheckFill checks what can be checked without reaching the cluster. loads tells whether its engine reads the snapshot's RDB.
func CheckFill(spec FillSpec, cluster Cluster, snapshot Snapshot, loads bool) Faults {
	var faults Faults
	if why := cluster.NoFill(); why != "" {
		faults.Add(CodeClusterState, "cluster", why)
	}
	if !slices.Contains([]Existing{ExistingNone, ExistingKeep, ExistingReplace, ExistingFlush}, spec.Existing) {
		faults.Add(CodeInvalid, "existing", "Choose what becomes of the keys that the cluster has.")
	}
	if !slices.Contains([]Deadlines{DeadlinesKept, DeadlinesShifted, DeadlinesDropped}, spec.Deadlines) {
		faults.Add(CodeInvalid, "deadlines", "Choose when keys with a deadline expire.")
	}
	switch {
	case !snapshot.Usable():
		faults.Add(CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is %s; only an available one can be restored.", snapshot.Name, snapshot.Status))
	case snapshot.Damaged():
		faults.Add(CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is damaged: %s", snapshot.Name, snapshot.Damage))
	case cluster.Attached() && !loads:
		faults.Add(CodeCombination, "cluster", fmt.Sprintf("The snapshot was made by %s (RDB version %d), which the cluster's %s cannot load.",
			snapshot.EngineName(), snapshot.RDBVersion, cluster.EngineName()))
	}
	return faults
}

// SlotMap says which shard has a slot, by its place among the cluster's primaries; -1: none has. It fails on slots that cannot be read.
func (c Cluster) SlotMap() (func(slot int) int, error) {
	type span struct{ first, last, shard int }
	var spans []span
	for i, primary := range c.Primaries() {
		for text := range strings.SplitSeq(primary.Slots, ",") {
			var s span
			if n, _ := fmt.Sscanf(text, "%d-%d", &s.first, &s.last); n == 0 {
				return nil, fmt.Errorf("read slots %q of %s", primary.Slots, primary.Name)
			} else if n == 1 {
				s.last = s.first
			}
			s.shard = i
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return func(slot int) int {
		i, found := slices.BinarySearchFunc(spans, slot, func(s span, slot int) int { return cmp.Compare(s.first, slot) })
		if !found {
			i--
		}
		if i < 0 || slot > spans[i].last {
			return -1
		}
		return spans[i].shard
	}, nil
}
