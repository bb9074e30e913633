package models

import (
	"maps"
	"math"
	"testing"
	"time"
)

// november has 720 hours.
var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func TestChargedHours(t *testing.T) {
	t.Parallel()
	at := func(hours float64) time.Time { return november.Add(time.Duration(hours * float64(time.Hour))) }
	long := at(-1000) // before all of it
	for name, test := range map[string]struct {
		spans  []Span
		active time.Time
		want   map[string]int
	}{
		"one snapshot of an active cluster is free": {[]Span{{"a", 1, at(-5), time.Time{}}}, long, map[string]int{}},
		"of a cluster that is gone it is not":       {[]Span{{"a", 1, at(-5), time.Time{}}}, time.Time{}, map[string]int{"a": 10}},
		"the newest is the free one":                {[]Span{{"a", 1, at(-5), time.Time{}}, {"b", 9, at(-3), time.Time{}}}, long, map[string]int{"a": 10}},
		"as soon as there is a newer one":           {[]Span{{"a", 1, at(-5), time.Time{}}, {"b", 9, at(4.5), time.Time{}}}, long, map[string]int{"a": 6}},
		"and again when that is removed":            {[]Span{{"a", 1, at(-5), time.Time{}}, {"b", 9, at(4.5), at(7.5)}}, long, map[string]int{"a": 3}},
		"what was removed is charged until then":    {[]Span{{"a", 1, at(-5), at(2.5)}, {"b", 9, at(-4), time.Time{}}}, long, map[string]int{"a": 2}},
		"what comes after the span is not charged":  {[]Span{{"a", 1, at(11), time.Time{}}, {"b", 1, at(12), time.Time{}}}, long, map[string]int{}},
		"all before the cluster was created":        {[]Span{{"a", 1, at(-5), time.Time{}}}, at(3.5), map[string]int{"a": 3}},
		"many old ones together are not free":       {[]Span{{"", 100, time.Time{}, time.Time{}}, {"b", 9, at(-4), at(2.5)}}, long, map[string]int{"": 10}},
		"less than an hour between two full hours":  {[]Span{{"a", 1, at(1.2), at(1.8)}, {"b", 1, at(-1), time.Time{}}}, long, map[string]int{}},
	} {
		if got := ChargedHours(test.spans, test.active, november, at(10)); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestWhatStorageCosts(t *testing.T) {
	t.Parallel()
	settings := Settings{Price: 0.085, Currency: "$"}
	same := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	same("10 GB for a month", settings.Monthly(10*Gigabyte), 0.85)
	same("10 GB for all hours of November", settings.CostOf(10*Gigabyte*720, november.AddDate(0, 0, 12)), 0.85)
	same("10 GB for all hours of December", settings.CostOf(10*Gigabyte*744, november.AddDate(0, 1, 0)), 0.85)
	same("35 days, one of them free", settings.Forecast(35, Gigabyte), 34*0.085)
	same("one day", settings.Forecast(1, Gigabyte), 0)
	same("no schedule", settings.Forecast(0, Gigabyte), 0)
	same("more than there can be", settings.Forecast(99, Gigabyte), 34*0.085)
	spans := []Span{{Snapshot: "a", Stored: 3}, {Snapshot: "b", Stored: 5}}
	same("byte hours", ByteHours(spans, map[string]int{"a": 2, "b": 1}), 11)
}

func TestLowerRetention(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]int{35: 14, 28: 14, 27: 7, 14: 7, 13: 3, 7: 3, 6: 3, 5: 1, 2: 1, 1: 0, 0: 0} {
		if got := LowerRetention(days); got != want {
			t.Errorf("of %d: %d, want %d", days, got, want)
		}
	}
}

func TestExpectedStored(t *testing.T) {
	t.Parallel()
	if got := ExpectedStored(nil); got != 0 {
		t.Errorf("of none: %d", got)
	}
	if got := ExpectedStored([]Snapshot{{Stored: 10}, {Stored: 20}}); got != 15 {
		t.Errorf("of two: %d", got)
	}
}

func TestGrowthSaysWhenTheStoreIsFull(t *testing.T) {
	t.Parallel()
	now := november.AddDate(0, 0, 20)
	before := func(days float64) StorageSample {
		return StorageSample{Hour: HourOf(now.Add(-time.Duration(days * 24 * float64(time.Hour)))), Stored: 1000}
	}
	for name, test := range map[string]struct {
		first        StorageSample
		stored, free int64
		perDay       int64
		full         time.Time
		nearly       bool // of a disk of 10,000 bytes
	}{
		"a week":                  {before(7), 1700, 3000, 100, now.AddDate(0, 0, 30), false},
		"half a day is no record": {before(0.5), 1700, 3000, 0, time.Time{}, false},
		"it shrinks":              {before(2), 800, 3000, -100, time.Time{}, false},
		"it stays":                {before(2), 1000, 3000, 0, time.Time{}, false},
		"full in ten days":        {before(2), 1600, 3000, 300, now.AddDate(0, 0, 10), true},
		"little is free":          {before(2), 1000, 900, 0, time.Time{}, true},
		"in a hundred years":      {before(2), 1002, 3_000_000, 1, time.Time{}, false},
	} {
		g := GrowthSince(test.first, now, test.stored)
		if g.PerDay != test.perDay || !g.FullAt(now, test.free).Equal(test.full) || g.NearlyFull(now, test.free, 10_000) != test.nearly {
			t.Errorf("%s: %+v, full at %s, nearly %t", name, g, g.FullAt(now, test.free), g.NearlyFull(now, test.free, 10_000))
		}
	}
	if (StorageGrowth{PerDay: 1 << 40, Over: time.Hour}).NearlyFull(now, 0, 0) {
		t.Error("a bucket is never full")
	}
}
