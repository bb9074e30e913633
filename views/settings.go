package views

import "time"

// Session is one place where the user is signed in.
type Session struct {
	ID        string
	User      string
	Agent     string // "Firefox on Linux"
	Address   string
	CreatedAt time.Time
	SeenAt    time.Time
	Current   bool
}

// Settings is the settings page.
//
// Forms: POST /settings/password with current, new, repeat; POST /settings/sessions/{id}/revoke;
// POST /settings/sessions/revoke-others; POST LimitsAction with manual_quota, price, currency.
type Settings struct {
	// Storage
	StoreLocation string
	StoreProblem  string // a sentence; empty: the last check succeeded
	StoreChecked  time.Time
	StoredBytes   int64
	FreeBytes     int64 // on the device, -1: unknown
	SnapshotCount int
	StoreFacts    []StoreFact // what the store says about itself
	// Account; Password holds the errors of its form, never values
	Password Fields
	Sessions []Session
	// Limits; without an action they are shown and cannot be changed
	Limits          Fields // values: manual_quota, price, currency
	LimitsAction    string
	Verify          Fields    // values: verify_every; its form is POST /settings/verify, and POST /settings/rebuild has none
	TryImports      bool      // its form is POST /settings/imports, with try_imports=on or without try_imports
	Failover        Fields    // values: promote_after; its form is POST /settings/failover
	CatalogLocation string    // without secrets
	CatalogBackup   string    // the command that copies it
	Running         Work      // a rebuild of the catalog
	Consoles        []Console // those that share the catalog; none: only this one
	Version         string    // of Rekindle
}

// Console is one of the consoles that share a catalog.
type Console struct {
	Host     string // "" when it is away
	Clusters int    // whose nodes are there
	Since    time.Time
	Seen     time.Time
	Current  bool
}

// StoreFact is a line of what the store says about itself.
type StoreFact struct{ Name, Value string }
