package impact

import (
	"testing"

	"rekindle/internal/resp"
	"rekindle/models"
)

func TestTheForkThatServesIsTakenForNoOther(t *testing.T) {
	t.Parallel()
	type answer struct {
		phase models.SamplePhase
		info  resp.Info
	}
	seen := func(phase models.SamplePhase, total, fork, working, peak, last string) answer {
		info := resp.Info{"latest_fork_usec": fork, "rdb_bgsave_in_progress": working, "current_cow_peak": peak, "rdb_last_cow_size": last}
		if total != "" {
			info["total_forks"] = total
		}
		return answer{phase, info}
	}
	const before, during, after = models.PhaseBefore, models.PhaseDuring, models.PhaseAfter
	for name, c := range map[string]struct {
		answers        []answer
		forked         bool
		micros, copied int64
	}{
		"one of before":          {[]answer{seen(before, "3", "900", "0", "0", "77"), seen(during, "3", "900", "0", "0", "77")}, false, 0, 0},
		"while it is under way":  {[]answer{seen(before, "3", "900", "0", "0", "77"), seen(during, "4", "150", "1", "500", "77"), seen(during, "4", "150", "1", "300", "77")}, true, 150, 500},
		"when it has ended":      {[]answer{seen(before, "3", "900", "0", "0", "77"), seen(during, "4", "150", "1", "500", "77"), seen(after, "4", "150", "0", "0", "640")}, true, 150, 640},
		"between two samples":    {[]answer{seen(before, "3", "900", "0", "0", "77"), seen(after, "4", "150", "0", "0", "88")}, true, 150, 88},
		"another one follows":    {[]answer{seen(before, "3", "900", "0", "0", "77"), seen(after, "4", "150", "0", "0", "88"), seen(after, "5", "7000", "0", "0", "99999")}, true, 150, 88},
		"forks are not counted":  {[]answer{seen(before, "", "900", "0", "0", "77"), seen(during, "", "150", "1", "0", "77"), seen(after, "", "150", "0", "0", "88")}, true, 150, 88},
		"nothing of before":      {[]answer{seen(during, "4", "150", "1", "500", "77")}, true, 150, 500},
		"nothing of during then": {[]answer{seen(after, "4", "150", "0", "500", "77")}, false, 0, 0},
	} {
		var f forks
		for _, a := range c.answers {
			f.add(a.phase, a.info)
		}
		if forked, micros, copied := f.result(); forked != c.forked || micros != c.micros || copied != c.copied {
			t.Errorf("%s: %v, %d, %d", name, forked, micros, copied)
		}
	}
}
