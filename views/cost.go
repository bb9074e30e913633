package views

import (
	"time"

	"github.com/a-h/templ"
)

// CostPath is the page about what storage costs.
const CostPath = "/cost"

// ClusterCost is what the snapshots of one cluster cost, as amounts of money in words.
type ClusterCost struct {
	Stored   int64
	Charged  int64  // bytes, beyond the one free snapshot
	Rate     string // a month, for what is there now
	Month    string // "November"
	SoFar    string // in that month, by the hour
	Forecast string // a sentence about the schedule as it is set; "": it has none
}

// SnapshotCost is what one snapshot costs.
type SnapshotCost struct {
	Free  bool   // it is the one snapshot of an active cluster whose storage is free
	Rate  string // a month
	Month string // "November"
	SoFar string // in that month, by the hour
}

// MonthCost is what all snapshots cost in one month.
type MonthCost struct {
	Month  string // "November 2026"
	Amount string
	Note   string // such as since when there is a record; may be empty
}

// CostRow is one of the clusters whose snapshots take the most space.
type CostRow struct {
	Cluster   string
	There     bool
	Snapshots int
	Stored    int64
	Charged   int64
	Rate      string // a month
	Forecast  string // a month, for the schedule as it is set; "": it has none
}

// CostPage is what storage costs.
type CostPage struct {
	Stored   int64
	Charged  int64
	Price    string // of a GB-month
	Rate     string // a month, for what is there now
	Month    string // "November"
	SoFar    string
	Expected string // for the whole month, at the present rate
	Plot     Plot   // what is stored, over time
	Months   []MonthCost
	Largest  []CostRow
	Growth   string // a sentence
	Now      time.Time
}

func costHref(c CostRow) templ.SafeURL {
	if c.There {
		return Link("clusters", c.Cluster) + "?tab=history"
	}
	return LinkQuery("/snapshots", "cluster", c.Cluster)
}
