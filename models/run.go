package models

import (
	"errors"
	"time"
)

// RunKind says what a run does.
type RunKind string

// The kinds of a [Run].
const (
	RunCreate            RunKind = "create"             // start a cluster's nodes
	RunRestore           RunKind = "restore"            // start them and fill them from a snapshot
	RunStraight          RunKind = "straight"           // start them and fill them with what a cluster was at a moment
	RunFill              RunKind = "fill"               // restore a snapshot into an existing cluster
	RunBringBack         RunKind = "bring-back"         // bring keys of a snapshot back into a running cluster, or rehearse that
	RunModify            RunKind = "modify"             // adapt the nodes to the changed cluster
	RunReboot            RunKind = "reboot"             // restart some of its nodes
	RunFailover          RunKind = "failover"           // let a replica take over from a healthy primary
	RunMigrate           RunKind = "migrate"            // have a cluster follow a server outside
	RunCompleteMigration RunKind = "complete-migration" // make it a primary of its own
	RunDelete            RunKind = "delete"             // with a final snapshot if asked for
	RunSnapshot          RunKind = "snapshot"           //
	RunDeleteSnapshot    RunKind = "delete-snapshot"    //
	RunVerify            RunKind = "verify"             // read every byte back
	RunDrill             RunKind = "drill"              // load a snapshot into a node that exists only for this
	RunCompare           RunKind = "compare"            // a snapshot with what the journal makes of the same place
	RunFind              RunKind = "find"               // look for keys in snapshots
	RunCopy              RunKind = "copy"               // under another name, or as an archive to another store
	RunExport            RunKind = "export"             // plain RDB files to somebody's bucket
	RunImport            RunKind = "import"             // RDB files from elsewhere become a manual snapshot
	RunRecover           RunKind = "recover"            // a cluster as it was at a moment becomes a manual snapshot
	RunRebuild           RunKind = "rebuild"            // make the catalog from the manifests
)

// RunStatus is the state of a run.
type RunStatus string

// The states of a run: queued, running, then one of the others.
const (
	RunQueued    RunStatus = "queued"
	RunRunning   RunStatus = "running"
	RunSucceeded RunStatus = "succeeded"
	RunFailed    RunStatus = "failed"
	RunCancelled RunStatus = "cancelled"
	RunDamaged   RunStatus = "damaged" // a verification has done its work, and found damage
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
	Home            string    // of the nodes that it works on: only the console there carries it out; "": any
	Owner           string    // of the console that works on it; "" in a running one: it was cut off
	GivenUp         RunStatus // how it will end, once its remains are removed; "": not decided
	Attempts        int       // how often it was begun; more than once if a console was killed
	CancelRequested bool

	Stage      string // a sentence that says what is happening
	BytesDone  int64
	BytesTotal int64 // 0: unknown; may be an estimate
	KeysDone   int64
	KeysTotal  int64
	Step       int        // which of its steps it is at, each with numbers of its own; 0: it has none
	Steps      int        // how many it has
	StepSince  *time.Time // when the present numbers began; nil: nothing is being measured
	StepFrom   int64      // BytesDone then
	Error      string     // a sentence for people

	CreatedAt time.Time `gorm:"index"`
	StartedAt *time.Time
	EndedAt   *time.Time
}

// Progress is how far a run has come.
type Progress struct {
	Stage                 string
	BytesDone, BytesTotal int64
	KeysDone, KeysTotal   int64
	Step, Steps           int
	StepSince             time.Time // zero: nothing is being measured
	StepFrom              int64
}

// paceAfter is how long a step must have gone on before anything is said about how fast it is.
const paceAfter = 2 * time.Second

// Measured tells whether the run's numbers belong to what it is doing at present.
func (r Run) Measured() bool { return r.Status == RunRunning && r.StepSince != nil }

// Pace is how many bytes a second the present step moves, and how long the rest of it will take. The steps before do not matter for that: another one
// may be many times as fast. Both are 0 as long as nobody knows.
func (r Run) Pace(now time.Time) (rate int64, left time.Duration) {
	if !r.Measured() {
		return 0, 0
	}
	elapsed, moved := now.Sub(*r.StepSince), r.BytesDone-r.StepFrom
	if elapsed < paceAfter || moved <= 0 {
		return 0, 0
	}
	perSecond := float64(moved) / elapsed.Seconds()
	if rest := r.BytesTotal - r.BytesDone; rest > 0 {
		left = time.Duration(float64(rest) / perSecond * float64(time.Second)).Round(time.Second)
	}
	return int64(perSecond), left
}

// ErrRunEnded says that a run has ended or belongs to another console. What it worked on may belong to another run by now, and nothing was
// changed.
var ErrRunEnded = errors.New("the run has ended already, or another console has taken it over")

// Cancellable tells whether a run can still be stopped without leaving something half done.
func (r Run) Cancellable() bool {
	return !r.Status.Ended() && !r.CancelRequested && kindOf(r.Kind).cancellable
}
