package s3_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

// This server accepts the request for encryption and ignores it: exactly the case that must be found out.
func TestEncryptionThatTheServerSilentlyDoesNotApply(t *testing.T) {
	t.Parallel()
	for _, sse := range []string{"AES256", "aws:kms"} {
		c := configOf(shared(t))
		plain := c
		c.SSE = sse
		s := openChecked(t, shared(t), c)
		for _, size := range []int{small, middle} {
			_, err := s.Put(t.Context(), key, bytes.NewReader(random(size)))
			t.Logf("sse=%s: %v", sse, err)
			if err == nil {
				t.Errorf("sse=%s: a Put of %d bytes to a server that does not encrypt went well", sse, size)
			}
			if stored(t, plain, key) != nil {
				t.Error("the object is left")
			}
		}
	}
}

func versions(t *testing.T, server *testkit.S3Server, bucket string) (kept, markers int) {
	t.Helper()
	page, err := server.Client().ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Versions), len(page.DeleteMarkers)
}

func TestVersioningIsRespected(t *testing.T) {
	t.Parallel()
	server := shared(t)
	server.VersionedBucket("versioned", false)
	c := configOf(server)
	c.Bucket = "versioned"
	s := openChecked(t, server, c)
	for _, text := range []string{"one", "two"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if kept, markers := versions(t, server, c.Bucket); kept != 2 || markers != 0 {
		t.Errorf("%d versions, %d markers", kept, markers)
	}
	// A reader goes on in its version, whatever happens to the key.
	big := random(large)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(big)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Stat after Delete = %v", err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of the version, %v", len(got), err)
	}
	if kept, markers := versions(t, server, c.Bucket); kept != 3 || markers != 1 {
		t.Errorf("after Delete %d versions, %d markers", kept, markers)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if kept, markers := versions(t, server, c.Bucket); kept != 3 || markers != 1 {
		t.Errorf("Check left something: %d versions, %d markers", kept, markers)
	}
	if d, err := s.Describe(t.Context()); err != nil || d.Versioning != "on" || d.Free != -1 {
		t.Errorf("Describe = %+v, %v", d, err)
	}
}

