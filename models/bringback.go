package models

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"rekindle/internal/words"
)

// How much can be brought back by name, and how much is written down of what was.
const (
	MaxBroughtNames = 1000
	maxKeyName      = 64 << 10 // bytes of a name or pattern
)

// KeyChoice says which keys of a snapshot are brought back, and under which names.
type KeyChoice struct {
	Names    [][]byte `json:"names,omitempty"`   // exactly these
	Pattern  []byte   `json:"pattern,omitempty"` // or those that match, by Redis's rules
	Database int      `json:"database"`          // -1: all
	As       []byte   `json:"as,omitempty"`      // the name that the only key gets
	Strip    []byte   `json:"strip,omitempty"`   // what is taken off the beginning of each name
	Prefix   []byte   `json:"prefix,omitempty"`  // and what is put there
}

// Renames tells whether keys get other names than they had.
func (c KeyChoice) Renames() bool { return len(c.As)+len(c.Strip)+len(c.Prefix) > 0 }

// Rename is the name that a key gets. Refusals are [Faults].
func (c KeyChoice) Rename(name []byte) ([]byte, error) {
	if len(c.As) > 0 {
		return c.As, nil
	}
	rest, begins := bytes.CutPrefix(name, c.Strip)
	switch {
	case !begins:
		return nil, Refuse(CodeInvalid, "strip", "Not all of the keys begin with what is to be taken off. Nothing was written.")
	case len(rest)+len(c.Prefix) == 0:
		return nil, Refuse(CodeInvalid, "strip", "A key would have no name left. Nothing was written.")
	}
	return append(bytes.Clone(c.Prefix), rest...), nil
}

// InWords says which keys are meant, without their names.
func (c KeyChoice) InWords() string {
	if len(c.Pattern) > 0 {
		return "keys that match a pattern"
	}
	if len(c.Names) == 1 {
		return "one key"
	}
	return fmt.Sprintf("%d keys", len(c.Names))
}

func (c KeyChoice) check() Faults {
	var faults Faults
	switch {
	case len(c.Names) == 0 && len(c.Pattern) == 0:
		faults.Add(CodeInvalid, "names", "Enter the names of keys, one a line, or a pattern.")
	case len(c.Names) > 0 && len(c.Pattern) > 0:
		faults.Add(CodeCombination, "pattern", "Enter either names or a pattern.")
	case len(c.Names) > MaxBroughtNames:
		faults.Add(CodeInvalid, "names", fmt.Sprintf("These are %d names; %d are the most. Use a pattern for more.", len(c.Names), MaxBroughtNames))
	}
	long := len(c.Pattern) > maxKeyName
	for _, name := range c.Names {
		long = long || len(name) > maxKeyName
	}
	if long {
		faults.Add(CodeInvalid, "names", fmt.Sprintf("A name or a pattern can have at most %d bytes here.", maxKeyName))
	}
	if c.Database < -1 || c.Database > 1<<20 {
		faults.Add(CodeInvalid, "database", "Enter the number of a database, or leave it empty for all of them.")
	}
	if len(c.As) > 0 && len(c.Names) != 1 {
		faults.Add(CodeCombination, "as", "Another name can be given to one key only. Use a prefix for several.")
	}
	if len(c.As) > 0 && len(c.Strip)+len(c.Prefix) > 0 {
		faults.Add(CodeCombination, "as", "Enter either another name or a prefix.")
	}
	if len(faults) == 0 {
		faults = append(faults, c.checkNames()...)
	}
	return faults
}

func (c KeyChoice) checkNames() Faults {
	for _, name := range c.Names {
		if _, err := c.Rename(name); err != nil {
			faults, _ := AsFaults(err)
			return faults
		}
	}
	return nil
}

// BringBackSpec asks for keys of a snapshot to be brought back into a running cluster.
type BringBackSpec struct {
	Snapshot    string
	Cluster     string
	Choice      KeyChoice
	Replace     bool // keys that the cluster has; else they are skipped
	Deadlines   Deadlines
	Safety      string // name of a snapshot of the cluster that is taken first; "": none is
	Rehearse    bool   // nothing is written
	RequestedBy string
	Token       string // by which whoever asks knows the run again
}

// NoBringBack says why no keys can be brought back into the cluster, or "".
func (c Cluster) NoBringBack() string {
	if c.Status == ClusterMigrating {
		return fmt.Sprintf("Data is being moved into %s from %s: keys can be brought back when the migration is completed.", c.Name, c.Migration.Source)
	}
	return c.unavailable("keys can be brought back into it")
}

// CheckBringBack checks as far as possible without reaching the cluster.
func CheckBringBack(spec BringBackSpec, cluster Cluster, snapshot Snapshot) Faults {
	faults := spec.Choice.check()
	if why := cluster.NoBringBack(); why != "" {
		faults.Add(CodeClusterState, "cluster", why)
	}
	faults = append(faults, checkDeadlines(spec.Deadlines)...)
	if why := snapshot.NoRestore(); why != "" {
		faults.Add(CodeSnapshotState, "snapshot", why)
	}
	if spec.Rehearse && spec.Safety != "" {
		faults.Add(CodeCombination, "safety", "A rehearsal writes nothing, so it needs no snapshot before.")
	}
	return faults
}

// BringBack keeps, beside its run, which keys were to be brought back and what became of them. Both have names of keys, which belong in no log and no
// list of runs.
type BringBack struct {
	RunID   uint   `gorm:"primaryKey;autoIncrement:false"`
	Choice  string // a [KeyChoice] as JSON
	Outcome string // a [Brought] as JSON; "": there is none yet
}

// Brought is what became of keys that were to be brought back, or would become.
type Brought struct {
	Chosen   int64        `json:"chosen"`
	Bytes    int64        `json:"bytes"` // of their values, as they are stored
	Added    int64        `json:"added"`
	Replaced int64        `json:"replaced"`
	Skipped  int64        `json:"skipped"`
	Expired  int64        `json:"expired"`
	Alike    int64        `json:"alike"`            // rehearsed: of those that the cluster has, how many are stored in the same bytes
	Unsure   int64        `json:"unsure,omitempty"` // may have been written: their node was lost before it answered
	Keys     []BroughtKey `json:"keys,omitempty"`
	Missing  int          `json:"missing,omitempty"` // how many of the names the snapshot does not have
}

// Written is how many keys the cluster has got.
func (b Brought) Written() int64 { return b.Added + b.Replaced }

// BroughtKey is one of the keys.
type BroughtKey struct {
	Database int    `json:"database,omitempty"`
	Name     []byte `json:"name"`   // its beginning
	Length   int    `json:"length"` // of the whole name
	Type     string `json:"type"`
	Fate     string `json:"fate"` // new, replaced, skipped, expired
	Alike    bool   `json:"alike,omitempty"`
}

// SuggestSafetyName is a name for the snapshot of a cluster that is taken before keys are brought back into it.
func SuggestSafetyName(cluster string, now time.Time) string {
	return SuggestSnapshotName(cluster+"-before-bring-back", now)
}

// BeginsWith is a pattern, by Redis's rules, for all names that begin like this.
func BeginsWith(start string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(start) + "*"
}

// NamesOf reads names that were entered one a line, each as [words.ReadKeyName] does. Empty lines count for nothing, and neither does a name that comes again.
func NamesOf(text string) [][]byte {
	var names [][]byte
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		name := words.ReadKeyName(line)
		if line != "" && !seen[name] {
			seen[name] = true
			names = append(names, []byte(name))
		}
	}
	return names
}
