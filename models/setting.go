package models

// Settings are what an administrator can change while the console runs.
type Settings struct {
	ManualQuota int     // manual snapshots per cluster in 24 hours
	Price       float64 // per GB-month
	Currency    string  // shown before the amount
}
