package models

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

// history is what the simulation knows of one cluster's windows, kept by the test itself and compared with what the schedule did.
type history struct {
	window  Window
	cluster string
	since   time.Time
	last    time.Time // the latest instant that any tick saw
	windows map[int64]*past
}

type past struct {
	Occurrence
	chance    bool // a tick fell between its minute and its end
	begun     int  // attempts
	succeeded int
	reported  int // as missed
}

func newHistory(w Window, cluster string, since time.Time) *history {
	return &history{window: w, cluster: cluster, since: since, last: since, windows: make(map[int64]*past)}
}

func (h *history) at(o Occurrence) *past {
	p, ok := h.windows[o.Opens.Unix()]
	if !ok {
		p = &past{Occurrence: o}
		h.windows[o.Opens.Unix()] = p
	}
	return p
}

// tick notes that the schedule was asked at this instant.
func (h *history) tick(now time.Time) {
	if now.After(h.last) {
		h.last = now
	}
	if o, ok := h.window.Open(now, h.cluster); ok && !now.Before(o.Begins) {
		h.at(o).chance = true
	}
}

// begin notes a start and checks that it is within its window.
func (h *history) begin(t *testing.T, now time.Time, o Occurrence) *past {
	t.Helper()
	if now.Before(o.Begins) || !now.Before(o.Closes) || o.Begins.Before(o.Opens) || o.Closes.Sub(o.Opens) != time.Duration(h.window.Length)*time.Minute {
		t.Errorf("%s: begun at %v, outside of %v", h.cluster, now, o)
	}
	p := h.at(o)
	p.begun++
	return p
}

// verify goes through all days since the beginning: each window that passed was either used or reported as missed.
func (h *history) verify(t *testing.T, failures, back bool) (days, begun, missed int) {
	t.Helper()
	for day := h.since.AddDate(0, 0, -2); day.Before(h.last.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
		o := h.window.On(day, h.cluster)
		p := h.at(o)
		if !p.chance && (!o.Closes.After(h.since) || o.Closes.After(h.last)) {
			if p.begun+p.reported > 0 {
				t.Errorf("%s: a window that does not count was begun %d times, reported %d times: %v", h.cluster, p.begun, p.reported, o)
			}
			continue
		}
		days++
		begun += p.begun
		missed += p.reported
		switch {
		case p.succeeded > 1:
			t.Errorf("%s: doubled: %d snapshots in %v", h.cluster, p.succeeded, o)
		case p.begun > MaxAttempts || !failures && p.begun > 1:
			t.Errorf("%s: %d attempts in %v", h.cluster, p.begun, o)
		case p.chance && p.begun == 0:
			t.Errorf("%s: missed although the console ran: %v", h.cluster, o)
		case !p.chance && p.begun > 0:
			t.Errorf("%s: begun without a tick: %v", h.cluster, o)
		case p.begun == 0 && p.reported != 1:
			t.Errorf("%s: passed and reported %d times: %v", h.cluster, p.reported, o)
		case p.reported > 1 || p.reported == 1 && p.begun > 0 && !back: // only a clock that stood wrong can have done both
			t.Errorf("%s: begun %d times, reported %d times: %v", h.cluster, p.begun, p.reported, o)
		}
	}
	for _, p := range h.windows {
		if p.Opens.Hour()*60+p.Opens.Minute() != h.window.Start {
			t.Errorf("%s: a window that does not exist: %v", h.cluster, p.Occurrence)
		}
	}
	return days, begun, missed
}

// store does with decisions what the catalog does: unique marks.
type store struct {
	plan   Plan
	fails  func() bool
	ledger *history
}

func (s *store) tick(t *testing.T, now time.Time, double bool) {
	s.ledger.tick(now)
	since := s.plan.Since
	plan := s.plan
	if since.After(now) {
		plan.Since = now
	}
	asked := 1
	if double {
		asked = 2 // both before either has written anything
	}
	var due, missed []Decision
	for range asked {
		d, m := Due(now, []Plan{plan})
		due, missed = append(due, d...), append(missed, m...)
	}
	for _, d := range due {
		key := d.Occurrence.Opens.Unix()
		mark, known := s.plan.Marks[key]
		if d.Attempt == 1 && known && mark.Outcome != MarkMissed || d.Attempt > 1 && mark.Attempts != d.Attempt-1 {
			continue // somebody else was first
		}
		p := s.ledger.begin(t, now, d.Occurrence)
		outcome := MarkQueued
		if s.fails() {
			outcome = MarkFailed
		} else {
			p.succeeded++
		}
		s.plan.Marks[key] = Mark{outcome, d.Attempt, now}
	}
	for _, d := range missed {
		if _, known := s.plan.Marks[d.Occurrence.Opens.Unix()]; !known {
			s.plan.Marks[d.Occurrence.Opens.Unix()] = Mark{Outcome: MarkMissed, Tried: now}
			s.ledger.at(d.Occurrence).reported++
		}
	}
	if age := now.Sub(since); age > 24*time.Hour || age < 0 {
		s.plan.Since = now
	}
}

