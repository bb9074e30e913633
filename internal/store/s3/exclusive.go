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

// Create stores an object where there is none, by S3's conditional writes; see store.Store. Before it sends anything it checks that the key is free,
// because the server's own answer comes only at the end. On a server without conditional writes this check is all there is.
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

// ifNone is the condition of an upload's requests.
func (u *upload) ifNone() *string {
	if !u.conditional {
		return nil
	}
	return aws.String("*")
}

// errUnconditional makes a request be repeated without its condition.
var errUnconditional = fmt.Errorf("%w (it does not know If-None-Match)", store.ErrUnavailable)

// inTheWay says what it means for a Create that the request which should have made the object was refused. It returns store.ErrExist if another
// object is there, and nil if it is this upload's own, because an earlier request was carried out and its answer lost. In any other case it returns
// the refusal.
func (u *upload) inTheWay(ctx context.Context, refused error) error {
	if !u.conditional {
		return refused
	}
	code, _ := codeOf(refused)
	status := statusOf(refused)
	switch {
	case status == http.StatusPreconditionFailed, code == "PreconditionFailed", u.unsure && code == "NoSuchUpload":
	case status == http.StatusNotImplemented, code == "NotImplemented", code == "XNotImplemented", code == "InvalidArgument", code == "InvalidRequest":
		u.conditional = false // if it is about something else, the next answer says so
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
