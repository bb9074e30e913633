package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	"rekindle/internal/store"
)

// markName is the metadata that says which upload an object came from.
const markName = "rekindle-upload"

// commitGrace is how long the request that makes an object visible may go on after its upload's context has ended.
const commitGrace = 5 * time.Second

// upload is a Put or Create under way.
type upload struct {
	store  *Store
	key    string
	mark   string
	how    how
	memory memory

	id    string // of the multipart upload
	parts []types.CompletedPart
	size  int64
	crc   uint64 // of all that was read
	md5s  []byte // with Compatible: the MD5s of what was sent, one after the other

	conditional bool // the server is asked to replace nothing
	unsure      bool // the server may have received a request whose answer did not come
	lostCreate  bool // a multipart upload may be open whose ID we do not know
	committing  bool // the object may be there
	answered    bool // the server has said that it is there
	vouched     bool // and that it has the right checksum
	proved      bool // it is there, and as it should be
	version     string
}

// how an object is put.
type how int

const (
	asNew   how = 1 << iota // it replaces nothing: a Create
	inParts                 // by a multipart upload, however short it is
)

// Put stores an object; see store.Store. Once the whole object has been handed over, the end of ctx only counts after a few seconds. If the HEAD that
// proves the object finds it wrong, it is removed again; in a bucket without versioning, what it replaced is then gone too.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed("put", key, err)
	}
	u, err := s.put(ctx, key, r, 0)
	if err != nil {
		return store.Object{}, s.failed("put", key, err)
	}
	return store.Object{Key: key, Size: u.size, Modified: time.Now()}, nil
}

// put is Put or Create, for any name below the prefix.
func (s *Store) put(ctx context.Context, key string, r io.Reader, how how) (*upload, error) {
	u := &upload{store: s, key: key, mark: rand.Text(), how: how}
	u.conditional = how&asNew != 0 && s.exclusive.Load() != notExclusive
	defer u.memory.close()
	defer u.forget()
	err := u.run(ctx, r)
	if err != nil {
		u.cleanUp(ctx)
		return nil, err
	}
	if u.lostCreate {
		u.cleanUp(ctx)
	}
	if how&asNew != 0 && !u.conditional {
		s.exclusive.Store(notExclusive)
	}
	return u, nil
}

func (u *upload) run(ctx context.Context, r io.Reader) error {
	first, err := u.fill(ctx, r, u.store.config.partSize(1))
	defer first.release()
	if err != nil {
		return err
	}
	u.count(first)
	if first.end && u.how&inParts == 0 {
		return u.commit(ctx, func(ctx context.Context) error { return u.putWhole(ctx, first) })
	}
	if err := u.create(ctx); err != nil {
		return err
	}
	if err := u.sendAll(ctx, first, r); err != nil {
		return err
	}
	return u.commit(ctx, u.complete)
}

