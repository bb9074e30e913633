package views

import (
	"strconv"
	"strings"
	"time"
)

// FindPath is where keys are looked for.
const FindPath = "/find"

// quotedNames says how names are typed that are no text.
const quotedNames = `Bytes that are no text are written in double quotes, as redis-cli does: "\xff\x00abc".`

// FindForm asks for a search.
type FindForm struct {
	Fields
	Clusters Choices
	Recent   []FindLink
	Hidden   bool // names of keys are hidden
}

// FindLink leads to what a search has found.
type FindLink struct {
	Run      string
	Title    string
	Status   string
	QueuedAt time.Time
}

// FindResult is what a search has found.
type FindResult struct {
	Run               Run
	Sought            string // made visible
	Pattern           bool
	Cluster, Snapshot string // Snapshot is "" if all of the cluster's are looked through
	Matches           int64
	Kept              int
	Hidden            bool // names of keys are hidden
	Comparable        bool // the cluster is there, so that keys can be compared with what it has now
	Until             time.Time

	List      List
	Rows      []FindRow
	Snapshots []FindSnapshot // of a pattern's search in many
	Changes   FoundChanges
	More      int // snapshots that are not listed
}

// FindSnapshot is how far a search is with a snapshot.
type FindSnapshot struct {
	Name            string
	TakenAt         time.Time
	State, Reason   string
	Matches         int64
	Parts, Excluded int
}

// FindRow is a key in a snapshot, or a snapshot without it.
type FindRow struct {
	FindSnapshot
	Key            string // of the result; "": it is not there
	Name           string // made visible; "": the one that was looked for
	Cut            int    // the length of a name that is cut
	Database       int
	Type, Encoding string
	Bytes          int64
	ExpiresAt      time.Time
	Change         string // since the snapshot before
	GoneIn         string // the next snapshot, if it does not have the key; of a pattern's
}

// left says how long the key had left when the snapshot was taken.
func (r FindRow) left() string {
	switch left := r.ExpiresAt.Sub(r.TakenAt); {
	case r.ExpiresAt.IsZero():
		return "stays"
	case left <= 0:
		return "had expired"
	default:
		return DurationText(left)
	}
}

// compares tells whether there are snapshots before to compare with.
func (p FindResult) compares() bool { return p.Snapshot == "" }

// place says in words where a search looks.
func (p FindResult) place() string {
	if p.Changes.Looked {
		return p.Changes.where(p.Cluster)
	}
	if p.Snapshot != "" {
		return "the snapshot " + p.Snapshot
	}
	return "all snapshots of " + p.Cluster
}

func (p FindResult) title() string {
	if p.Pattern {
		return "Keys that match a pattern"
	}
	return "A key by its name"
}

// outcome says what was found; "" as long as nothing is to be said.
func (p FindResult) outcome() string {
	if p.Changes.Only { // the journal has an outcome of its own
		return ""
	}
	found := ""
	switch {
	case p.Matches > 0 && p.Pattern:
		found = Plural(p.Matches, "key") + " found."
	case p.Matches > 0:
		found = "Found " + Plural(p.Matches, "time") + "."
	case p.Run.Status == "succeeded" && p.Pattern:
		found = "No key matches."
		if p.Changes.Looked {
			found = "No key of a snapshot matches."
		}
	case p.Run.Status == "succeeded":
		found = "There is no such key in what was looked through."
		if p.Changes.Looked {
			found = "There is no such key in the snapshots."
		}
	}
	if p.Run.Status == "failed" || p.Run.Status == "cancelled" {
		return strings.TrimSpace("The search did not go to its end. " + found)
	}
	return found
}

// stateText says why a snapshot has no key.
func (f FindSnapshot) stateText() string {
	switch f.State {
	case "waiting":
		return "not looked through yet"
	case "searching":
		return "being looked through"
	case "not searched":
		return f.Reason
	}
	return "not there"
}

// FoundValue is the value of a key in a snapshot.
type FoundValue struct {
	Run, Key, Snapshot string
	Name               string
	Database           int
	TakenAt, ExpiresAt time.Time
	Type, Engine       string
	Bytes              int64 // as it is stored
	Size               int64
	Unit               string // of Size: "byte", "entry"
	Unknown            string
	Cut                bool
	LabelHead          string // "" when entries have no labels
	Entries            []ValueEntry
	AnyExpires         bool
	LastID             string // of a stream
	Groups             []StreamGroup
	MoreGroups         int
	Cluster            string // that the value can be compared with; "": none
}

// StreamGroup is a consumer group of a stream, made visible.
type StreamGroup struct {
	Name, LastID string
	Pending      int64
	Consumers    int
	First        []string // the first consumers, with what each has to acknowledge
	Waiting      []StreamPending
}

// StreamPending is an entry that was delivered and not acknowledged.
type StreamPending struct {
	ID, Consumer string
	Delivered    time.Time
	Times        int64
}

// more says what of a group is not listed.
func (g StreamGroup) more() string {
	var left []string
	if n := g.Consumers - len(g.First); n > 0 {
		left = append(left, Plural(n, "more consumer"))
	}
	if n := g.Pending - int64(len(g.Waiting)); n > 0 {
		left = append(left, Plural(n, "more pending message"))
	}
	return strings.Join(left, ", ")
}

// bringBackAddress is the form that brings a key back that was found, with its name filled in.
func bringBackAddress(snapshot, run, key string) string {
	return string(LinkQuery(string(Link("snapshots", snapshot, "keys")), "found", run, "key", key))
}

// ValueEntry is one entry of a value, made visible.
type ValueEntry struct {
	Label, Value string
	Binary       bool // Value is a hex dump
	Bytes        int64
	Cut          bool
	Expires      time.Time
}

func (v FoundValue) database() string { return strconv.Itoa(v.Database) }

// progressText says how far a search is with a snapshot.
func (f FindSnapshot) progressText() string {
	switch f.State {
	case "searched":
		return "yes"
	case "not searched":
		return f.Reason
	}
	return f.stateText()
}
