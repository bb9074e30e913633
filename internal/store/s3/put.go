package s3

import (
	"context"
	"crypto/md5" // what servers that know no other checksum want
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	"rekindle/internal/store"
)

// markName is the metadata that says which upload an object is from.
const markName = "rekindle-upload"

// Times for what happens when an upload's own context may have ended.
const (
	cleanUpTime = 10 * time.Second
	commitGrace = 5 * time.Second
)

// upload is a Put under way.
type upload struct {
	store  *Store
	key    string
	mark   string
	memory memory

	id    string // of the multipart upload
	parts []types.CompletedPart
	size  int64
	crc   uint64 // of all that was read

	lostCreate bool // a multipart upload may be open whose id we do not know
	committing bool // the object may be there
	answered   bool // the server has said that it is
	proved     bool // it is, and as it should be
	version    string
}

// Put stores an object; see store.Store. From the moment that the whole object has been handed over, ctx has only a few
// seconds' say. Where the HEAD that proves the object finds it wrong, then it is removed again; in a bucket without
// versioning what it replaced is gone, too.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed("put", key, err)
	}
	u, err := s.put(ctx, key, r)
	if err != nil {
		return store.Object{}, s.failed("put", key, err)
	}
	return store.Object{Key: key, Size: u.size, Modified: time.Now()}, nil
}

// put is Put for any name below the prefix.
func (s *Store) put(ctx context.Context, key string, r io.Reader) (*upload, error) {
	u := &upload{store: s, key: key, mark: rand.Text()}
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
	return u, nil
}

