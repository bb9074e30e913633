package jobs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// How an engine takes a snapshot that another one made.
const (
	loads = "loads" // its nodes load the RDB as it is
	byKey = "by key"
	never = "" // it is refused before anything starts
)

// whoTakesWhom is what was found by trying, also in docs/engines.md: a line for each engine that makes a snapshot, and in it how each of
// [testkit.Engines] takes that. The data has keys of all types, streams with groups among them, deadlines, and functions where there are any.
var whoTakesWhom = map[string][]string{
	//             redis-6.0 redis-7.0 redis-8.0 valkey-8.0 valkey-8.1 valkey-9.1
	"redis-6.0":  {loads, loads, loads, loads, loads, loads},
	"redis-7.0":  {never, loads, loads, loads, loads, loads},
	"redis-8.0":  {never, byKey, loads, byKey, byKey, byKey},
	"valkey-8.0": {never, byKey, loads, loads, loads, loads},
	"valkey-8.1": {never, byKey, loads, loads, loads, loads},
	"valkey-9.1": {never, byKey, byKey, byKey, byKey, loads},
}

// withFieldsThatExpire is the same when hashes have fields with a deadline of their own, for the engines that have those.
var withFieldsThatExpire = map[string][]string{
	"redis-8.0":  {never, never, loads, never, never, byKey},
	"valkey-9.1": {never, never, byKey, never, never, loads},
}

func TestSnapshotsOfEachEngineAreRestoredIntoEachThatCanTakeThem(t *testing.T) {
	t.Parallel()
	for _, from := range testkit.Engines {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			m := matrixOf(t, from)
			server := testkit.Engine(t, testkit.Fetched(t, from))
			testkit.Fill(t, server.Client(), 100)
			m.attach(attachSpec("source", server.Addr))
			usual := testkit.Digests(t, server.Client())
			m.take("source", "usual")
			m.restore("usual", usual, whoTakesWhom[from], false)
			if want := withFieldsThatExpire[from]; want != nil {
				if err := server.Client().Do(t.Context(), "HPEXPIREAT", "special:hash big", 4102444800000, "FIELDS", 2, "field 1", "field 2").Err(); err != nil {
					t.Fatal(err)
				}
				m.take("source", "fields")
				m.restore("fields", testkit.Digests(t, server.Client()), want, false, `hashes whose fields expire ("special:hash big"`)
			}
		})
		t.Run(from+" in cluster mode", func(t *testing.T) {
			t.Parallel()
			m := matrixOf(t, from)
			source := m.create(m.of(from, "source", true))[0]
			fillAllTypes(t, m.clusterClient(source))
			m.take("source", "usual")
			m.restore("usual", m.digests(source), whoTakesWhom[from], true)
		})
	}
}

// matrix is a console that has all engines there are.
type matrix struct {
	*console
	engines []string
}

func matrixOf(t *testing.T, from string) matrix {
	t.Helper()
	testkit.Fetched(t, from)
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	var m matrix
	var paths []string
	for _, engine := range testkit.Engines {
		if path := testkit.FetchedOrNot(t, engine); path != "" {
			m.engines, paths = append(m.engines, engine), append(paths, path)
		}
	}
	m.console = newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.engines, c.every = paths, time.Second })
	return m
}

// of is a cluster of this engine.
func (m matrix) of(engine, name string, clusterMode bool) models.ClusterSpec {
	m.t.Helper()
	spec := m.spec(name, 0)
	kind, version, _ := strings.Cut(engine, "-")
	var err error
	if spec.Engine, err = m.db.Engines.Find(m.t.Context(), kind, version); err != nil {
		m.t.Fatal(err)
	}
	if spec.ClusterMode = clusterMode; clusterMode {
		spec.Shards = 2
	}
	return spec
}

