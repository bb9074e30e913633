package jobs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"rekindle/internal/store"
)

func TestWhatTheSystemRefusesHasASentence(t *testing.T) {
	t.Parallel()
	for err, says := range map[error]string{
		&os.PathError{Op: "write", Path: "/data/x", Err: syscall.ENOSPC}:                                      "is full",
		&os.PathError{Op: "open", Path: "/data/x", Err: syscall.EACCES}:                                       "not allowed to read or write",
		&os.PathError{Op: "open", Path: "/data/x", Err: syscall.EMFILE}:                                       "ulimit -n",
		&os.PathError{Op: "write", Path: "/data/x", Err: syscall.EIO}:                                         "failed to read or write",
		&os.PathError{Op: "write", Path: "/data/x", Err: syscall.EROFS}:                                       "read-only",
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}:        "Nothing listens",
		&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}:             "closed the connection",
		because(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "The node a could not be begun."): "The node a could not be begun.",
		fmt.Errorf("check: %w", store.ErrUnavailable):                                                         "does not answer",
		context.DeadlineExceeded:          "too long",
		errors.New("a driver's own text"): unexpected,
	} {
		got := sentence(fmt.Errorf("while it went on: %w", err))
		if !strings.Contains(got, says) || strings.Contains(got, "/data/x") || strings.Contains(got, "driver") {
			t.Errorf("%v: %q", err, got)
		}
	}
}
