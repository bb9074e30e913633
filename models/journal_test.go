package models

import (
	"fmt"
	"testing"
	"time"
)

var journalDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func hour(n float64) time.Time { return journalDay.Add(time.Duration(n * float64(time.Hour))) }

// stretch is one whose offsets are its hours, so that they are easy to compare.
func stretch(id uint, shard int, from, to float64) JournalStretch {
	return JournalStretch{ID: id, Shard: shard, Run: fmt.Sprint("run", id), From: int64(from * 10), To: int64(to * 10), Begin: hour(from), End: hour(to)}
}

func base(s JournalStretch, snapshot uint, at float64) JournalBase {
	return JournalBase{SnapshotID: snapshot, Shard: s.Shard, Run: s.Run, Offset: int64(at * 10), At: hour(at)}
}

func TestRecoveryWindowIsWhatAllShardsHave(t *testing.T) {
	t.Parallel()
	one, two, other := stretch(1, 1, 0, 10), stretch(2, 1, 12, 20), stretch(3, 2, 1, 15)
	tests := map[string]struct {
		shards    int
		stretches []JournalStretch
		bases     []JournalBase
		want      string
	}{
		"nothing recorded":         {1, nil, nil, ""},
		"no base":                  {1, []JournalStretch{one}, nil, ""},
		"base of another stretch":  {1, []JournalStretch{one}, []JournalBase{base(two, 1, 13)}, ""},
		"from the first base":      {1, []JournalStretch{one}, []JournalBase{base(one, 1, 4), base(one, 2, 6)}, "4-10"},
		"two stretches":            {1, []JournalStretch{one, two}, []JournalBase{base(one, 1, 4), base(two, 2, 13)}, "4-10 13-20"},
		"what both shards have":    {2, []JournalStretch{one, two, other}, []JournalBase{base(one, 1, 4), base(two, 2, 13), base(other, 1, 4)}, "4-10 13-15"},
		"nothing of another shard": {2, []JournalStretch{one}, []JournalBase{base(one, 1, 4)}, ""},
	}
	for name, test := range tests {
		var got string
		window := RecoveryWindowOf(test.shards, test.stretches, test.bases)
		for i, s := range window {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%.0f-%.0f", s.From.Sub(journalDay).Hours(), s.To.Sub(journalDay).Hours())
		}
		if got != test.want {
			t.Errorf("%s: %q", name, got)
		}
		if name == "two stretches" {
			if gaps := window.Gaps(); len(gaps) != 1 || gaps[0] != (RecoverySpan{hour(10), hour(13)}) || window.Contains(hour(11)) || !window.Contains(hour(20)) ||
				window.Oldest() != hour(4) || window.Newest() != hour(20) {
				t.Errorf("the gaps of %v are %v", window, gaps)
			}
		}
	}
}

func TestJournalKeepsWhatTheWindowNeeds(t *testing.T) {
	t.Parallel()
	one, two := stretch(1, 1, 0, 10), stretch(2, 1, 50, 100)
	tests := map[string]struct {
		now       float64
		stretches []JournalStretch
		bases     []JournalBase
		before    int64 // of the first stretch
		until     bool
		base      uint
	}{
		"a window that begins before the stretch": {20, []JournalStretch{one}, []JournalBase{base(one, 1, 2)}, 20, true, 0},
		"the newest base before the window":       {90, []JournalStretch{two}, []JournalBase{base(two, 1, 51), base(two, 2, 60), base(two, 3, 70)}, 600, false, 2},
		"nothing but the journal":                 {90, []JournalStretch{two}, nil, 1000, true, 0},
		"a stretch from before the window":        {60, []JournalStretch{one, two}, []JournalBase{base(one, 1, 2), base(two, 2, 51)}, 100, false, 0},
		"the last one, though it ended long ago":  {900, []JournalStretch{one}, []JournalBase{base(one, 1, 2), base(one, 2, 8)}, 80, false, 2},
		"before the last one that can be used":    {900, []JournalStretch{one, two}, []JournalBase{base(one, 1, 2)}, 20, false, 1},
	}
	for name, test := range tests {
		cut := JournalCuts(JournalPlan{Days: 1}.Limit(hour(test.now)), test.stretches, test.bases)[0]
		var kept uint
		if cut.Base != nil {
			kept = cut.Base.SnapshotID
		}
		if cut.Before != test.before || cut.Until.IsZero() == test.until || kept != test.base {
			t.Errorf("%s: %+v", name, cut)
		}
	}
}

