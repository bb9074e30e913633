package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store"
)

// learn finds out once what a server can do, because servers that speak S3 differ most in uploads by parts. It fails if those do not turn out as they
// should: then no snapshot of more than some MiB could be stored.
func (s *Store) learn(ctx context.Context) error {
	if s.learned.Load() {
		return nil
	}
	if err := s.tryParts(ctx); err != nil {
		return fmt.Errorf("%s cannot keep what is sent in parts, as all but small snapshots are: %w", s.Location(), err)
	}
	lax, err := s.tryWrongSums(ctx)
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", s.Location(), err)
	}
	s.lax.Store(lax)
	s.learned.Store(true)
	return nil
}

// describeServer says what was learned.
func (s *Store) describeServer(d *store.Description) {
	switch s.exclusive.Load() {
	case exclusive:
		d.Conditional = "yes"
	case notExclusive:
		d.Conditional = "no"
	}
	if s.lax.Load() {
		d.Warnings = append(d.Warnings, "The server takes data whose checksum is wrong, so it does not notice what is changed on the way to it. What is stored is only proved when it is read back.")
	}
	if s.saidCannotSweep.Load() {
		d.Warnings = append(d.Warnings, "The server cannot list unfinished uploads, so what a killed console leaves of them is not swept. Remove it with the server's own tools, or by a rule of the bucket.")
	}
}

// tryParts stores a short object in parts, reads it back, and finds out whether a second Create of it is refused, as a whole and in parts. It leaves
// nothing behind.
func (s *Store) tryParts(ctx context.Context) (err error) {
	key, done := s.probe()
	defer done()
	text := []byte("rekindle: are parts kept, and who comes first?\n")
	var made []*upload
	defer func() {
		for _, u := range made {
			if undone := s.undo(ctx, key, u.version); err == nil {
				err = undone
			}
		}
		if err == nil {
			s.sweepOldProbes(ctx)
		}
	}()
	for _, how := range []how{asNew | inParts, asNew, asNew | inParts} {
		u, err := s.put(ctx, key, bytes.NewReader(text), how)
		switch {
		case err == nil && len(made) == 0:
			made = append(made, u)
			if got, err := s.readAll(ctx, key); err != nil {
				return err
			} else if !bytes.Equal(got, text) {
				return fmt.Errorf("%w: what was read is not what was written", store.ErrUnsafe)
			}
			if !u.conditional {
				return nil
			}
		case err == nil:
			made = append([]*upload{u}, made...)
			s.exclusive.Store(notExclusive)
			return nil
		case !errors.Is(err, store.ErrExist) || len(made) == 0:
			return err
		}
	}
	s.exclusive.Store(exclusive)
	return nil
}

// tryWrongSums sends bytes with a wrong checksum, as a whole and as a part, and says whether either was accepted.
func (s *Store) tryWrongSums(ctx context.Context) (lax bool, err error) {
	key, done := s.probe()
	defer done()
	u := &upload{store: s, key: key, mark: rand.Text()}
	defer u.memory.close()
	defer u.forget()
	right, err := u.fill(ctx, bytes.NewReader([]byte("rekindle: is it seen that this has another checksum?\n")), chunkSize)
	defer right.release()
	if err != nil {
		return false, err
	}
	wrong := (&part{}).check(s.config.Checksums) // the checksum of nothing
	taken, err := s.takes(ctx, func(ctx context.Context) error {
		body := right.body()
		defer body.revoke()
		_, err := s.client.PutObject(ctx, &sdk.PutObjectInput{Bucket: s.bucket(), Key: s.name(u.key), Body: body, ContentLength: aws.Int64(right.size),
			Metadata: u.metadata(), ChecksumCRC64NVME: wrong.crcText, ContentMD5: wrong.md5Text})
		return err
	})
	if err != nil {
		return false, err
	}
	if taken {
		return true, s.undo(ctx, u.key, "")
	}
	if err := u.create(ctx); err != nil {
		return false, err
	}
	taken, err = s.takes(ctx, func(ctx context.Context) error {
		body := right.body()
		defer body.revoke()
		_, err := s.client.UploadPart(ctx, &sdk.UploadPartInput{Bucket: s.bucket(), Key: s.name(u.key), UploadId: aws.String(u.id), PartNumber: aws.Int32(1),
			Body: body, ContentLength: aws.Int64(right.size), ChecksumCRC64NVME: wrong.crcText, ContentMD5: wrong.md5Text})
		return err
	})
	return taken, errors.Join(err, s.abort(ctx, u.key, u.id))
}

// takes says whether a request succeeds. A refusal is not an error.
func (s *Store) takes(ctx context.Context, request func(context.Context) error) (bool, error) {
	refused := false
	err := s.try(ctx, func(ctx context.Context) error {
		err := request(ctx)
		if status := statusOf(err); status >= 400 && status < 500 && status != http.StatusTooManyRequests {
			refused = true
			return nil
		}
		return err
	})
	return err == nil && !refused, err
}
