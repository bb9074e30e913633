package journal

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// supply is a Link that has a stream at once.
type supply struct {
	*wire
	data   []byte
	offset int64
}

func (s *supply) Offset() int64 { return s.offset }

func (s *supply) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	s.offset += int64(n)
	return n, nil
}

// jsonSETs is what an application writes: JSON strings of about 180 bytes.
func jsonSETs(n int) (stream []byte) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range n {
		id := rnd.IntN(1_000_000)
		stream = resp.AppendCommand(stream, "SET", fmt.Sprintf("user:%07d", id), fmt.Sprintf(
			`{"id":%d,"session":"%016x","email":"user%d@example.com","active":%t,"tags":["alpha","beta","gamma"],"score":%.3f,"created":"2024-01-02T03:%02d:%02dZ"}`,
			id, rnd.Uint64(), id, id%2 == 0, rnd.Float64(), rnd.IntN(60), rnd.IntN(60)))
	}
	return stream
}

func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRecorder stores a stream in a folder: what that costs in CPU, and what is stored.
func BenchmarkRecorder(b *testing.B) {
	const sets = 200_000
	for name, stream := range map[string][]byte{"JSON": jsonSETs(sets), "small": streams["SmallSETs"](sets)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			var stored int64
			before := cpu()
			for b.Loop() {
				st, err := dir.Open(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				stored = 0
				_ = Record(b.Context(), &supply{wire: newWire(0), data: stream}, st, orders, runA, RecorderOptions{SpoolDir: b.TempDir(), OnSegment: func(s Segment, _ Index) { stored += s.Size }})
			}
			b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N)/(float64(len(stream))/1e6), "CPU-ms/MB")
			b.ReportMetric(float64(stored)/sets, "stored-B/SET")
		})
	}
}

// BenchmarkReader reads a chain of segments from a folder.
func BenchmarkReader(b *testing.B) {
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	stream := jsonSETs(400_000)
	var chain []Segment
	_ = Record(b.Context(), &supply{wire: newWire(0), data: stream}, st, orders, runA, RecorderOptions{SpoolDir: b.TempDir(), OnSegment: func(s Segment, _ Index) { chain = append(chain, s) }})
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		r, err := Open(b.Context(), st, chain, 0, int64(len(stream)))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(stream)) {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

// BenchmarkBesideASaturatedNode has redis-benchmark saturate a server, with a recording and without one, in turn. Everything shares the cores of this
// machine. It reports what the server achieved, by the ratio of the two, how far behind the recording was right after the end, and what it needed.
func BenchmarkBesideASaturatedNode(b *testing.B) {
	s := testkit.Redis(b, "--repl-backlog-size", "64mb")
	src := replica.Source{Options: resp.Options{Addr: s.Addr}}
	stream, err := replica.Open(b.Context(), src, replica.Options{}) // so that it has a backlog
	if err != nil {
		b.Fatal(err)
	}
	stream.Close()
	saturate(b, s) // all keys are there from now on
	var without, with, behind, spent, bytes float64
	for b.Loop() {
		without += saturate(b, s)
		link, end := beside(b, src)
		from, before := link.Offset(), cpu()
		with += saturate(b, s)
		now, err := replica.Current(b.Context(), src)
		if err != nil {
			b.Fatal(err)
		}
		behind += float64(now.Offset - link.Offset())
		for link.Offset() < now.Offset {
			time.Sleep(time.Millisecond)
		}
		spent += (cpu() - before).Seconds() * 1000
		bytes += float64(now.Offset - from)
		end()
	}
	n := float64(b.N)
	b.ReportMetric(without/n, "SETs/s-without")
	b.ReportMetric(with/n, "SETs/s-with")
	b.ReportMetric(with/without, "ratio")
	b.ReportMetric(behind/n/1e3, "kB-behind")
	b.ReportMetric(spent/(bytes/1e6), "CPU-ms/MB")
}

// saturate returns how many SETs a second a server carried out.
func saturate(b *testing.B, s *testkit.Server) float64 {
	b.Helper()
	began := time.Now()
	out, err := exec.Command("redis-benchmark", "-p", strconv.Itoa(s.Port), "-t", "set", "-n", "500000", "-d", "100", "-r", "100000", "-P", "8", "-q").CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return 500_000 / time.Since(began).Seconds()
}

// beside records a node from now on, until end is called.
func beside(b *testing.B, src replica.Source) (link *replica.Link, end func()) {
	b.Helper()
	now, err := replica.Current(b.Context(), src)
	if err != nil {
		b.Fatal(err)
	}
	if link, err = replica.Follow(b.Context(), src, now.At, replica.Options{}); err != nil {
		b.Fatal(err)
	}
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = Record(ctx, link, st, orders, runA, RecorderOptions{SpoolDir: b.TempDir()})
	}()
	return link, func() { stop(); <-done }
}
