package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store"
)

// Open reads an object as a stream. A broken connection is opened again and reading goes on where it broke, in the same object (by its ETag and
// version) or not at all. See store.Store.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := ready(ctx, key); err != nil {
		return nil, s.failed("open", key, err)
	}
	r := &reader{store: s, ctx: ctx, key: key, size: -1}
	if err := r.open(); err != nil {
		return nil, s.failed("open", key, err)
	}
	return r, nil
}

type reader struct {
	store         *Store
	ctx           context.Context
	key           string
	etag, version *string
	at, size      int64
	expect        expected
	body          io.ReadCloser // nil: to be opened at this place
	broken        int           // times since the last byte
	progress      *progress     // since the last byte
	err           error
}

// errChanged ends a reader whose object was replaced, so that it cannot go on.
var errChanged = errors.New("the object was replaced while it was read: try again")

// open asks for what is still to be read.
func (r *reader) open() error {
	input := &sdk.GetObjectInput{Bucket: r.store.bucket(), Key: r.store.name(r.key), VersionId: r.version, IfMatch: r.etag}
	if r.at > 0 {
		input.Range = aws.String(fmt.Sprintf("bytes=%d-", r.at))
	}
	if r.progress == nil {
		r.progress = newProgress(r.store.config.Patience)
	}
	var answer *sdk.GetObjectOutput
	err := r.store.tryFor(r.ctx, r.progress.left(), func(ctx context.Context) (err error) {
		answer, err = r.store.client.GetObject(ctx, input, r.store.withChecksum)
		return err
	})
	if statusOf(err) == http.StatusPreconditionFailed {
		return fmt.Errorf("%w (%w)", errChanged, short(err))
	}
	if err != nil {
		return err
	}
	if r.size < 0 {
		r.size, r.etag = aws.ToInt64(answer.ContentLength), answer.ETag
		r.expect = r.store.config.expect(answer)
		if v := aws.ToString(answer.VersionId); v != "" && v != "null" {
			r.version = answer.VersionId
		}
	} else if r.at > 0 && !strings.HasPrefix(aws.ToString(answer.ContentRange), fmt.Sprintf("bytes %d-", r.at)) {
		_ = answer.Body.Close()
		return fmt.Errorf("%w: it does not read on from byte %d (it answers %q)", store.ErrUnavailable, r.at, aws.ToString(answer.ContentRange))
	}
	r.body = answer.Body
	return nil
}

func (r *reader) Read(data []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(data) == 0 {
		return 0, nil
	}
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, r.end(err)
		}
		if r.at == r.size {
			if err := r.expect.differs(); err != nil {
				return 0, r.end(r.store.failed("read", r.key, err))
			}
			return 0, r.end(io.EOF)
		}
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, r.end(r.store.failed("read", r.key, err))
			}
		}
		n, err := r.body.Read(data[:min(int64(len(data)), r.size-r.at)])
		r.at += int64(n)
		r.expect.add(data[:n])
		if err != nil { // even io.EOF: there is more to come, or the next call ends it
			_ = r.body.Close()
			r.body = nil
		}
		if n > 0 {
			r.broken, r.progress = 0, nil
			if r.at < r.size {
				return n, nil
			}
			if err := r.expect.differs(); err != nil { // with the last bytes: not everybody reads to the end
				return n, r.end(r.store.failed("read", r.key, err))
			}
			return n, nil
		}
		if err == nil {
			continue
		}
		if r.broken++; r.broken >= maxTries || r.progress != nil && r.progress.left() <= 0 {
			if r.ctx.Err() == nil {
				err = unavailable(err)
			}
			return 0, r.end(r.store.failed("read", r.key, err))
		}
	}
}

func (r *reader) end(err error) error {
	if ctxErr := r.ctx.Err(); ctxErr != nil {
		err = ctxErr
	}
	r.err = err
	return err
}

func (r *reader) Close() error {
	if r.err == nil {
		r.err = errors.New("read of a closed object")
	}
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}

