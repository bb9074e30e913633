package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/testkit"
)

// AWS documents that it may take minutes to make an object of its parts. That must not cost what was sent for hours.
func TestCompleteMayTakeLongerThanAPart(t *testing.T) {
	t.Parallel()
	_, proxy, c := faulty(t, shared(t), 2*short)
	c.Endpoint, c.Finish = proxy.Endpoint, time.Minute
	s := openChecked(t, shared(t), c)
	proxy.Add(testkit.Fault{On: "CompleteMultipartUpload", Times: 1, Do: testkit.Note, Then: func() { time.Sleep(4 * short) }})
	data := random(large)
	if _, err := s.Put(t.Context(), key, only{bytes.NewReader(data)}); err != nil || !bytes.Equal(stored(t, c, key), data) {
		t.Errorf("Put = %v", err)
	}
	if n := proxy.Count("CompleteMultipartUpload"); n != 1 {
		t.Errorf("asked %d times for the same object", n)
	}
}

// lateProxy is a typical proxy in front of a server: it gives up on a Complete, which is carried out later all the same.
func lateProxy(t *testing.T, endpoint string, late time.Duration, giveUp func(http.ResponseWriter)) string {
	t.Helper()
	plain := testkit.Faulty(t, endpoint)
	var carried sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.RequestURI, again.URL.Scheme, again.URL.Host, again.Body = "", "http", plain.Endpoint[len("http://"):], io.NopCloser(bytes.NewReader(body))
		send := func() *http.Response {
			answer, err := http.DefaultTransport.RoundTrip(again)
			if err != nil {
				t.Errorf("%s %s: %v", r.Method, r.URL, err)
				return nil
			}
			return answer
		}
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
			carried.Go(func() {
				time.Sleep(late)
				if answer := send(); answer != nil {
					_ = answer.Body.Close()
				}
			})
			giveUp(w)
			return
		}
		answer := send()
		if answer == nil {
			return
		}
		defer answer.Body.Close()
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		carried.Wait()
	})
	return server.URL
}

func TestCompleteThatIsCarriedOutAfterTheProxyGaveUp(t *testing.T) {
	t.Parallel()
	for name, giveUp := range map[string]func(http.ResponseWriter){
		"504": func(w http.ResponseWriter) { w.WriteHeader(http.StatusGatewayTimeout) },
		"no such upload, as it is being completed": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchUpload</Code><Message>x</Message></Error>`)
		},
		"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first sync.Once
			c := configOf(shared(t))
			c.Patience, c.Finish = 8*short, time.Minute
			behind := c
			behind.Endpoint = lateProxy(t, c.Endpoint, 2*short, func(w http.ResponseWriter) {
				then := giveUp
				first.Do(func() { then = func(w http.ResponseWriter) { w.WriteHeader(http.StatusGatewayTimeout) } })
				then(w)
			})
			data := random(middle)
			if _, err := openChecked(t, shared(t), behind).Put(t.Context(), key, only{bytes.NewReader(data)}); err != nil || !bytes.Equal(stored(t, c, key), data) {
				t.Errorf("Put = %v", err)
			}
		})
	}
}

// There is no need to wait for an answer that never comes: the object is there.
func TestAnswerToCompleteThatIsSwallowed(t *testing.T) {
	t.Parallel()
	_, proxy, c := faulty(t, shared(t), 2*short)
	c.Endpoint, c.Finish = proxy.Endpoint, 40*short
	s := openChecked(t, shared(t), c)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	proxy.Add(testkit.Fault{On: "CompleteMultipartUpload", Do: testkit.EditAnswer, Edit: func(http.Header) { <-over }})
	began := time.Now()
	if _, err := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))}); err != nil {
		t.Errorf("Put = %v", err)
	}
	if took := time.Since(began); took > 20*short {
		t.Errorf("it took %s", took)
	}
}

func TestCompleteEndsAtItsOwnLimitOrWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	_, proxy, c := faulty(t, shared(t), short)
	// A part may take longer on a busy machine than the timeout here, and is not what this test is about.
	patient := c
	patient.Endpoint, patient.Patience = proxy.Endpoint, 16*short
	s := openChecked(t, shared(t), patient)
	proxy.Add(testkit.Fault{On: "CompleteMultipartUpload", Do: testkit.Stall})
	began := time.Now()
	_, err := s.Put(t.Context(), key, only{bytes.NewReader(random(middle))})
	if took := time.Since(began); !errors.Is(err, store.ErrUnavailable) || took < 2*short || took > 12*short {
		t.Errorf("Put = %v after %s with a limit of %s", err, took, 2*short)
	}
	if stored(t, c, key) != nil {
		t.Error("an object is left")
	}

	behind := patient
	behind.Finish = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	proxy.Clear()
	proxy.Add(testkit.Fault{On: "CompleteMultipartUpload", Do: testkit.Stall, Then: cancel})
	began = time.Now()
	if _, err := openChecked(t, shared(t), behind).Put(ctx, key, only{bytes.NewReader(random(middle))}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v", err)
	}
	if took := time.Since(began); took > 60*time.Second {
		t.Errorf("it took %s to cancel", took)
	}
}
