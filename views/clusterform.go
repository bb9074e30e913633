package views

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// NodeType is one choice of node type.
type NodeType struct {
	Name        string // "cache.t4g.micro"
	Memory      int64
	NoSnapshots bool // cache.t1.micro
}

// RestoreSource is the snapshot that a restore starts from.
type RestoreSource struct {
	Snapshot  string
	Cluster   string // that it was taken of
	Bytes     int64
	Keys      int64 // -1: unknown
	CreatedAt time.Time
	Engine    string
	Version   string
	Logical   string // a sentence that says that it is not of one point in time; "": it is
	Deadlines Deadlines
}

// FormSummary is the right column of the form: what will happen with the present content of the fields.
type FormSummary struct {
	Names    []string // of the new clusters, if there are several
	NodeType string
	Memory   int64 // of one node
	Nodes    int   // all of them, over all clusters
	Total    int64 // memory of all nodes
	// Free is what the host has left, -1: unknown. Warnings say what does not fit.
	Free     int64
	Schedule Schedule // as in the fields; Next is when the first snapshot would come
	Cost     string   // of the snapshots, a month: "$0.00", or a sentence
	CostNote string   // how it is made up
	Changes  []string // modify: what will be changed, a sentence each
	Warnings []string // sentences
	AWS      string
	// Problems are why the form would be refused as it is, a sentence each. Nothing is promised about fields that are wrong.
	Problems                 []string
	Filled                   bool          // it is filled from a snapshot
	Takes                    time.Duration // how long that will take, by TakesBy earlier restores; none: nobody knows
	TakesBy                  int
	Shortage                 string // the data does not fit into the host's memory: override=on is needed
	SizeWrong, ScheduleWrong bool
}

// ClusterForm is the form that creates, restores and modifies clusters.
//
// Fields: id, description, engine ("redis/7.0.15"), node_type, replicas, port (empty: automatic),
// encrypted (on), auth (none|generated|given, see AuthModes), password, backups (on), retention,
// window_preference (none|given), window_start (HH:MM), window_length (minutes), snapshot (create),
// copies, deadlines (""|shift|drop) (restore). The summary is asked for with the same fields: POST SummaryAction, answered with the
// whole page or with ClusterFormSummary alone.
type ClusterForm struct {
	Fields
	Mode          string // "create", "restore", "modify"
	Action        string
	CancelHref    string
	SummaryAction string
	ID            string // modify: of the cluster
	Status        string // modify
	Engines       []Option
	NodeTypes     []NodeType
	Snapshots     []Option       // create: the newest to seed from; may be empty
	SnapshotCount int            // create: how many can be seeded from
	Source        *RestoreSource // restore
	AuthKept      bool           // modify: there is a password (which is not changed here)
	MaxShards     int
	Sharded       bool // it is, or will be, in cluster mode
	MaxCopies     int  // restore: zero means 20
	NoReplicas    bool // modify: a cache cluster, which has no replicas
	Attached      bool // modify: Rekindle can only change the description and the schedule
	CacheOnly     bool // modify: memcached, of which only the description can be changed
	Summary       FormSummary
}

// AuthModes are the choices of the field auth.
var AuthModes = []Option{
	{Value: "generated", Label: "Generate one"},
	{Value: "given", Label: "Use the one below"},
	{Value: "none", Label: "None"},
}

func (p ClusterForm) title() string {
	switch p.Mode {
	case "restore":
		return "Restore a snapshot"
	case "modify":
		return "Modify " + p.ID
	}
	return "Create a cluster"
}

func (p ClusterForm) line() string {
	switch p.Mode {
	case "restore":
		return "Into a new cluster, or several. The snapshot and the cluster it came from are not touched."
	case "modify":
		if p.Attached {
			return "Its nodes are not touched. How they are reached is changed on a page of its own."
		}
		return "Changes take effect at once; the cluster stays in service."
	}
	return "Its nodes are started on this host, and its snapshots are taken from the first day on."
}

func (p ClusterForm) submit() (icon, text string) {
	switch p.Mode {
	case "restore":
		if n, err := strconv.Atoi(p.value("copies")); err == nil && n > 1 {
			return "archive-restore", "Restore into " + Plural(n, "cluster")
		}
		return "archive-restore", "Restore"
	case "modify":
		return "check", "Save the changes"
	}
	return "plus", "Create cluster"
}

func (p ClusterForm) maxCopies() string {
	if p.MaxCopies > 0 {
		return itoa(p.MaxCopies)
	}
	return "20"
}

