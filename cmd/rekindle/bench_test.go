package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
)

// The speed of the product: a console as a process, asked through its API, beside what Redis and its own tools do with the same data in
// the same run. `make bench` runs this and prints the table; docs/benchmarks.md says what each row is.

const (
	benchPorts    = "29100-29199"
	benchNodeType = "cache.m7g.large"
	benchPatience = 10 * time.Minute

	lookEvery = 5 * time.Millisecond
	// A request costs the console more than a millisecond of CPU: asked every 20 ms it needed a tenth more.
	askEvery = 50 * time.Millisecond
)

// benchNumber is a setting of `make bench`.
func benchNumber(b *testing.B, variable string, standard int) int {
	text := os.Getenv(variable)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s must be a number from 1 on, not %q", variable, text)
	}
	return n
}

// BenchmarkProduct takes each way in turn, as often as there are rounds, and writes the table of the medians.
func BenchmarkProduct(b *testing.B) {
	keys, rounds := benchNumber(b, "REKINDLE_BENCH_KEYS", 200_000), benchNumber(b, "REKINDLE_BENCH_ROUNDS", 1)
	bench := newBench(b, keys)
	report := benchReport{console: bench.versionOf(), keys: keys, rounds: rounds, folder: bench.data}
	for _, data := range []benchData{{name: "JSON strings", id: "json", value: jsonValue, atOnce: []int{2, 4}}, {name: "random bytes", id: "noise", value: noiseValue}} {
		bench.prepare(data)
		table := benchTable{title: data.name}
		for round := range rounds {
			fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", data.name, round+1, rounds)
			bench.round(&table, data)
		}
		report.engine = bench.sources[0].engine
		report.tables = append(report.tables, table)
		if file := os.Getenv("REKINDLE_BENCH_PROFILE"); file != "" {
			bench.profile(file + "." + data.id)
		}
		bench.clear()
	}
	b.ReportMetric(0, "ns/op")
	if err := os.WriteFile(cmp.Or(os.Getenv("REKINDLE_BENCH_OUTPUT"), filepath.Join(b.TempDir(), "bench.md")), []byte(report.markdown()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.Log("\n" + report.markdown())
}

// benchData is one kind of data, and how many of its clusters are snapshotted at once beside one alone.
type benchData struct {
	name, id string
	value    func(random *rand.Rand, i int) string
	atOnce   []int
}

// jsonValue is a document as an application has them: some of it repeats and some does not.
func jsonValue(random *rand.Rand, i int) string {
	return fmt.Sprintf(`{"id":%d,"customer":"c%08d","status":"%s","total":%d.%02d,"currency":"EUR","items":[{"sku":"%016x","quantity":%d}],"note":"delivered to the door"}`,
		i, random.IntN(1e8), []string{"open", "paid", "sent"}[random.IntN(3)], random.IntN(1000), random.IntN(100), random.Uint64(), random.IntN(9))
}

// noiseValue is of the same size, and nothing makes it smaller: what is encrypted or compressed already.
func noiseValue(random *rand.Rand, _ int) string {
	value := make([]byte, 0, 176)
	for len(value) < cap(value) {
		n := random.Uint64()
		for range 8 {
			value = append(value, byte(n))
			n >>= 8
		}
	}
	return string(value)
}

// bench is a console under measurement, and the clusters that its snapshots are of.
type bench struct {
	*apiConsole
	b       *testing.B
	store   string
	keys    int
	sources []benchSource
	taken   int // names must not repeat
}

type benchSource struct {
	cluster string
	client  *redis.Client
	dump    string // what its BGSAVE writes
	engine  string
}

func newBench(b *testing.B, keys int) *bench {
	p := newProcess(b)
	if p.binary = os.Getenv("REKINDLE_BENCH_BINARY"); p.binary == "" {
		p.binary = filepath.Join(b.TempDir(), "rekindle")
		if output, err := exec.Command("go", "build", "-trimpath", "-o", p.binary, ".").CombinedOutput(); err != nil {
			b.Fatalf("build: %v\n%s", err, output)
		}
	}
	s := &bench{b: b, store: b.TempDir(), keys: keys}
	s.apiConsole = serveAPI(p, "--store", "dir:"+s.store, "--transfers", "4", "--snapshots-per-host", "4")
	s.signIn()
	s.must("/settings/limits", url.Values{"manual_quota": {"10000"}, "price": {"0.085"}, "currency": {"USD"}})
	return s
}

func (s *bench) versionOf() string {
	output, err := exec.Command(s.binary, "version").Output()
	if err != nil {
		s.b.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

// wait returns as soon as something is so, to a few milliseconds where it costs nobody anything to look.
func (s *bench) wait(what string, every time.Duration, done func() bool) {
	s.b.Helper()
	ctx, cancel := context.WithTimeout(s.b.Context(), benchPatience)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			s.b.Fatalf("waited %s in vain for %s", benchPatience, what)
		}
	}
}

// prepare fills one cluster with the data and restores its snapshot into the others, so that all hold the same.
func (s *bench) prepare(data benchData) {
	first := data.id + "-1"
	s.create(first, nil)
	s.sources = []benchSource{s.source(first)}
	s.fill(s.sources[0].client, data.value)
	copies := 0
	for _, n := range data.atOnce {
		copies = max(copies, n-1)
	}
	if copies == 0 {
		return
	}
	s.snapshots(s.sources, "model")
	for i := range copies {
		name := fmt.Sprintf("%s-%d", data.id, i+2)
		s.create(name, aws.String("model-1"))
		s.sources = append(s.sources, s.source(name))
	}
	s.remove("model-1")
}

func (s *bench) fill(client *redis.Client, value func(*rand.Rand, int) string) {
	random := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < s.keys; {
		pipe := client.Pipeline()
		for range min(10_000, s.keys-done) {
			pipe.Set(s.b.Context(), fmt.Sprintf("order:%d", done), value(random, done), 0)
			done++
		}
		if _, err := pipe.Exec(s.b.Context()); err != nil {
			s.b.Fatal(err)
		}
	}
}

// create makes a cluster of one node, empty or of a snapshot, and returns when it is available.
func (s *bench) create(name string, snapshot *string) {
	s.b.Helper()
	must(s.sdk.CreateReplicationGroup(s.b.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &name, ReplicationGroupDescription: &name,
		CacheNodeType: aws.String(benchNodeType), NumCacheClusters: aws.Int32(1), SnapshotName: snapshot, SnapshotRetentionLimit: aws.Int32(0)}))(s.b)
	s.wait("the cluster "+name, askEvery, func() bool {
		found := must(s.sdk.DescribeReplicationGroups(s.b.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &name}))(s.b)
		status := aws.ToString(found.ReplicationGroups[0].Status)
		if strings.HasSuffix(status, "failed") {
			s.b.Fatalf("the cluster %s is %s", name, status)
		}
		return status == "available"
	})
}

