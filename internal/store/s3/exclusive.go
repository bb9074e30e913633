package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"rekindle/internal/store"
)

// Create stores an object where there is none, by S3's conditional writes; see store.Store. Before anything is sent it looks whether
// the key is free, as the server's own answer comes only at the end. On a server without conditional writes that look is all there is.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed("create", key, err)
	}
	_, err := s.head(ctx, key, "")
	if err == nil {
		err = store.ErrExist
	}
	if !errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrNoBucket) {
		return store.Object{}, s.failed("create", key, err)
	}
	u, err := s.put(ctx, key, r, asNew)
	if err != nil {
		return store.Object{}, s.failed("create", key, err)
	}
	return store.Object{Key: key, Size: u.size, Modified: time.Now()}, nil
}

// ifNone is the condition that an upload is made under.
func (u *upload) ifNone() *string {
	if !u.conditional {
		return nil
	}
	return aws.String("*")
}

// errUnconditional makes a request be repeated without its condition.
var errUnconditional = fmt.Errorf("%w (it does not know If-None-Match)", store.ErrUnavailable)

// inTheWay says what it means for a Create that the request which should have made the object was refused: store.ErrExist when
// another object is there, nil when it is this upload's own, as a request before was carried out and its answer lost. For anything
// else it is the refusal.
func (u *upload) inTheWay(ctx context.Context, refused error) error {
	if !u.conditional {
		return refused
	}
	code, _ := codeOf(refused)
	status := statusOf(refused)
	switch {
	case status == http.StatusPreconditionFailed, code == "PreconditionFailed", u.unsure && code == "NoSuchUpload":
	case status == http.StatusNotImplemented, code == "NotImplemented", code == "XNotImplemented", code == "InvalidArgument", code == "InvalidRequest":
		u.conditional = false // should it be about something else, the next answer says so
		return errUnconditional
	default:
		return refused
	}
	there, head, err := u.look(context.WithValue(ctx, progressKey{}, newProgress(u.store.config.Patience)))
	switch {
	case there:
		return nil
	case absent(err) && code != "NoSuchUpload":
		return fmt.Errorf("%w (the object in the way is gone: %w)", store.ErrUnavailable, short(refused))
	case absent(err):
		return refused
	case err != nil:
		return err
	case u.unsure && head.Metadata[markName] == "" && u.store.config.compare(head, u.sums()) == nil: // a server that keeps no metadata
		return nil
	}
	return fmt.Errorf("%w (%w)", store.ErrExist, short(refused))
}

// Answers to "do Creates exclude each other here?"
const (
	notKnown int32 = iota
	exclusive
	notExclusive
)

// Exclusive tries two Creates of one key, as a whole and in parts; see store.Store.
func (s *Store) Exclusive(ctx context.Context) bool {
	if s.exclusive.Load() == notKnown {
		_ = s.tryParts(ctx)
	}
	return s.exclusive.Load() == exclusive
}
