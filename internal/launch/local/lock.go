package local

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const lockFile = "lock"

// acquire takes a node's lock, and creates its directory if make is set. It returns nil, nil if the
// lock is held by somebody else, or if the directory is gone and make is not set. Closing the
// file releases the lock, unless a server has inherited it.
func acquire(dir string, make bool) (*os.File, error) {
	for {
		if make {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, err
			}
		}
		// Close-on-exec, as always in Go: only the server, to which it is passed on purpose, inherits it.
		f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			if make {
				continue // removed between the two calls
			}
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, err
		}
		// Remove moves the directory away before it deletes it: what we have locked may no longer
		// be the lock that others find at this path.
		if sameFile(f, filepath.Join(dir, lockFile)) {
			return f, nil
		}
		_ = f.Close()
	}
}

// lockHeld tells whether anybody has the lock, without disturbing others who ask the same.
func lockHeld(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	err = flock(f, syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// holders returns the process ids of a node's server and of the children that it forked.
func holders(dir string) []int {
	var out []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && belongs(pid, dir) {
			out = append(out, pid)
		}
	}
	return out
}

// belongs tells whether a process is part of the node in dir: it works there and has the lock open.
// Both are required: a console that looks at the lock has it open for a moment, and an
// administrator's shell may be in the directory.
func belongs(pid int, dir string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if pid <= 0 || !samePath(filepath.Join(proc, "cwd"), dir) {
		return false
	}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if samePath(filepath.Join(proc, "fd", fd.Name()), filepath.Join(dir, lockFile)) {
			return true
		}
	}
	return false
}

func samePath(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// signalNode sends a signal to a process of the node in dir, and to nothing else: the process is
// pinned first (Go uses a pidfd), so that its number cannot pass to another process after the check.
func signalNode(pid int, dir string, sig syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil // gone
	}
	defer func() { _ = p.Release() }()
	if !belongs(pid, dir) {
		return nil
	}
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
