package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rekindle/internal/launch"
	"rekindle/internal/memcached"
	"rekindle/internal/secret"
)

const (
	startTick   = 10 * time.Millisecond
	maxLogBytes = 8 << 20 // of node.log, looked at when a node starts
	tailBytes   = 4096    // of node.log, shown in errors
)

// Start makes sure that the node runs and returns when it answers. A node that runs already is
// left as it is, whatever n says; one that is just being started, by this console or another, is
// waited for. A primary answers once it has loaded its dump.rdb, a replica as soon as it takes
// commands, although it may still be loading; memcached has nothing to load.
//
// If ctx ends while the server is loading, Start returns its error and the server continues.
// If the server cannot start it is gone, and the error has the last lines of its log: ErrPortTaken,
// ErrNoEngine, ErrNoTLS, ErrName, ErrNode, ErrData, or just the log's text.
func (l *Launcher) Start(ctx context.Context, n launch.Node) error {
	if err := l.start(ctx, n); err != nil {
		return fmt.Errorf("start node %s/%s: %w", n.Cluster, n.Name, err)
	}
	return nil
}

func (l *Launcher) start(ctx context.Context, n launch.Node) error {
	dir, err := l.nodeDir(n.Cluster, n.Name)
	if err != nil {
		return err
	}
	if n, err = l.complete(n); err != nil {
		return err
	}
	var engine program
	patience := newPatience(l.opts.StartTimeout)
	return poll(ctx, startTick, func() (bool, error) {
		held, err := lockHeld(dir)
		if err != nil {
			return false, err
		}
		if held {
			return l.answers(ctx, dir, patience)
		}
		// Looked up before the directory is made, so that a missing engine leaves nothing behind,
		// and after the look at the lock: a running node needs no program.
		if engine.path == "" {
			if engine, err = l.engineFor(ctx, n); err != nil {
				return false, err
			}
		}
		lock, err := acquire(dir, true)
		if err != nil {
			return false, err
		}
		if lock == nil {
			return false, nil // another console was faster: wait for its node
		}
		return true, l.launch(ctx, dir, lock, n, engine)
	})
}

// answers looks once at a node that somebody else has started.
func (l *Launcher) answers(ctx context.Context, dir string, patience *patience) (bool, error) {
	state, err := probe(ctx, dir)
	if err == nil {
		patience.renew() // it talks to us, so it may take its time to load
		return state.ready(), nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	// A refused password is tolerated only for a moment: the file that it was read from may just
	// be being replaced.
	refused := errors.Is(err, errRefused) || errors.Is(err, memcached.ErrRefused)
	if refused && patience.spent() > time.Second || patience.over() {
		return false, fmt.Errorf("it is running (process %v) but does not answer: %w", holders(dir), err)
	}
	return false, nil
}

// launch runs the server. It takes over the lock, which it holds.
func (l *Launcher) launch(ctx context.Context, dir string, lock *os.File, n launch.Node, engine program) error {
	cmd, log, err := l.prepare(dir, lock, n, engine)
	if err != nil {
		_ = lock.Close()
		return err
	}
	began, err := log.Seek(0, io.SeekEnd)
	if err == nil {
		err = cmd.Start()
	}
	// From here on the lock is the server's alone: ours would outlive it.
	_, _ = lock.Close(), log.Close()
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // reaps it, whenever that is; otherwise it would stay a zombie
		close(ended)
	}()

	patience := newPatience(l.opts.StartTimeout)
	return poll(ctx, startTick, func() (bool, error) {
		select {
		case <-ended:
			return false, startFailure(dir, began, cmd.ProcessState, n, engine.Engine)
		default:
		}
		state, err := probe(ctx, dir)
		switch {
		case err == nil:
			patience.renew()
			return state.ready(), nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case patience.over():
			// Killing it does no harm: nobody could write to it, and it has only read its dump.rdb.
			_ = cmd.Process.Kill()
			<-ended
			return false, fmt.Errorf("%s %s did not answer within %s and was stopped again: %w; its log ends:\n%s",
				engine.Name, engine.Version, patience.limit, err, logTail(dir, began, passwordsOf(n)))
		}
		return false, nil
	})
}

