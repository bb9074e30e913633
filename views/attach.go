package views

import (
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
)

// AttachPath is where an existing cluster is attached. No cluster can be called "-".
const AttachPath = "/clusters/-/attach"

// AttachForm is the form that attaches a cluster, and the one that changes how an attached one is reached.
//
// Form: POST to Action with action=test, which shows what is found and saves nothing, or action=attach. Fields: id, description, addresses (one per
// line), username, password; primary_name, sentinel_username, sentinel_password; tls (on), ca, certificate, private_key, server_name, unverified
// (on); mapped (announced=reached, one per line), psync, by_key (on); tuned (on); those of the schedule as in [ClusterForm]. For a cluster that is already attached there are
// no id, description and schedule, but keep_password, keep_sentinel_password and keep_private_key (on).
type AttachForm struct {
	Fields
	Action, CancelHref string
	ID                 string          // of the cluster whose access is changed; "": one is being attached
	Status             string          // of that cluster
	Stored             map[string]bool // the secrets that are already stored, by field
	Again              map[string]bool // the secrets that were typed, and have to be typed again
	Schedule           Schedule        // as in the fields
	ScheduleProblems   []string        // why it would be refused, a sentence each; then there is no Schedule
	Findings           *Findings       // what was found; nil: nothing was looked for
}

// Findings is what a cluster was found to be.
type Findings struct {
	At         time.Time
	Engine     string
	Version    string
	Topology   string // "a primary with 2 replicas"
	Shards     int
	Nodes      []FoundNode
	Modules    []string
	Hindrances []string // why no snapshot could be taken, as sentences
	Notes      []string
	Rights     string // the command that gives the user the missing rights
	Tuning     string // whether nodes would be tuned, as sentences; "": nobody wants it
	// TuningRight is the command that allows the user to tune nodes; "": none is needed, or none would help.
	TuningRight string
}

// FoundNode is one node of the cluster.
type FoundNode struct {
	Node
	Announced   string // how others reach it, if that is a different address
	Version     string // "Redis 7.0.15"
	Persistence string
	Source      bool  // it would serve the snapshot
	ForkMemory  int64 // bytes
	HostMemory  int64 // bytes; 0: unknown
	Problem     string
}

// TopologyText says what an attached cluster is made of: "a primary with 2 replicas, watched by Sentinels as orders".
func TopologyText(topology, primaryName string, shards, nodes int) string {
	pair := "a primary without replicas"
	if nodes > 1 {
		pair = "a primary with " + Plural(nodes-1, "replica")
	}
	switch topology {
	case "cluster":
		return "cluster mode with " + Plural(shards, "shard")
	case "sentinel":
		if primaryName == "" {
			return pair + ", watched by Sentinels"
		}
		return pair + ", watched by Sentinels as " + primaryName
	case "replicated":
		return pair
	}
	return "one node"
}

// The fields of the sections that are folded while they are empty.
var (
	sentinelFields = []string{"primary_name", "sentinel_username", "sentinel_password"}
	tlsFields      = []string{"tls", "ca", "certificate", "private_key", "server_name", "unverified"}
	unusualFields  = []string{"mapped", "psync", "by_key"}
)

// used tells whether one of the fields is filled in or wrong.
func (p AttachForm) used(fields []string) bool {
	return slices.ContainsFunc(fields, func(name string) bool {
		return p.value(name) != "" || p.error(name) != "" || p.Stored[name] || p.Again[name]
	})
}

func (p AttachForm) title() string {
	if p.ID != "" {
		return "How " + p.ID + " is reached"
	}
	return "Attach a cluster"
}

func (p AttachForm) line() string {
	if p.ID != "" {
		return "The cluster is looked for in the new way first. Nothing changes if it is not found."
	}
	return "One that exists already, on any machine. Rekindle follows it and takes its snapshots; its nodes go on as before."
}

// secretHelp is the help of a field whose value no page contains.
func (p AttachForm) secretHelp(name, help string) string {
	switch {
	case p.Again[name]:
		return "Type it again: what was typed here is never sent back to a page."
	case p.Stored[name]:
		return "What is stored is not shown. It is kept only while addresses, mapping and TLS stay as they are: it is never sent anywhere else without being typed again."
	}
	return help
}

// schedule is what the parts shared with [ClusterForm] need from this form.
func (p AttachForm) schedule() ClusterForm {
	return ClusterForm{Fields: p.Fields, Summary: FormSummary{Schedule: p.Schedule, ScheduleWrong: len(p.ScheduleProblems) > 0}}
}

// testing has the script request only the findings, so that what was typed stays. It may take as long as the console waits for silent nodes.
func (p AttachForm) testing() templ.Attributes {
	return templ.Attributes{"hx-post": p.Action, "hx-vals": `{"action":"test"}`, "hx-target": "#found", "hx-swap": "innerHTML show:top",
		"hx-sync": "this:drop", "hx-config": `{"timeout":"60s"}`}
}

// planning makes the plan follow the schedule. The secrets are not sent for that.
func (p AttachForm) planning() templ.Attributes {
	if p.ID != "" {
		return nil
	}
	return templ.Attributes{"hx-get": p.Action, "hx-trigger": "change from:#schedule-fields delay:150ms, input from:#schedule-fields delay:400ms, input from:#f-id delay:400ms",
		"hx-include": "#f-id, #schedule-fields input", "hx-select": "#plan", "hx-select-oob": "#window-local,#next-snapshot", "hx-swap": "outerMorph"}
}

// code are the attributes of a field for an address, a name or a certificate.
func code(more ...string) templ.Attributes {
	attrs := templ.Attributes{"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
	for i := 0; i+1 < len(more); i += 2 {
		attrs[more[i]] = more[i+1]
	}
	return attrs
}

// verdict is the first thing to say about what was found.
func (f Findings) verdict() (kind, text string) {
	switch n := len(f.Hindrances); {
	case n == 0:
		return "success", "Found, and nothing stands in the way of a snapshot."
	case n == 1:
		return "error", "Found, but no snapshot could be taken: one thing stands in the way."
	default:
		return "error", "Found, but no snapshot could be taken: " + strconv.Itoa(n) + " things stand in the way."
	}
}

// lag says how far a node was behind.
func (n FoundNode) lag() string {
	if n.Problem != "" {
		return "not known"
	}
	return lagText(n.Node)
}
