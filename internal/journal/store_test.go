package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// flaky is a real store that can be away, slow, or stand still.
type flaky struct {
	store.Store
	away  atomic.Bool
	tried atomic.Int64
	hold  chan struct{} // nil, or Create waits for it
}

func (f *flaky) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	f.tried.Add(1)
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return store.Object{}, context.Cause(ctx)
		}
	}
	if f.away.Load() {
		return store.Object{}, fmt.Errorf("create %s: %w", key, store.ErrUnavailable)
	}
	return f.Store.Create(ctx, key, r)
}

// files are the names in a folder and below.
func files(t testing.TB, folder string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestASegmentClosesInTimeAndASilentOneLater(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{})
	ping, set := command("PING"), command("SET", "a", "b")
	link.send(set)
	r.pass(9 * time.Second)
	if n := len(listed(t, st)); n != 0 {
		t.Errorf("%d segments after 9 s", n)
	}
	r.pass(1500 * time.Millisecond)
	r.await(1)
	if x := r.indexes[0]; !x.Begin.Equal(day) || x.Bytes != int64(len(set)) || !r.now().StoredUntil.Equal(day) {
		t.Errorf("%+v", x)
	}
	for range 5 {
		link.send(ping)
		r.pass(10 * time.Second)
	}
	if n := len(listed(t, st)); n != 1 {
		t.Errorf("%d segments, with nothing but signs of life for 50 s", n)
	}
	r.pass(11 * time.Second)
	r.await(2)
	if x := r.indexes[1]; x.Bytes != 5*int64(len(ping)) || len(x.Marks) != 5 || len(x.Counts) != 0 {
		t.Errorf("%+v", x)
	}
	link.send(set[:5]) // the middle of a command may be that of a write
	r.pass(11 * time.Second)
	r.await(3)
	if x := r.indexes[2]; x.Bytes != 5 || x.Resume().Offset != x.From {
		t.Errorf("%+v", x)
	}
}

