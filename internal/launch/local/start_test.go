package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rekindle/internal/formation"
	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/slots"
	"rekindle/internal/testkit"
)

func TestStartedNodeIsFoundAgainByAnotherConsole(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Password: "geheim", MaxMemory: 64 << 20})
	set(t, n, "key", "value")
	pid := server(t, l, n)

	other := newLocal(t, l.dir)
	requireRunning(t, other, n, true)
	if err := other.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if now := server(t, l, n); now != pid {
		t.Errorf("process %d instead of %d: it was started again", now, pid)
	}
	if got := get(t, n, "key"); got != "value" {
		t.Errorf("value %q: the data is gone", got)
	}
}

func TestStartingTwentyTimesAtOnceGivesOneServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	consoles := []*Launcher{newLocal(t, dir), newLocal(t, dir), newLocal(t, dir), newLocal(t, dir)}
	n := launch.Node{Cluster: "shop", Name: "shop-001", Port: testkit.FreePort(t)}
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := consoles[i%len(consoles)].Start(context.Background(), n); err != nil {
				t.Errorf("start %d: %v", i, err)
			}
		})
	}
	group.Wait()
	server(t, consoles[0], n)
	text, err := os.ReadFile(filepath.Join(dir, "shop", "shop-001", logFile))
	if starts := strings.Count(string(text), "Configuration loaded"); err != nil || starts != 1 {
		t.Errorf("%d servers were started, want 1 (%v)\n%s", starts, err, text)
	}
}

// dyingConsole starts a node, tells the port, and is killed without a chance to tidy up.
func dyingConsole(dir string) {
	port, _ := strconv.Atoi(os.Getenv("LAUNCH_TEST_PORT"))
	n := launch.Node{Cluster: "shop", Name: "shop-001", Port: port, Password: "geheim"}
	if err := New(dir, nil, Options{}).Start(context.Background(), n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = syscall.Kill(0, syscall.SIGKILL) // its whole process group, as a terminal or a supervisor would
}

func TestNodeSurvivesAConsoleThatIsKilled(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := launch.Node{Cluster: "shop", Name: "shop-001", Port: testkit.FreePort(t), Password: "geheim"}
	console := exec.Command(os.Args[0])
	console.Env = append(os.Environ(), "LAUNCH_TEST_CONSOLE="+l.dir, "LAUNCH_TEST_PORT="+strconv.Itoa(n.Port))
	console.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := console.CombinedOutput()
	status, _ := console.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGKILL {
		t.Fatalf("the console was not killed: %v\n%s", err, out)
	}

	requireRunning(t, l, n, true)
	pid := server(t, l, n)
	set(t, n, "key", "value")
	if err := l.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if now := server(t, l, n); now != pid || get(t, n, "key") != "value" {
		t.Errorf("process %d instead of %d: it was started again", now, pid)
	}
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
		t.Fatal(err)
	}
	requireRunning(t, l, n, false)
}

func TestServerHasASessionOfItsOwnAndNoneOfOurSecrets(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Password: "geheim"})
	pid := server(t, l, n)
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session %d of process %d: %v", sid, pid, err)
	}
	// Not from /proc: the server writes its title over its environment there.
	cmd, log, err := l.prepare(t.TempDir(), nil, n, program{path: "redis-server"})
	if err != nil {
		t.Fatal(err)
	}
	_ = log.Close()
	for _, variable := range cmd.Env {
		if name, _, _ := strings.Cut(variable, "="); name != "PATH" && name != "TZ" {
			t.Errorf("the server got %s from our environment", name)
		}
	}
	for _, file := range []string{confFile, recordFile, logFile} {
		info, err := os.Stat(filepath.Join(dirOf(l, n), file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", file, info.Mode(), err)
		}
	}
	if written, err := os.ReadFile(filepath.Join(dirOf(l, n), pidFile)); err != nil || strings.TrimSpace(string(written)) != strconv.Itoa(pid) {
		t.Errorf("node.pid: %q, %v; want %d", written, err, pid)
	}
}

func TestTakenPortIsSaidClearlyAndLeavesNoProcess(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for name, port := range map[string]int{
		"a redis":                 testkit.Redis(t).Port,
		"a redis with a password": testkit.Redis(t, "--requirepass", "other").Port,
		"a mute listener":         listener.Addr().(*net.TCPAddr).Port,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t, t.TempDir())
			n := launch.Node{Cluster: "shop", Name: "shop-001", Port: port, Password: "geheim"}
			err := l.Start(t.Context(), n)
			if !errors.Is(err, launch.ErrPortTaken) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
				t.Errorf("%v, want launch.ErrPortTaken with the port", err)
			}
			requireRunning(t, l, n, false)
			if pids := holders(dirOf(l, n)); len(pids) != 0 {
				t.Errorf("processes left: %v", pids)
			}
			if address, err := l.freeAddress(t.Context(), port, nil); !errors.Is(err, launch.ErrNoPort) {
				t.Errorf("the port is free at %q (%v)", address, err)
			}
		})
	}
}

