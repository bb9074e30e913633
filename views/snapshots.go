package views

import (
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// SnapshotRow is one snapshot in a list.
type SnapshotRow struct {
	Name          string
	Cluster       string
	ClusterExists bool   // its page can be linked
	Source        string // "automatic", "manual"
	Status        string
	Bytes         int64 // plain RDB; -1: not known yet
	Stored        int64 // as stored; -1: not known yet
	Keys          int64 // -1: unknown
	Parts         int
	CreatedAt     time.Time
	VerifiedAt    time.Time // when all of it was last read back and found right; zero: not yet
	Damaged       bool      // it is failed because of what happened to it in the store
	Reason        string    // a sentence, if it failed
	Logical       bool      // it is not of one point in time
	Running       *Run      // while it is being made, restored or deleted
}

// Snapshots is the list of snapshots. Filters: q, cluster, source, status.
// Sorted by: name, cluster, source, status, size, stored, keys, verified, created.
//
// Its select boxes are a GET form to /snapshots/-/delete: "name" once for each chosen row, or "all=on" with the filters, for all that match them.
type Snapshots struct {
	List     List
	Rows     []SnapshotRow
	Clusters Choices // for the filter: clusters that have snapshots
	Any      bool    // there are snapshots at all, whatever the filters say
}

// anyKept tells whether any of the rows has, or will have, content.
func (p Snapshots) anyKept() bool {
	return slices.ContainsFunc(p.Rows, func(r SnapshotRow) bool { return !nothingKept(keptStatus(r.Status, r.Damaged)) })
}

func (p Snapshots) filters() []Filter {
	return []Filter{
		{Name: "q", Label: "Name"},
		p.Clusters.filter(),
		{Name: "source", Label: "Source", Options: []Option{{Value: "automatic", Label: "Automatic"}, {Value: "manual", Label: "Manual"}}},
		{Name: "status", Label: "Status", Options: []Option{
			{Value: "available", Label: "Available"}, {Value: "creating", Label: "Creating"}, {Value: "restoring", Label: "Restoring"},
			{Value: "copying", Label: "Copying"}, {Value: "deleting", Label: "Deleting"}, {Value: "failed", Label: "Failed"},
			{Value: Cancelled, Label: "Cancelled"},
		}},
	}
}

// snapshotFilterNames are passed on with "select all that match".
var snapshotFilterNames = []string{"q", "cluster", "source", "status"}

// Part is one shard's RDB within a snapshot.
type Part struct {
	Number   int
	Slots    string // "0-16383", or empty for a cluster without slots
	Bytes    int64
	Stored   int64
	Keys     int64  // -1: unknown
	Digest   string // of the plain RDB, with its algorithm
	CRC64    string
	ServedBy string // node
	Role     string // "replica", "primary"
	Took     time.Duration
	Replayed bool      // it was made from another snapshot and the journal, not taken from a node of the cluster
	Began    time.Time // the moment that it is of
}

// Snapshot is one snapshot's page.
type Snapshot struct {
	Name          string
	Cluster       string
	ClusterExists bool
	ClusterNote   string // what is to be said beside its name: "deleted since"
	Source        string
	Status        string
	Reason        string        // a sentence, if it failed
	Cost          *SnapshotCost // nil: nothing is kept of it
	Again         Again         // where another one is taken, if it failed
	NextTry       string        // a sentence about what the schedule does after this failure; may be empty
	Moments       string        // how far the moments of its parts are apart; "": there is one
	ARN           string
	Engine        string
	Version       string
	RDBVersion    int
	CreatedAt     time.Time
	CompletedAt   time.Time
	Lasted        []Lasted
	Impact        []string      // sentences about what it cost the node that served it
	ImpactHref    templ.SafeURL // where there is more about that
	Bytes         int64         // -1: not known yet
	Stored        int64
	Keys          int64 // -1: unknown
	Expires       int64 // keys with a time to live; -1: unknown
	ServedBy      string
	ServedRole    string
	Location      string             // where it is stored
	VerifiedAt    time.Time          // when all of it was last read back and compared; zero: not yet
	Damaged       bool               // it is failed because of what happened to it in the store
	Verifiable    bool               // POST /snapshots/{name}/verify makes sense
	Drill         *Drill             // the last one; nil: there was none
	Compared      *JournalComparison // with the journal; nil: it was not
	Parts         []Part
	Configuration []Fact // the cluster as it was then
	Running       Work
	Origin        string // a sentence: from where it was copied or imported
	Foreign       bool   // its data comes from files, not from a cluster
	Logical       string // a sentence that says that it is not of one point in time; "": it is
	Warning       string // for example that statistics are incomplete; may be empty
	DescribeAWS   string // equivalent command
}

// Lasted is how long something took that was done to make a snapshot: "Taken in".
type Lasted struct {
	Label string
	Took  time.Duration
}

// empty tells whether nothing of it is, or was, in the store.
func (p Snapshot) empty() bool { return nothingKept(p.kept()) }

// served tells whether a node served it, or is about to.
func (p Snapshot) served() bool { return !p.empty() && !(p.Foreign && p.Status == "creating") }

// originLabel says whether it came from there, or would have.
func (p Snapshot) originLabel() string {
	if p.empty() {
		return "Where it was to come from"
	}
	return "Where it comes from"
}

// originText leaves out of the sentence what has not happened.
func (p Snapshot) originText() string {
	if !p.empty() {
		return p.Origin
	}
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p.Origin, "Imported from "), "Copied from "), "Recovered to ")
}

