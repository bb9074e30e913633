package models

// List says which rows of a table to show, as in the query string of a page.
type List struct {
	Text  string            // part of a name or description
	Equal map[string]string // a filter's name to its value; empty values do not filter
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
