package main

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/redis/go-redis/v9"

	"rekindle/models"
	"rekindle/models/catalog"
)

// What a journal costs: the product again, with redis-benchmark as the application. The application and its primary share one core, and the replica
// that is read shares the other one with the console, as if they were two hosts. `make bench` runs this after the rest.

const (
	applicationCore, consoleCore = "0", "1"

	// saturating is how many requests of a client are under way at once when a source is to be saturated.
	saturating = 16

	// benchBacklog holds what is written while the journal is off in a round, so that it goes on without a gap, and without the fork of a new base.
	benchBacklog = "2gb"
	// warmUp is left out of the slope: the replica, the backlog and the console's buffers fill first.
	warmUp = 15 * time.Second
)

// load is one way in which redis-benchmark writes.
type load struct {
	name     string
	pipeline int
	command  []string
}

// jsonLoad writes documents of some 200 bytes. redis-benchmark has only numbers below its number of keys to make them differ, so they compress well.
func jsonLoad(pipeline int) load {
	return load{name: "JSON of some 200 bytes", pipeline: pipeline, command: []string{"SET", "order:__rand_int__",
		`{"id":__rand_int__,"customer":"c__rand_int__","status":"paid","total":__rand_int__,"currency":"EUR","items":[{"sku":"__rand_int__","quantity":2}],"note":"delivered to the door, as always"}`}}
}

// smallLoad is what redis-benchmark writes by itself: three bytes.
func smallLoad(pipeline int) load {
	return load{name: "redis-benchmark's own 3 bytes", pipeline: pipeline, command: []string{"SET", "key:__rand_int__", "VXK"}}
}

// BenchmarkJournal keeps journals beside a saturated source, and writes down what they cost whom. REKINDLE_BENCH_JOURNAL is how long the journal has to
// keep up, such as 30s; everything else takes its share of that.
func BenchmarkJournal(b *testing.B) {
	if runtime.NumCPU() < 2 {
		b.Skip("the application and the console need a core each")
	}
	plain(b)                         // before everything that is Go says this
	b.Setenv("GODEBUG", "gctrace=1") // the console says after each collection what its heap was
	length := must(time.ParseDuration(cmp.Or(os.Getenv("REKINDLE_BENCH_JOURNAL"), "30s")))(b)
	j := &journalBench{bench: newBench(b, 200_000), round: min(max(length/30, 2*time.Second), 10*time.Second), rounds: 4}
	if length >= time.Minute {
		j.rounds = 8
	}
	j.db = j.catalog()
	j.pin(consoleCore, j.cmd.Process.Pid)
	report := journalReport{console: j.versionOf(), folder: j.data, length: length, round: j.round}

	idle := j.memory()
	pair := j.createPinned("pair", 2)
	report.engine = pair.engine
	report.keepingUp = j.keepUp(pair, length)
	fmt.Fprintln(os.Stderr, report.keepingUp.markdown(length))
	report.small = j.storedPerSET(pair, func() { j.press(pair, smallLoad(saturating), 100_000, j.round) })
	report.documents = j.storedPerSET(pair, func() { j.fill(pair.client, jsonValue) })
	for _, pipeline := range []int{1, saturating} {
		report.costs = append(report.costs, j.cost(pair, "a replica on another core", jsonLoad(pipeline)))
	}
	j.drop(pair.cluster)
	single := j.createPinned("single", 1)
	for _, pipeline := range []int{1, saturating} {
		report.costs = append(report.costs, j.cost(single, "the primary itself", jsonLoad(pipeline)))
	}
	j.drop(single.cluster)
	report.memory = j.memoryByLinks(idle, 1, 8)

	b.ReportMetric(0, "ns/op")
	if err := os.WriteFile(cmp.Or(os.Getenv("REKINDLE_BENCH_JOURNAL_OUTPUT"), filepath.Join(b.TempDir(), "journal.md")), []byte(report.markdown()), 0o644); err != nil {
		b.Fatal(err)
	}
	b.Log("\n" + report.markdown())
}

// journalBench is a console whose journals are measured.
type journalBench struct {
	*bench
	db     *catalog.DB
	round  time.Duration
	rounds int // a multiple of four: off, on, on, off
}

// journalSource is a cluster under load.
type journalSource struct {
	benchSource
	row     models.Cluster
	replica *redis.Client // of the node that is read: the primary, if there is no other
}

// pin has a process, with all of its threads, run on one core.
func (j *journalBench) pin(core string, pid int) {
	j.b.Helper()
	if output, err := exec.Command("taskset", "-acp", core, strconv.Itoa(pid)).CombinedOutput(); err != nil {
		j.b.Fatalf("taskset: %v\n%s", err, output)
	}
}

