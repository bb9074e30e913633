package models

// DefaultPromoteAfter is for how many seconds a primary that hangs is waited for when nobody chose another number.
const DefaultPromoteAfter = 60

// The range of numbers that can be chosen. A replica hears from its primary every ten seconds.
const (
	MinPromoteAfter = 10
	MaxPromoteAfter = 3600
)