// List yields the objects below a prefix; see store.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter yields those behind a key; see store.Starter.
func (s *Store) ListAfter(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for object, err := range s.listRaw(ctx, prefix, after) {
			if err != nil {
				yield(store.Object{}, s.failed("list", prefix, err))
				return
			}
			if store.CheckKey(object.Key) == nil && !yield(object, nil) {
				return
			}
		}
	}
}

// listRaw is ListAfter including what is not ours, page by page.
func (s *Store) listRaw(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		input := &sdk.ListObjectsV2Input{Bucket: s.bucket(), Prefix: s.name(prefix)}
		if after != "" {
			input.StartAfter = s.name(after)
		}
		for {
			var page *sdk.ListObjectsV2Output
			if err := s.try(ctx, func(ctx context.Context) (err error) {
				page, err = s.client.ListObjectsV2(ctx, input)
				return err
			}); err != nil {
				yield(store.Object{}, err)
				return
			}
			for _, found := range page.Contents {
				if err := ctx.Err(); err != nil {
					yield(store.Object{}, err)
					return
				}
				key, ok := strings.CutPrefix(aws.ToString(found.Key), s.prefix)
				if !ok {
					continue
				}
				if !yield(store.Object{Key: key, Size: aws.ToInt64(found.Size), Modified: aws.ToTime(found.LastModified)}, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextContinuationToken) == "" {
				return
			}
			input.ContinuationToken = page.NextContinuationToken
		}
	}
}

// A good Check counts for a while, in which only the bucket is asked for: monitoring asks all the time, and each request costs money. It counts for
// longer where each Check leaves a version because Object Lock prevents its removal.
const (
	checkLasts       = time.Minute
	checkLastsCovers = time.Hour
)

// Check puts a small object with all requested settings (encryption, storage class), reads it back and removes it; see store.Store.
func (s *Store) Check(ctx context.Context) error {
	s.mu.Lock()
	until := s.checkedUntil
	s.mu.Unlock()
	var err error
	if time.Now().Before(until) {
		err = s.Present(ctx)
	} else if err = s.check(ctx); err == nil {
		until = time.Now().Add(checkLasts)
		if s.covers.Load() {
			until = time.Now().Add(checkLastsCovers)
		}
	}
	if err != nil {
		until = time.Time{} // next time it is a full check again
	}
	s.mu.Lock()
	s.checkedUntil = until
	s.mu.Unlock()
	return err
}

func (s *Store) check(ctx context.Context) error {
	text := []byte("rekindle: can this store be written to?\n")
	key, done := s.probe()
	defer done()
	u, err := s.put(ctx, key, bytes.NewReader(text), 0)
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", s.Location(), err)
	}
	got, err := s.readAll(ctx, key)
	if err == nil && !bytes.Equal(got, text) {
		err = fmt.Errorf("%w: what was read is not what was written", store.ErrUnsafe)
	}
	if err != nil {
		u.cleanUp(ctx)
		return fmt.Errorf("%s cannot be read from: %w", s.Location(), err)
	}
	if err := s.undo(ctx, key, u.version); err != nil {
		u.cleanUp(ctx)
		return fmt.Errorf("%s does not let objects be deleted: %w", s.Location(), err)
	}
	return s.learn(ctx)
}

func (s *Store) readAll(ctx context.Context, key string) ([]byte, error) {
	r := &reader{store: s, ctx: ctx, key: key, size: -1}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Present tells whether the bucket is there and answers. It writes nothing.
func (s *Store) Present(ctx context.Context) error {
	err := s.try(ctx, func(ctx context.Context) error {
		_, err := s.client.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: s.bucket()})
		return err
	})
	if err != nil && !errors.Is(err, store.ErrUnavailable) { // an answer to HEAD has no body that says why
		for _, why := range s.listRaw(ctx, probes, "") {
			if code, _ := codeOf(why); code != "" {
				err = why
			}
			break
		}
	}
	if errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket) {
		err = fmt.Errorf("%w (%w)", store.ErrNoBucket, err)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", s.Location(), err)
	}
	return nil
}
