package dir

import "syscall"

// Ways to claim a key, for tests of file systems that know only some.
const (
	ByLink = iota
	ByRename
	ByLock
)

// ClaimFrom makes a store behave as on a file system that knows none of the ways before this one.
func (s *Store) ClaimFrom(way int) {
	for i := range way {
		s.claims[i] = func(*Store, string, string) error { return syscall.EPERM }
	}
}