// What came until the console stops is in the store when it has stopped.
func TestARecordingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{})
	stream := sets(1, 1000)
	link.send(stream)
	r.stop()
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got, err := bytesOf(t, st, listed(t, st), 0, int64(len(stream))); err != nil || got != stream {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A recording that cannot be begun lets go of its link, and says where it would have begun.
func TestARecordingThatIsNotPossible(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]string{"no run": "", "no id": runA} {
		link := newWire(7)
		if link.id = id1; run == runA {
			link.id = "?"
		}
		if err := Record(t.Context(), link, folder(t), orders, run, RecorderOptions{}); !errors.Is(err, ErrInvalid) || link.end == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	link := newWire(7)
	r := record(t, link, folder(t), RecorderOptions{Resume: &Resume{Offset: 7, Database: 4}})
	testkit.WaitFor(t, "it says where it is", func() bool { return r.now().Run == runA })
	if s := r.now(); s.Received != 7 || s.Stored != 7 || s.Resume != (Resume{Run: runA, ReplicationID: id1, Offset: 7, Database: 4}) {
		t.Errorf("%+v", s)
	}
}

func TestAMalformedStreamIsRecordedUpToThere(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{})
	stream := sets(1, 1000)
	link.send(stream + "what?")
	if err := r.end(); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), fmt.Sprint("offset ", len(stream))) {
		t.Error(err)
	}
	found := listed(t, st)
	if got, err := bytesOf(t, st, found, 0, int64(len(stream))); err != nil || got != stream || found[0].To != int64(len(stream)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// While the store is away segments wait in the spool; the link goes on. When the store is back, they are stored in order.
func TestWhatTheStoreDoesNotTakeWaitsInTheSpool(t *testing.T) {
	t.Parallel()
	st, link, spool := &flaky{Store: folder(t)}, newWire(0), t.TempDir()
	st.away.Store(true)
	r := record(t, link, st, RecorderOptions{Bytes: 5000, SpoolDir: spool})
	stream := sets(1, 60_000)
	link.send(stream)
	testkit.WaitFor(t, "the first segment is refused", func() bool { return r.now().StoreErr != nil })
	waiting := len(stream) / 5000
	testkit.WaitFor(t, "all are on disk", func() bool { return len(files(t, spool)) == waiting })
	if s := r.now(); s.Waiting != waiting || s.Received != int64(len(stream)) || s.Stored != 0 || !errors.Is(s.StoreErr, store.ErrUnavailable) || s.WaitingBytes < 50_000 {
		t.Errorf("state %+v", s)
	}
	st.away.Store(false)
	r.pass(40 * time.Second) // until it tries again
	r.await(waiting)
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	if got, err := bytesOf(t, st, listed(t, st), 0, int64(len(stream))); err != nil || got != stream {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for i, s := range r.segments {
		if i > 0 && s.From != r.segments[i-1].To {
			t.Errorf("stored out of order: %v", s)
		}
	}
	if left := files(t, spool); len(left) != 0 || r.now().StoreErr != nil || r.now().Waiting != 0 {
		t.Errorf("left %v, %+v", left, r.now())
	}
}

// A disk that cannot be read for a moment says nothing about what is on it.
func TestASpoolThatCannotBeReadIsReadAgain(t *testing.T) {
	t.Parallel()
	st, link, spool := &flaky{Store: folder(t)}, newWire(0), t.TempDir()
	st.away.Store(true)
	r := record(t, link, st, RecorderOptions{Bytes: 5000, SpoolDir: spool})
	stream := sets(1, 10_000)
	link.send(stream)
	testkit.WaitFor(t, "both are on disk", func() bool { return len(files(t, spool)) == 2 && r.now().StoreErr != nil })
	until := func(what string, is func() bool) {
		testkit.WaitFor(t, what, func() bool {
			r.pass(time.Second)
			return is()
		})
	}
	until("the first is refused again", func() bool { return st.tried.Load() > 1 }) // by then, it is no longer in memory
	first := files(t, spool)[0]
	aside := filepath.Join(t.TempDir(), "aside")
	if err := errors.Join(os.Rename(first, aside), os.Symlink(first, first)); err != nil { // following it has no end
		t.Fatal(err)
	}
	st.away.Store(false)
	until("it cannot be read", func() bool { return errors.Is(r.now().StoreErr, errSpool) })
	if err := os.Rename(aside, first); err != nil {
		t.Fatal(err)
	}
	until("both are stored", func() bool { return r.now().Waiting == 0 })
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	if got, err := bytesOf(t, st, listed(t, st), 0, int64(len(stream))); err != nil || got != stream {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAFullSpoolLetsGoOfTheLink(t *testing.T) {
	t.Parallel()
	st, link, spool := &flaky{Store: folder(t)}, newWire(0), t.TempDir()
	st.away.Store(true)
	r := record(t, link, st, RecorderOptions{Bytes: 5000, SpoolDir: spool, SpoolBytes: 22_000})
	link.send(sets(1, 60_000))
	if err := r.end(); !errors.Is(err, ErrSpoolFull) {
		t.Error(err)
	}
	if link.end == nil {
		t.Error("the link is still open")
	}
	// What had room is not lost, and the recording can go on from there.
	resume := r.now().Resume
	stream := sets(1, 60_000)
	st.away.Store(false)
	var saved []Segment
	if err := Salvage(t.Context(), st, spool, func(s Segment, x Index) { saved = append(saved, s) }); err != nil {
		t.Fatal(err)
	}
	found := listed(t, st)
	if got, err := bytesOf(t, st, found, 0, resume.Offset); err != nil || got != stream[:resume.Offset] || resume.Offset < 15_000 || len(saved) != len(found) {
		t.Errorf("%d bytes, %v, saved %d of %d", len(got), err, len(saved), len(found))
	}
	if left := files(t, spool); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// A console was killed before it had stored what came. Another one has recorded the same place since, and it may have been after a failover.
func TestWhatAnotherConsoleHasRecordedIsNotSalvaged(t *testing.T) {
	t.Parallel()
	st, link, spool := &flaky{Store: folder(t)}, newWire(0), t.TempDir()
	st.away.Store(true)
	r := record(t, link, st, RecorderOptions{Bytes: 5000, SpoolDir: spool, SpoolBytes: 22_000})
	link.send(sets(1, 60_000))
	_ = r.end()
	if left := files(t, spool); len(left) < 3 {
		t.Fatalf("left %v", left)
	}
	st.away.Store(false)
	link, other := newWire(0), sets(2, 12_000)
	r = record(t, link, st, RecorderOptions{Bytes: 5000})
	link.send(other)
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	if err := Salvage(t.Context(), st, spool, func(s Segment, _ Index) { t.Errorf("saved %s", s) }); err != nil {
		t.Fatal(err)
	}
	if got, err := bytesOf(t, st, listed(t, st), 0, int64(len(other))); err != nil || got != other {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if left := files(t, spool); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// Without a spool, little may wait.
func TestWithoutASpoolLittleWaits(t *testing.T) {
	t.Parallel()
	st, link := &flaky{Store: folder(t), hold: make(chan struct{})}, newWire(0)
	r := record(t, link, st, RecorderOptions{Bytes: 3 << 20})
	link.send(sets(1, 13<<20))
	if err := r.end(); !errors.Is(err, ErrSpoolFull) || !strings.Contains(err.Error(), "2 segments were not stored") {
		t.Error(err)
	}
	if s := r.now(); s.Resume.Offset != 0 || s.Waiting != 2 { // nothing is stored
		t.Errorf("%+v", s)
	}
}

// A recording that begins where another one has left segments in the spool stores those first, and none that a killed console did not finish.
func TestLeftoversAreStoredFirst(t *testing.T) {
	t.Parallel()
	st, link, spool := &flaky{Store: folder(t)}, newWire(0), t.TempDir()
	st.away.Store(true)
	r := record(t, link, st, RecorderOptions{Bytes: 5000, SpoolDir: spool})
	stream := sets(1, 21_000)
	link.send(stream[:18_000])
	link.finish(io.ErrUnexpectedEOF)
	_ = r.end()
	left := files(t, spool)
	if len(left) != 4 {
		t.Fatal(left)
	}
	whole, err := os.ReadFile(left[3])
	if err != nil {
		t.Fatal(err)
	}
	torn := strings.Replace(left[3], runA, runB, 1)
	for path, data := range map[string][]byte{torn: whole[:len(whole)/2], left[3]: whole[:len(whole)-3], left[3] + ".part": whole, filepath.Join(spool, "notes"): nil} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	st.away.Store(false)
	resume := r.now().Resume
	if resume.Offset > 18_000 || resume.Offset < 15_000 {
		t.Fatalf("%+v", resume)
	}
	link = newWire(resume.Offset)
	next := record(t, link, st, RecorderOptions{SpoolDir: spool, Resume: &resume})
	link.send(stream[resume.Offset:])
	link.finish(io.ErrUnexpectedEOF)
	_ = next.end()
	// The one that was torn at its end is the gap.
	gap, ok := errors.AsType[*GapError](second(bytesOf(t, st, listed(t, st), 0, int64(len(stream)))))
	if !ok || gap.From != 15_000 || gap.To != resume.Offset {
		t.Errorf("%+v", gap)
	}
	if got, err := bytesOf(t, st, listed(t, st), resume.Offset, int64(len(stream))); err != nil || got != stream[resume.Offset:] {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if left := files(t, spool); len(left) != 1 || filepath.Base(left[0]) != "notes" {
		t.Errorf("left %v", left)
	}
	if s := next.segments[0]; s.From != 0 || len(next.segments) != 4 {
		t.Errorf("%v", next.segments)
	}
}

// Two that record the same at the same instant: the same bytes are fine, others are not.
func TestAnObjectThatIsThereAlready(t *testing.T) {
	t.Parallel()
	st := folder(t)
	one := func(stream string) error {
		link := newWire(0)
		r := record(t, link, st, RecorderOptions{})
		link.send(stream)
		link.finish(io.ErrUnexpectedEOF)
		return r.end()
	}
	set := command("SET", "a", "b")
	if err := one(set); errors.Is(err, ErrTaken) {
		t.Error(err)
	}
	if err := one(set); errors.Is(err, ErrTaken) {
		t.Errorf("the answer of the store was lost: %v", err)
	}
	if err := one(command("SET", "a", "c")); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if n := len(listed(t, st)); n != 1 {
		t.Errorf("%d segments", n)
	}
}

// Two recorders with the same run overlap somehow; a reader trims.
func TestTwoRecordersAtOnceAreReadRight(t *testing.T) {
	t.Parallel()
	st := folder(t)
	stream := sets(1, 100_000)
	later := int64(0) // where the second one begins
	scanner := NewScanner(0, 0, func(c *Command) {
		if later < 4000 {
			later = c.To
		}
	})
	if _, err := scanner.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for size, begin := range map[int64]int64{3000: 0, 4777: later} {
		link := newWire(begin)
		r := record(t, link, st, RecorderOptions{Bytes: size, SpoolDir: t.TempDir()})
		both.Go(func() {
			for at := begin; at < int64(len(stream)); at += 1000 {
				link.send(stream[at:min(at+1000, int64(len(stream)))])
			}
			link.finish(io.ErrUnexpectedEOF)
			if err := r.end(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error(err)
			}
		})
	}
	both.Wait()
	found := listed(t, st)
	if got, err := bytesOf(t, st, found, 0, int64(len(stream))); err != nil || got != stream {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// With any one of them missing, the other recorder's have the bytes, where it was there.
	for i := 0; i < len(found); i += 3 {
		rest := append(append([]Segment{}, found[:i]...), found[i+1:]...)
		if got, err := bytesOf(t, st, rest, later, int64(len(stream))); err != nil || got != stream[later:] {
			t.Errorf("without %v: %d bytes, %v", found[i], len(got), err)
		}
	}
}

func TestSafePlaceIsTheLastOneNotAfterAMoment(t *testing.T) {
	t.Parallel()
	st, link := folder(t), newWire(0)
	r := record(t, link, st, RecorderOptions{Every: 3 * time.Second})
	set := command("SET", "a", "b")
	places := map[int]int64{} // by seconds since day
	for i := range 12 {
		switch i {
		case 4:
			link.send(command("MULTI") + set)
		case 5, 6, 7:
			link.send(set)
		case 8:
			link.send(command("EXEC"))
		default:
			link.send(set)
		}
		if places[i] = link.Offset(); i >= 4 && i < 8 {
			places[i] = places[3]
		}
		r.pass(time.Second)
	}
	r.stop()
	_ = r.end()
	found := listed(t, st)
	if len(found) < 3 {
		t.Fatal(found)
	}
	for i := range 12 {
		at := day.Add(time.Duration(i) * time.Second)
		offset, exactly, err := SafePlace(t.Context(), st, found, runA, at.Add(500*time.Millisecond))
		if err != nil || offset != places[i] || exactly.After(at) || at.Sub(exactly) > 5*time.Second {
			t.Errorf("second %d: %d at %s, %v; want %d", i, offset, exactly, err, places[i])
		}
	}
	if _, _, err := SafePlace(t.Context(), st, found, runA, day.Add(-time.Millisecond)); !errors.Is(err, ErrNoPlace) {
		t.Errorf("before all: %v", err)
	}
	if _, _, err := SafePlace(t.Context(), st, found, runB, day.Add(time.Hour)); !errors.Is(err, ErrNoPlace) {
		t.Errorf("another run: %v", err)
	}
}

// The heap must not grow beyond two segments, however much comes, and however slow the store is.
func TestARecordingNeedsBoundedMemory(t *testing.T) {
	root, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st := &flaky{Store: root, hold: make(chan struct{}, 1)}
	link := newWire(0)
	block := sets(1, 1<<20)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	r := record(t, link, st, RecorderOptions{SpoolDir: t.TempDir()})
	most := uint64(0)
	for i := range 100 {
		link.send(block)
		if i%10 == 9 {
			st.hold <- struct{}{} // one segment for ten
		}
		if i%5 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
	}
	link.finish(io.ErrUnexpectedEOF)
	close(st.hold)
	_ = r.end()
	t.Logf("at most %.1f MiB", float64(most)/(1<<20))
	if most > 16<<20 {
		t.Errorf("%d bytes", most)
	}
}
