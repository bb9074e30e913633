package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/secret"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// pairTimes is how often one of two consoles is killed or frozen, except in a soak.
const pairTimes = 4

// pairLease is short, so that a freeze can be longer.
const pairLease = 2 * time.Second

// TestTwoConsolesOnOneCatalogLoseNothing lets two consoles share a catalog and a store, each with a cluster on its host. One of them, now this
// and now that, is killed or frozen for longer than its lease while both work on snapshots, copies, verifications, deletions and restores
// of both. Whatever the catalog then calls available must restore equal, once only, and nothing may stay half done or be left behind.
func TestTwoConsolesOnOneCatalogLoseNothing(t *testing.T) {
	t.Parallel()
	t.Run("SQLite and a folder", func(t *testing.T) {
		t.Parallel()
		shared := t.TempDir()
		at := catalog.File(filepath.Join(shared, catalogFile))
		st, err := dir.Open(filepath.Join(shared, "snapshots"))
		fine(t, err)
		k := &killer{process: &process{t: t, data: shared}}
		test := &pair{t: t, place: at, store: st, files: func() []string { return k.files("snapshots") }}
		test.loseNothing("--catalog", "sqlite:"+at.File, "--store", "dir:"+filepath.Join(shared, "snapshots"))
	})
	t.Run("PostgreSQL and S3", func(t *testing.T) {
		t.Parallel()
		database, err := testkit.Postgres(t).Database("")
		fine(t, err)
		server := testkit.S3(t)
		server.Bucket("snapshots")
		address := "s3://snapshots?path_style=true&region=" + testkit.S3Region + "&endpoint=" + server.Endpoint
		c, err := s3.ParseURL(address)
		fine(t, err)
		c.Credentials = server.Credentials()
		st, err := s3.Open(t.Context(), c)
		fine(t, err)
		test := &pair{t: t, place: catalog.Place{URL: secret.Text(database), Folder: t.TempDir()}, store: st,
			env: []string{"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey, "REKINDLE_CATALOG=" + database}}
		test.files = func() []string {
			notSnapshots := func(key string) bool {
				return strings.HasSuffix(key, "/cluster.json") || key == "console.json" || key == "store.json" || strings.Contains(key, probe)
			}
			uploads := slices.DeleteFunc(server.OpenUploads("snapshots", ""), notSnapshots)
			return append(testkit.Undescribed(slices.DeleteFunc(server.Objects("snapshots", ""), notSnapshots)), uploads...)
		}
		test.loseNothing("--store", address)
	})
}

func (d *pair) loseNothing(flags ...string) {
	t := d.t
	times, random := rounds(t, pairTimes), randomness(t)
	d.flags, d.checked = append(flags, "--lease", pairLease.String()), make(map[string]bool)
	for range 2 {
		p := newProcess(t)
		p.env = d.env
		p.start(d.flags...)
		p.signIn()
		d.consoles = append(d.consoles, p)
	}
	db, err := catalog.Open(t.Context(), d.place, clockwork.NewRealClock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d.db = db
	if err := db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}); err != nil {
		t.Fatal(err)
	}
	for i, p := range d.consoles {
		p.must("/clusters/-/new", createForm(pairCluster(i), "1"))
	}
	d.settle()
	for i := range d.consoles {
		cluster, err := db.Clusters.Get(t.Context(), pairCluster(i))
		if err != nil {
			t.Fatal(err)
		}
		primary, _ := cluster.Shards()[0].Primary()
		source := client(t, cluster, primary)
		testkit.Fill(t, source, 200)
		for n := range 6 {
			noise := make([]byte, 1<<20)
			_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(noise)
			if err := source.Set(t.Context(), fmt.Sprintf("noise:%d", n), noise, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		d.want = testkit.Fingerprint(t, source)
	}
	killed, frozen := 0, 0
	for i := range times {
		for n, p := range d.consoles {
			d.work(p, fmt.Sprintf("%d-%d", i, n), random)
		}
		// The instant is what is being tested: it has to be at random.
		<-time.After(time.Duration(random.Int64N(int64(time.Second))))
		victim := random.IntN(2)
		p, other := d.consoles[victim], d.consoles[1-victim]
		if random.IntN(2) == 0 {
			killed++
			p.kill()
			d.work(other, fmt.Sprintf("%d-k", i), random)
			<-time.After(time.Duration(random.Int64N(int64(2 * pairLease))))
			p.start(d.flags...)
		} else {
			frozen++
			fine(t, p.cmd.Process.Signal(syscall.SIGSTOP))
			<-time.After(pairLease + time.Duration(random.Int64N(int64(pairLease))))
			fine(t, p.cmd.Process.Signal(syscall.SIGCONT))
		}
		if i%5 == 4 || i == times-1 {
			d.settle()
			d.check()
		}
	}
	t.Logf("%d kills, %d freezes, %d snapshots found available and restored equal, %d nodes equal", killed, frozen, len(d.checked), d.nodes)
	if len(d.checked) < 2 {
		t.Errorf("too little survived for the test to mean much: %d snapshots", len(d.checked))
	}
}

func pairCluster(i int) string { return []string{"ours", "theirs"}[i] }

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type pair struct {
	t        *testing.T
	consoles []*process
	flags    []string
	env      []string
	place    catalog.Place
	db       *catalog.DB
	store    store.Store
	files    func() []string // in the store, of snapshots
	want     string          // the fingerprint of the data
	checked  map[string]bool // snapshots that were restored equal
	nodes    int             // nodes that were equal
}

// work asks a console for a bit of everything. What is refused because of what is under way is refused.
func (d *pair) work(p *process, name string, random *rand.Rand) {
	d.t.Helper()
	p.post("/clusters/"+pairCluster(random.IntN(2))+"/snapshot", url.Values{"name": {"s-" + name}})
	usable := d.available()
	if len(usable) == 0 {
		return
	}
	pick := func() string { return usable[random.IntN(len(usable))] }
	p.post("/snapshots/"+pick()+"/verify", nil)
	switch random.IntN(3) {
	case 0:
		p.post("/snapshots/"+pick()+"/copy", url.Values{"name": {"c-" + name}})
	case 1:
		form := createForm("r-"+name, "0")
		form.Set("snapshot", pick())
		p.post("/clusters/-/new", form)
	case 2:
		if gone := pick(); len(usable) > 4 {
			p.post("/snapshots/"+gone+"/delete", url.Values{"confirm": {gone}})
		}
	}
	clusters, err := d.db.Clusters.All(d.t.Context())
	fine(d.t, err)
	for _, cluster := range clusters {
		if strings.HasPrefix(cluster.Name, "r-") && len(clusters) > 5 && cluster.Status == models.ClusterAvailable {
			p.post("/clusters/"+cluster.Name+"/delete", url.Values{"confirm": {cluster.Name}})
			break
		}
	}
}

func (d *pair) available() []string {
	d.t.Helper()
	rows, err := d.db.Snapshots.List(d.t.Context(), models.List{Equal: map[string]string{"status": string(models.SnapshotAvailable)}})
	fine(d.t, err)
	var names []string
	for _, s := range rows.Rows {
		names = append(names, s.Name)
	}
	return names
}

// settle waits until nothing is under way any more, then has both consoles start anew, which is when they sweep the store.
func (d *pair) settle() {
	d.t.Helper()
	ended := func() {
		testkit.WaitFor(d.t, "all runs to end", func() bool {
			runs, err := d.db.Runs.Active(d.t.Context())
			return err == nil && len(runs) == 0
		})
	}
	ended()
	for _, p := range d.consoles {
		p.end(os.Interrupt)
	}
	for _, p := range d.consoles {
		p.start(d.flags...)
	}
	testkit.WaitFor(d.t, "all clusters to be reachable", func() bool {
		clusters, err := d.db.Clusters.All(d.t.Context())
		return err == nil && !slices.ContainsFunc(clusters, func(c models.Cluster) bool { return c.Status == models.ClusterUnreachable })
	})
	ended()
}

// check compares what the catalog says with what is there.
func (d *pair) check() {
	d.t.Helper()
	ctx := d.t.Context()
	events, err := d.db.Events.Page(ctx, models.EventFilter{To: time.Now().AddDate(1, 0, 0)}, 0, 100_000)
	fine(d.t, err)
	rows, err := d.db.Snapshots.List(ctx, models.List{})
	fine(d.t, err)
	var want []string
	k := &killer{process: &process{t: d.t}, want: d.want}
	for _, s := range rows.Rows {
		said := 0
		for _, event := range events {
			if event.SnapshotName == s.Name && strings.HasSuffix(event.Message, " is available.") {
				said++
			}
		}
		if s.Damage != "" || said > 1 || (said == 1) != (s.Status == models.SnapshotAvailable) {
			d.t.Errorf("the snapshot %s is %s (%s), damage %q, and became available %d times", s.Name, s.Status, s.StatusReason, s.Damage, said)
		}
		if s.Status != models.SnapshotAvailable {
			continue
		}
		folder := s.ClusterName + "/" + s.Name + "/"
		want = append(want, folder+"manifest.json", folder+"part-0001.rdb.zst")
		if !d.checked[s.Name] {
			k.restoresEqual(archive.New(d.store), archive.Ref{Cluster: s.ClusterName, Snapshot: s.Name})
			d.checked[s.Name] = true
		}
	}
	var got []string
	patience := time.Now().Add(20 * time.Second) // of the sweep
	testkit.WaitFor(d.t, "the store to be at rest", func() bool {
		got = anyAttempt(d.files())
		return slices.Equal(sorted(got), sorted(want)) || time.Now().After(patience)
	})
	if !slices.Equal(sorted(got), sorted(want)) {
		d.t.Errorf("the store has\n%s\nwant\n%s", strings.Join(sorted(got), "\n"), strings.Join(sorted(want), "\n"))
	}
	d.checkNodes()
	if owners, err := d.db.Owners.All(ctx); err != nil || len(owners) != 2 {
		d.t.Errorf("owners: %+v, %v", owners, err)
	}
}

// checkNodes looks at the nodes and their files: each on the host where its cluster was asked for, and with the data.
func (d *pair) checkNodes() {
	d.t.Helper()
	clusters, err := d.db.Clusters.All(d.t.Context())
	fine(d.t, err)
	want := map[string][]string{}
	for _, cluster := range clusters {
		if cluster.Status != models.ClusterAvailable {
			d.t.Errorf("cluster %s is stuck in %s (%s)", cluster.Name, cluster.Status, cluster.StatusReason)
			continue
		}
		for _, node := range cluster.Nodes {
			want[cluster.Home] = append(want[cluster.Home], cluster.Name+"/"+node.Name)
			if got := testkit.Fingerprint(d.t, client(d.t, cluster, node)); got != d.want {
				d.t.Errorf("node %s of cluster %s has other data", node.Name, cluster.Name)
			}
			d.nodes++
		}
	}
	for _, p := range d.consoles {
		home, err := place{p.data, d.place}.home()
		fine(d.t, err)
		folders, err := filepath.Glob(filepath.Join(p.data, nodesFolder, "*", "*"))
		fine(d.t, err)
		for i := range folders {
			folders[i] = strings.TrimPrefix(folders[i], filepath.Join(p.data, nodesFolder)+"/")
		}
		if !slices.Equal(sorted(folders), sorted(want[home])) {
			d.t.Errorf("there are files of the nodes %v, want %v", folders, want[home])
		}
	}
}
