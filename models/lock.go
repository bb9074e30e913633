package models

import (
	"time"
)

// Lock is held by whoever changes the nodes of a cluster, so that the supervisor and a run never do it at once.
type Lock struct {
	Name  string `gorm:"primaryKey"`
	Owner string
	At    time.Time
}
