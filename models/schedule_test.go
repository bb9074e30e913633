package models

import (
	"fmt"
	"sort"
	"testing"
	"time"
)

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

// The attempt that is announced is the one that Due asks for, and Due asks for none before.
func TestWhatIsComingIsWhatWillBeDue(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	window := Window{Start: 3 * 60, Length: 60}
	o := window.On(day, "orders")
	for name, mark := range map[string]*Mark{
		"never tried":        nil,
		"under way":          {MarkQueued, 1, o.Begins},
		"failed at once":     {MarkFailed, 1, o.Begins},
		"failed twice":       {MarkFailed, 2, o.Begins.Add(12 * time.Minute)},
		"failed three times": {MarkFailed, MaxAttempts, o.Begins.Add(25 * time.Minute)},
		"failed at the end":  {MarkFailed, 1, o.Closes.Add(-time.Minute)},
		"the clock was back": {MarkFailed, 1, o.Closes.Add(time.Hour)},
		"missed":             {MarkMissed, 0, o.Opens},
	} {
		plan := Plan{ClusterID: 1, Cluster: "orders", Window: window, Retention: 7, Since: day, Marks: map[int64]Mark{}}
		if mark != nil {
			plan.Marks[o.Opens.Unix()] = *mark
		}
		start := o.Opens
		if mark != nil && mark.Tried.Before(o.Closes) {
			start = mark.Tried
		}
		for now := start; now.Before(o.Closes.Add(2 * time.Minute)); now = now.Add(time.Minute) {
			coming, planned := plan.Coming(now)
			if !planned || coming.At.Before(now) {
				t.Fatalf("%s, %s: %+v, %t", name, now, coming, planned)
			}
			for at := now; at.Before(coming.At); at = at.Add(time.Minute) {
				if due, _ := Due(at, []Plan{plan}); len(due) > 0 {
					t.Fatalf("%s, %s: due at %s, and not only at %s", name, now, at, coming.At)
				}
			}
			due, _ := Due(coming.At, []Plan{plan})
			if len(due) != 1 || due[0].Attempt != coming.Attempt || !due[0].Occurrence.Closes.Equal(coming.Closes) {
				t.Fatalf("%s, %s: %+v is announced, and due is %+v", name, now, coming, due)
			}
		}
		plan.Retention = 0
		if _, planned := plan.Coming(o.Begins); planned {
			t.Errorf("%s: something is announced although backups are off", name)
		}
	}
}
