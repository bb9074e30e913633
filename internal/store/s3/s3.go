// Package s3 is a snapshot store in a bucket, of AWS or of any server that speaks S3.
//
// An object's name in the bucket is the store's prefix, a slash, and its key. Short objects are put in one request, longer ones in parts of a
// multipart upload, which S3 makes visible in one step. Each upload carries its own mark as metadata, and is proved by a HEAD. That tells success
// from a lost answer, somebody else's object in its place, and a server that did not encrypt. Requests that stand still are ended, and passing
// failures are tried again with growing waits, until the store's patience runs out, see Config.
package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"rekindle/internal/store"
)

// Store is a store.Store in a bucket.
type Store struct {
	config Config
	client *sdk.Client
	prefix string // "" or ending in a slash

	// creating is held for reading while a multipart upload is being opened, until it is in active.
	creating sync.RWMutex
	mu       sync.Mutex
	active   map[string]bool // the ids of multipart uploads under way here
	probing  map[string]bool // the keys of probes under way here

	checkedUntil time.Time    // how long the last good Check counts; under mu
	exclusive    atomic.Int32 // whether Creates exclude each other
	learned      atomic.Bool  // what has to be found out once about the server is known
	lax          atomic.Bool  // it accepts bytes that do not match their checksum

	saidCannotSweep atomic.Bool
	covers          atomic.Bool // versions may not be removed here: delete markers cover them
	probesKept      time.Duration
	told            atomic.Pointer[told]
}

var _ store.Store = (*Store)(nil)

// Open returns the store. It reads the SDK's configuration (environment, profile, role), but asks the bucket nothing: Check does.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Checksums == "" {
		c.Checksums = CRC64NVME
	}
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	if c.Finish <= 0 {
		c.Finish = defaultFinish
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", c.location(), err)
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 16
		t.DisableCompression = true
	})
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(logging.LoggerFunc(logged))}
	if c.Region != "" {
		load = append(load, config.WithRegion(c.Region))
	}
	if c.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(c.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("open store %s: read the AWS configuration: %w", c.location(), err)
	}
	if loaded.Region == "" {
		if c.Endpoint == "" && loaded.BaseEndpoint == nil {
			return nil, fmt.Errorf("open store %s: the bucket's region is missing: add ?region=eu-west-1 to --store, or set AWS_REGION", c.location())
		}
		loaded.Region = "us-east-1" // what servers other than AWS use
	}
	c.Region = loaded.Region
	s := &Store{config: c, active: map[string]bool{}, probing: map[string]bool{}, probesKept: probesKept}
	if c.Prefix != "" {
		s.prefix = c.Prefix + "/"
	}
	s.client = sdk.NewFromConfig(loaded, func(o *sdk.Options) {
		o.HTTPClient = watched{inner: dated{inner: o.HTTPClient, last: &s.told}}
		o.Retryer = aws.NopRetryer{} // try retries: it can tell progress from standing still
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		// Checksums are set and compared by hand, over the whole object, see expected.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return s, nil
}

// logged has what the SDK says in the format of everything else.
func logged(kind logging.Classification, format string, args ...any) {
	level := slog.LevelWarn
	if kind == logging.Debug {
		level = slog.LevelDebug
	}
	slog.Log(context.Background(), level, "the AWS SDK says: "+fmt.Sprintf(format, args...))
}

// Location returns "s3://bucket/prefix".
func (s *Store) Location() string { return s.config.location() }

func (s *Store) name(key string) *string { return aws.String(s.prefix + key) }
func (s *Store) bucket() *string         { return aws.String(s.config.Bucket) }

// ready is what every method checks first: ctx still runs, and the key is good.
func ready(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// failed wraps the error of an operation with the store's place.
func (s *Store) failed(operation, name string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", operation, name, s.Location(), err)
}

// head describes an object, or one version of it if that is not "".
func (s *Store) head(ctx context.Context, key, version string) (*sdk.HeadObjectOutput, error) {
	input := &sdk.HeadObjectInput{Bucket: s.bucket(), Key: s.name(key)}
	if version != "" {
		input.VersionId = aws.String(version)
	}
	if s.config.Checksums == CRC64NVME {
		input.ChecksumMode = types.ChecksumModeEnabled
	}
	var head *sdk.HeadObjectOutput
	err := s.try(ctx, func(ctx context.Context) (err error) {
		head, err = s.client.HeadObject(ctx, input)
		return err
	})
	return head, err
}

// Stat describes an object; see store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed("stat", key, err)
	}
	head, err := s.head(ctx, key, "")
	if errors.Is(err, store.ErrNotExist) { // an answer to HEAD does not say whether the object or the bucket is missing
		missing := s.try(ctx, func(ctx context.Context) error {
			_, err := s.client.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: s.bucket()})
			return err
		})
		if errors.Is(missing, store.ErrNotExist) {
			err = fmt.Errorf("%w (%w)", store.ErrNoBucket, missing)
		}
	}
	if plain := errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket); err != nil && !plain && !errors.Is(err, store.ErrUnavailable) {
		err = s.reason(ctx, key, err)
	}
	if err != nil {
		return store.Object{}, s.failed("stat", key, err)
	}
	return store.Object{Key: key, Size: aws.ToInt64(head.ContentLength), Modified: aws.ToTime(head.LastModified)}, nil
}

