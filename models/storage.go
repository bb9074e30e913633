package models

import "time"

// Storage is how much space the snapshots take in the store.
type Storage struct {
	Snapshots int
	Stored    int64 // bytes of all usable snapshots
	Billable  int64 // bytes beyond the one free snapshot of each active cluster
}

// StorageSample is how much space the snapshots took at a full hour.
type StorageSample struct {
	Hour      int64 `gorm:"primaryKey;autoIncrement:false"` // since 1970
	Snapshots int
	Stored    int64 // bytes
	Billable  int64 // bytes
}

// HourOf is the full hour at or before an instant, as in a [StorageSample].
func HourOf(t time.Time) int64 { return t.Unix() / 3600 }

// At is when the sample was taken.
func (s StorageSample) At() time.Time { return time.Unix(s.Hour*3600, 0).UTC() }

// PastSnapshot is what is remembered of a snapshot that was removed: what its cluster's history shows, and for how long it was charged.
type PastSnapshot struct {
	ID          uint
	Name        string
	ClusterName string
	ClusterID   uint
	Source      string
	Bytes       int64
	Stored      int64
	Keys        int64         // -1: unknown
	Took        time.Duration // to take it; 0: unknown
	CreatedAt   time.Time
	RemovedAt   time.Time
}

// MemoryOfStorage is for how long samples and removed snapshots are remembered: so that a month can be compared with the same one a year before.
const MemoryOfStorage = 400 * 24 * time.Hour

// StorageGrowth is how the stored bytes have changed lately.
type StorageGrowth struct {
	PerDay int64         // bytes; negative: it shrinks
	Over   time.Duration // how long that was looked at; 0: too short to say anything
}

// The growth is that of the last week, or of as much of it as there is a record of, but at least a day.
const (
	GrowthOver  = 7 * 24 * time.Hour
	minimumOver = 24 * time.Hour
)

// GrowthSince is the growth from a sample until now.
func GrowthSince(first StorageSample, now time.Time, stored int64) StorageGrowth {
	over := now.Sub(first.At())
	if over < minimumOver {
		return StorageGrowth{}
	}
	return StorageGrowth{PerDay: int64(float64(stored-first.Stored) / (over.Hours() / 24)), Over: over}
}

// maxFullDays is how far ahead a date is worth naming.
const maxFullDays = 10 * 365

// FullAt is when this much free space is used up if the growth goes on; zero: never, or nobody knows.
func (g StorageGrowth) FullAt(now time.Time, free int64) time.Time {
	if g.Over == 0 || g.PerDay <= 0 || free < 0 {
		return time.Time{}
	}
	days := float64(free) / float64(g.PerDay)
	if days > maxFullDays {
		return time.Time{}
	}
	return now.Add(time.Duration(days * 24 * float64(time.Hour)))
}

// soonFull is how long before a store is full somebody should hear of it.
const soonFull = 14 * 24 * time.Hour

// NearlyFull tells whether the disk of a store needs a person: less than a tenth of it is free, or it will be full within two weeks.
func (g StorageGrowth) NearlyFull(now time.Time, free, capacity int64) bool {
	if capacity <= 0 {
		return false
	}
	full := g.FullAt(now, free)
	return free < capacity/10 || !full.IsZero() && full.Sub(now) < soonFull
}
