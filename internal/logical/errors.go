package logical

import (
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/resp"
)

// What a node may answer instead of its keys. Each is a sentence for people; the node's own words follow it.
var (
	// ErrRefused says that the node does not let this user read its keys.
	ErrRefused = errors.New("the node does not let its keys be read: the ACL user needs +scan +dump +pexpiretime +pttl +time +multi +exec +select +info " +
		"(and +readonly in cluster mode) on all keys (~*), and none of these commands may be renamed or disabled")
	// ErrUntied says that the node does not allow transactions. A value is written as it comes, behind its expiry, so asking again whether the expiry was
	// still the same would be too late.
	ErrUntied = errors.New("the node does not allow MULTI and EXEC, without which a value and its expiry may not belong together: " +
		"give the ACL user +multi +exec, or read from the nodes themselves if it is a proxy that does not know them")
	// ErrAuth says that the password (or user) is wrong, missing, or given although the node has none.
	ErrAuth = errors.New("the node did not accept the user and password: check both")
	// ErrLoading says that the node is still reading its data from disk or from its primary.
	ErrLoading = errors.New("the node is loading its data: try again when it has finished")
	// ErrMoved says that a slot has moved to another shard, or is moving.
	ErrMoved = errors.New("a slot has moved to another shard while its keys were read: try again when no slots are moving")
	// ErrStale says that the node is a replica whose own data may be stale.
	ErrStale = errors.New("the node is a replica that has lost its primary: use another node, or wait until its link is up again")
	// ErrDamaged says that a value is not what the node computed its checksum over.
	ErrDamaged = errors.New("a value did not arrive as the node sent it")
	// ErrVersion says that a value is in a newer format than the first ones were, so that the RDB that was begun cannot have it.
	ErrVersion = errors.New("a value is stored in a newer version of RDB than the node writes")
)

// explain puts the sentence that fits before the node's answer.
func explain(err error) error {
	reply, ok := errors.AsType[resp.Error](err)
	if !ok || errors.Is(err, ErrUntied) {
		return err
	}
	meaning := error(nil)
	switch code := reply.Code(); {
	case code == "LOADING":
		meaning = ErrLoading
	case code == "MASTERDOWN":
		meaning = ErrStale
	case code == "MOVED", code == "ASK", code == "TRYAGAIN", code == "CLUSTERDOWN":
		meaning = ErrMoved
	case reply.PasswordRefused():
		meaning = ErrAuth
	case code == "NOPERM", reply.UnknownCommand():
		meaning = ErrRefused
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", meaning, err)
}

// untied explains why MULTI or EXEC was refused. Servers since 7.0 put why EXEC was behind words of their own.
func untied(err error) error {
	reply, ok := errors.AsType[resp.Error](err)
	if !ok {
		return err
	}
	if _, why, wrapped := strings.Cut(string(reply), "EXECABORT Transaction discarded because of: "); wrapped {
		reply = resp.Error(why)
	}
	if reply.Code() == "NOPERM" || reply.UnknownCommand() {
		return fmt.Errorf("%w (%w)", ErrUntied, err)
	}
	return reply
}
