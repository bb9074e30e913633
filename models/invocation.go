package models

import (
	"time"
)

// A client that does not hear the answer sends its request again, and the request must act once all the same. What carries the number of
// an invocation in its context leaves a row in the very transaction that acts, so that "it has acted" and the row are true together,
// whatever is killed in between.

// Invocation is a request of the API that has acted.
type Invocation struct {
	ID     uint
	Number string    `gorm:"uniqueIndex"` // the access key and the number that the client gave
	At     time.Time `gorm:"index"`
}

// Signature is one that was seen, with what the client says of its attempts.
type Signature struct {
	ID         uint
	Signature  string `gorm:"index"`
	Invocation string
	Attempt    string
	At         time.Time `gorm:"index"`
}
