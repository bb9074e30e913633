package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
)

func TestCleanStopSavesAndARestartHasTheData(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]launch.Node{
		"without save points": {Password: "geheim"},
		"with save points":    {Password: "geheim", SavePoints: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			n := start(t, l, n)
			if saved, err := l.Saved(t.Context(), n.Cluster, n.Name); err != nil || saved.Exists {
				t.Errorf("before the first save: %+v, %v", saved, err)
			}
			set(t, n, "key", "value")
			began := time.Now().Add(-time.Minute) // file times are coarser than clocks
			if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
				t.Fatal(err)
			}
			requireRunning(t, l, n, false)
			saved, err := l.Saved(t.Context(), n.Cluster, n.Name)
			if err != nil || !saved.Exists || saved.Bytes < 50 || saved.At.Before(began) {
				t.Errorf("saved %+v, %v", saved, err)
			}
			if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
				t.Errorf("stop a stopped node: %v", err)
			}
			if err := l.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if got := get(t, n, "key"); got != "value" {
				t.Errorf("value %q after the restart", got)
			}
		})
	}
}

func TestSavedTellsTheReplicationPosition(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	primary := start(t, l, launch.Node{Name: "shop-001"})
	start(t, l, launch.Node{Name: "shop-002", PrimaryHost: "127.0.0.1", PrimaryPort: primary.Port})
	testkit.WaitFor(t, "an attached replica", func() bool {
		n, err := client(t, primary).Wait(t.Context(), 1, time.Second).Result()
		return err == nil && n == 1
	})
	set(t, primary, "key", "value")
	if err := l.Stop(t.Context(), "shop", "shop-001", launch.Save); err != nil {
		t.Fatal(err)
	}
	saved, err := l.Saved(t.Context(), "shop", "shop-001")
	if err != nil || len(saved.ReplicationID) != 40 || saved.Offset <= 0 {
		t.Errorf("saved %+v, %v", saved, err)
	}
	if err := os.WriteFile(filepath.Join(dirOf(l, primary), dumpFile), []byte("no RDB at all, though long"), 0o600); err != nil {
		t.Fatal(err)
	}
	if saved, err := l.Saved(t.Context(), "shop", "shop-001"); err != nil || !saved.Exists || saved.Bytes != 26 || saved.ReplicationID != "" {
		t.Errorf("of a file that is no RDB: %+v, %v", saved, err)
	}
	if err := l.Start(t.Context(), primary); !errors.Is(err, launch.ErrData) {
		t.Errorf("the start says %v, want that the data cannot be loaded", err)
	}
	if name, err := l.SetAside(t.Context(), "shop", "shop-001"); err != nil || name != asideFile {
		t.Errorf("set aside as %q, %v", name, err)
	}
	if saved, err := l.Saved(t.Context(), "shop", "shop-001"); err != nil || saved.Exists {
		t.Errorf("after that there is %+v, %v", saved, err)
	}
	if err := l.Start(t.Context(), primary); err != nil {
		t.Errorf("without it: %v", err)
	}
	if _, err := l.SetAside(t.Context(), "shop", "shop-001"); !errors.Is(err, launch.ErrRunning) {
		t.Errorf("of a node that runs: %v", err)
	}
}

func TestTerminatedServerSavesAsAtTheMachinesShutdown(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{})
	set(t, n, "key", "value")
	if err := syscall.Kill(server(t, l, n), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the end", func() bool {
		running, err := l.Running(t.Context(), n.Cluster, n.Name)
		return err == nil && !running
	})
	if err := l.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if got := get(t, n, "key"); got != "value" {
		t.Errorf("value %q", got)
	}
}

func TestStopThatCannotTalkToTheNodeStillSaves(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Password: "geheim"})
	set(t, n, "key", "value")
	if err := client(t, n).ConfigSet(t.Context(), "requirepass", "changed by hand").Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), n); err == nil {
		t.Error("start should say that the node refuses the password")
	}
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if got := get(t, n, "key"); got != "value" {
		t.Errorf("value %q", got)
	}
}

