package models

import (
	"time"

	"rekindle/internal/secret"
)

// ClusterStatus is the state of a cluster, in ElastiCache's words.
type ClusterStatus string

// The states of a cluster. A cluster is created, then available; from there each action leads to a state of its own and back.
// One action at a time works on a cluster: the change of state, made in the transaction that queues the run, is the lock.
const (
	ClusterCreating      ClusterStatus = "creating"
	ClusterAvailable     ClusterStatus = "available"
	ClusterModifying     ClusterStatus = "modifying"
	ClusterMigrating     ClusterStatus = "migrating" // its primary follows an outside server; see [Migration]
	ClusterSnapshotting  ClusterStatus = "snapshotting"
	ClusterRebooting     ClusterStatus = "rebooting cluster nodes"
	ClusterDeleting      ClusterStatus = "deleting"
	ClusterRestoreFailed ClusterStatus = "restore-failed"
	ClusterCreateFailed  ClusterStatus = "create-failed" // as ElastiCache calls it
	ClusterUnreachable   ClusterStatus = "unreachable"
)

// Cluster is what a user names: one or more shards with the same configuration.
type Cluster struct {
	ID       uint
	Name     string `gorm:"uniqueIndex"`
	Kind     string // [KindLaunched] or [KindAttached]
	Declared string // for attached ones, the clusters file that it comes from; "": none
	Home     string // the console with this [Owner.Home] looks after the launched nodes; "": any console does

	Configuration
	Databases    int  // of each node, fixed at creation; 0: the engine's 16
	PortChosen   bool // false: picked automatically, and may change while the cluster is being created
	WindowChosen bool // false: "no preference", Rekindle picked it
	Password     secret.Text
	OldPassword  secret.Text // also accepted while clients change over to the new one; "": none
	CA           string      // PEM: the CA of its launched nodes' certificates, when they encrypt

	PasswordChangedAt *time.Time  // nil: not since the cluster was created
	PasswordPending   bool        // not every node is known to have the passwords yet
	FormerPassword    secret.Text // meanwhile, the password that each node accepted before; "": none was needed
	FormerUser        string      // whose password that was; "": the default user's

	UserGroup    string // its users may sign in, and Password is [OwnUser]'s and never shown; "": only the default user may
	UsersWanted  int    // grows whenever the group or one of its users changes
	UsersApplied int    // the value of UsersWanted that the nodes have

	ScheduleSince     time.Time // when the schedule took effect, then how far missed windows have been looked for
	ParametersWanted  int       // grows whenever the parameters change
	ParametersApplied int       // the value of ParametersWanted that the nodes have

	Migration Migration `gorm:"embedded;embeddedPrefix:migration_"`

	Status       ClusterStatus `gorm:"index"`
	StatusReason string        // a sentence, when the state needs one
	EmptiedAt    *time.Time    // when its data was lost; kept until somebody takes a manual snapshot
	LossCause    string        // how that data was lost; "": the cluster was started empty
	RestoredFrom string        // the snapshot's name
	UnsavedFrom  string        // the same, until a node has saved what it was filled with
	CreatedAt    time.Time
	UpdatedAt    time.Time

	Nodes      []Node
	Attachment *Attachment // how an attached cluster is reached; nil where it was not loaded
	DrillPlan  *DrillPlan  // when its drills are held; nil where it has none, or where that was not loaded

	JournalPlan *JournalPlan // how its journal is kept; nil where it never had one, or where that was not loaded
}

// Lost reports whether the cluster was brought back from the store without its nodes. Its snapshots are all that is left of it, so neither
// retention nor its deletion removes any of them.
func (c Cluster) Lost() bool { return len(c.Nodes) == 0 && !c.Attached() }
