package views

import (
	"time"

	"github.com/a-h/templ"
)

// Legacy is what a cluster leaves behind when it is deleted. Only good snapshots count.
type Legacy struct {
	Automatic int // these go
	Manual    int // these stay
	Newest    string
	NewestAt  time.Time
	Useless   int // manual ones that stay but cannot be restored
	Earlier   int // good manual ones of an earlier cluster of this name
}

// DeleteCluster is the page that asks before a cluster is deleted, or an attached one detached. Form: POST /clusters/{id}/delete with confirm (the
// ID), final=on, final_name, and for an attached one keep_automatic (on or off). While these are being filled in, the page is requested again with
// them, for the command.
type DeleteCluster struct {
	Fields
	Action        string
	ID            string
	Status        string
	Kind          string // "launched", "attached"
	Nodes         int
	Keys          int64 // -1: unknown
	Left          Legacy
	CanFinal      bool
	NoFinalReason string // a sentence, if no final snapshot can be taken
	CacheOnly     bool   // memcached: there is nothing to back up
	AWS           string // "" if no command does the same
}

func (p DeleteCluster) attached() bool { return p.Kind == KindAttached }

// lost says, if that is so, that nothing of the cluster's data can be restored afterwards.
func (p DeleteCluster) lost() string {
	switch {
	case p.Left.Manual > 0 || p.CacheOnly || p.attached() || NeverRan(p.Status) && p.Left.Automatic == 0:
		return ""
	case p.CanFinal:
		return "Without a final snapshot, this cluster's data cannot be brought back: none of the snapshots that stay is good."
	case p.Left.Automatic > 0:
		return "This cluster's data cannot be brought back afterwards: its automatic snapshots go with it. Copy one of them first to keep it."
	}
	return "This cluster's data cannot be brought back afterwards: there is no good snapshot of it, and no final one can be taken now."
}

// fieldRefs ties an input to its help and its error for screen readers.
func fieldRefs(f Fields, name, help string) templ.Attributes {
	attrs := templ.Attributes{}
	refs := ""
	if f.error(name) != "" {
		attrs["aria-invalid"] = "true"
		refs = "e-" + name
	}
	if help != "" {
		if refs != "" {
			refs += " "
		}
		refs += "h-" + name
	}
	if refs != "" {
		attrs["aria-describedby"] = refs
	}
	return attrs
}

// errorCount is the line on top of a form with errors.
func errorCount(f Fields) string {
	n := len(f.Errors)
	if f.error("") != "" {
		n--
	}
	switch n {
	case 0:
		return "This could not be done."
	case 1:
		return "One field needs another look. Nothing has been changed."
	}
	return Count(n) + " fields need another look. Nothing has been changed."
}

func deleteSnapshotsTitle(p DeleteSnapshots) string {
	if p.Count == 1 {
		return "Delete snapshot " + p.Rows[0].Name
	}
	return "Delete " + Plural(p.Count, "snapshot")
}

func deleteSnapshotsButton(p DeleteSnapshots) string {
	if p.Count == 1 {
		return "Delete this snapshot"
	}
	return "Delete these " + Plural(p.Count, "snapshot")
}

func keysText(keys int64) string {
	if keys < 0 {
		return ""
	}
	return " (" + Plural(keys, "key") + ")"
}

func (p DeleteCluster) title() string {
	if p.attached() {
		return "Detach " + p.ID
	}
	return "Delete " + p.ID
}

func (p DeleteCluster) line() string {
	if p.attached() {
		return "Rekindle lets go of the cluster. Its nodes run on untouched."
	}
	return ""
}

// asksAutomatic tells whether there are automatic snapshots whose fate somebody has to decide.
func (p DeleteCluster) asksAutomatic() bool { return p.attached() && p.Left.Automatic > 0 }

// Removes tells whether they are to be removed.
func (p DeleteCluster) Removes() bool {
	return p.asksAutomatic() && p.value("keep_automatic") == "off"
}

func themIt(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
