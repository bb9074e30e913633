package catalog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
	"rekindle/models/modelstest"
)

// simulation runs the catalog's schedule with several consoles on one database file, and keeps a history of its own.
type simulation struct {
	db      []*DB
	clock   *clockwork.FakeClock
	ledgers map[string]*modelstest.History
	seen    int // warnings that were looked at
	fails   func() bool
}

func newSimulation(t *testing.T, consoles int, windows map[string]models.Window) *simulation {
	t.Helper()
	s := &simulation{clock: clockwork.NewFakeClockAt(monday), ledgers: make(map[string]*modelstest.History), fails: func() bool { return false }}
	place := newPlace(t)
	for range consoles {
		db := open(t, place, s.clock)
		// A year of commits that wait for the disk would take minutes, and no power is cut here.
		check(t, db.gorm.Exec(map[string]string{"sqlite": "PRAGMA synchronous=OFF", "postgres": "SET synchronous_commit=off"}[catalogsAre()]).Error)
		pool, err := db.gorm.DB()
		check(t, err)
		pool.SetMaxOpenConns(1)
		s.db = append(s.db, db)
	}
	for name, window := range windows {
		c := spec(name)
		c.Window, c.Retention = window, 35
		cluster := launched(t, s.db[0], c)
		s.ledgers[name] = modelstest.NewHistory(cluster.SnapshotWindow, name, monday)
	}

	return s
}

// tick fires once on each console at the same instant, then does all runs.
func (s *simulation) tick(t *testing.T, atTheSameTime bool) {
	t.Helper()
	now := s.db[0].Now()
	for _, ledger := range s.ledgers {
		ledger.Tick(now)
	}
	if atTheSameTime {
		for _, err := range atOnce(len(s.db), func(i int) error { _, err := s.db[i].Schedule.QueueDue(t.Context()); return err }) {
			check(t, err)
		}
	} else {
		must(s.db[0].Schedule.QueueDue(t.Context()))(t)
	}
	for {
		run, ok, err := s.db[0].Runs.Claim(t.Context(), lease(t, s.db[0], "console"), func(models.Run) bool { return true })
		check(t, err)
		if !ok {
			break
		}
		args := must(models.Args[models.SnapshotArgs](run))(t)
		ledger := s.ledgers[run.ClusterName]
		o, open := ledger.Window.Open(now, run.ClusterName)
		if !open || run.Kind != models.RunSnapshot || !o.Opens.Equal(*args.WindowOpens) {
			t.Fatalf("an unexpected run at %v: %+v", now, run)
		}
		p := ledger.Begin(t, now, o)
		if s.fails() {
			check(t, s.db[0].Settle.Fail(t.Context(), run, models.RunFailed, "The link broke."))
		} else {
			p.Succeeded++
			check(t, s.db[0].Settle.Snapshot(t.Context(), run, measured(s.db[0], run.SnapshotName)))
		}
	}
	var events []models.Event
	check(t, s.db[0].with(t.Context()).Where("severity = ?", models.SeverityWarning).Order("id").Offset(s.seen).Find(&events).Error)
	for _, e := range events {
		s.report(t, e)
	}
	s.seen += len(events)
}

// report reads from an event which windows were missed.
func (s *simulation) report(t *testing.T, e models.Event) {
	t.Helper()
	var marks []models.WindowMark
	cluster := must(s.db[0].Clusters.Get(t.Context(), e.ClusterName))(t)
	check(t, s.db[0].with(t.Context()).Where("cluster_id = ? AND tried = ? AND attempts = 0", cluster.ID, e.At).Find(&marks).Error)
	said := 1
	if _, err := fmt.Sscanf(e.Message[strings.Index(e.Message, "were taken in")+1:], "ere taken in %d windows", &said); err != nil {
		said = 1
	}
	if len(marks) != said {
		t.Errorf("%d windows were marked as missed, and the event says: %s", len(marks), e.Message)
	}
	for _, m := range marks {
		for day := -1; day <= 1; day++ {
			if o := s.ledgers[e.ClusterName].Window.On(m.Opens.AddDate(0, 0, day), e.ClusterName); o.Opens.Equal(m.Opens) {
				s.ledgers[e.ClusterName].At(o).Reported++
			}
		}
	}
}

// pause is until the next tick: a few minutes where a window has something to be done, up to hours else.
func (s *simulation) pause(now time.Time, random *rand.Rand) time.Duration {
	rest := 3 * time.Hour
	for _, name := range slices.Sorted(maps.Keys(s.ledgers)) { // one order, so that a seed always gives the same years
		ledger := s.ledgers[name]
		for day := -1; day <= 1; day++ {
			o := ledger.Window.On(now.AddDate(0, 0, day), name)
			p := ledger.At(o)
			done := p.Succeeded > 0 || p.Begun == models.MaxAttempts
			switch {
			case !done && !now.Before(o.Begins) && now.Before(o.Closes):
				rest = min(rest, 5*time.Minute)
			case now.Before(o.Begins):
				rest = min(rest, o.Begins.Sub(now)+time.Duration(random.IntN(12))*time.Minute)
			}
		}
	}
	return max(time.Minute, rest.Truncate(time.Minute))
}

