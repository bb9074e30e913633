package views

import (
	"slices"
	"strings"

	"github.com/a-h/templ"
)

// Search is what was found for a text, or where one can go when nothing was looked for.
type Search struct {
	Text   string
	Groups []FoundGroup // those without anything are left out
}

// FoundGroup is what was found of one kind.
type FoundGroup struct {
	Label string // "Clusters"
	Found []Found
	More  int           // how many others match
	All   templ.SafeURL // the list of all that match
}

// Found is something that was found.
type Found struct {
	Icon, Name string
	Note       string // what it is, in a few words
	Status     string // a state, shown as a pill; empty: it has none
	Href       templ.SafeURL
}

// Count is how many things were found.
func (p Search) Count() (n int) {
	for _, group := range p.Groups {
		n += len(group.Found) + group.More
	}
	return n
}

// destination is a page that can be gone to by its name, or by what people call what is done there.
type destination struct {
	Found
	words string
}

// Destinations are the pages whose names, or what is done there, have words that begin with every word of the text; all but the settings' when there is none.
func Destinations(text string) []Found {
	words := strings.Fields(strings.ToLower(text))
	var found []Found
	for _, one := range destinations() {
		if len(words) == 0 && strings.HasPrefix(string(one.Href), "/settings/") {
			continue
		}
		known := strings.Fields(strings.ToLower(one.Name + " " + one.words))
		begins := func(word string) bool {
			return slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, word) })
		}
		if !slices.ContainsFunc(words, func(word string) bool { return !begins(word) }) {
			found = append(found, one.Found)
		}
	}
	return found
}

// settingsWords are what people may look for on a page of the settings.
var settingsWords = map[templ.SafeURL]string{
	"/settings/storage":     "store s3 bucket disk space free full",
	"/settings/key-names":   "hide names secret contents",
	NotificationsPath:       "mail slack teams discord telegram webhook alarm messages",
	"/settings/verify":      "verification check read back damage",
	"/settings/imports":     "upload rdb files try",
	"/settings/failover":    "promote replica primary down",
	"/settings/catalog":     "database rebuild backup clock",
	"/settings/limits":      "quota manual snapshots price cost currency",
	"/settings/account":     "password change",
	"/settings/sessions":    "signed in browsers revoke sign out",
	"/settings/access-keys": "api aws command line secret sdk",
	"/settings/display":     "theme dark light local time",
}

func destinations() []destination {
	all := make([]destination, 0, len(navigation)+len(settingsPages)+7)
	for _, e := range navigation {
		all = append(all, destination{Found: Found{Icon: e.icon, Name: e.label, Href: e.href}})
	}
	all = append(all,
		destination{Found{Icon: "camera", Name: "Take a snapshot", Href: "/snapshots/-/new"}, "backup now manual"},
		destination{Found{Icon: "plus", Name: "Create a cluster", Href: "/clusters/-/new"}, "new launch"},
		destination{Found{Icon: "plug", Name: "Attach a cluster", Href: AttachPath}, "add existing sentinel"},
		destination{Found{Icon: "scroll-text", Name: "Windows of the day", Href: WindowsPath}, "schedule load forks overlap"},
		destination{Found{Icon: "scroll-text", Name: "Cost", Href: CostPath}, "price forecast bill storage"},
		destination{Found{Icon: "shield-check", Name: "Restore drills", Href: "/drills"}, "report auditors csv"},
		destination{Found{Icon: "search", Name: "Find a key", Href: FindPath}, "look search keys pattern value name ttl"},
		destination{Found{Icon: "download", Name: "Import a snapshot", Href: "/snapshots/-/import"}, "upload rdb file"},
	)
	for _, page := range settingsPages {
		all = append(all, destination{Found{Icon: "settings", Name: page.label, Note: "Settings", Href: page.path}, "settings " + settingsWords[page.path]})
	}
	return all
}