func (m matrix) take(cluster, name string) {
	m.t.Helper()
	if s := m.snapshot(cluster, name); s.Status != models.SnapshotAvailable {
		m.t.Fatalf("the snapshot is %s: %s", s.Status, s.StatusReason)
	}
}

// restore restores a snapshot into a new cluster of each engine, all at once, and into one that is there. reasons are what each refusal says.
func (m matrix) restore(snapshot string, want map[string]string, how []string, clusterMode bool, reasons ...string) {
	m.t.Helper()
	begun := map[string]string{}
	for i, into := range testkit.Engines {
		if !slices.Contains(m.engines, into) {
			m.t.Run("into "+into, func(t *testing.T) { testkit.Fetched(t, into) })
			continue
		}
		name := snapshot + "-" + strings.ReplaceAll(into, ".", "-")
		spec := m.of(into, name, clusterMode)
		if spec.Snapshot = snapshot; clusterMode {
			spec.Shards = 3
		}
		_, err := m.db.Clusters.Create(m.t.Context(), spec)
		switch {
		case (err == nil) != (how[i] != never):
			m.t.Errorf("%s into %s: %v, expected %q", snapshot, into, err, how[i])
		case err == nil:
			begun[name] = how[i]
		default:
			m.refused(into, err, reasons)
		}
		if !clusterMode {
			m.fillOne(snapshot, into, want, how[i])
		}
	}
	m.manager.Wake()
	for name, how := range begun {
		m.restored(name, want, how)
	}
}

func (m matrix) refused(into string, err error, reasons []string) {
	m.t.Helper()
	for _, reason := range append(reasons, "cannot load, nor can it be written into it key by key: it has ", "Choose ") {
		if faults, is := models.AsFaults(err); !is || len(faults) != 1 || !strings.Contains(faults[0].Message, reason) {
			m.t.Errorf("into %s: %v, and not %q", into, err, reason)
		}
	}
}

// restored compares a new cluster with what the snapshot was made of.
func (m matrix) restored(name string, want map[string]string, how string) {
	m.t.Helper()
	cluster := m.await(name, models.ClusterAvailable)
	if diff := testkit.Diff(want, m.digests(cluster)); diff != "" {
		m.t.Errorf("%s has other data:\n%s", name, diff)
	}
	stats := m.primary(cluster).Info(m.t.Context(), "commandstats").Val()
	if fed := strings.Contains(stats, "cmdstat_replicaof:") || strings.Contains(stats, "cmdstat_slaveof:"); fed != (how == loads && !cluster.ClusterMode) {
		m.t.Errorf("%s was fed the RDB as it is: %t, expected %q", name, fed, how)
	}
}

// fillOne restores a snapshot into a server that is there.
func (m matrix) fillOne(snapshot, into string, want map[string]string, how string) {
	m.t.Helper()
	target := testkit.Engine(m.t, testkit.Fetched(m.t, into))
	name := "there-" + snapshot + "-" + strings.ReplaceAll(into, ".", "-")
	m.attach(attachSpec(name, target.Addr))
	spec := models.FillSpec{Snapshot: snapshot, Cluster: name, Existing: models.ExistingNone, RequestedBy: "test"}
	if how == never {
		if _, err := m.db.Fills.Request(m.t.Context(), spec); err == nil || !strings.Contains(err.Error(), "cannot load, nor can it be written into it key by key: it has ") {
			m.t.Errorf("%s into a %s that is there: %v", snapshot, into, err)
		}
		return
	}
	if run := m.fill(spec); run.Status != models.RunSucceeded {
		m.t.Errorf("%s into a %s that is there: %s %s", snapshot, into, run.Status, run.Error)
		return
	}
	if diff := testkit.Diff(want, testkit.Digests(m.t, target.Client())); diff != "" {
		m.t.Errorf("%s into a %s that is there:\n%s", snapshot, into, diff)
	}
}

