package catalog

import (
	"os"
	"strings"
	"sync"
	"time"
)

// Steady is a clock that also knows how long its host has been running, whatever the clock was set to meanwhile.
type Steady interface {
	Steady() (sinceStart time.Duration, start string)
}

// steadyTime returns how long the host has been running, and a name for that start of it.
func (q Clock) steadyTime(now time.Time) (time.Duration, string) {
	if own, ok := q.db.clock.(Steady); ok {
		return own.Steady()
	}
	if now == now.Round(0) { // without Go's monotonic part: a clock that is its own measure
		return time.Duration(now.UnixNano()), q.db.watch.open
	}
	if since, ok := hostTime(); ok && bootID() != "" {
		return since, bootID()
	}
	return now.Sub(begun), q.db.watch.open
}

// begun stands in for the host's start where that is not known.
var begun = time.Now()

// bootID names the start of the host on Linux.
var bootID = sync.OnceValue(func() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
})
