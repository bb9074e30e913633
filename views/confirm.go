package views

import "github.com/a-h/templ"

// DeleteCluster is the page that asks before a cluster is deleted.
// Form: POST /clusters/{id}/delete with confirm (the id), final=on, final_name; while they are filled in the page is asked for again with
// the same, for the command.
type DeleteCluster struct {
	Fields
	Action             string
	ID                 string
	Status             string
	Kind               string // "launched", "attached"
	Nodes              int
	Keys               int64 // -1: not known
	AutomaticSnapshots int
	ManualSnapshots    int
	CanFinal           bool
	NoFinalReason      string // a sentence, when no final snapshot can be taken
	CacheOnly          bool   // memcached: there is nothing to back up
	AWS                string
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
	if p.Count == 1 && len(p.Names) == 1 {
		return "Delete snapshot " + p.Names[0]
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