// sendAll sends the first part and what r returns after it: one part is on its way while the next is filled.
func (u *upload) sendAll(parent context.Context, first *part, r io.Reader) error {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	var sending sync.WaitGroup
	defer sending.Wait()
	for current, number := first, 1; ; number++ {
		part := current
		sending.Go(func() {
			defer part.release()
			if err := u.send(ctx, number, part); err != nil {
				fail(err)
			}
		})
		if part.end {
			break
		}
		if number == maxParts {
			fail(u.store.config.tooLarge())
			break
		}
		next, err := u.fill(ctx, r, u.store.config.partSize(number+1))
		if err != nil {
			fail(err)
		}
		sending.Wait()
		if ctx.Err() != nil {
			next.release()
			break
		}
		u.count(next)
		if next.size == 0 {
			next.release()
			break
		}
		if u.size > u.store.config.largest() {
			next.release()
			fail(u.store.config.tooLarge())
			break
		}
		current = next
	}
	sending.Wait()
	if err := parent.Err(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// count adds a part to the whole object's size and checksum.
func (u *upload) count(p *part) {
	u.size += p.size
	for data := range p.data {
		u.crc = crc64nvme.Update(u.crc, data)
	}
}

// metadata is what an object is marked with.
func (u *upload) metadata() map[string]string { return map[string]string{markName: u.mark} }

func (c Config) sse() types.ServerSideEncryption { return types.ServerSideEncryption(c.SSE) }

func (c Config) kmsKey() *string {
	if c.KMSKeyID == "" {
		return nil
	}
	return aws.String(c.KMSKeyID)
}

// putWhole stores an object of one part in one request.
func (u *upload) putWhole(ctx context.Context, p *part) error {
	c := u.store.config
	check := p.check(c.Checksums)
	u.md5s = check.md5
	return u.store.try(ctx, func(ctx context.Context) error {
		body := p.body()
		defer body.revoke()
		input := &sdk.PutObjectInput{Bucket: u.store.bucket(), Key: u.store.name(u.key), Body: body, ContentLength: aws.Int64(p.size),
			Metadata: u.metadata(), StorageClass: types.StorageClass(c.StorageClass), ServerSideEncryption: c.sse(), SSEKMSKeyId: c.kmsKey(), ChecksumCRC64NVME: check.crcText, ContentMD5: check.md5Text,
			IfNoneMatch: u.ifNone()}
		answer, err := u.store.client.PutObject(ctx, input)
		if err == nil {
			u.answered, u.version = true, aws.ToString(answer.VersionId)
			return u.hear(answer.ChecksumCRC64NVME, answer.ETag, answer.ServerSideEncryption)
		}
		if statusOf(err) == 0 || statusOf(err) >= 500 { // the object may be there all the same
			u.unsure = true
			if there, _, _ := u.look(ctx); there {
				return nil
			}
		}
		return u.inTheWay(ctx, err)
	})
}

// create opens the multipart upload.
func (u *upload) create(ctx context.Context) error {
	s, c := u.store, u.store.config
	s.creating.RLock()
	defer s.creating.RUnlock()
	input := &sdk.CreateMultipartUploadInput{Bucket: s.bucket(), Key: s.name(u.key), Metadata: u.metadata(),
		StorageClass: types.StorageClass(c.StorageClass), ServerSideEncryption: c.sse(), SSEKMSKeyId: c.kmsKey()}
	if c.Checksums == CRC64NVME {
		input.ChecksumAlgorithm, input.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	return s.try(ctx, func(ctx context.Context) error {
		answer, err := s.client.CreateMultipartUpload(ctx, input)
		if err != nil {
			if status := statusOf(err); status == 0 || status >= 500 || status < 300 {
				u.lostCreate = true
			}
			return err
		}
		if u.id = aws.ToString(answer.UploadId); u.id == "" {
			u.lostCreate = true
			return fmt.Errorf("%w: it opened an upload without an id", store.ErrUnavailable)
		}
		s.mu.Lock()
		s.active[u.id] = true
		s.mu.Unlock()
		return nil
	})
}

func (u *upload) forget() {
	u.store.mu.Lock()
	delete(u.store.active, u.id)
	u.store.mu.Unlock()
}

// send stores one part.
func (u *upload) send(ctx context.Context, number int, p *part) error {
	s := u.store
	check := p.check(s.config.Checksums)
	done := types.CompletedPart{PartNumber: aws.Int32(int32(number)), ChecksumCRC64NVME: check.crcText}
	err := s.try(ctx, func(ctx context.Context) error {
		body := p.body()
		defer body.revoke()
		input := &sdk.UploadPartInput{Bucket: s.bucket(), Key: s.name(u.key), UploadId: aws.String(u.id), PartNumber: done.PartNumber,
			Body: body, ContentLength: aws.Int64(p.size), ChecksumCRC64NVME: check.crcText, ContentMD5: check.md5Text}
		answer, err := s.client.UploadPart(ctx, input)
		if err != nil {
			return err
		}
		if got := aws.ToString(answer.ChecksumCRC64NVME); got != "" && done.ChecksumCRC64NVME != nil && got != *done.ChecksumCRC64NVME {
			return fmt.Errorf("%w: it has checksum %s for part %d instead of %s", store.ErrUnavailable, got, number, *done.ChecksumCRC64NVME)
		}
		if done.ETag = answer.ETag; aws.ToString(done.ETag) == "" {
			return fmt.Errorf("%w: it took part %d without an ETag", store.ErrUnavailable, number)
		}
		return nil
	})
	if err == nil {
		u.parts, u.md5s = append(u.parts, done), append(u.md5s, check.md5...)
	}
	return err
}

// commit runs the request that makes the object visible, and proves it. After ctx has ended it goes on for some seconds: nobody could tell what
// became of a request that was broken off.
func (u *upload) commit(parent context.Context, request func(context.Context) error) error {
	if err := parent.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	defer cancel()
	stop := context.AfterFunc(parent, func() {
		timer := time.AfterFunc(commitGrace, cancel)
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	defer stop()
	u.committing = true
	err := request(ctx)
	if err == nil {
		err = u.prove(ctx)
		u.proved = err == nil
	}
	if err != nil && ctx.Err() != nil {
		return parent.Err()
	}
	return err
}

// cleanUp removes what an unsuccessful upload has left, as far as the store allows it within some seconds; Sweep finds the rest. The upload's own
// context may have ended.
func (u *upload) cleanUp(parent context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), u.store.config.cleanUpTime())
	defer cancel()
	s := u.store
	if u.id != "" && !u.answered {
		_ = s.abort(ctx, u.key, u.id)
	}
	if u.lostCreate && s.creating.TryLock() {
		_ = s.uploads(ctx, s.name(u.key), func(key, id string, _ time.Time) error {
			s.mu.Lock()
			busy := s.active[id]
			s.mu.Unlock()
			if key != u.key || busy {
				return nil
			}
			return s.abort(ctx, key, id)
		})
		s.creating.Unlock()
	}
	if !u.committing || u.proved {
		return
	}
	for ctx.Err() == nil {
		err := s.tryFor(ctx, min(s.config.cleanUpTime(), s.config.Patience/3), func(ctx context.Context) error {
			there, head, err := u.look(ctx)
			if err != nil || !there {
				return err
			}
			return s.undo(ctx, u.key, aws.ToString(head.VersionId))
		})
		if !errors.Is(err, store.ErrUnavailable) {
			return
		}
	}
}
