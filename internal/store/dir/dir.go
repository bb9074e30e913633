// Package dir is a snapshot store in a folder of a local (or mounted) file system.
//
// An object is a file whose path below the root is its key. A Put writes to a file in the root's ".tmp" folder, which is on the same file system,
// flushes it, renames it into place (a Create links it, which replaces nothing) and flushes the folders on the way, so that a file under its key is
// always whole. Every access goes through an os.Root: no key and no symbolic link leads out of the folder. A temporary file is locked (flock) while
// its Put runs, also against other processes, so that Sweep can tell the remains of a killed console from what is being written.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"rekindle/internal/store"
)

// tmp is the folder of unfinished files. CheckKey allows no key in it.
const tmp = ".tmp"

// Snapshots hold other people's data: only the console's user may read them.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Store is a store.Store in a folder.
type Store struct {
	path  string // absolute, for messages
	root  *os.Root
	flush func(*os.File) error // (*os.File).Sync

	claims    []func(s *Store, name, key string) error
	claiming  sync.Mutex
	exclusive *bool // nil: not known yet; under claiming
}

var _ store.Store = (*Store)(nil)

// Open returns the store in the folder path, which is created if it is missing. An existing folder that cannot be written to opens all the same,
// because its content may be readable: Check tells. The error is ErrDenied if it cannot be opened.
func Open(path string) (*Store, error) { return openWith(path, (*os.File).Sync) }

// openWith uses flush to make files and folders durable.
func openWith(path string, flush func(*os.File) error) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store dir:%s: %w", path, err)
	}
	if err := makeFolder(absolute, flush); err != nil {
		return nil, fmt.Errorf("open store dir:%s: %w", absolute, explain(err))
	}
	root, err := os.OpenRoot(absolute)
	if err != nil {
		return nil, fmt.Errorf("open store dir:%s: %w", absolute, explain(err))
	}
	return &Store{path: absolute, root: root, flush: flush, claims: slices.Clone(claims)}, nil
}

// makeFolder creates a folder and its missing parents, and flushes each name.
func makeFolder(path string, flush func(*os.File) error) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeFolder(above, flush); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder, err := os.Open(above)
	if err != nil {
		return err
	}
	defer folder.Close()
	return flush(folder)
}

// Close closes the folder's handle. The store cannot be used afterwards.
func (s *Store) Close() error { return s.root.Close() }

// Location returns "dir:" and the folder's absolute path.
func (s *Store) Location() string { return "dir:" + s.path }

// Place is Location without symbolic links in it.
func (s *Store) Place() string {
	if path, err := filepath.EvalSymlinks(s.path); err == nil {
		return "dir:" + path
	}
	return s.Location()
}

// Stat describes an object; see store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed("stat", key, err)
	}
	info, err := s.root.Stat(key)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return store.Object{}, s.failed("stat", key, err)
	}
	return object(key, info), nil
}

func object(key string, info fs.FileInfo) store.Object {
	return store.Object{Key: key, Size: info.Size(), Modified: info.ModTime()}
}

// Delete removes an object and the folders that are empty without it; see store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return s.failed("delete", key, err)
	}
	info, err := s.root.Lstat(key)
	if absent(err) || err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = s.root.Remove(key)
	}
	if err != nil && !absent(err) {
		return s.failed("delete", key, err)
	}
	folder := filepath.Dir(key)
	for ; folder != "."; folder = filepath.Dir(folder) {
		if s.root.Remove(folder) != nil { // it is not empty, or somebody else was faster
			break
		}
	}
	if err := s.sync(folder); err != nil && !absent(err) {
		return s.failed("delete", key, err)
	}
	return nil
}

// Sweep removes temporary files that no Put holds any more; see store.Store.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	folder, err := s.root.Open(tmp)
	if absent(err) {
		return 0, nil
	}
	if err != nil {
		return 0, s.failed("sweep", tmp, err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return 0, s.failed("sweep", tmp, err)
	}
	removed := 0
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return removed, s.failed("sweep", tmp, err)
		}
		gone, err := s.sweepFile(filepath.Join(tmp, name), olderThan)
		if err != nil {
			return removed, s.failed("sweep", name, err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// sweepFile removes one temporary file when it is old enough and nobody holds its lock.
func (s *Store) sweepFile(name string, olderThan time.Time) (bool, error) {
	file, err := s.root.Open(name)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || !info.ModTime().Before(olderThan) || lock(file) != nil {
		return false, nil
	}
	if err := s.root.Remove(name); err != nil {
		if absent(err) {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// lock takes the lock that says "a Put is writing this file". It is an error if another open file has it.
func lock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// sync flushes a folder, so that the names in it survive a power cut.
func (s *Store) sync(folder string) error {
	file, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.flush(file)
}

// ready is what every method checks first: ctx still runs, and the key is good.
func ready(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// absent says whether err means that there is nothing of that name, which includes a file in the place of a folder.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// failed wraps the error of an operation on name with the store's place and, if there is one, the typed error.
func (s *Store) failed(operation, name string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", operation, name, s.Location(), explain(err))
}

// explain puts the typed error of package store before the system's.
func explain(err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrKey), errors.Is(err, store.ErrNotExist):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w (%w)", store.ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w (%w)", store.ErrDenied, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("%w (%w)", store.ErrKey, err)
	case absent(err):
		return fmt.Errorf("%w (%w)", store.ErrNotExist, err)
	}
	return err
}

// Again opens the folder that is at the store's path now: not the one that was opened, if a disk has been mounted there since. Nothing is made.
func (s *Store) Again() (store.Store, error) {
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", s.Location(), explain(err))
	}
	return &Store{path: s.path, root: root, flush: s.flush, claims: slices.Clone(claims)}, nil
}
