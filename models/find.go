package models

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// How much of a search is kept.
const (
	FindKeeps    = 1000               // keys; those beyond are only counted
	FindMost     = 10_000             // the most that can be asked for
	FindKeptFor  = 7 * 24 * time.Hour // since it was asked for
	maxSought    = 64 << 10           // bytes of a name or pattern
	FindParallel = 2                  // parts that are read at once
)

// FindSpec asks for a search for keys in one snapshot, or in all of a cluster's.
type FindSpec struct {
	Cluster     string // "": only the snapshot
	Snapshot    string // "": all of the cluster's
	Sought      string // any bytes: a name, or a pattern by Redis's rules
	Pattern     bool
	Keep        int          // how many keys are kept; 0: FindKeeps
	Journal     *FindJournal // looks in the cluster's journal as well, or only there; nil: not at all
	RequestedBy string
	Token       string // by which whoever asks knows the run again
}

// Check says what is wrong with a search.
func (s FindSpec) Check() error {
	var faults Faults
	switch {
	case s.Sought == "" && s.Pattern:
		faults.Add(CodeInvalid, "sought", "Enter a pattern, such as session:*.")
	case s.Sought == "":
		faults.Add(CodeInvalid, "sought", "Enter the name of a key.")
	case len(s.Sought) > maxSought:
		faults.Add(CodeInvalid, "sought", fmt.Sprintf("It has %d bytes; %d are the most that can be looked for.", len(s.Sought), maxSought))
	}
	if s.Journal != nil {
		s.Journal.check(&faults, s.Cluster, s.Snapshot)
	} else if s.Cluster == "" && s.Snapshot == "" {
		faults.Add(CodeInvalid, "in", "Choose a cluster or a snapshot.")
	}
	if s.Keep < 0 || s.Keep > FindMost {
		faults.Add(CodeInvalid, "keep", fmt.Sprintf("At most %d keys can be kept.", FindMost))
	}
	return faults.OrNil()
}

// Find is a search for keys, beyond what its run says. What was looked for and what was found are data of somebody's cluster: they are in no log and no
// event, and go after a week.
type Find struct {
	RunID     uint `gorm:"primaryKey;autoIncrement:false"`
	Sought    []byte
	Matches   int64     // how many keys were found so far
	Kept      int       // how many of them are kept
	CreatedAt time.Time `gorm:"index"`
}

// FindState is how far a search is with one snapshot.
type FindState string

// The states of a [FindSnapshot].
const (
	FindWaiting   FindState = "waiting"
	FindSearching FindState = "searching"
	FindDone      FindState = "searched"
	FindFailed    FindState = "not searched" // or not all of it
)

// FindSnapshot is what a search has found out about one snapshot.
type FindSnapshot struct {
	RunID        uint `gorm:"primaryKey;autoIncrement:false"`
	Place        int  `gorm:"primaryKey;autoIncrement:false"` // the newest first, from 0
	SnapshotID   uint
	SnapshotName string
	TakenAt      time.Time
	Keys         int64 // in all of it; -1: unknown
	Parts        int
	Excluded     int // parts that were not read, because they cannot have the key
	Searched     int // parts that are done with, those among them
	Matches      int64
	State        FindState
	Reason       string // why it was not searched, or not all of it, in sentences
}

// FoundKey is a key that a search has found in a snapshot.
type FoundKey struct {
	ID        uint
	RunID     uint
	Place     int // of the snapshot
	Part      int
	Database  int
	Name      []byte // at most its first 256 bytes; nothing: names are hidden, or it is the one that was looked for
	Length    int    // of the whole name
	Type      string
	Encoding  string
	Bytes     int64      // of the value as it is stored
	ExpiresAt *time.Time // nil: never
	Digest    string     // of the value's bytes
}

// FindProgress is what reading a part has brought.
type FindProgress struct {
	Place    int
	Matches  int64
	Keys     []FoundKey // those of the matches that may be kept
	Done     int        // parts that are done with now
	Excluded int        // how many of these were not read
	Reason   string     // why one was not read, or not all of it
}

// DataOf is the moment that a snapshot's data is of: when the first of its parts began.
func (s Snapshot) DataOf() time.Time {
	at := s.CreatedAt
	if s.CompletedAt != nil {
		at = *s.CompletedAt
	}
	for _, part := range s.Parts {
		if !part.StartedAt.IsZero() && part.StartedAt.Before(at) {
			at = part.StartedAt
		}
	}
	return at
}

// Text tells whether bytes can be shown as text.
func Text(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7F {
			return false
		}
	}
	return true
}
