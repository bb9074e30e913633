package testkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// What the S3 servers of tests accept.
const (
	S3AccessKey = "rekindle-test"
	S3SecretKey = "a-secret-of-the-tests"
	S3Region    = "us-east-1"
)

// S3Server is a real S3 server for one test: versitygw on a folder, or the one of s3Kinds that $REKINDLE_S3_SERVER names.
type S3Server struct {
	Endpoint string // http://127.0.0.1:port, the same after a Restart

	t       testing.TB
	kind    s3Kind
	folder  string
	address string
	cmd     *exec.Cmd
	done    chan struct{}
}

// s3Kind is a program that speaks S3.
type s3Kind struct {
	name    string
	command func(s *S3Server) []string // its arguments
	health  string                     // a path that answers when it is up
}

// s3Kinds are the servers that `make test-s3` compares. Tests use the first one by default, and are written for it.
var s3Kinds = []s3Kind{
	{"versitygw", func(s *S3Server) []string {
		return []string{"--port", s.address, "--region", S3Region, "--health", "/healthz", "--quiet", "posix", "--versioning-dir", s.path("versions"), s.path("buckets")}
	}, "/healthz"},
	{"minio", func(s *S3Server) []string {
		return []string{"server", "--quiet", "--certs-dir", s.path("certs"), "--address", s.address, s.path("buckets")}
	}, "/minio/health/live"},
	{"rclone", func(s *S3Server) []string {
		return []string{"serve", "s3", "--config", s.path("none"), "--addr", s.address, "--auth-key", S3AccessKey + "," + S3SecretKey, s.path("buckets")}
	}, "/"},
	{"gofakes3", func(s *S3Server) []string {
		return []string{"-host", s.address, "-backend", "memory", "-quiet"}
	}, "/"},
	{"moto", func(s *S3Server) []string {
		host, port, _ := strings.Cut(s.address, ":")
		return []string{"-H", host, "-p", port}
	}, "/moto-api/"},
}

// S3 starts an S3 server that ends with the test. Unless another one was asked for, it supports versioning and Object Lock.
func S3(t testing.TB) *S3Server {
	t.Helper()
	s := &S3Server{t: t, kind: s3Kinds[0], folder: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	if name := os.Getenv("REKINDLE_S3_SERVER"); name != "" {
		i := slices.IndexFunc(s3Kinds, func(k s3Kind) bool { return k.name == name })
		if i < 0 {
			t.Fatalf("there is no S3 server %q to test with", name)
		}
		s.kind = s3Kinds[i]
	}
	s.Endpoint = "http://" + s.address
	for _, name := range []string{"buckets", "versions", "certs"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Folder is where versitygw has the objects of a bucket, as files of the same names.
func (s *S3Server) Folder(bucket string) string { return filepath.Join(s.path("buckets"), bucket) }

func (s *S3Server) path(name string) string { return filepath.Join(s.folder, name) }

// program is where the make targets put the server: $REKINDLE_VERSITYGW ($REKINDLE_MINIO...), or .cache/bin next to go.mod.
func (k s3Kind) program() (string, error) {
	if path := os.Getenv("REKINDLE_" + strings.ToUpper(k.name)); path != "" {
		return path, nil
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "bin", k.name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `make setup-test`, which builds versitygw, or `make test-s3` for the others (%w)", path, err)
	}
	return path, nil
}

// cacheFolder is where the make targets put what tests need and no package provides: .cache next to go.mod.
func cacheFolder() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return filepath.Join(folder, ".cache"), nil
		}
		if folder == filepath.Dir(folder) {
			return "", errors.New("no go.mod above the test's folder")
		}
	}
}

// Start starts the server again after a Kill.
func (s *S3Server) Start() {
	s.t.Helper()
	path, err := s.kind.program()
	if err != nil {
		s.t.Fatal(err)
	}
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(path, s.kind.command(s)...)
	s.cmd.Env = append(os.Environ(), "HOME="+s.folder, "ROOT_ACCESS_KEY="+S3AccessKey, "ROOT_SECRET_KEY="+S3SecretKey,
		"MINIO_ROOT_USER="+S3AccessKey, "MINIO_ROOT_PASSWORD="+S3SecretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	done, err := startBound(s.cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.done = done
	up := func() bool {
		select {
		case <-done:
			s.t.Fatalf("the S3 server ended:\n%s", lastLines(s.Log(), 20))
		default:
		}
		answer, err := http.Get(s.Endpoint + s.kind.health)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode < http.StatusInternalServerError
	}
	if !poll(patience, up) {
		s.t.Fatalf("the S3 server does not answer on %s", s.Endpoint)
	}
}

// Kill ends the server at once, as a power cut would.
func (s *S3Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Log is everything that the server has printed.
func (s *S3Server) Log() string {
	text, _ := os.ReadFile(s.path("log"))
	return string(text)
}

// Credentials are what the server accepts.
func (s *S3Server) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(S3AccessKey, S3SecretKey, "")
}

// Client talks to the server directly, bypassing everything under test.
func (s *S3Server) Client() *sdk.Client {
	return sdk.New(sdk.Options{Region: S3Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true, Credentials: s.Credentials()})
}

// Bucket makes a bucket.
func (s *S3Server) Bucket(name string) {
	s.t.Helper()
	if _, err := s.Client().CreateBucket(context.Background(), &sdk.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		s.t.Fatalf("create bucket %s: %v", name, err)
	}
}

// VersionedBucket makes a bucket with versioning, and with Object Lock if lock is set.
func (s *S3Server) VersionedBucket(name string, lock bool) {
	s.t.Helper()
	ctx, client := context.Background(), s.Client()
	if _, err := client.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: aws.String(name), ObjectLockEnabledForBucket: aws.Bool(lock)}); err != nil {
		s.t.Fatalf("create bucket %s: %v", name, err)
	}
	if _, err := client.PutBucketVersioning(ctx, &sdk.PutBucketVersioningInput{Bucket: aws.String(name),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		s.t.Fatalf("turn versioning on for %s: %v", name, err)
	}
}

// OpenUploads lists the multipart uploads that are open below a prefix of a bucket, as "key id".
func (s *S3Server) OpenUploads(bucket, prefix string) []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Without the prefix, which MinIO takes for a whole key. If there are none, some servers answer NoSuchUpload.
	page, err := s.Client().ListMultipartUploads(ctx, &sdk.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload" {
		return nil
	}
	if err != nil {
		s.t.Fatalf("list uploads of %s: %v", bucket, err)
	}
	var found []string
	for _, upload := range page.Uploads {
		if strings.HasPrefix(aws.ToString(upload.Key), prefix) {
			found = append(found, aws.ToString(upload.Key)+" "+aws.ToString(upload.UploadId))
		}
	}
	return found
}

// Objects lists the names of the objects below a prefix of a bucket.
func (s *S3Server) Objects(bucket, prefix string) []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	page, err := s.Client().ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix)})
	if err != nil {
		s.t.Fatalf("list objects of %s: %v", bucket, err)
	}
	var found []string
	for _, object := range page.Contents {
		found = append(found, aws.ToString(object.Key))
	}
	return found
}