func TestTenYearsOfSchedulesMissAndDoubleNothing(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name          string
		outages, back bool
		failures      float64
		clusters      int
	}{
		{"always on", false, false, 0, 4},
		{"with failures", false, false, 0.3, 2},
		{"with outages", true, false, 0, 4},
		{"with outages and failures", true, false, 0.5, 2},
		{"with a clock that jumps", true, true, 0, 5},
	}
	for k, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			days, begun, missed, ticks := 0, 0, 0, 0
			for n := range kind.clusters {
				random := rand.New(rand.NewPCG(uint64(k), uint64(n)))
				window := Window{Start: random.IntN(dayMinutes), Length: MinWindowMinutes + random.IntN(dayMinutes-MinWindowMinutes)}
				switch n { // the edges, always among them
				case 0:
					window = Window{0, MinWindowMinutes}
				case 1:
					window = Window{dayMinutes - 1, MinWindowMinutes}
				case 2:
					window = Window{23*60 + 30, dayMinutes - 1}
				case 3:
					window = Window{0, dayMinutes - 1}
				}
				name := fmt.Sprintf("cluster-%d", n)
				now := time.Date(2024, 1, 1, random.IntN(24), random.IntN(60), random.IntN(60), 0, time.UTC) // 2024 has a 29th of February
				end := now.AddDate(10, 0, 0)
				ledger := newHistory(window, name, now)
				s := &store{plan: Plan{ClusterID: 1, Cluster: name, Window: window, Retention: 7, Since: now, Marks: map[int64]Mark{}}, ledger: ledger,
					fails: func() bool { return random.Float64() < kind.failures }}
				for now.Before(end) {
					s.tick(t, now, random.IntN(3) == 0)
					ticks++
					now = now.Add(s.pause(now, random))
					switch {
					case kind.outages && random.IntN(200) == 0:
						now = now.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))) // off, or the clock jumped forward
					case kind.back && random.IntN(300) == 0:
						now = now.Add(-time.Duration(random.Int64N(int64([]time.Duration{time.Minute, time.Hour, 3 * 24 * time.Hour}[random.IntN(3)]))))
					}
				}
				d, b, m := ledger.verify(t, kind.failures > 0, kind.back)
				days, begun, missed = days+d, begun+b, missed+m
			}
			if missed == 0 == kind.outages {
				t.Errorf("%d windows were reported as missed", missed)
			}
			t.Logf("%d windows, %d ticks: %d begun, %d reported as missed", days, ticks, begun, missed)
		})
	}
}

// pause is until the next tick: a minute around the instants that matter, else something longer, for then nothing can be due.
func (s *store) pause(now time.Time, random *rand.Rand) time.Duration {
	rest := time.Hour
	for day := -1; day <= 1; day++ {
		o := s.plan.Window.On(now.AddDate(0, 0, day), s.plan.Cluster)
		for _, edge := range []time.Time{o.Opens, o.Begins, o.Closes} {
			if until := edge.Sub(now); until > -time.Minute && until <= time.Minute {
				return time.Minute
			} else if until > 0 && until-time.Minute < rest {
				rest = until - time.Minute
			}
		}
		if mark := s.plan.Marks[o.Opens.Unix()]; mark.Outcome == MarkFailed && now.Before(o.Closes) && rest > 11*time.Minute {
			rest = time.Duration(1+random.IntN(11)) * time.Minute
		}
	}
	return max(time.Minute, rest/2+time.Duration(random.Int64N(int64(rest/2)+1)))
}

func TestEveryMinuteOfAYear(t *testing.T) {
	t.Parallel()
	start := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) // a leap year
	window := Window{23*60 + 45, 90}
	ledger := newHistory(window, "orders", start)
	s := &store{plan: Plan{Cluster: "orders", Window: window, Retention: 1, Since: start, Marks: map[int64]Mark{}}, ledger: ledger,
		fails: func() bool { return false }}
	for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(time.Minute) {
		s.tick(t, now, now.Minute()%5 == 0)
	}
	days, begun, missed := ledger.verify(t, false, false)
	// The window of the last of December 2027 reaches into the year, that of 2028's last day opens in it and is not over.
	if days < 366 || days > 367 || begun != days || missed > 1 {
		t.Errorf("%d windows, %d begun, %d missed", days, begun, missed)
	}
}