func TestTheCatalogsScheduleOverSimulatedYears(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name          string
		days          int
		outages, back bool
		failures      float64
	}{
		{"two consoles that never stop", simulated(420), false, false, 0},
		{"restarts and failures", simulated(420), true, false, 0.3},
		{"a clock that jumps", simulated(420), true, true, 0},
	}
	for k, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, uint64(k)))
			s := newSimulation(t, 2, map[string]models.Window{
				"midnight": {Start: 23*60 + 30, Length: 60}, "early": {Start: 0, Length: 60}, "long": {Start: 15 * 60, Length: 1439}, "random": {Start: random.IntN(24 * 60), Length: 60 + random.IntN(600)},
			})
			s.fails = func() bool { return random.Float64() < kind.failures }
			ticks := 0
			for s.clock.Now().Before(monday.AddDate(0, 0, kind.days)) {
				s.tick(t, ticks%5 == 0 || k == 0)
				ticks++
				s.clock.Advance(s.pause(s.clock.Now(), random))
				switch {
				case kind.outages && random.IntN(60) == 0:
					s.clock.Advance(time.Duration(random.Int64N(int64(3 * 24 * time.Hour))))
				case kind.back && random.IntN(80) == 0:
					s.clock.Advance(-time.Duration(random.Int64N(int64([]time.Duration{time.Minute, time.Hour, 2 * 24 * time.Hour}[random.IntN(3)]))))
				}
			}
			s.tick(t, false) // the last pause may have been an outage of days, which nobody has looked at yet
			var windows, begun, missed int
			for _, ledger := range s.ledgers {
				w, b, m := ledger.Verify(t, kind.failures > 0, kind.back)
				windows, begun, missed = windows+w, begun+b, missed+m
			}
			if snapshots := count(t, s.db[0], &models.Snapshot{}); snapshots != begun {
				t.Errorf("%d snapshots of %d that were begun", snapshots, begun)
			}
			if missed == 0 == kind.outages || windows < 4*(kind.days-1) {
				t.Errorf("%d windows, %d missed", windows, missed)
			}
			t.Logf("%d days, %d windows, %d ticks: %d begun, %d reported as missed", kind.days, windows, ticks, begun, missed)
		})
	}
}

func TestABusyClusterStaysDueUntilItsWindowCloses(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}})
	db := s.db[0]
	o := s.ledgers["orders"].Window.On(monday, "orders")
	must(db.Snapshots.Request(t.Context(), "orders", "by-hand", false, "admin"))(t)
	s.clock.Advance(o.Begins.Sub(monday))
	if n := must(db.Schedule.QueueDue(t.Context()))(t); n != 0 || count(t, db, &models.WindowMark{}) != 0 {
		t.Errorf("%d queued while the cluster is busy", n)
	}
	run := claim(t, db)
	check(t, db.Settle.Snapshot(t.Context(), run, measured(db, "by-hand")))
	s.clock.Advance(time.Minute)
	if n := must(db.Schedule.QueueDue(t.Context()))(t); n != 1 {
		t.Errorf("%d queued after it", n)
	}
	run = claim(t, db)
	if want := "automatic.orders-" + o.Begins.Add(time.Minute).Format("2006-01-02-15-04"); run.SnapshotName != want || run.RequestedBy != "schedule" {
		t.Errorf("%s of %s, want %s", run.SnapshotName, run.RequestedBy, want)
	}
	// The next day it is busy for the whole window.
	check(t, db.Settle.Snapshot(t.Context(), run, measured(db, run.SnapshotName)))
	must(db.Snapshots.Request(t.Context(), "orders", "by-hand-2", false, "admin"))(t)
	s.clock.Advance(24 * time.Hour)
	for range 10 {
		must(db.Schedule.QueueDue(t.Context()))(t)
		s.clock.Advance(20 * time.Minute)
	}
	events := must(db.Events.List(t.Context(), models.List{Equal: map[string]string{"severity": "warning"}}))(t)
	if events.Total != 1 || !strings.Contains(events.Rows[0].Message, "2026-01-06 12:00 to 13:00 UTC") {
		t.Errorf("events: %+v", events)
	}
}

