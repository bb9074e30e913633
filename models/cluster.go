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
	Declared string // of attached ones: the clusters file that it comes from; "": none
	Home     string // of launched nodes: the console with this [Owner.Home] looks after them; "": any console does

	Configuration
	Databases    int  // of each node, from its creation on; 0: the engine's 16
	PortChosen   bool // false: automatic, and may change as long as the cluster is being created
	WindowChosen bool // false: "no preference", Rekindle picked it
	Password     secret.Text
	OldPassword  secret.Text // is taken as well, while clients go over to the new one; "": none
	CA           string      // PEM: whose certificates its launched nodes have, when they encrypt

	PasswordChangedAt *time.Time  // nil: it is that of its creation
	PasswordPending   bool        // not every node is known to have the passwords yet
	FormerPassword    secret.Text // while that is so: what each node took before; "": it took anybody

	ScheduleSince     time.Time // when the schedule came into force; missed windows were looked for until here
	ParametersWanted  int       // grows whenever the parameters change
	ParametersApplied int       // what the nodes have of it

	Status       ClusterStatus `gorm:"index"`
	StatusReason string        // a sentence, when the state needs one
	EmptiedAt    *time.Time    // when its data was lost; until somebody takes a snapshot by hand
	LossCause    string        // what became of the data that was lost then; "": it was started empty
	RestoredFrom string        // the snapshot's name
	UnsavedFrom  string        // the same, as long as no node has saved what it was filled with
	CreatedAt    time.Time
	UpdatedAt    time.Time

	Nodes      []Node
	Attachment *Attachment // how an attached one is reached; nil where that is not asked for
}

// Lost tells whether the cluster was brought back from the store without its nodes. Its snapshots are all that is left of it, so neither
// retention nor its deletion takes one of them.
func (c Cluster) Lost() bool { return len(c.Nodes) == 0 && !c.Attached() }
