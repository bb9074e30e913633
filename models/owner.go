package models

import (
	"errors"
	"time"
)

// Several consoles may share a catalog. Each is an owner for as long as it renews its lease: it has a row here, and its runs and
// locks have the row's ID. An owner that stops renewing is ended by another one, which measures with its own monotonic clock how long the
// row has not changed; the clocks of two hosts are never compared. An ID belongs to one lease only: a console that lost its lease comes back
// with another ID. So everything that names the ID is fenced by it, and a console that was frozen and wakes up can no longer settle anything.

// ErrLeaseLost says that a console's lease has ended: another console continues what it had begun.
var ErrLeaseLost = errors.New("this console did not renew its lease in time, and another one has taken over its work")

// CatalogHome is the home of the console whose data folder contains the catalog. Nobody else can have locked that folder.
const CatalogHome = "catalog"

// Owner is a console with a lease.
type Owner struct {
	ID    string        `gorm:"primaryKey"`
	Home  string        // names its data folder, and thereby the nodes that it launches
	Host  string        // its name, for people
	Beat  int64         // how often the lease was renewed
	Lease time.Duration // how long after the last renewal it may be ended
	Since time.Time
	Seen  time.Time // the last renewal, for people
}