func (s *bench) source(name string) benchSource {
	c := s.redis(primaryOf(s.group(name)), "")
	folder := must(c.ConfigGet(s.b.Context(), "dir").Result())(s.b)["dir"]
	version := infoNumber(s.b, c, "server", "redis_version")
	return benchSource{cluster: name, client: c, dump: filepath.Join(folder, "dump.rdb"), engine: "Redis " + version}
}

// drop deletes a cluster and returns when it is gone.
func (s *bench) drop(name string) {
	must(s.sdk.DeleteReplicationGroup(s.b.Context(), &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &name}))(s.b)
	s.wait(name+" to go", askEvery, func() bool {
		_, err := s.sdk.DescribeReplicationGroups(s.b.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &name})
		return err != nil
	})
}

// remove deletes a snapshot and returns when it is gone, with its files.
func (s *bench) remove(name string) {
	must(s.sdk.DeleteSnapshot(s.b.Context(), &elasticache.DeleteSnapshotInput{SnapshotName: &name}))(s.b)
	s.wait(name+" to go", askEvery, func() bool {
		found, err := s.sdk.DescribeSnapshots(s.b.Context(), &elasticache.DescribeSnapshotsInput{SnapshotName: &name})
		return err != nil || len(found.Snapshots) == 0
	})
}

func (s *bench) clear() {
	for _, source := range s.sources {
		s.drop(source.cluster)
	}
	s.sources = nil
}

