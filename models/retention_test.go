package models

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestOutlived(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := monday
	kept := func(id uint, age time.Duration, good bool) Kept { return Kept{id, now.Add(-age), good, 3} }
	tests := []struct {
		name   string
		limit  int
		have   []Kept
		want   []uint
		losses []time.Time
	}{
		{"nothing", 1, nil, nil, nil},
		{"within", 2, []Kept{kept(1, 2*day-1, true), kept(2, day, true)}, nil, nil},
		{"at the limit", 2, []Kept{kept(1, 2*day, true), kept(2, day, true)}, []uint{1}, nil},
		{"the longest", 35, []Kept{kept(1, 35*day, true), kept(2, 35*day-1, true)}, []uint{1}, nil},
		{"the only good one stays", 1, []Kept{kept(1, 400*day, true)}, nil, nil},
		{"the newest good one stays when newer ones failed", 1, []Kept{kept(1, 9*day, true), kept(2, 5*day, true), kept(3, 4*day, false), kept(4, time.Hour, false)}, []uint{1, 3}, nil},
		{"only failed ones", 1, []Kept{kept(1, 9*day, false), kept(2, time.Hour, false)}, []uint{1}, nil},
		{"turned off: as promised", 0, []Kept{kept(1, 3*day, true), kept(2, 3*day-1, true), kept(3, day, true)}, []uint{1}, nil},
		{"turned off: the newest stays", 0, []Kept{kept(1, 30*day, true), kept(2, 20*day, true)}, []uint{1}, nil},
		{"raised", 35, []Kept{kept(1, 30*day, true), kept(2, 20*day, true)}, nil, nil},
		{"lowered", 1, []Kept{kept(1, 3*day, true), kept(2, 2*day, true), kept(3, day, true)}, []uint{1, 2}, nil},
		{"two of the same instant", 1, []Kept{kept(1, 3*day, true), kept(2, 3*day, true)}, []uint{2}, nil},
		{"from the future, it is not the newest", 1, []Kept{kept(1, -day, true), kept(2, 2*day, true)}, nil, nil},
		{"the newest good one from before a loss stays", 1, []Kept{kept(1, 9*day, true), kept(2, 8*day, true), kept(3, 7*day, false), kept(4, 3*day, true), kept(5, time.Hour, true)},
			[]uint{1, 3, 4}, []time.Time{now.Add(-6 * day)}},
		{"of two losses each keeps its own", 1, []Kept{kept(1, 9*day, true), kept(2, 8*day, true), kept(3, 4*day, true), kept(4, time.Hour, true)},
			[]uint{1}, []time.Time{now.Add(-6 * day), now.Add(-3 * day)}},
		{"a loss with nothing before it", 1, []Kept{kept(1, 4*day, true), kept(2, time.Hour, true)}, []uint{1}, []time.Time{now.Add(-6 * day)}},
		{"a loss, and backups turned off", 0, []Kept{kept(1, 30*day, true), kept(2, 20*day, true), kept(3, 10*day, true)}, []uint{1}, []time.Time{now.Add(-15 * day)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Outlived(now, test.limit, test.losses, test.have); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRetentionOfRandomHistories(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		limit := random.IntN(MaxRetention + 1)
		have := make([]Kept, random.IntN(12))
		for i := range have {
			have[i] = Kept{ID: uint(i + 1), CreatedAt: monday.Add(-time.Duration(random.Int64N(int64(60 * 24 * time.Hour)))), Good: random.IntN(3) > 0, Promised: 1 + random.IntN(35)}
		}
		var losses []time.Time
		for range random.IntN(3) {
			losses = append(losses, monday.Add(-time.Duration(random.Int64N(int64(60*24*time.Hour)))))
		}
		outlived := Outlived(monday, limit, losses, have)
		floors := make(map[time.Time]bool)
		for _, before := range append(losses, monday.Add(time.Hour)) {
			var newest time.Time
			for _, k := range have {
				if k.Good && k.CreatedAt.Before(before) && k.CreatedAt.After(newest) {
					newest = k.CreatedAt
				}
			}
			floors[newest] = true
		}
		for _, k := range have {
			days := limit
			if days == 0 {
				days = k.Promised
			}
			old := monday.Sub(k.CreatedAt) >= time.Duration(days)*24*time.Hour
			floor := k.Good && floors[k.CreatedAt]
			if gone := slices.Contains(outlived, k.ID); gone != (old && !floor) {
				t.Fatalf("limit %d, %+v of %+v: removed %t", limit, k, have, gone)
			}
		}
	}
}
