package models

import (
	"encoding/json"
	"time"
)

// Remains are objects that a run may have left in another store. The run's options say where, and which keys.
type Remains struct {
	Run      uint            `json:"-"`
	Since    time.Time       `json:"since"`
	Manifest json.RawMessage `json:"manifest,omitempty"` // of what was written; empty if it is not known
}