// round takes each way once, Redis's own before the one that is measured by it.
func (s *bench) round(table *benchTable, data benchData) {
	one := s.sources[:1]
	table.add("BGSAVE, default settings", "", s.bgsave(one))
	own := filepath.Join(s.b.TempDir(), "dump.rdb")
	if err := os.Link(one[0].dump, own); err != nil {
		s.b.Fatal(err)
	}
	names, taken := s.snapshot(one)
	table.add("a snapshot, request to `available`", "BGSAVE, default settings", taken)
	table.add("`redis-cli --rdb -` into `zstd -1 -T0`", "BGSAVE, default settings", s.piped(one[0]))
	table.add("redis-server's own load of BGSAVE's file", "", s.ownLoad(own))
	table.add("a restore, request to `available`", "redis-server's own load of BGSAVE's file", s.restore(names[0]))
	s.remove(names[0])
	for _, n := range data.atOnce {
		table.add(fmt.Sprintf("%d BGSAVEs at once", n), "", s.bgsave(s.sources[:n]))
		names, taken := s.snapshot(s.sources[:n])
		table.add(fmt.Sprintf("%d snapshots at once", n), fmt.Sprintf("%d BGSAVEs at once", n), taken)
		for _, name := range names {
			s.remove(name)
		}
	}
}

// bgsave is Redis's own backup, with the settings that Redis has where nobody changed them.
func (s *bench) bgsave(sources []benchSource) benchFigures {
	for _, source := range sources {
		s.configure(source, "yes")
		defer s.configure(source, "no") // as on all nodes that Rekindle launches
	}
	s.childrenEnd(sources) // a node that was restored just now saves what it got
	before, began := s.childCPU(sources), time.Now()
	for _, source := range sources {
		must(source.client.BgSave(s.b.Context()).Result())(s.b)
	}
	s.childrenEnd(sources)
	f := benchFigures{wall: time.Since(began), child: s.childCPU(sources) - before}
	for _, source := range sources {
		f.stored += fileSize(s.b, source.dump)
	}
	return f
}

func (s *bench) configure(source benchSource, compression string) {
	must(source.client.ConfigSet(s.b.Context(), "rdbcompression", compression).Result())(s.b)
}

func (s *bench) childrenEnd(sources []benchSource) {
	for _, source := range sources {
		s.wait("the child to end", lookEvery, func() bool {
			return infoNumber(s.b, source.client, "persistence", "rdb_bgsave_in_progress") == "0"
		})
	}
}

// childCPU is what the fork children of the sources have needed, those that have ended.
func (s *bench) childCPU(sources []benchSource) time.Duration {
	var sum float64
	for _, source := range sources {
		for _, field := range []string{"used_cpu_sys_children", "used_cpu_user_children"} {
			sum += must(strconv.ParseFloat(infoNumber(s.b, source.client, "cpu", field), 64))(s.b)
		}
	}
	return time.Duration(sum * float64(time.Second))
}

// snapshot asks for a snapshot of each source at once and returns their names when the last one is available.
func (s *bench) snapshot(sources []benchSource) ([]string, benchFigures) {
	s.taken++
	before := s.childCPU(sources)
	var names []string
	f := s.measured(func() { names = s.snapshots(sources, fmt.Sprintf("taken-%d", s.taken)) })
	s.childrenEnd(sources)
	f.child = s.childCPU(sources) - before
	for _, name := range names {
		f.stored += s.storedBytes(name)
	}
	return names, f
}

func (s *bench) snapshots(sources []benchSource, prefix string) (names []string) {
	for i, source := range sources {
		names = append(names, fmt.Sprintf("%s-%d", prefix, i+1))
		must(s.sdk.CreateSnapshot(s.b.Context(), &elasticache.CreateSnapshotInput{SnapshotName: &names[i], ReplicationGroupId: &source.cluster}))(s.b)
	}
	for _, name := range names {
		s.await(name)
	}
	return names
}

// await returns when a snapshot is available. Its manifest is the commit: before that is there, nobody has to be asked often.
func (s *bench) await(snapshot string) {
	var asked time.Time
	s.wait("the snapshot "+snapshot, lookEvery, func() bool {
		manifests := must(filepath.Glob(filepath.Join(s.store, "*", snapshot, "manifest.json")))(s.b)
		if len(manifests) == 0 && time.Since(asked) < time.Second {
			return false
		}
		asked = time.Now()
		found := must(s.sdk.DescribeSnapshots(s.b.Context(), &elasticache.DescribeSnapshotsInput{SnapshotName: &snapshot}))(s.b)
		status := aws.ToString(found.Snapshots[0].SnapshotStatus)
		if status == "failed" {
			s.b.Fatalf("the snapshot %s has failed", snapshot)
		}
		return status == "available"
	})
}

