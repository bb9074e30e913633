package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rekindle/internal/launch"
	"rekindle/internal/memcached"
	"rekindle/internal/testkit"
)

func startCache(t *testing.T, l *Launcher, n launch.Node) launch.Node {
	t.Helper()
	n.Engine = engineMemcached
	return start(t, l, n)
}

func addrOf(n launch.Node) string { return fmt.Sprintf("127.0.0.1:%d", n.Port) }

// askCache sends a command to a memcached and returns its answer up to the line that starts with last.
func askCache(t *testing.T, n launch.Node, command, last string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addrOf(n))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), last) {
			return answer.String()
		}
		answer.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("%q was answered by %q and no %s", command, answer.String(), last)
	return ""
}

func setCached(t *testing.T, n launch.Node, key, value string) {
	t.Helper()
	askCache(t, n, fmt.Sprintf("set %s 0 0 %d\r\n%s", key, len(value), value), "STORED")
}

func isCached(t *testing.T, n launch.Node, key string) bool {
	t.Helper()
	return askCache(t, n, "get "+key, "END") != ""
}

// countingCache is an engine like the memcached in PATH, but newer, whose starts are seen in the node's log.
func countingCache(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "memcached")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && echo memcached 99.0.0 && exit\necho a start\nexec memcached \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCacheTellsItsState(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := startCache(t, l, launch.Node{MaxMemory: 8 << 20})
	before, err := memcached.Probe(t.Context(), addrOf(n))
	if want := (memcached.State{MaxMemory: 8 << 20, PID: server(t, l, n)}); err != nil || before != want {
		t.Errorf("%+v, %v; want %+v", before, err, want)
	}
	setCached(t, n, "a", "value")
	setCached(t, n, "b", "value")
	after, err := memcached.Probe(t.Context(), addrOf(n))
	if err != nil || after.Items != 2 || after.UsedMemory < 10 || after.UsedMemory > 1000 {
		t.Errorf("%+v, %v; want 2 items", after, err)
	}
}

func TestCacheNodeIsStartedOnceUnderTwoConsolesAndFoundAgain(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	opts := Options{EnginePaths: []string{countingCache(t)}}
	consoles := []*Launcher{New(l.dir, nil, opts), New(l.dir, nil, opts)}
	n := launch.Node{Cluster: "shop", Name: "shop-001", Engine: engineMemcached, Port: testkit.FreePort(t), MaxMemory: 16 << 20}
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := consoles[i%len(consoles)].Start(context.Background(), n); err != nil {
				t.Errorf("start %d: %v", i, err)
			}
		})
	}
	group.Wait()
	pid := server(t, l, n)
	setCached(t, n, "key", "value")

	other := newLocal(t, l.dir)
	requireRunning(t, other, n, true)
	if err := other.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if now := server(t, l, n); now != pid || !isCached(t, n, "key") {
		t.Errorf("process %d instead of %d: it was started again", now, pid)
	}
	text, err := os.ReadFile(filepath.Join(dirOf(l, n), logFile))
	if starts := strings.Count(string(text), "a start"); err != nil || starts != 1 {
		t.Errorf("%d servers were started, want 1 (%v)\n%s", starts, err, text)
	}
}

