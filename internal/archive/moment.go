package archive

import (
	"fmt"
	"time"
)

// Moment says of a snapshot that it was not taken of a cluster, but made from an earlier snapshot and the journal behind it: which moment it is of, and
// how exactly.
type Moment struct {
	Asked    time.Time    `json:"asked"`    // all commands up to it are in it, and none that came later
	Base     string       `json:"base"`     // the snapshot that the journal was played back behind
	SkewMS   int64        `json:"skew_ms"`  // between the last commands of two parts, at most
	Commands int64        `json:"commands"` // played back, of all parts
	Parts    []MomentPart `json:"parts"`    // by number, as the snapshot's
}

// MomentPart is what a part was made of. The place where it ends is the part's replication id and offset.
type MomentPart struct {
	Number   int       `json:"number"`
	At       time.Time `json:"at"`   // when the last command in it had come
	From     int64     `json:"from"` // the base's offset
	Run      string    `json:"run"`  // the recording
	Commands int64     `json:"commands"`
}

func (m *Moment) check(parts []Part) error {
	if m == nil {
		return nil
	}
	if !instant(m.Asked) || m.SkewMS < 0 || m.Commands < 0 || len(m.Parts) != len(parts) {
		return fmt.Errorf("%w: a moment at %v with %d parts", ErrInvalid, m.Asked, len(m.Parts))
	}
	for i, p := range m.Parts {
		if p.Number != i+1 || !instant(p.At) || p.From < 0 || p.Commands < 0 || !isHex(p.Run, 16) {
			return fmt.Errorf("%w: the moment of part %d", ErrInvalid, i+1)
		}
	}
	return texts(m.Base)
}

// utc is a copy with UTC times.
func (m *Moment) utc() *Moment {
	if m == nil {
		return nil
	}
	u := *m
	u.Asked, u.Parts = m.Asked.UTC(), make([]MomentPart, len(m.Parts))
	for i, p := range m.Parts {
		p.At = p.At.UTC()
		u.Parts[i] = p
	}
	return &u
}
