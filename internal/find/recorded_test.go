package find_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"rekindle/internal/find"
	"rekindle/internal/journal"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

const recordedRun = "00000000000000aa"

// recorded is the stream of a real server, as it is recorded.
type recorded struct {
	t      *testing.T
	server *testkit.Server
	store  store.Store
	folder string // of the store
	from   int64
	stored chan journal.Segment
	stop   func()
	until  int64 // stored up to here
}

// record records the stream of a server, in segments of so many bytes at most.
func record(t *testing.T, s *testkit.Server, bytes int64) *recorded {
	t.Helper()
	folder := t.TempDir()
	st, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	source := replica.Source{Options: resp.Options{Addr: s.Addr}}
	stream, err := replica.Open(t.Context(), source, replica.Options{}) // so that it keeps a backlog
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	now, err := replica.Current(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	link, err := replica.Follow(ctx, source, now.At, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{t: t, server: s, store: st, folder: folder, from: now.Offset, stored: make(chan journal.Segment, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := journal.Record(ctx, link, st, journal.Place{Cluster: "orders", Shard: 1}, recordedRun, journal.RecorderOptions{Bytes: bytes, Every: time.Second,
			Resume:    &journal.Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: journal.Unknown},
			OnSegment: func(s journal.Segment, _ journal.Index) { r.stored <- s }})
		if ctx.Err() == nil {
			t.Errorf("the recording ended: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	return r
}

// offset is the place that the server is at.
func (r *recorded) offset() int64 {
	r.t.Helper()
	now, err := replica.Current(r.t.Context(), replica.Source{Options: resp.Options{Addr: r.server.Addr}})
	if err != nil {
		r.t.Fatal(err)
	}
	return now.Offset
}

// ends waits until everything up to now is stored, and ends the recording.
func (r *recorded) ends() []journal.Segment {
	r.t.Helper()
	for end := r.offset(); r.until < end; {
		select {
		case s := <-r.stored:
			r.until = max(r.until, s.To)
		case <-time.After(time.Minute):
			r.t.Fatalf("stored up to %d, not %d", r.until, end)
		}
	}
	r.stop()
	var all []journal.Segment
	for s, err := range journal.List(r.t.Context(), r.store, "orders", time.Time{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, s)
		r.until = max(r.until, s.To)
	}
	return all
}

// stream is how segments are searched.
func stream(st store.Store, segments []journal.Segment) find.Stream {
	return find.Stream{Store: st, Database: journal.Unknown, Next: func(_ context.Context, place int64) (best journal.Segment, found bool, err error) {
		for _, s := range segments {
			if s.To > place && (!found || s.From < best.From || s.From == best.From && s.To > best.To) {
				best, found = s, true
			}
		}
		return best, found, nil
	}}
}

// search looks through all of it, in pieces as a search of the console does, and once as a whole, which finds the same.
func (r *recorded) search(segments []journal.Segment, q find.Query) []find.Change {
	r.t.Helper()
	const most = 1 << 20
	whole, err := q.SearchStream(r.t.Context(), stream(r.store, segments), r.from, r.until, most)
	if err != nil || len(whole.Holes) > 0 || int(whole.Count) != len(whole.Newest) {
		r.t.Fatalf("%d of %d changes, %v, %v", len(whole.Newest), whole.Count, whole.Holes, err)
	}
	var pieces []find.Change
	from := r.from
	for i, s := range segments {
		if i%7 != 6 && i != len(segments)-1 {
			continue
		}
		piece, err := q.SearchStream(r.t.Context(), stream(r.store, segments), from, s.To, most)
		if err != nil {
			r.t.Fatal(err)
		}
		pieces, from = append(pieces, piece.Newest...), s.To
	}
	if !slices.EqualFunc(whole.Newest, pieces, func(a, b find.Change) bool {
		return a.At.Equal(b.At) && a.Before == b.Before && a.After == b.After && a.Command == b.Command && a.Effect == b.Effect && string(a.Name) == string(b.Name) && a.Database == b.Database
	}) {
		r.t.Errorf("as a whole there are %d changes, in pieces %d", len(whole.Newest), len(pieces))
	}
	return whole.Newest
}

// follower is a server that is fed the stream up to one place after the other.
type follower struct {
	*testkit.Server
	t    *testing.T
	r    *recorded
	all  []journal.Segment
	at   int64
	conn net.Conn
}

func follow(t *testing.T, r *recorded, all []journal.Segment) *follower {
	t.Helper()
	f := &follower{Server: testkit.Redis(t), t: t, r: r, all: all, at: r.from}
	conn, err := net.Dial("tcp", f.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f.conn = conn
	return f
}

// upTo feeds what is between the place where it is and another one.
func (f *follower) upTo(place int64) {
	f.t.Helper()
	chain, err := journal.Chain(f.all, recordedRun, f.at, place)
	if err != nil {
		f.t.Fatal(err)
	}
	stream, err := journal.Open(f.t.Context(), f.r.store, chain, f.at, place)
	if err != nil {
		f.t.Fatal(err)
	}
	defer stream.Close()
	f.at = place
	echo := string(resp.AppendCommand(nil, "ECHO", "fed")) // what it answers is the end of the answers
	buffer := make([]byte, 1<<20)
	var answers []byte
	for {
		n, err := stream.Read(buffer)
		if _, failed := f.conn.Write(buffer[:n]); failed != nil {
			f.t.Fatal(failed)
		}
		if err != nil {
			break
		}
	}
	if _, err := f.conn.Write([]byte(echo)); err != nil {
		f.t.Fatal(err)
	}
	for !slices.Equal(answers[max(0, len(answers)-9):], []byte("$3\r\nfed\r\n")) {
		n, err := f.conn.Read(buffer)
		if err != nil {
			f.t.Fatal(errors.Join(err, errors.New(string(answers))))
		}
		answers = append(answers, buffer[:n]...)
	}
}