func (u *upload) run(ctx context.Context, r io.Reader) error {
	first, err := u.fill(ctx, r, partSize(1))
	defer first.release()
	if err != nil {
		return err
	}
	u.count(first)
	if first.end {
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

// sendAll sends the first part and what r gives behind it: one part is on its way while the next is filled.
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
			fail(fmt.Errorf("the object is larger than S3 can bear (5 TiB): split the cluster into more shards"))
			break
		}
		next, err := u.fill(ctx, r, partSize(number+1))
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
		if u.size > maxObject {
			next.release()
			fail(fmt.Errorf("the object is larger than S3 can bear (5 TiB): split the cluster into more shards"))
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

// count takes a part into the whole object's size and checksum.
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
	return u.store.try(ctx, func(ctx context.Context) error {
		body := p.body()
		defer body.revoke()
		input := &sdk.PutObjectInput{Bucket: u.store.bucket(), Key: u.store.name(u.key), Body: body, ContentLength: aws.Int64(p.size),
			Metadata: u.metadata(), StorageClass: types.StorageClass(c.StorageClass), ServerSideEncryption: c.sse(), SSEKMSKeyId: c.kmsKey()}
		if c.Checksums == CRC64NVME {
			input.ChecksumCRC64NVME = p.crcText()
		} else {
			input.ContentMD5 = p.md5Text()
		}
		answer, err := u.store.client.PutObject(ctx, input)
		if err == nil {
			u.answered, u.version = true, aws.ToString(answer.VersionId)
			return nil
		}
		if statusOf(err) == 0 || statusOf(err) >= 500 { // it may be there all the same
			if there, _, _ := u.look(ctx); there {
				return nil
			}
		}
		return err
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
	done := types.CompletedPart{PartNumber: aws.Int32(int32(number))}
	err := s.try(ctx, func(ctx context.Context) error {
		body := p.body()
		defer body.revoke()
		input := &sdk.UploadPartInput{Bucket: s.bucket(), Key: s.name(u.key), UploadId: aws.String(u.id), PartNumber: done.PartNumber,
			Body: body, ContentLength: aws.Int64(p.size)}
		if s.config.Checksums == CRC64NVME {
			input.ChecksumCRC64NVME = p.crcText()
			done.ChecksumCRC64NVME = input.ChecksumCRC64NVME
		} else {
			input.ContentMD5 = p.md5Text()
		}
		answer, err := s.client.UploadPart(ctx, input)
		if err != nil {
			return err
		}
		if got := aws.ToString(answer.ChecksumCRC64NVME); got != "" && done.ChecksumCRC64NVME != nil && got != *done.ChecksumCRC64NVME {
			return fmt.Errorf("%w: it has checksum %s for part %d in place of %s", store.ErrUnavailable, got, number, *done.ChecksumCRC64NVME)
		}
		if done.ETag = answer.ETag; aws.ToString(done.ETag) == "" {
			return fmt.Errorf("%w: it took part %d without an ETag", store.ErrUnavailable, number)
		}
		return nil
	})
	if err == nil {
		u.parts = append(u.parts, done)
	}
	return err
}

// complete makes an object of the parts. An answer that got lost, or that says nothing of use, is found out by looking.
func (u *upload) complete(ctx context.Context) error {
	s := u.store
	input := &sdk.CompleteMultipartUploadInput{Bucket: s.bucket(), Key: s.name(u.key), UploadId: aws.String(u.id),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}}
	if s.config.Checksums == CRC64NVME {
		input.ChecksumCRC64NVME, input.ChecksumType = aws.String(crcText(u.crc)), types.ChecksumTypeFullObject
		input.MpuObjectSize = aws.Int64(u.size)
	}
	return s.try(ctx, func(ctx context.Context) error {
		answer, err := s.client.CompleteMultipartUpload(ctx, input)
		if err == nil && aws.ToString(answer.ETag) != "" {
			u.answered, u.version = true, aws.ToString(answer.VersionId)
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%w: it answered the end of the upload with nothing", store.ErrUnavailable)
		}
		if there, _, _ := u.look(ctx); there {
			return nil
		}
		return err
	})
}

// commit runs the request that makes the object visible, and proves it. ctx has no say in it but for some seconds, as
// nobody could tell what became of a request that was broken off.
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

// look says whether the object under the key is the one of this upload.
func (u *upload) look(ctx context.Context) (bool, *sdk.HeadObjectOutput, error) {
	input := &sdk.HeadObjectInput{Bucket: u.store.bucket(), Key: u.store.name(u.key)}
	head, err := u.store.client.HeadObject(ctx, input)
	if err != nil {
		return false, nil, err
	}
	return head.Metadata[markName] == u.mark, head, nil
}

// prove asks for what is stored now and compares it with what should be.
func (u *upload) prove(ctx context.Context) error {
	version := u.version
	if version == "null" {
		version = ""
	}
	head, err := u.store.head(ctx, u.key, version)
	if errors.Is(err, store.ErrNotExist) {
		return fmt.Errorf("%w: the object is not there after it was stored", store.ErrUnsafe)
	}
	if err != nil {
		return err
	}
	if mark := head.Metadata[markName]; mark != u.mark && mark != "" {
		if u.answered { // whole, and then replaced by somebody else's, as whole
			return nil
		}
		return fmt.Errorf("%w (another object has taken the place of this one, which was not confirmed)", store.ErrUnavailable)
	}
	if v := aws.ToString(head.VersionId); v != "" && u.version == "" {
		u.version = v
	}
	return u.store.config.compare(head, u.size, crcText(u.crc))
}

// compare says what is wrong with a stored object. Such errors wrap store.ErrUnsafe and say what to do.
func (c Config) compare(head *sdk.HeadObjectOutput, size int64, crc string) error {
	var wrong []string
	if got := aws.ToInt64(head.ContentLength); got != size {
		wrong = append(wrong, fmt.Sprintf("it has %d bytes in place of %d; look into the server's log", got, size))
	}
	if got := aws.ToString(head.ChecksumCRC64NVME); c.Checksums == CRC64NVME && got != "" && got != crc && head.ChecksumType != types.ChecksumTypeComposite {
		wrong = append(wrong, fmt.Sprintf("its checksum is %s in place of %s; look into the server's log", got, crc))
	}
	if got := head.ServerSideEncryption; c.SSE != "" && got != c.sse() {
		if got == "" {
			got = "none"
		}
		wrong = append(wrong, fmt.Sprintf("its encryption is %s in place of %s; set the encryption up on the server, or take sse= out of --store", got, c.SSE))
	} else if got := aws.ToString(head.SSEKMSKeyId); c.KMSKeyID != "" && !sameKey(got, c.KMSKeyID) {
		wrong = append(wrong, fmt.Sprintf("it is encrypted with key %q in place of %q; correct kms_key_id in --store", got, c.KMSKeyID))
	}
	if got := head.StorageClass; c.StorageClass != "" && got != types.StorageClass(c.StorageClass) && !(got == "" && c.StorageClass == "STANDARD") {
		if got == "" {
			got = types.StorageClassStandard
		}
		wrong = append(wrong, fmt.Sprintf("its storage class is %s in place of %s; the server may not know that one: take storage_class= out of --store", got, c.StorageClass))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", store.ErrUnsafe, strings.Join(wrong, "; "))
}

// sameKey compares KMS keys: S3 answers with an ARN. What an alias stands for cannot be known here.
func sameKey(got, want string) bool {
	if got == "" {
		return false
	}
	return got == want || strings.HasSuffix(got, "/"+want) || strings.HasPrefix(want, "alias/") || strings.Contains(want, ":alias/")
}

// cleanUp leaves nothing of an upload that did not come to a good end, as far as the store lets it within some seconds;
// what it does not let, Sweep finds. The upload's own context may have ended.
func (u *upload) cleanUp(parent context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), min(cleanUpTime, 2*u.store.config.Patience))
	defer cancel()
	s := u.store
	if u.id != "" && !u.answered {
		_ = s.abort(ctx, u.key, u.id)
	}
	if u.lostCreate && s.creating.TryLock() {
		_ = s.uploads(ctx, u.key, func(key, id string, _ time.Time) error {
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
		err := s.tryFor(ctx, min(cleanUpTime, s.config.Patience/3), func(ctx context.Context) error {
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

// part is some of an object, in chunks.
type part struct {
	memory *memory
	chunks []*[chunkSize]byte
	size   int64
	end    bool // the object ends with it
}

// fill reads a part of size bytes, or less at the end of r. Release what it returns also after an error.
func (u *upload) fill(ctx context.Context, r io.Reader, size int64) (*part, error) {
	p := &part{memory: &u.memory}
	empty := 0
	for p.size < size {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		at := int(p.size % chunkSize)
		if at == 0 && int64(len(p.chunks))*chunkSize == p.size {
			chunk, err := u.memory.get()
			if err != nil {
				return p, err
			}
			p.chunks = append(p.chunks, chunk)
		}
		n, err := r.Read(p.chunks[len(p.chunks)-1][at:])
		p.size += int64(n)
		if err == io.EOF {
			p.end = true
			return p, ctx.Err()
		}
		if err != nil {
			return p, err
		}
		if empty++; n > 0 {
			empty = 0
		} else if empty > 100 {
			return p, io.ErrNoProgress
		}
	}
	return p, nil
}

// release gives the memory back. No body may be in use any more.
func (p *part) release() {
	p.memory.put(p.chunks)
	p.chunks = nil
}

// data yields the bytes.
func (p *part) data(yield func([]byte) bool) {
	left := p.size
	for _, chunk := range p.chunks {
		n := min(left, chunkSize)
		if !yield(chunk[:n]) {
			return
		}
		left -= n
	}
}

func (p *part) crcText() *string {
	var crc uint64
	for data := range p.data {
		crc = crc64nvme.Update(crc, data)
	}
	return aws.String(crcText(crc))
}

func (p *part) md5Text() *string {
	sum := md5.New()
	for data := range p.data {
		sum.Write(data)
	}
	return aws.String(base64.StdEncoding.EncodeToString(sum.Sum(nil)))
}

func crcText(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

// body reads a part for one request. The HTTP transport may still read it when the request is over, so it is revoked
// before the memory is used for something else.
type body struct {
	mu   sync.Mutex
	part *part // nil: revoked
	at   int64
}

var errRevoked = errors.New("the request is over")

func (p *part) body() *body { return &body{part: p} }

func (b *body) revoke() {
	b.mu.Lock()
	b.part = nil
	b.mu.Unlock()
}

func (b *body) Read(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.part == nil {
		return 0, errRevoked
	}
	if b.at >= b.part.size {
		return 0, io.EOF
	}
	chunk, from := b.part.chunks[b.at/chunkSize], b.at%chunkSize
	n := copy(data, chunk[from:min(chunkSize, from+b.part.size-b.at)])
	b.at += int64(n)
	return n, nil
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.part == nil {
		return 0, errRevoked
	}
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.part.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	b.at = offset
	return offset, nil
}
