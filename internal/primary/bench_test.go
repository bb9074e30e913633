package primary_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/primary"
	"rekindle/internal/testkit"
)

// BenchmarkReplay has a node brought up to a place by its stream, and, of the same engine, a replica that was halted catch up with the very same stream
// from its primary. What counts is the ratio of the two, "of-a-replica": 1 is as fast as the engine itself. Medians of three, taken in turn.
func BenchmarkReplay(b *testing.B) {
	const writes = 1_000_000
	for b.Loop() {
		var held, real []float64
		for range 3 {
			h, r := replayed(b, writes)
			held, real = append(held, h.Seconds()), append(real, r.Seconds())
		}
		slices.Sort(held)
		slices.Sort(real)
		b.ReportMetric(writes/held[1], "writes/s")
		b.ReportMetric(real[1]/held[1], "of-a-replica")
	}
}

// replayed says how long both took.
func replayed(b *testing.B, writes int) (held, real time.Duration) {
	source := testkit.Redis(b, "--client-output-buffer-limit", "replica 0 0 0", "--repl-diskless-sync-delay", "0")
	h := testkit.NewHistory(b, source)
	replica := testkit.Redis(b, "--replicaof", source.Host+" "+strconv.Itoa(source.Port))
	testkit.WaitFor(b, "the replica to be in step", func() bool { return field(b, replica, "master_link_status") == "up" })
	replica.Signal(syscall.SIGSTOP)
	pipe := source.Client().Pipeline()
	value := strings.Repeat("x", 100)
	for i := range writes {
		pipe.Set(b.Context(), "key:"+strconv.Itoa(i*7919%500_000), value, 0)
		if pipe.Len() == 5_000 || i == writes-1 {
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	end := offsetOf(b, source)
	stream := h.UpTo(b, end)

	began := time.Now()
	replica.Signal(syscall.SIGCONT)
	testkit.WaitFor(b, "the replica to catch up", func() bool {
		at, err := strconv.ParseInt(field(b, replica, "slave_repl_offset"), 10, 64)
		return err == nil && at >= end
	})
	real = time.Since(began)
	replica.Kill()

	target := testkit.Redis(b)
	began = time.Now()
	node, err := primary.Hold(b.Context(), targetOf(target), dumpOf(b, h.RDB), placeOf(h), streamOf(bytes.NewReader(stream)), primary.Options{})
	if err != nil {
		b.Fatal(err)
	}
	held = time.Since(began)
	if err := node.Close(); err != nil {
		b.Error(err)
	}
	return held, real
}
