package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rekindle/internal/store"
)

// complete makes an object of the parts. By now all data has been sent and the source has been released, so it has its own, long time limit: AWS
// documents that it may take minutes, and a proxy may end the request meanwhile although it is carried out. So it asks again and again whether the
// object is there, during the request and after it.
func (u *upload) complete(parent context.Context) error {
	c := u.store.config
	ctx, cancel := context.WithTimeout(parent, c.Finish)
	defer cancel()
	input := &sdk.CompleteMultipartUploadInput{Bucket: u.store.bucket(), Key: u.store.name(u.key), UploadId: aws.String(u.id),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}}
	if c.Checksums == CRC64NVME {
		input.ChecksumCRC64NVME, input.ChecksumType = aws.String(crcText(u.crc)), types.ChecksumTypeFullObject
		input.MpuObjectSize = aws.Int64(u.size)
	}
	for tries := 1; ; tries++ {
		input.IfNoneMatch = u.ifNone()
		err := u.completeOnce(ctx, input)
		if err != nil && ctx.Err() == nil {
			err = u.inTheWay(ctx, err)
		}
		if err == nil || errors.Is(err, store.ErrUnsafe) || errors.Is(err, store.ErrExist) {
			return err
		}
		if err := parent.Err(); err != nil {
			return err
		}
		code, _ := codeOf(err)
		status := statusOf(err)
		u.unsure = u.unsure || ctx.Err() != nil || status == 0 || status >= http.StatusInternalServerError
		switch refused := status >= 400 && status < 500 && status != http.StatusTooManyRequests; {
		case ctx.Err() != nil:
		case u.unsure && code == "NoSuchUpload": // the upload is gone because it has become the object, or is about to
		case !passing(err):
			return explain(err)
		case refused && tries >= maxTries:
			return unavailable(err)
		}
		wait := min(firstWait<<min(tries-1, 10), maxWait, c.Patience/8)
		select {
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		case <-parent.Done():
			return parent.Err()
		case <-ctx.Done():
			return fmt.Errorf("%w: all parts have arrived, but in %s it has not made an object of them (%w)", store.ErrUnavailable, c.Finish, short(err))
		}
	}
}

// completeOnce asks for the object once, and looks for it as long as no answer comes.
func (u *upload) completeOnce(parent context.Context, input *sdk.CompleteMultipartUploadInput) error {
	c := u.store.config
	ctx, cancel := context.WithCancel(context.WithValue(parent, progressKey{}, newProgress(c.Finish)))
	defer cancel()
	type outcome struct {
		answer *sdk.CompleteMultipartUploadOutput
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := u.store.client.CompleteMultipartUpload(ctx, input)
		done <- outcome{answer, err}
	}()
	look := time.NewTicker(c.lookEvery())
	defer look.Stop()
	for {
		select {
		case got := <-done:
			if got.err == nil && aws.ToString(got.answer.ETag) != "" {
				u.answered, u.version = true, aws.ToString(got.answer.VersionId)
				return u.hear(got.answer.ChecksumCRC64NVME, got.answer.ETag, got.answer.ServerSideEncryption)
			}
			if got.err == nil {
				got.err = fmt.Errorf("%w: it answered the end of the upload with nothing", store.ErrUnavailable)
			}
			if u.arrived(parent) {
				return nil
			}
			return got.err
		case <-look.C:
			if u.arrived(parent) {
				cancel()
				<-done
				return nil
			}
		}
	}
}

// lookEvery is how long to wait before looking for an object whose Complete has not been answered: most answers come sooner.
func (c Config) lookEvery() time.Duration { return c.Patience * 3 / 7 }

// arrived says whether the object of this upload is there, in its full length.
func (u *upload) arrived(ctx context.Context) bool {
	ctx = context.WithValue(ctx, progressKey{}, newProgress(u.store.config.Patience))
	there, head, err := u.look(ctx)
	return err == nil && there && aws.ToInt64(head.ContentLength) == u.size
}