func TestServerThatCannotLoadItsDataIsReportedWithItsLog(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := launch.Node{Cluster: "shop", Name: "shop-001", Port: testkit.FreePort(t)}
	if err := os.MkdirAll(dirOf(l, n), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirOf(l, n), dumpFile), []byte("REDIS0099garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := l.Start(t.Context(), n)
	if err == nil || !strings.Contains(err.Error(), "Can't handle RDB format version 99") {
		t.Errorf("%v, want the server's own reason", err)
	}
	requireRunning(t, l, n, false)
}

func TestOddPasswordsWorkAndChangeNothingElse(t *testing.T) {
	t.Parallel()
	passwords := map[string]secret.Text{
		"spaces":    "  two  words ",
		"quotes":    `a"b'c"`,
		"backslash": `\n\x41\`,
		"injection": "x\nmaxmemory 1\nport 1",
		"closing":   "x\" \r\nmaxmemory 1 \"",
		"unicode":   "pässwörd 🔑",
		"bytes":     "\x01\xff\xfe\x7f",
		"hash":      "#no comment",
		"long":      secret.Text(strings.Repeat("x", 512)),
	}
	for name, password := range passwords {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			n := start(t, l, launch.Node{Password: password, MaxMemory: 32 << 20})
			set(t, n, "key", "value")
			config, err := client(t, n).ConfigGet(t.Context(), "*").Result()
			if err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]string{
				"maxmemory": strconv.Itoa(32 << 20), "port": strconv.Itoa(n.Port),
				"requirepass": password.Reveal(), "masterauth": password.Reveal(),
			} {
				if config[field] != want {
					t.Errorf("%s is %q, want %q", field, config[field], want)
				}
			}
			open := client(t, launch.Node{Port: n.Port})
			if err := open.Ping(t.Context()).Err(); err == nil {
				t.Error("it answers without the password")
			}
			if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReplicaAttachesToItsPrimary(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	primary := start(t, l, launch.Node{Name: "shop-001", Password: "ge heim"})
	testkit.Fill(t, client(t, primary), 100)
	replica := start(t, l, launch.Node{Name: "shop-002", Password: "ge heim", PrimaryHost: "127.0.0.1", PrimaryPort: primary.Port})
	testkit.WaitFor(t, "the link to the primary", func() bool {
		info, err := client(t, replica).Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	want, got := testkit.Digests(t, client(t, primary)), testkit.Digests(t, client(t, replica))
	if diff := testkit.Diff(want, got); diff != "" {
		t.Errorf("the replica differs:\n%s", diff)
	}
	info, err := client(t, primary).Info(t.Context(), "replication").Result()
	if err != nil || !strings.Contains(info, fmt.Sprintf("slave0:ip=127.0.0.1,port=%d,state=online", replica.Port)) {
		t.Errorf("the primary does not list its replica as it announces itself: %v\n%s", err, info)
	}
}

func TestNodesInClusterModeFindEachOtherAgain(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	var nodes []launch.Node
	var primaries []formation.Primary
	for i, set := range slots.Spread(2) {
		n := start(t, l, launch.Node{Name: fmt.Sprintf("shop-000%d-001", i+1), Host: "127.0.0.1", Password: "ge heim", ClusterMode: true})
		nodes = append(nodes, n)
		primaries = append(primaries, formation.Primary{Slots: set,
			Node: formation.Node{Options: resp.Options{Addr: net.JoinHostPort(n.Host, strconv.Itoa(n.Port)), Password: n.Password}, Host: n.Host, Port: n.Port}})
	}
	if err := formation.Form(t.Context(), primaries); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if found, err := l.Describe(t.Context(), n.Cluster, n.Name); err != nil || !found.ClusterMode {
			t.Errorf("%s is described as %+v, %v", n.Name, found, err)
		}
		if err := l.Start(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		testkit.WaitFor(t, n.Name+" serves again", func() bool {
			info, err := client(t, n).ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:2")
		})
	}
}

func TestPasswordIsHiddenInTheLogsTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "*** FATAL CONFIG FILE ERROR ***\n>>> 'requirepass " + quote(`ge"heim`) + "' or ge\"heim\n"
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := logTail(dir, 0, []secret.Text{`ge"heim`}); strings.Contains(got, "heim") || !strings.Contains(got, "FATAL") {
		t.Errorf("tail %q", got)
	}
}

func TestStartEndsWithItsContextAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{})
	pid := server(t, l, n)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Start(ctx, n) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), n); err != nil || server(t, l, n) != pid {
		t.Errorf("the same server should answer again: %v", err)
	}
}
