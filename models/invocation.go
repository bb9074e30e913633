package models

import (
	"time"
)

// A client that does not receive the answer repeats its request, which must still act only once. A request with an invocation number in its context
// leaves a row in the same transaction that acts, so that the row exists exactly if the request has acted, whatever is killed in between.

// Invocation is a request of the API that has acted.
type Invocation struct {
	ID     uint
	Number string    `gorm:"uniqueIndex"` // the access key and the client's number
	At     time.Time `gorm:"index"`
}

// Signature is a signature that was seen, with what the client says about its attempts.
type Signature struct {
	ID         uint
	Signature  string `gorm:"index"`
	Invocation string
	Attempt    string
	At         time.Time `gorm:"index"`
}
