package catalog

import (
	"fmt"
	"testing"
	"time"

	"rekindle/models"
)

const week = 7 * 24 * time.Hour

// Over half a year of simulated minutes every snapshot is verified at least once in each period, and never twice at once.
func TestVerifyDueForgetsNoneAndDoublesNone(t *testing.T) {
	t.Parallel()
	once(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	snapshots := make([]models.Scrubbed, 200)
	for i := range snapshots {
		snapshots[i] = models.Scrubbed{ID: uint(i + 1), Name: fmt.Sprintf("s%d", i), Verified: start} // all at once, as after a rebuild
	}
	counts := make([]int, len(snapshots))
	busiest := 0
	weeks := max(3, simulated(26*7)/7)
	for now := start; now.Before(start.Add(time.Duration(weeks) * week)); now = now.Add(time.Minute) {
		due := models.VerifyDue(now, week, snapshots)
		for i, d := range due[:min(len(due), maxScrubs)] { // one tick has room for this many
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

func TestVerificationMarksDamageUntilItFindsTheSnapshotWhole(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	s := taken(t, db, "orders", "one")
	for _, damage := range []string{"Its part is gone.", "Its part has another checksum.", ""} {
		must(db.Verifications.Request(t.Context(), "one", "admin"))(t)
		run := claim(t, db)
		check(t, db.Settle.Verify(t.Context(), run, s, damage))
		expectRun(t, db, run.ID, map[bool]models.RunStatus{true: models.RunSucceeded, false: models.RunDamaged}[damage == ""])
		s = must(db.Snapshots.Get(t.Context(), "one"))(t)
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
		must(db.Verifications.Request(t.Context(), "one", "admin"))(t)
		run := claim(t, db)
		check(t, db.Snapshots.RemoveRow(t.Context(), "one"))
		anew := taken(t, db, "orders", "one")
		clock.Advance(time.Hour)
		check(t, db.Settle.Verify(t.Context(), run, before, damage))
		expectRun(t, db, run.ID, models.RunCancelled)
		now := must(db.Snapshots.Get(t.Context(), "one"))(t)
		if now.Status != models.SnapshotAvailable || now.Damage != "" || !now.VerifiedAt.Equal(*anew.VerifiedAt) {
			t.Errorf("found %q: the new one is %s (%q), verified at %s", damage, now.Status, now.Damage, now.VerifiedAt)
		}
	}
}
