package models

import "time"

// Gigabyte is the unit of Amazon's price list: 2 to the 30th bytes. Sizes on the pages count by 1000.
const Gigabyte = 1 << 30

// Span is how long a snapshot has taken space in the store.
type Span struct {
	Snapshot string    // "": many old ones together, none of which is the newest
	Stored   int64     // bytes
	From     time.Time // when it was taken
	Until    time.Time // when it was removed; zero: it is still there
}

// in tells whether the snapshot was in the store at an instant.
func (s Span) in(at time.Time) bool {
	return !s.From.After(at) && (s.Until.IsZero() || s.Until.After(at))
}

// Monthly is what it costs to keep this many bytes for a month, in the currency of the settings.
func (s Settings) Monthly(bytes int64) float64 { return float64(bytes) / Gigabyte * s.Price }

// CostOf is what these byte hours cost in a month. A month has as many hours as the calendar gives it.
func (s Settings) CostOf(byteHours float64, month time.Time) float64 {
	from, to := MonthOf(month)
	return byteHours / to.Sub(from).Hours() / Gigabyte * s.Price
}

// MonthOf is the calendar month of an instant, in UTC: its first instant and that of the next month.
func MonthOf(t time.Time) (from, to time.Time) {
	year, month, _ := t.UTC().Date()
	from = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 1, 0)
}

// ChargedHours counts for each snapshot of one cluster the hours in (from, to] for which it is charged. What is in the store at a full hour is
// charged for that hour, except for the newest snapshot while the cluster is active: the storage of one is free. Active is when the cluster was
// created; zero: it is gone, and all of its snapshots are charged.
//
// Source: Amazon ElastiCache user guide, "Backup costs".
func ChargedHours(spans []Span, active, from, to time.Time) map[string]int {
	hours := make(map[string]int, len(spans))
	for at := from.Truncate(time.Hour).Add(time.Hour); !at.After(to); at = at.Add(time.Hour) {
		free := -1
		if !active.IsZero() && !active.After(at) {
			free = newestIn(spans, at)
		}
		for i, s := range spans {
			if i != free && s.in(at) {
				hours[s.Snapshot]++
			}
		}
	}
	return hours
}

// newestIn is the index of the newest snapshot in the store at an instant; -1: there was none.
func newestIn(spans []Span, at time.Time) int {
	newest := -1
	for i, s := range spans {
		if s.Snapshot != "" && s.in(at) && (newest < 0 || s.From.After(spans[newest].From)) {
			newest = i
		}
	}
	return newest
}

// ByteHours adds up what is charged.
func ByteHours(spans []Span, charged map[string]int) float64 {
	sum := 0.0
	for _, s := range spans {
		sum += float64(s.Stored) * float64(charged[s.Snapshot])
	}
	return sum
}

// Forecast is what the automatic snapshots of one cluster cost in a month once as many are kept as the retention allows, each of this many bytes. The
// newest is free.
func (s Settings) Forecast(retention int, stored int64) float64 {
	return s.Monthly(int64(max(0, min(retention, MaxRetention)-1)) * stored)
}

// LowerRetention is a retention that is worth comparing a longer one with: about half of it, in the steps that people choose; 0: there is none.
func LowerRetention(days int) int {
	for _, lower := range []int{14, 7, 3, 1} {
		if 2*lower <= days {
			return lower
		}
	}
	return 0
}

// ExpectedStored is how many bytes the next automatic snapshot will take in the store: the mean of these, which are the last ones. 0: there are none.
func ExpectedStored(last []Snapshot) int64 {
	if len(last) == 0 {
		return 0
	}
	sum := int64(0)
	for _, s := range last {
		sum += s.Stored
	}
	return sum / int64(len(last))
}

// MonthUsage is what was charged in a calendar month, as far as there is a record of it.
type MonthUsage struct {
	Month     time.Time // its first instant
	Since     time.Time // when the record of it begins; zero: there is none
	ByteHours float64   // charged
}

// ClusterStorage is how much space the snapshots of one cluster take. The cluster may be gone.
type ClusterStorage struct {
	Cluster   string
	There     bool // the cluster is active
	Snapshots int
	Stored    int64 // bytes
	Free      int64 // bytes of its newest snapshot, which are free while it is active
}