// storedBytes is what a snapshot takes in the store, the manifest included: <cluster>/<snapshot>/*.
func (s *bench) storedBytes(snapshot string) (sum int64) {
	files := must(filepath.Glob(filepath.Join(s.store, "*", snapshot, "*")))(s.b)
	for _, file := range files {
		sum += fileSize(s.b, file)
	}
	if sum == 0 {
		s.b.Fatalf("nothing of the snapshot %s is in the store", snapshot)
	}
	return sum
}

// piped is what an administrator would do by hand, from a node that is set up as Rekindle does it.
func (s *bench) piped(source benchSource) benchFigures {
	host, port, _ := strings.Cut(source.client.Options().Addr, ":")
	target := filepath.Join(s.b.TempDir(), "dump.rdb.zst")
	dump := exec.Command("redis-cli", "-h", host, "-p", port, "--rdb", "-")
	pack := exec.Command("zstd", "-1", "-T0", "-q", "-o", target)
	pack.Stdin = must(dump.StdoutPipe())(s.b)
	sources := []benchSource{source}
	before, began := s.childCPU(sources), time.Now()
	for _, command := range []*exec.Cmd{pack, dump} {
		if err := command.Start(); err != nil {
			s.b.Fatal(err)
		}
	}
	// The pipe is read by zstd and not by this process: its end closes only with what both have to say.
	packed, dumped := pack.Wait(), dump.Wait()
	wall := time.Since(began)
	if packed != nil || dumped != nil {
		s.b.Fatalf("redis-cli: %v, zstd: %v", dumped, packed)
	}
	f := benchFigures{wall: wall, stored: fileSize(s.b, target)}
	for _, command := range []*exec.Cmd{pack, dump} {
		f.cpu += command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	s.childrenEnd(sources)
	f.child = s.childCPU(sources) - before
	_ = os.Remove(target)
	return f
}

// restore brings a snapshot back as a new cluster, and makes sure that all of it is there.
func (s *bench) restore(snapshot string) benchFigures {
	s.taken++
	name := fmt.Sprintf("restored-%d", s.taken)
	f := s.measured(func() { s.create(name, &snapshot) })
	if found := s.source(name).client.DBSize(s.b.Context()).Val(); found != int64(s.keys) {
		s.b.Fatalf("the restored cluster has %d of %d keys", found, s.keys)
	}
	s.drop(name)
	return f
}

// ownLoad is a redis-server that starts on an RDB file, until it has all keys.
func (s *bench) ownLoad(file string) benchFigures {
	port := strconv.Itoa(testkit.FreePort(s.b))
	command := exec.Command("redis-server", "--port", port, "--dir", filepath.Dir(file), "--save", "", "--appendonly", "no")
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, MaxRetries: -1})
	defer client.Close()
	began := time.Now()
	if err := command.Start(); err != nil {
		s.b.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	s.wait("the server to load", lookEvery, func() bool { return client.DBSize(s.b.Context()).Val() == int64(s.keys) })
	return benchFigures{wall: time.Since(began)}
}

// measured is what the console needs for something: time, its own CPU, and its largest memory meanwhile.
func (s *bench) measured(do func()) benchFigures {
	pid := s.cmd.Process.Pid
	// 5 resets the peak, where the kernel lets us; else it is the largest one so far.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	before, began := processCPU(s.b, pid), time.Now()
	do()
	return benchFigures{wall: time.Since(began), cpu: processCPU(s.b, pid) - before, peak: must(peakMemory(pid))(s.b)}
}

// profile records where the console spends its CPU in one snapshot, with perf, after all rounds: it costs time itself.
func (s *bench) profile(file string) {
	perf := exec.Command("perf", "record", "-q", "-F", "499", "-g", "-o", file, "-p", strconv.Itoa(s.cmd.Process.Pid))
	if err := perf.Start(); err != nil {
		s.b.Fatal(err)
	}
	names, _ := s.snapshot(s.sources[:1])
	_ = perf.Process.Signal(os.Interrupt)
	_ = perf.Wait() // an interrupt is how it ends
	s.remove(names[0])
}
