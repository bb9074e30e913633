package catalog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

const day = 24 * time.Hour

// leaping is a host's clock that can be set, while the time that really passes goes on.
type leaping struct {
	*clockwork.FakeClock
	set  time.Duration // by how much it is wrong
	boot string
}

func (l *leaping) Now() time.Time { return l.FakeClock.Now().Add(l.set) }
func (l *leaping) Steady() (time.Duration, string) {
	return time.Duration(l.FakeClock.Now().UnixNano()), l.boot
}

// looked is what is thought of the clock now.
func looked(t *testing.T, db *DB) *models.ClockDoubt {
	t.Helper()
	return must(db.Clock.Look(t.Context(), time.Time{}))(t)
}

func TestClockThatLeaps(t *testing.T) {
	t.Parallel()
	type step struct {
		passes  time.Duration
		set     time.Duration // by how much the clock is wrong from then on
		restart string        // "", "console" or "host"
		doubt   bool
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"right", []step{{day, 0, "", false}, {40 * day, 0, "", false}}},
		{"set right by seconds", []step{{time.Hour, 3 * time.Second, "", false}, {time.Hour, -3 * time.Second, "", false}}},
		{"ahead while running", []step{{time.Hour, time.Hour, "", true}, {2 * time.Hour, time.Hour, "", true}, {100 * day, time.Hour, "", true}}},
		{"ahead, and set back", []step{{time.Hour, 45 * day, "", true}, {time.Hour, 0, "", true}, {50 * time.Minute, 0, "", true}, {time.Hour, 0, "", false}}},
		{"ahead at the start of the host", []step{{time.Hour, 45 * day, "host", true}, {10 * day, 45 * day, "", true}, {time.Hour, 45 * day, "host", true}}},
		{"ahead at the start of the console", []step{{time.Hour, 2 * time.Hour, "console", true}}},
		{"the host was down for hours", []step{{20 * time.Hour, 0, "host", false}}},
		{"the host was down for days", []step{{20 * day, 0, "host", true}, {day, 0, "", true}}},
		{"the console was down for days", []step{{20 * day, 0, "console", false}}},
		{"back", []step{{time.Hour, -10 * day, "", true}, {30 * time.Minute, -10 * day, "", true}, {time.Hour, -10 * day, "", false}}},
		{"back, and then right", []step{{time.Hour, -10 * day, "", true}, {2 * time.Hour, -10 * day, "", false}, {time.Hour, 0, "", false}}},
		{"back at the start", []step{{time.Hour, -10 * day, "host", true}}},
		{"back and ahead of what it was", []step{{time.Hour, -10 * day, "", true}, {2 * time.Hour, -10 * day, "", false}, {time.Hour, 10 * day, "", true}}},
		{"to and fro", []step{{time.Hour, 45 * day, "", true}, {time.Hour, 0, "", true}, {time.Minute, 45 * day, "", true}, {2 * time.Hour, 45 * day, "", true}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			place := newPlace(t)
			clock := &leaping{clockwork.NewFakeClockAt(monday), 0, "first"}
			db := open(t, place, clock)
			if looked(t, db) != nil {
				t.Fatal("a new catalog doubts the clock")
			}
			for i, s := range test.steps {
				clock.Advance(s.passes)
				clock.set = s.set
				if s.restart == "host" {
					clock.boot += "+"
				}
				if s.restart != "" {
					db = open(t, place, clock)
				} else if db.Clock.mayForget() == s.doubt && i == 0 {
					t.Errorf("step %d: before anybody looked, it may forget: %t", i, !s.doubt)
				}
				if doubt := looked(t, db); (doubt != nil) != s.doubt {
					t.Fatalf("step %d: the doubt is %+v", i, doubt)
				}
				if (db.Clock.Doubt() != nil) != s.doubt {
					t.Errorf("step %d: what was thought is not remembered", i)
				}
			}
		})
	}
}

func TestWitnessDecidesAboutTheClock(t *testing.T) {
	t.Parallel()
	clock := &leaping{clockwork.NewFakeClockAt(monday), 0, "first"}
	db := open(t, newPlace(t), clock)
	looked(t, db)
	clock.boot = "second"
	clock.Advance(20 * day) // the host was down
	if doubt := must(db.Clock.Look(t.Context(), clock.FakeClock.Now().Add(time.Second)))(t); doubt != nil {
		t.Errorf("a clock that the store confirms is doubted: %+v", doubt)
	}
	clock.set = 3 * day
	if doubt := must(db.Clock.Look(t.Context(), clock.FakeClock.Now()))(t); doubt == nil {
		t.Error("a leap that the store denies is believed")
	}
	clock.set = 0
	for range 3 {
		clock.Advance(time.Hour)
		if doubt := must(db.Clock.Look(t.Context(), clock.FakeClock.Now().Add(-day)))(t); doubt == nil {
			t.Error("the doubt ends although the store says otherwise")
		}
	}
	if doubt := must(db.Clock.Look(t.Context(), clock.FakeClock.Now()))(t); doubt != nil {
		t.Error("the doubt stays although the store agrees")
	}
}

// automatics are three good automatic snapshots of a cluster that keeps them for three days, a day apart, the last one of just now.
func automatics(t *testing.T, db *DB, clock *clockwork.FakeClock) {
	t.Helper()
	c := spec("orders")
	c.Retention = 3
	cluster := launched(t, db, c)
	for i := range 3 {
		if i > 0 {
			clock.Advance(day)
			looked(t, db)
		}
		check(t, db.with(t.Context()).Create(&models.Snapshot{Name: fmt.Sprintf("automatic.orders-%d", i), ClusterName: "orders", ClusterID: cluster.ID,
			Source: models.SourceAutomatic, Status: models.SnapshotAvailable, Configuration: models.Configuration{RetentionLimit: 3}, RDBVersion: 10, CreatedAt: db.Now()}).Error)
	}
}

func TestClockAheadAtStartDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"a catalog that remembers the clock", "a catalog from before it did"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			place := newPlace(t)
			clock := clockwork.NewFakeClockAt(monday)
			db := open(t, place, clock)
			automatics(t, db, clock)
			if strings.Contains(from, "before") {
				check(t, db.with(t.Context()).Delete(&models.Setting{Name: db.Clock.setting()}).Error)
				check(t, db.Events.Add(t.Context(), models.Event{Message: "The last one."}))
			}
			right := clock.Now()

			ahead := clockwork.NewFakeClockAt(right.Add(45 * day))
			db = open(t, place, ahead)
			queued := 0
			for range 48 * 6 {
				if gone := must(db.Schedule.QueueOutlived(t.Context()))(t); len(gone) > 0 {
					t.Fatalf("deleted %v", gone)
				}
				if queued == 0 {
					queued = must(db.Schedule.QueueDue(t.Context()))(t)
				}
				ahead.Advance(10 * time.Minute)
			}
			if !strings.Contains(content(t, db), "The clock of this host says 2026-02-21 10:00 UTC where about 2026-01-07 10:00 UTC was expected") {
				t.Error("no event says so")
			}
			run := claim(t, db)
			check(t, db.Settle.Snapshot(t.Context(), run, measured(db, run.SnapshotName)))

			back := clockwork.NewFakeClockAt(right.Add(time.Hour))
			db = open(t, place, back)
			if newest := must(db.Snapshots.Newest(t.Context(), "orders"))(t)["orders"].Name; newest != "automatic.orders-2" {
				t.Errorf("the newest snapshot is %s", newest)
			}
			for range 10 * 24 {
				back.Advance(time.Hour)
				must(db.Schedule.QueueOutlived(t.Context()))(t)
			}
			if looked(t, db) != nil {
				t.Error("the clock is doubted although it agrees for days")
			}
			var left []string
			check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("status = ?", models.SnapshotAvailable).Order("id").Pluck("name", &left).Error)
			if len(left) != 2 || left[0] != "automatic.orders-2" || left[1] != run.SnapshotName {
				t.Errorf("ten days later there are %v", left)
			}
			if n := count(t, db, &models.WindowMark{}, "opens > ?", db.Now().Add(2*day)); n != 0 {
				t.Errorf("%d windows of the future count as done", n)
			}
		})
	}
}

func TestConfirmedClockDeletesAgain(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	clock := clockwork.NewFakeClockAt(monday)
	db := open(t, place, clock)
	automatics(t, db, clock)
	clock.Advance(45 * day)
	db = open(t, place, clock)
	if gone := must(db.Schedule.QueueOutlived(t.Context()))(t); len(gone) > 0 {
		t.Fatalf("deleted %v", gone)
	}
	check(t, db.Clock.Confirm(t.Context(), "admin"))
	if gone := must(db.Schedule.QueueOutlived(t.Context()))(t); len(gone) != 2 {
		t.Errorf("deleted %v, and two have outlived", gone)
	}
	if !strings.Contains(content(t, db), "admin has confirmed that the clock is right") {
		t.Error("no event says so")
	}
}

func TestLeapsDoNotOpenOrLockDoors(t *testing.T) {
	t.Parallel()
	clock := &leaping{clockwork.NewFakeClockAt(monday), 0, "first"}
	db := open(t, newPlace(t), clock)
	looked(t, db)
	must(db.Users.EnsureAdmin(t.Context(), "a-long-password"))(t)
	signIn := func() (valid func() bool) {
		token := must(db.Users.SignIn(t.Context(), models.AdminName, "a-long-password", "::1", "test"))(t)
		return func() bool {
			_, _, valid, err := db.Users.FindSession(t.Context(), token)
			check(t, err)
			return valid
		}
	}
	for range 10 {
		_, err := db.Users.SignIn(t.Context(), models.AdminName, "wrong", "::2", "test")
		refused(t, err, models.CodeInvalid)
	}
	act := func(ctx context.Context) error { return db.transaction(ctx, func(tx *DB) error { return nil }) }
	check(t, db.Calls.Once(t.Context(), "0123", act))
	clock.set = 45 * day
	looked(t, db)
	future := signIn() // also from where too many guesses came
	must(db.Users.SignIn(t.Context(), models.AdminName, "a-long-password", "::2", "test"))(t)
	check(t, db.Calls.Once(t.Context(), "4567", act))
	if !future() {
		t.Error("a session of now is not valid")
	}
	clock.set = 0
	if future() {
		t.Error("a session of the future is valid until then")
	}
	if valid := signIn(); !valid() {
		t.Error("nobody can sign in after the clock was set back")
	}
	check(t, db.Calls.Once(t.Context(), "0123", func(ctx context.Context) error {
		t.Error("a request acts twice after a leap")
		return nil
	}))
}

func TestSnapshotsOfTheFutureDoNotCountAgainstTheQuota(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	check(t, db.Settings.Save(t.Context(), models.Settings{ManualQuota: 1, Price: 1, Currency: "$"}))
	taken(t, db, "orders", "future")
	check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("name = 'future'").Update("created_at", clock.Now().Add(45*day)).Error)
	taken(t, db, "orders", "now")
	_, err := db.Snapshots.Request(t.Context(), "orders", "more", false, "admin")
	refused(t, err, models.CodeSnapshotQuota)
}
