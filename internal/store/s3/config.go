package s3

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"rekindle/internal/store"
)

// Checksums is what proves to the server that it got what was sent.
type Checksums string

const (
	// CRC64NVME covers the whole object, is computed from the stream and kept by the server: from end to end.
	CRC64NVME Checksums = "crc64nvme"
	// Compatible is an MD5 for each request and the ETag that follows from it, which every server understands.
	Compatible Checksums = "compatible"
)

// Scheme is how an address of this kind begins.
const Scheme = "s3://"

// Config is where a bucket is and how objects are kept in it.
type Config struct {
	Bucket, Prefix string // the prefix without slashes at its ends; "" for all of the bucket
	Region         string // "": what the SDK's usual chain says
	Endpoint       string // "": AWS
	PathStyle      bool   // endpoint/bucket/key in place of bucket.endpoint/key
	Checksums      Checksums
	StorageClass   string // "": STANDARD
	SSE            string // "", "AES256", "aws:kms" or "aws:kms:dsse"
	KMSKeyID       string
	PartSize       int64 // bytes of each part of an upload except the last; 0: they grow

	// Credentials, if they do not come from the SDK's usual chain.
	Credentials aws.CredentialsProvider
	// Patience is how long a request may make no progress, over all its retries; by default 35 s. Together with the clean-up after it, this stays
	// below the 60 s after which Redis disconnects a replica that does not read.
	Patience time.Duration
	// Finish is how long the server may take to make an object of parts that have all arrived; by default 10 minutes. Nothing is read from the source
	// meanwhile.
	Finish time.Duration
}

const (
	defaultPatience = 35 * time.Second
	defaultFinish   = 10 * time.Minute
	maxCleanUp      = 10 * time.Second
	maxPrefix       = 120
)

// cleanUpTime is how long cleaning up after a failure may take; the context of what failed may have ended.
func (c Config) cleanUpTime() time.Duration { return min(maxCleanUp, 2*c.Patience) }

var (
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	arnPattern    = regexp.MustCompile(`^arn:[a-z0-9-]+:s3[a-z-]*:`)
	regionPattern = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	options       = []string{"region", "endpoint", "path_style", "checksums", "storage_class", "sse", "kms_key_id", "part_size"}
)

