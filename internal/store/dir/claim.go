package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rekindle/internal/store"
)

// claim gives a temporary file a key that is free; the error is store.ErrExist if it is not. The file system decides who is first, by a hard link or,
// if it does not support those, by a rename that replaces nothing.
func (s *Store) claim(name, key string) error {
	for _, way := range s.claims {
		err := way(s, name, key)
		if !unsupported(err) {
			return s.taken(name, key, err)
		}
	}
	return s.taken(name, key, s.moveLocked(name, key))
}

// claims are the ways to claim a key that a file system may support, the most common one first.
var claims = []func(s *Store, name, key string) error{
	func(s *Store, name, key string) error { return s.root.Link(name, key) },
	(*Store).moveNew,
}

// moveNew renames a file to a name that must not exist.
func (s *Store) moveNew(name, key string) error {
	from, err := s.root.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := s.root.Open(filepath.Dir(key))
	if err != nil {
		return err
	}
	defer to.Close()
	return unix.Renameat2(int(from.Fd()), filepath.Base(name), int(to.Fd()), filepath.Base(key), unix.RENAME_NOREPLACE)
}

// moveLocked is for file systems that support neither (some of those in user space): whoever holds the lock of tmp looks, and renames if nothing is
// there. This excludes other processes of this machine.
func (s *Store) moveLocked(name, key string) error {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	folder, err := s.root.Open(tmp)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil && !unsupported(err) { // if unsupported, only this process is excluded
		return err
	}
	if _, err := s.root.Lstat(key); err == nil {
		return fs.ErrExist
	}
	return s.root.Rename(name, key)
}

// unsupported says whether a file system does not support an operation. Some say that it is not permitted.
func unsupported(err error) bool {
	for _, cause := range []error{syscall.EPERM, syscall.ENOSYS, syscall.ENOTSUP, syscall.EINVAL, syscall.ENOLCK, syscall.EMLINK} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// taken finds out what is in the way when a name is said to exist: an object, a folder, or the file itself, because a network file system may repeat
// a request whose answer was lost.
func (s *Store) taken(name, key string, err error) error {
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, thereErr := s.root.Lstat(key)
	if thereErr == nil && there.IsDir() {
		return syscall.EISDIR
	}
	if own, err := s.root.Lstat(name); err == nil && thereErr == nil && os.SameFile(own, there) {
		return nil
	}
	return store.ErrExist
}

// Exclusive claims a name twice in the folder of unfinished files; see store.Store.
func (s *Store) Exclusive(ctx context.Context) bool {
	s.claiming.Lock()
	known := s.exclusive
	s.claiming.Unlock()
	if known != nil {
		return *known
	}
	does, err := s.tryClaims(ctx)
	if err != nil {
		return false
	}
	s.claiming.Lock()
	s.exclusive = &does
	s.claiming.Unlock()
	return does
}

// tryClaims says whether one of the file system's own ways to claim a name works and keeps a second claim out.
func (s *Store) tryClaims(ctx context.Context) (bool, error) {
	first, _, err := s.write(ctx, strings.NewReader("first"))
	if err != nil {
		return false, err
	}
	second, _, err := s.write(ctx, strings.NewReader("second"))
	if err != nil {
		return false, errors.Join(err, s.root.Remove(first))
	}
	key := filepath.Join(tmp, rand.Text())
	defer func() {
		for _, name := range []string{first, second, key} {
			_ = s.root.Remove(name)
		}
	}()
	for _, way := range s.claims {
		if err := way(s, first, key); unsupported(err) {
			continue
		} else if err != nil {
			return false, fmt.Errorf("claim a name: %w", err)
		}
		return errors.Is(way(s, second, key), fs.ErrExist), nil
	}
	return false, nil
}
