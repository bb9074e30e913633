package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/internal/slots"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

const (
	// oracleMoments is how many moments of a cluster are compared, except in a soak.
	oracleMoments = 5
	// batch is how many moments lie between two disturbances.
	batch = 2
	// long is how long something may take that the whole machine has to do with.
	long = 3 * time.Minute
)

// TestEveryMomentIsRecoveredAsItWas writes at random into clusters whose journal is kept by a real console, which is killed again and again meanwhile, and
// has a primary die. Moments of it, by their places in the streams or by the clock, are recovered while all this goes on, and each has to be what the nodes
// had then, to the last byte.
func TestEveryMomentIsRecoveredAsItWas(t *testing.T) {
	t.Parallel()
	for name, shards := range map[string]int{"replicated": 1, "three shards": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			moments, random := rounds(t, oracleMoments), randomness(t)
			o := newOracle(t, random, shards)
			for o.looks < moments {
				o.disturbed()
				for range min(batch, moments-o.looks) {
					o.write(random.IntN(150))
					o.look(random.IntN(3) == 0)
				}
				o.ask()
				o.compare(false)
			}
			o.compare(true)
			o.unbroken()
			t.Logf("%d moments equal, %d of them by the clock; %d kills of the console, %d failovers", o.equal, o.timed, o.kills, o.failovers)
		})
	}
}

// oracle knows what a cluster was like.
type oracle struct {
	*process
	random  *rand.Rand
	db      *catalog.DB
	store   store.Store
	engine  debuggable
	writers []*testkit.Writer // one for each shard
	apps    []*redis.Client   // of the primaries

	seen  []seen          // what nobody has asked for yet
	asked map[string]seen // by the snapshot that was asked for

	looks, equal, timed, kills, failovers int
}

// seen is what was seen of a cluster at a moment.
type seen struct {
	at     time.Time
	timed  bool // nothing was written for a while before and after
	shards []testkit.Moment
}

// debuggable is an engine that nodes are launched with, and whose nodes have DEBUG.
type debuggable struct {
	program string
	folder  string // for PATH
	value   string // as the form names it
}

// newDebuggable is the engine of all tests, this host's or that of `make test-engines`.
func newDebuggable(t *testing.T) debuggable {
	t.Helper()
	_, program := testkit.Chosen(t)
	if program == "" {
		var err error
		program, err = exec.LookPath("redis-server")
		fine(t, err)
	}
	said, err := exec.Command(program, "--version").Output()
	fine(t, err)
	_, version, _ := strings.Cut(string(said), "v=")
	version, _, _ = strings.Cut(version, " ")
	debug := ""
	if major, _ := strconv.Atoi(strings.Split(version, ".")[0]); major >= 7 {
		debug = "--enable-debug-command yes"
	}
	e := debuggable{program: program, folder: t.TempDir(), value: testkit.EngineName(t) + "/" + version}
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in --version|-v) exec '%[1]s' \"$@\";; esac\nexec '%[1]s' \"$@\" %[2]s\n", program, debug)
	fine(t, os.WriteFile(filepath.Join(e.folder, testkit.EngineName(t)+"-server"), []byte(script), 0o700))
	return e
}

// form asks for a cluster whose nodes have this engine.
func (e debuggable) form(name string, shards int) url.Values {
	form := createForm(name, "1")
	form.Set("engine", e.value)
	form.Set("backups", "on")
	if shards > 1 {
		form.Set("cluster_mode", "on")
		form.Set("shards", strconv.Itoa(shards))
	}
	return form
}