// createPinned makes a cluster of one shard whose primary runs with the application and whose replica runs with the console.
func (j *journalBench) createPinned(name string, nodes int32) journalSource {
	j.b.Helper()
	away := time.Now().UTC().Add(12 * time.Hour) // no automatic snapshot comes in between
	must(j.sdk.CreateReplicationGroup(j.b.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &name, ReplicationGroupDescription: &name,
		CacheNodeType: aws.String(benchNodeType), NumCacheClusters: &nodes, SnapshotRetentionLimit: aws.Int32(1),
		SnapshotWindow: aws.String(away.Format("15:04") + "-" + away.Add(time.Hour).Format("15:04"))}))(j.b)
	j.group(name)
	s := journalSource{row: must(j.db.Clusters.Get(j.b.Context(), name))(j.b)}
	for _, node := range s.row.Nodes {
		c := client(j.b, s.row, node)
		core := consoleCore
		if node.Role == models.RolePrimary {
			core = applicationCore
			s.benchSource = benchSource{cluster: name, client: c, engine: "Redis " + infoNumber(j.b, c, "server", "redis_version")}
		}
		if s.replica == nil || node.Role == models.RoleReplica {
			s.replica = c
		}
		must(c.ConfigSet(j.b.Context(), "repl-backlog-size", benchBacklog).Result())(j.b)
		j.pin(core, must(strconv.Atoi(infoNumber(j.b, c, "server", "process_id")))(j.b))
	}
	return s
}

// application is redis-benchmark against a primary, so many requests of it.
func (j *journalBench) application(s journalSource, l load, requests int) *exec.Cmd {
	host, port, _ := strings.Cut(s.client.Options().Addr, ":")
	args := []string{"-c", applicationCore, "redis-benchmark", "-h", host, "-p", port, "--csv", "-c", "50", "-P", strconv.Itoa(l.pipeline), "-r", "200000", "-n", strconv.Itoa(requests)}
	if s.row.Password != "" {
		args = append(args, "-a", s.row.Password.Reveal())
	}
	return exec.Command("taskset", append(args, l.command...)...)
}

// pressure is what the application had of it.
type pressure struct{ rate, p99 float64 } // SETs a second, milliseconds