// reason finds out why a HEAD was refused. Its answer has no body that could say so (wrong credentials, another region and a policy all look the
// same), but the answer to a GET of the same object has.
func (s *Store) reason(ctx context.Context, key string, refused error) error {
	err := s.try(ctx, func(ctx context.Context) error {
		answer, err := s.client.GetObject(ctx, &sdk.GetObjectInput{Bucket: s.bucket(), Key: s.name(key), Range: aws.String("bytes=0-0")})
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	})
	if code, _ := codeOf(err); code == "" || errors.Is(err, store.ErrNotExist) {
		return refused
	}
	return err
}

// Delete removes an object. In a bucket with versioning that covers it with a delete marker, and the bucket's rules decide when the bytes go. See
// store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return s.failed("delete", key, err)
	}
	if err := s.delete(ctx, key, ""); err != nil {
		return s.failed("delete", key, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, key, version string) error {
	input := &sdk.DeleteObjectInput{Bucket: s.bucket(), Key: s.name(key)}
	if version != "" {
		input.VersionId = aws.String(version)
	}
	err := s.try(ctx, func(ctx context.Context) error {
		_, err := s.client.DeleteObject(ctx, input)
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	return err
}

// undo takes back an object that was just put: it removes its version, so that what was there before is visible again, or adds a delete marker if
// versions may not be removed.
func (s *Store) undo(ctx context.Context, key, version string) error {
	if version != "" && version != "null" {
		if err := s.delete(ctx, key, version); err == nil {
			return nil
		}
		s.covers.Store(true)
	}
	return s.delete(ctx, key, "")
}

// Sweep aborts multipart uploads that have been open since before olderThan, and removes what Check has left. It only aborts uploads below the prefix
// whose names are those of package archive, and none that is under way in this process. It cannot recognize what another console with the same prefix
// is uploading: give each its own.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	removed, err := s.sweepUploads(ctx, olderThan)
	var cannot error
	if unimplemented(err) {
		if !s.saidCannotSweep.Swap(true) {
			cannot = s.failed("sweep", "uploads", fmt.Errorf("%w (%w)", store.ErrCannotSweep, short(err)))
		}
		err = nil
	}
	if err != nil {
		return removed, s.failed("sweep", "uploads", err)
	}
	more, err := s.sweepProbes(ctx, olderThan)
	if removed += more; err != nil {
		return removed, s.failed("sweep", probes, err)
	}
	return removed, cannot
}

// sweepUploads looks at the whole bucket, because some servers (MinIO) only find uploads of exactly the requested key. If a condition on s3:prefix
// forbids listing the whole bucket, it only looks below the prefix.
func (s *Store) sweepUploads(ctx context.Context, olderThan time.Time) (int, error) {
	removed := 0
	abort := func(key, id string, since time.Time) error {
		if !since.Before(olderThan) || !ours(key) {
			return nil
		}
		if s.busy(id) {
			return nil
		}
		removed++
		return s.abort(ctx, key, id)
	}
	err := s.uploads(ctx, nil, abort)
	if errors.Is(err, store.ErrDenied) && removed == 0 && s.prefix != "" {
		err = s.uploads(ctx, s.name(""), abort)
	}
	return removed, err
}

// busy says whether a multipart upload is, or may be, under way here: one that is just being opened is listed before its ID is known.
func (s *Store) busy(id string) bool {
	if !s.creating.TryLock() {
		return true
	}
	defer s.creating.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active[id]
}

// ours says whether a console uploads objects with that key: .../part-0001.rdb.zst, .../manifest.json, an export's .../name-0001.rdb, or one of
// Check's.
func ours(key string) bool {
	if strings.HasPrefix(key, probes) {
		return true
	}
	if store.CheckKey(key) != nil || !strings.Contains(key, "/") {
		return false
	}
	return strings.HasSuffix(key, ".rdb.zst") || strings.HasSuffix(key, ".rdb") || strings.HasSuffix(key, "/manifest.json")
}

// uploads calls f for each open multipart upload below the store's prefix. names limits the request to names in the bucket that begin with it; nil
// means all.
func (s *Store) uploads(ctx context.Context, names *string, f func(key, id string, since time.Time) error) error {
	input := &sdk.ListMultipartUploadsInput{Bucket: s.bucket(), Prefix: names}
	for {
		var page *sdk.ListMultipartUploadsOutput
		if err := s.try(ctx, func(ctx context.Context) (err error) {
			page, err = s.client.ListMultipartUploads(ctx, input)
			return err
		}); errors.Is(err, store.ErrUploadGone) { // this is how some servers say that there are none (rclone, gofakes3)
			return nil
		} else if err != nil {
			return err
		}
		for _, upload := range page.Uploads {
			key, ok := strings.CutPrefix(aws.ToString(upload.Key), s.prefix)
			if !ok {
				continue
			}
			if err := f(key, aws.ToString(upload.UploadId), aws.ToTime(upload.Initiated)); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextKeyMarker) == "" {
			return nil
		}
		input.KeyMarker, input.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

func (s *Store) abort(ctx context.Context, key, id string) error {
	err := s.try(ctx, func(ctx context.Context) error {
		_, err := s.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{Bucket: s.bucket(), Key: s.name(key), UploadId: aws.String(id)})
		return err
	})
	if code, _ := codeOf(err); code == "NoSuchUpload" {
		return nil
	}
	return err
}

// Describe asks the bucket about itself. What it does not say, or not to us, stays empty. See store.Store.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	d := store.Description{Free: -1, Capacity: -1, Region: s.config.Region, Endpoint: s.config.Endpoint, StorageClass: "STANDARD",
		Checksums: "CRC64NVME, over the whole object"}
	if s.config.Checksums == Compatible {
		d.Checksums = "MD5 of each request (compatible)"
	}
	if s.config.StorageClass != "" {
		d.StorageClass = s.config.StorageClass
	}
	s.describeServer(&d)
	if err := ctx.Err(); err != nil {
		return d, err
	}
	var wait sync.WaitGroup
	wait.Go(func() { d.Versioning = s.versioning(ctx) })
	wait.Go(func() { d.ObjectLock = s.objectLock(ctx) })
	wait.Go(func() { d.Encryption = s.encryption(ctx) })
	wait.Wait()
	return d, ctx.Err()
}

func (s *Store) versioning(ctx context.Context) string {
	var answer *sdk.GetBucketVersioningOutput
	if s.try(ctx, func(ctx context.Context) (err error) {
		answer, err = s.client.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: s.bucket()})
		return err
	}) != nil {
		return ""
	}
	switch answer.Status {
	case types.BucketVersioningStatusEnabled:
		return "on"
	case types.BucketVersioningStatusSuspended:
		return "suspended"
	}
	return "off"
}

