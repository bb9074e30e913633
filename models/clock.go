package models

import (
	"fmt"
	"time"
)

// ClockDoubt is a jump of the clock that nobody has explained so far.
type ClockDoubt struct {
	Said     time.Time `json:"said"`     // by the clock
	Expected time.Time `json:"expected"` // what it should have said, at the latest
	Ahead    bool      `json:"ahead"`    // it jumped ahead, not back
}

// Sentence describes it for people.
func (d ClockDoubt) Sentence() string {
	const when = "2006-01-02 15:04"
	return fmt.Sprintf("The clock of this host says %s UTC where about %s UTC was expected. Until it is certain which is right, no snapshot and nothing "+
		"else is deleted for its age. Set the clock, or confirm that it is right.", d.Said.Format(when), d.Expected.Format(when))
}
