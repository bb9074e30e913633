package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// wire is a Link whose bytes come from the test.
type wire struct {
	id, previous string
	begin        int64

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	waits   bool // a Read waits for more
	taken   int64
	stored  int64
	end     error
}

func newWire(begin int64) *wire {
	w := &wire{id: id1, begin: begin}
	w.changed = sync.NewCond(&w.mu)
	return w
}

func (w *wire) ReplicationID() string { return w.id }
func (w *wire) PreviousID() string    { return w.previous }

func (w *wire) Offset() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begin + w.taken
}

func (w *wire) Stored(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored = offset
}

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) == 0 && w.end == nil {
		w.waits = true
		w.changed.Broadcast()
		w.changed.Wait()
	}
	w.waits = false
	if len(w.pending) == 0 {
		return 0, w.end
	}
	n := copy(p, w.pending)
	w.pending = w.pending[n:]
	w.taken += int64(n)
	w.changed.Broadcast()
	return n, nil
}

func (w *wire) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end == nil {
		w.end = err
	}
	w.changed.Broadcast()
}

func (w *wire) Close() error {
	w.mu.Lock()
	w.pending = nil
	w.mu.Unlock()
	w.finish(errors.New("the link was closed"))
	return nil
}

// send hands over bytes, and returns when they have been read and dealt with.
func (w *wire) send(stream string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending, w.waits = append(w.pending, stream...), false
	w.changed.Broadcast()
	for (len(w.pending) > 0 || !w.waits) && w.end == nil {
		w.changed.Wait()
	}
}

// recording is a Record that runs.
type recording struct {
	t     *testing.T
	link  *wire
	clock *settable
	stop  context.CancelFunc
	done  chan struct{} // closed at the end
	err   error

	mu       sync.Mutex
	segments []Segment
	indexes  []Index
	state    State
}

// settable is a clock that can be set, while time goes on as before.
type settable struct {
	*clockwork.FakeClock
	ahead atomic.Int64
}

func (s *settable) Now() time.Time { return s.FakeClock.Now().Add(time.Duration(s.ahead.Load())) }

var orders = Place{"orders", 1}

func record(t *testing.T, link *wire, st store.Store, o RecorderOptions) *recording {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &recording{t: t, link: link, clock: &settable{FakeClock: clockwork.NewFakeClockAt(day)}, stop: stop, done: make(chan struct{})}
	o.Clock = r.clock
	o.OnSegment = func(s Segment, x Index) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.segments, r.indexes = append(r.segments, s), append(r.indexes, x)
	}
	o.OnState = func(s State) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.state = s
	}
	go func() {
		defer close(r.done)
		r.err = Record(ctx, link, st, orders, runA, o)
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
	})
	return r
}

// end waits for the recording's end.
func (r *recording) end() error {
	r.t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(2 * time.Minute):
		r.t.Fatal("the recording does not end")
		return nil
	}
}

func (r *recording) now() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// await waits until as many segments are stored.
func (r *recording) await(n int) {
	r.t.Helper()
	testkit.WaitFor(r.t, fmt.Sprint(n, " segments"), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.segments) >= n
	})
}

// pass lets time pass, in steps that tickers notice.
func (r *recording) pass(d time.Duration) {
	r.t.Helper()
	for ; d > 0; d -= 500 * time.Millisecond {
		if err := r.clock.BlockUntilContext(r.t.Context(), 1); err != nil {
			r.t.Fatal(err)
		}
		r.clock.Advance(min(d, 500*time.Millisecond))
	}
}

