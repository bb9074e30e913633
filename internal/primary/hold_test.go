package primary_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/testkit"
)

// moments is how many moments of a history are tried on each engine; `make soak` tries as many as ROUNDS says.
func moments(t *testing.T) int {
	t.Helper()
	text := os.Getenv("REKINDLE_SOAK_ROUNDS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("REKINDLE_SOAK_ROUNDS must be a number from 1, not %q", text)
	}
	return n
}

// seeded is another number each time, and says how to have the same again.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("REKINDLE_SOAK_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

func look(t *testing.T, s *testkit.Server, offsetField string) testkit.Moment {
	t.Helper()
	return testkit.Look(t, s.Client(), offsetField)
}

// eachEngine starts a server of each engine in turn that tests of replaying are run with.
func eachEngine(t *testing.T, test func(t *testing.T, start func(args ...string) *testkit.Server)) {
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		test(t, func(args ...string) *testkit.Server { return testkit.Redis(t, args...) })
	})
	for _, engine := range []string{"redis-8.0", "valkey-9.1"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			path := testkit.Fetched(t, engine)
			test(t, func(args ...string) *testkit.Server { return testkit.Engine(t, path, args...) })
		})
	}
}

// holdAt holds a fresh target at an offset of a history.
func holdAt(t *testing.T, target *testkit.Server, h *testkit.History, offset int64) (*primary.Held, error) {
	t.Helper()
	stream := h.UpTo(t, offset)
	return primary.Hold(t.Context(), targetOf(target), dumpOf(t, h.RDB), placeOf(h), streamOf(bytes.NewReader(stream)), primary.Options{})
}

func placeOf(h *testkit.History) primary.History {
	return primary.History{ReplicationID: h.ReplicationID, Offset: h.From}
}

func streamOf(r io.Reader) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(r), nil }
}

// held holds a fresh target at an offset, until the test ends.
func held(t *testing.T, target *testkit.Server, h *testkit.History, offset int64) *primary.Held {
	t.Helper()
	held, err := holdAt(t, target, h, offset)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := held.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return held
}