func TestCacheNodeEndsEmptyAndStartsAgain(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Launcher, launch.Node) error{
		"stop with save":    func(l *Launcher, n launch.Node) error { return l.Stop(t.Context(), n.Cluster, n.Name, launch.Save) },
		"stop without save": func(l *Launcher, n launch.Node) error { return l.Stop(t.Context(), n.Cluster, n.Name, launch.NoSave) },
		"kill":              func(l *Launcher, n launch.Node) error { return l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill) },
		"from outside":      func(l *Launcher, n launch.Node) error { return killServer(l, n) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t, t.TempDir())
			n := startCache(t, l, launch.Node{})
			setCached(t, n, "key", "value")
			if err := l.Remove(t.Context(), n.Cluster, n.Name); !errors.Is(err, launch.ErrRunning) {
				t.Errorf("remove a running node: %v, want launch.ErrRunning", err)
			}
			for range 2 {
				if err := end(l, n); err != nil {
					t.Fatal(err)
				}
				testkit.WaitFor(t, "the end", func() bool {
					running, err := l.Running(t.Context(), n.Cluster, n.Name)
					return err == nil && !running
				})
			}
			if saved, err := l.Saved(t.Context(), n.Cluster, n.Name); err != nil || saved.Exists {
				t.Errorf("saved %+v, %v", saved, err)
			}
			if err := l.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if isCached(t, n, "key") {
				t.Error("the key is still there: it was not restarted")
			}

			if ids, err := l.List(t.Context()); err != nil || !slices.Equal(ids, []launch.ID{{Cluster: n.Cluster, Name: n.Name}}) {
				t.Errorf("list %v, %v", ids, err)
			}
			if err := end(l, n); err != nil {
				t.Fatal(err)
			}
			testkit.WaitFor(t, "the removal", func() bool { return l.Remove(t.Context(), n.Cluster, n.Name) == nil })
			if left, err := os.ReadDir(l.dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// killServer is the system that runs out of memory.
func killServer(l *Launcher, n launch.Node) error {
	var errs []error
	for _, pid := range holders(dirOf(l, n)) {
		errs = append(errs, syscall.Kill(pid, syscall.SIGKILL))
	}
	return errors.Join(errs...)
}

func TestCacheNodeThatHangsIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	for _, how := range []launch.How{launch.Save, launch.NoSave} {
		l := newLocal(t, t.TempDir())
		n := startCache(t, l, launch.Node{})
		if err := syscall.Kill(server(t, l, n), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		quick := New(l.dir, nil, Options{KillGrace: 100 * time.Millisecond})
		if err := quick.Stop(t.Context(), n.Cluster, n.Name, how); err != nil {
			t.Errorf("how %v: %v", how, err)
		}
		requireRunning(t, l, n, false)
	}
}

func TestCacheNodeIsAProcessLikeTheOthers(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := startCache(t, l, launch.Node{MaxMemory: 10<<20 - 1})
	dir, pid := dirOf(l, n), server(t, l, n)
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d of process %d: %v", sid, pid, err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for variable := range strings.SplitSeq(strings.TrimSuffix(string(environ), "\x00"), "\x00") {
		if name, _, _ := strings.Cut(variable, "="); name != "PATH" && name != "TZ" {
			t.Errorf("the server got %s from our environment", name)
		}
	}
	for _, file := range []string{recordFile, logFile} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", file, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, confFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a configuration that nothing reads: %v", err)
	}
	testkit.WaitFor(t, "node.pid", func() bool { // written by the server at its leisure
		written, err := os.ReadFile(filepath.Join(dir, pidFile))
		return err == nil && strings.TrimSpace(string(written)) == strconv.Itoa(pid)
	})
	found, err := l.Describe(t.Context(), n.Cluster, n.Name)
	if err != nil || found.Engine != n.Engine || found.MaxMemory != n.MaxMemory || found.Port != n.Port || found.Replica || found.Version == "" {
		t.Errorf("described as %+v, %v", found, err)
	}
	state, err := probe(t.Context(), dir)
	if err != nil || state.pid != pid || !state.ready() {
		t.Errorf("probe %+v, %v", state, err)
	}
}