func TestJournalPlanIsRefusedWhereItCannotBeKept(t *testing.T) {
	t.Parallel()
	good := Cluster{Name: "orders", Configuration: Configuration{Engine: EngineRedis, RetentionLimit: 7, SnapshotWindow: Window{Start: 60, Length: 60}}}
	plan := JournalPlan{Kept: true, Days: 7, Promise: DefaultPromise}
	tests := map[string]struct {
		change func(*Cluster, *JournalPlan)
		field  string
		fine   bool
	}{
		"fine":                 {func(*Cluster, *JournalPlan) {}, "", true},
		"turned off":           {func(c *Cluster, p *JournalPlan) { c.RetentionLimit, p.Kept = 0, false }, "", true},
		"no snapshots":         {func(c *Cluster, _ *JournalPlan) { c.RetentionLimit = 0 }, "", false},
		"only caches":          {func(c *Cluster, _ *JournalPlan) { c.Engine = EngineMemcached }, "", false},
		"read key by key":      {func(c *Cluster, _ *JournalPlan) { c.Attachment = &Attachment{Access: Access{ByKey: true}} }, "", false},
		"longer than snapshot": {func(_ *Cluster, p *JournalPlan) { p.Days = 8 }, "days", false},
		"no days":              {func(_ *Cluster, p *JournalPlan) { p.Days = 0 }, "days", false},
		"too often":            {func(_ *Cluster, p *JournalPlan) { p.Promise = time.Second }, "promise", false},
		"too seldom":           {func(_ *Cluster, p *JournalPlan) { p.Promise = time.Hour }, "promise", false},
	}
	for name, test := range tests {
		c, p := good, plan
		test.change(&c, &p)
		err := p.Check(c)
		faults, _ := AsFaults(err)
		if (err == nil) != test.fine || test.field != "" && (len(faults) != 1 || faults[0].Field != test.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsOutsideOfAWindow(t *testing.T) {
	t.Parallel()
	window := RecoveryWindow{{hour(2), hour(5)}, {hour(7), hour(9)}}
	tests := map[string]struct {
		from, to float64
		want     string
	}{
		"around it":    {0, 12, "0-2 5-7 9-12"},
		"before it":    {0, 1, "0-1"},
		"inside":       {3, 4, ""},
		"across a gap": {4, 8, "5-7"},
	}
	for name, test := range tests {
		got := ""
		for _, s := range window.Outside(RecoverySpan{hour(test.from), hour(test.to)}) {
			if got != "" {
				got += " "
			}
			got += fmt.Sprintf("%.0f-%.0f", s.From.Sub(journalDay).Hours(), s.To.Sub(journalDay).Hours())
		}
		if got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheWholeWindowHasFewBars(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		days float64
		bars int
		bar  time.Duration
	}{{0.1, 24, time.Hour}, {5.9, 144, time.Hour}, {7, 96, 2 * time.Hour}, {34.5, 140, 6 * time.Hour}, {35, 144, 6 * time.Hour}, {60, 122, 12 * time.Hour}, {200, 201, 24 * time.Hour}} {
		span, bar := WholeWindow(hour(0), hour(test.days*24))
		if !span.Contains(hour(0)) || !span.Contains(hour(test.days*24)) || bar != test.bar || int(span.To.Sub(span.From)/bar) != test.bars || bar%JournalTallied != 0 {
			t.Errorf("%v days are %v in bars of %s", test.days, span, bar)
		}
	}
	if in, is := ZoomWindow.In(); !is || in != ZoomDay {
		t.Errorf("in it is %s", in)
	}
	if _, is := ZoomWindow.Out(); is {
		t.Error("something is around the whole window")
	}
}

func TestZoomsAreInsideOfEachOther(t *testing.T) {
	t.Parallel()
	at := hour(10).Add(41*time.Minute + 7*time.Second)
	for zoom, bars := range map[JournalZoom]int{ZoomDay: 144, ZoomHour: 60, ZoomMinute: 60} {
		span, bar := zoom.Span(at)
		if !span.Contains(at) || int(span.To.Sub(span.From)/bar) != bars {
			t.Errorf("%s shows %v in bars of %s", zoom, span, bar)
		}
		if in, is := zoom.In(); is {
			if out, is := in.Out(); !is || out != zoom {
				t.Errorf("out of %s is %s", in, out)
			}
		}
	}
}
