package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// crash kills the console at counted points: before and after each request by which a run changes the store, and before and after each launch
// of a node. What the random kills of `make soak` meet now and then is met once each here.
type crash struct {
	movers
	proxy    *testkit.FaultyS3
	store    store.Store // past the proxy
	launches string      // a file with the number of the launch at which the console is killed

	shards map[string]string // the digests of what clusters in cluster mode have
}

// TestConsoleKilledAtEachPointLosesNothing goes through all points of a snapshot, a copy, a deletion and a restore.
func TestConsoleKilledAtEachPointLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCrash(t)
	hit := 0
	for _, kind := range []struct {
		name   string
		points int // at least, and as many more as there are
		ready  func(name string) (ask func())
	}{
		{"snapshot", 5, func(name string) func() {
			return func() { c.ask("/clusters/orders/snapshot", url.Values{"name": {name}}) }
		}},
		{"copy", 2, func(name string) func() {
			return func() { c.ask("/snapshots/first/copy", url.Values{"name": {name}}) }
		}},
		{"delete", 2, func(name string) func() {
			gone := c.spare(name)
			return func() { c.ask("/snapshots/"+gone+"/delete", url.Values{"confirm": {gone}}) }
		}},
	} {
		n := 1
		for ; c.killedAt(n, false, kind.ready(fmt.Sprintf("%s-%d-before", kind.name, n))); n++ {
			if !c.killedAt(n, true, kind.ready(fmt.Sprintf("%s-%d-after", kind.name, n))) {
				t.Errorf("%s: request %d was sent once and not again", kind.name, n)
			}
			hit += 2
			if n > 20 {
				t.Fatalf("%s: there is no end of requests", kind.name)
			}
		}
		if n-1 < kind.points {
			t.Errorf("%s: only %d requests changed the store, want %d", kind.name, n-1, kind.points)
		}
	}
	for n := 1; n <= 2; n++ { // a primary and a replica
		for _, when := range []string{"before", "after"} {
			form := createForm(fmt.Sprintf("r%d-%s", n, when), "1")
			form.Set("snapshot", "first")
			c.killedAtLaunch(n, when, form)
			hit++
		}
	}
	hit += c.killedWhileShardsAreMade()
	t.Logf("killed at %d points, %d snapshots found available and restored equal, %d nodes equal", hit, len(c.checked), c.clusters)
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	server := testkit.S3(t)
	server.Bucket("snapshots")
	p := newProcess(t)
	c := &crash{movers: movers{killer: killer{process: p, checked: make(map[string]bool)}, server: server}, proxy: testkit.Faulty(t, server.Endpoint)}
	address := func(endpoint string) string {
		return "s3://snapshots/console?path_style=true&part_size=5MiB&region=" + testkit.S3Region + "&endpoint=" + endpoint
	}
	config, err := s3.ParseURL(address(server.Endpoint))
	fine(t, err)
	config.Credentials = server.Credentials()
	c.store, err = s3.Open(t.Context(), config)
	fine(t, err)
	p.env = []string{"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey, "PATH=" + c.engine() + ":" + os.Getenv("PATH"),
		"REKINDLE_STORE=" + address(c.proxy.Endpoint)}
	p.start()
	p.signIn()
	c.db = p.catalog()
	fine(t, c.db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}))
	p.must("/clusters/-/new", createForm("orders", "0"))
	c.settle()
	orders, err := c.db.Clusters.Get(t.Context(), "orders")
	fine(t, err)
	first, _ := orders.Shards()[0].Primary()
	source := client(t, orders, first)
	testkit.Fill(t, source, 50)
	noise := make([]byte, 6<<20) // so that a part of the snapshot goes in two parts of an upload
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	fine(t, source.Set(t.Context(), "noise", noise, 0).Err())
	c.want = testkit.Fingerprint(t, source)
	p.must("/clusters/orders/snapshot", url.Values{"name": {"first"}})
	c.settle()
	return c
}

