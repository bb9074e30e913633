package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"rekindle/internal/digest"
)

// FormatVersion is the version of the segments that are written. Every older one stays readable.
const FormatVersion = 1

// Index says what is in a segment. It is stored in front of it.
type Index struct {
	FormatVersion int    `json:"format_version"`
	Cluster       string `json:"cluster"`
	Shard         int    `json:"shard"`
	Run           string `json:"run"`
	ReplicationID string `json:"replication_id"`
	// PreviousReplicationID is what the history was called before, if the node gave it another id right before the segment's first byte.
	PreviousReplicationID string `json:"previous_replication_id,omitempty"`

	From   int64         `json:"from"`
	To     int64         `json:"to"`
	Begin  time.Time     `json:"begin"`
	End    time.Time     `json:"end"`
	Bytes  int64         `json:"bytes"`  // of the stream: To - From
	Digest digest.Digest `json:"digest"` // of these bytes

	Start Start `json:"start"` // where the first command in it begins
	Safe  Start `json:"safe"`  // the last safe boundary at To; it may lie before From

	Marks  []Mark   `json:"marks"`
	Counts []Counts `json:"counts"`
	Events []Event  `json:"events"`
}

// Start is a place where a [Scanner] can begin: between two commands.
type Start struct {
	Offset   int64 `json:"offset"`   // of Index.Start: at least From; To if no command begins in the segment
	Database int   `json:"database"` // selected there; -1: not known
	Open     int64 `json:"open"`     // the place before the MULTI that is open there; -1: none is
}

// Mark is the last safe boundary of a second: the state of the server at that moment.
type Mark struct {
	At       time.Time `json:"at"` // when the command before it had come
	Offset   int64     `json:"offset"`
	Database int       `json:"database"` // selected there; -1: not known
}

// Counts are the commands of a second. When a segment ends within a second, the next one has the rest of it.
type Counts struct {
	Second   time.Time        `json:"second"`
	Commands map[string]Count `json:"commands"` // by name; "other" are those that are too many to be listed
}

// Count is how many commands there were, and their bytes in the stream. In JSON it is an array of both.
type Count struct{ Commands, Bytes int64 }

// MarshalJSON writes [commands, bytes].
func (c Count) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{c.Commands, c.Bytes}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Count) UnmarshalJSON(data []byte) error {
	var pair [2]int64
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	c.Commands, c.Bytes = pair[0], pair[1]
	return nil
}

// Other is the name in Counts for commands that are not listed by name.
const Other = "other"

// Event is something that removed or swapped much at once. It stands in the segment that has its end.
type Event struct {
	// Kind is FLUSHALL, FLUSHDB, SWAPDB, FUNCTION FLUSH, FUNCTION DELETE, FUNCTION RESTORE, or DELETE: a second in which many keys were removed, by
	// DEL, UNLINK, expiry or eviction, which look the same in the stream.
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`       // when its first command had come
	Before   int64     `json:"before"`   // last safe boundary before it
	After    int64     `json:"after"`    // first safe boundary behind it
	Database int       `json:"database"` // -1: all, several, or not known
	Keys     int64     `json:"keys"`     // of DELETE: how many were named
	Times    int64     `json:"times"`    // how many commands it stands for
}

// Kinds of events.
const (
	FlushAll = "FLUSHALL"
	FlushDB  = "FLUSHDB"
	SwapDB   = "SWAPDB"
	Delete   = "DELETE"
)

// Segment is the segment that the index is of; size is what is stored.
func (x Index) Segment(size int64) Segment {
	s := Segment{Place: Place{x.Cluster, x.Shard}, Run: x.Run, ReplicationID: x.ReplicationID, From: x.From, To: x.To, Begin: x.Begin, End: x.End, Size: size}
	s.Key = s.Name()
	return s
}

// Resume says where a recording of the same run goes on behind this segment: at its last safe boundary, not at its end, which may be within a command.
// The bytes between the two are then in two segments, which is fine.
func (x Index) Resume() Resume {
	return Resume{Run: x.Run, ReplicationID: x.ReplicationID, Offset: x.Safe.Offset, Database: x.Safe.Database}
}

// Resume is where a recording begins, or goes on.
type Resume struct {
	Run           string
	ReplicationID string
	Offset        int64
	Database      int // selected there; Unknown
}

// maxIndex is the most that an index may have, in bytes; what is written stays far below.
const maxIndex = 4 << 20

// encode returns the index in the form that is stored: JSON on one line, and its digest on the next.
func (x Index) encode() ([]byte, error) {
	text, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	hash := digest.New()
	_, _ = hash.Write(text)
	return append(append(text, hash.Digest()...), '\n'), nil
}

var errIndex = errors.New("its index is not what was written")

// parseIndex reads what encode returned. Errors: errIndex, ErrNewer.
func parseIndex(data []byte) (Index, error) {
	end := bytes.IndexByte(data, '\n') + 1
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data[:end], &version); err != nil {
		return Index{}, fmt.Errorf("%w: %w", errIndex, err)
	}
	if version.FormatVersion > FormatVersion {
		return Index{}, fmt.Errorf("%w (format version %d)", ErrNewer, version.FormatVersion)
	}
	said := digest.Digest(strings.TrimSuffix(string(data[end:]), "\n"))
	hash, err := said.New()
	if err != nil {
		return Index{}, fmt.Errorf("%w: %w", errIndex, err)
	}
	if _, _ = hash.Write(data[:end]); hash.Digest() != said {
		return Index{}, fmt.Errorf("%w: its digest is %s instead of %s", errIndex, hash.Digest(), said)
	}
	var x Index
	if err := json.Unmarshal(data[:end], &x); err != nil {
		return Index{}, fmt.Errorf("%w: %w", errIndex, err)
	}
	if err := x.check(); err != nil {
		return Index{}, fmt.Errorf("%w: %w", errIndex, err)
	}
	return x, nil
}

// check says whether the fields make sense together.
func (x Index) check() error {
	if err := x.Segment(0).check(); err != nil {
		return err
	}
	switch {
	case x.FormatVersion < 1:
		return fmt.Errorf("format version %d", x.FormatVersion)
	case x.Bytes != x.To-x.From || x.Bytes > maxPlain:
		return fmt.Errorf("%d bytes from %d to %d", x.Bytes, x.From, x.To)
	case x.Start.Offset < x.From || x.Start.Offset > x.To || x.Safe.Offset > x.To:
		return fmt.Errorf("boundaries %d and %d of a segment from %d to %d", x.Start.Offset, x.Safe.Offset, x.From, x.To)
	case x.PreviousReplicationID != "" && !isHex(x.PreviousReplicationID, 40):
		return fmt.Errorf("replication id %.50q", x.PreviousReplicationID)
	}
	return x.Digest.Check()
}
