package replica_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

// bigSource is a node with a short repl-timeout and more data than the buffers between it and a reader hold.
func bigSource(t *testing.T) *testkit.Server {
	t.Helper()
	source := testkit.Redis(t, "--repl-timeout", "2", "--rdbcompression", "no")
	value := strings.Repeat("x", 1<<20)
	for i := range 32 {
		if err := source.Client().Set(t.Context(), fmt.Sprint(i), value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return source
}

// A reader that stalls for too long is told so before the node gives up on it, and the node is released.
func TestStalledReaderLetsTheNodeGoBeforeItIsCutOff(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]int{"before the first byte": 0, "in the middle": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := bigSource(t)
			stalled := make(chan error, 1)
			s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{OnStall: func(err error) { stalled <- err }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := s.Origin().ReplTimeout; got != 2*time.Second {
				t.Errorf("repl-timeout is %s", got)
			}
			if _, err := io.ReadFull(s, make([]byte, read)); err != nil {
				t.Fatal(err)
			}
			if err := <-stalled; !errors.Is(err, replica.ErrStalled) {
				t.Errorf("told %v", err)
			}
			if _, err := io.Copy(io.Discard, s); !errors.Is(err, replica.ErrStalled) {
				t.Errorf("read %v", err)
			}
			testkit.WaitFor(t, "the node to be let go", func() bool {
				return strings.Contains(source.Client().Info(t.Context(), "replication").Val(), "connected_slaves:0")
			})
			if strings.Contains(source.Log(), "timedout") {
				t.Error("the node was faster")
			}
		})
	}
}

// A reader that takes its time, within what the node tolerates, gets everything, however long it all takes.
func TestSlowReaderGetsEverything(t *testing.T) {
	t.Parallel()
	source := bigSource(t)
	s, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: source.Addr}}, replica.Options{OnStall: func(err error) { t.Errorf("stalled: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	piece := make([]byte, 8<<20)
	for {
		_, err := io.ReadFull(s, piece)
		if err == io.EOF || err == io.ErrUnexpectedEOF { // the second of ReadFull: the last piece is shorter
			break
		} else if err != nil {
			t.Fatal(err)
		}
		<-time.After(600 * time.Millisecond) // being slow is what is tested; 5 times this is more than the node's repl-timeout
	}
	if _, err := s.Read(piece); err != io.EOF {
		t.Errorf("the end is %v", err)
	}
}
