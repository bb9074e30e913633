package models

import (
	"testing"
	"time"
)

func TestPaceIsThatOfTheStep(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	since := func(ago time.Duration) *time.Time { at := now.Add(-ago); return &at }
	running := Run{Status: RunRunning, StartedAt: since(time.Hour)}
	for name, one := range map[string]struct {
		since             *time.Time
		from, done, total int64
		rate              int64
		left              time.Duration
	}{
		"half way":                     {since(10 * time.Second), 0, 500, 1000, 50, 10 * time.Second},
		"reading back after an hour":   {since(2 * time.Second), 0, 200, 1000, 100, 8 * time.Second},
		"goes on where others were":    {since(10 * time.Second), 400, 500, 1000, 10, 50 * time.Second},
		"total unknown":                {since(10 * time.Second), 0, 500, 0, 50, 0},
		"more than was estimated":      {since(10 * time.Second), 0, 1500, 1000, 150, 0},
		"nothing yet":                  {since(10 * time.Second), 0, 0, 1000, 0, 0},
		"too early to tell":            {since(1999 * time.Millisecond), 0, 500, 1000, 0, 0},
		"nothing is measured":          {nil, 0, 500, 1000, 0, 0},
		"the clock was set back":       {since(-time.Minute), 0, 500, 1000, 0, 0},
		"a rest that fits in no int64": {since(10 * time.Second), 0, 1 << 30, 1 << 50, 107374182, 10485750 * time.Second},
	} {
		run := running
		run.StepSince, run.StepFrom, run.BytesDone, run.BytesTotal = one.since, one.from, one.done, one.total
		if rate, left := run.Pace(now); rate != one.rate || left != one.left {
			t.Errorf("%s: %d bytes a second, %s left; want %d, %s", name, rate, left, one.rate, one.left)
		}
		for _, status := range []RunStatus{RunQueued, RunSucceeded, RunFailed, RunCancelled, RunDamaged} {
			run.Status = status
			if rate, left := run.Pace(now); rate != 0 || left != 0 {
				t.Errorf("%s, but %s: %d, %s", name, status, rate, left)
			}
		}
	}
}
