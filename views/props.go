package views

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// Option is one choice in a select field.
type Option struct {
	Value    string
	Label    string
	Disabled bool
}

// Fields are the values of a form and what is wrong with them, both by field name. An error under "" belongs to the whole form.
type Fields struct {
	Values map[string]string
	Errors map[string]string
}

func (f Fields) value(name string) string { return f.Values[name] }
func (f Fields) error(name string) string { return f.Errors[name] }

// wrong are the names of the fields with errors, in a stable order.
func (f Fields) wrong() []string {
	names := make([]string, 0, len(f.Errors))
	for name, text := range f.Errors {
		if name != "" && text != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// on tells whether a checkbox was ticked.
func (f Fields) on(name string) bool { return f.Values[name] == "on" }

// or is a field's value, or another one if it has none.
func (f Fields) or(name, otherwise string) string {
	if v, ok := f.Values[name]; ok && v != "" {
		return v
	}
	return otherwise
}

// List is one page of a longer list, with the filters and the order that its address carries.
type List struct {
	Path  string     // of the list, without a query: "/snapshots"
	Query url.Values // as requested: filters, sort, page
	Sort  string     // the order in effect: "name", or "-created" for the greatest first
	Page  int        // from 1
	Size  int        // rows on a page
	Total int        // rows that match the filters
}

// Pages is the number of pages, at least 1.
func (l List) Pages() int {
	if l.Size <= 0 || l.Total <= l.Size {
		return 1
	}
	return (l.Total + l.Size - 1) / l.Size
}

// With is the list's address with some values changed, given as alternating names and values. An empty value removes the name. Any change except to
// the page leads back to the first page.
func (l List) With(pairs ...string) templ.SafeURL {
	q := url.Values{}
	for name, values := range l.Query {
		q[name] = append([]string(nil), values...)
	}
	if len(pairs) > 0 && pairs[0] != "page" {
		q.Del("page")
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	for name, values := range q {
		if len(values) == 0 || values[0] == "" {
			q.Del(name)
		}
	}
	if len(q) == 0 {
		return templ.SafeURL(l.Path)
	}
	return templ.SafeURL(l.Path + "?" + q.Encode())
}

// filtered tells whether one of the given filters is in use.
func (l List) filtered(filters []Filter) bool {
	for _, f := range filters {
		if l.Query.Get(f.Name) != "" {
			return true
		}
	}
	return false
}

// sorted tells whether the list is sorted by a column, and which way.
func (l List) sorted(column string) (is, descending bool) {
	name, descending := strings.CutPrefix(l.Sort, "-")
	return name == column, descending
}

// Filter is one field of a list's filters. Without options it is a text field.
type Filter struct {
	Name    string
	Label   string
	Options []Option // "all" is added to them
	Usual   string   // the day that holds when none is chosen
	Typed   bool     // there are more, which are typed and suggested while typing
	Day     bool     // a day is chosen, in UTC
}

// Choices are what a field offers: all that exist, or only the first ones if there are too many, and the others are typed.
type Choices struct {
	Options []Option
	Typed   bool
}

// ClusterNamesPath answers with Suggestions for ?cluster=, part of a name.
const ClusterNamesPath = "/clusters/-/names"

// Schedule is a cluster's automatic snapshots and what became of the last ones.
type Schedule struct {
	Enabled   bool
	Retention int           // days
	Start     int           // of the window: minutes after midnight UTC
	Length    int           // of the window: minutes
	Next      time.Time     // zero: none is planned
	Last      *LastSnapshot // the newest good one; nil: there is none yet
	// Failed is when the last attempt failed, if it is newer than Last; FailedReason says why, as a sentence.
	Failed       time.Time
	FailedReason string
}

// LastSnapshot is the newest good snapshot of a cluster.
type LastSnapshot struct {
	Name  string
	At    time.Time
	Bytes int64
	Took  time.Duration
	From  string // "replica orders-002", "primary orders-001"; may be empty
}

// Run is one piece of work: a snapshot, a restore, a deletion... waiting, under way or done.
type Run struct {
	ID       string
	Kind     string // "snapshot"
	Label    string // what people call its kind: "Snapshot"
	Title    string // what it does: "Snapshot orders-0412 of orders"
	Status   string // "queued", "running", "succeeded", "failed", "cancelled"
	Cluster  string // may be empty
	Snapshot string // may be empty
	// ClusterExists and SnapshotExists tell whether their pages can be linked. They and Again are filled in for lists, a run's own page and what has ended.
	ClusterExists  bool
	SnapshotExists bool
	QueuedAt       time.Time
	HostAway       bool // it waits for a console that is away
	StartedAt      time.Time
	FinishedAt     time.Time
	Step           string // what it is doing now: "Reading from replica orders-002"
	Number         int    // which of how many steps that is; 0: there is one, or nobody has counted them
	Numbers        int
	Done           int64 // bytes of this step; of one that is over, of all of it
	Total          int64 // bytes, 0 if unknown
	Rate           int64 // bytes per second, 0 if unknown
	Left           time.Duration
	Result         string // a sentence, if it succeeded: "1.2 GB in 14 s, from replica orders-002."
	Error          string // a sentence, if it failed
	Cancelable     bool
	Cancelling     bool // it was asked to cancel
	Again          Again
}

func (r Run) over() bool {
	return r.Status == "succeeded" || r.Status == "failed" || r.Status == "cancelled" || r.Status == DamageFound
}

// DamageFound is the status of a verification that did its work, and found that the snapshot is no longer what was written.
const DamageFound = "damaged"

// bad tells whether the run ended with something that people must look at.
func (r Run) bad() bool { return r.Status == "failed" || r.Status == DamageFound }

// step says what the run is doing, and which of its steps that is: "Step 1 of 2: reading from replica orders-002".
func (r Run) step() string {
	if r.Numbers < 2 || r.Step == "" {
		return r.Step
	}
	return "Step " + itoa(r.Number) + " of " + itoa(r.Numbers) + ": " + lowerFirst(r.Step)
}

// ending is a sentence for those who do not see that the run has ended.
func (r Run) ending() string {
	switch r.Status {
	case "succeeded":
		return sentence(r.Title + ": it has succeeded")
	case "failed":
		return sentence(r.Title + ": it has failed. " + r.Error)
	case DamageFound:
		return sentence(r.Title + ": damage was found. " + r.Error)
	case Cancelled:
		return sentence(r.Title + ": it was cancelled")
	}
	return ""
}

// ended gives what shows the run the attributes by which the script says once that it has ended.
func (r Run) ended() templ.Attributes {
	if !r.over() {
		return nil
	}
	return templ.Attributes{"data-run": r.ID, "data-ended": r.ending()}
}

// took is how long the run has been running.
func (r Run) took(now time.Time) time.Duration {
	if r.StartedAt.IsZero() {
		return 0
	}
	if r.FinishedAt.IsZero() {
		return now.Sub(r.StartedAt)
	}
	return r.FinishedAt.Sub(r.StartedAt)
}

// Work is the work shown at the top of a page: runs that are under way, wait for their turn, or have just ended.
type Work struct {
	Runs    []Run
	Waiting int    // how many more wait
	Ended   int    // how many more have just ended
	Href    string // of the list of all
}

// shows tells whether the work that a message announces is here. On a page that shows any, a message without a run is about that.
func (w Work) shows(f Flash) bool {
	return slices.ContainsFunc(w.Runs, func(r Run) bool { return f.Run == "" || f.Run == r.ID })
}

// without leaves out a button that the page has elsewhere.
func (w Work) without(a Again) Work {
	w.Runs = slices.Clone(w.Runs)
	for i := range w.Runs {
		if w.Runs[i].Again == a {
			w.Runs[i].Again = Again{}
		}
	}
	return w
}

// Event is one line about something that happened.
type Event struct {
	At       time.Time
	Severity string // "info", "warning", "error"
	Cluster  string // may be empty
	Snapshot string // may be empty
	Run      string // id, may be empty
	Text     string // a sentence
	// These tell whether their pages can be linked.
	ClusterExists  bool
	SnapshotExists bool
}

// Fact is one entry of a grid of facts.
type Fact struct {
	Label string
	Value string
	Title string // tooltip
	Copy  string // what the copy button copies; empty: no button
	Href  string // makes the value a link
	Mono  bool
}

// filter is a filter of a list by a cluster.
func (c Choices) filter() Filter {
	return Filter{Name: "cluster", Label: "Cluster", Options: append([]Option{}, c.Options...), Typed: c.Typed}
}