func (p ClusterForm) nodeTypes() []Option { return nodeTypeOptions(p.NodeTypes) }

func nodeTypeOptions(types []NodeType) []Option {
	options := make([]Option, 0, len(types))
	for _, t := range types {
		label := t.Name + " · " + MemoryText(t.Memory)
		if t.NoSnapshots {
			label += " · cannot be snapshotted"
		}
		options = append(options, Option{Value: t.Name, Label: label})
	}
	return options
}

// nextNote says when the first or next automatic snapshot comes by the fields as they are.
func (p ClusterForm) nextNote(s Shell) string {
	c := p.Summary.Schedule
	switch {
	case !p.on("backups"):
		return "None is taken by itself, only on request."
	case !c.Next.IsZero() && !c.Next.After(s.Now):
		return "The window is open now: the next one begins as soon as the cluster is available."
	case !c.Next.IsZero():
		return "The next one begins " + NextText(c.Next, s.Now) + ", " + RelativeText(c.Next, s.Now) + "."
	case c.Enabled && c.Length > 0:
		return "Each begins between " + clockText(c.Start) + " and " + clockText(c.Start+c.Length) + " UTC. The minute depends on the cluster's id."
	case c.Enabled:
		return "The window depends on the cluster's id: enter that, and the time of the first one is shown here."
	}
	return "When the next one begins is shown here once it is said how long each is kept."
}

// windowLocal is the window of the fields in the viewer's time, as a note beside the start. It is empty when the fields make no window or the
// viewer's time is UTC.
func (p ClusterForm) windowLocal(s Shell) string {
	if p.Summary.ScheduleWrong {
		return ""
	}
	start, err := time.Parse("15:04", strings.TrimSpace(p.value("window_start")))
	if err != nil {
		return ""
	}
	length, err := strconv.Atoi(p.value("window_length"))
	if err != nil || length < 1 || length > 24*60 {
		return ""
	}
	c := p.Summary.Schedule
	c.Start, c.Length = start.Hour()*60+start.Minute(), length
	local := c.localWindow(s.Now, s.Zone)
	if local == "" {
		return "Your time is UTC as well."
	}
	return local + " your time (" + zoneName(c.at(s.Now), s.zone()) + ")"
}

// retention is what the slider shows: the number if it is one, otherwise a week.
func (p ClusterForm) retention() string {
	if n, err := strconv.Atoi(p.value("retention")); err == nil && n >= 1 && n <= 35 {
		return itoa(n)
	}
	return "7"
}

// idAttrs are the attributes of the field for a cluster's name.
func idAttrs() templ.Attributes {
	return templ.Attributes{"maxlength": "40", "spellcheck": "false", "autocapitalize": "none", "required": true}
}

// replicasLabel says of what the number of replicas is.
func (p ClusterForm) replicasLabel() string {
	if p.Sharded {
		return "Replicas of each shard"
	}
	return "Replicas"
}

func (p ClusterForm) shardsHelp() string {
	help := "1 to " + itoa(p.MaxShards) + ", each with its own primary and replicas."
	if p.Source != nil {
		help += " It need not be as many as the snapshot has."
	}
	return help
}

// replicas are the help and the attributes of the field for the number of replicas.
func (p ClusterForm) replicas() (help string, attrs templ.Attributes) {
	attrs = templ.Attributes{"class": "short", "inputmode": "numeric"}
	if p.NoReplicas {
		attrs["disabled"] = true
		return "This is a cache cluster, which has no replicas. To have some, restore a snapshot of it into a new cluster.", attrs
	}
	return "0 to 5. Snapshots are taken from a replica when there is one.", attrs
}

// moreSeeds tells whether there are snapshots that the list does not offer: then the name of any of them can be typed.
func (p ClusterForm) moreSeeds() bool { return p.SnapshotCount > len(p.Snapshots) }

func (p ClusterForm) seedHelp() string {
	if p.moreSeeds() {
		return "The cluster starts with the data of this snapshot; empty: with none. The newest " + itoa(len(p.Snapshots)) + " of " + Count(p.SnapshotCount) +
			" are offered; for any other, type its name."
	}
	return "The cluster starts with the data of this snapshot."
}

func engineHelp(p ClusterForm) string {
	if p.Source != nil {
		return "The same version or a newer one; what cannot take this snapshot says why, and cannot be chosen."
	}
	return "What is installed on this host."
}

// anyway is what a tick means where the host has too little memory.
func (p ClusterForm) anyway() string {
	if p.Mode == "restore" {
		return "Restore it anyway"
	}
	return "Create it anyway"
}