// fillAllTypes writes keys of each type, small and large ones, into the shards of a cluster.
func fillAllTypes(t *testing.T, app *redis.ClusterClient) {
	t.Helper()
	ctx := t.Context()
	pipe := app.Pipeline()
	do := func(args ...any) { pipe.Do(ctx, args...) }
	for i := range 20 {
		key := func(kind string) string { return fmt.Sprintf("%s:%d", kind, i) }
		do("SET", key("text"), strings.Repeat("paid ", i*20))
		do("RPUSH", key("list"), "a", i, strings.Repeat("x", i*10))
		do("SADD", key("set"), "a", fmt.Sprint("member ", i))
		do("SADD", key("numbers"), i, i+1, i*1000)
		do("ZADD", key("zset"), i, "a", 1.5, "b")
		do("HSET", key("hash"), "total", i, "state", "sent")
		do("PFADD", key("count"), i, i+1)
		do("XADD", key("stream"), "1000-1", "n", i)
		do("XGROUP", "CREATE", key("stream"), "workers", "0")
		do("XCLAIM", key("stream"), "workers", "alice", 0, "1000-1", "TIME", 1600000000000, "RETRYCOUNT", 3, "FORCE", "JUSTID")
		if i%3 == 0 {
			do("PEXPIREAT", key("hash"), 4102444800000+i*1000)
		}
	}
	var many []any
	for i := range 1200 {
		many = append(many, i, fmt.Sprint("value ", i))
	}
	do(append([]any{"RPUSH", "big list"}, many...)...)
	do(append([]any{"HSET", "big hash"}, many...)...)
	do(append([]any{"ZADD", "big zset"}, many...)...)
	do(append([]any{"SADD", "big set"}, many...)...)
	do("SET", "big text", strings.Repeat("0123456789abcdef", 1<<16))
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	err := app.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		err := node.Do(ctx, "FUNCTION", "LOAD", "#!lua name=shop\nredis.register_function('total', function(keys, args) return args[1] end)").Err()
		if err != nil && strings.Contains(err.Error(), "unknown command") {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Without functions, a snapshot goes into every engine, whatever its version of RDB and the forms of its values are.
func TestAllButFunctionsIsRestoredIntoAnyOlderEngine(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"redis-7.0", "redis-8.0", "valkey-9.1"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			m := matrixOf(t, from)
			server := testkit.Engine(t, testkit.Fetched(t, from))
			testkit.Fill(t, server.Client(), 100)
			if err := server.Client().FunctionFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			m.attach(attachSpec("source", server.Addr))
			m.take("source", "data")
			how := slices.Clone(whoTakesWhom[from])
			for i := range how {
				if how[i] == never {
					how[i] = byKey
				}
			}
			m.restore("data", testkit.Digests(t, server.Client()), how, false)
		})
	}
}

