package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

// noise is made only once, because that takes a while. Nobody writes into it.
var noise = sync.OnceValue(func() []byte {
	data := make([]byte, 32<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
})

// random returns size incompressible bytes, to be read only.
func random(size int) []byte { return noise()[:size:size] }

const (
	key   = "orders/nightly/part-0001.rdb.zst"
	small = 1000
	large = 11 << 20         // three parts
	short = 3 * time.Second  // for what stands still: it is waited for
	ample = 30 * time.Second // for everything else: a busy machine stands still for a second, too
)

// faulty returns a store behind a proxy that does harm, and its settings.
func faulty(t *testing.T, server *testkit.S3Server, patience time.Duration) (*s3.Store, *testkit.FaultyS3, s3.Config) {
	t.Helper()
	c := configOf(server)
	c.Patience, c.Finish = patience, 2*patience
	proxy := testkit.Faulty(t, server.Endpoint)
	behind := c
	behind.Endpoint = proxy.Endpoint
	return openChecked(t, server, behind), proxy, c
}

// stored is what the server holds under a key, nil if there is no such object.
func stored(t *testing.T, c s3.Config, key string) []byte {
	t.Helper()
	r, err := open(t, c).Open(t.Context(), key)
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var data bytes.Buffer
	data.Grow(large + bytes.MinRead) // at once, as the race detector takes its time over each copy
	if _, err := data.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// only is a reader and nothing else.
type only struct{ io.Reader }

func TestPutThroughPassingFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size   int
		faults []testkit.Fault
	}{
		"a storm of 503 at parts":            {large, []testkit.Fault{{On: "UploadPart", Times: 4, Do: testkit.Refuse}}},
		"a storm of 503 at everything":       {large, []testkit.Fault{{Times: 5, Do: testkit.Refuse}}},
		"a storm of 503 at a small object":   {small, []testkit.Fault{{Times: 4, Do: testkit.Refuse}}},
		"503 at create, complete and head":   {large, []testkit.Fault{{On: "CreateMultipartUpload", Times: 2, Do: testkit.Refuse}, {On: "CompleteMultipartUpload", Times: 2, Do: testkit.Refuse}, {On: "HeadObject", Times: 2, Do: testkit.Refuse}}},
		"cut at parts":                       {large, []testkit.Fault{{On: "UploadPart", Times: 3, Do: testkit.Cut}}},
		"cut at a small object":              {small, []testkit.Fault{{On: "PutObject", Times: 2, Do: testkit.Cut}}},
		"a part that stands still":           {large, []testkit.Fault{{On: "UploadPart", Times: 1, Do: testkit.Stall}}},
		"a small object that stands still":   {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.Stall}}},
		"a lost answer to a part":            {large, []testkit.Fault{{On: "UploadPart", Times: 2, Do: testkit.LoseAnswer}}},
		"a lost answer to a small object":    {small, []testkit.Fault{{On: "PutObject", Times: 1, Do: testkit.LoseAnswer}}},
		"a lost answer to create":            {large, []testkit.Fault{{On: "CreateMultipartUpload", Times: 1, Do: testkit.LoseAnswer}}},
		"a lost answer to complete":          {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 1, Do: testkit.LoseAnswer}}},
		"every answer to complete lost":      {large, []testkit.Fault{{On: "CompleteMultipartUpload", Do: testkit.LoseAnswer}}},
		"complete: 200 with an error, twice": {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 2, Do: testkit.ErrorIn200}}},
		"complete cut before it was heard":   {large, []testkit.Fault{{On: "CompleteMultipartUpload", Times: 1, Do: testkit.Cut}}},
		"the head after it cut":              {large, []testkit.Fault{{On: "HeadObject", Times: 2, Do: testkit.Cut}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), ample)
			proxy.Add(test.faults...)
			data := random(test.size)
			object, err := s.Put(t.Context(), key, only{bytes.NewReader(data)})
			if err != nil || object.Size != int64(test.size) {
				t.Fatalf("Put = %+v, %v", object, err)
			}
			if !bytes.Equal(stored(t, c, key), data) {
				t.Error("what is stored is not what was put")
			}
		})
	}
}

