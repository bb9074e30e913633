package impact

import (
	"rekindle/internal/resp"
	"rekindle/models"
)

// forks finds the fork that serves a reading in what a node says about its forks, of which there are others: its own saves, and those of earlier
// snapshots. The figures of the last one stand in INFO until the next.
type forks struct {
	before string // how many there had been; Redis before 6.2 does not say; "": not known
	began  bool   // the one that serves is there
	ended  bool   // its child has ended
	micros int64
	copied int64
}

// add looks at one answer to INFO, which came in this phase.
func (f *forks) add(phase models.SamplePhase, info resp.Info) {
	total := info["total_forks"]
	if phase == models.PhaseBefore {
		f.before = total
		return
	}
	working := info.Int("rdb_bgsave_in_progress") != 0
	if another := f.before != "" && total != f.before; !f.began && (another || f.before == "" && working) {
		f.began, f.micros = true, info.Int("latest_fork_usec")
	}
	if !f.began || f.ended {
		return
	}
	if working {
		f.copied = max(f.copied, info.Int("current_cow_peak"), info.Int("current_cow_size"))
		return
	}
	f.copied, f.ended = max(f.copied, info.Int("rdb_last_cow_size")), true
}

// result is whether the node forked, how long that took in microseconds, and how many bytes were copied at most.
func (f *forks) result() (forked bool, micros, copied int64) { return f.began, f.micros, f.copied }