func do(t *testing.T, s *testkit.Server, args ...any) {
	t.Helper()
	if err := s.Client().Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// offsetOf is how far a primary is.
func offsetOf(t testing.TB, s *testkit.Server) int64 {
	t.Helper()
	offset, err := strconv.ParseInt(field(t, s, testkit.PrimaryOffset), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

// wantMoment fails unless a server holds what another one held at that moment.
func wantMoment(t *testing.T, want, got testkit.Moment) {
	t.Helper()
	if diff := want.Differs(got); diff != "" || got.Offset != want.Offset {
		t.Errorf("at %d, want %d: %s", got.Offset, want.Offset, diff)
	}
}

func TestAHeldNodeIsTheServerAsItWasAtThatMoment(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, start func(args ...string) *testkit.Server) {
		source, seed := start(), seeded(t)
		random := rand.New(rand.NewPCG(seed, 2))
		writer := testkit.NewWriter(t, source.Client(), seed, 0, 3, 5)
		writer.Write(300)
		history := testkit.NewHistory(t, source)
		for range moments(t) {
			writer.Write(random.IntN(200))
			writer.Settle()
			want := look(t, source, testkit.PrimaryOffset)
			target := start("--requirepass", "secret")
			held, err := holdAt(t, target, history, want.Offset)
			if err != nil {
				t.Fatal(err)
			}
			wantMoment(t, want, look(t, target, testkit.ReplicaOffset))
			if err := held.Check(t.Context()); err != nil || held.At.Offset != want.Offset {
				t.Errorf("it is at %d, %v; want %d", held.At.Offset, err, want.Offset)
			}
			if err := held.Close(); err != nil {
				t.Error(err)
			}
			target.Kill()
		}
	})
}

func TestASnapshotOfAHeldNodeIsOfThatPlace(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, start func(args ...string) *testkit.Server) {
		source := start()
		testkit.Fill(t, source.Client(), 500)
		history := testkit.NewHistory(t, source)
		do(t, source, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
		do(t, source, "SET", "brief", "kept", "PX", 1)
		do(t, source, "SET", "last", "one")
		want := look(t, source, testkit.PrimaryOffset)
		target := start("--requirepass", "secret", "--repl-timeout", "2", "--repl-diskless-sync-delay", "0")
		held := held(t, target, history, want.Offset)
		testkit.WaitFor(t, "more time than a replica waits for its primary", func() bool {
			return time.Since(began(t, target)) > 4*time.Second
		})
		if err := held.Check(t.Context()); err != nil {
			t.Error(err)
		}
		stream, err := replica.Open(t.Context(), replica.Source{Options: resp.Options{Addr: target.Addr, Password: "secret"}}, replica.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		sum, err := rdb.NewScanner(stream).Scan()
		if err != nil {
			t.Fatal(err)
		}
		if origin := stream.Origin(); origin.Offset != want.Offset || origin.ReplicationID != history.ReplicationID {
			t.Errorf("the snapshot is of %s at %d, want %s at %d", origin.ReplicationID, origin.Offset, history.ReplicationID, want.Offset)
		}
		if sum.Keys != held.Keys || sum.Keys != int64(len(keysOf(want.Data)))+1 {
			t.Errorf("the snapshot has %d keys, the node %d, the source %d and one whose time has passed", sum.Keys, held.Keys, len(keysOf(want.Data)))
		}
		wantMoment(t, want, look(t, target, testkit.ReplicaOffset))
	})
}

// began is when a server was started, to the second.
func began(t *testing.T, s *testkit.Server) time.Time {
	t.Helper()
	up, err := strconv.Atoi(field(t, s, "uptime_in_seconds"))
	if err != nil {
		t.Fatal(err)
	}
	return time.Now().Add(-time.Duration(up) * time.Second)
}

func keysOf(data map[string]string) map[string]string {
	keys := maps.Clone(data)
	maps.DeleteFunc(keys, func(key, _ string) bool { return !strings.HasPrefix(key, "db") })
	return keys
}

func TestTheDatabaseThatWasSelectedAtTheBaseIsTheStreamsFirst(t *testing.T) {
	t.Parallel()
	// A primary selects a database anew after each full synchronisation. Its replica only passes on what it gets.
	source := testkit.Redis(t, "--repl-ping-replica-period", "3600")
	follower := testkit.Redis(t, "--replicaof", source.Host+" "+strconv.Itoa(source.Port))
	testkit.WaitFor(t, "the replica", func() bool { return field(t, follower, "master_link_status") == "up" })
	write := func(key string) {
		pipe := source.Client().Pipeline()
		pipe.Do(t.Context(), "SELECT", 5)
		pipe.Do(t.Context(), "SET", key, "value")
		pipe.Do(t.Context(), "SELECT", 0)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write("before")
	testkit.WaitFor(t, "the replica has it", func() bool {
		return field(t, follower, testkit.ReplicaOffset) == field(t, source, testkit.PrimaryOffset)
	})
	history := testkit.NewHistory(t, follower)
	write("after")
	want := look(t, source, testkit.PrimaryOffset)
	if stream := history.UpTo(t, want.Offset); bytes.Contains(stream, []byte("SELECT")) {
		t.Fatalf("the stream selects a database: %q", stream)
	}
	target := testkit.Redis(t)
	held(t, target, history, want.Offset)
	wantMoment(t, want, look(t, target, testkit.ReplicaOffset))
}

func TestABaseFromClusterModeIsHeldOutsideOfIt(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, start func(args ...string) *testkit.Server) {
		source := start("--cluster-enabled", "yes")
		for slot := 0; slot < 16384; slot += 4096 {
			args := []any{"CLUSTER", "ADDSLOTS"}
			for i := range 4096 {
				args = append(args, slot+i)
			}
			do(t, source, args...)
		}
		testkit.WaitFor(t, "the cluster", func() bool {
			info, err := source.Client().ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok")
		})
		writer := testkit.NewWriter(t, source.Client(), 7, 0)
		writer.Write(200)
		history := testkit.NewHistory(t, source)
		writer.Write(200)
		writer.Settle()
		want := look(t, source, testkit.PrimaryOffset)
		target := start()
		held(t, target, history, want.Offset)
		wantMoment(t, want, look(t, target, testkit.ReplicaOffset))
	})
}

