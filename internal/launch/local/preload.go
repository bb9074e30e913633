package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rekindle/internal/launch"
)

// preloadFile is a dump.rdb that is being written. It has the name of an unfinished save, so that what a killed console leaves goes when the node starts.
const preloadFile = "temp-preload.rdb"

// preload is the file of a [launch.Preload].
type preload struct {
	*os.File
	dir string
}

// Preload opens the file that becomes the node's dump.rdb, as [launch.Runner] says. What was not committed before is replaced.
func (l *Launcher) Preload(_ context.Context, cluster, name string) (launch.Preload, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return nil, err
	}
	file, err := openPreload(dir)
	if err != nil {
		return nil, fmt.Errorf("preload node %s/%s: %w", cluster, name, err)
	}
	return &preload{File: file, dir: dir}, nil
}

func openPreload(dir string) (*os.File, error) {
	held, err := lockHeld(dir)
	if err == nil && held {
		err = launch.ErrRunning
	}
	if err == nil {
		err = withoutData(dir)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, preloadFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func withoutData(dir string) error {
	_, err := os.Lstat(filepath.Join(dir, dumpFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(launch.ErrHasData, err)
}

// Commit replaces the name only when the bytes are on the disk. The node's lock keeps it from being started meanwhile.
func (p *preload) Commit() error {
	if err := p.commit(); err != nil {
		return fmt.Errorf("preload the node in %s: %w", p.dir, err)
	}
	return nil
}

func (p *preload) commit() error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	lock, err := acquire(p.dir, false)
	if err == nil && lock == nil {
		err = launch.ErrRunning
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := withoutData(p.dir); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), filepath.Join(p.dir, dumpFile)); err != nil {
		return err
	}
	folder, err := os.Open(p.dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Discard removes the file, if it has not become the dump.rdb.
func (p *preload) Discard() error {
	_ = p.Close() // Commit may have closed it
	if err := os.Remove(p.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what was to be loaded: %w", err)
	}
	return nil
}
