package models

import (
	"testing"
	"time"
)

const week = 7 * 24 * time.Hour

func TestVerifyDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for name, one := range map[string]struct {
		every           time.Duration
		verified, tried time.Time
		want            bool
	}{
		"off":                        {0, now.Add(-100 * week), time.Time{}, false},
		"never verified":             {week, time.Time{}, time.Time{}, true},
		"just taken":                 {week, now, time.Time{}, false},
		"within the time":            {week, now.Add(-5 * 24 * time.Hour), time.Time{}, false},
		"after the time":             {week, now.Add(-week), time.Time{}, true},
		"tried a moment ago":         {week, now.Add(-2 * week), now.Add(-time.Hour), false},
		"tried long ago":             {week, now.Add(-2 * week), now.Add(-7 * time.Hour), true},
		"verified in the future":     {week, now.Add(2 * week), time.Time{}, true},
		"tried in the future":        {week, now.Add(-2 * week), now.Add(week), true},
		"every day, tried 13 h back": {24 * time.Hour, now.Add(-30 * time.Hour), now.Add(-13 * time.Hour), true},
	} {
		if got := len(VerifyDue(now, one.every, []Scrubbed{{1, "s", one.verified, one.tried}})) == 1; got != one.want {
			t.Errorf("%s: due %v, want %v", name, got, one.want)
		}
	}
}