// engine is a folder with a redis-server that kills the console before or after its launch, when it is told to.
func (c *crash) engine() string {
	c.t.Helper()
	program, _, _ := strings.Cut(engineValue(), "/")
	program += "-server"
	real, err := exec.LookPath(program)
	fine(c.t, err)
	folder := c.t.TempDir()
	c.launches = filepath.Join(folder, "kill")
	script := fmt.Sprintf(`#!/bin/sh
if [ "$1" != --version ] && [ -e '%[1]s' ]; then
  exec 9> '%[1]s.lock' # nodes are launched side by side: each is counted once
  flock 9
  if [ -e '%[1]s' ]; then
    read -r n when pid < '%[1]s'
    if [ "$n" -gt 1 ]; then
      echo "$((n - 1)) $when $pid" > '%[1]s'
    else
      mv '%[1]s' '%[1]s.done'
      kill -9 "$pid"
      [ "$when" = after ] || exit 1
    fi
  fi
  exec 9>&-
fi
exec '%[2]s' "$@"
`, c.launches, real)
	fine(c.t, os.WriteFile(filepath.Join(folder, program), []byte(script), 0o700))
	return folder
}

// killedAt asks for something and kills the console at its n-th request that changes the store, before it is carried out or after that. It
// tells whether there was such a request. Then the console is started again, and all has to be in order.
func (c *crash) killedAt(n int, after bool, ask func()) bool {
	c.t.Helper()
	var seen atomic.Int32
	hit, pid := make(chan struct{}), c.cmd.Process.Pid
	kill := func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		close(hit)
	}
	point := testkit.Fault{Times: 1, Do: testkit.Cut, Then: kill, If: func(r *http.Request) bool {
		return changes(r) && seen.Add(1) == int32(n)
	}}
	if after {
		point.Do, point.Then, point.Edit = testkit.EditAnswer, nil, func(http.Header) { kill() }
	}
	c.proxy.Add(point)
	ask()
	killed := false
	testkit.WaitFor(c.t, fmt.Sprintf("request %d, or the end without it", n), func() bool {
		select {
		case <-hit:
			killed = true
			return true
		default:
			runs, err := c.db.Runs.Active(c.t.Context())
			return err == nil && len(runs) == 0 && seen.Load() < int32(n)
		}
	})
	c.proxy.Clear()
	if killed {
		c.kill()
		c.start()
	}
	c.settle()
	c.inOrder()
	return killed
}

// ask posts a form that has to be accepted. The console may be killed before it has shown the page that follows.
func (c *crash) ask(path string, form url.Values) {
	c.t.Helper()
	response, err := c.client.PostForm(c.url+path, form)
	if err != nil {
		return
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		c.t.Fatalf("POST %s answers %d", path, response.StatusCode)
	}
}

// changes tells whether a request is one by which a run changes the store: records and checks come and go beside them.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && changing(r.URL.Path)
}

func changing(key string) bool {
	return !strings.Contains(key, probe) && !strings.HasSuffix(key, "/cluster.json") && !strings.HasSuffix(key, "/console.json") && !strings.HasSuffix(key, "/store.json")
}

// killedWhileShardsAreMade restores two shards into three, and kills the console while the RDBs are made that the nodes begin with, and at the first and
// the last launch. It returns how often it was killed.
func (c *crash) killedWhileShardsAreMade() (hit int) {
	c.t.Helper()
	sharded := func(name, shards string) url.Values {
		form := createForm(name, "0")
		form.Set("cluster_mode", "on")
		form.Set("shards", shards)
		return form
	}
	c.must("/clusters/-/new", sharded("sharded", "2"))
	c.settle()
	source, err := c.db.Clusters.Get(c.t.Context(), "sharded")
	fine(c.t, err)
	app := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{source.Nodes[0].Address()}, Password: source.Password.Reveal()})
	defer app.Close()
	for i := range 300 {
		fine(c.t, app.Set(c.t.Context(), fmt.Sprint("order:", i), i, time.Duration(i%2)*100*24*time.Hour).Err())
	}
	c.shards = c.digests(source)
	c.must("/clusters/sharded/snapshot", url.Values{"name": {"shards"}})
	c.settle()
	into := func(name string) url.Values {
		form := sharded(name, "3")
		form.Set("snapshot", "shards")
		return form
	}
	for _, n := range []int{1, 3} {
		for _, when := range []string{"before", "after"} {
			c.killedAtLaunch(n, when, into(fmt.Sprintf("s%d-%s", n, when)))
			hit++
		}
	}
	pid, killed := c.cmd.Process.Pid, make(chan struct{})
	c.proxy.Add(testkit.Fault{Times: 1, Do: testkit.CutAnswer, If: func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/part-0002")
	},
		Then: func() { _ = syscall.Kill(pid, syscall.SIGKILL); close(killed) }})
	c.ask("/clusters/-/new", into("s-halfway"))
	testkit.WaitFor(c.t, "the second part to be read", func() bool {
		select {
		case <-killed:
			return true
		default:
			return false
		}
	})
	c.proxy.Clear()
	c.kill()
	c.start()
	c.settle()
	c.inOrder()
	return hit + 1
}