func (p Snapshot) line() string {
	text := "Snapshot of " + p.Cluster + " · " + p.Source
	if p.Engine != "" {
		text += " · " + EngineText(p.Engine, p.Version)
	}
	if p.Logical != "" {
		text += " · not point in time"
	}
	return text
}

func (p Snapshot) usable() bool {
	return p.Status == "available" || p.Status == "restoring" || p.Status == "copying"
}

// kept is the status that decides what is shown of its content: for a damaged snapshot that is known.
func (p Snapshot) kept() string { return keptStatus(p.Status, p.Damaged) }

// Cancelled is the status of a snapshot without content because somebody cancelled it. Nothing is wrong then.
const Cancelled = "cancelled"

// nothingKept tells from a status that there are no bytes.
func nothingKept(status string) bool { return status == "failed" || status == Cancelled }

func keptStatus(status string, damaged bool) string {
	if damaged {
		return "damaged"
	}
	return status
}

// partFile is the address of a part's file, plain or as stored.
func partFile(name string, number int, stored bool) string {
	path := string(Link("snapshots", name, "parts", itoa(number)+".rdb"))
	if stored {
		path += ".zst"
	}
	return path
}

// DeleteSnapshots is the page that asks before snapshots are deleted. For one, its name must be typed; for several, "delete N snapshots". Form: POST
// to Action with confirm and Hidden.
type DeleteSnapshots struct {
	Fields
	Action          string
	CancelHref      string
	ChosenSnapshots          // those to be deleted
	Clusters        []string // the clusters that they belong to
	// LastOf names clusters that are left without any good snapshot.
	LastOf  []string
	Skipped []string // sentences about those that are left alone
	Hidden  []Hidden // carried along: name, all, filters
	AWS     string
}

// Hidden is a field that a form passes on.
type Hidden struct{ Name, Value string }

// Phrase is the text that must be typed.
func (p DeleteSnapshots) Phrase() string {
	if p.Count == 1 {
		return p.Rows[0].Name
	}
	return "delete " + Plural(p.Count, "snapshot")
}

// TakeSource is where a snapshot will be taken from.
type TakeSource struct {
	Node       string
	Role       string // "replica", "primary"
	LagBytes   int64
	UsedMemory int64  // of the node
	FreeMemory int64  // on its host; -1: unknown
	ByKey      bool   // the snapshot is read key by key: not of one point in time, and without a fork
	AtMost     bool   // FreeMemory is an upper bound, because the host is another one
	Fits       bool   // a fork fits into what is free
	Problem    string // a sentence, if there is no source at all
	Elsewhere  bool   // its nodes are on another console's host
}

// seesFree tells whether the free memory for a fork is known.
func (s TakeSource) seesFree() bool { return s.FreeMemory >= 0 && !s.AtMost }

func (p TakeSnapshot) freeLabel() string {
	if p.Source.AtMost && p.Source.FreeMemory >= 0 {
		return "Free on its host, at most"
	}
	return "Free on its host"
}

// TakeSnapshot is the page for a manual snapshot. Form: POST Action with cluster, name, override.
type TakeSnapshot struct {
	Fields
	Action     string
	CancelHref string
	// Cluster is set when the person comes from its page. Otherwise Clusters are offered, and the page is requested again with ?cluster= when another
	// one is chosen.
	Cluster  string
	Clusters Choices
	Source   *TakeSource // nil: no cluster chosen yet
	AWS      string
}

func failedText(p Snapshot) string {
	if p.Reason != "" {
		return sentence(p.Reason)
	}
	if p.Status == Cancelled {
		return "It was cancelled, and nothing of it was kept."
	}
	return "This snapshot failed, and nothing of it was kept."
}

func takeLine(p TakeSnapshot) string {
	if p.Cluster != "" {
		return "Of " + p.Cluster + ". The cluster stays in service meanwhile."
	}
	return "The cluster stays in service meanwhile."
}
