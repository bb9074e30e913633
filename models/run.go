package models

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RunKind says what a run does.
type RunKind string

// The kinds of a [Run].
const (
	RunCreate         RunKind = "create"          // start a cluster's nodes
	RunRestore        RunKind = "restore"         // start them and fill them from a snapshot
	RunModify         RunKind = "modify"          // bring the nodes in line with the changed cluster
	RunReboot         RunKind = "reboot"          // restart some of its nodes
	RunFailover       RunKind = "failover"        // let a replica take over from a primary that is well
	RunDelete         RunKind = "delete"          // with a final snapshot when asked for
	RunSnapshot       RunKind = "snapshot"        //
	RunDeleteSnapshot RunKind = "delete-snapshot" //
	RunVerify         RunKind = "verify"          // read every byte back
	RunCopy           RunKind = "copy"            // to another name, or as an archive to another store
	RunExport         RunKind = "export"          // plain RDB files to a bucket of one's own
	RunImport         RunKind = "import"          // RDB files from elsewhere become a manual snapshot
	RunRebuild        RunKind = "rebuild"         // the catalog from the manifests
)

// RunStatus is the state of a run.
type RunStatus string

// The states of a run: queued, running, then one of the other three.
const (
	RunQueued    RunStatus = "queued"
	RunRunning   RunStatus = "running"
	RunSucceeded RunStatus = "succeeded"
	RunFailed    RunStatus = "failed"
	RunCancelled RunStatus = "cancelled"
)

// Ended tells whether nothing more will happen.
func (s RunStatus) Ended() bool { return s != RunQueued && s != RunRunning }

// Run is one execution of a job: first an entry in the queue, later a record of what happened.
type Run struct {
	ID              uint
	Kind            RunKind   `gorm:"index"`
	Status          RunStatus `gorm:"index"`
	ClusterName     string    `gorm:"index"`
	ClusterID       uint      `gorm:"index"`
	SnapshotName    string    `gorm:"index"`
	RequestedBy     string    // a user's name, or "schedule", "retention"
	Options         string    // its arguments, as JSON; see Args
	Home            string    // of the nodes that it works on: only the console there does it; "": any
	Owner           string    // of the console that works on it; "" while it is running: nobody, it was cut off
	GivenUp         RunStatus // how it is going to end, once its remains are removed; "": not decided
	Attempts        int       // how often it was begun; more than once after a console was killed
	CancelRequested bool

	Stage      string // a sentence that says what is going on
	BytesDone  int64
	BytesTotal int64 // 0: unknown; may be an estimate
	KeysDone   int64
	KeysTotal  int64
	Error      string // a sentence for a person

	CreatedAt time.Time `gorm:"index"`
	StartedAt *time.Time
	EndedAt   *time.Time
}

// enqueue writes a run into the queue; call it in the transaction that changes the state of what the run works on.
func (db *DB) enqueue(ctx context.Context, run Run, args arguments) (Run, error) {
	err := run.tell(args)
	if err != nil {
		return run, err
	}
	if run.Home, err = wayOf(run.Kind).home(ctx, db, run); err != nil {
		return run, fmt.Errorf("queue %s of %s: %w", run.Kind, run.ClusterName, err)
	}
	run.Status, run.CreatedAt = RunQueued, db.Now()
	if err := db.with(ctx).Create(&run).Error; err != nil {
		return run, fmt.Errorf("queue %s of %s: %w", run.Kind, run.ClusterName, err)
	}
	return run, nil
}

// anywhere is the home of a run that any console can do.
func anywhere(context.Context, *DB, Run) (string, error) { return "", nil }

// atNodes is the home of a run that works on the nodes of a cluster: where they are.
func atNodes(ctx context.Context, tx *DB, run Run) (string, error) {
	cluster, _, err := find[Cluster](tx.with(ctx).Select("home").Where("id = ?", run.ClusterID))
	return cluster.Home, err
}

