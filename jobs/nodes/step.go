package nodes

import (
	"context"

	"rekindle/models"
)

// A step is something that a plan wants done. It is a value that does not say how. If a step of a node fails, the node's later steps are skipped.
type step interface {
	about() string // the name of the node, "" for the cluster
	carryOut(ctx context.Context, r *round) error
}

// on is the node that a step is about.
type on string

func (o on) about() string { return string(o) }

type (
	// appoint makes a node the primary in the catalog before it really is one: whoever continues from here sees what was decided.
	appoint struct{ on }
	// startNode starts a node as the catalog has it.
	startNode struct{ on }
	// setAside moves an RDB that a node could not load out of its way.
	setAside struct{ on }
	// endNode kills a node's process.
	endNode struct {
		on
		otherwise string // what to say if that fails
	}
	// promote tells a node to be a primary.
	promote struct{ on }
	// followSource tells a node to be a replica of the server outside that the cluster follows.
	followSource struct{ on }
	// follow tells a node to be a replica of the primary.
	follow struct{ on }
	// configure sets what differs between a primary and a replica, and the memory limit.
	configure struct{ on }
	// setParameters brings the parameter group to all nodes.
	setParameters struct{ on }
	// saveNode makes a node save its data.
	saveNode struct {
		on
		history string
	}
	// refill has the cluster filled again.
	refill struct{ on }

	// noteSaved, noteEmptied and noteReplaced record what became of the data, noteNode how a node was seen.
	noteSaved    struct{ on }
	noteEmptied  struct{ on }
	noteReplaced struct {
		on
		by, history string
	}
	noteNode struct {
		on
		node models.Node
	}
	// noteRecovered says of a node that was started again that it serves.
	noteRecovered struct{ on }
	// noteCopied records that a migrating cluster has had all of its source's data.
	noteCopied struct{ on }
	// noteSlots records which slots a primary has.
	noteSlots struct {
		on
		node  models.Node
		slots string
	}
	// mark records whether the cluster can be reached, with an event if that has changed; reason says why not.
	mark struct {
		on
		reachable bool
		reason    string
	}
	// say writes an event.
	say struct {
		on
		severity models.Severity
		text     string
	}
	// complain records what is wrong with a node, and reports it once.
	complain struct {
		on
		text  string
		cause error
	}
	// await ends the round, because a node may answer soon.
	await struct {
		on
		text string
	}
	// giveUp ends the round.
	giveUp struct {
		on
		err error
	}
)