// An object that is refused after it was put gives way to the previous one, if there are versions.
func TestRefusedObjectGivesTheOneBeforeBack(t *testing.T) {
	t.Parallel()
	server := shared(t)
	server.VersionedBucket("given-back", false)
	c := configOf(server)
	c.Bucket = "given-back"
	if _, err := open(t, c).Put(t.Context(), key, strings.NewReader("before")); err != nil {
		t.Fatal(err)
	}
	proxy := testkit.Faulty(t, server.Endpoint)
	proxy.Add(testkit.Fault{On: "HeadObject", Do: testkit.EditAnswer, Edit: func(h http.Header) { h.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=") }})
	behind := c
	behind.Endpoint = proxy.Endpoint
	if _, err := openChecked(t, server, behind).Put(t.Context(), key, strings.NewReader("after")); !errors.Is(err, store.ErrUnsafe) {
		t.Errorf("Put = %v", err)
	}
	if got := string(stored(t, c, key)); got != "before" {
		t.Errorf("the object is now %q", got)
	}
}

func TestObjectLockIsRespected(t *testing.T) {
	t.Parallel()
	server := shared(t)
	server.VersionedBucket("locked", true)
	if _, err := server.Client().PutObjectLockConfiguration(t.Context(), &sdk.PutObjectLockConfigurationInput{Bucket: aws.String("locked"),
		ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Days: aws.Int32(1)}}}}); err != nil {
		t.Fatal(err)
	}
	c := configOf(server)
	c.Bucket = "locked"
	s := openChecked(t, server, c)
	for _, size := range []int{small, middle} {
		if _, err := s.Put(t.Context(), key, bytes.NewReader(random(size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	before, _ := versions(t, server, c.Bucket)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check again: %v", err)
	}
	if after, _ := versions(t, server, c.Bucket); after != before {
		t.Errorf("a second Check left %d versions more", after-before)
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if after, markers := versions(t, server, c.Bucket); after != before || markers < 1 {
		t.Errorf("after Delete %d versions of %d, %d markers", after, before, markers)
	}
	d, err := s.Describe(t.Context())
	if err != nil || d.ObjectLock != "on, compliance for 1 days" {
		t.Errorf("Describe = %+v, %v", d, err)
	}
	// The message says that it is the lock that refuses.
	page, err := server.Client().ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String("locked")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Client().DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("locked"), Key: page.Versions[0].Key, VersionId: page.Versions[0].VersionId})
	if explained := s3.Explain(err); !errors.Is(explained, store.ErrLocked) {
		t.Errorf("a refusal by Object Lock is explained as %v", explained)
	}
}

func TestDescribeAPlainBucket(t *testing.T) {
	t.Parallel()
	c := configOf(shared(t))
	c.StorageClass = "STANDARD_IA"
	d, err := open(t, c).Describe(t.Context())
	t.Logf("%+v", d)
	if err != nil || d.Versioning != "off" || d.StorageClass != "STANDARD_IA" || d.Endpoint != c.Endpoint {
		t.Errorf("Describe = %+v, %v", d, err)
	}
	if err := open(t, c).Present(t.Context()); err != nil {
		t.Error(err)
	}
	c.Bucket = "not-there"
	if err := open(t, c).Present(t.Context()); !errors.Is(err, store.ErrNoBucket) {
		t.Errorf("Present = %v", err)
	}
}

// dump is a plain RDB with one string of that many bytes for each size.
func dump(sizes ...int) []byte {
	out := []byte("REDIS0009")
	for i, size := range sizes {
		name := fmt.Sprintf("key:%d", i)
		out = append(append(out, 0, byte(len(name))), name...)
		out = binary.BigEndian.AppendUint32(append(out, 0x80), uint32(size))
		out = append(out, random(size)...)
	}
	return append(out, append([]byte{0xff}, make([]byte, 8)...)...)
}

func TestSnapshotGoesToS3AndBack(t *testing.T) {
	t.Parallel()
	s := openChecked(t, shared(t), configOf(shared(t)))
	a := archive.New(s)
	ref := archive.Ref{Cluster: "orders", Snapshot: "nightly"}
	attempt := archive.NewAttempt(ref)
	for number, plain := range [][]byte{dump(100, 5000), dump(1<<20, 11<<20, 7)} {
		part, err := a.WritePart(t.Context(), attempt, number+1, "", bytes.NewReader(plain), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
			t.Fatal(err)
		}
		r, err := a.OpenPart(t.Context(), ref, part)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("part %d: %d bytes came back of %d, %v", number+1, len(got), len(plain), err)
		}
	}
	if err := a.Remove(t.Context(), attempt, false); err != nil {
		t.Fatal(err)
	}
	for object, err := range s.List(t.Context(), "") {
		t.Errorf("left: %+v, %v", object, err)
	}
}

// A Put that fails in the middle releases its source, and leaves nothing of the snapshot.
func TestSnapshotFailsCleanlyWhenTheStoreStalls(t *testing.T) {
	t.Parallel()
	s, proxy, c := faulty(t, shared(t), short)
	proxy.Add(testkit.Fault{On: "UploadPart", Do: testkit.Stall})
	began := time.Now()
	_, err := archive.New(s).WritePart(t.Context(), archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: "nightly"}), 1, "", bytes.NewReader(dump(30<<20)), nil)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("WritePart = %v", err)
	}
	if took := time.Since(began); took > 20*short {
		t.Errorf("it took %s", took)
	}
	if stored(t, c, key) != nil {
		t.Error("a part is left")
	}
}

// Monitoring asks often. That must not cost a write each time, and must still notice a store that is gone.
func TestCheckLastsForAWhile(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), 4*short)
	wrote := 0
	for range 5 {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wrote == 0 {
			wrote = proxy.Count("PutObject")
		}
	}
	if n := proxy.Count("PutObject"); n != wrote || n == 0 {
		t.Errorf("the first check wrote %d times, five %d times", wrote, n)
	}
	proxy.Add(testkit.Fault{Do: testkit.Refuse})
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Check of a store that is gone = %v", err)
	}
	proxy.Clear()
	if err := s.Check(t.Context()); err != nil || proxy.Count("PutObject") != wrote+1 {
		t.Errorf("Check after a failure = %v, with %d writes", err, proxy.Count("PutObject"))
	}
}
