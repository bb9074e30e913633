package s3_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store/s3"
)

// openUpload opens a multipart upload that nobody continues, and returns its ID.
func openUpload(t *testing.T, c s3.Config, key string) string {
	t.Helper()
	made, err := shared(t).Client().CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(c.Bucket), Key: aws.String(c.Prefix + "/" + key)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.UploadId)
}

func TestAbandonAbortsTheUploadsOfTheseKeysAndNoOthers(t *testing.T) {
	t.Parallel()
	server := shared(t)
	c := configOf(server)
	s := open(t, c)
	for _, name := range []string{"mine-0001.rdb", "mine-0001.rdb.bak", "other-0001.rdb"} {
		id := openUpload(t, c, name)
		if name == "mine-0001.rdb" {
			continue
		}
		t.Cleanup(func() {
			if _, err := server.Client().AbortMultipartUpload(context.Background(), &sdk.AbortMultipartUploadInput{Bucket: aws.String(c.Bucket),
				Key: aws.String(c.Prefix + "/" + name), UploadId: aws.String(id)}); err != nil {
				t.Errorf("the upload of %s was touched: %v", name, err)
			}
		})
	}
	if err := s.Abandon(t.Context(), "mine-0001.rdb", "never-begun.rdb"); err != nil {
		t.Fatal(err)
	}
	if left := server.OpenUploads(c.Bucket, c.Prefix+"/"); len(left) != 2 {
		t.Errorf("uploads that are open: %q, want the two of others", left)
	}
}
