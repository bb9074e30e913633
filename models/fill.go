package models

import (
	"fmt"
	"slices"
)

// Existing says what becomes of the keys that a cluster has when a snapshot is restored into it.
type Existing string

// The choices for the existing keys.
const (
	ExistingNone    Existing = "none"    // there must not be any
	ExistingKeep    Existing = "keep"    // they stay as they are, even if the snapshot has another value
	ExistingReplace Existing = "replace" // the snapshot's value replaces theirs; keys that are not in the snapshot stay
	ExistingFlush   Existing = "flush"   // all of them are deleted first
)

// Destroys tells whether data of the cluster may be lost.
func (e Existing) Destroys() bool { return e == ExistingReplace || e == ExistingFlush }

// Deadlines says when the keys expire, and the fields of hashes, that are restored from a snapshot into a cluster.
type Deadlines string

// The choices.
const (
	DeadlinesKept    Deadlines = ""      // at the time that the snapshot has
	DeadlinesShifted Deadlines = "shift" // after the time that they had left when the snapshot was taken
	DeadlinesDropped Deadlines = "drop"  // never
)

// FillSpec asks for a snapshot to be restored into an existing cluster.
type FillSpec struct {
	Snapshot    string
	Cluster     string
	Existing    Existing
	Deadlines   Deadlines
	Safety      string // name of a snapshot of the cluster that is taken first; "": none is
	RequestedBy string
}

// NoFill says why no snapshot can be restored into the cluster, or "".
func (c Cluster) NoFill() string {
	if !c.Attached() {
		return fmt.Sprintf("The cluster %s was launched here. Restore the snapshot into a new cluster instead.", c.Name)
	}
	return c.unavailable("a snapshot can be restored into it")
}

func checkDeadlines(d Deadlines) Faults {
	if slices.Contains([]Deadlines{DeadlinesKept, DeadlinesShifted, DeadlinesDropped}, d) {
		return nil
	}
	return Faults{{CodeInvalid, "deadlines", "Choose when keys with a deadline expire."}}
}

// CheckFill checks a restore as far as possible without reaching the cluster. cannot says why its engine cannot take the snapshot; "" if it can.
func CheckFill(spec FillSpec, cluster Cluster, snapshot Snapshot, cannot string) Faults {
	var faults Faults
	if why := cluster.NoFill(); why != "" {
		faults.Add(CodeClusterState, "cluster", why)
	}
	if !slices.Contains([]Existing{ExistingNone, ExistingKeep, ExistingReplace, ExistingFlush}, spec.Existing) {
		faults.Add(CodeInvalid, "existing", "Choose what becomes of the keys that the cluster has.")
	}
	faults = append(faults, checkDeadlines(spec.Deadlines)...)
	if why := snapshot.NoRestore(); why != "" {
		faults.Add(CodeSnapshotState, "snapshot", why)
	} else if cluster.Attached() && cannot != "" {
		faults.Add(CodeCombination, "cluster", fmt.Sprintf("The snapshot was made by %s (RDB version %d), which the cluster's %s cannot load%s",
			snapshot.EngineName(), snapshot.RDBVersion, cluster.EngineName(), cannot))
	}
	return faults
}