func TestAScheduleThatIsChangedOrTurnedOff(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}})
	db := s.db[0]
	modify := func(m models.ModifySpec) { t.Helper(); must(db.Changes.Modify(t.Context(), "orders", m))(t) }
	queued := func() int { t.Helper(); return must(db.Schedule.QueueDue(t.Context()))(t) }

	modify(models.ModifySpec{Retention: pointer(0)})
	s.clock.Advance(3 * 24 * time.Hour)
	if n := queued(); n != 0 || count(t, db, &models.WindowMark{}) != 0 {
		t.Errorf("backups are off: %d queued, marks %d", n, count(t, db, &models.WindowMark{}))
	}
	modify(models.ModifySpec{Retention: pointer(5)})
	if n := queued(); n != 0 || count(t, db, &models.WindowMark{}) != 0 {
		t.Error("days on which backups were off count as missed")
	}
	// A window that is moved to where it is open now is used at once; one that has passed today is not missed.
	now := db.Now()
	modify(models.ModifySpec{Window: &models.Window{Start: (now.Hour()*60 + now.Minute() + 24*60 - 120) % (24 * 60), Length: 60}})
	if n := queued(); n != 0 || count(t, db, &models.WindowMark{}) != 0 {
		t.Error("a window before the change counts")
	}
	modify(models.ModifySpec{Window: &models.Window{Start: (now.Hour()*60 + now.Minute() + 24*60 - 100) % (24 * 60), Length: 120}})
	if n := queued(); n != 1 {
		t.Errorf("%d queued in the window that is open", n)
	}
	modify(models.ModifySpec{Window: &models.Window{}})
	if cluster := must(db.Clusters.Get(t.Context(), "orders"))(t); cluster.SnapshotWindow != models.PickWindow("orders") || cluster.WindowChosen {
		t.Errorf("no preference became %v", cluster.SnapshotWindow)
	}
}

func TestMissedWindowsAreReportedAlsoWhenAnotherConsoleWroteSomeOfThem(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}})
	db := s.db[0]
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	s.clock.Advance(4 * 24 * time.Hour)
	plan := must(db.Schedule.plans(t.Context(), []models.Cluster{cluster}))(t)[0]
	_, missed := models.Due(db.Now(), []models.Plan{plan})
	if len(missed) != 4 {
		t.Fatalf("%d missed", len(missed))
	}
	check(t, db.with(t.Context()).Create(&models.WindowMark{ClusterID: cluster.ID, Opens: missed[1].Occurrence.Opens, Outcome: models.MarkMissed, Tried: db.Now()}).Error)
	check(t, db.Schedule.markMissed(t.Context(), cluster, missed)) // decided before the other one wrote
	check(t, db.Schedule.markMissed(t.Context(), cluster, missed))
	if n := count(t, db, &models.WindowMark{}); n != 4 {
		t.Errorf("%d marks", n)
	}
	events := must(db.Events.List(t.Context(), models.List{Equal: map[string]string{"severity": "warning"}}))(t)
	if events.Total != 1 || !strings.Contains(events.Rows[0].Message, "in 3 windows") {
		t.Errorf("events: %+v", events.Rows)
	}
}

func TestMissedWindowsAreReportedLaterWhenTheyCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 60}})
	db := s.db[0]
	s.clock.Advance(4 * 24 * time.Hour)
	room := noRoom(t, db, "INSERT ON events")
	if _, err := db.Schedule.QueueDue(t.Context()); err == nil {
		t.Error("no error")
	}
	room()
	must(db.Schedule.QueueDue(t.Context()))(t)
	if n := count(t, db, &models.Event{}, "severity = ?", models.SeverityWarning); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestAutomaticSnapshotsStopAfterMaxAttempts(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 240}})
	s.fails = func() bool { return true }
	for range 10 * 60 {
		s.tick(t, false)
		s.clock.Advance(time.Minute)
	}
	if n := count(t, s.db[0], &models.Snapshot{}, "status = ?", models.SnapshotFailed); n != models.MaxAttempts {
		t.Errorf("%d attempts", n)
	}
	if n := count(t, s.db[0], &models.Event{}, "severity = ?", models.SeverityWarning); n != 0 {
		t.Error("failed is not missed")
	}
}

func TestCancelledAutomaticSnapshotIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 240}})
	db := s.db[0]
	o := s.ledgers["orders"].Window.On(monday, "orders")
	s.clock.Advance(o.Begins.Sub(monday))
	must(db.Schedule.QueueDue(t.Context()))(t)
	active := must(db.Runs.Active(t.Context()))(t)
	check(t, db.Runs.Cancel(t.Context(), active[0].ID))
	s.clock.Advance(30 * time.Minute)
	if n := must(db.Schedule.QueueDue(t.Context()))(t); n != 0 {
		t.Errorf("%d queued", n)
	}
}

func TestNextSnapshotSaysWhen(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, map[string]models.Window{"orders": {Start: 12 * 60, Length: 240}})
	db := s.db[0]
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	o := cluster.SnapshotWindow.On(monday, "orders")
	expect := func(want time.Time) {
		t.Helper()
		if got, on, err := db.Schedule.Next(t.Context(), cluster); err != nil || !on || !got.Equal(want) {
			t.Errorf("next is %v (%t, %v), want %v", got, on, err, want)
		}
	}
	expect(o.Begins)
	s.clock.Advance(o.Begins.Add(time.Minute).Sub(monday))
	expect(db.Now())
	must(db.Schedule.QueueDue(t.Context()))(t)
	expect(o.Begins.AddDate(0, 0, 1))
	cluster.RetentionLimit = 0
	if _, on, err := db.Schedule.Next(t.Context(), cluster); on || err != nil {
		t.Error("backups are off")
	}
}
