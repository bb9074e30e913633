package models

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The arguments of runs: what a run is told beyond the columns of its row. There is a type for each kind, stored in the row as JSON. A row may be as
// old as its catalog, so the JSON names must never change.
type (
	// SnapshotArgs are of a snapshot.
	SnapshotArgs struct {
		Override     bool       `json:"override,omitempty"`      // use the primary even if memory may not suffice
		WindowOpens  *time.Time `json:"window_opens,omitempty"`  // of an automatic snapshot
		WindowCloses *time.Time `json:"window_closes,omitempty"` // it must begin before that
		Unreachable  string     `json:"unreachable,omitempty"`   // why the cluster was unreachable when the snapshot was asked for
		OfCluster    bool       `json:"of_cluster,omitempty"`    // not made from the journal, whatever its plan says
		Compare      bool       `json:"compare,omitempty"`       // the same, and then compared with what the journal makes of it
	}
	// RestoreArgs are of a restore.
	RestoreArgs struct {
		Refill bool   `json:"refill,omitempty"`      // the cluster had been available already
		Before string `json:"unreachable,omitempty"` // the status reason until then of a cluster that is filled again

		Deadlines Deadlines `json:"deadlines,omitempty"` // when the restored keys expire
	}
	// StraightArgs are of a restore that makes a new cluster of a moment.
	StraightArgs struct {
		Cluster   string        `json:"cluster"` // whose moment it is
		ClusterID uint          `json:"cluster_id"`
		Moment    time.Time     `json:"moment"`
		Places    []RecoverFrom `json:"places,omitempty"` // of shards that are wanted at an exact place instead
		Base      string        `json:"base,omitempty"`   // the snapshot that the journal is played back behind; "": not chosen yet
	}
	// FillArgs are of a restore into an existing cluster.
	FillArgs struct {
		Existing  Existing  `json:"existing"`            // what becomes of the keys that the cluster has
		Safety    string    `json:"safety,omitempty"`    // the snapshot of the cluster that must be available first
		Deadlines Deadlines `json:"deadlines,omitempty"` // when the restored keys expire
	}
	// BringBackArgs are of bringing keys back. Which ones is kept beside the run.
	BringBackArgs struct {
		Rehearse  bool      `json:"rehearse,omitempty"`
		Replace   bool      `json:"replace,omitempty"`
		Safety    string    `json:"safety,omitempty"`    // the snapshot of the cluster that must be available first
		Deadlines Deadlines `json:"deadlines,omitempty"` // when the keys expire
		Token     string    `json:"token,omitempty"`     // by which whoever has asked for it knows it again
	}
	// ModifyArgs are of a change to the nodes.
	ModifyArgs struct {
		RemoveNodes []string `json:"remove_nodes,omitempty"`
	}
	// RebootArgs are of a restart of nodes.
	RebootArgs struct {
		Nodes []string `json:"reboot_nodes,omitempty"`
	}
	// FailoverArgs are of a failover.
	FailoverArgs struct {
		From string `json:"from,omitempty"` // the primary that the role is taken from
	}
	// MigrateArgs are of the start of a migration.
	MigrateArgs struct {
		Source string `json:"source,omitempty"` // the server that the cluster is to follow
	}
	// CompleteArgs are of the end of a migration.
	CompleteArgs struct {
		Force bool `json:"force,omitempty"` // whatever the cluster has of the source's data by then
	}
	// DeleteArgs are of the deletion of a cluster.
	DeleteArgs struct {
		FinalSnapshot string `json:"final_snapshot,omitempty"`
		KeepAutomatic bool   `json:"keep_automatic,omitempty"` // its automatic snapshots stay, until somebody deletes them
	}
	// CopyArgs are of a copy, and of an export.
	CopyArgs struct {
		Source  string   `json:"source,omitempty"`  // the snapshot that is read
		Target  string   `json:"target,omitempty"`  // the name that is given
		Store   string   `json:"store,omitempty"`   // where it is written; "": the console's own store
		Written []string `json:"written,omitempty"` // keys in another store that were found unused before the run began to write them
	}
	// ImportArgs are of an import.
	ImportArgs struct {
		Target  string   `json:"target,omitempty"`
		Sources []string `json:"sources,omitempty"` // the objects that are read, one for each shard
		Upload  bool     `json:"upload,omitempty"`  // its bytes come from a browser instead
	}
	// DrillArgs are of a restore drill.
	DrillArgs struct {
		WindowCloses *time.Time `json:"window_closes,omitempty"` // it must begin before that; nil: it was asked for by hand
	}
	// RecoverArgs are of making a moment a snapshot.
	RecoverArgs struct {
		Target string        `json:"target,omitempty"` // the name that is given
		Moment time.Time     `json:"moment"`
		Places []RecoverFrom `json:"places,omitempty"` // of shards that are wanted at an exact place instead
		Base   string        `json:"base,omitempty"`   // the snapshot that the journal is played back behind; "": not chosen yet
	}
	// FindArgs are of a search for keys. What is looked for is not among them, because it may be a secret: see [Find].
	FindArgs struct {
		Pattern bool         `json:"pattern,omitempty"` // instead of an exact name
		Keep    int          `json:"keep"`              // how many keys are kept
		Journal *FindJournal `json:"journal,omitempty"` // is looked through as well, or alone; nil: it is not
		Token   string       `json:"token,omitempty"`   // by which whoever has asked for it knows it again
	}
	// NoArgs are of runs without arguments.
	NoArgs struct{}
)

