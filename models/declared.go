package models

import "time"

// Declared is how far a clusters file is in force.
type Declared struct {
	File        string        // "": there is none
	Refused     string        // what is wrong with the file as it is now; what it said before holds
	Outstanding []Outstanding // by name
}

// Outstanding is a cluster that is not yet as a clusters file says.
type Outstanding struct {
	Name     string
	Attached bool // it is, but otherwise than the file says
	Since    time.Time
	Tried    time.Time // for the last time
	Reason   string    // a sentence
}
