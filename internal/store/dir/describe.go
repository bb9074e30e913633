package dir

import (
	"context"

	"golang.org/x/sys/unix"

	"rekindle/internal/store"
)

// Describe returns the size of the file system that the folder is on; see store.Store.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	unknown := store.Description{Free: -1, Capacity: -1}
	if err := ctx.Err(); err != nil {
		return unknown, err
	}
	folder, err := s.root.Open(".")
	if err != nil {
		return unknown, s.failed("describe", ".", err)
	}
	defer folder.Close()
	var stat unix.Statfs_t
	if err := unix.Fstatfs(int(folder.Fd()), &stat); err != nil {
		return unknown, s.failed("describe", ".", err)
	}
	block := stat.Frsize
	if block == 0 {
		block = stat.Bsize
	}
	return store.Description{Free: int64(stat.Bavail) * block, Capacity: int64(stat.Blocks) * block}, nil
}