func TestAStreamThatDoesNotFitIsNoticed(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	testkit.Fill(t, source.Client(), 200)
	history := testkit.NewHistory(t, source)
	pipe := source.Client().TxPipeline()
	pipe.Set(t.Context(), "one", 1, 0)
	pipe.Set(t.Context(), "two", 2, 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(history.UpTo(t, offsetOf(t, source)))
	away := errors.New("the store is away")
	for name, c := range map[string]struct {
		stream io.Reader
		want   error
	}{
		"it ends within a command":     {bytes.NewReader(whole[:len(whole)-20]), primary.ErrTorn},
		"it ends within a transaction": {bytes.NewReader(whole[:len(whole)-len("*1\r\n$4\r\nEXEC\r\n")]), primary.ErrTorn},
		"its reader fails":             {io.MultiReader(bytes.NewReader(whole), failing{away}), away},
		"a command is refused":         {bytes.NewReader(append(bytes.Clone(whole), resp.AppendCommand(nil, "LPUSH", "one", "x")...)), primary.ErrStream},
		"a command is not known":       {bytes.NewReader(append(bytes.Clone(whole), resp.AppendCommand(nil, "XGROUP", "CREATE", "none", "g", "0")...)), primary.ErrStream},
		"it is no stream":              {bytes.NewReader(append(bytes.Clone(whole), "what is this?\r\n"...)), primary.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			_, err := primary.Hold(t.Context(), targetOf(target), dumpOf(t, history.RDB), placeOf(history), streamOf(c.stream), primary.Options{StallTimeout: 10 * time.Second})
			if !errors.Is(err, c.want) {
				t.Errorf("Hold = %v, want %v", err, c.want)
			}
			if host := field(t, target, "master_host"); host != primary.Nobody.Host {
				t.Errorf("it is a replica of %q, want of nobody", host)
			}
			wantMasterauth(t, target, "")
		})
	}
}

func TestHoldRefusesAsFeedDoes(t *testing.T) {
	t.Parallel()
	source, target := testkit.Redis(t), testkit.Redis(t)
	history := testkit.NewHistory(t, source)
	do(t, target, "SET", "somebody's", "data")
	if _, err := holdAt(t, target, history, history.From); !errors.Is(err, primary.ErrNotEmpty) {
		t.Errorf("Hold = %v, want ErrNotEmpty", err)
	}
	_, err := primary.Hold(t.Context(), targetOf(testkit.Redis(t)), dumpOf(t, history.RDB), primary.History{ReplicationID: "nowhere"}, nil, primary.Options{})
	if err == nil || !strings.Contains(err.Error(), "no place in a history") {
		t.Errorf("Hold at no place = %v", err)
	}
}

// errStop is why somebody cancels.
var errStop = errors.New("somebody cancels")

func TestHoldEndsWithItsContextAndWithTheTarget(t *testing.T) {
	t.Parallel()
	source := testkit.Redis(t)
	history := testkit.NewHistory(t, source)
	for name, end := range map[string]func(cancel context.CancelCauseFunc, target *testkit.Server) error{
		"its context": func(cancel context.CancelCauseFunc, _ *testkit.Server) error {
			cancel(errStop)
			return errStop
		},
		"the target": func(_ context.CancelCauseFunc, target *testkit.Server) error {
			target.Kill()
			return primary.ErrGone
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := testkit.Redis(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			want := make(chan error, 1)
			stream := func(ctx context.Context) (io.ReadCloser, error) { // blocks until it is over
				want <- end(cancel, target)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			_, err := primary.Hold(ctx, targetOf(target), dumpOf(t, history.RDB), placeOf(history), stream, primary.Options{})
			if wanted := <-want; !errors.Is(err, wanted) {
				t.Errorf("Hold = %v, want %v", err, wanted)
			}
		})
	}
}
