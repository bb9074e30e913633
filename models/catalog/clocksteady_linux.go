package catalog

import (
	"time"

	"golang.org/x/sys/unix"
)

// hostTime also counts while the host is suspended, which Go's monotonic time does not.
func hostTime() (time.Duration, bool) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, false
	}
	return time.Duration(now.Nano()), true
}
