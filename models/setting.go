package models

// Setting is one value that an administrator can change while the console runs.
type Setting struct {
	Name  string `gorm:"primaryKey"`
	Value string
}

// Settings are what an administrator can change while the console runs.
type Settings struct {
	ManualQuota int     // manual snapshots per cluster in 24 hours
	Price       float64 // per GB-month
	Currency    string  // shown before the amount
}

// DefaultPromoteAfter is how many seconds a primary may hang before it is replaced, unless somebody chose another number.
const DefaultPromoteAfter = 60

// The range of the choice. A replica hears from its primary every ten seconds.
const (
	MinPromoteAfter = 10
	MaxPromoteAfter = 3600
)
