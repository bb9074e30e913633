package views

import (
	"fmt"
	"time"

	"github.com/a-h/templ"
)

// FoundChanges is what a search has found in a journal.
type FoundChanges struct {
	Looked  bool // it looks there
	Only    bool // and nowhere else
	Begun   bool
	Done    bool
	Since   time.Time // zero: from the beginning
	Until   time.Time // zero: up to what is stored
	Count   int64
	Kept    int
	Rows    []ChangeRow
	Deletes bool // a key of the rows was deleted
	More    bool // there are more than are shown here
	Holes   []JournalHole
	Others  int // holes that are not listed
}

// ChangeRow is a change of a key.
type ChangeRow struct {
	At            time.Time
	Text          string
	Name          string // made visible; "": the one that was looked for, or none
	Cut           int    // the length of a name that is cut
	Command       string
	Argument      int64 // which one names the key; 0: none
	Bytes         int64
	Database      string
	Shard         int
	Expires       time.Time
	Before, After templ.SafeURL // "": the cluster cannot be brought back to there
}

// JournalHole is a piece of a journal that could not be looked through.
type JournalHole struct {
	Shard      int
	Begin, End time.Time
	Reason     string
}

// FindAddress is the form that looks for keys in the journal of a cluster, in a span of time.
func FindAddress(cluster string, since, until time.Time) templ.SafeURL {
	return LinkQuery(FindPath, "cluster", cluster, "where", "journal", "since", since.UTC().Format(time.DateTime), "until", until.UTC().Format(time.DateTime))
}

var findPlaces = []Option{{Value: "snapshots", Label: "Snapshots"}, {Value: "journal", Label: "The journal: each change of the key"}, {Value: "both", Label: "Snapshots and the journal"}}

// where says in words where a search looks that looks in a journal.
func (c FoundChanges) where(cluster string) string {
	if c.Only {
		return "the journal of " + cluster
	}
	return "all snapshots and the journal of " + cluster
}

// span says in words of which time.
func (c FoundChanges) span() string {
	from, to := c.Since.UTC().Format(time.DateTime), c.Until.UTC().Format(time.DateTime)
	switch {
	case c.Since.IsZero() && c.Until.IsZero():
		return "everything that is stored"
	case c.Since.IsZero():
		return "up to " + to + " UTC"
	case c.Until.IsZero():
		return "from " + from + " UTC on"
	}
	return fmt.Sprintf("from %s to %s UTC", from, to)
}

// outcome says what was found.
func (c FoundChanges) outcome(run Run, pattern bool) string {
	key := "the key"
	if pattern {
		key = "such keys"
	}
	switch {
	case c.Count > 0:
		return ""
	case c.Done && len(c.Holes) > 0:
		return "The journal has no change of " + key + " in what could be read of that time."
	case c.Done:
		return "The journal has no change of " + key + " in that time. It stayed as the snapshot before has it, or was not there."
	case run.over():
		return "The search did not go to the end of the journal."
	case c.Begun && run.Status == "running":
		return "No change has been found so far."
	}
	return "The journal is not looked through yet."
}

func (h JournalHole) text() string {
	when := ""
	switch begin, end := h.Begin.UTC().Format(time.DateTime), h.End.UTC().Format(time.DateTime); {
	case !h.Begin.IsZero() && !h.End.IsZero():
		when = fmt.Sprintf(", from %s to %s UTC", begin, end)
	case !h.Begin.IsZero():
		when = ", from " + begin + " UTC on"
	case !h.End.IsZero():
		when = ", up to " + end + " UTC"
	}
	return fmt.Sprintf("Shard %d%s: %s", h.Shard, when, h.Reason)
}

func (r ChangeRow) size() string {
	if r.Argument > 1 {
		return fmt.Sprintf("the key is its argument %d", r.Argument)
	}
	return ""
}

// spoken names the change where a button stands for it.
func (r ChangeRow) spoken() string {
	return fmt.Sprintf("%s at %s", r.Command, r.At.UTC().Format(time.DateTime))
}
