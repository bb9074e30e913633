package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// moveKills is how often the console is killed in copies, exports and imports, except in a soak.
const moveKills = 4

// moveKillsInARow is after how many of them what is left behind is looked at: after one of each kind.
const moveKillsInARow = 4

// movers is a console with an S3 store and a snapshot s1, and another bucket that things are brought to and from.
type movers struct {
	killer
	server *testkit.S3Server
	runs   []uint // of the exports and copies to the other bucket
}

func (m *movers) options() string {
	return "?path_style=true&region=" + testkit.S3Region + "&endpoint=" + m.server.Endpoint
}

func (m *movers) begin() { m.start("--store", "s3://snapshots/console"+m.options()) }

// TestConsoleKilledWhileItMovesSnapshots kills the console in the middle of copies, exports and imports on an S3 store. Whatever is then called
// done is there, and nothing else is: no object, no open upload, and nothing that never ends.
func TestConsoleKilledWhileItMovesSnapshots(t *testing.T) {
	t.Parallel()
	kills, random := rounds(t, moveKills), randomness(t)
	server := testkit.S3(t)
	server.Bucket("snapshots")
	server.Bucket("elsewhere")
	p := newProcess(t)
	p.env = []string{"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey}
	m := &movers{killer: killer{process: p, checked: make(map[string]bool)}, server: server}
	m.begin()
	p.signIn()
	m.db = p.catalog()
	if err := m.db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}); err != nil {
		t.Fatal(err)
	}
	p.must("/clusters/-/new", createForm("orders", "0"))
	m.settle()
	orders, err := m.db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := orders.Shards()[0].Primary()
	source := client(t, orders, first)
	for i := range 24 { // more than one part of a multipart upload
		noise := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
		if err := source.Set(t.Context(), fmt.Sprintf("noise:%d", i), noise, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	m.settle()
	began := time.Now()
	p.must("/snapshots/s1/export", url.Values{"name": {"source"}, "store": {"s3://elsewhere/from" + m.options()}})
	m.settle()
	whole := min(2*time.Since(began), 3*time.Second)
	t.Logf("kills within %s", whole)
	for i := range kills {
		switch i % 4 {
		case 0:
			m.ask(models.RunCopy, "/snapshots/s1/copy", url.Values{"name": {fmt.Sprintf("copy-%d", i)}})
		case 1:
			m.ask(models.RunExport, "/snapshots/s1/export", url.Values{"name": {fmt.Sprintf("export-%d", i)}, "store": {"s3://elsewhere/to" + m.options()}})
		case 2:
			m.ask(models.RunImport, importAddress, url.Values{"cluster": {"orders"}, "name": {fmt.Sprintf("import-%d", i)}, "sources": {"s3://elsewhere/from/source-0001.rdb" + m.options()}})
		case 3:
			m.ask(models.RunCopy, "/snapshots/s1/copy", url.Values{"name": {fmt.Sprintf("out-%d", i)}, "store": {"s3://elsewhere/archive" + m.options()}})
		}
		// The instant of the kill is what is being tested: it has to be at random.
		<-time.After(time.Duration(random.Int64N(int64(whole))))
		p.kill()
		m.begin()
		if i%moveKillsInARow == moveKillsInARow-1 {
			m.settle()
			m.check()
		}
	}
	m.settle()
	m.check()
}

const importAddress = "/snapshots/-/import"

// ask asks for something to be killed in.
func (m *movers) ask(kind models.RunKind, path string, form url.Values) {
	m.t.Helper()
	m.must(path, form)
	run, found, err := m.db.Runs.Last(m.t.Context(), "orders", kind, time.Time{})
	if err != nil || !found {
		m.t.Fatalf("%s queued no %s: %v", path, kind, err)
	}
	if form.Get("store") != "" {
		m.runs = append(m.runs, run.ID)
	}
}

// check compares what the catalog says with what is in both buckets.
func (m *movers) check() {
	m.t.Helper()
	rows, err := m.db.Snapshots.List(m.t.Context(), models.List{})
	if err != nil {
		m.t.Fatal(err)
	}
	var own []string
	available := 0
	for _, s := range rows.Rows {
		switch s.Status {
		case models.SnapshotAvailable:
			available++
			own = append(own, "console/orders/"+s.Name+"/manifest.json", "console/orders/"+s.Name+"/part-0001.rdb.zst")
		case models.SnapshotFailed:
		default:
			m.t.Errorf("snapshot %s is stuck in %s", s.Name, s.Status)
		}
	}
	// A node that tried an import out does not outlive the start that follows the kill.
	if left, err := filepath.Glob(filepath.Join(m.data, nodesFolder, "0-trial-*")); err != nil || len(left) != 0 {
		m.t.Errorf("nodes of trials are left: %v, %v", left, err)
	}
	elsewhere, done := []string{"from/source-0001.rdb"}, 0
	for _, id := range m.runs {
		run, err := m.db.Runs.Get(m.t.Context(), id)
		if err != nil {
			m.t.Fatal(err)
		}
		args, err := run.Carries()
		if err != nil {
			m.t.Fatal(err)
		}
		switch {
		case run.Status != models.RunSucceeded:
			m.t.Errorf("the %s %d is %s: %s", run.Kind, id, run.Status, run.Error) // begun again until it is done
		case run.Kind == models.RunExport:
			done++
			elsewhere = append(elsewhere, "to/"+models.ExportedObject(args.Target, 1))
		default:
			done++
			elsewhere = append(elsewhere, "archive/orders/"+args.Target+"/manifest.json", "archive/orders/"+args.Target+"/part-0001.rdb.zst")
		}
	}
	m.holds("snapshots", own)
	m.holds("elsewhere", elsewhere)
	m.t.Logf("%d snapshots available, %d of %d exports and copies elsewhere done", available, done, len(m.runs))
}

// probe is in the names of what the check of a store writes for a moment. A kill in that moment leaves it: a byte, and in nobody's way.
const probe = ".rekindle-check/"

// holds compares a bucket's objects, but for records and what Check is about, with what it is to have, and looks for open uploads.
func (m *movers) holds(bucket string, want []string) {
	m.t.Helper()
	got := slices.DeleteFunc(m.server.Objects(bucket, ""), func(key string) bool {
		return strings.HasSuffix(key, "/cluster.json") || strings.HasSuffix(key, "/console.json") || strings.HasSuffix(key, "/store.json") || strings.Contains(key, probe)
	})
	if got = anyAttempt(testkit.Undescribed(got)); !slices.Equal(sorted(got), sorted(want)) {
		m.t.Errorf("the bucket %s has\n%s\nwant\n%s", bucket, strings.Join(sorted(got), "\n"), strings.Join(sorted(want), "\n"))
	}
	open := slices.DeleteFunc(m.server.OpenUploads(bucket, ""), func(upload string) bool { return strings.Contains(upload, probe) })
	if len(open) != 0 {
		m.t.Errorf("open uploads in the bucket %s: %v", bucket, open)
	}
}

// The data folder is gone, with the nodes; the store is kept. A command brings clusters, schedules and settings back, and every page of them works.
func TestLostHostIsRebuiltByACommand(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	store := t.TempDir()
	p.start("--store", "dir:"+store)
	p.signIn()
	form := createForm("orders", "1")
	form.Set("description", "Orders of the shop")
	form.Set("retention", "9")
	p.must("/clusters/-/new", form)
	db := p.catalog()
	k := &killer{process: p, db: db, checked: make(map[string]bool)}
	k.settle()
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	k.settle()
	if err := db.Settings.SaveVerifyEvery(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.start("--store", "dir:"+store) // its first tick writes the records
	testkit.WaitFor(t, "the records", func() bool {
		_, cluster := os.Stat(filepath.Join(store, "orders", "cluster.json"))
		text, err := os.ReadFile(filepath.Join(store, "console.json"))
		return cluster == nil && err == nil && strings.Contains(string(text), `"verify_every": "5"`)
	})
	p.kill()
	killNodes(t, p.data)
	p.data = t.TempDir()
	var output safeBuffer
	if code := run(t.Context(), []string{"catalog", "rebuild", "--data", p.data, "--store", "dir:" + store}, func(string) string { return "" }, &output, &output); code != exitOK ||
		!strings.Contains(output.tail(4000), "Known again, but without nodes: orders. Restore their snapshots. The settings were taken from the store.") {
		t.Fatalf("it ends with %d: %s", code, output.tail(4000))
	}
	p.start("--store", "dir:"+store)
	p.signIn()
	for path, want := range map[string]string{
		"/": "orders", "/clusters": "Orders of the shop", "/clusters/orders": "Its nodes are gone", "/clusters/orders?tab=nodes": "", "/clusters/orders?tab=snapshots": "s1", "/snapshots": "s1",
		"/snapshots/s1": "orders", "/snapshots/s1/restore": "Orders of the shop", "/clusters/orders/delete": "orders", "/events": "was brought back from what the store has about it", "/export.json": "orders",
	} {
		if status, body := p.get(path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s answers %d without %q", path, status, want)
		}
	}
	db = p.catalog()
	k = &killer{process: p, db: db, checked: make(map[string]bool)}
	p.must("/clusters/orders/delete", url.Values{"confirm": {"orders"}})
	k.settle()
	again := createForm("orders", "0")
	again.Set("snapshot", "s1")
	p.must("/clusters/-/new", again)
	k.settle()
	if c, err := db.Clusters.Get(t.Context(), "orders"); err != nil || c.Status != models.ClusterAvailable {
		t.Errorf("restored under its name it is %s (%s): %v", c.Status, c.StatusReason, err)
	}
}
