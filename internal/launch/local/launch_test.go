package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
)

// TestMain also is the console that dies: see TestNodeSurvivesAConsoleThatIsKilled.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LAUNCH_TEST_CONSOLE"); dir != "" {
		dyingConsole(dir)
	}
	os.Exit(m.Run())
}

// newLocal returns a launcher on dir whose nodes end with the test.
func newLocal(t *testing.T, dir string) *Launcher {
	t.Helper()
	l := New(dir, nil, Options{})
	t.Cleanup(func() {
		ids, err := l.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			if err := l.Stop(context.Background(), id.Cluster, id.Name, launch.Kill); err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

// start starts a node on a free port and returns it.
func start(t *testing.T, l *Launcher, n launch.Node) launch.Node {
	t.Helper()
	if n.Cluster == "" {
		n.Cluster = "shop"
	}
	if n.Name == "" {
		n.Name = "shop-001"
	}
	for {
		n.Port = testkit.FreePort(t)
		err := l.Start(t.Context(), n)
		if errors.Is(err, launch.ErrPortTaken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func client(t *testing.T, n launch.Node) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: net.JoinHostPort(cmp.Or(n.Host, "127.0.0.1"), strconv.Itoa(n.Port)), Password: n.Password.Reveal(),
		Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func set(t *testing.T, n launch.Node, key, value string) {
	t.Helper()
	if err := client(t, n).Set(context.Background(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// get returns the value, or "" when there is none.
func get(t *testing.T, n launch.Node, key string) string {
	t.Helper()
	value, err := client(t, n).Get(context.Background(), key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	return value
}

func dirOf(l *Launcher, n launch.Node) string { return filepath.Join(l.dir, n.Cluster, n.Name) }

// server returns the process id of the node's server and fails when there is not exactly one.
func server(t *testing.T, l *Launcher, n launch.Node) int {
	t.Helper()
	pids := holders(dirOf(l, n))
	if len(pids) != 1 {
		t.Fatalf("processes of node %s: %v, want one", n.Name, pids)
	}
	return pids[0]
}

func requireRunning(t *testing.T, l *Launcher, n launch.Node, want bool) {
	t.Helper()
	got, err := l.Running(t.Context(), n.Cluster, n.Name)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("node %s running: %v, want %v", n.Name, got, want)
	}
}

func TestNamesThatAreNoDirectoryNamesAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	l := newLocal(t, filepath.Join(t.TempDir(), "nodes"))
	for _, name := range []string{"", ".", "..", "../x", "a/b", "a\x00b", "A", "-a", ".gone-a", "ä", "a b", "a\n", strings.Repeat("a", 64)} {
		for _, id := range []launch.ID{{Cluster: name, Name: "ok"}, {Cluster: "ok", Name: name}} {
			_, running := l.Running(t.Context(), id.Cluster, id.Name)
			_, saved := l.Saved(t.Context(), id.Cluster, id.Name)
			for call, err := range map[string]error{
				"Start":   l.Start(t.Context(), launch.Node{Cluster: id.Cluster, Name: id.Name, Port: 20000}),
				"Stop":    l.Stop(t.Context(), id.Cluster, id.Name, launch.Save),
				"Kill":    l.Stop(t.Context(), id.Cluster, id.Name, launch.Kill),
				"Remove":  l.Remove(t.Context(), id.Cluster, id.Name),
				"Running": running,
				"Saved":   saved,
			} {
				if !errors.Is(err, launch.ErrName) {
					t.Errorf("%s(%q, %q): %v, want launch.ErrName", call, id.Cluster, id.Name, err)
				}
			}
		}
	}
	if _, err := os.Stat(l.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

func TestNodesThatCannotWorkAreRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	good := launch.Node{Cluster: "shop", Name: "shop-001", Port: 20000}
	tests := map[string]struct {
		change func(*launch.Node)
		want   error
	}{
		"unknown engine":                {func(n *launch.Node) { n.Engine = "mongodb" }, launch.ErrNode},
		"no port":                       {func(n *launch.Node) { n.Port = 0 }, launch.ErrNode},
		"port too high":                 {func(n *launch.Node) { n.Port = 65536 }, launch.ErrNode},
		"no port for the cluster bus":   {func(n *launch.Node) { n.ClusterMode, n.Port = true, 55536 }, launch.ErrNode},
		"host with a space":             {func(n *launch.Node) { n.Host = "127.0.0.1 0.0.0.0" }, launch.ErrNode},
		"replica of nobody":             {func(n *launch.Node) { n.PrimaryPort = 6379 }, launch.ErrNode},
		"negative memory":               {func(n *launch.Node) { n.MaxMemory = -1 }, launch.ErrNode},
		"zero byte in the password":     {func(n *launch.Node) { n.Password = "a\x00b" }, launch.ErrNode},
		"endless password":              {func(n *launch.Node) { n.Password = secret.Text(strings.Repeat("x", 513)) }, launch.ErrNode},
		"DEBUG for others":              {func(n *launch.Node) { n.Host, n.Password, n.Debug = "0.0.0.0", "secret", true }, launch.ErrNode},
		"open to others, no password":   {func(n *launch.Node) { n.Host = "0.0.0.0" }, launch.ErrNode},
		"newer engine than is there is": {func(n *launch.Node) { n.Version = "99.0.0" }, launch.ErrNoEngine},
		"directive of our own":          {func(n *launch.Node) { n.Config = map[string]string{"timeout": "0", "dir": "/"} }, launch.ErrNode},
		"two directives in one":         {func(n *launch.Node) { n.Config = map[string]string{"timeout 0\ndir": "/"} }, launch.ErrNode},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, filepath.Join(t.TempDir(), "nodes"))
			n := good
			test.change(&n)
			if err := l.Start(t.Context(), n); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if _, err := os.Stat(l.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a directory was made: %v", err)
			}
		})
	}
}

func TestListAndRemove(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	if ids, err := New(filepath.Join(l.dir, "never"), nil, Options{}).List(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("list of a folder that is not there: %v, %v", ids, err)
	}
	a := start(t, l, launch.Node{Cluster: "shop", Name: "shop-002"})
	b := start(t, l, launch.Node{Cluster: "shop", Name: "shop-001"})
	for _, odd := range []string{".gone-shop-009-1/shop-009", "Not Ours"} {
		if err := os.MkdirAll(filepath.Join(l.dir, "shop", odd), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := l.List(t.Context())
	if want := []launch.ID{{Cluster: "shop", Name: "shop-001"}, {Cluster: "shop", Name: "shop-002"}}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("list %v, %v; want %v", ids, err, want)
	}

	if err := l.Remove(t.Context(), a.Cluster, a.Name); !errors.Is(err, launch.ErrRunning) {
		t.Errorf("remove a running node: %v, want launch.ErrRunning", err)
	}
	if _, err := os.Stat(filepath.Join(dirOf(l, a), confFile)); err != nil {
		t.Errorf("the refused removal removed something: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(l.dir, "shop", "Not Ours")); err != nil {
		t.Fatal(err)
	}
	for _, n := range []launch.Node{a, b} {
		if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Remove(t.Context(), n.Cluster, n.Name); err != nil {
				t.Errorf("remove %s: %v", n.Name, err)
			}
		}
		if _, err := os.Stat(dirOf(l, n)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", n.Name, err)
		}
	}
	if left, err := os.ReadDir(l.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKilledServerIsReapedAndSeenAsGone(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{})
	pid := server(t, l, n)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the zombie to be reaped", func() bool {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
	requireRunning(t, l, n, false)
	if err := l.Start(t.Context(), n); err != nil {
		t.Errorf("start again: %v", err)
	}
}

// A server that dies while it saves leaves a child that still writes dump.rdb: a node started
// beside it could have its data replaced by the older one.
func TestNodeRunsAsLongAsAForkedChildDoes(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{})
	c := client(t, n)
	for i := range 100 {
		c.Set(t.Context(), fmt.Sprint("key", i), "value", 0)
	}
	if err := c.ConfigSet(t.Context(), "rdb-key-save-delay", "1000000").Err(); err != nil { // 1 s per key
		t.Fatal(err)
	}
	pid := server(t, l, n)
	if err := c.BgSave(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the saving child", func() bool { return len(holders(dirOf(l, n))) == 2 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the server's end", func() bool { return len(holders(dirOf(l, n))) == 1 })
	requireRunning(t, l, n, true)

	began := time.Now()
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill); err != nil {
		t.Fatal(err)
	}
	requireRunning(t, l, n, false)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("killing the child took %s", took)
	}
	if err := l.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dirOf(l, n), "temp-*.rdb")); len(left) != 0 {
		t.Errorf("unfinished saves are still there: %v", left)
	}
}
