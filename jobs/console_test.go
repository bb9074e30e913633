package jobs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/authority"
	"rekindle/internal/launch"
	"rekindle/internal/launch/local"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/jobs"
	"rekindle/jobs/declared"
	"rekindle/models"
	"rekindle/models/catalog"
)

// console is the whole of Rekindle without its pages: a catalog, a store, real nodes, and a manager that can be restarted.
type console struct {
	t       *testing.T
	data    string
	clock   clockwork.Clock
	store   store.Store
	nodes   *local.Launcher
	host    *jobs.Host
	db      *catalog.DB
	manager *jobs.Manager
	lease   time.Duration // 0: as in the product
	pace    int64         // bytes a second; 0: no limit
	wait    time.Duration // for replicas; 0: as in the product
	home    string
	at      local.Addresses                                            // where nodes are; nil: at loopback addresses of this test alone
	told    string                                                     // the host that applications are told
	engines []string                                                   // programs, beside those in PATH
	every   time.Duration                                              // at which nodes are looked at
	open    func(ctx context.Context, url string) (store.Store, error) // other stores; nil: folders
	begin   *declared.File                                             // the clusters file
	log     io.Writer                                                  // nil: the test's output, from warnings on
	behind  func(launch.Launcher) launch.Launcher                      // what nodes are launched by instead; nil: the launcher itself
	started func(launch.Node)                                          // called when a node has been started, before anything else is done with it; nil: nothing is
}

// afterStart is a launcher that calls somebody when a node has been started.
type afterStart struct {
	launch.Launcher
	call func(launch.Node)
}

func (a afterStart) Start(ctx context.Context, n launch.Node) error {
	err := a.Launcher.Start(ctx, n)
	if err == nil {
		a.call(n)
	}
	return err
}

// catalogTemplate is an empty catalog, which most consoles here begin with.
var catalogTemplate = testkit.NewTemplate(func(path string) error {
	db, err := catalog.Open(context.Background(), catalog.File(path), clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	return db.Close()
})

// newConsole starts a console in a folder of its own. The nodes that it launches end with the test.
func newConsole(t *testing.T, clock clockwork.Clock) *console {
	t.Helper()
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	return newConsoleWith(t, clock, data, st)
}

// newConsoleWith is newConsole with a folder and a store of the test's, and with what is changed of it before it starts.
func newConsoleWith(t *testing.T, clock clockwork.Clock, data string, st store.Store, changes ...func(*console)) *console {
	t.Helper()
	c := &console{t: t, data: data, clock: clock, store: st, home: "here", every: 100 * time.Millisecond}
	for _, change := range changes {
		change(c)
	}
	if _, path := testkit.Chosen(t); path != "" {
		c.engines = append(c.engines, path)
	}
	c.nodes = c.launcher()
	c.host = jobs.NewHost(c.nodes, c.home)
	catalogTemplate.Copy(t, filepath.Join(data, "rekindle.db"))
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(data, "rekindle.db")), clock, c.host)
	if err != nil {
		t.Fatal(err)
	}
	c.db = db
	c.start()
	t.Cleanup(func() {
		ctx := context.Background()
		c.stop()
		ids, err := c.nodes.List(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			if err := c.nodes.Stop(ctx, id.Cluster, id.Name, launch.Kill); err != nil {
				t.Error(err)
			}
		}
		if err := c.db.Close(); err != nil { // which is not the first one when a test has lost that
			t.Error(err)
		}
	})
	return c
}

// launcher is one for the addresses at which the console's nodes are. Those that other tests have too are used with ports of this test.
func (c *console) launcher() *local.Launcher {
	options := local.Options{EnginePaths: c.engines, KillGrace: time.Millisecond, ControlGroups: filepath.Join(c.data, "cgroup"), Announce: c.told}
	addresses := c.at
	if addresses == nil {
		addresses = testkit.Loopback(c.t)
	} else {
		options.FirstPort = 16379 + rand.IntN(5000)
	}
	return local.New(filepath.Join(c.data, "nodes"), addresses, options)
}

