package models

import (
	"errors"
	"fmt"
	"rekindle/internal/words"
)

// The catalog is on the disk of the data folder. While that disk is full, everything in the console that does not write goes on.

// ErrDiskSlow says that the disk of the data folder did not take a write in time.
var ErrDiskSlow = errors.New("the disk did not take a write in time")

// Space is the size of the disk of the data folder, in bytes.
type Space struct{ Free, Total int64 }

// Low tells whether it is time to warn: below a tenth of the disk, or below 1 GiB on a large one.
func (s Space) Low() bool { return s.Total > 0 && s.Free < min(s.Total/10, 1<<30) }

// Ample tells whether there is so much space again that a warning is over: well above [Space.Low], so that the two do not alternate.
func (s Space) Ample() bool { return s.Total > 0 && s.Free > min(s.Total/8, 5<<28) }

// StoreSentence is a warning about the snapshot store.
func (s Space) StoreSentence() string {
	return fmt.Sprintf("The snapshot store is nearly full: %s of %s are free.", words.Size(s.Free), words.Size(s.Total))
}

// Sentence is a warning for people.
func (s Space) Sentence() string {
	return fmt.Sprintf("The disk of the data folder is nearly full: %s of %s are free. When it is full, nothing can be written down, and no snapshot can be taken. "+
		"Free some space on it.", words.Size(s.Free), words.Size(s.Total))
}
