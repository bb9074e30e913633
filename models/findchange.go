package models

import (
	"fmt"
	"time"
)

// FindJournal is where in a cluster's journal a search looks.
type FindJournal struct {
	Only  bool      `json:"only,omitempty"` // and in no snapshot
	Since time.Time `json:"since,omitzero"` // the first second; zero: from the beginning
	Until time.Time `json:"until,omitzero"` // the last one; zero: up to what is stored
}

// Alone tells whether only the journal is looked through.
func (j *FindJournal) Alone() bool { return j != nil && j.Only }

// Contains tells whether a second is among those that are looked at.
func (j *FindJournal) Contains(at time.Time) bool {
	at = at.Truncate(time.Second)
	return !at.Before(j.Since) && (j.Until.IsZero() || !at.After(j.Until))
}

// check adds what is wrong with it.
func (j *FindJournal) check(faults *Faults, cluster, snapshot string) {
	switch {
	case snapshot != "":
		faults.Add(CodeInvalid, "snapshot", "Leave it empty to look in the journal, or look in the snapshots only.")
	case cluster == "":
		faults.Add(CodeInvalid, "in", "Choose the cluster whose journal is to be looked through.")
	}
	if !j.Until.IsZero() && j.Until.Before(j.Since) {
		faults.Add(CodeInvalid, "until", "It lies before the first second.")
	}
}

// FindStream is what a search has found out about a journal.
type FindStream struct {
	RunID   uint  `gorm:"primaryKey;autoIncrement:false"`
	Changes int64 // how many were found so far
	Kept    int   // how many of them are kept: the newest
	Holes   int   // how many pieces could not be looked through
	Done    bool  // all of it was looked through
}

// TableName is the table of the journals that searches look through.
func (FindStream) TableName() string { return "find_streams" }

// ChangeKind is what a command did to a key.
type ChangeKind string

// The kinds of changes.
const (
	ChangeWritten       ChangeKind = "written"
	ChangeChanged       ChangeKind = "changed"
	ChangeReduced       ChangeKind = "reduced"
	ChangeDeleted       ChangeKind = "deleted"
	ChangeExpirySet     ChangeKind = "expiry set"
	ChangeExpiryRemoved ChangeKind = "expiry removed"
	ChangeFieldExpiry   ChangeKind = "field expiry"
	ChangeRenamedTo     ChangeKind = "renamed to"
	ChangeRenamedFrom   ChangeKind = "renamed from"
	ChangeMovedTo       ChangeKind = "moved to"
	ChangeCopiedTo      ChangeKind = "copied to"
	ChangeCopiedFrom    ChangeKind = "copied from"
	ChangePossible      ChangeKind = "possible" // by a script
	ChangeGuess         ChangeKind = "guess"    // by a command that is not known
	ChangeFlushedAll    ChangeKind = "flushed all"
	ChangeFlushed       ChangeKind = "flushed"
	ChangeSwapped       ChangeKind = "swapped"
	ChangeTrimmed       ChangeKind = "trimmed"
)

// FoundChange is a change of a key that a search has found in a journal.
type FoundChange struct {
	ID            uint
	RunID         uint
	At            time.Time // within this second; by the clock of the console
	Shard         int
	Run           string // names the recording
	Before        int64  `gorm:"column:before_offset"` // the places around it, where a cluster can be brought back to
	After         int64  `gorm:"column:after_offset"`
	Database      int    // -1: not known
	Command       string
	Kind          ChangeKind
	Word          int64  // which argument of the command is the key, from 1; 0: none
	Bytes         int64  // of the command
	Name          []byte // at most its first 256 bytes; nothing: it is the one that was looked for, or none
	Length        int    // of the whole name
	Other         []byte // the other key of a renaming or a copy, as Name; nothing: there is none, or it is hidden
	OtherDatabase int    // -1: there is none
	ExpiresAt     *time.Time
}

// Sweeps tells whether the command did it to keys that it does not name, so that the key need not have been there.
func (c FoundChange) Sweeps() bool { return c.Word == 0 }

// Text says what happened; other is the other key made visible, or "".
func (c FoundChange) Text(other string) string {
	if other == "" {
		other = "another key"
	}
	if c.OtherDatabase >= 0 && (c.Kind == ChangeCopiedTo || c.Kind == ChangeCopiedFrom) {
		other += fmt.Sprintf(" in database %d", c.OtherDatabase)
	}
	switch c.Kind {
	case ChangeRenamedTo:
		return "Renamed to " + other
	case ChangeRenamedFrom:
		return "Overwritten by renaming " + other
	case ChangeCopiedTo:
		return "Copied to " + other + "; it stayed as it was"
	case ChangeCopiedFrom:
		return "Overwritten by a copy of " + other
	case ChangeMovedTo:
		return "Moved to " + databaseText(c.OtherDatabase)
	case ChangeFlushed:
		return "Deleted with every key of " + databaseText(c.Database) + ", if it was there"
	case ChangeSwapped:
		return fmt.Sprintf("Exchanged between %s and %s, if it was there", databaseText(c.Database), databaseText(c.OtherDatabase))
	}
	return changeTexts[c.Kind]
}

var changeTexts = map[ChangeKind]string{
	ChangeWritten: "Written", ChangeChanged: "Changed", ChangeReduced: "Something was taken out of it", ChangeDeleted: "Deleted, expired or evicted",
	ChangeExpirySet: "Its expiry was set", ChangeExpiryRemoved: "Its expiry was removed", ChangeFieldExpiry: "The expiry of some of its fields was set or removed",
	ChangePossible: "It may have been changed by a script", ChangeGuess: "It may have been changed: Rekindle does not know the command, and takes its first argument for a key",
	ChangeFlushedAll: "Deleted with every key of every database, if it was there", ChangeTrimmed: "Deleted with every key of some slots, if it was there",
}

func databaseText(database int) string {
	if database < 0 {
		return "a database that is not known"
	}
	return fmt.Sprintf("database %d", database)
}

// FindHole is a piece of a journal that a search could not look through.
type FindHole struct {
	ID     uint
	RunID  uint
	Shard  int
	Begin  *time.Time `gorm:"column:begun_at"` // nil: not known
	End    *time.Time `gorm:"column:ended_at"`
	Reason string     // a sentence
}

// FoundChanges is what looking through a piece of a journal has brought.
type FoundChanges struct {
	Count   int64
	Changes []FoundChange // those that may be kept: the newest of the piece
	Holes   []FindHole
}

// Recording is what is stored of a shard's stream under one name.
type Recording struct {
	ClusterID uint
	Shard     int
	Run       string
	From      int64 `gorm:"column:from_offset"`
	To        int64 `gorm:"column:to_offset"`
}