func TestDueAtTheEdges(t *testing.T) {
	t.Parallel()
	window := Window{3 * 60, 60}
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	o := window.On(day, "orders")
	yesterday := window.On(day.AddDate(0, 0, -1), "orders")
	marks := func(m Mark) map[int64]Mark { return map[int64]Mark{o.Opens.Unix(): m} }
	tests := []struct {
		name         string
		now          time.Time
		since        time.Time
		marks        map[int64]Mark
		retention    int
		due, attempt int
		missed       int
	}{
		{"before its minute", o.Begins.Add(-time.Nanosecond), day, nil, 1, 0, 0, 0},
		{"at its minute", o.Begins, day, nil, 1, 1, 1, 0},
		{"in the last moment", o.Closes.Add(-time.Nanosecond), day, nil, 1, 1, 1, 0},
		{"at the end", o.Closes, day, nil, 1, 0, 0, 1},
		{"made while open", o.Closes.Add(-time.Minute), o.Closes.Add(-time.Minute), nil, 1, 1, 1, 0},
		{"made at the end", o.Closes, o.Closes, nil, 1, 0, 0, 0},
		{"off", o.Begins, day, nil, 0, 0, 0, 0},
		{"queued", o.Begins, day, marks(Mark{MarkQueued, 1, o.Begins}), 1, 0, 0, 0},
		{"failed just now", o.Begins.Add(9 * time.Minute), day, marks(Mark{MarkFailed, 1, o.Begins}), 1, 0, 0, 0},
		{"failed ten minutes ago", o.Begins.Add(10 * time.Minute), day, marks(Mark{MarkFailed, 1, o.Begins}), 1, 1, 2, 0},
		{"failed in a future that the clock left", o.Begins, day, marks(Mark{MarkFailed, 1, o.Closes}), 1, 1, 2, 0},
		{"failed too often", o.Closes.Add(-time.Minute), day, marks(Mark{MarkFailed, MaxAttempts, o.Begins}), 1, 0, 0, 0},
		{"marked as missed by a wrong clock", o.Begins, day, marks(Mark{MarkMissed, 0, o.Closes}), 1, 1, 1, 0},
		{"missed, and said so", o.Closes.Add(time.Minute), day, marks(Mark{MarkMissed, 0, o.Closes}), 1, 0, 0, 0},
		{"failed and over", o.Closes, day, marks(Mark{MarkFailed, 1, o.Begins}), 1, 0, 0, 0},
		{"yesterday's was missed", o.Begins, yesterday.Opens, nil, 1, 1, 1, 1},
		{"a year off", o.Begins, o.Begins.AddDate(-1, 0, 0), nil, 1, 1, 1, 365},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			due, missed := Due(test.now, []Plan{{1, "orders", window, test.retention, test.since, test.marks}})
			if len(due) != test.due || len(missed) != test.missed || len(due) == 1 && due[0].Attempt != test.attempt {
				t.Errorf("due %v, missed %v", due, missed)
			}
			if !sort.SliceIsSorted(missed, func(i, j int) bool { return missed[i].Occurrence.Opens.Before(missed[j].Occurrence.Opens) }) {
				t.Error("missed windows are not in order")
			}
		})
	}
}

func TestStartsAreSpreadOverTheWindow(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"cluster-%d", "orders-%03d", "a%dz", "prod-eu-%d-cache"} {
		for _, length := range []int{60, 61, 240, 1439} {
			const clusters = 1000
			var quarters [4]int
			for n := range clusters {
				o := Window{22 * 60, length}.On(monday, fmt.Sprintf(pattern, n))
				spread := o.Begins.Sub(o.Opens).Minutes()
				if spread < 0 || spread >= float64(length*3/4) {
					t.Fatalf("begins %v minutes into a window of %d", spread, length)
				}
				quarters[int(spread*4)/(length*3/4)]++
			}
			for i, n := range quarters {
				if n < clusters*18/100 || n > clusters*32/100 {
					t.Errorf("%s in %d minutes: %d of %d begin in quarter %d", pattern, length, n, clusters, i+1)
				}
			}
		}
	}
}

func TestDueComesInTheOrderOfStarts(t *testing.T) {
	t.Parallel()
	window := Window{60, 120}
	plans := make([]Plan, 50)
	for i := range plans {
		plans[i] = Plan{ClusterID: uint(i + 1), Cluster: fmt.Sprintf("c%d", i), Window: window, Retention: 1, Since: monday}
	}
	now := time.Date(2026, 1, 6, 2, 55, 0, 0, time.UTC)
	due, missed := Due(now, plans)
	if len(due) != len(plans) || len(missed) != 0 {
		t.Fatalf("%d due, %d missed", len(due), len(missed))
	}
	if !sort.SliceIsSorted(due, func(i, j int) bool { return due[i].Occurrence.Begins.Before(due[j].Occurrence.Begins) }) {
		t.Error("not in the order of their starts")
	}
}

func BenchmarkDue(b *testing.B) {
	plans := make([]Plan, 1000)
	for i := range plans {
		plans[i] = Plan{ClusterID: uint(i + 1), Cluster: fmt.Sprintf("c%d", i), Window: Window{i, 60}, Retention: 1, Since: monday.Add(-time.Hour)}
	}
	for b.Loop() {
		Due(monday, plans)
	}
}
