package views

import "time"

// KeyComparison is a key as it was in a snapshot beside the key as it is now.
type KeyComparison struct {
	Run, Key, Snapshot string
	Cluster            string
	Name               string // made visible
	Database           int
	Tone, Verdict      string // of the outcome, in a sentence
	NotRead            string
	Primary            string // why a primary was asked; "": a replica was
	Then, Now          KeySide
	LabelHead          string // "" when entries have no labels
	Changes            []EntryChange
	Cut                bool // there is more on one side, or both
	Groups             []GroupChange
	MoreGroups         bool
}

// KeySide is a key at one moment.
type KeySide struct {
	Title     string // where it was read
	At        time.Time
	There     bool
	Type      string
	Size      string // in words; "": not known
	Stored    string // the size as it is stored; "": not known
	ExpiresAt time.Time
	LastID    string
	Unknown   string
}

// left says how long the key had left.
func (k KeySide) left() string {
	return FindRow{FindSnapshot: FindSnapshot{TakenAt: k.At}, ExpiresAt: k.ExpiresAt}.left()
}

// EntryChange is what has become of an entry.
type EntryChange struct {
	Change    string // added, removed, changed, the same
	Label     string
	Then, Now *ValueEntry // nil: it is not there
}

// GroupChange is what has become of a consumer group.
type GroupChange struct {
	Change, Name string
	Then, Now    *StreamGroup
}

// changeTones are the colours of changes; the words say the same.
var changeTones = map[string]string{"added": "ok", "removed": "bad", "changed": "warn"}

func changeTone(change string) string {
	if tone, is := changeTones[change]; is {
		return tone
	}
	return "idle"
}

func changeClass(change string) string { return "diff-" + changeTone(change) }

// counted says how many entries have changed, in words.
func (p KeyComparison) counted() string {
	counts := map[string]int{}
	for _, c := range p.Changes {
		counts[c.Change]++
	}
	text := ""
	for _, change := range []string{"changed", "added", "removed", "the same"} {
		if n := counts[change]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += Count(int64(n)) + " " + change
		}
	}
	return text
}
