package s3

import (
	"context"
	"crypto/md5" // what servers that know no other checksum want
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rekindle/internal/store"
)

// sums is what an object must be, as the server must report it.
type sums struct {
	size int64
	crc  string // CRC64NVME over all of it
	etag string // with Compatible: its MD5 in hex, or the MD5 of its parts' MD5s, a hyphen and their number
}

func (u *upload) sums() sums {
	want := sums{size: u.size, crc: crcText(u.crc)}
	switch {
	case u.store.config.Checksums != Compatible:
	case u.id == "":
		want.etag = hex.EncodeToString(u.md5s)
	default:
		all := md5.Sum(u.md5s)
		want.etag = fmt.Sprintf("%x-%d", all, len(u.md5s)/md5.Size)
	}
	return want
}

// look says whether the object under the key is the one of this upload.
func (u *upload) look(ctx context.Context) (bool, *sdk.HeadObjectOutput, error) {
	input := &sdk.HeadObjectInput{Bucket: u.store.bucket(), Key: u.store.name(u.key)}
	if u.store.config.Checksums == CRC64NVME {
		input.ChecksumMode = types.ChecksumModeEnabled
	}
	head, err := u.store.client.HeadObject(ctx, input)
	if err != nil {
		return false, nil, err
	}
	return head.Metadata[markName] == u.mark, head, nil
}

// hear takes note of what the server said when it accepted the whole object. A wrong checksum is believed at once. A missing one is left to the HEAD,
// unless there is nothing left for it to look at.
func (u *upload) hear(crc, etag *string, encryption types.ServerSideEncryption) error {
	got, want := aws.ToString(crc), u.sums()
	if u.store.config.Checksums == Compatible {
		u.vouched = true
		if otherMD5(aws.ToString(etag), want.etag, encryption) {
			return fmt.Errorf("%w: %s", store.ErrUnsafe, wrongETag(aws.ToString(etag), want.etag))
		}
		return nil
	}
	if u.vouched = got != ""; u.vouched && got != want.crc {
		return fmt.Errorf("%w: %s", store.ErrUnsafe, wrongCRC(got, want.crc))
	}
	return nil
}

// prove asks what is stored now and compares it with what should be. It asks again before it finds the object wrong: an answer can be changed on its
// way, and a good object would be removed for it.
func (u *upload) prove(ctx context.Context) error {
	err := u.proveOnce(ctx)
	if errors.Is(err, store.ErrUnsafe) {
		err = u.proveOnce(ctx)
	}
	return err
}

func (u *upload) proveOnce(ctx context.Context) error {
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
		if u.how&asNew != 0 { // without conditional writes: somebody else wrote between our look and our write
			return store.ErrExist
		}
		if u.answered && u.vouched { // whole, and then replaced by somebody else's, which is whole too
			return nil
		}
		return fmt.Errorf("%w (another object has taken the place of this one, which was not confirmed)", store.ErrUnavailable)
	}
	if v := aws.ToString(head.VersionId); v != "" && u.version == "" {
		u.version = v
	}
	return u.store.config.compare(head, u.sums())
}

// compare says what is wrong with a stored object. Such errors wrap store.ErrUnsafe and say what to do.
func (c Config) compare(head *sdk.HeadObjectOutput, want sums) error {
	var wrong []string
	if got := aws.ToInt64(head.ContentLength); got != want.size {
		wrong = append(wrong, fmt.Sprintf("it has %d bytes instead of %d; look into the server's log", got, want.size))
	}
	if text := c.unproved(head, want); text != "" {
		wrong = append(wrong, text)
	}
	if got := head.ServerSideEncryption; c.SSE != "" && got != c.sse() {
		if got == "" {
			got = "none"
		}
		wrong = append(wrong, fmt.Sprintf("its encryption is %s instead of %s; set the encryption up on the server, or take sse= out of --store", got, c.SSE))
	} else if got := aws.ToString(head.SSEKMSKeyId); c.KMSKeyID != "" && !sameKey(got, c.KMSKeyID) {
		wrong = append(wrong, fmt.Sprintf("it is encrypted with key %q instead of %q; correct kms_key_id in --store", got, c.KMSKeyID))
	}
	if got := head.StorageClass; c.StorageClass != "" && got != types.StorageClass(c.StorageClass) && !(got == "" && c.StorageClass == "STANDARD") {
		if got == "" {
			got = types.StorageClassStandard
		}
		wrong = append(wrong, fmt.Sprintf("its storage class is %s instead of %s; the server may not know that one: take storage_class= out of --store", got, c.StorageClass))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", store.ErrUnsafe, strings.Join(wrong, "; "))
}

// unproved says why the checksum that the server keeps does not prove the object; "" if it does. A missing checksum proves nothing. With Compatible,
// an ETag that is not an MD5 (with KMS, and on some servers) is all there is: then each request's own MD5 has to do.
func (c Config) unproved(head *sdk.HeadObjectOutput, want sums) string {
	if c.Checksums == Compatible {
		if got := aws.ToString(head.ETag); otherMD5(got, want.etag, head.ServerSideEncryption) {
			return wrongETag(got, want.etag)
		}
		return ""
	}
	switch got := aws.ToString(head.ChecksumCRC64NVME); {
	case got == "":
		return "it is kept without a CRC64NVME, so nothing proves that it is whole; the server, or a proxy before it, does not know that checksum: put checksums=compatible into --store"
	case head.ChecksumType == types.ChecksumTypeComposite:
		return "its checksum is one of its parts' checksums, not of the whole object; put checksums=compatible into --store"
	case got != want.crc:
		return wrongCRC(got, want.crc)
	}
	return ""
}

func wrongCRC(got, want string) string {
	return fmt.Sprintf("its checksum is %s instead of %s; look into the server's log", got, want)
}

func wrongETag(got, want string) string {
	return fmt.Sprintf("its MD5 (ETag) is %s instead of %q; look into the server's log", got, want)
}

// otherMD5 says whether an ETag is an MD5 of the same kind as the wanted one, but different.
func otherMD5(got, want string, encryption types.ServerSideEncryption) bool {
	switch encryption {
	case types.ServerSideEncryptionAwsKms, types.ServerSideEncryptionAwsKmsDsse:
		return false // an MD5 of what is encrypted, or not an MD5 at all
	}
	got = strings.ToLower(strings.Trim(strings.TrimPrefix(got, "W/"), `"`))
	sum, _, parts := strings.Cut(got, "-")
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != 2*md5.Size || parts != strings.Contains(want, "-") {
		return false
	}
	return got != want
}

// sameKey compares KMS keys: S3 answers with an ARN. What an alias stands for cannot be known here.
func sameKey(got, want string) bool {
	if got == "" {
		return false
	}
	return got == want || strings.HasSuffix(got, "/"+want) || strings.HasPrefix(want, "alias/") || strings.Contains(want, ":alias/")
}