// Arguments is any of the types above. It knows which kinds of runs it is for.
type Arguments interface{ kinds() []RunKind }

func (SnapshotArgs) kinds() []RunKind  { return []RunKind{RunSnapshot} }
func (RestoreArgs) kinds() []RunKind   { return []RunKind{RunRestore} }
func (StraightArgs) kinds() []RunKind  { return []RunKind{RunStraight} }
func (FillArgs) kinds() []RunKind      { return []RunKind{RunFill} }
func (BringBackArgs) kinds() []RunKind { return []RunKind{RunBringBack} }
func (ModifyArgs) kinds() []RunKind    { return []RunKind{RunModify} }
func (RebootArgs) kinds() []RunKind    { return []RunKind{RunReboot} }
func (FailoverArgs) kinds() []RunKind  { return []RunKind{RunFailover} }
func (MigrateArgs) kinds() []RunKind   { return []RunKind{RunMigrate} }
func (CompleteArgs) kinds() []RunKind  { return []RunKind{RunCompleteMigration} }
func (DeleteArgs) kinds() []RunKind    { return []RunKind{RunDelete} }
func (CopyArgs) kinds() []RunKind      { return []RunKind{RunCopy, RunExport} }
func (ImportArgs) kinds() []RunKind    { return []RunKind{RunImport} }
func (DrillArgs) kinds() []RunKind     { return []RunKind{RunDrill} }
func (RecoverArgs) kinds() []RunKind   { return []RunKind{RunRecover} }
func (FindArgs) kinds() []RunKind      { return []RunKind{RunFind} }
func (NoArgs) kinds() []RunKind {
	return []RunKind{RunCreate, RunDeleteSnapshot, RunVerify, RunCompare, RunRebuild}
}

// Args returns the arguments of a run.
func Args[T Arguments](run Run) (T, error) {
	var args T
	if !slices.Contains(args.kinds(), run.Kind) {
		return args, fmt.Errorf("read arguments of run %d: a %s has no %T", run.ID, run.Kind, args)
	}
	if err := json.Unmarshal([]byte(run.Options), &args); err != nil {
		return args, fmt.Errorf("read arguments of run %d: %w", run.ID, err)
	}
	return args, nil
}

// Carries says which snapshot a run reads to make another one of it, or files, or to replay a journal behind it, and where it writes. For other runs the result is empty.
func (r Run) Carries() (CopyArgs, error) {
	if r.Kind == RunRecover {
		args, err := Args[RecoverArgs](r)
		return CopyArgs{Source: args.Base, Target: args.Target}, err
	}
	if r.Kind == RunStraight {
		args, err := Args[StraightArgs](r)
		return CopyArgs{Source: args.Base}, err
	}
	if !slices.Contains(CopyArgs{}.kinds(), r.Kind) {
		return CopyArgs{}, nil
	}
	return Args[CopyArgs](r)
}

// Recovers says of which cluster a run makes which moment a snapshot or a new cluster.
func (r Run) Recovers() (cluster uint, moment time.Time, err error) {
	if r.Kind == RunStraight {
		args, err := Args[StraightArgs](r)
		return args.ClusterID, args.Moment, err
	}
	args, err := Args[RecoverArgs](r)
	return r.ClusterID, args.Moment, err
}

// Tell stores the arguments in the run.
func (r *Run) Tell(args Arguments) error {
	if !slices.Contains(args.kinds(), r.Kind) {
		return fmt.Errorf("write arguments: a %s has no %T", r.Kind, args)
	}
	text, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("write arguments of %s: %w", r.Kind, err)
	}
	r.Options = string(text)
	return nil
}