func TestPutThroughLastingFaultsFailsInTimeAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size   int
		faults []testkit.Fault
	}{
		"503 at parts":                {large, []testkit.Fault{{On: "UploadPart", Do: testkit.Refuse}}},
		"503 at a small object":       {small, []testkit.Fault{{On: "PutObject", Do: testkit.Refuse}}},
		"503 at create":               {large, []testkit.Fault{{On: "CreateMultipartUpload", Do: testkit.Refuse}}},
		"every answer to create lost": {large, []testkit.Fault{{On: "CreateMultipartUpload", Do: testkit.LoseAnswer}}},
		"cut at parts":                {large, []testkit.Fault{{On: "UploadPart", Do: testkit.Cut}}},
		"parts stand still":           {large, []testkit.Fault{{On: "UploadPart", Do: testkit.Stall}}},
		"a small object stands still": {small, []testkit.Fault{{On: "PutObject", Do: testkit.Stall}}},
		"complete stands still":       {large, []testkit.Fault{{On: "CompleteMultipartUpload", Do: testkit.Stall}}},
		"complete: 200 with an error": {large, []testkit.Fault{{On: "CompleteMultipartUpload", Do: testkit.ErrorIn200}}},
		"complete cut":                {large, []testkit.Fault{{On: "CompleteMultipartUpload", Do: testkit.Cut}}},
		"the head stands still":       {large, []testkit.Fault{{On: "HeadObject", Times: 3, Do: testkit.Stall}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, c := faulty(t, shared(t), short)
			proxy.Add(test.faults...)
			began := time.Now()
			_, err := s.Put(t.Context(), key, only{bytes.NewReader(random(test.size))})
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Put = %v, want ErrUnavailable", err)
			}
			if took := time.Since(began); took > 10*short {
				t.Errorf("Put took %s with a patience of %s", took, short)
			}
			if left := stored(t, c, key); left != nil {
				t.Errorf("%d bytes are left", len(left))
			}
		})
	}
}

// What became of an object whose answers are lost, and which cannot be looked at for a while, is found out, or the object is removed.
func TestPutOfWhichNothingIsKnownForAWhile(t *testing.T) {
	t.Parallel()
	for _, size := range []int{small, large} {
		for times := 1; times <= 4; times++ {
			t.Run(fmt.Sprintf("%d bytes, %d heads stand still", size, times), func(t *testing.T) {
				t.Parallel()
				s, proxy, c := faulty(t, shared(t), 2*short) // the clean-up takes as many heads as stand still
				proxy.Add(testkit.Fault{On: "PutObject", Do: testkit.LoseAnswer}, testkit.Fault{On: "CompleteMultipartUpload", Do: testkit.LoseAnswer},
					testkit.Fault{On: "HeadObject", Times: times, Do: testkit.Stall})
				data := random(size)
				_, err := s.Put(t.Context(), key, only{bytes.NewReader(data)})
				left := stored(t, c, key)
				if err == nil && !bytes.Equal(left, data) {
					t.Errorf("a false success: %d bytes are there", len(left))
				}
				if err != nil && (left != nil || !errors.Is(err, store.ErrUnavailable)) {
					t.Errorf("Put = %v, and %d bytes are left", err, len(left))
				}
			})
		}
	}
}

// So do the default patience and all that follows it, within the source's repl-timeout: see TestDefaultPatienceStaysBelowReplTimeout.
func TestStalledPutEndsWithinItsPatience(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), short)
	proxy.Add(testkit.Fault{On: "UploadPart", Do: testkit.Stall})
	began := time.Now()
	_, err := s.Put(t.Context(), key, only{bytes.NewReader(random(large))})
	took := time.Since(began)
	t.Logf("patience %s: ended after %s with: %v", short, took.Round(time.Millisecond), err)
	if !errors.Is(err, store.ErrUnavailable) || took > 10*short { // with the clean-up, twice the patience; a busy machine is slow
		t.Errorf("Put = %v after %s", err, took)
	}
}