func (c *console) start() {
	c.t.Helper()
	logger := slog.New(slog.NewTextHandler(c.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if c.log != nil {
		logger = slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var nodes launch.Launcher = c.nodes
	if c.behind != nil {
		nodes = c.behind(nodes)
	}
	if c.started != nil {
		nodes = afterStart{c.nodes, c.started}
	}
	manager, err := jobs.New(jobs.Config{DB: c.db, Store: c.store, Launcher: nodes, Host: c.host, Clock: c.clock, Logger: logger,
		Lease: c.lease, SuperviseEvery: c.every, FollowEvery: 2 * c.every, ReplicaWait: c.wait, Transfers: 4, Bandwidth: c.pace, OpenStore: c.open, Declared: c.begin})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := manager.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.manager = manager
}

// earlier is the lease of a console that ran on this data folder before, and that the next one takes for killed.
func (c *console) earlier() string {
	c.t.Helper()
	owner, err := c.db.Owners.Enroll(c.t.Context(), c.home, time.Minute)
	if err != nil {
		c.t.Fatal(err)
	}
	return owner.ID
}

func (c *console) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.manager.Stop(ctx); err != nil {
		c.t.Error(err)
	}
}

// spec is a small cluster without automatic backups.
func (c *console) spec(name string, replicas int) models.ClusterSpec {
	c.t.Helper()
	engines, err := c.host.Engines(c.t.Context())
	i := slices.IndexFunc(engines, func(e models.Engine) bool { return e.Name != models.EngineMemcached })
	if err != nil || i < 0 {
		c.t.Fatalf("no engine is installed (make setup): %v", err)
	}
	if chosen, _ := testkit.Chosen(c.t); chosen != "" {
		i = slices.IndexFunc(engines, func(e models.Engine) bool { return strings.HasPrefix(e.Name+"-"+e.Version, chosen+".") })
	}
	return models.ClusterSpec{Name: name, Engine: engines[i], NodeType: "cache.t4g.micro", Replicas: replicas, Auth: models.AuthGenerate, RequestedBy: "test"}
}

// create asks for clusters and waits until they are available.
func (c *console) create(spec models.ClusterSpec) []models.Cluster {
	c.t.Helper()
	clusters, err := c.db.Clusters.Create(c.t.Context(), spec)
	if err != nil {
		c.t.Fatal(err)
	}
	c.manager.Wake()
	for i, cluster := range clusters {
		clusters[i] = c.await(cluster.Name, models.ClusterAvailable)
	}
	return clusters
}

// await waits until a cluster is in this state.
func (c *console) await(name string, status models.ClusterStatus) models.Cluster {
	c.t.Helper()
	var cluster models.Cluster
	c.waitFor(fmt.Sprintf("cluster %s to be %s", name, status), func() bool {
		var err error
		cluster, err = c.db.Clusters.Get(c.t.Context(), name)
		return err == nil && cluster.Status == status
	}, func() string { return fmt.Sprintf("%s (%s)", cluster.Status, cluster.StatusReason) })
	return cluster
}

// waitFor is testkit.WaitFor that says what was there instead.
func (c *console) waitFor(what string, condition func() bool, otherwise func() string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.t.Logf("waiting for %s: %s", what, otherwise())
		}
	}()
	testkit.WaitFor(c.t, what, condition)
}

// snapshot takes a manual snapshot and waits for its end.
func (c *console) snapshot(cluster, name string) models.Snapshot {
	c.t.Helper()
	if _, err := c.db.Snapshots.Request(c.t.Context(), cluster, name, false, "test"); err != nil {
		c.t.Fatal(err)
	}
	c.manager.Wake()
	return c.awaitSnapshot(name)
}

func (c *console) awaitSnapshot(name string) models.Snapshot {
	c.t.Helper()
	var snapshot models.Snapshot
	testkit.WaitFor(c.t, "snapshot "+name+" to end", func() bool {
		var err error
		snapshot, err = c.db.Snapshots.Get(c.t.Context(), name)
		return err == nil && snapshot.Status != models.SnapshotCreating
	})
	return snapshot
}

// client connects to a node.
func (c *console) client(cluster models.Cluster, node models.Node) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: node.Address(), Username: cluster.SignsInAs(), Password: cluster.Password.Reveal(), TLSConfig: c.trust(cluster)})
	c.t.Cleanup(func() { client.Close() })
	return client
}

// trust is how clients of a cluster that encrypts know its nodes; nil for others.
func (c *console) trust(cluster models.Cluster) *tls.Config {
	c.t.Helper()
	if !cluster.TransitEncryption {
		return nil
	}
	config, err := authority.Trust(cluster.CA)
	if err != nil {
		c.t.Fatal(err)
	}
	return config
}

func (c *console) primary(cluster models.Cluster) *redis.Client {
	c.t.Helper()
	node, found := cluster.Shards()[0].Primary()
	if !found {
		c.t.Fatalf("cluster %s has no primary", cluster.Name)
	}
	return c.client(cluster, node)
}

// stored lists every file of snapshots, and of what is left of them, below the store, as paths.
func (c *console) stored() []string {
	c.t.Helper()
	var files []string
	// A record that is being written comes and goes in these moments. What was left behind stays.
	enough := time.Now().Add(2 * time.Second)
	testkit.WaitFor(c.t, "the store to be at rest", func() bool {
		files = c.storedNow()
		return !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, ".tmp/") }) || time.Now().After(enough)
	})
	return files
}

func (c *console) storedNow() []string {
	c.t.Helper()
	var files []string
	root := filepath.Join(c.data, "snapshots")
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		record := entry != nil && (entry.Name() == "cluster.json" || entry.Name() == "console.json" || entry.Name() == "store.json")
		if err == nil && !entry.IsDir() && !record && !testkit.Held(path) { // one that is being written
			files = append(files, strings.TrimPrefix(path, root+"/"))
		}
		if errors.Is(err, fs.ErrNotExist) { // removed while we look
			return nil
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return testkit.Undescribed(files)
}

// cacheEvents are the events in ElastiCache's words, each with what it is about, in their order.
func (c *console) cacheEvents() []string {
	now := c.db.Now()
	events, err := c.db.Events.Page(c.t.Context(), models.EventFilter{From: now.Add(-time.Hour), To: now}, 0, 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	var said []string
	for _, e := range events {
		if e.Source != "" {
			said = append(said, e.Source+": "+e.Message)
		}
	}
	return said
}

func (c *console) events() string {
	events, err := c.db.Events.List(c.t.Context(), models.List{})
	if err != nil {
		c.t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range events.Rows {
		fmt.Fprintf(&text, "%s %s: %s\n", e.Severity, e.ClusterName, e.Message)
	}
	return text.String()
}
