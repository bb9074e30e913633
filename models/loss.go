package models

import (
	"time"
)

// Loss says that a cluster lost its data: it had to be started empty, or its data was replaced. It stays as long as the cluster: the newest
// good snapshot from before it is never removed by retention.
type Loss struct {
	ID        uint
	ClusterID uint
	At        time.Time
}
