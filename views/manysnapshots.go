package views

import (
	"time"

	"github.com/a-h/templ"
)

// The things that are done to several snapshots at a time, besides deleting them.
const (
	VerifySnapshots = "verify"
	CopySnapshots   = "copy"
	ExportSnapshots = "export"
)

// SnapshotsPath is the address of the page that asks before it is done.
func SnapshotsPath(kind string) string { return "/snapshots/-/" + kind }

// ManySnapshots is the page that asks before several snapshots are verified, copied or exported. Form: POST to its own path with Hidden; copies and
// exports have a store, copies the end of their names (suffix).
type ManySnapshots struct {
	Fields
	Kind       string
	CancelHref string
	ChosenSnapshots
	Skipped []string // sentences about those that are left alone
	Hidden  []Hidden // carried along: names, filters
}

// ChosenSnapshots are what something will be done to.
type ChosenSnapshots struct {
	Rows  []ChosenSnapshot // the first 100
	Count int              // all of them
	Bytes int64            // as stored, all of them
}

// ChosenSnapshot is one of the snapshots to which something will be done.
type ChosenSnapshot struct {
	Name      string
	CreatedAt time.Time
	Stored    int64  // bytes
	Becomes   string // the name of the copy or of the files; "": nothing new is made
}

// Add adds one, which is shown if it is among the first.
func (c *ChosenSnapshots) Add(one ChosenSnapshot) {
	if c.Count++; c.Count <= shownAtMost {
		c.Rows = append(c.Rows, one)
	}
	c.Bytes += max(one.Stored, 0)
}

// renamed tells whether something new is made of each.
func (c ChosenSnapshots) renamed() bool { return len(c.Rows) > 0 && c.Rows[0].Becomes != "" }

// manyWords are the words of a page of ManySnapshots.
type manyWords struct{ verb, icon, becomes string }

// SnapshotsTitle is the title of a page of ManySnapshots.
func SnapshotsTitle(kind string) string { return ManySnapshots{Kind: kind}.words().verb }

func (p ManySnapshots) words() manyWords {
	switch p.Kind {
	case CopySnapshots:
		return manyWords{"Copy", "copy", "Name of the copy"}
	case ExportSnapshots:
		return manyWords{"Export", "download", "First file"}
	}
	return manyWords{"Verify", "shield-check", ""}
}

// happens says what will be done to each.
func (p ManySnapshots) happens() []string {
	own := "Each is a run of its own; a few run at a time, the others wait."
	switch p.Kind {
	case CopySnapshots:
		return []string{own, "Each copy is a manual snapshot: it stays until somebody deletes it.", "Every byte is compared while it is copied, and read back before the copy counts."}
	case ExportSnapshots:
		return []string{own, "Each becomes plain RDB files, one for each shard, not compressed.", "What is there already is never overwritten, and what fails leaves nothing there."}
	}
	return []string{"One at a time is read, and slowly while snapshots are being taken; the others wait.", "Every byte is read back and compared. They can be used meanwhile.", "One that is damaged becomes failed, with what is wrong."}
}

// names are the attributes of a field for a name or an address.
func names(more templ.Attributes) templ.Attributes {
	attrs := templ.Attributes{"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
	for name, value := range more {
		attrs[name] = value
	}
	return attrs
}