func (s *Store) objectLock(ctx context.Context) string {
	var answer *sdk.GetObjectLockConfigurationOutput
	err := s.try(ctx, func(ctx context.Context) (err error) {
		answer, err = s.client.GetObjectLockConfiguration(ctx, &sdk.GetObjectLockConfigurationInput{Bucket: s.bucket()})
		return err
	})
	if code, _ := codeOf(err); code == "ObjectLockConfigurationNotFoundError" {
		return "off"
	}
	if err != nil || answer.ObjectLockConfiguration == nil {
		return ""
	}
	lock := answer.ObjectLockConfiguration
	switch {
	case lock.ObjectLockEnabled != types.ObjectLockEnabledEnabled:
		return "off"
	case lock.Rule == nil || lock.Rule.DefaultRetention == nil:
		return "on, without a retention of its own"
	}
	retention := lock.Rule.DefaultRetention
	mode := strings.ToLower(string(retention.Mode))
	if years := aws.ToInt32(retention.Years); years > 0 {
		return fmt.Sprintf("on, %s for %d years", mode, years)
	}
	return fmt.Sprintf("on, %s for %d days", mode, aws.ToInt32(retention.Days))
}

func (s *Store) encryption(ctx context.Context) string {
	if s.config.SSE != "" {
		return encryptionText(types.ServerSideEncryption(s.config.SSE), s.config.KMSKeyID)
	}
	var answer *sdk.GetBucketEncryptionOutput
	err := s.try(ctx, func(ctx context.Context) (err error) {
		answer, err = s.client.GetBucketEncryption(ctx, &sdk.GetBucketEncryptionInput{Bucket: s.bucket()})
		return err
	})
	if code, _ := codeOf(err); code == "ServerSideEncryptionConfigurationNotFoundError" {
		return "none"
	}
	if err != nil || answer.ServerSideEncryptionConfiguration == nil {
		return ""
	}
	for _, rule := range answer.ServerSideEncryptionConfiguration.Rules {
		if by := rule.ApplyServerSideEncryptionByDefault; by != nil {
			return encryptionText(by.SSEAlgorithm, aws.ToString(by.KMSMasterKeyID)) + ", by the bucket's default"
		}
	}
	return ""
}

func encryptionText(sse types.ServerSideEncryption, key string) string {
	text := "SSE-S3 (AES256)"
	switch sse {
	case types.ServerSideEncryptionAwsKms:
		text = "SSE-KMS"
	case types.ServerSideEncryptionAwsKmsDsse:
		text = "DSSE-KMS"
	}
	if key != "" {
		text += " with key " + key
	}
	return text
}
