package models

import "time"

// List says which rows of a table to show, as in the query string of a page.
type List struct {
	Text  string            // part of a name or description
	Equal map[string]string // a filter's name to its value; empty values do not filter
	From  time.Time         // of rows from then on, where rows have a time; zero: of all
	To    time.Time         // of rows before then; zero: of all
	Sort  string            // the page's name of a column; unknown names mean the default
	Desc  bool
	Page  int // from 1
	Size  int // rows per page; 0 means all
}

// Rows is one page of a table with the number of all rows that match.
type Rows[T any] struct {
	Rows  []T
	Total int
}

// FilterCancelled is the status by which [List] finds the failed snapshots that were cancelled; failed finds the others.
const FilterCancelled = string(RunCancelled)

// FilterSince are the values by which [List] finds what was requested lately, and how long ago that may be.
var FilterSince = map[string]time.Duration{"day": 24 * time.Hour, "week": 7 * 24 * time.Hour}