func TestCacheNodeIsNotMistakenForAnother(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	a, b := startCache(t, l, launch.Node{Name: "shop-001"}), startCache(t, l, launch.Node{Name: "shop-002"})
	moved, err := readRecord(dirOf(l, a))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"engine": "memcached", "version": %q, "host": "127.0.0.1", "port": %d}`, moved.Version, b.Port)
	if err := os.WriteFile(filepath.Join(dirOf(l, a), recordFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := probe(t.Context(), dirOf(l, a)); !errors.Is(err, errForeign) {
		t.Errorf("%v, want errForeign", err)
	}
	if err := l.Stop(t.Context(), a.Cluster, a.Name, launch.NoSave); err != nil {
		t.Fatal(err)
	}
	requireRunning(t, l, a, false)
	requireRunning(t, l, b, true)
}

func TestTakenPortIsSaidClearlyForACacheNode(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for name, port := range map[string]int{
		"a memcached":     startCache(t, newLocal(t, t.TempDir()), launch.Node{}).Port,
		"a redis":         testkit.Redis(t).Port,
		"a mute listener": listener.Addr().(*net.TCPAddr).Port,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t, t.TempDir())
			n := launch.Node{Cluster: "shop", Name: "shop-001", Engine: engineMemcached, Port: port}
			err := l.Start(t.Context(), n)
			if !errors.Is(err, launch.ErrPortTaken) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
				t.Errorf("%v, want launch.ErrPortTaken with the port", err)
			}
			requireRunning(t, l, n, false)
			if pids := holders(dirOf(l, n)); len(pids) != 0 {
				t.Errorf("processes left: %v", pids)
			}
		})
	}
}

func TestCacheSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		node launch.Node
		want map[string]string // of stats settings
	}{
		"none":        {launch.Node{}, map[string]string{"maxbytes": "67108864", "udpport": "0", "item_size_max": "1048576", "evictions": "on"}},
		"some memory": {launch.Node{MaxMemory: 100<<20 + 5}, map[string]string{"maxbytes": "104857600"}},
		"one byte":    {launch.Node{MaxMemory: 1}, map[string]string{"maxbytes": "2097152"}},
		"parameters": {
			launch.Node{MaxMemory: 64 << 20, Config: map[string]string{
				"max_item_size": "2097152", "chunk_size_growth_factor": "1.5", "backlog_queue_limit": "77", "max_simultaneous_connections": "64",
				"binding_protocol": "ascii", "cas_disabled": "1", "chunk_size": "96", "disable_flush_all": "1", "error_on_memory_exhausted": "1",
			}},
			map[string]string{
				"item_size_max": "2097152", "growth_factor": "1.50", "tcp_backlog": "77", "maxconns": "64",
				"binding_protocol": "ascii", "cas_enabled": "no", "chunk_size": "96", "flush_enabled": "no", "evictions": "off",
			}},
		"parameters that are off": {
			launch.Node{Config: map[string]string{"cas_disabled": "0", "disable_flush_all": "0", "error_on_memory_exhausted": "0"}},
			map[string]string{"cas_enabled": "yes", "flush_enabled": "yes", "evictions": "on"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startCache(t, newLocal(t, t.TempDir()), test.node)
			settings := askCache(t, n, "stats settings", "END")
			for setting, want := range test.want {
				if !strings.Contains(settings, fmt.Sprintf("STAT %s %s\n", setting, want)) {
					t.Errorf("%s is not %s in\n%s", setting, want, settings)
				}
			}
		})
	}
}

func TestCacheNodesThatCannotWorkAreRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	config := func(name, value string) func(*launch.Node) {
		return func(n *launch.Node) { n.Config = map[string]string{"backlog_queue_limit": "5", name: value} }
	}
	tests := map[string]struct {
		change func(*launch.Node)
		says   string
	}{
		"password":                {func(n *launch.Node) { n.Password = "x" }, "no password"},
		"primary":                 {func(n *launch.Node) { n.PrimaryHost, n.PrimaryPort = "127.0.0.1", 6379 }, "does not replicate"},
		"open to others":          {func(n *launch.Node) { n.Host = "0.0.0.0" }, "could read and change"},
		"unknown parameter":       {config("shoe_size", "1"), "shoe_size"},
		"a flag":                  {config("-I", "1m"), "not a parameter"},
		"a directive of redis":    {config("maxmemory-policy", "noeviction"), "not a parameter"},
		"text for a number":       {config("backlog_queue_limit", "many"), "from 1 to 10000"},
		"number with a sign":      {config("backlog_queue_limit", "+5"), "from 1 to 10000"},
		"too great":               {config("max_simultaneous_connections", "65001"), "from 64 to 65000"},
		"no whole chunks":         {config("max_item_size", "1048577"), "multiple of 524288"},
		"number that is odd":      {config("chunk_size_growth_factor", "1e0"), "from 1.01 to 10"},
		"no number":               {config("chunk_size_growth_factor", "NaN"), "from 1.01 to 10"},
		"another flag in a value": {config("chunk_size_growth_factor", "2 -A"), "from 1.01 to 10"},
		"neither 0 nor 1":         {config("cas_disabled", "yes"), "0 or 1"},
		"protocol":                {config("binding_protocol", "http"), "auto, ascii, binary"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, filepath.Join(t.TempDir(), "nodes"))
			n := launch.Node{Cluster: "shop", Name: "shop-001", Engine: engineMemcached, Port: 20000}
			test.change(&n)
			if err := l.Start(t.Context(), n); !errors.Is(err, launch.ErrNode) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want launch.ErrNode with %q", err, test.says)
			}
			if _, err := os.Stat(l.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a directory was made: %v", err)
			}
		})
	}
}

func TestCacheThatCannotStartIsReportedInItsWords(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := launch.Node{Cluster: "shop", Name: "shop-001", Engine: engineMemcached, Port: testkit.FreePort(t), MaxMemory: 4 << 20,
		Config: map[string]string{"max_item_size": "4194304"}}
	if err := l.Start(t.Context(), n); err == nil || !strings.Contains(err.Error(), "higher than 1/2 of memory max") {
		t.Errorf("%v, want memcached's reason", err)
	}
	requireRunning(t, l, n, false)
}

func TestCacheArgumentsFitTheAddressAndTheUser(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"127.0.0.1": "127.0.0.1", "::1": "[::1]", "::": "[::]", "cache.example": "cache.example"} {
		args, err := memcachedArguments("/data/nodes/a/b", launch.Node{Host: host, Port: 11211})
		if err != nil || args[0] != "-l" || args[1] != want {
			t.Errorf("%s: %v, %v", host, args, err)
		}
		if slices.Contains(args, "-u") != (os.Geteuid() == 0) {
			t.Errorf("as user %d: %v", os.Geteuid(), args)
		}
		if slices.Contains(args, "-d") || slices.Contains(args, "-m") {
			t.Errorf("%v has what nobody asked for", args)
		}
	}
}
