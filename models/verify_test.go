package models

import (
	"fmt"
	"testing"
	"time"
)

const week = 7 * 24 * time.Hour

// Over half a year of simulated minutes every snapshot is verified at least once in each period, and never twice at once.
func TestVerifyDueForgetsNoneAndDoublesNone(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	snapshots := make([]Scrubbed, 200)
	for i := range snapshots {
		snapshots[i] = Scrubbed{ID: uint(i + 1), Name: fmt.Sprintf("s%d", i), Verified: start} // all at once, as after a rebuild
	}
	counts := make([]int, len(snapshots))
	busiest := 0
	weeks := simulated(26*7) / 7
	for now := start; now.Before(start.Add(time.Duration(weeks) * week)); now = now.Add(time.Minute) {
		due := VerifyDue(now, week, snapshots)
		for i, d := range due[:min(len(due), maxScrubs)] { // one tick has room for so many
			s := &snapshots[d.ID-1]
			if since := now.Sub(s.Verified); since < week*6/7 {
				t.Fatalf("%s is verified again after %s", s.Name, since)
			} else if since > week+time.Hour {
				t.Fatalf("%s is verified only after %s", s.Name, since)
			}
			s.Tried, s.Verified = now, now.Add(time.Duration(i)*time.Second)
			counts[d.ID-1]++
		}
		busiest = max(busiest, len(due))
	}
	for i, n := range counts {
		if n < weeks || n > weeks*7/6+1 {
			t.Errorf("%s was verified %d times in %d weeks", snapshots[i].Name, n, weeks)
		}
	}
	if busiest > 20 {
		t.Errorf("%d were due in one minute: they are not spread", busiest)
	}
}

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

func TestVerificationMarksDamageUntilItFindsTheSnapshotWhole(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	s := taken(t, db, "orders", "one")
	for _, damage := range []string{"Its part is gone.", "Its part has another checksum.", ""} {
		must(db.RequestVerify(t.Context(), "one", "admin"))(t)
		run := claim(t, db)
		check(t, db.CompleteVerify(t.Context(), run, s, damage))
		expectRun(t, db, run.ID, RunSucceeded)
		s = must(db.Snapshot(t.Context(), "one"))(t)
		if s.Damage != damage || s.StatusReason != damage || s.Damaged() != (damage != "") || s.Usable() != (damage == "") || !s.Verifiable() {
			t.Errorf("found %q: the snapshot is %s (%q), its damage %q", damage, s.Status, s.StatusReason, s.Damage)
		}
	}
}

// What was read back was another snapshot of the same name.
func TestVerificationSaysNothingAboutASnapshotThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{"Its part is gone.", ""} {
		db, clock := catalog(t)
		launched(t, db, spec("orders"))
		before := taken(t, db, "orders", "one")
		must(db.RequestVerify(t.Context(), "one", "admin"))(t)
		run := claim(t, db)
		check(t, db.RemoveSnapshotRow(t.Context(), "one"))
		anew := taken(t, db, "orders", "one")
		clock.Advance(time.Hour)
		check(t, db.CompleteVerify(t.Context(), run, before, damage))
		expectRun(t, db, run.ID, RunCancelled)
		now := must(db.Snapshot(t.Context(), "one"))(t)
		if now.Status != SnapshotAvailable || now.Damage != "" || !now.VerifiedAt.Equal(*anew.VerifiedAt) {
			t.Errorf("found %q: the new one is %s (%q), verified at %s", damage, now.Status, now.Damage, now.VerifiedAt)
		}
	}
}
