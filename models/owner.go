package models

import (
	"errors"
	"time"
)

// Several consoles may share a catalog. Each is an owner for as long as it renews its lease: it has a row here, and its runs and
// locks carry the row's ID. An owner that stops renewing is ended by another one, which judges by its own steady clock how long the
// row has not changed; no clock of one host is ever compared with another's. An ID is of one lease only: who lost a lease comes back
// under another ID. So whatever names the ID is fenced by it, and a console that was frozen and thaws can settle nothing any more.

// ErrLeaseLost tells that a console's lease has ended: another console goes on with what it had begun.
var ErrLeaseLost = errors.New("this console did not renew its lease in time, and another one goes on with its work")

// CatalogHome is the home of the console in whose data folder the catalog lies, which nobody else can have locked.
const CatalogHome = "catalog"

// Owner is a console with a lease.
type Owner struct {
	ID    string        `gorm:"primaryKey"`
	Home  string        // names its data folder, and with that the nodes that it launches
	Host  string        // its name, for people
	Beat  int64         // how often the lease was renewed
	Lease time.Duration // after which without a renewal it may be ended
	Since time.Time
	Seen  time.Time // the last renewal, for people
}
