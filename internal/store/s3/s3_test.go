package s3_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/store/storetest"
	"rekindle/internal/testkit"
)

const bucket = "snapshots"

// One server serves all tests that do not harm it; each of them has a prefix of its own.
var (
	serverOnce sync.Once
	server     *testkit.S3Server
	prefixes   atomic.Int64
)

type packageLife struct {
	testing.TB
	folder string
	ends   []func()
}

func (p *packageLife) TempDir() string    { return p.folder }
func (p *packageLife) Cleanup(end func()) { p.ends = append(p.ends, end) }
func (p *packageLife) Helper()            {}
func (p *packageLife) Fatal(args ...any)  { panic(fmt.Sprint(args...)) }
func (p *packageLife) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

var life = &packageLife{}

func TestMain(m *testing.M) {
	testkit.AtOnce(3)
	folder, err := os.MkdirTemp("", "rekindle-s3-")
	if err != nil {
		panic(err)
	}
	life.folder = folder
	code := m.Run()
	if left := s3.Mapped(); left != 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %d MiB of parts were not given back\n", left)
		code = 1
	}
	for _, end := range life.ends {
		end()
	}
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func shared(t *testing.T) *testkit.S3Server {
	t.Helper()
	serverOnce.Do(func() {
		server = testkit.S3(life)
		server.Bucket(bucket)
	})
	if server == nil {
		t.Fatal("the S3 server did not start, see the first failure")
	}
	return server
}

// configOf has the smallest parts that S3 accepts: an object of several of them costs the least. The growth of parts has its own tests.
func configOf(server *testkit.S3Server) s3.Config {
	return s3.Config{PartSize: 5 << 20, Bucket: bucket, Prefix: fmt.Sprintf("t%d/deep", prefixes.Add(1)), Region: testkit.S3Region, Endpoint: server.Endpoint,
		PathStyle: true, Credentials: server.Credentials()}
}

func open(t *testing.T, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openChecked returns a store that may have no multipart upload left when the test has ended.
func openChecked(t *testing.T, server *testkit.S3Server, c s3.Config) *s3.Store {
	t.Helper()
	t.Cleanup(func() {
		if left := server.OpenUploads(c.Bucket, c.Prefix+"/"); len(left) > 0 {
			t.Errorf("uploads are still open: %q", left)
		}
	})
	return open(t, c)
}

func TestStore(t *testing.T) {
	t.Run("two uploads at once take two parts each", uploadsTakeTwoPartsEach) // first and alone, as it looks at all memory
	for _, checksums := range []s3.Checksums{s3.CRC64NVME, s3.Compatible} {
		t.Run(string(checksums), func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				c := configOf(shared(t))
				c.Checksums, c.PartSize = checksums, 0
				return openChecked(t, shared(t), c)
			}, storetest.WithRemains(leaveUpload), storetest.WithProbe(func(t *testing.T, s store.Store) { leaveProbe(t, s.(*s3.Store)) }))
		})
	}
}

// leaveUpload leaves what a killed console leaves: an open upload of its own, beside two of somebody else's.
func leaveUpload(t *testing.T, s store.Store) {
	t.Helper()
	server := shared(t)
	prefix := s.Location()[len("s3://"+bucket+"/"):]
	for _, name := range []string{prefix + "/orders/nightly/part-0001.rdb.zst", prefix + "/somebody/elses.mov", prefix + "x/orders/nightly/part-0001.rdb.zst"} {
		made, err := server.Client().CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		if name != prefix+"/orders/nightly/part-0001.rdb.zst" {
			t.Cleanup(func() {
				if _, err := server.Client().AbortMultipartUpload(context.Background(), &sdk.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String(name), UploadId: made.UploadId}); err != nil {
					t.Errorf("an upload of somebody else's was touched: %v", err)
				}
			})
		}
	}
}

// leaveProbe leaves what a console leaves that is killed between writing and removing a check's object.
func leaveProbe(t *testing.T, s *s3.Store) {
	t.Helper()
	prefix := s.Location()[len("s3://"+bucket+"/"):]
	_, err := shared(t).Client().PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(prefix + "/.rekindle-check/KILLED"), Body: strings.NewReader("?")})
	if err != nil {
		t.Fatal(err)
	}
}

func keys(access, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(access, secret, "")
}

func uploadsTakeTwoPartsEach(t *testing.T) {
	c := configOf(shared(t))
	c.PartSize = 0
	s := openChecked(t, shared(t), c)
	var peak atomic.Int64
	var wait sync.WaitGroup
	for i := range 2 {
		wait.Go(func() {
			source := io.LimitReader(watching(func() { peak.Store(max(peak.Load(), s3.Mapped())) }), 60<<20)
			if _, err := s.Put(t.Context(), fmt.Sprintf("big/%d", i), source); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	t.Logf("two uploads of 60 MiB had %d MiB of parts in memory at most", peak.Load())
	if peak.Load() > 2*2*8 {
		t.Errorf("two uploads had %d MiB of parts in memory", peak.Load())
	}
}

type watching func()

func (w watching) Read(p []byte) (int, error) { w(); return len(p), nil }
