package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"rekindle/internal/logical"
	"rekindle/internal/replica"
	"rekindle/jobs/reason"
)

// stream is the RDB of a node.
type stream interface {
	io.ReadCloser
	Origin() replica.Origin
}

// open begins to read from the node. onStall is told when a store that stalls would stall the node; one that is read key by key waits.
func (s Source) open(ctx context.Context, onStall func(error)) (stream, error) {
	if s.ByKey {
		return opened(logical.Open(ctx, s.Replica.Options, logical.Options{}))
	}
	return opened(replica.Open(ctx, s.Replica, replica.Options{OnStall: onStall}))
}

// opened keeps a stream that was not opened from looking as if it was.
func opened[S stream](s S, err error) (stream, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// verb says what is done with the node.
func (s Source) verb() string {
	if s.ByKey {
		return "Reading key by key"
	}
	return "Reading"
}

// brokeOff says why the node failed after it had sent this many bytes, and makes it a [SourceError] if another one may serve in its place.
func (s Source) brokeOff(ctx context.Context, life Life, received int64, err error) error {
	if s.ByKey && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, os.ErrDeadlineExceeded) { // the node answers, and says what is wrong
		for _, another := range []error{logical.ErrReplaced, logical.ErrLoading, logical.ErrStale} {
			if errors.Is(err, another) {
				return SourceError{err}
			}
		}
		return err
	}
	why, another := life.BrokeOff(ctx, received)
	if err = reason.Because(err, "%s", why); another {
		err = SourceError{err}
	}
	return err
}

// missingFrom is a sentence about what a stream that has ended could not have; "": it has everything.
func missingFrom(from stream) string {
	if keys, is := from.(*logical.Stream); is && keys.Missing() != nil {
		return fmt.Sprintf("The functions are not in it, because the node did not give them away (%.200s). The user needs +function|dump.", keys.Missing())
	}
	return ""
}
