package drain_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekindle/internal/drain"
)

func TestCloseWaitsForWhatWasLetIn(t *testing.T) {
	t.Parallel()
	var group drain.Group
	var under atomic.Int64
	var work sync.WaitGroup
	for range 50 {
		work.Go(func() {
			for group.Enter() {
				under.Add(1)
				under.Add(-1)
				group.Leave()
			}
		})
	}
	if !group.Enter() {
		t.Fatal("nothing is let in")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := group.Close(ended); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the last ") {
		t.Errorf("Close with something under way = %v", err)
	}
	if group.Enter() {
		t.Error("something is let in after Close")
	}
	closed := make(chan error, 2)
	for range 2 {
		go func() { closed <- group.Close(t.Context()) }()
	}
	group.Leave()
	for range 2 {
		if err := <-closed; err != nil || under.Load() != 0 {
			t.Errorf("Close = %v with %d under way", err, under.Load())
		}
	}
	work.Wait()
	if err := group.Close(ended); err != nil {
		t.Errorf("Close of what is empty = %v", err)
	}
}

func TestRequestsEndBeforeWhatTheyUseIsClosed(t *testing.T) {
	t.Parallel()
	var group drain.Group
	begun, closed := make(chan struct{}), false
	server := httptest.NewServer(group.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()                // the connection was cut
		<-time.After(20 * time.Millisecond) // and its end takes a moment
		if closed {
			t.Error("what the request uses was closed under it")
		}
	})))
	t.Cleanup(server.Close)
	go func() { _, _ = http.Get(server.URL) }()
	<-begun
	server.CloseClientConnections()
	if err := group.Close(t.Context()); err != nil {
		t.Error(err)
	}
	closed = true
	answer := httptest.NewRecorder()
	group.Handler(http.NotFoundHandler()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("a request after Close is answered with %d", answer.Code)
	}
}
