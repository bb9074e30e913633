package views

import (
	"time"

	"github.com/a-h/templ"
)

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

// settingsPages are the pages of the settings, in the order of their links. Each form is posted to the path of its own page.
var settingsPages = []struct {
	path  templ.SafeURL
	label string
}{
	{"/settings/storage", "Storage"},
	{"/settings/verify", "Verification"},
	{"/settings/imports", "Imports"},
	{"/settings/key-names", "Key names"},
	{"/settings/failover", "Failover"},
	{NotificationsPath, "Notifications"},
	{"/settings/catalog", "Catalog"},
	{"/settings/limits", "Limits and price"},
	{"/settings/account", "Account"},
	{"/settings/sessions", "Sessions"},
	{"/settings/access-keys", "Access keys"},
	{"/settings/display", "Time zone and colours"},
}

// SettingsTitle is the title of a page of the settings.
func SettingsTitle(path string) string {
	for _, one := range settingsPages {
		if string(one.path) == path {
			return one.label
		}
	}
	return "Settings"
}

// StorageSettings is the page about the store.
type StorageSettings struct {
	Location  string
	Problem   string // a sentence; empty: the last check succeeded
	Checked   time.Time
	Stored    int64
	Free      int64 // on the device, -1: unknown
	Snapshots int
	Facts     []StoreFact // what the store says about itself
	Version   string      // of Rekindle
}

// CatalogSettings is the page about the catalog. Form: POST /settings/rebuild, which has no fields.
type CatalogSettings struct {
	Location string    // without secrets
	Backup   string    // the command that copies it
	Running  Work      // a rebuild
	Consoles []Console // those that share the catalog; none: only this one
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
