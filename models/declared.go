package models

import "time"

// Declared says how far a clusters file has taken effect.
type Declared struct {
	File        string        // "": there is none
	Refused     string        // what is wrong with the file as it is now; its last correct content stays in force
	Outstanding []Outstanding // by name
}

// Outstanding is a cluster that is not yet as a clusters file says.
type Outstanding struct {
	Name     string
	Attached bool // it is attached, but differs from the file
	Since    time.Time
	Tried    time.Time // for the last time
	Reason   string    // a sentence
}