// ParseURL reads "s3://bucket/prefix?region=...&endpoint=...&path_style=true&checksums=compatible&storage_class=...&
// sse=...&kms_key_id=...&part_size=64MiB". An error is a sentence about what to write instead; all mistakes are named at once.
func ParseURL(text string) (Config, error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	if !ok {
		return Config{}, fmt.Errorf("an S3 store must look like s3://bucket/prefix, not %q", text)
	}
	place, query := rest, ""
	if mark := strings.LastIndexByte(rest, '?'); mark >= 0 { // the last one: an earlier one belongs to the prefix
		place, query = rest[:mark], rest[mark+1:]
	}
	bucket, prefix, _ := strings.Cut(place, "/")
	if strings.Contains(place, "@") && !bucketPattern.MatchString(bucket) { // not repeated: what precedes it may be a secret
		return Config{}, errors.New("credentials do not belong in the address of an S3 store: give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by a profile or by a role")
	}
	c := Config{Bucket: bucket, Prefix: strings.Trim(prefix, "/"), Checksums: CRC64NVME}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, fmt.Errorf("what follows ? in the address of the S3 store cannot be read: %w", err)
	}
	var wrong []error
	for name, given := range values {
		if !slices.Contains(options, name) {
			wrong = append(wrong, fmt.Errorf("an S3 store has no setting %q; there are %s", name, strings.Join(options, ", ")))
		} else if len(given) > 1 {
			wrong = append(wrong, fmt.Errorf("%s is given %d times; give it once", name, len(given)))
		}
	}
	c.Region, c.Endpoint = values.Get("region"), strings.TrimSuffix(values.Get("endpoint"), "/")
	c.StorageClass, c.SSE, c.KMSKeyID = values.Get("storage_class"), values.Get("sse"), values.Get("kms_key_id")
	if given := values.Get("path_style"); given != "" {
		if c.PathStyle, err = strconv.ParseBool(given); err != nil {
			wrong = append(wrong, fmt.Errorf("path_style must be true or false, not %q", given))
		}
	}
	if given := values.Get("part_size"); given != "" {
		size, ok := parseSize(given)
		if c.PartSize = size; !ok || size == 0 {
			wrong = append(wrong, fmt.Errorf("part_size must look like 64MiB or 1GiB, not %q", given))
		}
	}
	if given := values.Get("checksums"); given != "" {
		c.Checksums = Checksums(given)
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(append(wrong, c.check())...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// check says what is wrong with c.
func (c Config) check() error {
	var wrong []error
	add := func(text string, args ...any) { wrong = append(wrong, fmt.Errorf(text, args...)) }
	switch {
	case c.Bucket == "":
		add("the name of the bucket is missing: s3://bucket/prefix")
	case !bucketPattern.MatchString(c.Bucket) && !arnPattern.MatchString(c.Bucket):
		add("%q is not the name of a bucket: 3 to 63 of a-z, 0-9, hyphens and dots", c.Bucket)
	}
	if c.Prefix != "" {
		if len(c.Prefix) > maxPrefix {
			add("the prefix is %d bytes long, %d are allowed", len(c.Prefix), maxPrefix)
		} else if err := store.CheckKey(c.Prefix); err != nil {
			add("the prefix %q cannot be used: %w", c.Prefix, err)
		}
	}
	if c.Region != "" && !regionPattern.MatchString(c.Region) {
		add("region must look like eu-west-1, not %q", c.Region)
	}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		switch {
		case err == nil && u.User != nil, strings.Contains(c.Endpoint, "@"):
			add("credentials do not belong in endpoint: give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by a profile or by a role")
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
			add("endpoint must look like https://minio.example.com:9000, not %q", c.Endpoint)
		}
	}
	if c.PartSize != 0 && (c.PartSize < minPartSize || c.PartSize > maxPartSize || c.PartSize%chunkSize != 0) {
		add("part_size must be whole MiB from 5MiB to 1GiB, not %d bytes", c.PartSize)
	}
	switch c.Checksums {
	case CRC64NVME, Compatible:
	default:
		add("checksums must be %s or %s, not %q", CRC64NVME, Compatible, c.Checksums)
	}
	// S3's other classes (GLACIER, DEEP_ARCHIVE) cannot be read back when they are needed.
	switch types.StorageClass(c.StorageClass) {
	case "", types.StorageClassStandard, types.StorageClassStandardIa, types.StorageClassOnezoneIa,
		types.StorageClassIntelligentTiering, types.StorageClassGlacierIr, types.StorageClassReducedRedundancy,
		types.StorageClassExpressOnezone, types.StorageClassOutposts:
	case types.StorageClassGlacier, types.StorageClassDeepArchive:
		add("storage_class=%s cannot be read back at once, so a snapshot could be neither checked nor restored: STANDARD_IA and GLACIER_IR can", c.StorageClass)
	default:
		add("storage_class must be one of S3's, such as STANDARD, STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR, not %q", c.StorageClass)
	}
	switch types.ServerSideEncryption(c.SSE) {
	case "", types.ServerSideEncryptionAes256:
		if c.KMSKeyID != "" {
			add("kms_key_id needs sse=aws:kms beside it")
		}
	case types.ServerSideEncryptionAwsKms, types.ServerSideEncryptionAwsKmsDsse:
	default:
		add("sse must be AES256 or aws:kms, not %q", c.SSE)
	}
	return errors.Join(wrong...)
}

// location names the store, without secrets and without its settings.
func (c Config) location() string {
	if c.Prefix == "" {
		return Scheme + c.Bucket
	}
	return Scheme + c.Bucket + "/" + c.Prefix
}
