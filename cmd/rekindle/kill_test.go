package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/launch"
	"rekindle/internal/launch/local"
	"rekindle/internal/primary"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// killTimes is how often the console is killed at random, except in a soak: crash_test.go has the points that can be counted.
const killTimes = 4

// killsInARow is below the number of times that a run is begun again after the console ended in its middle: on a slow machine none of
// them would come to its end otherwise.
const killsInARow = 8

// TestConsoleKilledAtAnyInstantLosesNothing kills the console again and again, in the middle of snapshots, restores and deletions,
// and starts it again on the same folder. Whatever it then calls available must restore equal, nothing may stay half done, and nothing may
// be left behind in the store or among the nodes.
func TestConsoleKilledAtAnyInstantLosesNothing(t *testing.T) {
	t.Parallel()
	kills, random := rounds(t, killTimes), randomness(t)
	p := newProcess(t)
	p.start()
	p.signIn()
	db := p.catalog()
	if err := db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}); err != nil {
		t.Fatal(err)
	}
	p.must("/clusters/-/new", createForm("orders", "1"))
	k := &killer{process: p, db: db, checked: make(map[string]bool)}
	k.settle()
	orders, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := orders.Shards()[0].Primary()
	source := client(t, orders, first)
	testkit.Fill(t, source, 200)
	for i := range 12 { // a size at which a snapshot and a restore take some hundred milliseconds
		noise := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
		if err := source.Set(t.Context(), fmt.Sprintf("noise:%d", i), noise, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	k.want = testkit.Fingerprint(t, source)

	began := time.Now()
	p.must("/clusters/orders/snapshot", url.Values{"name": {"first"}})
	k.settle()
	whole := min(2*time.Since(began), time.Second) // a slow start must not make the kills take for ever
	t.Logf("kills within %s", whole)
	for i := range kills {
		k.work(i)
		// The instant of the kill is what is being tested: it has to be at random.
		<-time.After(time.Duration(random.Int64N(int64(whole))))
		p.kill()
		p.start()
		if i%killsInARow == killsInARow-1 {
			k.settle()
		}
		if i%16 == 15 {
			k.settle()
			k.check()
		}
	}
	k.settle()
	k.check()
	t.Logf("%d kills, %d snapshots found available and restored equal, %d restored clusters equal", kills, len(k.checked), k.clusters)
	// On a machine that is busy, fewer come to their end between two kills.
	if enough := max(1, kills/40); len(k.checked) < enough || k.clusters < enough {
		t.Errorf("too little survived for the test to mean much: %d snapshots, %d clusters", len(k.checked), k.clusters)
	}
}

func createForm(name, replicas string) url.Values {
	return url.Values{"id": {name}, "engine": {engineValue()}, "node_type": {"cache.t4g.micro"}, "replicas": {replicas}, "auth": {"generated"},
		"window_preference": {"none"}, "retention": {"1"}}
}

// engineValue is the newest engine on this host, as the form names it.
func engineValue() string {
	engines, err := local.New(os.TempDir(), nil, local.Options{}).Engines(context.Background())
	engines = slices.DeleteFunc(engines, func(e launch.Engine) bool { return e.Name == models.EngineMemcached })
	if err != nil || len(engines) == 0 {
		panic("no engine is installed: run make setup")
	}
	return engines[0].Name + "/" + engines[0].Version
}

type killer struct {
	*process
	db       *catalog.DB
	want     string          // the fingerprint of the data
	checked  map[string]bool // snapshots that were restored equal
	clusters int             // restored clusters that were equal
}

// work asks for something to be killed in.
func (k *killer) work(i int) {
	k.t.Helper()
	k.post("/clusters/orders/snapshot", url.Values{"name": {fmt.Sprintf("s%d", i)}}) // refused while the last one is settled: fine
	usable := k.snapshots(models.SnapshotAvailable)
	if len(usable) > 0 && i%2 == 0 {
		form := createForm(fmt.Sprintf("r%d", i), strconv.Itoa(i/2%2))
		form.Set("snapshot", usable[i%len(usable)])
		k.post("/clusters/-/new", form)
	}
	if i%3 == 0 && len(usable) > 4 {
		k.post("/snapshots/"+usable[0]+"/delete", url.Values{"confirm": {usable[0]}})
	}
	if len(usable) > 0 {
		k.post("/snapshots/"+usable[(i*7)%len(usable)]+"/verify", nil)
	}
	if i%5 == 0 {
		k.post("/settings/rebuild", nil) // beside all the rest: it must bring back nothing that was deleted, and lose nothing that is there
	}
	rows, err := k.db.Clusters.List(k.t.Context(), models.List{Text: "r"})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, cluster := range rows.Rows {
		if cluster.Name != "orders" && len(rows.Rows) > 4 && cluster.Status == models.ClusterAvailable {
			k.post("/clusters/"+cluster.Name+"/delete", url.Values{"confirm": {cluster.Name}})
			break
		}
	}
}

func (k *killer) snapshots(status models.SnapshotStatus) []string {
	k.t.Helper()
	rows, err := k.db.Snapshots.List(k.t.Context(), models.List{Equal: map[string]string{"status": string(status)}})
	if err != nil {
		k.t.Fatal(err)
	}
	var names []string
	for _, s := range rows.Rows {
		names = append(names, s.Name)
	}
	return names
}

// settle waits until nothing is under way any more: what never ends is stuck.
func (k *killer) settle() {
	k.t.Helper()
	testkit.WaitFor(k.t, "all runs to end", func() bool {
		runs, err := k.db.Runs.Active(k.t.Context())
		return err == nil && len(runs) == 0
	})
}

// check compares what the catalog says with what is there.
func (k *killer) check() {
	k.t.Helper()
	ctx := k.t.Context()
	st, err := dir.Open(filepath.Join(k.data, "snapshots"))
	if err != nil {
		k.t.Fatal(err)
	}
	rows, err := k.db.Snapshots.List(ctx, models.List{})
	if err != nil {
		k.t.Fatal(err)
	}
	var want []string
	for _, s := range rows.Rows {
		if s.Damage != "" {
			k.t.Errorf("the snapshot %s counts as damaged: %s", s.Name, s.Damage)
		}
		switch s.Status {
		case models.SnapshotAvailable:
			folder := s.ClusterName + "/" + s.Name + "/"
			want = append(want, folder+"manifest.json", folder+"part-0001.rdb.zst")
			if !k.checked[s.Name] {
				k.restoresEqual(archive.New(st), archive.Ref{Cluster: s.ClusterName, Snapshot: s.Name})
				k.checked[s.Name] = true
			}
		case models.SnapshotFailed:
		default:
			k.t.Errorf("snapshot %s is stuck in %s", s.Name, s.Status)
		}
	}
	var got []string
	patience := time.Now().Add(5 * time.Second) // a record that is being written comes and goes; what was left behind stays
	testkit.WaitFor(k.t, "the store to be at rest", func() bool {
		got = anyAttempt(k.files("snapshots"))
		return slices.Equal(sorted(got), sorted(want)) || time.Now().After(patience)
	})
	if !slices.Equal(sorted(got), sorted(want)) {
		k.t.Errorf("the store has\n%s\nwant\n%s", strings.Join(sorted(got), "\n"), strings.Join(sorted(want), "\n"))
	}
	clusters, err := k.db.Clusters.All(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	var nodes []string
	for _, cluster := range clusters {
		if cluster.Status != models.ClusterAvailable {
			k.t.Errorf("cluster %s is stuck in %s (%s)", cluster.Name, cluster.Status, cluster.StatusReason)
			continue
		}
		for _, node := range cluster.Nodes {
			nodes = append(nodes, cluster.Name+"/"+node.Name)
			if got := testkit.Fingerprint(k.t, client(k.t, cluster, node)); got != k.want {
				k.t.Errorf("node %s of cluster %s has other data", node.Name, cluster.Name)
			}
		}
		k.clusters++
	}
	folders, err := filepath.Glob(filepath.Join(k.data, nodesFolder, "*", "*"))
	if err != nil {
		k.t.Fatal(err)
	}
	for i := range folders {
		folders[i] = strings.TrimPrefix(folders[i], filepath.Join(k.data, nodesFolder)+"/")
	}
	if !slices.Equal(sorted(folders), sorted(nodes)) {
		k.t.Errorf("there are files of the nodes %v, want %v", folders, nodes)
	}
}

// restoresEqual feeds a snapshot to a server of the test's own.
func (k *killer) restoresEqual(a *archive.Archive, ref archive.Ref) {
	k.t.Helper()
	ctx := k.t.Context()
	manifest, err := a.Manifest(ctx, ref)
	if err != nil {
		k.t.Errorf("snapshot %s is listed as available: %v", ref.Snapshot, err)
		return
	}
	target := testkit.Redis(k.t)
	defer target.Kill()
	part := manifest.Parts[0]
	_, err = primary.Feed(ctx, primary.Target{Addr: target.Addr}, primary.Dump{Length: part.Bytes, Digest: part.Digest(), Version: manifest.RDBVersion,
		Keys: part.Keys, Expires: part.Expires, Open: func(ctx context.Context) (io.ReadCloser, error) { return a.OpenPart(ctx, ref, part) }}, primary.Options{})
	if err != nil {
		k.t.Errorf("snapshot %s is listed as available and does not restore: %v", ref.Snapshot, err)
		return
	}
	if got := testkit.Fingerprint(k.t, target.Client()); got != k.want {
		k.t.Errorf("snapshot %s restores other data", ref.Snapshot)
	}
}

func (k *killer) files(folder string) []string {
	k.t.Helper()
	root := filepath.Join(k.data, folder)
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "cluster.json" && entry.Name() != "console.json" && entry.Name() != "store.json" && !testkit.Held(path) { // records are no snapshots
			files = append(files, strings.TrimPrefix(path, root+"/"))
		}
		if errors.Is(err, fs.ErrNotExist) { // a record that was being written
			return nil
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return testkit.Undescribed(files)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

var attemptInName = regexp.MustCompile(`-[0-9a-f]{16}(\.rdb\.zst)`)

// anyAttempt leaves out of the names of parts which attempt they are of.
func anyAttempt(keys []string) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = attemptInName.ReplaceAllString(key, "$1")
	}
	return names
}
