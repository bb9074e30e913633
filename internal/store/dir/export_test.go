package dir

import (
	"os"
	"syscall"
)

// OpenWith opens a store that calls flush instead of fsync.
func OpenWith(path string, flush func(*os.File) error) (*Store, error) { return openWith(path, flush) }

// Flush is what the store calls to make a file durable.
func (s *Store) Flush(file *os.File) error { return s.flush(file) }

// Ways to claim a key, for tests of file systems that support only some of them.
const (
	ByLink = iota
	ByRename
	ByLock
)

// ClaimFrom makes a store behave as on a file system that supports none of the ways before this one.
func (s *Store) ClaimFrom(way int) {
	for i := range way {
		s.claims[i] = func(*Store, string, string) error { return syscall.EPERM }
	}
}
