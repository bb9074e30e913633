package s3

import (
	"crypto/md5" // for servers that keep no other checksum
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/minio/crc64nvme"

	"rekindle/internal/store"
)

// withChecksum asks for an object's checksum beside its bytes. It bypasses the SDK, which would compute the checksum by a table, and could not do so
// for a read that was interrupted and resumed.
func (s *Store) withChecksum(o *sdk.Options) {
	if s.config.Checksums == CRC64NVME {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", string(types.ChecksumModeEnabled)))
	}
}

// expected is the checksum that the bytes of an object must have, according to the server when it began to send them. The zero value expects nothing:
// servers keep no checksum of what others stored and, in compatible mode, none of parts that could be computed here.
type expected struct {
	sum  string
	hash hash.Hash
	text func(sum []byte) string
}

func (c Config) expect(answer *sdk.GetObjectOutput) expected {
	if c.Checksums == CRC64NVME {
		sum := aws.ToString(answer.ChecksumCRC64NVME)
		if sum == "" || answer.ChecksumType == types.ChecksumTypeComposite || strings.Contains(sum, "-") {
			return expected{}
		}
		return expected{sum: sum, hash: crc64nvme.New(), text: base64Text}
	}
	// For our own objects, Put has made sure that an ETag which looks like an MD5 is the object's MD5.
	sum := strings.ToLower(strings.Trim(aws.ToString(answer.ETag), `"`))
	switch answer.ServerSideEncryption {
	case types.ServerSideEncryptionAwsKms, types.ServerSideEncryptionAwsKmsDsse:
		return expected{}
	}
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != 2*md5.Size || answer.Metadata[markName] == "" {
		return expected{}
	}
	return expected{sum: sum, hash: md5.New(), text: hex.EncodeToString}
}

func (e expected) add(data []byte) {
	if e.hash != nil {
		e.hash.Write(data)
	}
}

// differs compares what has arrived with what should have.
func (e expected) differs() error {
	if e.hash == nil {
		return nil
	}
	if got := e.text(e.hash.Sum(nil)); got != e.sum {
		return fmt.Errorf("%w (its checksum is %s instead of %s)", store.ErrTransit, got, e.sum)
	}
	return nil
}
