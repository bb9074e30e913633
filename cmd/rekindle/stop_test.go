package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"rekindle/internal/drain"
	"rekindle/internal/testkit"
)

// A browser is in the middle of a file that will never end when the console is told to.
func TestConsoleThatIsStoppedInTheMiddleOfAnUploadEndsWell(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	db := p.catalog()
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	for _, field := range [][2]string{{"cluster", "elsewhere"}, {"name", "back"}} {
		fine(t, form.WriteField(field[0], field[1]))
	}
	file, err := form.CreateFormFile("file", "dump.rdb")
	fine(t, err)
	_, err = file.Write([]byte("REDIS0010\xfa\x09redis-ver\x067.0.15"))
	fine(t, err)
	body, sending := io.Pipe()
	defer sending.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+importAddress, io.MultiReader(&head, body))
	fine(t, err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Origin", p.url)
	answered := make(chan error, 1)
	go func() {
		answer, err := p.client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
		}
		answered <- err
	}()
	testkit.WaitFor(t, "the upload to be under way", func() bool {
		runs, err := db.Runs.Active(t.Context())
		return err == nil && len(runs) == 1
	})
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	_ = sending.CloseWithError(io.ErrUnexpectedEOF) // for the client waits for its body, too
	if err := <-answered; err == nil {
		t.Error("the upload was answered as if it were whole")
	}
	if said := p.output.tail(1 << 16); strings.Contains(said, "database is closed") || strings.Contains(said, "panic") {
		t.Errorf("what the upload used was closed under it:\n%s", said)
	}
	if runs, err := db.Runs.Active(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("left under way: %+v, %v", runs, err)
	}
	if owners, err := db.Owners.All(t.Context()); err != nil || len(owners) != 0 {
		t.Errorf("it has not given its lease back: %+v, %v", owners, err)
	}
}

// The catalog is closed next, so a server that fails has to see its requests out as one does that is stopped.
func TestRequestsEndAlsoWhenTheServerFails(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	var requests drain.Group
	server := httptest.NewServer(requests.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-goOn
		ended.Store(true)
	})))
	defer server.Close()
	server.Config.RegisterOnShutdown(func() { close(goOn) })
	asked := make(chan error, 1)
	go func() {
		answer, err := server.Client().Get(server.URL)
		if err == nil {
			err = answer.Body.Close()
		}
		asked <- err
	}()
	<-begun
	failed := make(chan error, 1)
	broken := errors.New("too many open files")
	failed <- broken
	if err := untilStopped(t.Context(), server.Config, failed, &requests, slog.New(slog.DiscardHandler)); !errors.Is(err, broken) || !ended.Load() {
		t.Errorf("it ends with %v, and the request has ended: %t", err, ended.Load())
	}
	if err := <-asked; err != nil {
		t.Errorf("the request was answered with %v", err)
	}
}