// digests are those of all keys of a cluster in cluster mode.
func (c *crash) digests(cluster models.Cluster) map[string]string {
	c.t.Helper()
	all := make(map[string]string)
	for _, primary := range cluster.Primaries() {
		maps.Copy(all, testkit.Digests(c.t, client(c.t, cluster, primary)))
	}
	return all
}

// killedAtLaunch asks for a restore and kills the console at the n-th launch of a node.
func (c *crash) killedAtLaunch(n int, when string, form url.Values) {
	c.t.Helper()
	fine(c.t, os.WriteFile(c.launches, []byte(strconv.Itoa(n)+" "+when+" "+strconv.Itoa(c.cmd.Process.Pid)+"\n"), 0o600))
	c.ask("/clusters/-/new", form)
	testkit.WaitFor(c.t, fmt.Sprintf("the launch %d", n), func() bool {
		_, err := os.Stat(c.launches + ".done")
		return err == nil
	})
	fine(c.t, os.Remove(c.launches+".done"))
	c.kill()
	c.start()
	c.settle()
	c.inOrder()
}

// spare is a snapshot besides the first one, which is taken when there is none.
func (c *crash) spare(name string) string {
	c.t.Helper()
	for _, there := range c.snapshots(models.SnapshotAvailable) {
		if there != "first" {
			return there
		}
	}
	c.must("/clusters/orders/snapshot", url.Values{"name": {name}})
	c.settle()
	return name
}

// inOrder compares what the catalog says with what is in the store and with the nodes. Nothing is half done, and nothing is lost.
func (c *crash) inOrder() {
	c.t.Helper()
	ctx := c.t.Context()
	rows, err := c.db.Snapshots.List(ctx, models.List{})
	fine(c.t, err)
	var own []string
	for _, s := range rows.Rows {
		switch s.Status {
		case models.SnapshotAvailable:
			folder := "console/" + s.ClusterName + "/" + s.Name + "/"
			own = append(own, folder+"manifest.json")
			for i := range max(1, s.ShardCount) {
				own = append(own, fmt.Sprintf("%spart-%04d.rdb.zst", folder, i+1))
			}
			if s.Damage != "" {
				c.t.Errorf("the snapshot %s counts as damaged: %s", s.Name, s.Damage)
			}
			if !c.checked[s.Name] && s.ClusterName == "orders" { // the others are compared as clusters
				c.restoresEqual(archive.New(c.store), archive.Ref{Cluster: "orders", Snapshot: s.Name})
				c.checked[s.Name] = true
			}
		case models.SnapshotFailed:
		default:
			c.t.Errorf("snapshot %s is stuck in %s", s.Name, s.Status)
		}
	}
	if !c.checked["first"] {
		c.t.Error("the first snapshot is lost")
	}
	atRest := time.Now().Add(time.Minute) // what was left is swept soon after the start; when it is not, holds says what is there
	testkit.WaitFor(c.t, "the store to be at rest", func() bool {
		beside := func(key string) bool { return !changing(key) }
		objects, uploads := slices.DeleteFunc(c.server.Objects("snapshots", ""), beside), slices.DeleteFunc(c.server.OpenUploads("snapshots", ""), beside)
		return len(testkit.Undescribed(objects)) == len(own) && len(uploads) == 0 || time.Now().After(atRest)
	})
	c.holds("snapshots", own)
	clusters, err := c.db.Clusters.All(ctx)
	fine(c.t, err)
	for _, cluster := range clusters {
		if cluster.Status != models.ClusterAvailable {
			c.t.Errorf("cluster %s is stuck in %s (%s)", cluster.Name, cluster.Status, cluster.StatusReason)
			continue
		}
		if cluster.ClusterMode {
			if diff := testkit.Diff(c.shards, c.digests(cluster)); diff != "" {
				c.t.Errorf("the cluster %s has other data:\n%s", cluster.Name, diff)
			}
			c.clusters += len(cluster.Nodes)
			continue
		}
		for _, node := range cluster.Nodes {
			if got := testkit.Fingerprint(c.t, client(c.t, cluster, node)); got != c.want {
				c.t.Errorf("node %s of cluster %s has other data", node.Name, cluster.Name)
			}
			c.clusters++
		}
	}
}