func TestCancelEndsAPutThatStandsStill(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"UploadPart", "CreateMultipartUpload"} {
		s, proxy, c := faulty(t, shared(t), time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		proxy.Add(testkit.Fault{On: on, Do: testkit.Stall, Then: cancel})
		began := time.Now()
		if _, err := s.Put(ctx, key, only{bytes.NewReader(random(large))}); !errors.Is(err, context.Canceled) {
			t.Errorf("Put = %v", err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %s to cancel", took)
		}
		if stored(t, c, key) != nil {
			t.Error("an object is left")
		}
	}
}

func TestServerThatDoesNotKeepWhatItWasToldFailsThePut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*s3.Config)
		edit   func(http.Header)
		says   string
	}{
		"no SSE-S3":  {func(c *s3.Config) { c.SSE = "AES256" }, func(h http.Header) { h.Del("X-Amz-Server-Side-Encryption") }, "encryption is none"},
		"no SSE-KMS": {func(c *s3.Config) { c.SSE = "aws:kms"; c.KMSKeyID = "k" }, func(h http.Header) { h.Del("X-Amz-Server-Side-Encryption") }, "encryption is none"},
		"another key": {func(c *s3.Config) { c.SSE = "aws:kms"; c.KMSKeyID = "k" }, func(h http.Header) {
			h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
			h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:aws:kms:x:1:key/other")
		}, "correct kms_key_id"},
		"another class":    {func(c *s3.Config) { c.StorageClass = "STANDARD_IA" }, func(h http.Header) { h.Del("X-Amz-Storage-Class") }, "storage class is STANDARD"},
		"another checksum": {func(*s3.Config) {}, func(h http.Header) { h.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=") }, "checksum is"},
		"a byte less":      {func(*s3.Config) {}, func(h http.Header) { h.Set("Content-Length", fmt.Sprint(small-1)) }, "bytes instead of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := shared(t)
			c := configOf(server)
			proxy := testkit.Faulty(t, server.Endpoint)
			proxy.Add(testkit.Fault{On: "HeadObject", Do: testkit.EditAnswer, Edit: test.edit})
			behind := c
			behind.Endpoint = proxy.Endpoint
			test.change(&behind)
			s := openChecked(t, server, behind)
			for _, size := range []int{small, middle} {
				_, err := s.Put(t.Context(), key, bytes.NewReader(random(size)))
				if !errors.Is(err, store.ErrUnsafe) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("Put of %d bytes = %v", size, err)
				}
				if stored(t, c, key) != nil {
					t.Error("the object is left")
				}
				if test.says == "bytes instead of" {
					break
				}
			}
			if test.says == "bytes instead of" {
				return
			}
			if err := s.Check(t.Context()); !errors.Is(err, store.ErrUnsafe) && !strings.HasPrefix(name, "another checksum") {
				t.Errorf("Check = %v", err)
			}
		})
	}
}

func TestReadGoesOnAfterBrokenConnections(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), ample)
	data := random(large)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	proxy.Add(testkit.Fault{On: "GetObject", Times: 1, Do: testkit.Refuse}, testkit.Fault{On: "GetObject", Times: 3, Do: testkit.CutAnswer, After: 3 << 20},
		testkit.Fault{On: "GetObject", Times: 2, Do: testkit.Cut}, testkit.Fault{On: "GetObject", Times: 1, Do: testkit.Stall})
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func TestReadNeverMixesTwoObjects(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), ample)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(random(large))); err != nil {
		t.Fatal(err)
	}
	proxy.Add(testkit.Fault{On: "GetObject", Times: 1, Do: testkit.CutAnswer, After: 3 << 20})
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), key, strings.NewReader(strings.Repeat("x", large))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), "replaced while it was read") {
		t.Errorf("reading across a replacement and a cut = %v", err)
	}
}

func TestReadThatIsCutForEverEnds(t *testing.T) {
	t.Parallel()
	s, proxy, _ := faulty(t, shared(t), 4*short)
	if _, err := s.Put(t.Context(), key, bytes.NewReader(random(large))); err != nil {
		t.Fatal(err)
	}
	proxy.Add(testkit.Fault{On: "GetObject", Times: 1, Do: testkit.CutAnswer, After: 3 << 20}, testkit.Fault{On: "GetObject", Do: testkit.CutAnswer})
	r, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, store.ErrUnavailable) || n == large {
		t.Errorf("read %d bytes, %v; want ErrUnavailable", n, err)
	}
}

