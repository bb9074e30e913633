package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
)

const (
	stopTick    = 10 * time.Millisecond
	killTimeout = 30 * time.Second
	gonePrefix  = ".gone-" // of directories that are being removed
)

// Stop ends the node, as [launch.Runner] says. With launch.Save the node has Options.StopTimeout for that; with launch.NoSave it is killed if it has not
// reacted within Options.KillGrace. A memcached node has nothing to save and is ended without saving.
func (l *Launcher) Stop(ctx context.Context, cluster, name string, how launch.How) error {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return err
	}
	r, _ := readRecord(dir) // without one, the functions for the other engines report what is missing
	switch {
	case how == launch.Kill:
		err = kill(ctx, dir)
	case r.Engine == engineMemcached:
		err = l.stopCache(ctx, dir)
	case how == launch.Save:
		err = l.stopSaved(ctx, dir)
	default:
		err = l.stopNow(ctx, dir)
	}
	if err != nil {
		return fmt.Errorf("stop node %s/%s: %w", cluster, name, err)
	}
	return nil
}

func (l *Launcher) stopSaved(ctx context.Context, dir string) error {
	if held, err := lockHeld(dir); err != nil || !held {
		return err
	}
	asked := askShutdown(ctx, dir, "SAVE", l.opts.StopTimeout)
	if reply, ok := errors.AsType[resp.Error](asked); ok {
		return fmt.Errorf("%w: %s; its log ends:\n%s", launch.ErrNotSaved, reply, logTail(dir, 0, passwordOf(dir)))
	}
	if asked != nil {
		if err := l.terminate(dir, asked); err != nil {
			return err
		}
	}
	return awaitFree(ctx, dir, l.opts.StopTimeout, nil)
}

// terminate is for a node that does not take commands from us (all connections in use, a changed
// password): it sends SIGTERM, if that makes the node save.
func (l *Launcher) terminate(dir string, cause error) error {
	if held, err := lockHeld(dir); err != nil || !held {
		return err // it was about to end anyway
	}
	r, err := readRecord(dir)
	if err != nil {
		return errors.Join(cause, err)
	}
	if !r.savesOnSigterm() {
		return fmt.Errorf("%w: it cannot be asked to save, and SIGTERM would end this version without: %w", launch.ErrNotStopped, cause)
	}
	return terminateServer(dir)
}

// terminateServer sends SIGTERM to the server of the node in dir, and not to children that it forked.
func terminateServer(dir string) error {
	for _, pid := range holders(dir) {
		if sid, err := unix.Getsid(pid); err != nil || sid != pid {
			continue // a forked child; the server began its session
		}
		if err := signalNode(pid, dir, syscall.SIGTERM); err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) stopNow(ctx context.Context, dir string) error {
	if held, err := lockHeld(dir); err != nil || !held {
		return err
	}
	// An error does not matter here: the kill follows.
	_ = askShutdown(ctx, dir, "NOSAVE", l.opts.KillGrace)
	err := awaitFree(ctx, dir, l.opts.KillGrace, nil)
	if errors.Is(err, launch.ErrNotStopped) {
		return kill(ctx, dir)
	}
	return err
}

// askShutdown sends SHUTDOWN to the node in dir, after checking that it is the node. nil means that
// it is shutting down: a server that does closes the connection instead of answering.
func askShutdown(ctx context.Context, dir, how string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := readRecord(dir)
	if err != nil {
		return err
	}
	conn, _, err := dial(ctx, dir, r, timeout)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Do(ctx, "SHUTDOWN", how)
	if _, ok := errors.AsType[resp.Error](err); ok {
		return err
	}
	return nil
}

// kill ends the node in dir and its forked children with SIGKILL, and returns when all are gone.
func kill(ctx context.Context, dir string) error {
	return awaitFree(ctx, dir, killTimeout, func() error {
		var errs []error
		for _, pid := range holders(dir) {
			errs = append(errs, signalNode(pid, dir, syscall.SIGKILL))
		}
		return errors.Join(errs...)
	})
}

// awaitFree waits until nobody holds the node's lock. As long as somebody does, it calls meanwhile,
// if not nil. After limit it returns ErrNotStopped.
func awaitFree(ctx context.Context, dir string, limit time.Duration, meanwhile func() error) error {
	patience := newPatience(limit)
	return poll(ctx, stopTick, func() (bool, error) {
		held, err := lockHeld(dir)
		if err != nil || !held {
			return true, err
		}
		if meanwhile != nil {
			if err := meanwhile(); err != nil {
				return false, err
			}
		}
		if patience.over() {
			return false, fmt.Errorf("%w (%s); processes: %v", launch.ErrNotStopped, limit, holders(dir))
		}
		return false, nil
	})
}

// Remove deletes the node's directory with all data in it, and the cluster's if it was the last
// one. If the node runs it deletes nothing and returns ErrRunning. It is not an error if the node never existed.
func (l *Launcher) Remove(ctx context.Context, cluster, name string) error {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return err
	}
	err = poll(ctx, stopTick, func() (bool, error) { return moveAway(dir) })
	if err == nil {
		err = sweep(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("remove node %s/%s: %w", cluster, name, err)
	}
	return nil
}

// moveAway renames a node's directory in one step, under the node's lock: a Start that comes now
// creates a new directory with a new lock, instead of locking one that is about to be
// deleted under it. It returns false if it must be tried again.
func moveAway(dir string) (bool, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	lock, err := acquire(dir, false)
	if err != nil {
		return false, err
	}
	if lock == nil {
		held, err := lockHeld(dir)
		if held {
			return false, launch.ErrRunning
		}
		return false, err // somebody had just been looking at the lock
	}
	defer func() { _ = lock.Close() }()
	gone, err := os.MkdirTemp(filepath.Dir(dir), gonePrefix+filepath.Base(dir)+"-")
	if err != nil {
		return false, err
	}
	err = os.Rename(dir, filepath.Join(gone, filepath.Base(dir)))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // another Remove in this cluster has deleted our empty directory
	}
	if err != nil {
		return false, errors.Join(err, os.Remove(gone))
	}
	return true, nil
}

// sweep deletes what was moved away in a cluster's directory, including what an earlier console left
// when it was killed in between, and the cluster's directory if nothing else is in it.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), gonePrefix) {
			if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
				return err
			}
		}
	}
	_ = os.Remove(parent) // fails while other nodes are there, as it should
	return nil
}

// passwordOf returns the passwords of the node in dir, for hiding them in texts.
func passwordOf(dir string) []secret.Text {
	r, _ := readRecord(dir) // without a record there is none to hide
	return append(r.others(), secret.Text(r.Password), secret.Text(r.OldPassword))
}
