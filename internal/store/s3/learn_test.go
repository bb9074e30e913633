package s3_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

// A server that keeps small objects correctly but not those in parts is found out before the first snapshot fails.
func TestCheckFindsOutThatPartsAreNotKept(t *testing.T) {
	t.Parallel()
	ofParts := false // whether the object that is looked at was sent in parts
	for name, test := range map[string]struct {
		faults []testkit.Fault
		want   error
		says   string
	}{
		"no checksum over parts": {[]testkit.Fault{
			{On: "CompleteMultipartUpload", Do: testkit.EditAnswer, Edit: func(h http.Header) { ofParts = true; noChecksums(h) }},
			{On: "HeadObject", If: func(*http.Request) bool { return ofParts }, Do: testkit.EditAnswer, Edit: noChecksums},
		}, store.ErrUnsafe, "checksums=compatible"},
		"uploads are forgotten": {[]testkit.Fault{{On: "UploadPart", Do: testkit.Answer, Status: 404, Code: "NoSuchUpload"}}, store.ErrUploadGone, "another console"},
		"no uploads":            {[]testkit.Fault{{On: "CreateMultipartUpload", Do: testkit.Answer, Status: 501, Code: "NotImplemented"}}, nil, "checksums=compatible"},
	} {
		s, proxy, c := faulty(t, shared(t), ample)
		proxy.Add(test.faults...)
		err := s.Check(t.Context())
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "cannot keep what is sent in parts") {
			t.Errorf("%s: Check = %v", name, err)
		}
		ofParts = false
		if left := shared(t).Objects(c.Bucket, c.Prefix+"/"); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
		proxy.Clear()
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("%s: Check of a server that has learned it = %v", name, err)
		}
	}
}

func TestServerThatTakesWrongChecksumsIsToldOf(t *testing.T) {
	t.Parallel()
	for _, checksums := range []s3.Checksums{s3.CRC64NVME, s3.Compatible} {
		for _, on := range []string{"PutObject", "UploadPart", ""} {
			c := configOf(shared(t))
			c.Checksums = checksums
			proxy := testkit.Faulty(t, c.Endpoint)
			behind := c
			behind.Endpoint = proxy.Endpoint
			s := openChecked(t, shared(t), behind)
			if on != "" { // as the answer of a server that did not look
				wrong := func(r *http.Request) bool {
					return r.Header.Get("X-Amz-Checksum-Crc64nvme") == "AAAAAAAAAAA=" || r.Header.Get("Content-Md5") == "1B2M2Y8AsgTpgAmY7PhCfg=="
				}
				proxy.Add(testkit.Fault{On: on, If: wrong, Do: testkit.Answer, Status: 200})
			}
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("%s, %q: Check = %v", checksums, on, err)
			}
			d, err := s.Describe(t.Context())
			if err != nil || (on == "") != (len(d.Warnings) == 0) || on != "" && !strings.Contains(d.Warnings[0], "checksum is wrong") {
				t.Errorf("%s, %q: Describe = %+v, %v", checksums, on, d, err)
			}
			if d.Conditional != "yes" {
				t.Errorf("Conditional = %q", d.Conditional)
			}
			if left := shared(t).Objects(c.Bucket, c.Prefix+"/"); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		}
	}
}

// The message says what is wrong with a server, whether it answers or no longer does.
func TestUnavailableSaysHow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault testkit.Fault
		want  error
	}{
		"SlowDown":        {testkit.Fault{Do: testkit.Refuse}, store.ErrBusy},
		"429":             {testkit.Fault{Do: testkit.Answer, Status: 429, Code: "TooManyRequests"}, store.ErrBusy},
		"reset":           {testkit.Fault{Do: testkit.Cut}, store.ErrCut},
		"stands still":    {testkit.Fault{Do: testkit.Stall}, store.ErrSlow},
		"RequestTimeout":  {testkit.Fault{Do: testkit.Answer, Status: 400, Code: "RequestTimeout"}, store.ErrSlow},
		"an error of its": {testkit.Fault{Do: testkit.Answer, Status: 500, Code: "InternalError"}, store.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, _ := faulty(t, shared(t), 2*short)
			test.fault.If = func(r *http.Request) bool { return r.Method != http.MethodHead } // whose answers say nothing
			proxy.Add(test.fault)
			_, putErr := s.Put(t.Context(), key, bytes.NewReader(random(small)))
			_, bigErr := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))})
			_, createErr := s.Create(t.Context(), key, bytes.NewReader(random(small)))
			_, openErr := s.Open(t.Context(), key)
			for operation, err := range map[string]error{"Put": putErr, "Put in parts": bigErr, "Create": createErr, "Open": openErr, "Check": s.Check(t.Context())} {
				if !errors.Is(err, test.want) || !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s = %v", operation, err)
				}
				for _, other := range []error{store.ErrBusy, store.ErrCut, store.ErrSlow} {
					if other != test.want && errors.Is(err, other) {
						t.Errorf("%s = %v, which is %v, too", operation, err, other)
					}
				}
			}
		})
	}
}

// A lifecycle rule, or another console, may end an upload in the middle.
func TestUploadThatWasEndedOnTheServer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(s3.Config) testkit.Fault{
		"before a part": func(s3.Config) testkit.Fault {
			return testkit.Fault{On: "UploadPart", Do: testkit.Answer, Status: 404, Code: "NoSuchUpload"}
		},
		"before it is one": func(c s3.Config) testkit.Fault {
			return testkit.Fault{On: "CompleteMultipartUpload", Times: 1, Do: testkit.Note, Then: func() {
				if err := open(t, c).Abandon(context.WithoutCancel(t.Context()), key); err != nil {
					t.Error(err)
				}
			}}
		},
	} {
		s, proxy, c := faulty(t, shared(t), ample)
		proxy.Add(fault(c))
		if _, err := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))}); !errors.Is(err, store.ErrUploadGone) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: Put = %v", name, err)
		}
	}
}