// newOracle starts a console, with what is changed of it before, and has it launch a cluster and keep its journal.
func newOracle(t *testing.T, random *rand.Rand, shards int, changes ...func(*oracle)) *oracle {
	t.Helper()
	o := &oracle{process: newProcess(t), random: random, engine: newDebuggable(t), asked: make(map[string]seen)}
	o.env = []string{"PATH=" + o.engine.folder + ":" + os.Getenv("PATH")}
	for _, change := range changes {
		change(o)
	}
	o.start()
	o.signIn()
	o.db = o.catalog()
	fine(t, o.db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}))
	if o.store == nil {
		o.store = folderStore(t, filepath.Join(o.data, "snapshots"))
	}
	o.must("/clusters/-/new", o.engine.form("orders", shards))
	testkit.WaitUpTo(t, long, "the cluster", func() bool { return o.cluster().Status == models.ClusterAvailable })
	o.connect()
	o.write(200)
	o.keepJournal("orders")
	testkit.WaitUpTo(t, long, "a recovery window", func() bool {
		o.write(1) // a stream in which nothing happens is stored each minute
		window, err := o.db.Journal.Window(t.Context(), o.cluster())
		return err == nil && len(window) > 0
	})
	return o
}

func folderStore(t *testing.T, folder string) store.Store {
	t.Helper()
	st, err := dir.Open(folder)
	fine(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// keepJournal has the journal of a cluster kept.
func (p *process) keepJournal(cluster string) {
	p.t.Helper()
	p.must("/clusters/"+cluster+"/journal", url.Values{"kept": {"on"}, "days": {"1"}, "promise": {"2"}})
}

func (o *oracle) cluster() models.Cluster {
	o.t.Helper()
	cluster, err := o.db.Clusters.Get(o.t.Context(), "orders")
	fine(o.t, err)
	return cluster
}

// connect has a writer at the primary of each shard.
func (o *oracle) connect() {
	o.t.Helper()
	o.writers, o.apps = nil, nil
	cluster := o.cluster()
	databases := []int{0, 3, 5}
	if cluster.ClusterMode {
		databases = []int{0}
	}
	for _, shard := range cluster.Shards() {
		node, _ := shard.Primary()
		app := client(o.t, cluster, node)
		o.apps = append(o.apps, app)
		o.writers = append(o.writers, testkit.NewTaggedWriter(o.t, app, o.random.Uint64(), o.tag(shard.Number), databases...))
	}
}

// write writes at random to all shards.
func (o *oracle) write(steps int) {
	o.t.Helper()
	for _, w := range o.writers {
		w.Write(steps)
	}
	for _, w := range o.writers {
		w.Settle()
	}
}

// look remembers what the cluster is like. If a moment of the clock is wanted, nothing is written for long enough that it can be told from others.
func (o *oracle) look(timed bool) {
	o.t.Helper()
	o.looks++
	for range 20 {
		now := o.now()
		if !timed {
			o.seen = append(o.seen, now)
			return
		}
		o.stored(now)
		now.at, now.timed = time.Now().UTC().Truncate(time.Second).Add(time.Second), true
		testkit.WaitFor(o.t, "the next second", func() bool { return time.Since(now.at) > 10*time.Millisecond })
		after := o.now()
		if slices.EqualFunc(now.shards, after.shards, func(a, b testkit.Moment) bool { return a.Digest == b.Digest }) {
			o.write(1) // so that something comes behind it
			o.seen = append(o.seen, now)
			return
		}
	}
	o.t.Fatal("keys expire all the time: no second is like the one before")
}

func (o *oracle) now() seen {
	o.t.Helper()
	var s seen
	for _, app := range o.apps {
		s.shards = append(s.shards, testkit.Look(o.t, app, testkit.PrimaryOffset))
	}
	s.at = time.Now().UTC()
	return s
}

// stored waits until the journal of all shards is stored up to what was seen.
func (o *oracle) stored(s seen) {
	o.t.Helper()
	testkit.WaitUpTo(o.t, long, "the journal", func() bool {
		for i := range s.shards {
			if _, stored := o.run(i+1, s.shards[i].Offset); !stored {
				return false
			}
		}
		return true
	})
}

// run is the recording that has a place of a shard.
func (o *oracle) run(shard int, offset int64) (run string, stored bool) {
	o.t.Helper()
	stretches, err := o.db.Journal.Stretches(o.t.Context(), o.cluster().ID)
	fine(o.t, err)
	for _, s := range stretches {
		if s.Shard == shard && s.From <= offset && s.To >= offset {
			return s.Run, true
		}
	}
	return "", false
}

// disturbed has the console killed while something is written, or a primary.
func (o *oracle) disturbed() {
	o.t.Helper()
	switch {
	case o.failovers == 0 && o.looks >= batch || o.random.IntN(12) == 0:
		o.failover()
	case o.kills == 0 || o.random.IntN(3) == 0:
		o.kills++
		killed := make(chan struct{})
		// The instant of the kill is what is being tested: it has to be at random.
		instant := time.After(time.Duration(o.random.Int64N(int64(300 * time.Millisecond))))
		go func() {
			defer close(killed)
			<-instant
			o.kill()
		}()
		o.write(50 + o.random.IntN(100))
		<-killed
		o.write(o.random.IntN(50))
		o.start()
	}
}

// failover kills the primary of a shard in the middle of its writes, and waits until another node takes them.
func (o *oracle) failover() {
	o.t.Helper()
	o.failovers++
	number := 1 + o.random.IntN(len(o.apps))
	shard, _ := o.cluster().Shard(number)
	old, _ := shard.Primary()
	app := o.apps[number-1]
	o.look(false) // just before it
	place := resp.ParseInfo(app.Info(o.t.Context(), "replication").Val()).Int(testkit.PrimaryOffset)
	for _, node := range shard.Nodes {
		if node.Name == old.Name {
			continue
		}
		replica := client(o.t, o.cluster(), node)
		testkit.WaitUpTo(o.t, long, "the replica to have what was seen", func() bool {
			return resp.ParseInfo(replica.Info(o.t.Context(), "replication").Val()).Int(testkit.ReplicaOffset) >= place
		})
	}
	o.write(o.random.IntN(2) * o.random.IntN(30)) // the replica may have it, or not
	pid := resp.ParseInfo(app.Info(o.t.Context(), "server").Val()).Int("process_id")
	node, err := os.FindProcess(int(pid))
	fine(o.t, err)
	fine(o.t, node.Kill())
	testkit.WaitUpTo(o.t, long, "another primary", func() bool {
		now, _ := o.cluster().Shard(number)
		primary, is := now.Primary()
		return is && primary.Name != old.Name && client(o.t, o.cluster(), primary).Set(o.t.Context(), "{"+o.tag(number)+"}probe", 1, 0).Err() == nil
	})
	testkit.WaitUpTo(o.t, long, "all nodes to be back", func() bool {
		now, _ := o.cluster().Shard(number)
		for _, node := range now.Nodes {
			info := resp.ParseInfo(client(o.t, o.cluster(), node).Info(o.t.Context(), "replication").Val())
			if info["role"] == "slave" && info["master_link_status"] != "up" || info["role"] == "" {
				return false
			}
		}
		return o.cluster().Status == models.ClusterAvailable
	})
	o.connect()
	o.look(false) // and just behind it
}

// tag is one whose slot a shard has.
func (o *oracle) tag(shard int) string {
	if cluster := o.cluster(); cluster.ClusterMode {
		of := slots.Spread(cluster.ShardCount)
		all, err := slots.NewMap(of)
		fine(o.t, err)
		for i := 0; ; i++ {
			if tag := fmt.Sprint("w", i); all.Find(slots.Of([]byte(tag))) == shard-1 {
				return tag
			}
		}
	}
	return "w"
}

// ask asks for what was seen.
func (o *oracle) ask() {
	o.t.Helper()
	for _, s := range o.seen {
		o.stored(s)
		name := fmt.Sprintf("m%d", o.equal+len(o.asked))
		form := url.Values{"name": {name}, "moment": {s.at.Format("2006-01-02 15:04:05.999")}}
		for i, m := range s.shards {
			if !s.timed {
				run, _ := o.run(i+1, m.Offset)
				form.Add("place", fmt.Sprintf("%d:%s:%d", i+1, run, m.Offset))
			}
		}
		if s.timed {
			testkit.WaitUpTo(o.t, long, "the journal to go on behind the moment", func() bool { return o.behind(s.at) })
		}
		if status, body := o.post("/clusters/orders/recover", form); status != http.StatusOK {
			_, text, _ := strings.Cut(body, "<main")
			o.t.Fatalf("it answers %d: %.2000s", status, text)
		}
		o.asked[name] = s
	}
	o.seen = nil
}

// behind tells whether the journal of all shards is stored up to a moment.
func (o *oracle) behind(moment time.Time) bool {
	o.t.Helper()
	stretches, err := o.db.Journal.Stretches(o.t.Context(), o.cluster().ID)
	fine(o.t, err)
	for shard := 1; shard <= len(o.apps); shard++ {
		if !slices.ContainsFunc(stretches, func(s models.JournalStretch) bool { return s.Shard == shard && s.End.After(moment) }) {
			return false
		}
	}
	return true
}

// waiting is how many recoveries may wait while more is written.
const waitingRecoveries = 8

// compare compares what was recovered by now, or everything, with what was seen.
func (o *oracle) compare(all bool) {
	o.t.Helper()
	for name, s := range o.asked {
		snapshot := func() models.Snapshot {
			row, err := o.db.Snapshots.Get(o.t.Context(), name)
			fine(o.t, err)
			return row
		}
		if !all && len(o.asked) < waitingRecoveries && snapshot().Status == models.SnapshotCreating {
			continue
		}
		testkit.WaitUpTo(o.t, long, "the recovery "+name, func() bool { return snapshot().Status != models.SnapshotCreating })
		if row := snapshot(); row.Status != models.SnapshotAvailable && row.Status != models.SnapshotCopying { // another recovery begins with it
			o.t.Fatalf("%s is %s: %s", name, row.Status, row.StatusReason)
		}
		o.same(name, s)
		o.equal++
		if s.timed {
			o.timed++
		}
		delete(o.asked, name)
		o.post("/snapshots/"+name+"/delete", url.Values{"confirm": {name}}) // so that others have to be played back from further away; refused while one begins with it
	}
}

// same fails unless a snapshot is what was seen.
func (o *oracle) same(name string, s seen) {
	o.t.Helper()
	a, ref := archive.New(o.store), archive.Ref{Cluster: "orders", Snapshot: name}
	manifest, err := a.Manifest(o.t.Context(), ref)
	fine(o.t, err)
	if len(manifest.Parts) != len(s.shards) {
		o.t.Fatalf("%s has %d parts", name, len(manifest.Parts))
	}
	for i, part := range manifest.Parts {
		if want := s.shards[i].Offset; !s.timed && part.ReplicationOffset != want {
			o.t.Errorf("%s, shard %d: it is of %d, want %d", name, i+1, part.ReplicationOffset, want)
		}
		target := testkit.Engine(o.t, o.engine.program)
		held, err := primary.Hold(o.t.Context(), primary.Target{Addr: target.Addr}, primary.Dump{Length: part.Bytes, Digest: part.Digest(), Version: cmp.Or(part.RDBVersion, manifest.RDBVersion),
			Keys: part.Keys, Expires: part.Expires, Open: func(ctx context.Context) (io.ReadCloser, error) { return a.OpenPart(ctx, ref, part) }},
			primary.History{ReplicationID: part.ReplicationID, Offset: part.ReplicationOffset}, nil, primary.Options{})
		fine(o.t, err)
		if diff := s.shards[i].Differs(testkit.Look(o.t, target.Client(), testkit.ReplicaOffset)); diff != "" {
			o.t.Errorf("%s, shard %d, is not what it was at %d (%s, by the clock: %t): %s", name, i+1, s.shards[i].Offset, s.at.Format(time.RFC3339Nano), s.timed, diff)
		}
		fine(o.t, held.Close())
		target.Kill()
	}
}

// unbroken fails if the journal has a gap.
func (o *oracle) unbroken() {
	o.t.Helper()
	stretches, err := o.db.Journal.Stretches(o.t.Context(), o.cluster().ID)
	fine(o.t, err)
	if len(stretches) != len(o.apps) {
		o.t.Errorf("the journal has gaps: %+v", stretches)
	}
}
