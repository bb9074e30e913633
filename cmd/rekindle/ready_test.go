package main

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/testkit"
)

// answers asks as a watcher does, who waits for a second, and says how long it took.
func (p *process) answers(path string) (status int, body string, took time.Duration) {
	p.t.Helper()
	begun := time.Now()
	status, body = p.get(path)
	return status, body, time.Since(begun)
}

// busy is how late an answer may be because the machine has other things to do.
const busy = 3 * time.Second

// Many watchers ask about a catalog that hangs, and each is told in time.
func TestReadinessIsAnsweredWhileTheDatabaseServerIsFrozen(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t)
	database, err := server.Database("")
	fine(t, err)
	p := newProcess(t)
	p.env = []string{"REKINDLE_CATALOG=" + database}
	p.start()
	testkit.WaitFor(t, "the console to be ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
	fine(t, server.SignalAll(syscall.SIGSTOP))
	thaw := sync.OnceValue(func() error { return server.SignalAll(syscall.SIGCONT) })
	t.Cleanup(func() { _ = thaw() })
	var asked sync.WaitGroup
	for range 20 {
		asked.Go(func() {
			if status, body, took := p.answers("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "catalog") || took > time.Second+busy {
				t.Errorf("/readyz answers %d %s after %s", status, body, took)
			}
		})
	}
	asked.Wait()
	if status, _, took := p.answers("/healthz"); status != http.StatusOK || took > time.Second+busy {
		t.Errorf("/healthz answers %d after %s", status, took)
	}
	fine(t, thaw())
	testkit.WaitFor(t, "the console to be ready again", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
}

// A store that takes connections and says nothing holds up neither the start, nor an answer, nor the end.
func TestReadinessIsAnsweredWhileTheStoreSaysNothing(t *testing.T) {
	t.Parallel()
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	fine(t, err)
	defer hole.Close()
	go func() {
		for {
			taken, err := hole.Accept()
			if err != nil {
				return
			}
			defer taken.Close()
		}
	}()
	p := newProcess(t)
	p.env = []string{"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x"}
	p.start("--store", "s3://snapshots/x?region=us-east-1&path_style=true&endpoint=http://"+hole.Addr().String())
	for range 3 {
		if status, body, took := p.answers("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "The snapshot store cannot be written to") || took > time.Second+busy {
			t.Errorf("/readyz answers %d %s after %s", status, body, took)
		}
	}
	if status, _, took := p.answers("/healthz"); status != http.StatusOK || took > time.Second+busy {
		t.Errorf("/healthz answers %d after %s", status, took)
	}
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "0")) // has a record that is due
	begun := time.Now()
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the end took %s", took)
	}
}
