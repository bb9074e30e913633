package nodes

import (
	"context"

	"rekindle/models"
)

// A step is what a plan wants done: a value, which says nothing of how. When one of a node fails, the later ones of that node are left out.
type step interface {
	about() string // the name of the node, "" for the cluster
	carryOut(ctx context.Context, r *round) error
}

// on is the node that a step is about.
type on string

func (o on) about() string { return string(o) }

type (
	// appoint makes a node the primary in the catalog, before it is: whoever carries on from here sees what was decided.
	appoint struct{ on }
	// startNode starts a node as the catalog has it.
	startNode struct{ on }
	// setAside puts an RDB out of a node's way that it could not load.
	setAside struct{ on }
	// endNode ends a node's process, without asking it.
	endNode struct {
		on
		otherwise string // what is to be said when that fails
	}
	// promote tells a node to be a primary.
	promote struct{ on }
	// follow tells a node to be a replica of the primary.
	follow struct{ on }
	// configure sets what differs between a primary and a replica, and the memory limit.
	configure struct{ on }
	// setParameters brings the parameter group to all nodes.
	setParameters struct{ on }
	// saveNode has a node save its data.
	saveNode struct {
		on
		history string
	}
	// refill has the cluster filled again.
	refill struct{ on }

	// noteSaved, noteEmptied and noteReplaced write down what became of the data, noteNode how a node was seen.
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
	// noteSlots writes down which slots a primary has.
	noteSlots struct {
		on
		node  models.Node
		slots string
	}
	// mark says whether the cluster can be reached, with an event when that is new.
	mark struct {
		on
		reachable bool
		reason    string
		say       say
	}
	// say writes an event.
	say struct {
		on
		severity models.Severity
		text     string
	}
	// complain keeps what is in the way of a node with it, and says it once.
	complain struct {
		on
		text  string
		cause error
	}
	// await ends the round: a node may answer soon.
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