// Without their deadlines, hashes whose fields expire are hashes like others, in clusters that exist and in new ones.
func TestFieldsThatExpireAreRestoredWithoutDeadlinesIntoAnyEngine(t *testing.T) {
	t.Parallel()
	for from := range withFieldsThatExpire {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			m := matrixOf(t, from)
			server := testkit.Engine(t, testkit.Fetched(t, from))
			do := func(args ...any) {
				t.Helper()
				if err := server.Client().Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			do("HSET", "small", "a", 1, "b", "two")
			do("HSET", "large", "a", strings.Repeat("x", 1000), "b", "two")
			want := testkit.Digests(t, server.Client())
			do("HPEXPIREAT", "small", 4102444800000, "FIELDS", 1, "a")
			do("HPEXPIREAT", "large", 4102444800000, "FIELDS", 1, "b")
			m.attach(attachSpec("source", server.Addr))
			m.take("source", "fields")
			for _, into := range []string{"redis-6.0", "redis-7.0", "valkey-8.1", "valkey-9.1"} {
				target := testkit.Engine(t, testkit.Fetched(t, into))
				spec := models.FillSpec{Snapshot: "fields", Cluster: strings.ReplaceAll(into, ".", "-"), Existing: models.ExistingNone, RequestedBy: "test"}
				m.attach(attachSpec(spec.Cluster, target.Addr))
				if _, _, err := m.db.Fills.Check(t.Context(), spec); into != "valkey-9.1" && (err == nil || !strings.Contains(err.Error(), "Without any deadlines it can")) {
					t.Errorf("into %s with deadlines: %v", into, err)
				}
				spec.Deadlines = models.DeadlinesDropped
				if run := m.fill(spec); run.Status != models.RunSucceeded {
					t.Errorf("into %s: %s %s", into, run.Status, run.Error)
				} else if diff := testkit.Diff(want, testkit.Digests(t, target.Client())); diff != "" {
					t.Errorf("into %s:\n%s", into, diff)
				}
			}
			create := m.of("redis-7.0", "without", false)
			create.Snapshot = "fields"
			if _, err := m.db.Clusters.Create(t.Context(), create); err == nil || !strings.Contains(err.Error(), "Without any deadlines it can") {
				t.Errorf("into a new cluster with deadlines: %v", err)
			}
			create.Deadlines = models.DeadlinesDropped
			if diff := testkit.Diff(want, m.digests(m.create(create)[0])); diff != "" {
				t.Errorf("into a new cluster:\n%s", diff)
			}
		})
	}
}

// A hash goes with the last of its fields.
func TestHashesWhoseFieldsHaveAllExpiredSinceTheSnapshotAreMissedByNobody(t *testing.T) {
	t.Parallel()
	for from := range withFieldsThatExpire {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			m := matrixOf(t, from)
			server := testkit.Engine(t, testkit.Fetched(t, from))
			pipe := server.Client().Pipeline()
			for i := range 5000 {
				pipe.HSet(t.Context(), fmt.Sprint("gone ", i), "f", "v")
				pipe.Do(t.Context(), "HPEXPIRE", fmt.Sprint("gone ", i), 4000, "FIELDS", 1, "f")
			}
			pipe.HSet(t.Context(), "left", "f", "v")
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.attach(attachSpec("source", server.Addr))
			m.take("source", "fields")
			testkit.WaitFor(t, "the hashes are gone", func() bool { return server.Client().DBSize(t.Context()).Val() == 1 })
			for _, into := range []string{"redis-8.0", "valkey-9.1"} {
				for _, clusterMode := range []bool{false, true} {
					spec := m.of(into, fmt.Sprintf("%s-%t", strings.ReplaceAll(into, ".", "-"), clusterMode), clusterMode)
					spec.Snapshot = "fields"
					if _, err := m.db.Clusters.Create(t.Context(), spec); err != nil {
						t.Fatal(err)
					}
					m.manager.Wake()
					cluster := m.await(spec.Name, models.ClusterAvailable)
					testkit.WaitFor(t, "they are gone from the new cluster", func() bool {
						left := int64(0)
						for _, p := range cluster.Primaries() {
							left += m.client(cluster, p).DBSize(t.Context()).Val()
						}
						return left == 1
					})
				}
			}
		})
	}
}

// The tables in docs/engines.md are those that are tested.
func TestWhoTakesWhomIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Who can load whom")
	usual, fields, _ := strings.Cut(section, "HPEXPIRE")
	for _, test := range []struct {
		text  string
		table map[string][]string
	}{{usual, whoTakesWhom}, {fields, withFieldsThatExpire}} {
		for from, how := range test.table {
			line := "| " + strings.NewReplacer("redis-", "Redis ", "valkey-", "Valkey ").Replace(from) + " |"
			for _, one := range how {
				line += map[string]string{loads: " load |", byKey: " by key |", never: " - |"}[one]
			}
			if !strings.Contains(test.text, line+"\n") {
				t.Errorf("not in docs/engines.md: %s", line)
			}
		}
	}
}
