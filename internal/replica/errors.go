package replica

import (
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/resp"
)

// What a node may answer instead of its data. Each is a sentence for people; the node's own words follow it.
var (
	// ErrNoMasterLink says that the node is a replica whose own data may be stale.
	ErrNoMasterLink = errors.New("the node is a replica that has lost its primary: " +
		"use another node, or wait until its link is up again")
	// ErrLoading says that the node is still reading its data from disk or from its primary.
	ErrLoading = errors.New("the node is still loading its data: try again when it has finished")
	// ErrAuth says that the password (or user) is wrong, missing, or given although the node has none.
	ErrAuth = errors.New("the node did not accept the user and password: check both")
	// ErrRefused says that the node does not let this user synchronise.
	ErrRefused = errors.New("the node does not allow synchronisation: " +
		"the ACL user needs +psync +replconf +info +ping, " +
		"and neither PSYNC nor REPLCONF may be renamed or disabled (rename-command)")
	// ErrNoContinue says that the node cannot send its stream from the place that was asked for.
	ErrNoContinue = errors.New("the node no longer has that place of its history: its backlog (repl-backlog-size) was too small for the time away, " +
		"or its history is another one now")
	// ErrRenamed says that the node only synchronises fully. It comes with ErrNoContinue.
	ErrRenamed = errors.New("PSYNC has another name on the node (rename-command), which makes it a full synchronisation each time: " +
		"a stream can only be followed where it has its own name")
	// ErrStalled says that the reader of the data is too slow for the node: its repl-timeout would have run out.
	ErrStalled = errors.New("the data was taken too slowly, so the node was released: " +
		"make what it goes to faster, or raise repl-timeout on the node")
)

// explain puts the sentence that fits before the node's answer.
func explain(err error) error {
	reply, ok := errors.AsType[resp.Error](err)
	if !ok {
		return err
	}
	text := strings.ToLower(string(reply))
	meaning := error(nil)
	switch code := reply.Code(); {
	case code == "NOMASTERLINK", code == "MASTERDOWN", strings.Contains(text, "not connected with my master"):
		meaning = ErrNoMasterLink
	case code == "LOADING":
		meaning = ErrLoading
	case code == "NOAUTH", code == "WRONGPASS", code == "ERR" && strings.Contains(text, "password"):
		meaning = ErrAuth
	case code == "NOPERM", reply.UnknownCommand():
		meaning = ErrRefused
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", meaning, err)
}
