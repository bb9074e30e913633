package testkit

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Held tells whether somebody holds the lock of a file, as a folder store does while it writes one, or has just removed the file.
func Held(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