// prepare writes the files and sets up the command; nothing runs yet. The caller holds the lock
// and closes the log.
func (l *Launcher) prepare(dir string, lock *os.File, n launch.Node, engine program) (cmd *exec.Cmd, log *os.File, err error) {
	path, err := filepath.Abs(engine.path)
	if err != nil {
		return nil, nil, err
	}
	if err := tidy(dir); err != nil {
		return nil, nil, err
	}
	if n.TLS {
		if _, err := l.certify(dir, n.Host); err != nil {
			return nil, nil, err
		}
	}
	if n.ClusterMode {
		if err := l.introduce(dir, n); err != nil {
			return nil, nil, err
		}
	}
	if err := writeFiles(dir, n, engine.Engine); err != nil {
		return nil, nil, err
	}
	args := []string{filepath.Join(dir, confFile)}
	if n.Engine == engineMemcached {
		if args, err = memcachedArguments(dir, n); err != nil {
			return nil, nil, err
		}
	}
	log, err = os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	cmd = exec.Command(path, args...) // no context: it outlives the call
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log // standard input is /dev/null
	cmd.ExtraFiles = []*os.File{lock}
	// A session of its own, so that neither Ctrl-C in the console's terminal nor its hang-up reaches the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// The console's environment contains secrets, and a server's environment can be seen in /proc.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	return cmd, log, nil
}

// tidy removes what a killed server left: its pid file, and the files of unfinished saves, which
// would fill the disk. That is safe, because the caller holds the lock, so no server is running here.
func tidy(dir string) error {
	leftovers, err := filepath.Glob(filepath.Join(escapeGlob(dir), "temp-*.rdb"))
	if err != nil {
		return err
	}
	for _, path := range append(leftovers, filepath.Join(dir, pidFile)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	log := filepath.Join(dir, logFile)
	if info, err := os.Stat(log); err == nil && info.Size() > maxLogBytes {
		return os.Rename(log, log+".1")
	}
	return nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// noTLS is what a server without TLS says about its configuration.
var noTLS = regexp.MustCompile(`(?s)'tls-[a-z-]+.*Bad directive`)

// startFailure explains why a server ended instead of answering.
func startFailure(dir string, began int64, end *os.ProcessState, n launch.Node, engine launch.Engine) error {
	tail := logTail(dir, began, passwordsOf(n))
	if strings.Contains(tail, "already in use") {
		return fmt.Errorf("%w: %s", launch.ErrPortTaken, net.JoinHostPort(n.Host, strconv.Itoa(n.Port)))
	}
	if strings.Contains(tail, "assign requested address") {
		return fmt.Errorf("%w: %s", launch.ErrNoAddress, n.Host)
	}
	if n.TLS && noTLS.MatchString(tail) {
		return fmt.Errorf("%w: %s %s", launch.ErrNoTLS, engine.Name, engine.Version)
	}
	hint := ""
	if status, ok := end.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		hint = ", by the system if there was too little memory"
	}
	err := fmt.Errorf("%s %s ended at once (%s%s); its log ends:\n%s", engine.Name, engine.Version, end, hint, tail)
	if _, data := findCause(lastStart(readLog(dir, passwordsOf(n)))); data {
		err = fmt.Errorf("%w: %w", launch.ErrData, err)
	}
	return err
}

// logTail returns the last lines that the server printed since began, without the password: servers
// print the line of the configuration that they reject.
func logTail(dir string, began int64, passwords []secret.Text) string {
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	defer func() { _ = f.Close() }()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		began = max(began, size-tailBytes)
	}
	_, err = f.Seek(began, io.SeekStart)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	text, _ := io.ReadAll(io.LimitReader(f, tailBytes))
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) > 10 {
		lines = slices.Clip(lines[len(lines)-10:])
	}
	return hide(string(bytes.Join(lines, []byte("\n"))), passwords)
}
