package testkit

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Fault is what FaultyS3 does with a request instead of simply passing it on and its answer back.
type Fault struct {
	On    string                   // the operation, such as "UploadPart", see operation; "" for all
	If    func(*http.Request) bool // nil: for each
	Times int                      // how often; 0: always
	Do    Trouble

	After  int64             // CutAnswer, FlipAnswer: bytes of the answer's body that are passed on first
	Edit   func(http.Header) // EditAnswer: changes the answer's headers
	Then   func()            // called each time, before the trouble
	Code   string            // Answer: S3's error code; "" for none
	Status int               // Answer: the status
	seen   int
}

// Trouble is a kind of Fault.
type Trouble int

// Kinds of trouble.
const (
	Refuse     Trouble = iota // 503 SlowDown, not passed on
	ErrorIn200                // a 200 with an error in its body, not passed on
	Cut                       // the connection is cut, nothing is passed on
	Stall                     // nothing is passed on, and no answer comes
	LoseAnswer                // passed on and carried out, then the connection is cut
	CutAnswer                 // passed on; the answer's body is cut after After bytes
	FlipAnswer                // passed on; a bit of the answer's body is flipped after After bytes
	EditAnswer                // passed on; the answer's headers are changed by Edit
	Moved                     // 301 with the right region
	Note                      // passed on unchanged; only Then is called
	Answer                    // Status, and with Code an error, not passed on
)

// FaultyS3 is a proxy in front of an S3 server that causes faults when told to.
type FaultyS3 struct {
	Endpoint string

	mu     sync.Mutex
	faults []*Fault
	counts map[string]int
	over   chan struct{} // closed with the test
}

// Faulty starts a proxy in front of the S3 server at an endpoint. It ends with the test.
func Faulty(t testing.TB, endpoint string) *FaultyS3 {
	t.Helper()
	upstream, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := &FaultyS3{counts: map[string]int{}, over: make(chan struct{})}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = upstream.Scheme, upstream.Host
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { cutOff(w) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, proxy) }))
	f.Endpoint = server.URL
	t.Cleanup(func() {
		close(f.over)
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	return f
}

// Add makes faults happen from now on. Of those that match a request the first is used.
func (f *FaultyS3) Add(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		f.faults = append(f.faults, &fault)
	}
}

// Clear ends all faults.
func (f *FaultyS3) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Count is how many requests of an operation there were.
func (f *FaultyS3) Count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[operation]
}

func (f *FaultyS3) next(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := operation(r)
	f.counts[name]++
	for _, fault := range f.faults {
		if (fault.On == "" || fault.On == name) && (fault.If == nil || fault.If(r)) && (fault.Times == 0 || fault.seen < fault.Times) {
			fault.seen++
			return fault
		}
	}
	return nil
}

// operation is S3's name for a request.
func operation(r *http.Request) string {
	query := r.URL.Query()
	object := strings.Contains(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPut && query.Has("partNumber"):
		return "UploadPart"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == http.MethodDelete:
		return "DeleteObject"
	case r.Method == http.MethodHead && object:
		return "HeadObject"
	case r.Method == http.MethodHead:
		return "HeadBucket"
	case query.Has("uploads"):
		return "ListMultipartUploads"
	case query.Has("list-type"):
		return "ListObjectsV2"
	}
	return "GetObject"
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func (f *FaultyS3) serve(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	fault := f.next(r)
	if fault == nil {
		proxy.ServeHTTP(w, r)
		return
	}
	if fault.Then != nil {
		fault.Then()
	}
	switch fault.Do {
	case Refuse:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, xmlHead+`<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>`)
	case ErrorIn200:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, xmlHead+`<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>`)
	case Moved:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		w.WriteHeader(http.StatusMovedPermanently)
		_, _ = io.WriteString(w, xmlHead+`<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message></Error>`)
	case Answer:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(fault.Status)
		if fault.Code == "" {
			return
		}
		_, _ = io.WriteString(w, xmlHead+`<Error><Code>`+fault.Code+`</Code><Message>What a test wants.</Message></Error>`)
	case Cut:
		cutOff(w)
	case Stall:
		_, _ = io.CopyN(io.Discard, r.Body, 100_000)
		select {
		case <-f.over:
		case <-r.Context().Done():
		}
		cutOff(w)
	case LoseAnswer:
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		cutOff(w)
	case CutAnswer:
		proxy.ServeHTTP(&shortAnswer{ResponseWriter: w, left: fault.After}, r)
	case FlipAnswer:
		proxy.ServeHTTP(&flippedAnswer{ResponseWriter: w, left: fault.After}, r)
	case EditAnswer:
		proxy.ServeHTTP(&editedAnswer{ResponseWriter: w, edit: fault.Edit}, r)
	case Note:
		proxy.ServeHTTP(w, r)
	}
}

// cutOff ends the connection of a request with a reset.
func cutOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

type shortAnswer struct {
	http.ResponseWriter
	left int64
}

func (a *shortAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *shortAnswer) Write(data []byte) (int, error) {
	n, err := a.ResponseWriter.Write(data[:min(int64(len(data)), a.left)])
	if a.left -= int64(n); err != nil || n < len(data) {
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		panic(http.ErrAbortHandler) // how a handler cuts the connection
	}
	return n, nil
}

type flippedAnswer struct {
	http.ResponseWriter
	left int64 // before the flip
}

func (a *flippedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *flippedAnswer) Write(data []byte) (int, error) {
	if 0 <= a.left && a.left < int64(len(data)) {
		data = bytes.Clone(data)
		data[a.left] ^= 0x10
	}
	a.left -= int64(len(data))
	return a.ResponseWriter.Write(data)
}

type editedAnswer struct {
	http.ResponseWriter
	edit func(http.Header)
}

func (a *editedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *editedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK { // a 100 asks for the body of the request, and is not the answer yet
		a.edit(a.Header())
	}
	a.ResponseWriter.WriteHeader(status)
}
