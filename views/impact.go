package views

import "github.com/a-h/templ"

// Impact is what a snapshot cost the nodes that it was taken from.
type Impact struct {
	Sentences []string     // what the part that is shown cost
	Parts     []ImpactPart // nil: there is one
	More      int          // parts that were not measured
	Rows      []ImpactRow  // the figures of the part that is shown
	Lagged    bool         // a replica was behind
	Waited    bool         // clients waited in a command that blocks
	Plots     []Plot
}

// ImpactPart leads to what a part cost.
type ImpactPart struct {
	Label   string
	Href    templ.SafeURL
	Current bool
}

// ImpactRow sums up what was seen at a node before, during or after a part was read.
type ImpactRow struct {
	Node   string // "replica orders-002"
	When   string // "Before", "While it was read", "After"
	Ping   string // the median
	Worst  string
	Rate   string // "": not known
	Memory string // "": not known
	Lag    string
	Waits  string
}