// atNodesOrGone is the home of a deletion. A cluster whose host is away, and may never come back, is deleted by whoever is there, unless data is
// asked for: its nodes belong to no cluster then, should it come back after all.
func atNodesOrGone(ctx context.Context, tx *DB, run Run) (string, error) {
	home, err := atNodes(ctx, tx, run)
	if err != nil || run.SnapshotName != "" {
		return home, err
	}
	if away, err := tx.Away(ctx, home); err != nil || away {
		return "", err
	}
	return home, nil
}

// ClaimRun takes the oldest queued run that is allowed now for this owner, but for what works on nodes elsewhere. The conditional update decides when two workers, or
// two consoles, reach for the same run.
func (db *DB) ClaimRun(ctx context.Context, owner string, allowed func(Run) bool) (Run, bool, error) {
	var queued []Run
	here := "home IN ('', (SELECT home FROM owners WHERE owners.id = ?))"
	if err := db.with(ctx).Where("status = ? AND "+here, RunQueued, owner).Order("id").Find(&queued).Error; err != nil {
		return Run{}, false, fmt.Errorf("list queued runs: %w", err)
	}
	for _, run := range queued {
		if !allowed(run) {
			continue
		}
		now := db.Now()
		claimed := db.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND EXISTS (SELECT 1 FROM owners WHERE id = ?)", run.ID, RunQueued, owner).
			Updates(map[string]any{"status": RunRunning, "owner": owner, "started_at": now, "attempts": run.Attempts + 1})
		if claimed.Error != nil {
			return Run{}, false, fmt.Errorf("claim run %d: %w", run.ID, claimed.Error)
		}
		if claimed.RowsAffected == 1 {
			run.Status, run.Owner, run.StartedAt, run.Attempts = RunRunning, owner, &now, run.Attempts+1
			return run, true, nil
		}
	}
	return Run{}, false, nil
}

// SnapshotsOnHost counts the snapshots that are being taken from nodes of this host: each costs it a fork.
func (db *DB) SnapshotsOnHost(ctx context.Context, host string) (int, error) {
	var count int64
	err := db.with(ctx).Model(&Run{}).Where("status = ? AND kind = ? AND cluster_id IN (SELECT cluster_id FROM nodes WHERE host = ?)",
		RunRunning, RunSnapshot, host).Count(&count).Error
	if err != nil {
		return 0, fmt.Errorf("count snapshots on host %s: %w", host, err)
	}
	return int(count), nil
}

// Progress is how far a run has come.
type Progress struct {
	Stage                 string
	BytesDone, BytesTotal int64
	KeysDone, KeysTotal   int64
}

// ReportProgress writes down how far a run has come.
func (db *DB) ReportProgress(ctx context.Context, run Run, p Progress) error {
	err := db.with(ctx).Model(&Run{}).Where("id = ? AND owner = ?", run.ID, run.Owner).Updates(map[string]any{
		"stage": p.Stage, "bytes_done": p.BytesDone, "bytes_total": p.BytesTotal,
		"keys_done": p.KeysDone, "keys_total": p.KeysTotal,
	}).Error
	if err != nil {
		return fmt.Errorf("report progress of run %d: %w", run.ID, err)
	}
	return nil
}

// CancelRequested tells whether somebody asked for a run to be cancelled.
func (db *DB) CancelRequested(ctx context.Context, id uint) (bool, error) {
	run, err := db.Run(ctx, id)
	return run.CancelRequested, err
}

// ErrRunEnded tells that a run has ended or is another console's: what it worked on may belong to another run by now, and nothing was
// changed.
var ErrRunEnded = errors.New("the run has ended already, or another console goes on with it")

// endRun records how a run ended; call it in the transaction that settles the state of what it worked on, which is undone when
// the run has ended before or is not its owner's any more.
func (db *DB) endRun(ctx context.Context, run Run, status RunStatus, reason string) error {
	if err := checkMoves(runMoves, status, run.Status); err != nil {
		return fmt.Errorf("end run %d: %w", run.ID, err)
	}
	ended := db.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, run.Status, run.Owner).
		Updates(map[string]any{"status": status, "error": reason, "ended_at": db.Now()})
	if ended.Error != nil {
		return fmt.Errorf("end run %d: %w", run.ID, ended.Error)
	} else if ended.RowsAffected == 0 {
		return fmt.Errorf("end run %d: %w", run.ID, ErrRunEnded)
	}
	return nil
}