func TestNodeThatCannotSaveRunsOn(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Password: "geheim"})
	set(t, n, "key", "value")
	// A directory in the way of dump.rdb: as good as a full disk, also for root.
	if err := os.MkdirAll(filepath.Join(dirOf(l, n), dumpFile, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); !errors.Is(err, launch.ErrNotSaved) {
		t.Errorf("%v, want launch.ErrNotSaved", err)
	}
	requireRunning(t, l, n, true)
	if got := get(t, n, "key"); got != "value" {
		t.Errorf("value %q", got)
	}
}

func TestHungNodeIsOnlyKilledWhenNothingIsToBeSaved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, newLocal(t, dir), launch.Node{})
	l := New(dir, nil, Options{StopTimeout: 200 * time.Millisecond, KillGrace: 200 * time.Millisecond})
	if err := syscall.Kill(server(t, l, n), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); !errors.Is(err, launch.ErrNotStopped) {
		t.Errorf("%v, want launch.ErrNotStopped", err)
	}
	requireRunning(t, l, n, true)
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.NoSave); err != nil {
		t.Error(err)
	}
	requireRunning(t, l, n, false)
}

func TestStopWithoutSaveAndKillKeepTheLastSave(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Launcher, launch.Node) error{
		"stop": func(l *Launcher, n launch.Node) error { return l.Stop(t.Context(), n.Cluster, n.Name, launch.NoSave) },
		"kill": func(l *Launcher, n launch.Node) error { return l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t, t.TempDir())
			n := start(t, l, launch.Node{SavePoints: true})
			set(t, n, "key", "saved")
			if err := client(t, n).Save(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			set(t, n, "key", "not saved")
			for range 2 {
				if err := end(l, n); err != nil {
					t.Fatal(err)
				}
				requireRunning(t, l, n, false)
			}
			if err := l.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if got := get(t, n, "key"); got != "saved" {
				t.Errorf("value %q, want the saved one", got)
			}
		})
	}
}

// The number in node.pid may belong to anybody by now, and even a process that works in the node's
// directory need not be the node.
func TestProcessesThatAreNotTheNodeAreNeverSignalled(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{})
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill); err != nil {
		t.Fatal(err)
	}
	dir := dirOf(l, n)
	shell := exec.Command("sleep", "300")
	shell.Dir = dir
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = shell.Wait(); close(ended) }()
	t.Cleanup(func() { _ = shell.Process.Kill(); <-ended })
	if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(strconv.Itoa(shell.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := acquire(dir, false) // somebody else's, with no server behind it
	if err != nil || lock == nil {
		t.Fatalf("lock %v, %v", lock, err)
	}
	defer func() { _ = lock.Close() }()

	quick := New(l.dir, nil, Options{StopTimeout: 100 * time.Millisecond, KillGrace: 100 * time.Millisecond})
	for name, end := range map[string]func(context.Context) error{
		"stop with save":    func(ctx context.Context) error { return quick.Stop(ctx, n.Cluster, n.Name, launch.Save) },
		"stop without save": func(ctx context.Context) error { return quick.Stop(ctx, n.Cluster, n.Name, launch.NoSave) },
		"kill":              func(ctx context.Context) error { return quick.Stop(ctx, n.Cluster, n.Name, launch.Kill) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := end(ctx); err == nil {
			t.Errorf("%s: says that it is done, while the lock is held", name)
		}
		cancel()
	}
	for _, pid := range []int{shell.Process.Pid, os.Getpid(), 1, 0, -1} {
		if err := signalNode(max(pid, 1), dir, syscall.SIGKILL); err != nil {
			t.Errorf("signal %d: %v", pid, err)
		}
		if belongs(pid, dir) {
			t.Errorf("process %d is taken for the node", pid)
		}
	}
	select {
	case <-ended:
		t.Error("a process that is not the node was killed")
	default:
	}
}
