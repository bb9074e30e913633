package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

func nodeAt(s *testkit.Server) replica.Source {
	return replica.Source{Options: resp.Options{Addr: s.Addr}}
}

func current(t *testing.T, s *testkit.Server) replica.Position {
	t.Helper()
	p, err := replica.Current(t.Context(), nodeAt(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// backlog makes a server keep one, and says where it is.
func backlog(t *testing.T, s *testkit.Server) replica.Position {
	t.Helper()
	stream, err := replica.Open(t.Context(), nodeAt(s), replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream.Close()
	return current(t, s)
}

// tap is the oracle: it hears the same stream, by nothing but a socket.
type tap struct {
	conn net.Conn
	from int64

	mu   sync.Mutex
	data []byte
}

func newTap(t *testing.T, s *testkit.Server, at replica.At) *tap {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := bufio.NewReader(conn)
	for _, say := range [][2]string{{"REPLCONF capa psync2", "+OK"}, {fmt.Sprintf("PSYNC %s %d", at.ReplicationID, at.Offset+1), "+CONTINUE"}} {
		if _, err := fmt.Fprintf(conn, "%s\r\n", say[0]); err != nil {
			t.Fatal(err)
		}
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, say[1]) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	tp := &tap{conn: conn, from: at.Offset}
	go func() {
		p := make([]byte, 64<<10)
		for {
			n, err := r.Read(p)
			tp.mu.Lock()
			tp.data = append(tp.data, p[:n]...)
			tp.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return tp
}

// upTo waits until the tap has heard everything up to a place, and returns it.
func (tp *tap) upTo(t *testing.T, offset int64) string {
	t.Helper()
	testkit.WaitFor(t, fmt.Sprint("the tap hears up to ", offset), func() bool {
		tp.mu.Lock()
		defer tp.mu.Unlock()
		return tp.from+int64(len(tp.data)) >= offset
	})
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return string(tp.data[:offset-tp.from])
}

// following is a recording of a real node.
type following struct {
	t    *testing.T
	link *replica.Link
	stop context.CancelFunc
	done chan struct{} // closed at the end
	err  error

	mu      sync.Mutex
	state   State
	indexes []Index
}

func recordFrom(t *testing.T, s *testkit.Server, st store.Store, resume Resume, o RecorderOptions) *following {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	link, err := replica.Follow(ctx, nodeAt(s), replica.At{ReplicationID: resume.ReplicationID, Offset: resume.Offset}, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &following{t: t, link: link, stop: stop, done: make(chan struct{})}
	o.Resume = &resume
	o.OnState = func(s State) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.state = s
	}
	o.OnSegment = func(_ Segment, x Index) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.indexes = append(f.indexes, x)
	}
	go func() {
		defer close(f.done)
		f.err = Record(ctx, link, st, orders, runA, o)
	}()
	t.Cleanup(func() {
		stop()
		<-f.done
	})
	return f
}

// ended waits for the end, and says where the recording goes on.
func (f *following) ended() (Resume, error) {
	f.t.Helper()
	select {
	case <-f.done:
		return f.state.Resume, f.err
	case <-time.After(2 * time.Minute):
		f.t.Fatal("the recording does not end")
		return Resume{}, nil
	}
}

// awaitStored waits until the store has everything up to a place.
func (f *following) awaitStored(offset int64) {
	f.t.Helper()
	testkit.WaitFor(f.t, fmt.Sprint("stored up to ", offset), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.state.Stored >= offset
	})
}

// write writes everything there is: all types, expiries, scripts, functions, transactions, several databases, blocked clients, big values.
func write(t *testing.T, client *redis.Client, seed uint64) {
	t.Helper()
	ctx, rnd := t.Context(), rand.New(rand.NewPCG(seed, 1))
	if err := client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Fill(t, client, 300)
	for range 30 {
		key := fmt.Sprint("key:", rnd.IntN(50))
		pipe := client.TxPipeline()
		pipe.Del(ctx, key)
		pipe.Set(ctx, key, strings.Repeat("x", rnd.IntN(20_000)), time.Duration(1+rnd.IntN(50))*time.Millisecond)
		pipe.Incr(ctx, "counter")
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		if err := client.Eval(ctx, "for i=1,5 do redis.call('SET', KEYS[1]..i, ARGV[1]) end return 5", []string{"script"}, key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	popped := make(chan error, 1)
	go func() { popped <- client.BLPop(ctx, 20*time.Second, "queue").Err() }()
	if err := client.RPush(ctx, "queue", "a", "b").Err(); err != nil {
		t.Fatal(err)
	}
	if err := <-popped; err != nil {
		t.Fatal(err)
	}
	if err := client.Do(ctx, "SWAPDB", 0, 1).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Do(ctx, "SWAPDB", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTheJournalOfARealNodeHasEachByte(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"", "redis-8.0", "valkey-9.1"} {
		t.Run("engine "+engine, func(t *testing.T) {
			t.Parallel()
			var s *testkit.Server
			if engine == "" {
				s = testkit.Redis(t)
			} else {
				s = testkit.Engine(t, testkit.Fetched(t, engine))
			}
			st, now := folder(t), backlog(t, s)
			oracle := newTap(t, s, now.At)
			f := recordFrom(t, s, st, Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: Unknown}, RecorderOptions{Bytes: 200_000, Every: time.Second})
			write(t, s.Client(), 1)
			write(t, s.Client(), 2)
			end := current(t, s).Offset
			f.awaitStored(end)
			f.stop()
			if _, err := f.ended(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			found := listed(t, st)
			end = found[len(found)-1].To // keys may have expired since
			want := oracle.upTo(t, end)
			if got, err := bytesOf(t, st, found, now.Offset, end); err != nil || got != want {
				t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
			}
			judge(t, st, found, now.Offset, want)
		})
	}
}

// judge compares what the indexes say with the stream.
func judge(t *testing.T, st store.Store, found []Segment, from int64, stream string) {
	t.Helper()
	safe := map[int64]bool{}
	s := NewScanner(from, Unknown, func(c *Command) {
		if c.Open < 0 || string(c.Name) == "EXEC" {
			safe[c.To] = true
		}
	})
	if _, err := s.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	swaps, flushes, sets := 0, 0, int64(0)
	for _, segment := range found {
		x, err := Verify(t.Context(), st, segment)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range x.Marks {
			if !safe[m.Offset] || m.Offset <= x.From || m.Offset > x.To || m.At.Before(x.Begin) || m.At.After(x.End) {
				t.Errorf("%+v in %v", m, segment)
			}
		}
		for _, e := range x.Events {
			if !safe[e.Before] || !safe[e.After] {
				t.Errorf("event %+v", e)
			}
			switch e.Kind {
			case SwapDB:
				swaps++
			case FlushAll:
				flushes++
				if at := strings.Index(strings.ToUpper(stream[e.Before-from:e.After-from]), "FLUSHALL"); at < 0 {
					t.Errorf("event %+v is %q", e, stream[e.Before-from:e.After-from])
				}
			}
		}
		for _, second := range x.Counts {
			sets += second.Commands["SET"].Commands
		}
	}
	if swaps != 4 || flushes != 2 || sets < 2*30*6 {
		t.Errorf("%d times SWAPDB, %d times FLUSHALL, %d SETs", swaps, flushes, sets)
	}
}

// The recording of a replica goes on at the promoted node, as the same run.
func TestARunGoesOnOverAFailover(t *testing.T) {
	t.Parallel()
	primary := testkit.Redis(t)
	heir := testkit.Redis(t, "--repl-backlog-size", "64mb", "--replicaof", "127.0.0.1", fmt.Sprint(primary.Port))
	testkit.WaitFor(t, "the replica is in step", func() bool { return current(t, heir).Linked })
	now, st := current(t, heir), folder(t)
	first := recordFrom(t, heir, st, Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: Unknown}, RecorderOptions{})
	write(t, primary.Client(), 1)
	testkit.WaitFor(t, "the replica has it all", func() bool { return current(t, heir).Offset == current(t, primary).Offset })
	primary.Kill()
	if err := heir.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	resume, err := first.ended()
	if !errors.Is(err, io.ErrUnexpectedEOF) || resume.ReplicationID != now.ReplicationID || resume.Offset <= now.Offset {
		t.Fatalf("%+v, %v", resume, err)
	}
	second := recordFrom(t, heir, st, resume, RecorderOptions{Every: time.Second})
	write(t, heir.Client(), 2)
	end := current(t, heir).Offset
	second.awaitStored(end)
	second.stop()
	_, _ = second.ended()

	got, err := bytesOf(t, st, listed(t, st), now.Offset, end)
	if want := newTap(t, heir, now.At).upTo(t, end); err != nil || got != want {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
	if x := second.indexes[0]; x.PreviousReplicationID != now.ReplicationID || x.ReplicationID != current(t, heir).ReplicationID || x.From != resume.Offset {
		t.Errorf("the first segment behind the failover: %+v", x)
	}
	if x := second.indexes[len(second.indexes)-1]; len(second.indexes) > 1 && x.PreviousReplicationID != "" {
		t.Errorf("the last segment: %+v", x)
	}
}

// A link that was cut goes on where it was if the backlog reaches back that far, and has a gap with a name otherwise.
func TestALinkIsCutShorterAndLongerThanTheBacklog(t *testing.T) {
	t.Parallel()
	s, st := testkit.Redis(t, "--repl-backlog-size", "100000"), folder(t)
	now := backlog(t, s)
	at := Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: Unknown}
	set := func(size int) {
		t.Helper()
		if err := s.Client().Set(t.Context(), "key", strings.Repeat("x", size), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		f := recordFrom(t, s, st, at, RecorderOptions{Every: 200 * time.Millisecond})
		set(10_000)
		f.awaitStored(current(t, s).Offset)
		if err := s.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
			t.Fatal(err)
		}
		var err error
		if at, err = f.ended(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		set(50_000) // while nobody listens
	}
	f := recordFrom(t, s, st, at, RecorderOptions{Every: 200 * time.Millisecond})
	end := current(t, s).Offset
	f.awaitStored(end)
	f.stop()
	at, _ = f.ended()
	if got, err := bytesOf(t, st, listed(t, st), now.Offset, end); err != nil || int64(len(got)) != end-now.Offset || strings.Count(got, "\r\nkey\r\n") != 6 {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	set(150_000)
	if _, err := replica.Follow(t.Context(), nodeAt(s), replica.At{ReplicationID: at.ReplicationID, Offset: at.Offset}, replica.Options{}); !errors.Is(err, replica.ErrNoContinue) {
		t.Fatal(err)
	}
	later := current(t, s)
	f = recordFrom(t, s, st, Resume{ReplicationID: later.ReplicationID, Offset: later.Offset, Database: Unknown}, RecorderOptions{Every: 200 * time.Millisecond})
	set(10)
	end = current(t, s).Offset
	f.awaitStored(end)
	f.stop()
	_, _ = f.ended()
	gap, ok := errors.AsType[*GapError](second(bytesOf(t, st, listed(t, st), now.Offset, end)))
	if !ok || gap.From != at.Offset || gap.To != later.Offset {
		t.Errorf("the gap is %+v, from %d to %d was expected", gap, at.Offset, later.Offset)
	}
}

// A console is killed while its store is away: the next one stores what was in the spool, and goes on behind it.
func TestAKilledConsolesSpoolBridgesTheGap(t *testing.T) {
	t.Parallel()
	if os.Getenv(childServer) != "" {
		return
	}
	s, spool := testkit.Redis(t, "--repl-backlog-size", "64mb"), t.TempDir()
	now := backlog(t, s)
	oracle := newTap(t, s, now.At)
	child := exec.Command(os.Args[0], "-test.run", "^TestInChildRecords$")
	child.Env = append(os.Environ(), childServer+"="+s.Addr, childSpool+"="+spool, fmt.Sprintf("%s=%s %d", childPlace, now.ReplicationID, now.Offset))
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { _ = child.Process.Kill(); _ = child.Wait() })
	defer kill()
	testkit.WaitFor(t, "the child follows", func() bool {
		text, err := s.Client().Info(t.Context(), "replication").Result()
		return err == nil && resp.ParseInfo(text)["connected_slaves"] == "2"
	})
	for seed := range uint64(3) {
		write(t, s.Client(), seed)
	}
	testkit.WaitFor(t, "it has spooled some", func() bool { return len(files(t, spool)) >= 10 })
	kill()
	write(t, s.Client(), 9)

	st := folder(t)
	var last Index
	if err := Salvage(t.Context(), st, spool, func(_ Segment, x Index) { last = x }); err != nil {
		t.Fatal(err)
	}
	f := recordFrom(t, s, st, last.Resume(), RecorderOptions{Every: 200 * time.Millisecond})
	end := current(t, s).Offset
	f.awaitStored(end)
	f.stop()
	_, _ = f.ended()
	if got, err := bytesOf(t, st, listed(t, st), now.Offset, end); err != nil || got != oracle.upTo(t, end) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

const (
	childServer = "REKINDLE_JOURNAL_TEST_SERVER"
	childSpool  = "REKINDLE_JOURNAL_TEST_SPOOL"
	childPlace  = "REKINDLE_JOURNAL_TEST_PLACE"
)

func TestInChildRecords(t *testing.T) {
	if os.Getenv(childServer) == "" {
		t.Skip("run by TestAKilledConsolesSpoolBridgesTheGap")
	}
	var at replica.At
	if _, err := fmt.Sscan(os.Getenv(childPlace), &at.ReplicationID, &at.Offset); err != nil {
		t.Fatal(err)
	}
	link, err := replica.Follow(t.Context(), replica.Source{Options: resp.Options{Addr: os.Getenv(childServer)}}, at, replica.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st := &flaky{Store: folder(t)}
	st.away.Store(true)
	t.Log(Record(t.Context(), link, st, orders, runA, RecorderOptions{Bytes: 50_000, SpoolDir: os.Getenv(childSpool)}))
}

// While the store stands still, the link is read all the same: the node never has to keep the stream for it.
func TestTheNodeDoesNotPayForASlowStore(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, "--client-output-buffer-limit", "replica 16mb 0 0")
	now, st, spool := backlog(t, s), &flaky{Store: folder(t), hold: make(chan struct{})}, t.TempDir()
	f := recordFrom(t, s, st, Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: Unknown}, RecorderOptions{SpoolDir: spool})
	for i := range 10 {
		for range 5 {
			if err := s.Client().Set(t.Context(), "key", strings.Repeat(fmt.Sprint(i), 1<<20), 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		end := current(t, s).Offset
		testkit.WaitFor(t, "the link has been read", func() bool { return f.link.Offset() >= end })
	}
	end := current(t, s).Offset
	close(st.hold)
	f.stop()
	_, _ = f.ended()
	if err := Salvage(t.Context(), st, spool, nil); err != nil { // what was not stored within some seconds
		t.Fatal(err)
	}
	if got, err := bytesOf(t, st, listed(t, st), now.Offset, end); err != nil || int64(len(got)) != end-now.Offset {
		t.Errorf("%d bytes of %d, %v", len(got), end-now.Offset, err)
	}
}

func TestABucketIsAStore(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("journal")
	faulty := testkit.Faulty(t, server.Endpoint)
	st, err := s3.Open(t.Context(), s3.Config{Bucket: "journal", Prefix: "rekindle", Endpoint: faulty.Endpoint, Region: testkit.S3Region, PathStyle: true, Credentials: server.Credentials()})
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.Redis(t)
	now := backlog(t, s)
	oracle := newTap(t, s, now.At)
	faulty.Add(testkit.Fault{On: "PutObject", Times: 1, Do: testkit.LoseAnswer}, testkit.Fault{On: "PutObject", Times: 2, Do: testkit.Refuse})
	f := recordFrom(t, s, st, Resume{ReplicationID: now.ReplicationID, Offset: now.Offset, Database: Unknown},
		RecorderOptions{Bytes: 100_000, Every: time.Second, SpoolDir: t.TempDir()})
	write(t, s.Client(), 1)
	end := current(t, s).Offset
	f.awaitStored(end)
	f.stop()
	_, _ = f.ended()
	found := listed(t, st)
	if got, err := bytesOf(t, st, found, now.Offset, end); err != nil || got != oracle.upTo(t, end) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	x, err := Verify(t.Context(), st, found[0])
	if err != nil {
		t.Error(err)
	}
	if y, err := ReadIndex(t.Context(), st, found[0]); err != nil || y.Digest != x.Digest {
		t.Errorf("%+v, %v", y, err)
	}
	faulty.Add(testkit.Fault{On: "GetObject", Times: 1, Do: testkit.FlipAnswer, After: found[0].Size / 2})
	if _, err := Verify(t.Context(), st, found[0]); err != nil {
		t.Errorf("a bit that flipped on the way: %v", err)
	}
}