func folder(t *testing.T) *dir.Store {
	t.Helper()
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// listed are the segments in a store.
func listed(t *testing.T, st store.Store) (all []Segment) {
	t.Helper()
	for s, err := range List(t.Context(), st, "orders", time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// bytesOf are those of a run between two places.
func bytesOf(t *testing.T, st store.Store, segments []Segment, from, to int64) (string, error) {
	t.Helper()
	chain, err := Chain(segments, runA, from, to)
	if err != nil {
		return "", err
	}
	r, err := Open(t.Context(), st, chain, from, to)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

// sets are commands that do not compress well, of at least so many bytes.
func sets(seed uint64, size int) string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for b.Len() < size {
		value := make([]byte, 1+rnd.IntN(1000))
		for i := range value {
			value[i] = byte(rnd.Uint32())
		}
		b.WriteString(command("SET", fmt.Sprint("key:", rnd.IntN(1000)), string(value)))
	}
	return b.String()
}

// A clock that was set does not keep what came from being stored in time, and what comes has the time that the clock says.
func TestASegmentEndsWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{})
	stream := sets(1, 500)
	link.send(stream)
	for i, ahead := range []time.Duration{31 * 24 * time.Hour, 0, -3 * time.Hour} {
		r.pass(3 * time.Second)
		r.clock.ahead.Store(int64(ahead))
		next := sets(uint64(i+2), 500)
		stream += next
		link.send(next)
		r.await(i + 1)
	}
	r.pass(12 * time.Second)
	r.await(4)
	if got, err := bytesOf(t, st, listed(t, st), 0, int64(len(stream))); err != nil || got != stream {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, ahead := range []time.Duration{0, 31 * 24 * time.Hour, 0, -3 * time.Hour} {
		if s := r.segments[i]; s.Begin.Sub(day.Add(ahead)).Abs() > time.Minute || s.End.Sub(s.Begin) > time.Minute {
			t.Errorf("segment %d is of %s to %s", i, s.Begin, s.End)
		}
		if m := r.indexes[i].Marks; len(m) == 0 || m[len(m)-1].At.Sub(day.Add(ahead)).Abs() > time.Minute {
			t.Errorf("segment %d has the marks %v", i, m)
		}
	}
}

func TestWhatIsRecordedIsReadBack(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(5000)
	r := record(t, link, st, RecorderOptions{Bytes: 10_000})
	stream := sets(1, 55_000)
	for rest := stream; rest != ""; {
		n := min(len(rest), 777)
		link.send(rest[:n])
		rest = rest[n:]
	}
	lost := errors.New("the wire is cut")
	link.finish(lost)
	if err := r.end(); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	end := 5000 + int64(len(stream))
	found := listed(t, st)
	if len(found) != len(stream)/10_000+1 || found[0].From != 5000 || found[len(found)-1].To != end {
		t.Fatalf("%d segments: %v", len(found), found)
	}
	for i, s := range found {
		x, err := Verify(t.Context(), st, s)
		if err != nil || x.Segment(s.Size) != s || s != r.segments[i] {
			t.Errorf("%v: %+v", err, x)
		}
		if y, err := ReadIndex(t.Context(), st, s); err != nil || y.Digest != x.Digest || y.Start != r.indexes[i].Start {
			t.Errorf("index %+v, %v", y, err)
		}
	}
	rnd := rand.New(rand.NewPCG(3, 1))
	for range 50 {
		from := 5000 + rnd.Int64N(int64(len(stream)))
		to := from + rnd.Int64N(end-from+1)
		if got, err := bytesOf(t, st, found, from, to); err != nil || got != stream[from-5000:to-5000] {
			t.Fatalf("%d to %d: %d bytes, %v", from, to, len(got), err)
		}
	}
	if state := r.now(); state.Stored != end || state.Received != end || state.Resume.Offset != end || state.Waiting != 0 || link.stored != end {
		t.Errorf("state %+v, told the node %d", state, link.stored)
	}
}

func TestOpenEndsWithItsContextAndNamesGaps(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{Bytes: 1000})
	stream := sets(1, 20_000)
	link.send(stream)
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	found := listed(t, st)
	if _, err := Open(t.Context(), st, found[:3], 0, 5000); err == nil || !strings.Contains(err.Error(), "3000 to 5000") {
		t.Errorf("a chain that is too short: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reader, err := Open(ctx, st, found, 0, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := io.ReadFull(reader, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	cancel(enough)
	if _, err := io.Copy(io.Discard, reader); !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

// With any byte of a segment changed, or some missing, nothing of it is handed out, and the error says which segment it is. (A few bits of zstd's header
// say nothing about the content: with another one of these the bytes are still right.)
func TestDamageIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	st, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	link := newWire(0)
	r := record(t, link, st, RecorderOptions{Bytes: 400})
	stream := command("MULTI") + command("SET", "a", strings.Repeat("b", 700)) + command("EXEC") + command("SET", "c", "d") + sets(1, 300)
	link.send(stream)
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	found := listed(t, st)
	if len(found) < 3 {
		t.Fatal(found)
	}
	bad := found[1]
	path := filepath.Join(root, bad.Key)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), st, bad); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), bad.Key) {
			t.Fatalf("%s: %v", what, err)
		}
		got, err := bytesOf(t, st, found, 0, int64(len(stream)))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), bad.Key) || got != stream[:bad.From] {
			t.Fatalf("%s: read %d bytes, %v", what, len(got), err)
		}
	}
	harmless := 0
	for i := 0; i < len(whole); i += 2 {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), st, bad); err == nil && i > int(bad.Size)-100 && harmless < 2 {
			harmless++
			if got, err := bytesOf(t, st, found, 0, int64(len(stream))); err != nil || got != stream {
				t.Fatalf("byte %d: %d bytes, %v", i, len(got), err)
			}
			continue
		}
		check(fmt.Sprintf("byte %d of %d", i, len(whole)), flipped)
	}
	for _, n := range []int{0, 1, 7, 8, 100, len(whole) / 2, len(whole) - 1} {
		check(fmt.Sprintf("cut after %d of %d", n, len(whole)), whole[:n])
	}
	check("with more behind it", append(bytes.Clone(whole), "more"...))
	check("twice", append(bytes.Clone(whole), whole...))
	other, err := os.ReadFile(filepath.Join(root, found[0].Key))
	if err != nil {
		t.Fatal(err)
	}
	check("another segment's bytes", other)

	// What is outside of it can be read all the same.
	if got, err := bytesOf(t, st, found, bad.To, int64(len(stream))); err != nil || got != stream[bad.To:] {
		t.Errorf("behind it: %d bytes, %v", len(got), err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), st, bad); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), bad.Key) {
		t.Errorf("missing: %v", err)
	}
	if _, err := ReadIndex(t.Context(), st, bad); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	if _, err := bytesOf(t, st, found, 0, int64(len(stream))); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), bad.Key) {
		t.Errorf("missing: %v", err)
	}
	if gap, ok := errors.AsType[*GapError](second(bytesOf(t, st, listed(t, st), 0, int64(len(stream))))); !ok || gap.From != bad.From || gap.To != bad.To {
		t.Errorf("the list without it: %+v", gap)
	}
}

func second(_ string, err error) error { return err }