// A server of its own, as it is killed.
func TestServerKilledInTheMiddleOfAPut(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"and started again": true, "for good": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testkit.S3(t)
			server.Bucket(bucket)
			c := configOf(server)
			c.Patience = short
			s := open(t, c)
			if again {
				c.Patience = ample
				s = openChecked(t, server, c)
			}
			data := random(large)
			_, err := s.Put(t.Context(), key, io.MultiReader(bytes.NewReader(data[:7<<20]), hook(func() {
				server.Kill()
				if again {
					server.Start()
				}
			}), bytes.NewReader(data[7<<20:])))
			if again {
				if err != nil || !bytes.Equal(stored(t, c, key), data) {
					t.Errorf("Put = %v", err)
				}
				return
			}
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Put = %v", err)
			}
			server.Start()
			if stored(t, c, key) != nil {
				t.Error("an object is left")
			}
			if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
				t.Errorf("Sweep = %d, %v; want the upload that could not be aborted", n, err)
			}
			if left := server.OpenUploads(bucket, ""); len(left) > 0 {
				t.Errorf("still open: %q", left)
			}
		})
	}
}

type hook func()

func (h hook) Read([]byte) (int, error) { h(); return 0, io.EOF }

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	server := shared(t)
	proxy := testkit.Faulty(t, server.Endpoint)
	proxy.Add(testkit.Fault{Do: testkit.Moved})
	for name, test := range map[string]struct {
		change func(*s3.Config)
		want   error
		says   string
	}{
		"no such bucket": {func(c *s3.Config) { c.Bucket = "not-there" }, store.ErrNoBucket, "create it"},
		"unknown key":    {func(c *s3.Config) { c.Credentials = keys("AKIANOBODY", "hunter2") }, store.ErrCredentials, "AWS_ACCESS_KEY_ID"},
		"wrong secret":   {func(c *s3.Config) { c.Credentials = keys(testkit.S3AccessKey, "hunter2") }, store.ErrCredentials, "AWS_SECRET_ACCESS_KEY"},
		"no credentials": {func(c *s3.Config) { c.Credentials = keys("", "") }, store.ErrDenied, "AWS_ACCESS_KEY_ID"},
		"wrong region":   {func(c *s3.Config) { c.Region = "eu-west-1" }, store.ErrRegion, "region="},
		"moved":          {func(c *s3.Config) { c.Endpoint = proxy.Endpoint }, store.ErrRegion, "region=eu-central-1"},
		"nobody there":   {func(c *s3.Config) { c.Endpoint = "http://127.0.0.1:1"; c.Patience = short }, store.ErrUnavailable, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := configOf(server)
			test.change(&c)
			s := open(t, c)
			_, putErr := s.Put(t.Context(), key, strings.NewReader("x"))
			_, openErr := s.Open(t.Context(), key)
			_, statErr := s.Stat(t.Context(), key)
			var listErr error
			for _, err := range s.List(t.Context(), "") {
				listErr = err
			}
			for operation, err := range map[string]error{"Put": putErr, "Open": openErr, "Stat": statErr, "List": listErr, "Check": s.Check(t.Context()), "Present": s.Present(t.Context())} {
				if errors.Is(err, test.want) && strings.Contains(err.Error(), test.says) {
					continue
				}
				t.Errorf("%s = %v", operation, err)
			}
			for _, err := range []error{putErr, openErr, statErr, listErr} {
				if strings.Contains(fmt.Sprint(err), "hunter2") {
					t.Errorf("a secret is in: %v", err)
				}
			}
		})
	}
}

// When something else arrives than was sent, it is sent again, and never becomes part of an object.
func TestPartWithAnotherChecksumIsSentAgain(t *testing.T) {
	t.Parallel()
	other := testkit.Fault{On: "UploadPart", Do: testkit.EditAnswer, Edit: func(h http.Header) { h.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=") }}
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		s, proxy, c := faulty(t, shared(t), ample)
		once := other
		once.Times = 1
		proxy.Add(once)
		data, before := random(large), proxy.Count("UploadPart")
		if _, err := s.Put(t.Context(), key, only{bytes.NewReader(data)}); err != nil || !bytes.Equal(stored(t, c, key), data) {
			t.Errorf("Put = %v", err)
		}
		if sent := proxy.Count("UploadPart") - before; sent < 4 {
			t.Errorf("three parts were sent with %d requests, want one more", sent)
		}
	})
	t.Run("each time", func(t *testing.T) {
		t.Parallel()
		s, proxy, c := faulty(t, shared(t), short)
		proxy.Add(other)
		if _, err := s.Put(t.Context(), key, only{bytes.NewReader(random(large))}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Put = %v, want ErrUnavailable", err)
		}
		if left := stored(t, c, key); left != nil {
			t.Errorf("%d bytes are left", len(left))
		}
	})
}