// press has the application write for some time, by the rate that it reached before.
func (j *journalBench) press(s journalSource, l load, rate float64, length time.Duration) pressure {
	j.b.Helper()
	output, err := j.application(s, l, max(1000, int(rate*length.Seconds()))).Output()
	if err != nil {
		j.b.Fatalf("redis-benchmark: %v\n%s", err, output)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	cells := strings.Split(strings.Trim(lines[len(lines)-1], `"`), `","`)
	if len(cells) < 8 {
		j.b.Fatalf("redis-benchmark said\n%s", output)
	}
	cells = cells[len(cells)-7:] // before them stands the command, which has commas itself
	return pressure{rate: must(strconv.ParseFloat(cells[0], 64))(j.b), p99: must(strconv.ParseFloat(cells[5], 64))(j.b)}
}

// keep turns the journal on and returns when what comes is stored, and everything before is read back.
func (j *journalBench) keep(s journalSource) {
	j.b.Helper()
	j.must("/clusters/"+s.cluster+"/journal", url.Values{"kept": {"on"}, "days": {"1"}, "promise": {"10"}, "lone": {"on"}})
	j.wait("the journal of "+s.cluster, time.Second, func() bool {
		must(s.client.Incr(j.b.Context(), "begun").Result())(j.b)
		link, is := j.link(s)
		return is && link.State == models.JournalFollowing && link.Playable(must(j.db.Journal.Stretches(j.b.Context(), s.row.ID))(j.b), must(j.db.Journal.Bases(j.b.Context(), s.row))(j.b)) &&
			j.place(s.client)-link.Offset < 1<<20
	})
	j.settle()
}

// leave turns the journal off.
func (j *journalBench) leave(s journalSource) {
	j.b.Helper()
	j.must("/clusters/"+s.cluster+"/journal", url.Values{})
	j.wait("the link to "+s.cluster+" to close", 100*time.Millisecond, func() bool {
		link, is := j.link(s)
		return !is || link.Owner == ""
	})
	j.settle()
}

// settle returns when the console has read back what it stored.
func (j *journalBench) settle() {
	j.wait("what was stored to be read back", time.Second, func() bool { return len(must(j.db.Journal.Unverified(j.b.Context(), 1))(j.b)) == 0 })
}

func (j *journalBench) link(s journalSource) (models.JournalLink, bool) {
	links := must(j.db.Recording.Links(j.b.Context(), s.row))(j.b)
	if len(links) == 0 {
		return models.JournalLink{}, false
	}
	return links[0], true
}

// place is how far a node is in its history.
func (j *journalBench) place(c *redis.Client) int64 {
	return must(strconv.ParseInt(infoNumber(j.b, c, "replication", "master_repl_offset"), 10, 64))(j.b)
}

// outgoing is how much of the stream waits in a node to be sent to the console.
func (j *journalBench) outgoing(c *redis.Client) (sum int64) {
	text := must(c.Do(j.b.Context(), "CLIENT", "LIST", "TYPE", "replica").Text())(j.b)
	for line := range strings.Lines(text) {
		for field := range strings.FieldsSeq(line) {
			if value, is := strings.CutPrefix(field, "omem="); is {
				sum += must(strconv.ParseInt(value, 10, 64))(j.b)
			}
		}
	}
	return sum
}

// keepUp has the application write as fast as it can for some time, and looks each second how far behind the journal is.
func (j *journalBench) keepUp(s journalSource, length time.Duration) keepingUp {
	j.b.Helper()
	j.keep(s)
	l := jsonLoad(saturating)
	begun := j.place(s.client)
	app := j.application(s, l, 1<<31-1)
	if err := app.Start(); err != nil {
		j.b.Fatal(err)
	}
	cpu, began := processCPU(j.b, j.cmd.Process.Pid), time.Now()
	k := keepingUp{}
	for range time.Tick(time.Second) {
		k.lags = append(k.lags, j.lag(s, time.Since(began)))
		if time.Since(began) >= length {
			break
		}
	}
	k.bytes, k.cpu, k.length = j.place(s.client)-begun, processCPU(j.b, j.cmd.Process.Pid)-cpu, time.Since(began)
	_ = app.Process.Kill()
	_ = app.Wait()
	ended, stopped := j.place(s.client), time.Now()
	j.wait("the rest to be stored", 100*time.Millisecond, func() bool { link, _ := j.link(s); return link.Offset >= ended })
	k.drained = time.Since(stopped)
	j.settle()
	k.stored = j.stored(s, begun, ended)
	return k
}

// lag is how far behind the journal is now.
func (j *journalBench) lag(s journalSource, at time.Duration) lag {
	link, _ := j.link(s)
	l := lag{at: at, memory: j.memory()}
	if link.StoredAt != nil {
		l.stored = time.Since(*link.StoredAt)
	}
	primary, replica := j.place(s.client), j.place(s.replica)
	l.replica, l.link, l.waiting = max(0, primary-replica), max(0, replica-link.Offset), j.outgoing(s.replica)
	return l
}

// stored is what the store has of a part of a stream.
func (j *journalBench) stored(s journalSource, from, to int64) (sum storedStream) {
	link, _ := j.link(s)
	for _, segment := range must(j.db.Journal.Segments(j.b.Context(), s.row.ID, 1, link.Run, from, to))(j.b) {
		sum.plain += segment.To - segment.From
		sum.stored += segment.Size
		sum.sets += max(0, segment.Writes)
	}
	return sum
}

// storedPerSET says what the store has of one kind of writes.
func (j *journalBench) storedPerSET(s journalSource, write func()) storedStream {
	j.b.Helper()
	j.keep(s)
	from := j.place(s.client)
	write()
	to := j.place(s.client)
	j.wait("it to be stored", 100*time.Millisecond, func() bool { link, _ := j.link(s); return link.Offset >= to })
	j.settle()
	return j.stored(s, from, to)
}

// cost has the application write with the journal and without it, in turn: off, on, on, off.
func (j *journalBench) cost(s journalSource, from string, l load) journalCost {
	j.b.Helper()
	c := journalCost{from: from, load: l}
	j.leave(s)
	rate := j.press(s, l, 20_000, j.round).rate // and all keys are there from now on
	for i := range j.rounds {
		if on := i%4 == 1 || i%4 == 2; on {
			j.keep(s)
			c.with = append(c.with, j.press(s, l, rate, j.round))
		} else {
			j.leave(s)
			c.without = append(c.without, j.press(s, l, rate, j.round))
		}
		fmt.Fprintf(os.Stderr, "the journal read from %s, -P %d: round %d of %d\n", from, l.pipeline, i+1, j.rounds)
	}
	j.leave(s)
	fmt.Fprint(os.Stderr, c.row())
	return c
}

// memory is what the console has of its own now.
func (j *journalBench) memory() consoleMemory {
	return consoleMemory{own: ownMemory(j.b, j.cmd.Process.Pid), heap: heapOf(j.output.tail(64 << 10))}
}

// memoryByLinks has so many clusters written to at once, and says how much memory the console has meanwhile.
func (j *journalBench) memoryByLinks(idle consoleMemory, counts ...int) []linksMemory {
	j.b.Helper()
	all := []linksMemory{{links: 0, peak: idle}}
	var sources []journalSource
	for _, count := range counts {
		for len(sources) < count {
			s := j.createPinned(fmt.Sprintf("link-%d", len(sources)+1), 1)
			j.keep(s)
			sources = append(sources, s)
		}
		var apps []*exec.Cmd
		for _, s := range sources {
			app := j.application(s, jsonLoad(saturating), 1<<31-1)
			if err := app.Start(); err != nil {
				j.b.Fatal(err)
			}
			apps = append(apps, app)
		}
		m := linksMemory{links: count}
		for range 2 * j.round / time.Second {
			time.Sleep(time.Second)
			now := j.memory()
			m.peak = consoleMemory{own: max(m.peak.own, now.own), heap: max(m.peak.heap, now.heap)}
		}
		for _, app := range apps {
			_ = app.Process.Kill()
			_ = app.Wait()
		}
		all = append(all, m)
		j.settle()
	}
	return slices.Clip(all)
}