// Run returns a run by its number.
func (db *DB) Run(ctx context.Context, id uint) (Run, error) {
	run, found, err := find[Run](db.with(ctx).Where("id = ?", id))
	switch {
	case err != nil:
		return run, fmt.Errorf("find run %d: %w", id, err)
	case !found:
		return run, refuse(CodeRunNotFound, "", fmt.Sprintf("There is no run %d.", id))
	}
	return run, nil
}

// ActiveRuns returns the runs that are queued or running, oldest first.
func (db *DB) ActiveRuns(ctx context.Context) ([]Run, error) {
	var runs []Run
	err := db.with(ctx).Where("status IN ?", []RunStatus{RunQueued, RunRunning}).Order("id").Find(&runs).Error
	return runs, err
}

// Requeue puts a run that was cut off back into the queue: for work that is safe to begin again.
func (db *DB) Requeue(ctx context.Context, run Run) error {
	requeued := db.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, RunRunning, run.Owner).
		Updates(map[string]any{"status": RunQueued, "owner": "", "given_up": "", "error": ""})
	if requeued.Error != nil {
		return fmt.Errorf("requeue run %d: %w", run.ID, requeued.Error)
	} else if requeued.RowsAffected == 0 {
		return fmt.Errorf("requeue run %d: %w", run.ID, ErrRunEnded)
	}
	return nil
}

// Cancellable tells whether a run can still be stopped without leaving something half done.
func (r Run) Cancellable() bool {
	return !r.Status.Ended() && !r.CancelRequested && kindOf(r.Kind).cancellable
}

// CancelRun asks for a run to be stopped. A queued run ends at once; a running one when its worker sees the request.
func (db *DB) CancelRun(ctx context.Context, id uint) error {
	return db.transaction(ctx, func(tx *DB) error {
		run, err := tx.Run(ctx, id)
		if err != nil {
			return err
		}
		if !run.Cancellable() {
			return refuse(CodeRunState, "", fmt.Sprintf("Run %d is %s and cannot be cancelled any more.", id, run.Status))
		}
		if err := tx.with(ctx).Model(&Run{}).Where("id = ?", id).Update("cancel_requested", true).Error; err != nil {
			return fmt.Errorf("cancel run %d: %w", id, err)
		}
		if run.Status == RunRunning || run.LeavesRemains() {
			return nil // its worker removes what it has written
		}
		return tx.fail(ctx, run, RunCancelled, "Cancelled before it began.")
	})
}

// moveCluster changes a cluster's state if it is in one of the given ones, and tells whether it did. It is the lock.
func (db *DB) moveCluster(ctx context.Context, id uint, to ClusterStatus, reason string, from ...ClusterStatus) (bool, error) {
	if err := checkMoves(clusterMoves, to, from...); err != nil {
		return false, fmt.Errorf("set cluster %d %s: %w", id, to, err)
	}
	moved := db.with(ctx).Model(&Cluster{}).Where("id = ? AND status IN ?", id, from).
		Updates(map[string]any{"status": to, "status_reason": reason})
	if moved.Error != nil {
		return false, fmt.Errorf("set cluster %d %s: %w", id, to, moved.Error)
	}
	return moved.RowsAffected == 1, nil
}

func (db *DB) moveSnapshot(ctx context.Context, name string, to SnapshotStatus, reason string, from ...SnapshotStatus) (bool, error) {
	if err := checkMoves(snapshotMoves, to, from...); err != nil {
		return false, fmt.Errorf("set snapshot %s %s: %w", name, to, err)
	}
	moved := db.with(ctx).Model(&Snapshot{}).Where("name = ? AND status IN ?", name, from).
		Updates(map[string]any{"status": to, "status_reason": reason})
	if moved.Error != nil {
		return false, fmt.Errorf("set snapshot %s %s: %w", name, to, moved.Error)
	}
	return moved.RowsAffected == 1, nil
}
