package models

import (
	"time"
)

// Loss records that a cluster lost its data: it had to be started empty, or its data was replaced. The record stays as long as the cluster, because
// retention never removes the newest good snapshot from before the loss.
type Loss struct {
	ID        uint
	ClusterID uint
	At        time.Time
}
