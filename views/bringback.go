package views

// BringBack is the page that asks which keys of a snapshot are brought back, and where.
// Form: POST /snapshots/{name}/keys with names, pattern, database, cluster, existing, as, strip, prefix and deadlines. What it begins is a rehearsal.
type BringBack struct {
	Fields
	Snapshot  string
	Keys      int64 // of the snapshot; -1: unknown
	Clusters  Choices
	Deadlines Deadlines
}

func (p BringBack) path() string { return string(Link("snapshots", p.Snapshot, "keys")) }

func (p BringBack) existing() []fillChoice {
	return []fillChoice{
		{"skip", "Leave them as they are", "Only keys that the cluster does not have come back."},
		{"replace", "Replace them by the snapshot's", "Where both have a key, the snapshot's value and deadline take its place."},
	}
}

// BroughtBack is what became of keys, or would become.
type BroughtBack struct {
	Rehearsal bool
	Confirm   string // the address of the page that brings them back after a rehearsal; "": there is nothing to bring back
	Change    string // the address of the form, filled in as it was
	Cluster   string
	Ended     bool

	Chosen, Added, Replaced, Skipped, Expired, Alike, Bytes int64
	Missing                                                 int
	Hidden                                                  bool // names are
	Keys                                                    []BroughtKey
}

// BroughtKey is one of them.
type BroughtKey struct {
	Name     string // visible; "": hidden
	Cut      int64  // the length of the whole name, if only its beginning is shown
	Database int
	Type     string
	Fate     string
	Alike    bool
}

func (p BroughtBack) title() string {
	if p.Rehearsal {
		return "What would happen"
	}
	return "What happened"
}

// fate says in words what becomes of a key.
func (p BroughtBack) fate(k BroughtKey) string {
	text := map[string]string{"new": "Brought back", "replaced": "Replaced", "skipped": "Left as it is", "expired": "Left out: its time has passed"}[k.Fate]
	if p.Rehearsal {
		text = map[string]string{"new": "Would be brought back", "replaced": "Would be replaced", "skipped": "Would be left as it is", "expired": "Would be left out: its time has passed"}[k.Fate]
	}
	if k.Alike {
		text += ", and is the same"
	}
	return text
}

// more says how many keys are not listed; "" if all are.
func (p BroughtBack) more() string {
	if left := p.Added + p.Replaced + p.Skipped + p.Expired - int64(len(p.Keys)); left > 0 {
		return "and " + Plural(left, "more key")
	}
	return ""
}

// ConfirmBringBack is the page that brings keys back after a rehearsal. Form: POST /runs/{id}/bring-back with safety, safety_name and confirm.
type ConfirmBringBack struct {
	Fields
	Run, Snapshot, Cluster string
	Refusal                string // a sentence, if it is not possible now
	Brought                BroughtBack
}

// renames tells whether other names were asked for, or are wrong.
func (p BringBack) renames() bool {
	for _, field := range []string{"as", "strip", "prefix"} {
		if p.value(field) != "" || p.error(field) != "" {
			return true
		}
	}
	return false
}

// missing says how many of the names that were asked for are not in the snapshot.
func (p BroughtBack) missing() string {
	if p.Missing == 1 {
		return "One of the names is not in the snapshot."
	}
	return Count(int64(p.Missing)) + " of the names are not in the snapshot."
}

// Result says in a sentence how it ended.
func (p BroughtBack) Result() string {
	if p.Rehearsal {
		return "It was rehearsed. Nothing was written."
	}
	return Plural(p.Added+p.Replaced, "key") + " written into " + p.Cluster + "."
}
